//! Local sockets: addresses longer than the system takes, and who is at the other end.

use std::ffi::OsString;
use std::fs::File;
use std::io;
use std::os::fd::{AsFd, AsRawFd as _};
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, sockopt};

/// The longest path a socket address holds, in bytes.
const ADDRESS_LEN_MAX: usize = 107;

/// Whether a socket can be reached by this path itself.
pub fn fits_address(path: &Path) -> bool {
    path.as_os_str().as_bytes().len() <= ADDRESS_LEN_MAX
}

/// A way to a socket that fits an address. It holds as long as this value lives.
struct SocketPath {
    path: PathBuf,
    _dir: Option<File>,
}

impl SocketPath {
    fn to(socket: &Path) -> io::Result<Self> {
        if fits_address(socket) {
            return Ok(Self { path: socket.to_path_buf(), _dir: None });
        }
        let (Some(parent), Some(name)) = (socket.parent(), socket.file_name()) else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        };
        // An open directory has a short name of its own, however long its path is.
        let dir = File::open(parent)?;
        let mut path = OsString::from(format!("/proc/self/fd/{}/", dir.as_raw_fd()));
        path.push(name);
        Ok(Self { path: path.into(), _dir: Some(dir) })
    }
}

/// Listens at `socket` for this person alone. What lies there is removed first, so the caller must
/// hold the lock that says nobody listens.
///
/// # Errors
/// When the socket cannot be made.
pub fn listen(socket: &Path) -> io::Result<UnixListener> {
    match std::fs::remove_file(socket) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(error),
    }
    let listener = UnixListener::bind(SocketPath::to(socket)?.path)?;
    std::fs::set_permissions(socket, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Connects to `socket`, within `timeout` even where the listener has stopped answering.
///
/// # Errors
/// `NotFound` or `ConnectionRefused` when nobody listens.
pub fn connect(socket: &Path, timeout: Duration) -> io::Result<UnixStream> {
    let route = SocketPath::to(socket)?;
    let address = SocketAddrUnix::new(route.path.as_path())?;
    let stream =
        rustix::net::socket_with(AddressFamily::UNIX, SocketType::STREAM, SocketFlags::CLOEXEC, None)?;
    sockopt::set_socket_timeout(&stream, sockopt::Timeout::Send, Some(timeout))?;
    rustix::net::connect(&stream, &address)?;
    sockopt::set_socket_timeout(&stream, sockopt::Timeout::Send, None)?;
    Ok(UnixStream::from(stream))
}

/// The user at the other end.
///
/// # Errors
/// When the system does not say.
pub fn peer_uid(stream: impl AsFd) -> io::Result<u32> {
    Ok(sockopt::socket_peercred(stream)?.uid.as_raw())
}

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;
    use crate::platform::paths::own_uid;

    const SOON: Duration = Duration::from_secs(10);

    fn talk(socket: &Path) {
        let listener = listen(socket).expect("listen");
        let mode = std::fs::metadata(socket).expect("meta").permissions().mode() & 0o777;
        assert_eq!(mode, 0o600);
        let mut client = connect(socket, SOON).expect("connect");
        let (mut server, _address) = listener.accept().expect("accept");
        assert_eq!(peer_uid(&server).expect("peer"), own_uid());
        client.write_all(b"hi").expect("write");
        let mut heard = [0; 2];
        server.read_exact(&mut heard).expect("read");
        assert_eq!(&heard, b"hi");
    }

    #[test]
    fn short_and_long_paths_both_work() {
        let dir = tempfile::tempdir().expect("temp");
        talk(&dir.path().join("s"));
        let deep = dir.path().join("d".repeat(200));
        std::fs::create_dir(&deep).expect("deep");
        let socket = deep.join("s");
        assert!(!fits_address(&socket));
        talk(&socket);
        // A second listener takes the place of what the first left behind.
        talk(&socket);
    }

    #[test]
    fn nobody_there_is_said_at_once() {
        let dir = tempfile::tempdir().expect("temp");
        let socket = dir.path().join("s");
        assert_eq!(connect(&socket, SOON).expect_err("none").kind(), io::ErrorKind::NotFound);
        drop(listen(&socket).expect("listen"));
        assert_eq!(connect(&socket, SOON).expect_err("stale").kind(), io::ErrorKind::ConnectionRefused);
    }
}
