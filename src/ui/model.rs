//! What the window knows: the newest snapshot, the line to the agent, and what to say for a moment.
//!
//! Screens read it and never change it.

use std::collections::VecDeque;
use std::sync::Arc;

use super::commands::Command;
use crate::api::Snapshot;
use crate::client::Connection;
use crate::domain::time::UnixMillis;

/// How long a sentence stays, in milliseconds.
const TOAST_MS: i64 = 6_000;
/// How long a sentence stays that offers to undo what it tells of, in milliseconds.
pub(super) const UNDO_MS: i64 = 15_000;
/// Sentences shown at once.
const TOASTS_MAX: usize = 3;

/// A sentence that is shown for a moment.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Toast {
    /// The sentence.
    pub text: String,
    /// What undoes what it tells of; nothing if that cannot be undone.
    pub undo: Vec<Command>,
    /// When it goes.
    pub until: UnixMillis,
}

/// What the window knows.
#[derive(Debug)]
pub(super) struct Model {
    /// The newest snapshot.
    pub snapshot: Arc<Snapshot>,
    /// The line to the agent.
    pub connection: Connection,
    /// The time of this frame.
    pub now: UnixMillis,
    /// The newest last.
    pub toasts: VecDeque<Toast>,
}

impl Model {
    /// Shows a sentence for a moment. The same sentence is not shown twice at once.
    pub fn toast(&mut self, text: impl Into<String>) {
        self.toast_with_undo(text, Vec::new());
    }

    /// [`Self::toast`], with what undoes what it tells of.
    pub fn toast_with_undo(&mut self, text: impl Into<String>, undo: Vec<Command>) {
        let text = text.into();
        let lasts = if undo.is_empty() { TOAST_MS } else { UNDO_MS };
        self.toasts.retain(|toast| toast.text != text);
        if self.toasts.len() >= TOASTS_MAX {
            self.toasts.pop_front();
        }
        self.toasts.push_back(Toast { text, undo, until: UnixMillis(self.now.0 + lasts) });
    }

    /// What undoes the newest change that can be undone. Its sentence goes.
    pub fn take_undo(&mut self) -> Vec<Command> {
        let at = self.toasts.iter().rposition(|toast| !toast.undo.is_empty());
        at.and_then(|at| self.toasts.remove(at)).map(|toast| toast.undo).unwrap_or_default()
    }

    /// Drops the sentences whose time is over.
    pub fn expire_toasts(&mut self) {
        let now = self.now;
        self.toasts.retain(|toast| toast.until > now);
    }

    /// A destination's name.
    pub fn destination_name(&self, id: i64) -> &str {
        self.snapshot.destinations.iter().find(|d| d.id == id).map_or("", |d| &d.name)
    }
}
