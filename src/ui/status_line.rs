//! The one true sentence beside the toggle, and why nothing is happening.
//!
//! Pure functions of the snapshot: what is shown is what is known, and nothing is hidden by a
//! better-sounding half.

use crate::api::{BackupSwitch, DestinationState, Snapshot, SourceCondition, WaitText};
use crate::client::Connection;
use crate::domain::time::UnixMillis;

use super::counts::Counts;
use crate::domain::format;

/// How good the news is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StatusTone {
    /// Everything is safe.
    Safe,
    /// Work is being done.
    Working,
    /// Waiting, or nothing to do.
    Resting,
    /// Off or paused by the person.
    Stopped,
    /// The person is needed.
    Attention,
}

/// The sentence and its mood.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct StatusLine {
    /// Without a full stop.
    pub text: String,
    /// The mark beside it.
    pub mood: StatusTone,
}

fn say(mood: StatusTone, text: impl Into<String>) -> StatusLine {
    StatusLine { text: text.into(), mood }
}

/// The sentence beside the toggle.
pub(super) fn of(snapshot: &Snapshot, connection: &Connection, now: UnixMillis) -> StatusLine {
    match connection {
        Connection::Connecting => return say(StatusTone::Resting, "Starting"),
        Connection::Lost(_) => return say(StatusTone::Attention, "Not connected to the backup service"),
        Connection::Connected => {}
    }
    if snapshot.sources.is_empty() {
        return say(StatusTone::Resting, "Choose the folders that hold your photos");
    }
    if snapshot.destinations.is_empty() {
        return say(
            StatusTone::Resting,
            format!("{} found, no destination yet", format::files(snapshot.library.found)),
        );
    }
    match snapshot.backup {
        BackupSwitch::Off => off(snapshot),
        BackupSwitch::Paused => paused(snapshot, now),
        BackupSwitch::On => on(snapshot, now),
    }
}

fn off(snapshot: &Snapshot) -> StatusLine {
    let counts = Counts::of(snapshot);
    let left = counts.left();
    if left.is_zero() {
        return say(StatusTone::Stopped, "Backup is off. New photos are not backed up");
    }
    let verb = if left.is_one() { "is" } else { "are" };
    let what = match counts.destinations {
        0 | 1 => format!("{} {verb} not backed up", left.short()),
        // Each may well be safe at one of them.
        _ => format!("{} {verb} not yet in every destination", left.short()),
    };
    say(StatusTone::Stopped, format!("Backup is off. {what}"))
}

fn paused(snapshot: &Snapshot, now: UnixMillis) -> StatusLine {
    let left = Counts::of(snapshot).left();
    let mut text = "Paused".to_owned();
    let until = snapshot.wait_reason.as_ref().and_then(|w| w.until.as_deref()).and_then(format::parse_time);
    if let Some(until) = until {
        text += &format!(", resumes {}", format::until(until, now));
    }
    if !left.is_zero() {
        text += &format!(", {} left", left.short());
    }
    say(StatusTone::Stopped, text)
}

fn on(snapshot: &Snapshot, now: UnixMillis) -> StatusLine {
    if !snapshot.destinations.iter().any(|d| d.enabled) {
        return say(StatusTone::Resting, "All destinations are switched off");
    }
    let counts = Counts::of(snapshot);
    if counts.destinations == 0 {
        return say(StatusTone::Attention, "No folder is set to be backed up. See Destinations");
    }
    if let Some(attention) = counts.attention_text() {
        return say(StatusTone::Attention, attention + &beside_attention(snapshot, &counts));
    }
    let left = counts.left();
    if let Some(wait) = waiting(snapshot)
        && !is_moving(snapshot)
        && !left.is_zero()
    {
        let text = if waits_for_several(snapshot) {
            "Waiting: no destination can be used now".to_owned()
        } else {
            with_end(wait, now)
        };
        return say(StatusTone::Resting, text);
    }
    if !left.is_zero() {
        return say(StatusTone::Working, format!("Backing up, {} left", left.short()));
    }
    if is_scanning(snapshot) {
        return say(
            StatusTone::Working,
            format!("Looking for photos, {} found", format::files(snapshot.library.found)),
        );
    }
    let indexing = snapshot.indexing.to_describe + snapshot.indexing.to_hash;
    if indexing > 0 {
        return say(StatusTone::Working, format!("Reading {} for the first time", format::files(indexing)));
    }
    safe(snapshot, &counts, now)
}

