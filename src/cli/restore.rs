//! `restore`.

use super::CommandContext;
use super::args::{RestoreArgs, RestoreLayoutArg};
use super::exit::{CliError, Exit};
use super::progress::call_with_progress;
use super::resolve::{absolute, saved_destination};
use super::words::path_text;
use crate::api::{
    Operation, OperationKind, Reply, RestoreLayout, RestoreOrder, RestoreResult, RestoreScope, RestoreTarget,
};
use crate::client::conversation::unexpected;
use crate::domain::format::files;

/// Copies files back.
///
/// # Errors
/// `Destination` when it cannot be reached.
pub fn run(context: &mut CommandContext, args: &RestoreArgs) -> Result<Exit, CliError> {
    let snapshot = context.talk.snapshot()?;
    let destination = saved_destination(&args.from, &snapshot)?.id;
    let into = absolute(&args.into)?;
    let layout = match args.layout {
        RestoreLayoutArg::Dates => RestoreLayout::Dates,
        RestoreLayoutArg::Folders => RestoreLayout::Folders,
    };
    let scope = args.only.clone().map_or(RestoreScope::All, RestoreScope::Glob);
    let target = RestoreTarget::Folder(path_text(&into));
    let request = Operation::Restore(RestoreOrder { destination, scope, target, layout });
    let reply = call_with_progress(context, OperationKind::Restore, request)?;
    let Reply::Restored { result, stopped } = reply else {
        return Err(unexpected(&reply).into());
    };
    let RestoreResult { restored, present, failed, sentences } = result;
    let out = &mut context.out;
    if out.style.is_json {
        out.json(&serde_json::json!({
            "restored": restored,
            "present": present,
            "failed": sentences,
            "failed_count": failed,
            "stopped": stopped.as_ref().map(|error| &error.message),
        }));
    } else {
        out.line(&format!("{} restored into {} and verified", files(restored), into.display()));
        if present > 0 {
            let verb = if present == 1 { "was" } else { "were" };
            out.line(&format!("{} {verb} already there", files(present)));
        }
    }
    for sentence in &sentences {
        out.error(&CliError::new(Exit::Attention, sentence.clone()));
    }
    let untold = failed.saturating_sub(sentences.len() as u64);
    if untold > 0 {
        let more = format!("{} more could not be restored", files(untold));
        out.error(&CliError::new(Exit::Attention, more));
    }
    if let Some(error) = stopped {
        let error = CliError::from(error);
        out.error(&error);
        out.note("Not everything was restored; run the same command again to resume");
        return Ok(error.exit);
    }
    Ok(if failed == 0 { Exit::Fine } else { Exit::Attention })
}
