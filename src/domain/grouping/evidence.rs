//! Whether two files of one name are of one moment.
//!
//! Cameras count to 9 999 and begin again, and folders are merged: a name alone proves nothing. A date
//! that a camera or a name states is evidence both ways. The time a file was last changed can only
//! confirm: copying, unpacking and downloading change it.

use super::Member;
use crate::domain::asset::{CapturedAt, Provenance};

/// The longest moving half of a Live Photo, in milliseconds. Apple's and Android's run for about 3 s,
/// Nikon's Motion Snapshots for 4 s; none is known to run for longer than 5. A clip that somebody films
/// is rarely this short.
pub(super) const LIVE_MS_MAX: u64 = 5_000;
/// How far apart the times of two files of one shot may be. Seconds are cut off; a moving half begins
/// before its still, and its time may be that of its end or of its writing.
const SLACK_MS: u64 = 10_000;
/// Clocks of one moment differ by quarters of an hour, where one is in UTC and the other is local.
const ZONE_STEP_MS: u64 = 15 * 60 * 1_000;
/// No place on earth is further from UTC.
const ZONE_MS_MAX: u64 = 14 * 3_600 * 1_000;
const DAY_MS: i64 = 24 * 3_600 * 1_000;

/// What two dates say of each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Times {
    /// They are of one moment, as far as cameras tell.
    Agree,
    /// They are not.
    Differ,
    /// Too little is known.
    Unknown,
}

/// Whether two files were captured at one moment.
pub(super) fn compare(a: &Member<'_>, b: &Member<'_>) -> Times {
    let changed = |member: &Member<'_>| CapturedAt {
        wall_ms: member.changed_at,
        offset_minutes: Some(0),
        provenance: Provenance::ModifiedTime,
    };
    match (a.stated, b.stated) {
        (Some(a), Some(b)) if is_one_moment(a, b) => Times::Agree,
        (Some(_), Some(_)) => Times::Differ,
        (Some(stated), None) if is_one_moment(stated, changed(b)) => Times::Agree,
        (None, Some(stated)) if is_one_moment(changed(a), stated) => Times::Agree,
        // Equal times of change say that one command wrote both.
        _ => Times::Unknown,
    }
}

fn is_one_moment(a: CapturedAt, b: CapturedAt) -> bool {
    let walls = a.wall_ms.0.abs_diff(b.wall_ms.0);
    if is_day(a) || is_day(b) {
        return is_in_day(a, b) || is_in_day(b, a);
    }
    if walls <= SLACK_MS {
        return true;
    }
    if let (Some(a_offset), Some(b_offset)) = (a.offset_minutes, b.offset_minutes) {
        let utc = |at: CapturedAt, offset: i16| at.wall_ms.0.saturating_sub(i64::from(offset) * 60_000);
        return utc(a, a_offset).abs_diff(utc(b, b_offset)) <= SLACK_MS;
    }
    let beyond = walls % ZONE_STEP_MS;
    walls <= ZONE_MS_MAX + SLACK_MS && beyond.min(ZONE_STEP_MS - beyond) <= SLACK_MS
}

/// Whether a date is that of a day, as far as it shows.
fn is_day(date: CapturedAt) -> bool {
    date.wall_ms.0.rem_euclid(DAY_MS) == 0
}

/// Whether a time is within the day that begins with `day`, wherever on earth that day was.
fn is_in_day(day: CapturedAt, time: CapturedAt) -> bool {
    let after = time.wall_ms.0.saturating_sub(day.wall_ms.0);
    let zone = ZONE_MS_MAX.cast_signed();
    is_day(day) && (-zone..DAY_MS + zone).contains(&after)
}

