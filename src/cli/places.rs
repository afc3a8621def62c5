//! `source` and `destination`.

use std::ffi::OsStr;

use super::args::{DestinationCommand, OnOff, SourceCommand};
use super::exit::{Exit, Trouble};
use super::json::{Destination, Source};
use super::resolve::{Dest, destination, known_source, refuse_overlap, saved_destination, source_folder};
use super::status::{condition, destination_lines};
use super::words::{files, path_text, size, unreadable_lines};
use super::{Desk, enter};
use crate::api::{DestinationState, PathText, Reply, Request, SecretText, Snapshot, TestReport};
use crate::client::conversation::unexpected;
use crate::domain::messages::SAME_DISK;
use crate::domain::target::{DestinationKind, Target, is_valid_name};

/// `source …`
///
/// # Errors
/// What was refused.
pub fn source(desk: &mut Desk, command: &SourceCommand) -> Result<Exit, Trouble> {
    match command {
        SourceCommand::Add { path } => {
            let path = source_folder(path)?;
            let snapshot = desk.talk.snapshot()?;
            let folders: Vec<_> = snapshot.destinations.iter().map(|saved| Dest::Saved(saved.id)).collect();
            for folder in &folders {
                refuse_overlap(std::slice::from_ref(&path), folder, &snapshot)?;
            }
            let request = Request::AddSource { path: path_text(&path), consent_all: false };
            match desk.talk.call(request)? {
                Reply::Source { is_new: true, .. } => {
                    desk.say(&format!("Added {}", path.display()), "added");
                }
                Reply::Source { .. } => {
                    desk.say(&format!("{} already exists", path.display()), "present");
                }
                other => return Err(unexpected(&other).into()),
            }
        }
        SourceCommand::List => list_sources(desk)?,
        SourceCommand::Remove { path } => {
            let snapshot = desk.talk.snapshot()?;
            let id = known_source(path, &snapshot)?.id;
            desk.done(Request::RemoveSource { id })?;
            desk.say(&format!("Removed {}; its copies stay", path.display()), "removed");
        }
    }
    Ok(Exit::Fine)
}

fn list_sources(desk: &mut Desk) -> Result<(), Trouble> {
    let snapshot = desk.talk.snapshot()?;
    if desk.out.style.is_json {
        let all: Vec<Source<'_>> = snapshot.sources.iter().map(Source::of).collect();
        desk.out.json(&all);
        return Ok(());
    }
    for source in &snapshot.sources {
        let line = format!("{}  {}{}", source.path.path, files(source.found), condition(source.state));
        desk.out.line(&line);
        desk.out.lines(source.note.iter().chain(&unreadable_lines(source)).map(|line| format!("  {line}")));
    }
    Ok(())
}

/// `destination …`
///
/// # Errors
/// What was refused.
pub fn destinations(desk: &mut Desk, command: &DestinationCommand) -> Result<Exit, Trouble> {
    match command {
        DestinationCommand::Add { dest, name, allow_http, password_stdin, trust_checksum } => {
            let options = New {
                name: name.as_deref(),
                allow_http: *allow_http,
                from_stdin: *password_stdin,
                trust_checksum: *trust_checksum,
            };
            add(desk, dest, &options)?;
        }
        DestinationCommand::Rename { dest, name } => {
            let (id, old) = saved(desk, dest)?;
            desk.done(Request::RenameDestination { id, name: name.clone() })?;
            desk.say(&format!("{old} is now called {name}"), "renamed");
        }
        DestinationCommand::Password { dest, password_stdin } => password(desk, dest, *password_stdin)?,
        DestinationCommand::Settings { dest, trust_checksum } => settings(desk, dest, *trust_checksum)?,
        DestinationCommand::List => list_destinations(desk)?,
        DestinationCommand::Test { dest, allow_http } => return test(desk, dest, *allow_http),
        DestinationCommand::Remove { dest } => {
            let (id, name) = saved(desk, dest)?;
            desk.done(Request::RemoveDestination { id })?;
            desk.say(&format!("Removed {name}; the copies in it stay"), "removed");
        }
        DestinationCommand::Enable { dest } => {
            let (id, name) = saved(desk, dest)?;
            desk.done(Request::EnableDestination { id, enabled: true })?;
            desk.say(&format!("{name} is on"), "enabled");
        }
        DestinationCommand::Disable { dest } => {
            let (id, name) = saved(desk, dest)?;
            desk.done(Request::EnableDestination { id, enabled: false })?;
            desk.say(&format!("{name} is switched off; its history stays"), "disabled");
        }
    }
    Ok(Exit::Fine)
}