/// What is said of the others beside those that need attention.
fn beside_attention(snapshot: &Snapshot, counts: &Counts) -> String {
    let left = counts.left();
    if !left.is_zero() {
        return match waiting(snapshot).filter(|_| !is_moving(snapshot)) {
            Some(_) => format!(", {} waiting", left.short()),
            None => format!(", {} left to back up", left.short()),
        };
    }
    counts.safe_text().map(|text| format!(", {text}")).unwrap_or_default()
}

/// The reason that holds for everything, or for every enabled destination that has work.
fn waiting(snapshot: &Snapshot) -> Option<&WaitText> {
    if let Some(wait) = &snapshot.wait_reason {
        return Some(wait);
    }
    let mut busy =
        snapshot.destinations.iter().filter(|d| d.enabled && d.waiting + d.uploading > 0).peekable();
    let first = busy.peek()?.wait_reason.as_ref()?;
    busy.all(|d| d.wait_reason.is_some()).then_some(first)
}

/// Whether destinations that have work wait for different reasons.
fn waits_for_several(snapshot: &Snapshot) -> bool {
    let busy = snapshot.destinations.iter().filter(|d| d.enabled && d.waiting + d.uploading > 0);
    let mut reasons = busy.filter_map(|d| d.wait_reason.as_ref()).map(|wait| &wait.summary);
    let first = reasons.next();
    snapshot.wait_reason.is_none() && reasons.any(|reason| Some(reason) != first)
}

/// Whether anything is being copied to a destination that takes it.
pub(super) fn is_moving(snapshot: &Snapshot) -> bool {
    let is_silent = |d: &DestinationState| d.wait_reason.as_ref().is_some_and(|wait| wait.kind == "silent");
    let silent = |id: i64| snapshot.destinations.iter().any(|d| d.id == id && is_silent(d));
    snapshot.uploading.iter().any(|transfer| !silent(transfer.destination))
        || snapshot.destinations.iter().any(|d| d.enabled && d.uploading > 0 && !is_silent(d))
}

/// A reason to wait, with when it ends.
pub(super) fn with_end(wait: &WaitText, now: UnixMillis) -> String {
    match wait.until.as_deref().and_then(format::parse_time) {
        Some(until) if wait.kind == "schedule" => {
            format!("{}, resumes {}", wait.summary, format::until(until, now))
        }
        Some(until) => format!("{}, next try {}", wait.summary, format::until(until, now)),
        None => wait.summary.clone(),
    }
}

fn is_scanning(snapshot: &Snapshot) -> bool {
    snapshot.sources.iter().any(|s| s.state == SourceCondition::Scanning)
}

fn safe(snapshot: &Snapshot, counts: &Counts, now: UnixMillis) -> StatusLine {
    let Some(mut text) = counts.safe_text() else {
        return say(StatusTone::Resting, "No photos or videos found yet");
    };
    let enabled = snapshot.destinations.iter().filter(|d| d.enabled);
    let oldest = enabled.filter_map(|d| format::parse_time(d.oldest_proof_at.as_deref()?)).min();
    if let (Some(oldest), false) = (oldest, counts.safe().is_zero()) {
        text += &format!(", oldest verification {}", format::age(oldest, now));
    }
    let unproven = counts.unproven();
    if !unproven.is_zero() {
        text += &format!(", {} not verified", unproven.short());
    }
    say(if counts.is_all_safe() { StatusTone::Safe } else { StatusTone::Resting }, text)
}

/// Why nothing is being copied now; nothing while something is.
pub(super) fn why_idle(snapshot: &Snapshot, connection: &Connection, now: UnixMillis) -> Option<String> {
    let counts = Counts::of(snapshot);
    if is_moving(snapshot) {
        return None;
    }
    if let Connection::Lost(why) = connection {
        return Some(why.clone());
    }
    if snapshot.backup == BackupSwitch::On
        && counts.left().is_zero()
        && !counts.needs_attention().is_zero()
        && waiting(snapshot).is_none()
    {
        return Some("Everything else is backed up".to_owned());
    }
    Some(of(snapshot, connection, now).text)
}