/// How well a clip fits a still as the moving half of a Live Photo, best first; `None` where it does not.
///
/// Apple's identifiers decide where both files have one. Without, the clip must be short and the times
/// must agree; where too little is known, the two stay apart: each is kept, shown and sent by itself.
pub(super) fn fit_of_clip(still: &Member<'_>, clip: &Member<'_>) -> Option<u8> {
    if let (Some(a), Some(b)) = (still.content_identifier, clip.content_identifier) {
        return (a == b).then_some(0);
    }
    if is_bound(still, clip) {
        return Some(1);
    }
    let is_short = clip.duration_ms.is_some_and(|duration| duration <= LIVE_MS_MAX);
    (is_short && compare(still, clip) == Times::Agree).then_some(2)
}

/// How well a RAW fits a picture as another form of the same shot, best first; `None` where it does not.
///
/// A camera writes both under one name at one time, and editors leave the time of capture alone. The
/// name is believed until the times differ.
pub(super) fn fit_of_shot(still: &Member<'_>, other: &Member<'_>) -> Option<u8> {
    match compare(still, other) {
        Times::Agree => Some(0),
        _ if is_bound(still, other) => Some(1),
        Times::Unknown => Some(2),
        Times::Differ => None,
    }
}

/// Whether two files are together already, and an earlier release read one of them, which knew less: that
/// is no evidence to part them by.
fn is_bound(a: &Member<'_>, b: &Member<'_>) -> bool {
    a.asset.is_some() && a.asset == b.asset && (a.is_outdated || b.is_outdated)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::FileId;
    use crate::domain::media_type::MediaType;
    use crate::domain::time::UnixMillis;

    const HOUR: i64 = 3_600_000;

    fn at(wall_ms: i64, offset_minutes: Option<i16>, provenance: Provenance) -> Member<'static> {
        let stated = CapturedAt { wall_ms: UnixMillis(wall_ms), offset_minutes, provenance };
        Member { stated: Some(stated), ..changed(0) }
    }

    fn changed(ms: i64) -> Member<'static> {
        Member {
            id: FileId(1),
            name: b"a",
            media_type: MediaType::Jpeg,
            content_identifier: None,
            stated: None,
            changed_at: UnixMillis(ms),
            duration_ms: None,
            asset: None,
            is_outdated: false,
        }
    }

    /// 2019-05-12T10:15:30 on the wall.
    const T: i64 = 1_557_656_130_000;

    fn check(a: Member<'_>, b: Member<'_>, expected: Times) {
        assert_eq!(compare(&a, &b), expected, "{a:?} {b:?}");
        assert_eq!(compare(&b, &a), expected, "{b:?} {a:?}");
    }

    #[test]
    fn zones_are_quarters_of_an_hour() {
        let local = |ms| at(ms, None, Provenance::Metadata);
        let utc = |ms| at(ms, Some(0), Provenance::Metadata);
        for minutes in [0, 60, -60, 330, 345, -210, 765, 840, -840] {
            check(local(T), utc(T - minutes * 60_000), Times::Agree);
            check(local(T), utc(T - minutes * 60_000 + 9_000), Times::Agree);
            check(local(T), utc(T - minutes * 60_000 - 9_000), Times::Agree);
            check(local(T), utc(T - minutes * 60_000 + 11_000), Times::Differ);
            check(local(T), utc(T - minutes * 60_000 - 5 * 60_000), Times::Differ);
        }
        check(local(T), utc(T + 15 * HOUR), Times::Differ);
        check(local(T), utc(T + 24 * HOUR), Times::Differ);
        check(local(T), utc(T + 8 * 365 * 24 * HOUR), Times::Differ);
    }

    #[test]
    fn known_offsets_leave_no_choice() {
        let zoned = |ms, offset| at(ms, Some(offset), Provenance::Metadata);
        check(zoned(T, 120), zoned(T - 2 * HOUR, 0), Times::Agree);
        check(zoned(T, 120), zoned(T - HOUR, 60), Times::Agree);
        // A camera that writes its local time where UTC belongs.
        check(zoned(T, 120), zoned(T + 2_000, 0), Times::Agree);
        check(zoned(T, 120), zoned(T - HOUR, 0), Times::Differ);
    }

    #[test]
    fn times_of_change_confirm_and_never_deny() {
        let stated = at(T, None, Provenance::Metadata);
        let named = at(T, None, Provenance::FileName);
        check(stated, changed(T - 2 * HOUR), Times::Agree);
        check(named, changed(T + 1_000), Times::Agree);
        check(stated, changed(T + 5 * 365 * 24 * HOUR), Times::Unknown);
        check(changed(T), changed(T), Times::Unknown);
        check(stated, named, Times::Agree);
    }

    #[test]
    fn a_day_fits_all_of_its_times() {
        let midnight = T - T.rem_euclid(DAY_MS);
        let day = at(midnight, None, Provenance::FileName);
        check(day, at(T, None, Provenance::Metadata), Times::Agree);
        check(day, at(midnight - 3 * HOUR, Some(0), Provenance::Metadata), Times::Agree);
        check(day, at(T + 2 * DAY_MS, Some(0), Provenance::Metadata), Times::Differ);
        check(day, day, Times::Agree);
    }

    #[test]
    fn clips_of_all_lengths() {
        let still = at(T, None, Provenance::Metadata);
        let clip = |duration_ms| Member { duration_ms, ..at(T - 2 * HOUR, Some(0), Provenance::Metadata) };
        for (duration, expected) in [
            (Some(900), Some(2)),
            (Some(3_000), Some(2)),
            (Some(5_000), Some(2)),
            (Some(5_001), None),
            (Some(600_000), None),
            (None, None),
        ] {
            assert_eq!(fit_of_clip(&still, &clip(duration)), expected, "{duration:?}");
        }
    }

    #[test]
    fn what_an_earlier_release_paired_stays_until_it_is_read_again() {
        let asset = |id| Some(crate::domain::ids::AssetId(id));
        let still = Member { asset: asset(7), ..at(T, None, Provenance::Metadata) };
        let clip =
            Member { asset: asset(7), is_outdated: true, ..at(T + 3 * DAY_MS, None, Provenance::Metadata) };
        assert_eq!(fit_of_clip(&still, &clip), Some(1));
        assert_eq!(fit_of_shot(&still, &clip), Some(1));
        assert_eq!(
            fit_of_clip(&Member { is_outdated: true, ..still }, &Member { is_outdated: false, ..clip }),
            Some(1)
        );
        for apart in [
            Member { is_outdated: false, ..clip },
            Member { asset: asset(8), ..clip },
            Member { asset: None, ..clip },
        ] {
            assert_eq!((fit_of_clip(&still, &apart), fit_of_shot(&still, &apart)), (None, None), "{apart:?}");
        }
    }

    #[test]
    fn shots_are_believed_until_their_times_differ() {
        let still = at(T, None, Provenance::Metadata);
        assert_eq!(fit_of_shot(&still, &at(T + 1_000, None, Provenance::Metadata)), Some(0));
        assert_eq!(fit_of_shot(&still, &changed(T + 9 * 365 * DAY_MS)), Some(2));
        assert_eq!(fit_of_shot(&changed(T), &changed(5)), Some(2));
        assert_eq!(fit_of_shot(&still, &at(T + 60_000, None, Provenance::Metadata)), None);
        assert_eq!(fit_of_shot(&still, &at(T + 4 * 365 * DAY_MS, None, Provenance::Metadata)), None);
    }

    #[test]
    fn identifiers_decide_whatever_the_times() {
        let still = Member { content_identifier: Some("A"), ..at(T, None, Provenance::Metadata) };
        let clip = Member {
            content_identifier: Some("A"),
            duration_ms: Some(600_000),
            ..at(T + 9 * 365 * DAY_MS, Some(0), Provenance::Metadata)
        };
        assert_eq!(fit_of_clip(&still, &clip), Some(0));
        let fitting = Member { duration_ms: Some(2_000), ..still };
        assert_eq!(fit_of_clip(&still, &Member { content_identifier: Some("B"), ..fitting }), None);
        assert_eq!(fit_of_clip(&still, &Member { content_identifier: None, ..fitting }), Some(2));
    }
}