fn saved(desk: &mut Desk, dest: &OsStr) -> Result<(i64, String), Trouble> {
    let snapshot = desk.talk.snapshot()?;
    let saved = saved_destination(dest, &snapshot)?;
    Ok((saved.id, saved.name.clone()))
}

/// `destination settings`
fn settings(desk: &mut Desk, dest: &OsStr, trust_checksum: Option<OnOff>) -> Result<(), Trouble> {
    let snapshot = desk.talk.snapshot()?;
    let saved = saved_destination(dest, &snapshot)?;
    let (id, name) = (saved.id, saved.name.clone());
    let Some(choice) = trust_checksum else {
        let text = match saved.trusts_checksum {
            Some(true) => format!("{name}: trust-checksum on, the server's checksum counts as proof"),
            Some(false) => format!("{name}: trust-checksum off, copies are read back and compared"),
            None => format!("{name} has no settings of its own"),
        };
        desk.out.line(&text);
        return Ok(());
    };
    let trusted = choice == OnOff::On;
    desk.done(Request::SetChecksumTrust { id, trusted })?;
    let text = if trusted {
        format!("The server's checksum counts as proof at {name}; copies are not read back by themselves")
    } else {
        format!("Copies at {name} are read back and compared in the background")
    };
    desk.say(&text, if trusted { "trusted" } else { "read_back" });
    Ok(())
}

/// How a destination is to be added.
struct New<'a> {
    name: Option<&'a str>,
    allow_http: bool,
    from_stdin: bool,
    trust_checksum: bool,
}

fn has_checksum_choice(target: &PathText) -> bool {
    matches!(Target::parse(target.path.as_bytes()), Ok(Target::Url { kind, .. }) if kind.has_checksum_choice())
}

/// The secret that goes with an address, from the person.
fn secret_for(target: &PathText, from_stdin: bool) -> Result<Option<SecretText>, Trouble> {
    let kind = match Target::parse(target.path.as_bytes()) {
        Ok(Target::Url { kind, .. }) => kind,
        _ => DestinationKind::Folder,
    };
    match (kind, from_stdin) {
        (DestinationKind::Folder, true) => Err(Trouble::new(Exit::Usage, "A folder has no password")),
        (_, true) => enter::from_stdin().map(Some),
        (kind, false) => enter::ask(kind),
    }
}

/// `destination password`
fn password(desk: &mut Desk, dest: &OsStr, from_stdin: bool) -> Result<(), Trouble> {
    let snapshot = desk.talk.snapshot()?;
    let saved = saved_destination(dest, &snapshot)?;
    let target = PathText { path: saved.url.clone(), path_b64: None };
    let Some(secret) = secret_for(&target, from_stdin)? else {
        return Err(Trouble::new(Exit::Usage, "No password was entered")
            .advise("Type it at a terminal, or use --password-stdin"));
    };
    desk.done(Request::SetSecret { id: saved.id, secret })?;
    // It may let us in now.
    desk.done(Request::CheckDestination { id: saved.id })?;
    desk.say(&format!("The password of {} is kept in the keyring", saved.name), "kept");
    Ok(())
}

