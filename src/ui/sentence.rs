//! The one true sentence beside the toggle, and why nothing is happening.
//!
//! Pure functions of the snapshot: what is shown is what is known, and nothing is hidden by a
//! better-sounding half.

use crate::api::{BackupSwitch, DestinationState, Snapshot, SourceCondition, WaitText};
use crate::client::Connection;
use crate::domain::time::UnixMillis;

use super::words;

/// How good the news is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Mood {
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
pub(super) struct Sentence {
    /// Without a full stop.
    pub text: String,
    /// The mark beside it.
    pub mood: Mood,
}

fn say(mood: Mood, text: impl Into<String>) -> Sentence {
    Sentence { text: text.into(), mood }
}

/// Sums over the enabled destinations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Totals {
    /// Files that need a person.
    pub needs_attention: u64,
    /// Files to be sent.
    pub waiting: u64,
    /// Files being sent.
    pub uploading: u64,
    /// Files taken without proof.
    pub unproven: u64,
    /// Files left out.
    pub excluded: u64,
    /// Files proved.
    pub safe: u64,
}

impl Totals {
    /// Over all enabled destinations, or over one of any sort.
    pub fn of(snapshot: &Snapshot, destination: Option<i64>) -> Self {
        let mut totals = Self::default();
        let counts = |d: &&DestinationState| destination.map_or(d.enabled, |id| d.id == id);
        for d in snapshot.destinations.iter().filter(counts) {
            totals.needs_attention += d.needs_attention;
            totals.waiting += d.waiting;
            totals.uploading += d.uploading;
            totals.unproven += d.unproven;
            totals.excluded += d.excluded;
            totals.safe += d.safe;
        }
        totals
    }

    /// Files on their way.
    pub fn left(&self) -> u64 {
        self.waiting + self.uploading
    }
}

/// The sentence beside the toggle.
pub(super) fn of(snapshot: &Snapshot, connection: &Connection, now: UnixMillis) -> Sentence {
    match connection {
        Connection::Connecting => return say(Mood::Resting, "Starting"),
        Connection::Lost(_) => return say(Mood::Attention, "Not connected to the backup in the background"),
        Connection::Connected => {}
    }
    if snapshot.sources.is_empty() {
        return say(Mood::Resting, "Choose the folders that hold your photos");
    }
    if snapshot.destinations.is_empty() {
        return say(
            Mood::Resting,
            format!("{} found, no backup place yet", words::files(snapshot.library.found)),
        );
    }
    match snapshot.backup {
        BackupSwitch::Off => off(snapshot),
        BackupSwitch::Paused => paused(snapshot, now),
        BackupSwitch::On => on(snapshot, now),
    }
}

fn off(snapshot: &Snapshot) -> Sentence {
    let left = to_be_copied(snapshot);
    if left == 0 && snapshot.library.safe_somewhere > 0 {
        say(Mood::Stopped, "Backup is off. New photos will not be copied")
    } else {
        say(Mood::Stopped, format!("Backup is off. {} not backed up", are(left)))
    }
}

/// Files whose copies are neither proved, taken, left out nor stuck, over all destinations.
fn to_be_copied(snapshot: &Snapshot) -> u64 {
    snapshot.destinations.iter().map(|d| d.waiting + d.uploading).max().unwrap_or(0)
}

fn are(n: u64) -> String {
    if n == 1 { "1 file is".to_owned() } else { format!("{} are", words::files(n)) }
}

fn paused(snapshot: &Snapshot, now: UnixMillis) -> Sentence {
    let left = Totals::of(snapshot, None).left();
    let mut text = "Paused".to_owned();
    let until = snapshot.wait_reason.as_ref().and_then(|w| w.until.as_deref()).and_then(words::parse_time);
    if let Some(until) = until {
        text += &format!(", goes on {}", words::until(until, now));
    }
    if left > 0 {
        text += &format!(", {} left", words::number(left));
    }
    say(Mood::Stopped, text)
}

fn on(snapshot: &Snapshot, now: UnixMillis) -> Sentence {
    if !snapshot.destinations.iter().any(|d| d.enabled) {
        return say(Mood::Resting, "All backup places are switched off");
    }
    let totals = Totals::of(snapshot, None);
    if totals.needs_attention > 0 {
        return attention(snapshot, &totals);
    }
    if let Some(wait) = waiting(snapshot)
        && !is_moving(snapshot)
        && totals.left() > 0
    {
        return say(Mood::Resting, with_end(wait, now));
    }
    if totals.left() > 0 {
        return say(Mood::Working, format!("Backing up, {} left", words::number(totals.left())));
    }
    if is_scanning(snapshot) {
        return say(
            Mood::Working,
            format!("Looking for photos, {} found", words::files(snapshot.library.found)),
        );
    }
    let indexing = snapshot.indexing.to_describe + snapshot.indexing.to_hash;
    if indexing > 0 {
        return say(Mood::Working, format!("Reading {} for the first time", words::files(indexing)));
    }
    safe(snapshot, &totals, now)
}

