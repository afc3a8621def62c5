//! The one table of file system types: where each keeps its bytes, and what may be kept on it.

/// What stands between a read on this computer and the place where a file system keeps its bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Medium {
    /// A disk behind this computer's page cache.
    Disk,
    /// Files live in memory, so nothing lies below the cache.
    Memory,
    /// Another computer behind this one's page cache.
    Network,
    /// A disk behind a program that reads it through the disk's own page cache, which is emptied only by
    /// detaching the disk: ntfs-3g, exfat-fuse and similar programs.
    DiskBehindProgram,
    /// A cache that this computer cannot bypass.
    OpaqueCache,
    /// A program that keeps what it has fetched or has yet to send on this computer's disk, where a restart
    /// does not empty it.
    DiskCache,
}

/// One type of file system.
struct FileSystemKind {
    /// The type as the mount table spells it.
    name: &'static str,
    /// The numbers by which statfs(2) knows it, where they are its alone.
    magics: &'static [u32],
    medium: Medium,
    /// How people call it, if its files are on another computer. Locks and shared memory do not reliably
    /// hold there, so a database would be damaged.
    network_name: Option<&'static str>,
    /// It holds no files of a person.
    is_virtual: bool,
    /// The largest file that it takes, in bytes, where it has a limit worth knowing.
    file_bytes_max: Option<u64>,
}

/// The number of all FUSE file systems (`FUSE_SUPER_MAGIC`).
pub const FUSE_MAGIC: u32 = 0x6573_5546;
/// The largest file that FAT takes, in bytes.
const FAT_FILE_BYTES_MAX: u64 = u32::MAX as u64;

const fn kind(name: &'static str, medium: Medium) -> FileSystemKind {
    FileSystemKind { name, magics: &[], medium, network_name: None, is_virtual: false, file_bytes_max: None }
}

const fn network(name: &'static str, magics: &'static [u32], called: &'static str) -> FileSystemKind {
    FileSystemKind { magics, network_name: Some(called), ..kind(name, Medium::Network) }
}

/// A FUSE file system that reaches for another computer.
const fn network_program(name: &'static str, medium: Medium) -> FileSystemKind {
    FileSystemKind { network_name: Some(name), ..kind(name, medium) }
}

const fn virtual_kind(name: &'static str, medium: Medium) -> FileSystemKind {
    FileSystemKind { is_virtual: true, ..kind(name, medium) }
}

const fn fat(name: &'static str) -> FileSystemKind {
    FileSystemKind { file_bytes_max: Some(FAT_FILE_BYTES_MAX), ..kind(name, Medium::Disk) }
}

