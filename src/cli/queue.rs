//! `queue`, `retry` and `exclude`.

use crate::domain::format::{bytes, files};
use std::collections::HashSet;

use super::CommandContext;
use super::args::{ExcludeArgs, QueueArgs, RetryArgs, UntrashArgs};
use super::exit::{CliError, Exit};
use super::json::Item;
use super::words::unreadable_lines;
use crate::api::{
    self, IDS_MAX, Operation, PAGE_ROWS_MAX, Query, QueueList, QueueQuery, QueueRow, Reply, Request,
    Selection,
};
use crate::client::conversation::unexpected;
use crate::domain::cause::Cause;
use crate::domain::failure::FailureKind;
use crate::domain::ids::ItemId;

/// The lists in the order things move through them, so that what moves while they are read is seen
/// twice rather than not at all.
const NOT_SAFE: [QueueList; 5] = [
    QueueList::Waiting,
    QueueList::Uploading,
    QueueList::NeedsAttention,
    QueueList::Unproven,
    QueueList::Excluded,
];

/// Shows all that is not safe, or only what needs attention.
///
/// # Errors
/// When the engine has gone.
pub fn run(context: &mut CommandContext, args: &QueueArgs) -> Result<Exit, CliError> {
    let lists = if args.failed { &[QueueList::NeedsAttention][..] } else { &NOT_SAFE[..] };
    let mut seen = HashSet::new();
    let is_json = context.out.style.is_json;
    for list in lists {
        let mut after = None;
        loop {
            let query = QueueQuery {
                list: *list,
                destination: None,
                enabled_only: false,
                failure_kind: None,
                after,
                limit: PAGE_ROWS_MAX,
            };
            let page = match context.talk.call(Query::Queue(query).into())? {
                Reply::Queue(page) => page,
                other => return Err(unexpected(&other).into()),
            };
            for row in &page.rows {
                let is_first = seen.is_empty();
                if !seen.insert((row.id.clone(), row.destination.clone())) {
                    continue;
                }
                if is_json {
                    let start = if is_first { "[" } else { ",\n" };
                    let item = serde_json::to_string(&Item::of(row)).unwrap_or_default();
                    context.out.raw(&format!("{start}{item}"));
                } else {
                    context.out.lines(lines(row));
                }
            }
            after = page.next;
            if after.is_none() {
                break;
            }
        }
    }
    if is_json {
        context.out.raw(if seen.is_empty() { "[]\n" } else { "]\n" });
        return Ok(Exit::Fine);
    }
    let snapshot = context.talk.snapshot()?;
    let folders: Vec<String> = snapshot.sources.iter().flat_map(unreadable_lines).collect();
    match (seen.is_empty(), folders.is_empty()) {
        (true, true) if args.failed => context.out.line("Nothing needs attention"),
        (true, true) => context.out.line("Everything is backed up"),
        _ => context.out.lines(folders),
    }
    Ok(Exit::Fine)
}

/// A row and what is known of it.
fn lines(row: &QueueRow) -> Vec<String> {
    let state = match row.state.as_str() {
        "needs_attention" => "needs attention",
        "excluded" => "left out",
        state => state,
    };
    let mut text = format!("{:>8}  {state}  {} → {}", row.id, row.path.path, row.destination);
    if row.state == "uploading" && row.bytes_total > 0 {
        text += &format!("  {} of {}", bytes(row.bytes_sent), bytes(row.bytes_total));
    }
    let more = if let Some(failure) = &row.failure {
        Some(format!("{}. {}", failure.summary, failure.advice))
    } else if let Some(because) = &row.excluded_because {
        Some(because.clone())
    } else {
        row.wait_reason.as_ref().map(|reason| {
            let until = reason.until.as_ref().map(|until| format!(" (until {until})"));
            format!("{}{}", reason.summary, until.unwrap_or_default())
        })
    };
    let details = row.failure.as_ref().map(|failure| failure.details.clone()).filter(|text| !text.is_empty());
    std::iter::once(text)
        .chain(more.into_iter().chain(details).map(|more| format!("          {more}")))
        .collect()
}

/// Retries failed files.
///
/// # Errors
/// `Usage` for an id or a kind that is none.
pub fn retry(context: &mut CommandContext, args: &RetryArgs) -> Result<Exit, CliError> {
    let selections = match &args.kind {
        _ if args.all => vec![Selection::All],
        Some(kind) if !is_class(kind) => {
            let kinds: Vec<&str> = FailureKind::ALL.into_iter().map(FailureKind::as_str).collect();
            return Err(CliError::new(Exit::Usage, format!("{kind} is not a kind of failure"))
                .advise(format!("The kinds are: {}", kinds.join(", "))));
        }
        Some(kind) => vec![Selection::Kind(kind.clone())],
        None => items(&args.ids)?,
    };
    let changed = change(context, selections, api::Command::Retry)?;
    tell(context, changed, "Retrying", "");
    Ok(Exit::Fine)
}

/// A kind, or a class: a kind, a dot, and a cause or nothing.
fn is_class(text: &str) -> bool {
    match text.split_once('.') {
        None => FailureKind::parse(text).is_some(),
        Some((kind, cause)) => {
            FailureKind::parse(kind).is_some() && (cause.is_empty() || Cause::parse(cause).is_some())
        }
    }
}

/// Leaves files out of the backup.
///
/// # Errors
/// `Usage` for an id that is none.
pub fn exclude(context: &mut CommandContext, args: &ExcludeArgs) -> Result<Exit, CliError> {
    let changed = change(context, items(&args.ids)?, api::Command::Exclude)?;
    tell(context, changed, "Left", "out");
    Ok(Exit::Fine)
}

/// Takes files out of their server's trash. They are tried again, which finds them there.
///
/// # Errors
/// `Usage` for an id that is none, `Destination` when a server refuses.
pub fn untrash(context: &mut CommandContext, args: &UntrashArgs) -> Result<Exit, CliError> {
    let selections = if args.all { vec![Selection::All] } else { items(&args.ids)? };
    let changed = change(context, selections, Operation::RestoreFromTrash)?;
    tell(context, changed, "Took", "out of the trash");
    Ok(Exit::Fine)
}

fn items(ids: &[String]) -> Result<Vec<Selection>, CliError> {
    if let Some(bad) = ids.iter().find(|id| id.parse::<ItemId>().is_err()) {
        return Err(CliError::new(Exit::Usage, format!("{bad} is not the id of a file in the queue"))
            .advise("To see the ids: safelight queue"));
    }
    Ok(ids.chunks(IDS_MAX).map(|ids| Selection::Items(ids.to_vec())).collect())
}

fn change<R: Into<Request>>(
    context: &mut CommandContext,
    selections: Vec<Selection>,
    request: impl Fn(Selection) -> R,
) -> Result<u64, CliError> {
    let mut changed = 0;
    for selection in selections {
        match context.talk.call(request(selection).into())? {
            Reply::Changed { items } => changed += items,
            other => return Err(unexpected(&other).into()),
        }
    }
    Ok(changed)
}

fn tell(context: &mut CommandContext, changed: u64, before: &str, after: &str) {
    if context.out.style.is_json {
        context.out.json(&serde_json::json!({ "changed": changed }));
    } else if changed == 0 {
        context.out.line("Nothing to change");
    } else {
        context.out.line(format!("{before} {} {after}", files(changed)).trim_end());
    }
}
