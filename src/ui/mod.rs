//! The window: a client that enables, shows and explains, and never does the work.
//!
//! This floor sees only the client's backend, the conversation and the domain. It must never touch
//! a file, a database or the network, never block a frame, and never repaint while nothing changes.

mod accounting;
mod address;
mod app;
mod choices;
mod commands;
mod counts;
mod destination_fields;
mod destinations;
mod dialogs;
mod draft;
#[cfg(feature = "testing")]
pub mod fake;
mod first_run;
mod focus;
mod icons;
mod kinds;
mod library;
mod model;
mod network;
mod numbers;
mod preferences;
mod queue;
mod remedy;
mod restore;
mod rules;
mod screen_context;
mod secret_input;
mod server_form;
mod settings;
mod shell;
mod status_line;
mod theme;
mod viewer;
mod widgets;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use eframe::egui::{IconData, ViewportBuilder};

pub use app::App;
pub use preferences::{Appearance, CELL_MAX, CELL_MIN, Preferences};

use crate::client::Backend;
use crate::client::sign_in::{SignInState, SignInSwitch};
use crate::client::{APP_ID, version_with_commit};

/// Wakes the window from any thread.
pub type Wake = Box<dyn Fn() + Send + Sync>;
/// Makes the backend, given what wakes the window when something has come.
pub type BackendFactory = Box<dyn FnOnce(Wake) -> Box<dyn Backend>>;

/// What came is painted this long after it came, so that a burst is painted once.
const WAKE_DELAY: Duration = Duration::from_millis(10);
/// The window's icon.
const ICON: &[u8] = include_bytes!("../../assets/icon-256.png");

/// What the window is started with.
pub struct Options {
    /// What it remembered.
    pub preferences: Preferences,
    /// Keeps what it is to remember.
    pub save_preferences: Box<dyn FnMut(&Preferences)>,
    /// Whether the agent starts at sign-in.
    pub sign_in: SignInSwitch,
    /// Switching backup on makes the agent start at sign-in too.
    pub starts_with_backup: bool,
    /// The release, for the person.
    pub version: String,
}

impl Options {
    /// Returns whether the agent starts at sign-in, or will once backup is switched on.
    fn sign_in_state(&self) -> Option<SignInState> {
        match self.sign_in.state() {
            Some(SignInState::Undecided) if !self.starts_with_backup => Some(SignInState::Off),
            state => state,
        }
    }
}

impl Default for Options {
    /// Remembers nothing.
    fn default() -> Self {
        Self {
            preferences: Preferences::default(),
            save_preferences: Box::new(|_| {}),
            sign_in: SignInSwitch::default(),
            starts_with_backup: true,
            version: version_with_commit().to_owned(),
        }
    }
}

/// Shows the window until it is closed.
///
/// # Errors
/// A sentence that says why no window can be shown.
pub fn run(factory: BackendFactory, options: Options) -> Result<(), String> {
    let mut viewport = ViewportBuilder::default()
        .with_title("Safelight")
        .with_app_id(APP_ID)
        .with_inner_size([1200.0, 800.0])
        .with_min_inner_size([480.0, 400.0])
        .with_drag_and_drop(true);
    if let Some(icon) = icon() {
        viewport = viewport.with_icon(Arc::new(icon));
    }
    let native = eframe::NativeOptions { viewport, ..eframe::NativeOptions::default() };
    eframe::run_native(
        APP_ID,
        native,
        Box::new(|cc| {
            let ctx = cc.egui_ctx.clone();
            let wake: Wake = Box::new(move || ctx.request_repaint_after(WAKE_DELAY));
            let backend = factory(wake);
            Ok(Box::new(App::new(&cc.egui_ctx, backend, options)))
        }),
    )
    .map_err(|error| format!("No window can be shown: {error}"))
}

fn icon() -> Option<IconData> {
    eframe::icon_data::from_png_bytes(ICON).ok()
}