fn attention(snapshot: &Snapshot, totals: &Totals) -> Sentence {
    let n = totals.needs_attention;
    let verb = if n == 1 { "needs" } else { "need" };
    let several = snapshot.destinations.iter().filter(|d| d.enabled).count() > 1;
    // With several places one file may be stuck at each: what is counted are its copies.
    let what = if several { words::counted(n, "copy", "copies") } else { words::files(n) };
    let mut text = format!("{what} {verb} your attention");
    if totals.left() > 0 {
        let left = words::number(totals.left());
        match waiting(snapshot).filter(|_| !is_moving(snapshot)) {
            Some(_) => text += &format!(", {left} waiting"),
            None => text += &format!(", {left} left to back up"),
        }
    } else if let Some((safe, meant)) = safe_of(snapshot) {
        text += &format!(", {} of {} safe", words::number(safe), words::number(meant));
    }
    say(Mood::Attention, text)
}

/// Files safe at every enabled destination at the least, of those that are meant for one.
fn safe_of(snapshot: &Snapshot) -> Option<(u64, u64)> {
    let enabled = || snapshot.destinations.iter().filter(|d| d.enabled);
    // What is left out is nobody's to prove, so it is not in the second number.
    let meant = enabled().map(|d| d.found.saturating_sub(d.excluded)).max().filter(|&meant| meant > 0)?;
    Some((enabled().map(|d| d.safe).min().unwrap_or(0), meant))
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

/// Whether anything is being copied to a place that takes it.
fn is_moving(snapshot: &Snapshot) -> bool {
    let is_silent = |d: &DestinationState| d.wait_reason.as_ref().is_some_and(|wait| wait.kind == "silent");
    let silent = |id: i64| snapshot.destinations.iter().any(|d| d.id == id && is_silent(d));
    snapshot.uploading.iter().any(|transfer| !silent(transfer.destination))
        || snapshot.destinations.iter().any(|d| d.enabled && d.uploading > 0 && !is_silent(d))
}

fn with_end(wait: &WaitText, now: UnixMillis) -> String {
    match wait.until.as_deref().and_then(words::parse_time) {
        Some(until) if wait.kind == "schedule" => {
            format!("{}, goes on {}", wait.summary, words::until(until, now))
        }
        Some(until) => format!("{}, tried again {}", wait.summary, words::until(until, now)),
        None => wait.summary.clone(),
    }
}

fn is_scanning(snapshot: &Snapshot) -> bool {
    snapshot.sources.iter().any(|s| s.state == SourceCondition::Scanning)
}

fn safe(snapshot: &Snapshot, totals: &Totals, now: UnixMillis) -> Sentence {
    let Some((safe, meant)) = safe_of(snapshot) else {
        return say(Mood::Resting, "No photos or videos found yet");
    };
    let enabled: Vec<_> = snapshot.destinations.iter().filter(|d| d.enabled).collect();
    let mut text = format!("{} of {} safe", words::number(safe), words::number(meant));
    if enabled.len() > 1 {
        text += &format!(" in {} places", enabled.len());
    }
    let oldest = enabled.iter().filter_map(|d| words::parse_time(d.oldest_proof_at.as_deref()?)).min();
    if let (Some(oldest), true) = (oldest, safe > 0) {
        text += &format!(", oldest proof {}", words::age(oldest, now));
    }
    if totals.unproven > 0 {
        text += &format!(", {} without proof", words::number(totals.unproven));
    }
    say(if safe == meant { Mood::Safe } else { Mood::Resting }, text)
}

/// Why nothing is being copied now; nothing while something is.
pub(super) fn why_idle(snapshot: &Snapshot, connection: &Connection, now: UnixMillis) -> Option<String> {
    let totals = Totals::of(snapshot, None);
    if is_moving(snapshot) {
        return None;
    }
    if let Connection::Lost(why) = connection {
        return Some(why.clone());
    }
    if snapshot.backup == BackupSwitch::On
        && totals.left() == 0
        && totals.needs_attention > 0
        && waiting(snapshot).is_none()
    {
        return Some("Nothing else is left to copy".to_owned());
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
    proofs.chain(waits).filter_map(words::parse_time).map(|then| words::next_change(then, now)).min()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{Indexing, LibraryCounts, PathText, SourceState};
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
            found: 18_204,
            safe: 18_204 - waiting,
            waiting,
            oldest_proof_at: Some(UnixMillis(NOW.0 - 3 * DAY_MS).rfc3339()),
            ..DestinationState::default()
        }
    }

    fn snapshot(destinations: Vec<DestinationState>) -> Snapshot {
        Snapshot {
            backup: BackupSwitch::On,
            library: LibraryCounts { found: 18_204, assets: 18_000, safe_everywhere: 0, safe_somewhere: 0 },
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
        assert_eq!(text(&snapshot(vec![])), "18 204 files found, no backup place yet");
        let lost = of(&snapshot(vec![]), &Connection::Lost("gone".into()), NOW);
        assert_eq!(lost.mood, Mood::Attention);
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
        assert_eq!(text(&s), "Backup is off. New photos will not be copied");
        s.backup = BackupSwitch::Paused;
        s.destinations = vec![place(1, 7)];
        assert_eq!(text(&s), "Paused, 7 left");
        s.wait_reason = wait(&WaitReason::Paused { until: Some(UnixMillis(NOW.0 + 3_600_000)) });
        assert_eq!(text(&s), "Paused, goes on in 1 hour, 7 left");
    }

    #[test]
    fn working_and_waiting() {
        let mut s = snapshot(vec![place(1, 4_210)]);
        assert_eq!(text(&s), "Backing up, 4 210 left");
        s.wait_reason = wait(&WaitReason::Battery);
        assert_eq!(text(&s), "Waiting: on battery");
        s.wait_reason = wait(&WaitReason::Schedule { until: UnixMillis(NOW.0 + 3 * 3_600_000) });
        assert_eq!(text(&s), "Waiting for the hours you chose, goes on in 3 hours");
        s.wait_reason = None;
        s.destinations[0].wait_reason = wait(&WaitReason::Unreachable { until: UnixMillis(NOW.0 + 240_000) });
        assert_eq!(text(&s), "Waiting: the backup place cannot be reached, tried again in 4 minutes");
        s.destinations.push(place(2, 5));
        assert_eq!(text(&s), "Backing up, 4 215 left", "the other place goes on");
        s.destinations.pop();
        (s.destinations[0].uploading, s.destinations[0].wait_reason) = (8, wait(&WaitReason::Silent));
        assert_eq!(text(&s), "Waiting: the backup place has not answered for a while");
        assert!(why_idle(&s, &Connection::Connected, NOW).is_some());
        s.destinations[0].wait_reason = None;
        assert_eq!(text(&s), "Backing up, 4 218 left");
        s.destinations = vec![DestinationState { enabled: false, ..place(1, 9) }];
        assert_eq!(text(&s), "All backup places are switched off");
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
        assert_eq!(text(&s), "18 204 of 18 204 safe in 2 places, oldest proof 3 days ago");
        assert_eq!(of(&s, &Connection::Connected, NOW).mood, Mood::Safe);
        let mut s = snapshot(vec![place(1, 0)]);
        assert_eq!(text(&s), "18 204 of 18 204 safe, oldest proof 3 days ago");
        (s.destinations[0].safe, s.destinations[0].unproven) = (18_200, 4);
        assert_eq!(text(&s), "18 200 of 18 204 safe, oldest proof 3 days ago, 4 without proof");
        assert_eq!(of(&s, &Connection::Connected, NOW).mood, Mood::Resting);
        (s.destinations[0].unproven, s.destinations[0].excluded) = (0, 4);
        assert_eq!(text(&s), "18 200 of 18 200 safe, oldest proof 3 days ago");
        s.destinations[0] = DestinationState { enabled: true, ..DestinationState::default() };
        assert_eq!(text(&s), "No photos or videos found yet");
    }

    #[test]
    fn attention_comes_first_and_hides_nothing() {
        let mut s = snapshot(vec![place(1, 0)]);
        (s.destinations[0].safe, s.destinations[0].needs_attention) = (18_202, 2);
        assert_eq!(text(&s), "2 files need your attention, 18 202 of 18 204 safe");
        assert_eq!(of(&s, &Connection::Connected, NOW).mood, Mood::Attention);
        (s.destinations[0].safe, s.destinations[0].waiting) = (18_000, 202);
        assert_eq!(text(&s), "2 files need your attention, 202 left to back up");
        s.wait_reason = wait(&WaitReason::Offline);
        assert_eq!(text(&s), "2 files need your attention, 202 waiting");
        let why = why_idle(&s, &Connection::Connected, NOW).map(|w| w.replace("\u{a0}", " "));
        assert_eq!(why.as_deref(), Some(&*text(&s)));
        s.destinations.push(DestinationState { needs_attention: 1, ..place(2, 0) });
        assert!(text(&s).starts_with("3 copies need your attention"), "{}", text(&s));
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
