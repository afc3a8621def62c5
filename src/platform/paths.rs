//! Where Safelight keeps its own things. Everything made here is for its owner alone.

use std::ffi::OsString;
use std::io;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

/// The environment variable that names the data directory.
pub const DATA_DIR_VARIABLE: &str = "SAFELIGHT_DATA_DIR";
/// Only the owner enters.
const DIR_MODE: u32 = 0o700;
/// The socket's name in the data directory.
const SOCKET_NAME: &str = "s";
/// Hexadecimal digits of the data directory's hash in the socket's name.
const SOCKET_HASH_LEN: usize = 16;

/// Safelight's own places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Paths {
    /// The database, the configuration, the lock and the log. Absolute, without links.
    pub data_dir: PathBuf,
    /// Thumbnails and whatever else can be made again.
    pub cache_dir: PathBuf,
    /// The agent's socket, if this process were the agent. One with another environment may listen
    /// elsewhere; see [`Paths::socket_paths`].
    pub socket: PathBuf,
    /// The data directory was chosen, so an agent started from here must be told it.
    pub is_chosen: bool,
}

/// What the environment says, passed in so that tests need not change it.
#[derive(Debug, Clone, Default)]
pub struct Environment {
    /// `XDG_DATA_HOME`.
    pub data_home: Option<OsString>,
    /// `XDG_CONFIG_HOME`.
    pub config_home: Option<OsString>,
    /// `XDG_CACHE_HOME`.
    pub cache_home: Option<OsString>,
    /// `XDG_RUNTIME_DIR`.
    pub runtime_dir: Option<OsString>,
    /// The person's home directory.
    pub home: Option<PathBuf>,
}

/// Safelight's places cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum PathsError {
    /// Nothing says where home is.
    #[error("Safelight cannot find your home directory; choose a place with --data-dir")]
    NoHome,
    /// A directory cannot be made or entered.
    #[error("Safelight cannot use {path}: {reason}")]
    Unusable {
        /// The directory, for people.
        path: String,
        /// What the system said.
        reason: io::Error,
    },
}

impl Environment {
    /// This process's environment.
    pub fn of_process() -> Self {
        Self {
            data_home: std::env::var_os("XDG_DATA_HOME"),
            config_home: std::env::var_os("XDG_CONFIG_HOME"),
            cache_home: std::env::var_os("XDG_CACHE_HOME"),
            runtime_dir: std::env::var_os("XDG_RUNTIME_DIR"),
            home: directories::BaseDirs::new().map(|dirs| dirs.home_dir().to_path_buf()),
        }
    }
}

impl Environment {
    /// Returns where this person's configuration is: `XDG_CONFIG_HOME`, or `.config` in the home
    /// directory.
    ///
    /// # Errors
    /// `NoHome`.
    pub fn config_dir(&self) -> Result<PathBuf, PathsError> {
        base_dir(self.config_home.as_ref(), self, ".config")
    }
}

impl Paths {
    /// Finds the places and makes those that are missing. `chosen` is `--data-dir` or
    /// [`DATA_DIR_VARIABLE`].
    ///
    /// # Errors
    /// When a directory cannot be made, or nothing says where home is.
    pub fn prepare(chosen: Option<&Path>, environment: &Environment) -> Result<Self, PathsError> {
        let (data_dir, cache_dir) = match chosen {
            Some(dir) => {
                let dir = std::path::absolute(dir).map_err(|reason| unusable(dir, reason))?;
                (dir.clone(), dir.join("cache"))
            }
            None => (
                base_dir(environment.data_home.as_ref(), environment, ".local/share")?.join("safelight"),
                base_dir(environment.cache_home.as_ref(), environment, ".cache")?.join("safelight"),
            ),
        };
        make_private_dir(&data_dir)?;
        let data_dir = data_dir.canonicalize().map_err(|reason| unusable(&data_dir, reason))?;
        if let Err(error) = make_private_dir(&cache_dir) {
            // All of it can be made again, and nothing depends on it.
            tracing::debug!("there is no cache: {error}");
        }
        let socket =
            socket_in(environment.runtime_dir.as_ref(), &data_dir).unwrap_or_else(|| data_dir.join("s"));
        Ok(Self { data_dir, cache_dir, socket, is_chosen: chosen.is_some() })
    }

    /// The file whose lock makes one process the agent.
    pub fn lock(&self) -> PathBuf {
        self.data_dir.join("lock")
    }

    /// The file whose lock makes one process the window.
    pub fn window_lock(&self) -> PathBuf {
        self.data_dir.join("window.lock")
    }

    /// Where the agent can be reached whatever the environment: its socket, or a link to it.
    pub fn fallback_socket(&self) -> PathBuf {
        self.data_dir.join(SOCKET_NAME)
    }

    /// Where to knock, the likeliest first: a program that was started outside the desktop has
    /// another runtime directory, or none.
    pub fn socket_paths(&self) -> Vec<PathBuf> {
        let mut sockets = vec![self.socket.clone(), self.fallback_socket()];
        sockets.dedup();
        sockets
    }

    /// The folder of the logs.
    pub fn log_dir(&self) -> PathBuf {
        self.data_dir.join("log")
    }
}

