//! What becomes of a file that a scan finds.

use super::stable_name::stable_names;

/// How far a present file has come on its way to being known.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum FileStatus {
    /// Listed; nothing of it has been read.
    Found,
    /// Still being written: its size or time changed a moment ago.
    Settling,
    /// Its type, date and asset are known; its bytes are not hashed yet.
    Described,
    /// Its content is known: it can be backed up.
    Ready,
    /// It cannot be backed up as it is, with a [`Problem`].
    Problem,
    /// It is left out, with an [`ExcludeReason`].
    Excluded,
}

stable_names!(FileStatus);

/// Why a file that belongs cannot be read into a content.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Problem {
    /// Zero bytes: a copy of it would prove nothing.
    Empty,
    /// Permission denied, or the disk cannot read it.
    Unreadable,
    /// A cloud placeholder whose bytes are not on this computer.
    Placeholder,
}

stable_names!(Problem);

/// Why a file is left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum ExcludeReason {
    /// Its name, or a folder above it in the source, starts with a dot.
    Hidden,
    /// Something an operating system leaves behind: `Thumbs.db`, `desktop.ini`.
    Debris,
    /// Neither photo, video nor companion, by content and by name.
    NotMedia,
    /// A sidecar whose picture is nowhere near it.
    LoneSidecar,
    /// Not a regular file: a symbolic link, socket or device.
    NotRegular,
    /// The person said so.
    ByPerson,
}

stable_names!(ExcludeReason);

impl ExcludeReason {
    /// The reason in the words of the queue view.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Hidden => "Hidden file",
            Self::Debris => "Left by the operating system",
            Self::NotMedia => "Not a photo or video",
            Self::LoneSidecar => "A sidecar without its photo",
            Self::NotRegular => "A link or device, not a file",
            Self::ByPerson => "You left it out",
        }
    }
}

/// The identity a file must keep for its digest to be believed without reading it again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct FileStamp {
    /// Length in bytes.
    pub size: u64,
    /// Modification time in nanoseconds since the epoch.
    pub mtime_ns: i64,
    /// Inode change time in nanoseconds since the epoch; 0 where the system has none.
    pub ctime_ns: i64,
}
