//! What an asset's parts are, and when it was taken.

use super::time::{Day, UnixMillis};

/// The part a file plays in its asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ResourceKind {
    /// The picture itself.
    Photo,
    /// A clip of its own.
    Video,
    /// The moving half of a Live or motion photo.
    PairedVideo,
    /// The RAW beside a JPEG or HEIC of the same shot.
    AlternatePhoto,
    /// XMP or AAE: edits and metadata about the primary.
    Sidecar,
    /// An edited variant of the primary.
    AdjustedPhoto,
}

impl ResourceKind {
    /// All kinds, in the order the store and the interface name them.
    pub const ALL: [Self; 6] = [
        Self::Photo,
        Self::Video,
        Self::PairedVideo,
        Self::AlternatePhoto,
        Self::Sidecar,
        Self::AdjustedPhoto,
    ];

    /// The kind's stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Photo => "photo",
            Self::Video => "video",
            Self::PairedVideo => "paired_video",
            Self::AlternatePhoto => "alternate_photo",
            Self::Sidecar => "sidecar",
            Self::AdjustedPhoto => "adjusted_photo",
        }
    }

    /// The kind with this stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// Whether the file is kept beside its primary, and so is never merged with an equal file that
    /// belongs to another asset.
    pub fn is_companion(self) -> bool {
        match self {
            Self::PairedVideo | Self::Sidecar => true,
            Self::Photo | Self::Video | Self::AlternatePhoto | Self::AdjustedPhoto => false,
        }
    }
}

/// Where a capture date comes from, most trustworthy first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Provenance {
    /// Written by the camera: EXIF, XMP or QuickTime.
    Metadata,
    /// Read out of a name such as `IMG_20190512_101500`.
    FileName,
    /// The file's modification time, for want of better.
    ModifiedTime,
}

impl Provenance {
    /// All provenances.
    pub const ALL: [Self; 3] = [Self::Metadata, Self::FileName, Self::ModifiedTime];

    /// The provenance's stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Metadata => "metadata",
            Self::FileName => "file_name",
            Self::ModifiedTime => "modified_time",
        }
    }

    /// The provenance with this stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.as_str() == text)
    }
}

/// When an asset was captured, by the clock on the camera's wall.
///
/// A camera writes local time and often no offset, so the calendar day a person remembers is the
/// day as written: `wall_ms` is that local time read as if it were UTC. Sorting and foldering use
/// it; nothing is converted to the zone of this computer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CapturedAt {
    /// Local capture time as written, as if UTC.
    pub wall_ms: UnixMillis,
    /// The offset from UTC in minutes, where the file says.
    pub offset_minutes: Option<i16>,
    /// Where the date comes from.
    pub provenance: Provenance,
}

impl CapturedAt {
    /// The calendar day as written.
    pub fn day(self) -> Day {
        let time = jiff::Timestamp::from_millisecond(self.wall_ms.0).unwrap_or(jiff::Timestamp::UNIX_EPOCH);
        let date = time.to_zoned(jiff::tz::TimeZone::UTC).date();
        Day(i32::from(date.year()) * 10_000 + i32::from(date.month()) * 100 + i32::from(date.day()))
    }
}

/// Which facts this release reads: more with each number. What was read by an earlier one is not enough to
/// part files that belong together until now.
pub const FACTS_VERSION: u32 = 1;

/// What one look at a file's head tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What the bytes say the file is, or else what the name says.
    pub media_type: super::media_type::MediaType,
    /// The name claims another type than the bytes show.
    pub is_mismatch: bool,
    /// When it was captured.
    pub captured_at: CapturedAt,
    /// Width and height in pixels as stored, before orientation.
    pub dimensions: Option<(u32, u32)>,
    /// EXIF orientation, 1–8; 1 where unknown.
    pub orientation: u8,
    /// Camera make and model as people say them.
    pub camera: Option<String>,
    /// Apple's content identifier, which pairs the halves of a Live Photo.
    pub content_identifier: Option<String>,
    /// How long a clip runs, in milliseconds, where its header says.
    pub duration_ms: Option<u64>,
}
