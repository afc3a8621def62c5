//! Telling how far something is, as often as who reads it wants to know.

use crate::domain::format::{bytes, duration, files, number};
use std::time::Duration;

use super::CommandContext;
use super::exit::CliError;
use super::output::Output;
use crate::api::{Operation, OperationKind, Progress, Reply};

/// The least time between two progress lines for programs.
const JSON_EVERY: Duration = Duration::from_millis(200);
/// The time between two progress lines in a log.
const LOG_EVERY: Duration = Duration::from_secs(10);

/// The last that was told.
#[derive(Debug, Default)]
pub struct ProgressPrinter {
    said: String,
    said_at: Option<Duration>,
}

impl ProgressPrinter {
    /// Tells `text`, a line for people or one of JSON, at the time `now`. Returns how long until what
    /// could not be told yet is due.
    pub fn print(&mut self, out: &mut Output, text: String, now: Duration) -> Option<Duration> {
        let style = out.style;
        if style.is_quiet || text.is_empty() || text == self.said {
            return None;
        }
        if style.is_terminal && !style.is_json {
            out.progress(&text);
            self.said = text;
            return None;
        }
        let every = if style.is_json { JSON_EVERY } else { LOG_EVERY };
        let due = self.said_at.map_or(now, |at| at + every);
        if due > now {
            return Some(due - now);
        }
        self.said_at = Some(now);
        if style.is_json {
            out.raw(&format!("{text}\n"));
        } else {
            out.line(&text);
        }
        self.said = text;
        None
    }

    /// Whether this was told last.
    pub fn has_printed(&self, text: &str) -> bool {
        self.said == text
    }
}

/// How far it is, for people: files, bytes, speed and time left, as far as they are known. Empty as
/// long as it is unknown how much there is to do.
pub fn line(what: &str, progress: &Progress) -> String {
    let Progress { files_done, files_total, bytes_done, bytes_total, bytes_per_sec, secs_left } = progress;
    if *files_total == 0 {
        return String::new();
    }
    let mut parts = vec![format!("{what} {} of {}", number(*files_done), files(*files_total))];
    if *bytes_total > 0 {
        parts.push(format!("{} of {}", bytes(*bytes_done), bytes(*bytes_total)));
    }
    if *bytes_per_sec > 0 {
        parts.push(format!("{}/s", bytes(*bytes_per_sec)));
    }
    if let Some(secs) = secs_left {
        parts.push(format!("{} left", duration(*secs)));
    }
    parts.join(" · ")
}

/// Calls, and prints the progress until the reply comes.
///
/// # Errors
/// What was refused.
pub fn call_with_progress(
    context: &mut CommandContext,
    kind: OperationKind,
    operation: Operation,
) -> Result<Reply, CliError> {
    let what = match kind {
        OperationKind::Verify => "Verified",
        OperationKind::Restore => "Restored",
    };
    let CommandContext { talk, out, elapsed, .. } = context;
    let mut printer = ProgressPrinter::default();
    let reply = talk.call_watched(operation.into(), &mut |snapshot| {
        let reading = snapshot.reading.iter().find(|reading| reading.kind == kind);
        if let Some(reading) = reading.filter(|_| !out.style.is_json) {
            // What is not due yet is told with a later snapshot.
            printer.print(out, line(what, &reading.progress), elapsed());
        }
    });
    Ok(reply?)
}
