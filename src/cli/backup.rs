//! `backup`: records consent for exactly the pairs that were named, then waits until they are done.

use std::path::PathBuf;
use std::time::Duration;

use super::CommandContext;
use super::args::BackupArgs;
use super::counts::{CopyCounts, SourceSummary};
use super::destination::note_same_disk;
use super::exit::{CliError, Exit};
use super::output::Output;
use super::progress::ProgressPrinter;
use super::resolve::{DestinationArg, destination, refuse_overlap, source_folder};
use super::words::{path_text, unreadable_lines};
use crate::api::{
    self, BackupSwitch, DestinationState, ErrorKind, Reply, Snapshot, SourceCondition, SourceState,
};
use crate::client::conversation::unexpected;
use crate::domain::messages::lower_first;

/// How long a destination may be unreachable before the command gives up.
pub const UNREACHABLE_MAX: Duration = Duration::from_secs(60);
/// How long a destination may refuse or be full before the command gives up: time to find out that
/// it is so no longer.
pub const REFUSED_MAX: Duration = Duration::from_secs(3);

/// How long the verification of copies may make no progress before the command ends without it.
pub const VERIFICATION_STALLED_MAX: Duration = Duration::from_secs(60);

/// What is said when it ends so.
const VERIFICATION_STALLED: &str = "Verification has made no progress for 60 seconds. It continues in the background. \
     To see what is left: safelight queue";

/// The pairs that a command is about.
#[derive(Debug)]
struct BackupPlan {
    sources: Vec<i64>,
    destination: i64,
}

/// Runs the command to its end. `on_switched_on` is called once backup is on.
///
/// # Errors
/// The error that stopped it. What is merely not all safe is an [`Exit`].
pub fn run(
    context: &mut CommandContext,
    args: &BackupArgs,
    on_switched_on: impl FnOnce(&mut Output),
) -> Result<Exit, CliError> {
    let mut folders = Vec::new();
    let mut exit = Exit::Fine;
    for given in &args.paths {
        match source_folder(given) {
            Ok(folder) => folders.push(folder),
            Err(error) if error.exit == Exit::Source => {
                exit = exit.worst(error.exit);
                context.out.error(&error);
            }
            Err(error) => return Err(error),
        }
    }
    if folders.is_empty() {
        return Ok(exit);
    }
    let (pairs, refused) = consent(context, args, &folders)?;
    exit = exit.worst(refused);
    if pairs.sources.is_empty() {
        return Ok(exit);
    }
    on_switched_on(&mut context.out);
    Ok(BackupMonitor::new(context, pairs, args.watch).run()?.worst(exit))
}

/// Adds what is new, records the consent, switches on.
fn consent(
    context: &mut CommandContext,
    args: &BackupArgs,
    folders: &[PathBuf],
) -> Result<(BackupPlan, Exit), CliError> {
    let before = context.talk.snapshot()?;
    let dest = destination(&args.to, &before)?;
    refuse_overlap(folders, &dest, &before)?;
    let is_new = matches!(dest, DestinationArg::New(_));
    let destination = match dest {
        DestinationArg::Saved(id) => id,
        DestinationArg::New(target) => {
            let request = api::Command::AddDestination {
                target,
                name: None,
                allow_http: args.allow_http,
                consent_all: false,
                secret: None,
                trust_checksum: false,
            };
            match context.talk.call(request.into())? {
                Reply::Destination { id, .. } => id,
                other => return Err(unexpected(&other).into()),
            }
        }
    };
    let mut exit = Exit::Fine;
    let mut sources = Vec::new();
    let mut is_known = false;
    for folder in folders {
        let request = api::Command::AddSource { path: path_text(folder), consent_all: false };
        match context.talk.call(request.into()) {
            Ok(Reply::Source { id, is_new }) => {
                is_known |= !is_new;
                sources.push(id);
            }
            Ok(other) => return Err(unexpected(&other).into()),
            Err(error) if error.kind == ErrorKind::Source => {
                exit = exit.worst(Exit::Source);
                context.out.error(&error.into());
            }
            Err(error) => return Err(error.into()),
        }
    }
    sources.sort_unstable();
    sources.dedup();
    if is_known && !context.is_new_engine {
        // All, not the one: to name a source is to say that what is missing from it is meant to be.
        context.done(api::Command::Rescan { id: None })?;
    }
    let pairs = BackupPlan { sources, destination };
    if !pairs.sources.is_empty() {
        switch_on(context, &pairs, folders)?;
        if is_new {
            let now = context.talk.snapshot()?;
            note_same_disk(context, find(&now, pairs.destination).ok());
        }
    }
    Ok((pairs, exit))
}

