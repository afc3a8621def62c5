//! `destination`.

use crate::domain::format::bytes;
use std::ffi::OsStr;

use super::args::{DestinationCommand, OnOff};
use super::exit::{CliError, Exit};
use super::json::Destination;
use super::resolve::{DestinationArg, destination, refuse_overlap, saved_destination};
use super::status::destination_lines;
use super::{CommandContext, secret_input};
use crate::api::{self, DestinationState, Operation, PathText, Reply, SecretText, Snapshot, TestReport};
use crate::client::conversation::unexpected;
use crate::domain::messages::SAME_DISK;
use crate::domain::target::{DestinationKind, Target, is_valid_name};

/// `destination …`
///
/// # Errors
/// What was refused.
pub fn run(context: &mut CommandContext, command: &DestinationCommand) -> Result<Exit, CliError> {
    match command {
        DestinationCommand::Add { dest, name, allow_http, password_stdin, trust_checksum } => {
            let options = AddOptions {
                name: name.as_deref(),
                allow_http: *allow_http,
                from_stdin: *password_stdin,
                trust_checksum: *trust_checksum,
            };
            add(context, dest, &options)?;
        }
        DestinationCommand::Rename { dest, name } => {
            let (id, old) = saved(context, dest)?;
            context.done(api::Command::RenameDestination { id, name: name.clone() })?;
            context.say(&format!("{old} is now called {name}"), "renamed");
        }
        DestinationCommand::Password { dest, password_stdin } => password(context, dest, *password_stdin)?,
        DestinationCommand::Settings { dest, trust_checksum } => settings(context, dest, *trust_checksum)?,
        DestinationCommand::List => list_destinations(context)?,
        DestinationCommand::Test { dest, allow_http } => return test(context, dest, *allow_http),
        DestinationCommand::Remove { dest } => {
            let (id, name) = saved(context, dest)?;
            context.done(api::Command::RemoveDestination { id })?;
            context.say(&format!("Removed {name}. The copies there were not deleted"), "removed");
        }
        DestinationCommand::Enable { dest } => {
            let (id, name) = saved(context, dest)?;
            context.done(api::Command::EnableDestination { id, enabled: true })?;
            context.say(&format!("{name} is switched on"), "enabled");
        }
        DestinationCommand::Disable { dest } => {
            let (id, name) = saved(context, dest)?;
            context.done(api::Command::EnableDestination { id, enabled: false })?;
            context.say(&format!("{name} is switched off. Its copies and history are kept"), "disabled");
        }
    }
    Ok(Exit::Fine)
}

fn saved(context: &mut CommandContext, dest: &OsStr) -> Result<(i64, String), CliError> {
    let snapshot = context.talk.snapshot()?;
    let saved = saved_destination(dest, &snapshot)?;
    Ok((saved.id, saved.name.clone()))
}

/// `destination settings`
fn settings(
    context: &mut CommandContext,
    dest: &OsStr,
    trust_checksum: Option<OnOff>,
) -> Result<(), CliError> {
    let snapshot = context.talk.snapshot()?;
    let saved = saved_destination(dest, &snapshot)?;
    let (id, name) = (saved.id, saved.name.clone());
    let Some(choice) = trust_checksum else {
        let text = match saved.trusts_checksum {
            Some(true) => format!("{name}: trust-checksum is on. The server's checksum is trusted"),
            Some(false) => format!("{name}: trust-checksum is off. Copies are read back and compared"),
            None => format!("{name} has no settings to change"),
        };
        context.out.line(&text);
        return Ok(());
    };
    let trusted = choice == OnOff::On;
    context.done(api::Command::SetChecksumTrust { id, trusted })?;
    let text = if trusted {
        format!("The checksum from {name} is now trusted. Copies are no longer read back automatically")
    } else {
        format!("Copies at {name} are now read back and compared in the background")
    };
    context.say(&text, if trusted { "trusted" } else { "read_back" });
    Ok(())
}

/// How a destination is to be added.
struct AddOptions<'a> {
    name: Option<&'a str>,
    allow_http: bool,
    from_stdin: bool,
    trust_checksum: bool,
}

fn has_checksum_choice(target: &PathText) -> bool {
    matches!(Target::parse(target.path.as_bytes()), Ok(Target::Url { kind, .. }) if kind.has_checksum_choice())
}

/// The secret that goes with an address, from the person.
fn secret_for(target: &PathText, from_stdin: bool) -> Result<Option<SecretText>, CliError> {
    let kind = match Target::parse(target.path.as_bytes()) {
        Ok(Target::Url { kind, .. }) => kind,
        _ => DestinationKind::Folder,
    };
    match (kind, from_stdin) {
        (DestinationKind::Folder, true) => Err(CliError::new(Exit::Usage, "A folder has no password")),
        (_, true) => secret_input::from_stdin().map(Some),
        (kind, false) => secret_input::ask(kind),
    }
}