/// An XDG base directory: the variable where it is an absolute path, else below home.
fn base_dir(
    variable: Option<&OsString>,
    environment: &Environment,
    below_home: &str,
) -> Result<PathBuf, PathsError> {
    if let Some(dir) = variable.map(PathBuf::from).filter(|dir| dir.is_absolute()) {
        return Ok(dir);
    }
    environment.home.as_ref().map(|home| home.join(below_home)).ok_or(PathsError::NoHome)
}

/// The socket's place in the runtime directory; `None` if that is not this person's alone.
fn socket_in(runtime_dir: Option<&OsString>, data_dir: &Path) -> Option<PathBuf> {
    let runtime_dir = runtime_dir.map(PathBuf::from).filter(|dir| dir.is_absolute())?;
    let meta = std::fs::metadata(&runtime_dir).ok()?;
    let is_private = meta.is_dir() && meta.mode() & 0o077 == 0 && meta.uid() == own_uid();
    if !is_private {
        return None;
    }
    let dir = runtime_dir.join("safelight");
    make_private_dir(&dir).ok()?;
    let hash = blake3::hash(data_dir.as_os_str().as_bytes()).to_hex();
    let socket = dir.join(&hash.as_str()[..SOCKET_HASH_LEN]);
    // A socket that only fits through a longer way round is better beside its data.
    super::socket::fits_address(&socket).then_some(socket)
}

/// Makes a directory and its parents, for the owner alone. One that exists is left as it is.
///
/// # Errors
/// When it cannot be made, or something else has its name.
pub fn make_private_dir(dir: &Path) -> Result<(), PathsError> {
    std::fs::DirBuilder::new()
        .recursive(true)
        .mode(DIR_MODE)
        .create(dir)
        .map_err(|reason| unusable(dir, reason))
}

/// This process's user.
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn unusable(path: &Path, reason: io::Error) -> PathsError {
    PathsError::Unusable { path: path.display().to_string(), reason }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    struct FakeHome {
        dir: tempfile::TempDir,
        environment: Environment,
    }

    fn home() -> FakeHome {
        let dir = tempfile::tempdir().expect("temp");
        let run = dir.path().join("run");
        make_private_dir(&run).expect("run");
        let environment = Environment {
            home: Some(dir.path().to_path_buf()),
            runtime_dir: Some(run.into_os_string()),
            ..Environment::default()
        };
        FakeHome { dir, environment }
    }

    fn mode(path: &Path) -> u32 {
        std::fs::metadata(path).expect("meta").permissions().mode() & 0o777
    }

    #[test]
    fn without_a_choice_the_base_directories_hold() {
        let mut home = home();
        let paths = Paths::prepare(None, &home.environment).expect("paths");
        let root = home.dir.path().canonicalize().expect("root");
        assert_eq!(paths.data_dir, root.join(".local/share/safelight"));
        assert!(paths.cache_dir.ends_with(".cache/safelight"));
        assert!(!paths.is_chosen);
        assert_eq!((mode(&paths.data_dir), mode(&paths.cache_dir)), (0o700, 0o700));

        home.environment.data_home = Some(root.join("data").into_os_string());
        let moved = Paths::prepare(None, &home.environment).expect("paths");
        assert_eq!(moved.data_dir, root.join("data/safelight"));
        assert_ne!(moved.socket, paths.socket, "each data directory has its own socket");

        home.environment.data_home = Some("relative".into());
        let ignored = Paths::prepare(None, &home.environment).expect("paths");
        assert_eq!(ignored.data_dir, paths.data_dir, "a relative base directory does not count");
    }

    #[test]
    fn a_chosen_directory_holds_its_own_cache() {
        let home = home();
        let chosen = home.dir.path().join("mine");
        let paths = Paths::prepare(Some(&chosen), &home.environment).expect("paths");
        assert_eq!(paths.cache_dir, chosen.join("cache"));
        assert!(paths.is_chosen);
        let link = home.dir.path().join("link");
        std::os::unix::fs::symlink(&chosen, &link).expect("link");
        let through = Paths::prepare(Some(&link), &home.environment).expect("paths");
        assert_eq!(through.socket, paths.socket, "one directory, one socket");
    }

    #[test]
    fn a_runtime_directory_that_others_enter_is_not_used() {
        let mut home = home();
        let open = home.dir.path().join("open");
        std::fs::create_dir(&open).expect("dir");
        std::fs::set_permissions(&open, std::fs::Permissions::from_mode(0o755)).expect("mode");
        for runtime_dir in [Some(open.into_os_string()), None, Some("/nowhere/at/all".into())] {
            home.environment.runtime_dir = runtime_dir;
            let paths = Paths::prepare(None, &home.environment).expect("paths");
            assert_eq!(paths.socket, paths.data_dir.join("s"));
        }
    }

    #[test]
    fn a_file_in_the_way_is_named() {
        let home = home();
        let file = home.dir.path().join("file");
        std::fs::write(&file, b"").expect("file");
        let error = Paths::prepare(Some(&file), &home.environment).expect_err("refused");
        assert!(error.to_string().contains("/file"), "{error}");
        let nowhere = Paths::prepare(None, &Environment::default()).expect_err("refused");
        assert!(nowhere.to_string().contains("--data-dir"), "{nowhere}");
    }
}