fn switch_on(context: &mut CommandContext, pairs: &BackupPlan, folders: &[PathBuf]) -> Result<(), CliError> {
    let BackupPlan { sources, destination } = pairs;
    context.done(api::Command::Consent { sources: sources.clone(), destination: *destination })?;
    let now = context.talk.snapshot()?;
    let saved = find(&now, *destination)?;
    if !saved.enabled {
        context.done(api::Command::EnableDestination { id: *destination, enabled: true })?;
    }
    if now.backup == BackupSwitch::Off {
        context.done(api::Command::SetBackup { on: true })?;
    }
    if blocked_for(saved).is_some() {
        // It may be back, or have room again.
        context.done(api::Command::CheckDestination { id: saved.id })?;
    }
    let names: Vec<String> = folders.iter().map(|folder| folder.display().to_string()).collect();
    let echo = format!("Backing up {} to {} ({})", names.join(", "), saved.name, saved.url);
    if context.out.style.is_json {
        context.out.note(&echo);
    } else {
        context.out.line(&echo);
    }
    Ok(())
}

fn find(snapshot: &Snapshot, destination: i64) -> Result<&DestinationState, CliError> {
    snapshot
        .destinations
        .iter()
        .find(|saved| saved.id == destination)
        .ok_or_else(|| CliError::new(Exit::Usage, "The destination was removed"))
}

/// How long a destination's reason to wait is put up with; none where it is waited out.
fn blocked_for(destination: &DestinationState) -> Option<Duration> {
    match destination.wait_reason.as_ref()?.kind.as_str() {
        "unreachable" => Some(UNREACHABLE_MAX),
        "credentials" | "forbidden" | "no_space" => Some(REFUSED_MAX),
        _waited_out => None,
    }
}

/// Looks on until it is done.
struct BackupMonitor<'a> {
    context: &'a mut CommandContext,
    pairs: BackupPlan,
    goes_on: bool,
    blocked_since: Option<Duration>,
    /// How many copies were not verified, how many bytes of copies had been read back, and when either
    /// number last changed.
    unproven_since: Option<((u64, u64), Duration)>,
    printer: ProgressPrinter,
    was_done: bool,
}

/// What a look at a snapshot found.
enum Verdict {
    /// There is more to come; look again after this long even if nothing changes.
    Wait(Option<Duration>),
    /// Nothing is left that can be done.
    Done(Exit),
    /// The destination does not take anything.
    Blocked(CliError),
}

impl<'a> BackupMonitor<'a> {
    fn new(context: &'a mut CommandContext, pairs: BackupPlan, goes_on: bool) -> Self {
        Self {
            context,
            pairs,
            goes_on,
            blocked_since: None,
            unproven_since: None,
            printer: ProgressPrinter::default(),
            was_done: false,
        }
    }

    fn run(mut self) -> Result<Exit, CliError> {
        let mut snapshot = self.context.talk.snapshot()?;
        loop {
            let saved = find(&snapshot, self.pairs.destination)?;
            let summary = SourceSummary::of(&snapshot, &self.pairs.sources);
            let counts = CopyCounts::of(saved, &self.pairs.sources, &summary);
            let verdict = self.judge(saved, counts, &summary);
            let wait = match verdict {
                Verdict::Done(exit) if !self.goes_on => {
                    self.finish(&snapshot, saved, counts);
                    return Ok(exit);
                }
                Verdict::Blocked(error) if !self.goes_on => {
                    self.finish(&snapshot, saved, counts);
                    return Err(error);
                }
                Verdict::Done(_) => {
                    if !std::mem::replace(&mut self.was_done, true) {
                        self.context.out.line(&counts.summary(&saved.name));
                    }
                    None
                }
                Verdict::Blocked(_) => None,
                Verdict::Wait(wait) => {
                    self.was_done = false;
                    wait
                }
            };
            let wait = match (self.say(&snapshot, saved, counts, &summary), wait) {
                (Some(due), Some(wait)) => Some(due.min(wait)),
                (due, wait) => due.or(wait),
            };
            if let Some(newer) = self.context.talk.wait_snapshot(snapshot.revision, wait)? {
                snapshot = newer;
            }
        }
    }

    fn judge(&mut self, saved: &DestinationState, counts: CopyCounts, summary: &SourceSummary) -> Verdict {
        if summary.scanning == 0 && counts.left() == 0 {
            if let Some(left) = self.verification_wait(saved, counts) {
                return Verdict::Wait(Some(left));
            }
            let attention = if counts.unproven + counts.needs_attention + summary.unreadable_folders > 0 {
                Exit::Attention
            } else {
                Exit::Fine
            };
            let unreadable = if !summary.gone.is_empty() { Exit::Source } else { Exit::Fine };
            return Verdict::Done(attention.worst(unreadable));
        }
        let Some(patience) = blocked_for(saved) else {
            self.blocked_since = None;
            return Verdict::Wait(None);
        };
        let now = (self.context.elapsed)();
        let since = *self.blocked_since.get_or_insert(now);
        match patience.checked_sub(now.saturating_sub(since)).filter(|left| !left.is_zero()) {
            Some(left) => Verdict::Wait(Some(left)),
            None => Verdict::Blocked(self.blocked(saved)),
        }
    }

