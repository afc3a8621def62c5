//! What an asset's parts are, and when it was taken.

use super::stable_name::stable_names;
use super::time::{Day, UnixMillis};

/// The part a file plays in its asset.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
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

stable_names!(ResourceKind);

impl ResourceKind {
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
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum Provenance {
    /// Written by the camera: EXIF, XMP or QuickTime.
    Metadata,
    /// Read out of a name such as `IMG_20190512_101500`.
    FileName,
    /// The file's modification time, for want of better.
    ModifiedTime,
}

stable_names!(Provenance);

/// Where exactly a capture date comes from, most trustworthy first. [`Provenance`] is what the ledger
/// and manifests keep of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum DateSource {
    /// The file's own record of when the picture was taken or digitised.
    Metadata,
    /// Its sidecar's.
    Sidecar,
    /// Read out of a name such as `IMG_20190512_101500`.
    FileName,
    /// The file's own record of when it was last changed.
    ModifiedTag,
    /// The file's modification time, for want of better.
    ModifiedTime,
}

stable_names!(DateSource);

impl DateSource {
    /// What the ledger keeps of it.
    pub fn provenance(self) -> Provenance {
        match self {
            Self::Metadata | Self::Sidecar | Self::ModifiedTag => Provenance::Metadata,
            Self::FileName => Provenance::FileName,
            Self::ModifiedTime => Provenance::ModifiedTime,
        }
    }
}

/// Why a capture date is not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum DateDoubt {
    /// What a camera writes whose clock was never set.
    CameraDefault,
    /// It is later than this computer's clock.
    Future,
}

stable_names!(DateDoubt);

/// A capture date as it was found in one file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FoundDate {
    /// The date.
    pub captured_at: CapturedAt,
    /// Where it comes from.
    pub source: DateSource,
    /// Why it is not to be trusted, if it is not.
    pub doubt: Option<DateDoubt>,
}

impl FoundDate {
    /// The same date for the picture that the file is a sidecar of. `None` where the sidecar states no
    /// date itself: its name and its times are its own.
    pub fn of_sidecar(self) -> Option<Self> {
        let date = Self { source: DateSource::Sidecar, ..self };
        (self.source == DateSource::Metadata).then_some(date)
    }

    /// The better of two dates of one asset; this one where they are equally good. A date without doubt
    /// comes before one with, unless it only says when something was changed.
    pub fn or_better(self, other: Self) -> Self {
        if other.rank() < self.rank() { other } else { self }
    }

    fn rank(self) -> (u8, DateSource) {
        let group = match (self.source, self.doubt) {
            (DateSource::Metadata | DateSource::Sidecar | DateSource::FileName, None) => 0,
            (DateSource::Metadata | DateSource::Sidecar | DateSource::FileName, Some(_)) => 1,
            (DateSource::ModifiedTag | DateSource::ModifiedTime, _) => 2,
        };
        (group, self.source)
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
pub const FACTS_VERSION: u32 = 2;

/// What one look at a file's head tells of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// What the bytes say the file is, or else what the name says.
    pub media_type: super::media_type::MediaType,
    /// The name claims another type than the bytes show.
    pub is_mismatch: bool,
    /// When it was captured.
    pub date: FoundDate,
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

#[cfg(test)]
mod tests {
    use super::*;

    fn date(source: DateSource, doubt: Option<DateDoubt>) -> FoundDate {
        let at = CapturedAt { wall_ms: UnixMillis(1), offset_minutes: None, provenance: source.provenance() };
        FoundDate { captured_at: at, source, doubt }
    }

    #[test]
    fn dates_are_in_one_order() {
        let doubt = Some(DateDoubt::CameraDefault);
        let order = [
            date(DateSource::Metadata, None),
            date(DateSource::Sidecar, None),
            date(DateSource::FileName, None),
            date(DateSource::Metadata, doubt),
            date(DateSource::Sidecar, doubt),
            date(DateSource::FileName, doubt),
            date(DateSource::ModifiedTag, None),
            date(DateSource::ModifiedTime, doubt),
        ];
        for (at, better) in order.iter().enumerate() {
            for worse in &order[at..] {
                assert_eq!(better.or_better(*worse), *better);
                assert_eq!(worse.or_better(*better), *better);
            }
        }
    }

    #[test]
    fn a_sidecar_lends_only_what_it_states() {
        let lent = date(DateSource::Metadata, None).of_sidecar().map(|date| date.source);
        assert_eq!(lent, Some(DateSource::Sidecar));
        for own in [DateSource::FileName, DateSource::ModifiedTag, DateSource::ModifiedTime] {
            assert_eq!(date(own, None).of_sidecar(), None);
        }
    }

    #[test]
    fn names_are_stable() {
        for source in DateSource::ALL {
            assert_eq!(DateSource::parse(source.as_str()), Some(source));
        }
        for doubt in DateDoubt::ALL {
            assert_eq!(DateDoubt::parse(doubt.as_str()), Some(doubt));
        }
        assert_eq!(DateSource::parse("guess"), None);
    }
}
