//! `source`.

use super::CommandContext;
use super::args::SourceCommand;
use super::exit::{CliError, Exit};
use super::json::Source;
use super::resolve::{DestinationArg, known_source, refuse_overlap, source_folder};
use super::status::condition;
use super::words::{path_text, unreadable_lines};
use crate::api::{self, Reply};
use crate::client::conversation::unexpected;
use crate::domain::format::files;

/// `source …`
///
/// # Errors
/// What was refused.
pub fn run(context: &mut CommandContext, command: &SourceCommand) -> Result<Exit, CliError> {
    match command {
        SourceCommand::Add { path } => {
            let path = source_folder(path)?;
            let snapshot = context.talk.snapshot()?;
            let folders: Vec<_> =
                snapshot.destinations.iter().map(|saved| DestinationArg::Saved(saved.id)).collect();
            for folder in &folders {
                refuse_overlap(std::slice::from_ref(&path), folder, &snapshot)?;
            }
            let request = api::Command::AddSource { path: path_text(&path), consent_all: false };
            match context.talk.call(request.into())? {
                Reply::Source { is_new: true, .. } => {
                    context.say(&format!("Added {}", path.display()), "added");
                }
                Reply::Source { .. } => {
                    context.say(&format!("{} already exists", path.display()), "present");
                }
                other => return Err(unexpected(&other).into()),
            }
        }
        SourceCommand::List => list_sources(context)?,
        SourceCommand::Remove { path } => {
            let snapshot = context.talk.snapshot()?;
            let id = known_source(path, &snapshot)?.id;
            context.done(api::Command::RemoveSource { id })?;
            context.say(&format!("Removed {}. Its copies were not deleted", path.display()), "removed");
        }
    }
    Ok(Exit::Fine)
}

fn list_sources(context: &mut CommandContext) -> Result<(), CliError> {
    let snapshot = context.talk.snapshot()?;
    if context.out.style.is_json {
        let all: Vec<Source<'_>> = snapshot.sources.iter().map(Source::of).collect();
        context.out.json(&all);
        return Ok(());
    }
    for source in &snapshot.sources {
        let line = format!("{}  {}{}", source.path.path, files(source.found), condition(source.state));
        context.out.line(&line);
        context
            .out
            .lines(source.note.iter().chain(&unreadable_lines(source)).map(|line| format!("  {line}")));
    }
    Ok(())
}
