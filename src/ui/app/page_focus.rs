//! Which widget has the keyboard when a page comes, and after what had it is gone.

use std::time::Duration;

use eframe::egui::{Context, Id, Key};

use super::App;
use crate::ui::focus;

impl App {
    /// What the page offers takes the keyboard, if nothing has it.
    pub(super) fn focus_page(&mut self) {
        self.focus_frames = focus::FRAMES;
    }

    /// Gives the keyboard back to what had it, or else to what the page offers.
    pub(super) fn return_focus(&mut self, ctx: &Context, to: Option<Id>) {
        if let Some(id) = to {
            ctx.memory_mut(|memory| memory.request_focus(id));
        }
        self.focus_page();
    }

    /// The keyboard is never nowhere, but where the person puts it with the pointer.
    pub(super) fn settle_focus(&mut self, ctx: &Context) {
        let focused = ctx.memory(|memory| memory.focused());
        let is_lost = focused.is_none() && self.last_focus.is_some() && self.dialog.is_none();
        let by_pointer = ctx.input(|input| input.pointer.any_down() || input.pointer.any_released());
        if is_lost && !by_pointer {
            // Esc in a field ends no more than the typing.
            let by_escape = ctx.input(|input| input.key_pressed(Key::Escape));
            self.return_focus(ctx, self.last_focus.filter(|_| by_escape));
        }
        if self.focus_frames > 0 && self.dialog.is_none() {
            self.focus_frames -= 1;
            let has_none = ctx.memory(|memory| memory.focused().is_none());
            match focus::offered(ctx).filter(|_| has_none) {
                Some(id) => {
                    ctx.memory_mut(|memory| memory.request_focus(id));
                    self.focus_frames = 0;
                    // Only a frame in which it has the keyboard shows that, and keeps its arrow keys for it.
                    ctx.request_repaint();
                }
                None => ctx.request_repaint_after(Duration::from_millis(1)),
            }
        }
        self.last_focus = ctx.memory(|memory| memory.focused());
    }
}
