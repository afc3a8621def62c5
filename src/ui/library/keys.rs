//! The grid's keys: a roving place that moves, selects and opens.

use eframe::egui::{EventFilter, Key, Modifiers, Response, Ui};

use super::Library;
use super::grid::too_many;
use crate::ui::commands::Command;
use crate::ui::numbers::floor_to_usize;
use crate::ui::screen_context::ScreenContext;

const FILTER: EventFilter =
    EventFilter { tab: false, horizontal_arrows: true, vertical_arrows: true, escape: true };

const MOVES: [Key; 8] = [
    Key::ArrowLeft,
    Key::ArrowRight,
    Key::ArrowUp,
    Key::ArrowDown,
    Key::Home,
    Key::End,
    Key::PageUp,
    Key::PageDown,
];

impl Library {
    pub(super) fn keys(&mut self, ui: &Ui, env: &mut ScreenContext<'_>, response: &Response) {
        if !response.has_focus() {
            return;
        }
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, FILTER));
        for key in MOVES {
            for (modifiers, extends) in [(Modifiers::SHIFT, true), (Modifiers::NONE, false)] {
                if ui.input_mut(|input| input.consume_key(modifiers, key)) {
                    self.go(key, extends, env);
                }
            }
        }
        if ui.input_mut(|input| input.consume_key(Modifiers::COMMAND, Key::A)) {
            let total = self.layout.total();
            if total > 0 && !self.selection.all(total) {
                env.out.push(too_many());
            }
        }
        if ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Escape)) {
            if self.selection.ids().is_empty() {
                self.shows_cursor = false;
            }
            self.selection.clear();
        }
        for (key, step) in [(Key::Plus, 1), (Key::Equals, 1), (Key::Minus, -1)] {
            if ui.input_mut(|input| input.consume_key(Modifiers::NONE, key)) {
                env.out.push(Command::Zoom(step));
            }
        }
        let opens = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Enter));
        let selects = ui.input_mut(|input| input.consume_key(Modifiers::NONE, Key::Space));
        if !opens && !selects {
            return;
        }
        let Some(index) = self.selection.cursor else { return };
        let Some(row) = self.row_at(index, env) else { return };
        if opens {
            env.out.push(Command::OpenAsset { asset: row.id, index: Some(index) });
        } else if !self.selection.toggle(index, row.id, row.badge) {
            env.out.push(too_many());
        }
    }

    fn go(&mut self, key: Key, extends: bool, env: &mut ScreenContext<'_>) {
        let total = self.layout.total();
        let Some(last) = total.checked_sub(1) else { return };
        let to = match self.selection.cursor {
            None if matches!(key, Key::Home | Key::End) => self.target(key, 0, last),
            None => self.first_seen(),
            Some(at) => self.target(key, at, last),
        };
        self.shows_cursor = true;
        self.reveal = true;
        if !extends {
            self.selection.move_to(to);
        } else if !self.selection.extend_to(to) {
            env.out.push(too_many());
        }
    }

    fn target(&self, key: Key, at: usize, last: usize) -> usize {
        match key {
            Key::ArrowLeft => at.saturating_sub(1),
            Key::ArrowRight => (at + 1).min(last),
            Key::ArrowUp => self.layout.step(at, false),
            Key::ArrowDown => self.layout.step(at, true),
            Key::Home => 0,
            Key::End => last,
            Key::PageUp => self.rows(at, false),
            _ => self.rows(at, true),
        }
    }

    fn rows(&self, at: usize, down: bool) -> usize {
        let rows = floor_to_usize(self.page_height / self.layout.cell().max(1.0)).max(1);
        (0..rows).fold(at, |at, _| self.layout.step(at, down))
    }

    fn first_seen(&self) -> usize {
        let bottom = self.scroll + f64::from(self.page_height);
        self.layout
            .visible(self.scroll, bottom)
            .into_iter()
            .find_map(|item| match item {
                super::layout::Item::Cell { index, .. } => Some(index),
                _ => None,
            })
            .unwrap_or(0)
    }
}