    /// How much longer the copies that are being read back are waited for; `None` if none are, or if
    /// that has stalled.
    fn verification_wait(&mut self, saved: &DestinationState, counts: CopyCounts) -> Option<Duration> {
        if counts.unproven == 0 || !saved.verifying {
            self.unproven_since = None;
            return None;
        }
        let now = (self.context.elapsed)();
        let progress = (counts.unproven, saved.bytes_read);
        let since = match self.unproven_since {
            Some((before, since)) if before == progress => since,
            _ => now,
        };
        self.unproven_since = Some((progress, since));
        VERIFICATION_STALLED_MAX.checked_sub(now.saturating_sub(since)).filter(|left| !left.is_zero())
    }

    fn blocked(&self, saved: &DestinationState) -> CliError {
        let name = &saved.name;
        let kind = saved.wait_reason.as_ref().map(|reason| reason.kind.as_str());
        let (message, advice) = match kind {
            Some("credentials") => {
                (format!("{name} refused the sign-in"), "Check the sign-in details, then run this again")
            }
            Some("forbidden") => {
                (format!("{name} cannot be written to"), "Check its permissions, then run this again")
            }
            Some("no_space") if saved.failure.is_none() => (
                format!("{name} does not have enough free space for what is left"),
                "Free up space there, then run this again",
            ),
            Some("no_space") => (format!("{name} is full"), "Free up space there, then run this again"),
            _unreachable => (
                format!("{name} ({}) cannot be reached", saved.url),
                "Connect the disk or check the address, then run this again; existing copies stay",
            ),
        };
        let Some(failure) = &saved.failure else {
            return CliError::new(Exit::Destination, message).advise(advice);
        };
        let is_unanswered = ["dns", "connect", "timeout", "tls"].contains(&failure.kind.as_str());
        let message = match kind {
            Some("credentials" | "forbidden" | "no_space") => message,
            _ if is_unanswered => message,
            // It answers, or its disk is there: only its own words say what is wrong.
            _ => format!("{name} cannot be used now"),
        };
        let message = format!("{message}: {}", lower_first(&failure.summary));
        let advice = format!("{}. Then run this again; existing copies stay", failure.advice);
        CliError::new(Exit::Destination, message).advise(advice).explain([failure.details.as_str()])
    }

    /// Shows how far it is. Returns how long until what could not be shown yet is due.
    fn say(
        &mut self,
        snapshot: &Snapshot,
        saved: &DestinationState,
        counts: CopyCounts,
        summary: &SourceSummary,
    ) -> Option<Duration> {
        let style = self.context.out.style;
        if style.is_quiet {
            return None;
        }
        let text = if style.is_json {
            serde_json::to_string(&counts.json_line(snapshot, saved)).unwrap_or_default()
        } else {
            counts.line(snapshot, saved, summary)
        };
        let now = (self.context.elapsed)();
        self.printer.print(&mut self.context.out, text, now)
    }

    fn finish(&mut self, snapshot: &Snapshot, saved: &DestinationState, counts: CopyCounts) {
        let out = &mut self.context.out;
        let own = || snapshot.sources.iter().filter(|source| self.pairs.sources.contains(&source.id));
        if out.style.is_json {
            let line = counts.json_line(snapshot, saved);
            let text = serde_json::to_string(&line).unwrap_or_default();
            if !self.printer.has_printed(&text) && !out.style.is_quiet {
                out.json(&line);
            }
            out.json(&super::json::Finished::of(std::iter::once(saved), own()));
        } else {
            out.line(&counts.summary(&saved.name));
        }
        if counts.unproven > 0 {
            out.lines_beside(saved.proof_advice.iter().map(|advice| format!("{advice}.")));
            if saved.verifying {
                out.lines_beside(std::iter::once(VERIFICATION_STALLED.to_owned()));
            }
        }
        for source in own() {
            out.lines_beside(unreadable_lines(source));
            if let Some(error) = away(source) {
                out.error(&error);
            }
        }
    }
}

/// Which photo folder is not there or cannot be read, and why.
fn away(source: &SourceState) -> Option<CliError> {
    let (why, advice) = match source.state {
        SourceCondition::Unavailable => (
            "it is not connected",
            "Connect its disk, then run this again; existing copies stay. If you emptied it yourself, rescan it in the window",
        ),
        SourceCondition::Unreadable => (
            "it cannot be read",
            "Check that you have permission to open it and that its disk is healthy, then run this again",
        ),
        SourceCondition::Watching | SourceCondition::Scanning => return None,
    };
    let note = source.note.as_deref().map_or_else(|| why.to_owned(), lower_first);
    let message = format!("The photo folder {} is not backed up now: {note}", source.path.path);
    Some(CliError::new(Exit::Source, message).advise(advice))
}
