//! Why files wait, said once above their list where many share a reason.

use std::collections::HashMap;

use eframe::egui::{Label, Ui};

use crate::api::{QueueRow, Snapshot, WaitText};
use crate::domain::time::UnixMillis;
use crate::ui::icons::Icon;
use crate::ui::remedy;
use crate::ui::screen_context::ScreenContext;
use crate::ui::status_line;
use crate::ui::theme::{space, tokens};
use crate::ui::widgets;

/// Fewer rows than this do not share a reason.
const ROWS_MIN: usize = 2;

/// A reason that rows share.
#[derive(Debug, Clone, PartialEq)]
struct SharedWait {
    /// At this destination; `None` if at all that are listed.
    destination: Option<String>,
    wait: WaitText,
}

impl SharedWait {
    fn has(&self, row: &QueueRow) -> bool {
        let is_here = self.destination.as_ref().is_none_or(|name| *name == row.destination);
        is_here && row.wait_reason.as_ref().is_some_and(|wait| wait.kind == self.wait.kind)
    }
}

/// The reasons that stand above a list, and not in its rows.
#[derive(Debug, Clone, PartialEq, Default)]
pub(super) struct SharedWaits(Vec<SharedWait>);

impl SharedWaits {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether a row's reason is one of them.
    pub fn has(&self, row: &QueueRow) -> bool {
        self.0.iter().any(|shared| shared.has(row))
    }

    /// A line for each, with what mends it.
    pub fn ui(&self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        let model = env.model;
        let header = status_line::why_idle(&model.snapshot, &model.connection, model.now).unwrap_or_default();
        for shared in &self.0 {
            let at = shared.destination.as_deref();
            let d = at.and_then(|name| remedy::destination_named(&model.snapshot, name));
            let line = line(shared, model.now);
            let is_said = at.is_none() && header.contains(&shared.wait.summary);
            if is_said && d.is_none_or(|d| d.failure.is_none()) {
                continue;
            }
            ui.horizontal_wrapped(|ui| {
                widgets::mark(ui, Icon::Waiting, 18.0, tokens(ui).weak);
                ui.add_space(space::XS);
                ui.add(Label::new(line).wrap());
                if let Some(d) = d {
                    remedy::button_for_destination(ui, env, d, false);
                }
            });
        }
    }
}

fn line(shared: &SharedWait, now: UnixMillis) -> String {
    let reason = match shared.wait.kind.as_str() {
        // It is a reason in a row, and says nothing above a list.
        "queued" => "Uploaded next, newest first".to_owned(),
        _ => status_line::with_end(&shared.wait, now),
    };
    match &shared.destination {
        Some(name) => format!("{name}: {}", lower_waiting(&reason)),
        None => reason,
    }
}

/// After a name and a colon, `Waiting: the destination is full` is `the destination is full`.
fn lower_waiting(reason: &str) -> String {
    let rest = reason.strip_prefix("Waiting: ").unwrap_or(reason);
    crate::domain::messages::lower_first(rest)
}

/// The reasons that rows of the waiting list share: what holds for everything, what holds for a
/// destination, and the most frequent of the others that end at no known time.
pub(super) fn shared(snapshot: &Snapshot, rows: &[QueueRow], destination: Option<i64>) -> SharedWaits {
    let mut shared = Vec::new();
    let mut add = |wait: SharedWait| {
        if rows.iter().filter(|row| wait.has(row)).count() >= ROWS_MIN {
            shared.push(wait);
        }
    };
    if let Some(wait) = &snapshot.wait_reason {
        add(SharedWait { destination: None, wait: wait.clone() });
    } else {
        let here = snapshot.destinations.iter().filter(|d| destination.is_none_or(|id| id == d.id));
        for d in here {
            if let Some(wait) = &d.wait_reason {
                add(SharedWait { destination: Some(d.name.clone()), wait: wait.clone() });
            }
        }
    }
    let mut shared = SharedWaits(shared);
    let mut others: HashMap<&str, (usize, &WaitText)> = HashMap::new();
    for row in rows.iter().filter(|row| !shared.has(row)) {
        if let Some(wait) = row.wait_reason.as_ref().filter(|wait| wait.until.is_none()) {
            others.entry(wait.kind.as_str()).or_insert((0, wait)).0 += 1;
        }
    }
    let most = others.into_values().max_by_key(|(count, wait)| (*count, wait.kind.clone()));
    if let Some((_, wait)) = most.filter(|(count, _)| *count >= ROWS_MIN) {
        shared.0.push(SharedWait { destination: None, wait: wait.clone() });
    }
    shared
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::{DestinationState, PathText};
    use crate::domain::wait::WaitReason;

    const NOW: UnixMillis = UnixMillis(1_795_359_600_000);

    fn row(id: &str, destination: &str, reason: &WaitReason) -> QueueRow {
        QueueRow {
            id: id.to_owned(),
            path: PathText::from_bytes(b"/p/a.jpg"),
            destination: destination.to_owned(),
            state: "waiting".to_owned(),
            job_state: None,
            attempt: 0,
            bytes_sent: 0,
            bytes_total: 1,
            wait_reason: Some(WaitText::from(reason)),
            failure: None,
            excluded_because: None,
            asset: None,
            proved_at: None,
            decisions: Vec::new(),
        }
    }

    #[test]
    fn each_reason_is_said_once_and_a_row_says_only_its_own() {
        let away = WaitReason::Unreachable { until: UnixMillis(NOW.0 + 240_000) };
        let back_off = WaitReason::BackOff { until: UnixMillis(NOW.0 + 60_000) };
        let mut rows: Vec<QueueRow> = (0..5).map(|_| row("1", "disk", &WaitReason::Queued)).collect();
        rows.extend((0..3).map(|_| row("2", "nas", &away)));
        rows.push(row("3", "disk", &back_off));
        rows.push(row("4", "disk", &WaitReason::Settling));
        let d = |id, name: &str, wait: Option<&WaitReason>| DestinationState {
            id,
            name: name.to_owned(),
            wait_reason: wait.map(WaitText::from),
            ..DestinationState::default()
        };
        let snapshot = Snapshot {
            destinations: vec![d(1, "disk", None), d(2, "nas", Some(&away))],
            ..Snapshot::default()
        };
        let all = shared(&snapshot, &rows, None);
        let lines: Vec<String> = all.0.iter().map(|shared| line(shared, NOW)).collect();
        let lines: Vec<String> = lines.iter().map(|line| line.replace('\u{a0}', " ")).collect();
        assert_eq!(
            lines,
            ["nas: the destination cannot be reached, next try in 4 minutes", "Uploaded next, newest first"]
        );
        let own: Vec<&str> = rows.iter().filter(|row| !all.has(row)).map(|row| row.id.as_str()).collect();
        assert_eq!(own, ["3", "4"]);
        let snapshot =
            Snapshot { wait_reason: Some(WaitText::from(&WaitReason::Battery)), ..Snapshot::default() };
        let rows: Vec<QueueRow> = (0..2).map(|_| row("1", "disk", &WaitReason::Battery)).collect();
        assert_eq!(shared(&snapshot, &rows, None).0.len(), 1);
        assert!(shared(&snapshot, &rows[..1], None).is_empty(), "one row says it itself");
    }
}
