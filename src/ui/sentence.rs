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
    /// Waiting, off or paused.
    Resting,
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
        say(Mood::Resting, "Backup is off. New photos will not be copied")
    } else {
        say(Mood::Resting, format!("Backup is off. {} not backed up", are(left)))
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
    say(Mood::Resting, text)
}

fn on(snapshot: &Snapshot, now: UnixMillis) -> Sentence {
    if !snapshot.destinations.iter().any(|d| d.enabled) {
        return say(Mood::Resting, "All backup places are switched off");
    }
    let totals = Totals::of(snapshot, None);
    if totals.needs_attention > 0 {
        let n = totals.needs_attention;
        let verb = if n == 1 { "needs" } else { "need" };
        let mut text = format!("{} {verb} your attention", words::files(n));
        if totals.left() > 0 {
            text += &format!(", {} left to back up", words::number(totals.left()));
        }
        return say(Mood::Attention, text);
    }
    if let Some(wait) = waiting(snapshot)
        && totals.uploading == 0
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

fn with_end(wait: &WaitText, now: UnixMillis) -> String {
    match wait.until.as_deref().and_then(words::parse_time) {
        Some(until) => format!("{}, tried again {}", wait.summary, words::until(until, now)),
        None => wait.summary.clone(),
    }
}

fn is_scanning(snapshot: &Snapshot) -> bool {
    snapshot.sources.iter().any(|s| s.state == SourceCondition::Scanning)
}

fn safe(snapshot: &Snapshot, totals: &Totals, now: UnixMillis) -> Sentence {
    let enabled: Vec<_> = snapshot.destinations.iter().filter(|d| d.enabled).collect();
    // What is left out is nobody's to prove, so it is not in the second number.
    let meant = enabled.iter().map(|d| d.found - d.excluded.min(d.found)).max().unwrap_or(0);
    if meant == 0 {
        return say(Mood::Resting, "No photos or videos found yet");
    }
    let safe = enabled.iter().map(|d| d.safe).min().unwrap_or(0);
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
    if !snapshot.uploading.is_empty() || totals.uploading > 0 {
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