/// `destination password`
fn password(context: &mut CommandContext, dest: &OsStr, from_stdin: bool) -> Result<(), CliError> {
    let snapshot = context.talk.snapshot()?;
    let saved = saved_destination(dest, &snapshot)?;
    let target = PathText { path: saved.url.clone(), path_b64: None };
    let Some(secret) = secret_for(&target, from_stdin)? else {
        return Err(CliError::new(Exit::Usage, "No password was entered")
            .advise("Type it at a terminal, or use --password-stdin"));
    };
    context.done(api::Command::SetSecret { id: saved.id, secret })?;
    // It may let us in now.
    context.done(api::Command::CheckDestination { id: saved.id })?;
    context.say(&format!("The password for {} is saved in the keyring", saved.name), "kept");
    Ok(())
}

fn add(context: &mut CommandContext, dest: &OsStr, options: &AddOptions<'_>) -> Result<(), CliError> {
    let AddOptions { name, allow_http, from_stdin, trust_checksum } = *options;
    if let Some(bad) = name.filter(|name| !is_valid_name(name)) {
        return Err(CliError::new(Exit::Usage, format!("{bad} is not a valid name"))
            .advise("A name has 1 to 40 characters, without /, \\ or :, and doesn't start with - or a dot"));
    }
    let snapshot = context.talk.snapshot()?;
    let target = match destination(dest, &snapshot)? {
        DestinationArg::Saved(id) => {
            let name = name_of(&snapshot, id);
            context.say(&format!("{name} already exists"), "present");
            return Ok(());
        }
        DestinationArg::New(target) => target,
    };
    let sources: Vec<_> = snapshot
        .sources
        .iter()
        .filter_map(|source| source.path.to_bytes())
        .map(|bytes| crate::base::files::path_from_bytes(&bytes))
        .collect();
    refuse_overlap(&sources, &DestinationArg::New(target.clone()), &snapshot)?;
    let secret = secret_for(&target, from_stdin)?;
    let name = name.map(str::to_owned);
    if trust_checksum && !has_checksum_choice(&target) {
        return Err(CliError::new(Exit::Usage, "--trust-checksum is for Immich only")
            .advise("For other destinations, Safelight decides how copies are verified"));
    }
    let request =
        api::Command::AddDestination { target, name, allow_http, consent_all: false, secret, trust_checksum };
    match context.talk.call(request.into())? {
        Reply::Destination { name, .. } => {
            context
                .say(&format!("Added {name}. To back up to it: safelight backup PATH --to {name}"), "added");
            let snapshot = context.talk.snapshot()?;
            note_same_disk(context, snapshot.destinations.iter().find(|saved| saved.name == name));
            Ok(())
        }
        other => Err(unexpected(&other).into()),
    }
}

/// Says where it is so that a new destination is on the disk of the photos.
pub(super) fn note_same_disk(context: &mut CommandContext, saved: Option<&DestinationState>) {
    if saved.is_some_and(|saved| saved.same_disk) {
        context.out.note(&format!("{SAME_DISK}."));
    }
}

fn name_of(snapshot: &Snapshot, id: i64) -> &str {
    snapshot.destinations.iter().find(|saved| saved.id == id).map_or("", |saved| &saved.name)
}

fn list_destinations(context: &mut CommandContext) -> Result<(), CliError> {
    let snapshot = context.talk.snapshot()?;
    if context.out.style.is_json {
        let all: Vec<Destination<'_>> = snapshot.destinations.iter().map(Destination::of).collect();
        context.out.json(&all);
        return Ok(());
    }
    for destination in &snapshot.destinations {
        for line in destination_lines(destination) {
            context.out.line(line.strip_prefix("  ").unwrap_or(&line));
        }
    }
    Ok(())
}

fn test(context: &mut CommandContext, dest: &OsStr, allow_http: bool) -> Result<Exit, CliError> {
    let snapshot = context.talk.snapshot()?;
    let request = match destination(dest, &snapshot)? {
        DestinationArg::Saved(id) => Operation::TestDestination { id },
        DestinationArg::New(target) => {
            Operation::TestTarget { target, allow_http, secret: None, trust_checksum: false }
        }
    };
    let report = match context.talk.call(request.into())? {
        Reply::Tested(report) => report,
        other => return Err(unexpected(&other).into()),
    };
    let TestReport { is_usable, summary, details, free_bytes, warnings } = report;
    if context.out.style.is_json {
        context.out.json(&serde_json::json!({
            "usable": is_usable, "summary": summary, "details": details, "free_bytes": free_bytes,
            "warnings": warnings,
        }));
    } else if is_usable {
        context.out.line(&summary);
        for detail in &details {
            context.out.line(&format!("  {detail}"));
        }
        if let Some(free) = free_bytes {
            context.out.line(&format!("  {} free", bytes(free)));
        }
        context.out.lines(warnings);
    }
    if is_usable {
        return Ok(Exit::Fine);
    }
    let error = CliError::new(Exit::Destination, summary);
    Err(error.explain(details))
}
