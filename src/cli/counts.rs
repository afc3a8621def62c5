//! How far a backup is: the six bins of its own pairs, in words and in JSON.

use super::json::BackupLine;
use crate::api::{DestinationState, Snapshot, SourceCondition};
use crate::domain::format::{bytes, duration, files, number};

/// The six bins of some pairs with one destination.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct CopyCounts {
    /// Proved.
    pub safe: u64,
    /// Taken, not provable.
    pub unproven: u64,
    /// To be sent.
    pub waiting: u64,
    /// Being sent or proved.
    pub uploading: u64,
    /// Needs a person.
    pub needs_attention: u64,
    /// Left out.
    pub excluded: u64,
    /// To be sent, or being sent, from sources that are not there now.
    stranded: u64,
}

/// How the sources of some pairs are.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct SourceSummary {
    /// Sources that are being looked through.
    pub scanning: usize,
    /// Sources that are not there or cannot be read.
    pub gone: Vec<i64>,
    /// Folders in them that cannot be looked into.
    pub unreadable_folders: u64,
}

impl SourceSummary {
    /// How these sources are.
    pub fn of(snapshot: &Snapshot, sources: &[i64]) -> Self {
        let mut summary = Self::default();
        for source in snapshot.sources.iter().filter(|source| sources.contains(&source.id)) {
            summary.unreadable_folders += source.unreadable_folders;
            match source.state {
                SourceCondition::Scanning => {
                    summary.scanning += 1;
                }
                SourceCondition::Unavailable | SourceCondition::Unreadable => {
                    summary.gone.push(source.id);
                }
                SourceCondition::Watching => {}
            }
        }
        summary
    }
}

impl CopyCounts {
    /// The sum over these sources' pairs. A destination that is not broken down counts whole.
    pub fn of(destination: &DestinationState, sources: &[i64], summary: &SourceSummary) -> Self {
        let d = destination;
        if d.pairs.is_empty() {
            return Self {
                safe: d.safe,
                unproven: d.unproven,
                waiting: d.waiting,
                uploading: d.uploading,
                needs_attention: d.needs_attention,
                excluded: d.excluded,
                stranded: 0,
            };
        }
        let own = d.pairs.iter().filter(|pair| sources.contains(&pair.source));
        own.fold(Self::default(), |sum, pair| {
            let is_gone = summary.gone.contains(&pair.source);
            Self {
                safe: sum.safe + pair.safe,
                unproven: sum.unproven + pair.unproven,
                waiting: sum.waiting + pair.waiting,
                uploading: sum.uploading + pair.uploading,
                needs_attention: sum.needs_attention + pair.needs_attention,
                excluded: sum.excluded + pair.excluded,
                stranded: sum.stranded + if is_gone { pair.waiting + pair.uploading } else { 0 },
            }
        })
    }

    /// Files that are still to be done and can be.
    pub fn left(self) -> u64 {
        (self.waiting + self.uploading).saturating_sub(self.stranded)
    }

    fn all(self) -> u64 {
        self.safe + self.unproven + self.waiting + self.uploading + self.needs_attention + self.excluded
    }

    /// The line that programs read.
    pub fn json_line<'a>(self, snapshot: &Snapshot, destination: &'a DestinationState) -> BackupLine<'a> {
        let under_way = snapshot.uploading.iter().filter(|one| one.destination == destination.id);
        let sent: u64 = under_way.map(|one| one.bytes_sent).sum();
        let bytes_total = destination.bytes_safe + destination.bytes_waiting;
        BackupLine::Progress {
            destination: &destination.name,
            safe: self.safe,
            unproven: self.unproven,
            waiting: self.waiting,
            uploading: self.uploading,
            needs_attention: self.needs_attention,
            excluded: self.excluded,
            bytes_done: (destination.bytes_safe + sent).min(bytes_total),
            bytes_total,
        }
    }

    /// The line that people read while it goes on.
    pub fn line(
        self,
        snapshot: &Snapshot,
        destination: &DestinationState,
        summary: &SourceSummary,
    ) -> String {
        // What is left out is known only when everything has been looked at, so no total before that.
        if summary.scanning > 0 || self.all() == 0 {
            let copied = self.safe + self.unproven;
            let looking = "Looking through the folders…";
            return match copied {
                0 => looking.to_owned(),
                _ => format!("{looking} {} backed up so far", files(copied)),
            };
        }
        if self.left() == 0 && self.unproven > 0 && destination.verifying {
            return format!("Verifying the copies: {} left", files(self.unproven));
        }
        let done = self.safe + self.unproven;
        let mut parts = vec![format!("{} of {}", number(done), files(self.all() - self.excluded))];
        if let Some(progress) = &snapshot.progress {
            if progress.bytes_total > 0 {
                parts.push(format!("{} of {}", bytes(progress.bytes_done), bytes(progress.bytes_total)));
            }
            if progress.bytes_per_sec > 0 && self.uploading > 0 {
                parts.push(format!("{}/s", bytes(progress.bytes_per_sec)));
            }
            if let Some(secs) = progress.secs_left {
                parts.push(format!("{} left", duration(secs)));
            }
        }
        let reason = snapshot.wait_reason.as_ref().or(destination.wait_reason.as_ref());
        if let Some(reason) = reason.filter(|_| self.left() > 0) {
            parts.push(reason.summary.clone());
        }
        parts.join(" · ")
    }

    /// The sentence at the end.
    pub fn summary(self, name: &str) -> String {
        let wanted = self.all() - self.excluded;
        let mut text = format!("{} of {} safe in {name}", number(self.safe), files(wanted));
        let others = [
            (self.unproven, "copied but not verified"),
            (self.waiting + self.uploading, "waiting"),
            (self.needs_attention, attention(self.needs_attention)),
            (self.excluded, "left out"),
        ];
        for (count, what) in others.into_iter().filter(|(count, _)| *count > 0) {
            text += &format!(", {} {what}", number(count));
        }
        text
    }
}

/// One file needs attention; several need it.
fn attention(count: u64) -> &'static str {
    if count == 1 {
        "needs attention (safelight queue --failed)"
    } else {
        "need attention (safelight queue --failed)"
    }
}
