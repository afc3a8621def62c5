//! Destinations that the person has removed, and may want back: they are switched off at once, and
//! forgotten when their time to be undone is over. A window that crashes meanwhile forgets nothing.

use std::sync::Arc;
use std::time::Duration;

use eframe::egui::Context;

use super::App;
use crate::api::{self, Snapshot};
use crate::client::Connection;
use crate::domain::time::UnixMillis;
use crate::ui::commands::{Command, Purpose};
use crate::ui::model::UNDO_MS;

/// A destination that is about to be forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Removal {
    /// The destination.
    pub id: i64,
    was_enabled: bool,
    /// When it is forgotten.
    until: UnixMillis,
}

impl App {
    /// Switches a destination off and hides it; it is forgotten later.
    pub(super) fn remove_destination(&mut self, id: i64) {
        let Some(d) = self.model.snapshot.destinations.iter().find(|d| d.id == id) else { return };
        let (name, was_enabled) = (d.name.clone(), d.enabled);
        let until = UnixMillis(self.model.now.0 + UNDO_MS);
        self.removals.push(Removal { id, was_enabled, until });
        if was_enabled {
            self.send(api::Command::EnableDestination { id, enabled: false }, Purpose::OnlyErrors);
        }
        let text = format!("{name} was removed. Its copies stay where they are");
        self.model.toast_with_undo(text, vec![Command::KeepDestination(id)]);
    }

    /// The person wants it back: as it was.
    pub(super) fn keep_destination(&mut self, id: i64) {
        let Some(at) = self.removals.iter().position(|removal| removal.id == id) else { return };
        if self.removals.swap_remove(at).was_enabled {
            self.send(api::Command::EnableDestination { id, enabled: true }, Purpose::OnlyErrors);
        }
    }

    /// Has the agent forget what can no longer be undone; everything, where the window is about to close.
    pub(super) fn finish_removals(&mut self, ctx: &Context, is_closing: bool) {
        if self.removals.is_empty() || self.model.connection != Connection::Connected {
            return;
        }
        let now = self.model.now;
        let (due, left) = self.removals.iter().partition(|removal| is_closing || removal.until <= now);
        self.removals = left;
        for Removal { id, .. } in due {
            self.send(api::Command::RemoveDestination { id }, Purpose::RemoveDestination(id));
            self.forgetting.push(id);
        }
        if let Some(next) = self.removals.iter().map(|removal| removal.until).min() {
            ctx.request_repaint_after(next.since(now) + Duration::from_millis(1));
        }
    }

    /// The agent has forgotten a destination, or could not.
    pub(super) fn on_destination_removed(&mut self, id: i64) {
        self.forgetting.retain(|other| *other != id);
    }

    /// The snapshot as the person sees it: without what was removed.
    pub(super) fn without_removed(&self, snapshot: Arc<Snapshot>) -> Arc<Snapshot> {
        let is_removed = |id: i64| self.removals.iter().any(|r| r.id == id) || self.forgetting.contains(&id);
        if snapshot.destinations.iter().all(|d| !is_removed(d.id)) {
            return snapshot;
        }
        let mut snapshot = Snapshot::clone(&snapshot);
        snapshot.destinations.retain(|d| !is_removed(d.id));
        snapshot.uploading.retain(|transfer| !is_removed(transfer.destination));
        Arc::new(snapshot)
    }
}
