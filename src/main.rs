//! Safelight's one binary: arguments in, exit code out.

use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use safelight::cli::{self, window::Opening};
use safelight::platform;
use safelight::ui::{self, Wake};

fn main() -> ExitCode {
    platform::crash::leave_no_core();
    if let Some(code) = cli::generate_docs::run(std::env::args_os()) {
        return ExitCode::from(code);
    }
    let arguments = match cli::parse(std::env::args_os()) {
        Ok(arguments) => arguments,
        Err(code) => return ExitCode::from(code),
    };
    let code = match &arguments.command {
        Some(command) => cli::run(command, &arguments.global),
        None => cli::open_window(&arguments.global, show),
    };
    ExitCode::from(code)
}

/// Shows the window until it is closed. The agent is joined while the window is still being made.
fn show(opening: &Opening) -> Result<(), String> {
    let wake = Arc::new(OnceLock::<Wake>::new());
    let wake_window = |wake: &Arc<OnceLock<Wake>>| {
        let wake = Arc::clone(wake);
        move || {
            if let Some(wake) = wake.get() {
                wake();
            }
        }
    };
    let backend =
        opening.backend(wake_window(&wake)).map_err(|error| format!("No thread can be started: {error}"))?;
    let options = ui::Options {
        preferences: opening.remembered(),
        save_preferences: Box::new(opening.remembering()),
        sign_in: opening.sign_in(wake_window(&wake)),
        starts_with_backup: opening.is_usual(),
        ..ui::Options::default()
    };
    let factory = Box::new(move |window: Wake| {
        // The first frame looks at everything, so nothing that came before is missed.
        drop(wake.set(window));
        backend
    });
    ui::run(factory, options)
}
