//! What is counted, and how a count is worded: no other part of the window adds counts up.
//!
//! A *file* is counted once, however many destinations it goes to; a *copy* is one file at one
//! destination. Files come first, copies second, and it is always said which.

use crate::api::{DestinationState, FileCounts, Progress, QueueList, Snapshot};
use crate::domain::accounting::{Bin, Bins};
use crate::domain::format;

/// So many files, and so many copies of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Amount {
    /// Files, each counted once; `None` if that is unknown.
    pub files: Option<u64>,
    /// Copies.
    pub copies: u64,
}

impl Amount {
    /// Files with one copy each.
    pub const fn files(n: u64) -> Self {
        Self { files: Some(n), copies: n }
    }

    /// Copies of an unknown number of files.
    pub const fn copies(n: u64) -> Self {
        Self { files: None, copies: n }
    }

    /// Whether it is nothing.
    pub fn is_zero(self) -> bool {
        self.copies == 0 && self.files.unwrap_or(0) == 0
    }

    /// The one number where there is room for one: of files where they are known.
    pub fn number(self) -> u64 {
        self.files.unwrap_or(self.copies)
    }

    /// Whether the one number is 1, for the verb.
    pub fn is_one(self) -> bool {
        self.number() == 1
    }

    /// The one number with its noun: `48 files`, `96 copies`.
    pub fn short(self) -> String {
        match self.files {
            Some(files) => format::files(files),
            None => format::copies(self.copies),
        }
    }

    /// Both numbers: `48 files (96 copies)`; one where each file has one copy.
    pub fn text(self) -> String {
        match self.files {
            Some(files) if files != self.copies => {
                format!("{} ({})", format::files(files), format::copies(self.copies))
            }
            _ => self.short(),
        }
    }
}

/// The counts of one destination, or of all that are enabled and have folders to back up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Counts {
    /// How many destinations are counted.
    pub destinations: usize,
    files: Option<FileCounts>,
    copies: Bins,
}

/// The six bins of a destination.
pub(super) fn bins_of(d: &DestinationState) -> Bins {
    Bins {
        safe: d.safe,
        unproven: d.unproven,
        waiting: d.waiting,
        uploading: d.uploading,
        needs_attention: d.needs_attention,
        excluded: d.excluded,
    }
}

/// A destination that counts: switched on, with folders that go there.
fn is_counted(d: &DestinationState) -> bool {
    d.enabled && !d.sources.is_empty()
}

impl Counts {
    /// Over every enabled destination that has folders to back up.
    pub fn of(snapshot: &Snapshot) -> Self {
        let mut counts = Self::default();
        for d in snapshot.destinations.iter().filter(|d| is_counted(d)) {
            counts.destinations += 1;
            for bin in Bin::ALL {
                *counts.copies.get_mut(bin) += bins_of(d).get(bin);
            }
        }
        counts.files = match counts.destinations {
            0 | 1 => Some(as_files(counts.copies)),
            _ => snapshot.library.files,
        };
        counts
    }

    /// At one destination, where every file has one copy.
    pub fn at(d: &DestinationState) -> Self {
        Self { destinations: 1, files: Some(as_files(bins_of(d))), copies: bins_of(d) }
    }

    /// At one destination, or over all that count.
    pub fn at_or_of(snapshot: &Snapshot, destination: Option<i64>) -> Self {
        let found = destination.and_then(|id| snapshot.destinations.iter().find(|d| d.id == id));
        found.map_or_else(|| Self::of(snapshot), Self::at)
    }

    fn amount(&self, files: impl Fn(&FileCounts) -> u64, copies: u64) -> Amount {
        Amount { files: self.files.as_ref().map(files), copies }
    }

    /// What is to be backed up: everything found that is not left out.
    pub fn meant(&self) -> Amount {
        let copies = self.copies.found() - self.copies.excluded;
        self.amount(|files| files.found.saturating_sub(files.excluded), copies)
    }

    /// What is verified.
    pub fn safe(&self) -> Amount {
        self.amount(|files| files.safe, self.copies.safe)
    }

    /// What was copied and could not be verified.
    pub fn unproven(&self) -> Amount {
        self.amount(|files| files.unproven, self.copies.unproven)
    }

    /// What waits or is being uploaded.
    pub fn left(&self) -> Amount {
        self.amount(|files| files.left, self.copies.waiting + self.copies.uploading)
    }

    /// What needs a person.
    pub fn needs_attention(&self) -> Amount {
        self.amount(|files| files.needs_attention, self.copies.needs_attention)
    }

