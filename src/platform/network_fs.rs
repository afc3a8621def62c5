//! Which file systems can hold the database.

use std::io;
use std::path::Path;

/// File systems on other computers, by the number the system gives them. Locks and shared memory do
/// not reliably hold there, so a database would be damaged.
const NETWORK: [(u32, &str); 11] = [
    (0x6969, "NFS"),
    (0xff53_4d42, "SMB"),
    (0xfe53_4d42, "SMB"),
    (0x517b, "SMB"),
    (0x5346_414f, "AFS"),
    (0x6b41_4653, "AFS"),
    (0x00c3_6400, "Ceph"),
    (0x0102_1997, "9P"),
    (0x7375_7245, "Coda"),
    (0x564c, "NCP"),
    (0x0bd0_0bd0, "Lustre"),
];
const FUSE: u32 = 0x6573_5546;
/// FUSE file systems that reach for another computer.
const NETWORK_FUSE: [&str; 14] = [
    "fuse.sshfs",
    "fuse.rclone",
    "fuse.s3fs",
    "fuse.goofys",
    "fuse.mount-s3",
    "fuse.gcsfuse",
    "fuse.blobfuse2",
    "fuse.gvfsd-fuse",
    "fuse.glusterfs",
    "fuse.curlftpfs",
    "fuse.davfs2",
    "fuse.juicefs",
    "fuse.onedriver",
    "fuse.google-drive-ocamlfuse",
];

/// The name of the network file system that `path` is on; none when it is on this computer.
///
/// # Errors
/// When the system does not say.
pub fn network_file_system(path: &Path) -> io::Result<Option<String>> {
    let magic = magic_of(path)?;
    let mounts = if magic == FUSE { std::fs::read("/proc/self/mountinfo")? } else { Vec::new() };
    Ok(classify(magic, &path.canonicalize()?, &mounts))
}

fn magic_of(path: &Path) -> io::Result<u32> {
    // The number is 32 bits wide everywhere; the field that carries it is sometimes wider, and
    // then it may have been sign-extended.
    let wide = rustix::fs::statfs(path)?.f_type;
    let [a, b, c, d, ..] = wide.to_le_bytes();
    Ok(u32::from_le_bytes([a, b, c, d]))
}

fn classify(magic: u32, path: &Path, mounts: &[u8]) -> Option<String> {
    if let Some((_magic, name)) = NETWORK.iter().find(|(known, _name)| *known == magic) {
        return Some((*name).to_owned());
    }
    if magic != FUSE {
        return None;
    }
    let kind = mount_kind(path, mounts)?;
    NETWORK_FUSE.contains(&kind.as_str()).then_some(kind)
}

/// The type of the mount that `path` is below, from the text of `mountinfo`.
fn mount_kind(path: &Path, mounts: &[u8]) -> Option<String> {
    let line = line_of(path, mounts)?;
    line.split_once(" - ")?.1.split(' ').next().map(str::to_owned)
}

/// The line of the mount that `path` is below, from the text of `mountinfo`.
pub(super) fn line_of(path: &Path, mounts: &[u8]) -> Option<String> {
    let mut best: Option<(usize, String)> = None;
    for line in String::from_utf8_lossy(mounts).lines() {
        let (mount, _rest) = line.split_once(" - ")?;
        let point = unescape(mount.split(' ').nth(4)?);
        let depth = point.len();
        // Later mounts cover earlier ones at the same place.
        if path.starts_with(&point) && best.as_ref().is_none_or(|(longest, _)| depth >= *longest) {
            best = Some((depth, line.to_owned()));
        }
    }
    best.map(|(_depth, line)| line)
}

/// The folder that a line of `mountinfo` is about.
pub(super) fn mount_point_of(line: &str) -> Option<String> {
    line.split(' ').nth(4).map(unescape)
}

/// Spaces and the like are written as three octal digits there.
pub(super) fn unescape(text: &str) -> String {
    [("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")]
        .iter()
        .fold(text.to_owned(), |text, (code, plain)| text.replace(code, plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOUNTS: &[u8] = b"22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw
40 22 0:50 / /home/a/my\\040server rw - fuse.sshfs a@b:/ rw
41 22 0:51 / /home/a/disk rw - fuseblk /dev/sdb1 rw
42 22 0:52 / /home/a/cloud rw - fuse.rclone r: rw
";

    #[test]
    fn network_file_systems_are_told_from_local_ones() {
        let kind = |magic, path: &str| classify(magic, Path::new(path), MOUNTS);
        assert_eq!(kind(0x6969, "/net"), Some("NFS".to_owned()));
        assert_eq!(kind(0xff53_4d42, "/net"), Some("SMB".to_owned()));
        assert_eq!(kind(0xef53, "/home/a"), None);
        assert_eq!(kind(FUSE, "/home/a/my server/x"), Some("fuse.sshfs".to_owned()));
        assert_eq!(kind(FUSE, "/home/a/cloud"), Some("fuse.rclone".to_owned()));
        assert_eq!(kind(FUSE, "/home/a/disk/photos"), None);
    }

    #[test]
    fn this_computers_own_disk_is_local() {
        let dir = tempfile::tempdir().expect("temp");
        assert_eq!(network_file_system(dir.path()).expect("statfs"), None);
    }
}