/// Types that are not plain disks. Any other name is [`Medium::OpaqueCache`] if it begins with `fuse.`, and
/// [`Medium::Disk`] if not.
const KINDS: &[FileSystemKind] = &[
    network("nfs", &[0x6969], "NFS"),
    network("nfs4", &[0x6969], "NFS"),
    network("cifs", &[0xff53_4d42], "SMB"),
    network("smb3", &[0xfe53_4d42], "SMB"),
    network("smbfs", &[0x517b], "SMB"),
    network("afs", &[0x5346_414f, 0x6b41_4653], "AFS"),
    network("ceph", &[0x00c3_6400], "Ceph"),
    network("9p", &[0x0102_1997], "9P"),
    network("coda", &[0x7375_7245], "Coda"),
    network("ncpfs", &[0x564c], "NCP"),
    network("lustre", &[0x0bd0_0bd0], "Lustre"),
    // The computer that a virtual machine runs on; locks hold there.
    kind("virtiofs", Medium::Network),
    network_program("fuse.sshfs", Medium::Network),
    network_program("fuse.rclone", Medium::DiskCache),
    network_program("fuse.s3fs", Medium::DiskCache),
    network_program("fuse.goofys", Medium::DiskCache),
    network_program("fuse.mount-s3", Medium::DiskCache),
    network_program("fuse.gcsfuse", Medium::DiskCache),
    network_program("fuse.blobfuse2", Medium::DiskCache),
    network_program("fuse.davfs2", Medium::DiskCache),
    network_program("fuse.davfs", Medium::DiskCache),
    network_program("fuse.juicefs", Medium::DiskCache),
    network_program("fuse.onedriver", Medium::DiskCache),
    network_program("fuse.google-drive-ocamlfuse", Medium::DiskCache),
    network_program("fuse.dropbox", Medium::DiskCache),
    network_program("fuse.gvfsd-fuse", Medium::OpaqueCache),
    network_program("fuse.glusterfs", Medium::OpaqueCache),
    network_program("fuse.curlftpfs", Medium::OpaqueCache),
    // The kernel's name for a FUSE file system on a block device.
    kind("fuseblk", Medium::DiskBehindProgram),
    // ZFS keeps a cache of its own; a program behind FUSE may.
    kind("zfs", Medium::OpaqueCache),
    kind("fuse", Medium::OpaqueCache),
    kind(UNKNOWN, Medium::OpaqueCache),
    fat("vfat"),
    fat("msdos"),
    virtual_kind("tmpfs", Medium::Memory),
    kind("ramfs", Medium::Memory),
    virtual_kind("devtmpfs", Medium::Memory),
    virtual_kind("proc", Medium::Memory),
    virtual_kind("sysfs", Medium::Memory),
    virtual_kind("overlay", Medium::Disk),
    virtual_kind("squashfs", Medium::Disk),
    virtual_kind("autofs", Medium::Disk),
    virtual_kind("fuse.portal", Medium::OpaqueCache),
];

/// The type of a file system that the mount table does not list.
pub const UNKNOWN: &str = "unknown";

fn find(name: &str) -> Option<&'static FileSystemKind> {
    KINDS.iter().find(|kind| kind.name == name)
}

/// What stands before the bytes of a file system of the type `name`.
pub fn medium(name: &str) -> Medium {
    let of_others = if name.starts_with("fuse.") { Medium::OpaqueCache } else { Medium::Disk };
    find(name).map_or(of_others, |kind| kind.medium)
}

/// How people call the type `name`; `None` if its files are on this computer.
pub fn network_name(name: &str) -> Option<&'static str> {
    find(name)?.network_name
}

/// How people call the type that statfs(2) numbers `magic`; `None` if its files are on this computer, or if
/// the number does not tell, as [`FUSE_MAGIC`].
pub fn network_name_of_magic(magic: u32) -> Option<&'static str> {
    KINDS.iter().find(|kind| kind.magics.contains(&magic))?.network_name
}

/// Whether file systems of the type `name` hold no files of a person.
pub fn is_virtual(name: &str) -> bool {
    find(name).is_some_and(|kind| kind.is_virtual)
}

/// The largest file that a file system of the type `name` takes, in bytes, where it has a limit worth
/// knowing.
pub fn file_bytes_max(name: &str) -> Option<u64> {
    find(name)?.file_bytes_max
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_caches_by_itself_is_not_taken_for_a_disk() {
        for (kind, expected) in [
            ("ext4", Medium::Disk),
            ("exfat", Medium::Disk),
            ("tmpfs", Medium::Memory),
            ("nfs4", Medium::Network),
            ("fuse.sshfs", Medium::Network),
            ("fuse.rclone", Medium::DiskCache),
            ("fuse.mergerfs", Medium::OpaqueCache),
            ("fuse", Medium::OpaqueCache),
            ("fuseblk", Medium::DiskBehindProgram),
            ("zfs", Medium::OpaqueCache),
            (UNKNOWN, Medium::OpaqueCache),
        ] {
            assert_eq!(medium(kind), expected, "{kind}");
        }
    }

    #[test]
    fn each_type_stands_in_the_table_once() {
        let names: std::collections::BTreeSet<_> = KINDS.iter().map(|kind| kind.name).collect();
        assert_eq!(names.len(), KINDS.len());
        assert!(KINDS.iter().all(|kind| !kind.magics.contains(&FUSE_MAGIC)));
    }
}
