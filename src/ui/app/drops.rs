//! Folders that come from outside: dropped on the window, or picked in the folder dialog.

use eframe::egui::Context;

use super::App;
use crate::api::PathText;
use crate::ui::commands::{Command, PickFor, Screen};
use crate::ui::screen_context::add_source;

impl App {
    /// What a folder that is dropped now is for.
    pub(super) fn drop_goes_to(&self) -> PickFor {
        let first_run_waits_for_place = self.first_run == Some(true)
            && !self.model.snapshot.sources.is_empty()
            && self.model.snapshot.destinations.is_empty()
            && !self.draft.is_usable();
        let form_is_open = self.screen == Screen::Destinations
            && (self.destinations.is_adding() || self.model.snapshot.destinations.is_empty());
        if first_run_waits_for_place || (form_is_open && self.first_run != Some(true)) {
            PickFor::Destination
        } else if self.screen == Screen::Restore && self.first_run != Some(true) {
            PickFor::Restore
        } else {
            PickFor::Source
        }
    }

    /// Takes in what was dropped on the window.
    pub(super) fn dropped(&mut self, ctx: &Context, out: &mut Vec<Command>) {
        let dropped = ctx.input_mut(|input| std::mem::take(&mut input.raw.dropped_files));
        for file in dropped {
            let path = path_text(file.path());
            self.take_path(self.drop_goes_to(), path, out);
        }
    }

    /// A folder was picked or dropped.
    pub(super) fn take_path(&mut self, goes_to: PickFor, path: PathText, out: &mut Vec<Command>) {
        match goes_to {
            PickFor::Source => out.push(add_source(&self.model, path)),
            PickFor::Destination => self.draft.set(path, out),
            PickFor::Restore => self.restore.set_folder(path),
            PickFor::Authority => {
                self.settings.network.set_authority(path, &self.model.snapshot.network, out);
            }
        }
    }
}

#[cfg(unix)]
fn path_text(path: &std::path::Path) -> PathText {
    use std::os::unix::ffi::OsStrExt as _;
    PathText::from_bytes(path.as_os_str().as_bytes())
}
