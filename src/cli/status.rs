//! `status`: how everything stands.

use super::CommandContext;
use super::exit::{CliError, Exit};
use super::json::Status;
use super::words::unreadable_lines;
use crate::api::{BackupSwitch, DestinationState, Snapshot, SourceCondition};
use crate::domain::format::{files, number};
use crate::domain::messages::SAME_DISK;

/// Shows the snapshot.
///
/// # Errors
/// When the engine has gone.
pub fn run(context: &mut CommandContext) -> Result<Exit, CliError> {
    let snapshot = context.talk.snapshot()?;
    if context.out.style.is_json {
        context.out.json(&Status::of(&snapshot));
    } else {
        context.out.lines(lines(&snapshot));
    }
    Ok(exit(&snapshot))
}

/// The exit code for a snapshot: what is merely waiting is fine.
pub fn exit(snapshot: &Snapshot) -> Exit {
    let mut exit = Exit::Fine;
    for source in &snapshot.sources {
        if matches!(source.state, SourceCondition::Unavailable | SourceCondition::Unreadable) {
            exit = exit.worst(Exit::Source);
        }
        if source.unreadable_folders > 0 {
            exit = exit.worst(Exit::Attention);
        }
    }
    for destination in snapshot.destinations.iter().filter(|destination| destination.enabled) {
        if destination.unproven + destination.needs_attention > 0 {
            exit = exit.worst(Exit::Attention);
        }
        let kind = destination.wait_reason.as_ref().map(|reason| reason.kind.as_str());
        if matches!(kind, Some("unreachable" | "credentials" | "forbidden" | "no_space")) {
            exit = exit.worst(Exit::Destination);
        }
    }
    exit
}

fn lines(snapshot: &Snapshot) -> Vec<String> {
    let switch = match snapshot.backup {
        BackupSwitch::On => "Backup is on",
        BackupSwitch::Off => "Backup is off",
        BackupSwitch::Paused => "Backup is paused",
    };
    let mut lines = vec![switch.to_owned()];
    if let Some(reason) = snapshot.wait_reason.as_ref().filter(|_| snapshot.backup == BackupSwitch::On) {
        lines.push(reason.summary.clone());
    }
    if snapshot.sources.is_empty() {
        lines.push("No folders yet. To start: safelight backup PATH --to DEST".to_owned());
    } else {
        lines.extend([String::new(), format!("Folders ({})", files(snapshot.library.found))]);
    }
    for source in &snapshot.sources {
        lines.push(format!("  {}  {}{}", source.path.path, files(source.found), condition(source.state)));
        lines.extend(source.note.iter().map(|note| format!("    {note}")));
        lines.extend(unreadable_lines(source).iter().map(|line| format!("    {line}")));
    }
    if !snapshot.destinations.is_empty() {
        lines.extend([String::new(), "Destinations".to_owned()]);
    }
    for destination in &snapshot.destinations {
        lines.extend(destination_lines(destination));
    }
    lines
}

/// A source's state as an addition to its line.
pub fn condition(state: SourceCondition) -> &'static str {
    match state {
        SourceCondition::Watching => "",
        SourceCondition::Scanning => ", being scanned",
        SourceCondition::Unavailable => ", not connected",
        SourceCondition::Unreadable => ", cannot be read",
    }
}

/// A destination in a few lines.
pub fn destination_lines(destination: &DestinationState) -> Vec<String> {
    let d = destination;
    let off = if d.enabled { "" } else { ", switched off" };
    let wanted = d.found.saturating_sub(d.excluded);
    let mut lines = vec![
        format!("  {}  {}{off}", d.name, d.url),
        format!("    {} of {} safe", number(d.safe), files(wanted)),
    ];
    let others = [
        (d.unproven, "copied but not verified"),
        (d.waiting, "waiting"),
        (d.uploading, "uploading"),
        (d.needs_attention, attention(d.needs_attention)),
        (d.excluded, "left out"),
    ];
    let others = others.into_iter().filter(|(count, _)| *count > 0);
    lines.extend(others.map(|(count, what)| format!("    {} {what}", number(count))));
    lines.extend(d.proof_advice.iter().map(|advice| format!("    {advice}")));
    if let Some(reason) = &d.wait_reason {
        let until = reason.until.as_ref().map(|until| format!(" (until {until})")).unwrap_or_default();
        lines.push(format!("    {}{until}", reason.summary));
    }
    if let Some(failure) = &d.failure {
        lines.push(format!("    {}. {}", failure.summary, failure.advice));
        lines.push(format!("    {}", failure.details));
    }
    if d.trusts_checksum == Some(true) {
        lines.push("    verified by the server's checksum, as you chose; not read back".to_owned());
    }
    if d.same_disk {
        lines.push(format!("    {SAME_DISK}"));
    }
    if let Some(oldest) = d.oldest_proof_at.as_ref().filter(|_| d.safe > 0) {
        lines.push(format!("    oldest verification {oldest}"));
    }
    lines
}

/// One file needs attention; several need it.
fn attention(count: u64) -> &'static str {
    if count == 1 {
        "needs attention: safelight queue --failed"
    } else {
        "need attention: safelight queue --failed"
    }
}