fn add(desk: &mut Desk, dest: &OsStr, options: &New<'_>) -> Result<(), Trouble> {
    let New { name, allow_http, from_stdin, trust_checksum } = *options;
    if let Some(bad) = name.filter(|name| !is_valid_name(name)) {
        return Err(Trouble::new(Exit::Usage, format!("{bad} cannot be a name"))
            .advise("A name has 1 to 40 characters, without /, \\ or :, and doesn't start with - or a dot"));
    }
    let snapshot = desk.talk.snapshot()?;
    let target = match destination(dest, &snapshot)? {
        Dest::Saved(id) => {
            let name = name_of(&snapshot, id);
            desk.say(&format!("{name} already exists"), "present");
            return Ok(());
        }
        Dest::New(target) => target,
    };
    let sources: Vec<_> = snapshot
        .sources
        .iter()
        .filter_map(|source| source.path.to_bytes())
        .map(|bytes| crate::base::files::path_from_bytes(&bytes))
        .collect();
    refuse_overlap(&sources, &Dest::New(target.clone()), &snapshot)?;
    let secret = secret_for(&target, from_stdin)?;
    let name = name.map(str::to_owned);
    if trust_checksum && !has_checksum_choice(&target) {
        return Err(Trouble::new(Exit::Usage, "--trust-checksum is for Immich only")
            .advise("Elsewhere Safelight finds out by itself how copies are proved"));
    }
    let request =
        Request::AddDestination { target, name, allow_http, consent_all: false, secret, trust_checksum };
    match desk.talk.call(request)? {
        Reply::Destination { name, .. } => {
            desk.say(
                &format!("Added {name}. Nothing is backed up there yet: safelight backup PATH --to {name}"),
                "added",
            );
            let snapshot = desk.talk.snapshot()?;
            note_same_disk(desk, snapshot.destinations.iter().find(|saved| saved.name == name));
            Ok(())
        }
        other => Err(unexpected(&other).into()),
    }
}

/// Says where it is so that a new destination is on the disk of the photos.
pub(super) fn note_same_disk(desk: &mut Desk, saved: Option<&DestinationState>) {
    if saved.is_some_and(|saved| saved.same_disk) {
        desk.out.note(&format!("{SAME_DISK}."));
    }
}

fn name_of(snapshot: &Snapshot, id: i64) -> &str {
    snapshot.destinations.iter().find(|saved| saved.id == id).map_or("", |saved| &saved.name)
}

fn list_destinations(desk: &mut Desk) -> Result<(), Trouble> {
    let snapshot = desk.talk.snapshot()?;
    if desk.out.style.is_json {
        let all: Vec<Destination<'_>> = snapshot.destinations.iter().map(Destination::of).collect();
        desk.out.json(&all);
        return Ok(());
    }
    for destination in &snapshot.destinations {
        for line in destination_lines(destination) {
            desk.out.line(line.strip_prefix("  ").unwrap_or(&line));
        }
    }
    Ok(())
}

fn test(desk: &mut Desk, dest: &OsStr, allow_http: bool) -> Result<Exit, Trouble> {
    let snapshot = desk.talk.snapshot()?;
    let request = match destination(dest, &snapshot)? {
        Dest::Saved(id) => Request::TestDestination { id },
        Dest::New(target) => Request::TestTarget { target, allow_http, secret: None, trust_checksum: false },
    };
    let report = match desk.talk.call(request)? {
        Reply::Tested(report) => report,
        other => return Err(unexpected(&other).into()),
    };
    let TestReport { is_usable, summary, details, free_bytes, warnings } = report;
    if desk.out.style.is_json {
        desk.out.json(&serde_json::json!({
            "usable": is_usable, "summary": summary, "details": details, "free_bytes": free_bytes,
            "warnings": warnings,
        }));
    } else if is_usable {
        desk.out.line(&summary);
        for detail in &details {
            desk.out.line(&format!("  {detail}"));
        }
        if let Some(free) = free_bytes {
            desk.out.line(&format!("  {} free", size(free)));
        }
        desk.out.lines(warnings);
    }
    if is_usable {
        return Ok(Exit::Fine);
    }
    let trouble = Trouble::new(Exit::Destination, summary);
    Err(trouble.explain(details))
}