    /// The length of a list of the queue, in whose rows each copy stands by itself.
    pub fn listed(&self, list: QueueList) -> Amount {
        let copies = match list {
            QueueList::Uploading => self.copies.uploading,
            QueueList::Waiting => self.copies.waiting,
            QueueList::NeedsAttention => self.copies.needs_attention,
            QueueList::Unproven => self.copies.unproven,
            QueueList::Excluded => self.copies.excluded,
            QueueList::Done => self.copies.safe,
        };
        if self.destinations > 1 { Amount::copies(copies) } else { Amount::files(copies) }
    }

    /// `355 of 403 files safe`, with the number of destinations where there are several; `None` if
    /// nothing is to be backed up.
    pub fn safe_text(&self) -> Option<String> {
        let (safe, meant) = (self.safe(), self.meant());
        if meant.is_zero() {
            return None;
        }
        let place = match self.destinations {
            0 | 1 => String::new(),
            n => format!(" in {n} destinations"),
        };
        Some(format!("{} of {} safe{place}", format::number(safe.number()), meant.short()))
    }

    /// `48 files need attention`; `None` if none does.
    pub fn attention_text(&self) -> Option<String> {
        let amount = self.needs_attention();
        let verb = if amount.is_one() { "needs" } else { "need" };
        (!amount.is_zero()).then(|| format!("{} {verb} attention", amount.short()))
    }

    /// Whether every file that is to be backed up is verified everywhere.
    pub fn is_all_safe(&self) -> bool {
        self.safe().number() == self.meant().number()
    }
}

fn as_files(bins: Bins) -> FileCounts {
    FileCounts {
        found: bins.found(),
        safe: bins.safe,
        unproven: bins.unproven,
        left: bins.waiting + bins.uploading,
        needs_attention: bins.needs_attention,
        excluded: bins.excluded,
    }
}

/// How far the run is: `600 of 1 000 files`, in copies where there are several destinations.
pub(super) fn progress_text(snapshot: &Snapshot, progress: &Progress) -> String {
    let all = if Counts::of(snapshot).destinations > 1 {
        format::copies(progress.files_total)
    } else {
        format::files(progress.files_total)
    };
    format!("{} of {all}", format::number(progress.files_done))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn place(id: i64, waiting: u64, attention: u64) -> DestinationState {
        DestinationState {
            id,
            enabled: true,
            sources: vec![1],
            found: 403,
            safe: 403 - waiting - attention,
            waiting,
            needs_attention: attention,
            ..DestinationState::default()
        }
    }

    #[test]
    fn files_come_first_and_copies_second() {
        assert_eq!(Amount { files: Some(48), copies: 96 }.text(), "48 files (96 copies)");
        assert_eq!(Amount::files(48).text(), "48 files");
        assert_eq!(Amount::copies(1).text(), "1 copy");
        assert_eq!(Amount { files: Some(48), copies: 96 }.short(), "48 files");
    }

    #[test]
    fn a_destination_without_folders_or_switched_off_changes_no_number() {
        let mut snapshot = Snapshot { destinations: vec![place(1, 0, 48)], ..Snapshot::default() };
        let alone = Counts::of(&snapshot);
        assert_eq!(alone.safe_text().as_deref(), Some("355 of 403 files safe"));
        assert_eq!(alone.attention_text().as_deref(), Some("48 files need attention"));
        snapshot.destinations.push(DestinationState {
            sources: Vec::new(),
            found: 0,
            safe: 0,
            ..place(2, 0, 0)
        });
        snapshot.destinations.push(DestinationState { enabled: false, ..place(3, 403, 0) });
        assert_eq!(Counts::of(&snapshot), alone);
    }

    #[test]
    fn the_same_files_at_two_destinations_are_counted_once() {
        let mut snapshot =
            Snapshot { destinations: vec![place(1, 0, 48), place(2, 0, 48)], ..Snapshot::default() };
        snapshot.library.files =
            Some(FileCounts { found: 403, safe: 355, needs_attention: 48, ..FileCounts::default() });
        let counts = Counts::of(&snapshot);
        assert_eq!(counts.safe_text().as_deref(), Some("355 of 403 files safe in 2 destinations"));
        assert_eq!(counts.needs_attention().text(), "48 files (96 copies)");
        assert_eq!(counts.listed(QueueList::NeedsAttention).text(), "96 copies");
        assert_eq!(Counts::at_or_of(&snapshot, Some(2)).listed(QueueList::NeedsAttention).text(), "48 files");
        snapshot.library.files = None;
        let unknown = Counts::of(&snapshot);
        assert_eq!(unknown.attention_text().as_deref(), Some("96 copies need attention"));
        assert_eq!(unknown.safe_text().as_deref(), Some("710 of 806 copies safe in 2 destinations"));
    }
}