/// When the sentence changes by itself, where it names an age or a time.
pub(super) fn next_change(snapshot: &Snapshot, now: UnixMillis) -> Option<std::time::Duration> {
    let proofs = snapshot.destinations.iter().filter_map(|d| d.oldest_proof_at.as_deref());
    let waits = snapshot
        .destinations
        .iter()
        .filter_map(|d| d.wait_reason.as_ref())
        .chain(&snapshot.wait_reason)
        .filter_map(|w| w.until.as_deref());
    proofs.chain(waits).filter_map(format::parse_time).map(|then| format::next_change(then, now)).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{FileCounts, Indexing, LibraryCounts, PathText, SourceState};
    use crate::domain::wait::WaitReason;

    const NOW: UnixMillis = UnixMillis(1_795_359_600_000);
    const DAY_MS: i64 = 86_400_000;

    fn source(state: SourceCondition) -> SourceState {
        SourceState {
            id: 1,
            path: PathText::from_bytes(b"/p"),
            state,
            found: 18_204,
            scanned: 0,
            note: None,
            unreadable_folders: 0,
            unreadable: Vec::new(),
        }
    }

    fn place(id: i64, waiting: u64) -> DestinationState {
        DestinationState {
            id,
            enabled: true,
            sources: vec![1],
            found: 18_204,
            safe: 18_204 - waiting,
            waiting,
            oldest_proof_at: Some(UnixMillis(NOW.0 - 3 * DAY_MS).rfc3339()),
            ..DestinationState::default()
        }
    }

    fn snapshot(destinations: Vec<DestinationState>) -> Snapshot {
        let left = destinations.iter().map(|d| d.waiting).max().unwrap_or(0);
        let attention = destinations.iter().map(|d| d.needs_attention).max().unwrap_or(0);
        let files = FileCounts {
            found: 18_204,
            safe: 18_204 - left - attention,
            left,
            needs_attention: attention,
            ..FileCounts::default()
        };
        let library =
            LibraryCounts { found: 18_204, assets: 18_000, files: Some(files), ..LibraryCounts::default() };
        Snapshot {
            backup: BackupSwitch::On,
            library,
            sources: vec![source(SourceCondition::Watching)],
            destinations,
            ..Snapshot::default()
        }
    }

    fn wait(reason: &WaitReason) -> Option<WaitText> {
        Some(WaitText::from(reason))
    }

    fn text(snapshot: &Snapshot) -> String {
        of(snapshot, &Connection::Connected, NOW).text.replace('\u{a0}', " ")
    }

    #[test]
    fn before_anything_is_chosen() {
        assert_eq!(text(&Snapshot::default()), "Choose the folders that hold your photos");
        assert_eq!(text(&snapshot(vec![])), "18 204 files found, no destination yet");
        let lost = of(&snapshot(vec![]), &Connection::Lost("gone".into()), NOW);
        assert_eq!(lost.mood, StatusTone::Attention);
        assert_eq!(of(&snapshot(vec![]), &Connection::Connecting, NOW).text, "Starting");
    }

    #[test]
    fn off_and_paused_say_what_is_not_done() {
        let mut s = snapshot(vec![place(1, 4_210)]);
        s.backup = BackupSwitch::Off;
        assert_eq!(text(&s), "Backup is off. 4 210 files are not backed up");
        s.destinations = vec![place(1, 1)];
        assert_eq!(text(&s), "Backup is off. 1 file is not backed up");
        s.destinations = vec![place(1, 0)];
        s.library.safe_somewhere = 18_204;
        assert_eq!(text(&s), "Backup is off. New photos are not backed up");
        s.backup = BackupSwitch::Paused;
        s.destinations = vec![place(1, 7)];
        assert_eq!(text(&s), "Paused, 7 files left");
        s.wait_reason = wait(&WaitReason::Paused { until: Some(UnixMillis(NOW.0 + 3_600_000)) });
        assert_eq!(text(&s), "Paused, resumes in 1 hour, 7 files left");
    }

    #[test]
    fn working_and_waiting() {
        let mut s = snapshot(vec![place(1, 4_210)]);
        assert_eq!(text(&s), "Backing up, 4 210 files left");
        s.wait_reason = wait(&WaitReason::Battery);
        assert_eq!(text(&s), "Waiting: on battery");
        s.wait_reason = wait(&WaitReason::Schedule { until: UnixMillis(NOW.0 + 3 * 3_600_000) });
        assert_eq!(text(&s), "Waiting for the hours you chose, resumes in 3 hours");
        s.wait_reason = None;
        s.destinations[0].wait_reason = wait(&WaitReason::Unreachable { until: UnixMillis(NOW.0 + 240_000) });
        assert_eq!(text(&s), "Waiting: the destination cannot be reached, next try in 4 minutes");
        let mut two = snapshot(vec![s.destinations[0].clone(), place(2, 5)]);
        two.destinations[1].wait_reason = wait(&WaitReason::NoSpace { until: UnixMillis(NOW.0 + 240_000) });
        assert_eq!(text(&two), "Waiting: no destination can be used now", "each for its own reason");
        two.destinations[1].wait_reason = None;
        assert_eq!(text(&two), "Backing up, 4 210 files left", "the other destination continues");
        two.library.files = None;
        assert_eq!(text(&two), "Backing up, 4 215 copies left");
        two.backup = BackupSwitch::Off;
        assert_eq!(text(&two), "Backup is off. 4 215 copies are not yet in every destination");
        (s.destinations[0].uploading, s.destinations[0].wait_reason) = (8, wait(&WaitReason::Silent));
        assert_eq!(text(&s), "Waiting: the destination has not responded for a while");
        assert!(why_idle(&s, &Connection::Connected, NOW).is_some());
        s.destinations[0].wait_reason = None;
        assert_eq!(text(&s), "Backing up, 4 218 files left");
        s.destinations = vec![DestinationState { enabled: false, ..place(1, 9) }];
        assert_eq!(text(&s), "All destinations are switched off");
        let mut s = snapshot(vec![place(1, 0)]);
        s.sources = vec![source(SourceCondition::Scanning)];
        assert_eq!(text(&s), "Looking for photos, 18 204 files found");
        s.sources = vec![source(SourceCondition::Watching)];
        s.indexing = Indexing { to_describe: 2, to_hash: 10 };
        assert_eq!(text(&s), "Reading 12 files for the first time");
    }

    #[test]
    fn safe_only_when_all_are() {
        let s = snapshot(vec![place(1, 0), place(2, 0)]);
        assert_eq!(text(&s), "18 204 of 18 204 files safe in 2 destinations, oldest verification 3 days ago");
        assert_eq!(of(&s, &Connection::Connected, NOW).mood, StatusTone::Safe);
        let mut s = snapshot(vec![place(1, 0)]);
        assert_eq!(text(&s), "18 204 of 18 204 files safe, oldest verification 3 days ago");
        (s.destinations[0].safe, s.destinations[0].unproven) = (18_200, 4);
        assert_eq!(
            text(&s),
            "18 200 of 18 204 files safe, oldest verification 3 days ago, 4 files not verified"
        );
        assert_eq!(of(&s, &Connection::Connected, NOW).mood, StatusTone::Resting);
        (s.destinations[0].unproven, s.destinations[0].excluded) = (0, 4);
        assert_eq!(text(&s), "18 200 of 18 200 files safe, oldest verification 3 days ago");
        s.destinations[0] =
            DestinationState { enabled: true, sources: vec![1], ..DestinationState::default() };
        assert_eq!(text(&s), "No photos or videos found yet");
    }

    #[test]
    fn attention_comes_first_and_hides_nothing() {
        let mut s = snapshot(vec![place(1, 0)]);
        (s.destinations[0].safe, s.destinations[0].needs_attention) = (18_202, 2);
        assert_eq!(text(&s), "2 files need attention, 18 202 of 18 204 files safe");
        assert_eq!(of(&s, &Connection::Connected, NOW).mood, StatusTone::Attention);
        (s.destinations[0].safe, s.destinations[0].waiting) = (18_000, 202);
        assert_eq!(text(&s), "2 files need attention, 202 files left to back up");
        s.wait_reason = wait(&WaitReason::Offline);
        assert_eq!(text(&s), "2 files need attention, 202 files waiting");
        let why = why_idle(&s, &Connection::Connected, NOW).map(|w| w.replace("\u{a0}", " "));
        assert_eq!(why.as_deref(), Some(&*text(&s)));
        s.destinations.push(DestinationState { sources: Vec::new(), found: 0, safe: 0, ..place(2, 0) });
        assert!(text(&s).starts_with("2 files need attention"), "{}", text(&s));
    }

    #[test]
    fn idle_says_why_and_work_does_not() {
        let mut s = snapshot(vec![place(1, 0)]);
        assert!(why_idle(&s, &Connection::Connected, NOW).is_some());
        s.destinations[0].uploading = 1;
        assert_eq!(why_idle(&s, &Connection::Connected, NOW), None);
        s.destinations[0].uploading = 0;
        let lost = Connection::Lost("It stopped".into());
        assert_eq!(why_idle(&s, &lost, NOW).as_deref(), Some("It stopped"));
        assert!(next_change(&s, NOW).is_some_and(|after| after.as_secs() >= 60));
    }
}
