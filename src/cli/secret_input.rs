//! A secret from the person: typed without being shown, or through standard input. Never an
//! argument, which every program on the computer could read.

use std::io::{BufRead as _, IsTerminal as _, Read as _, Write as _};
use std::process::{Command, Stdio};

use super::exit::{CliError, Exit};
use crate::api::SecretText;
use crate::domain::target::DestinationKind;

/// The longest secret in bytes.
const SECRET_BYTES_MAX: u64 = 16 * 1024;

/// The first line of standard input.
///
/// # Errors
/// `Usage` when there is none.
pub fn from_stdin() -> Result<SecretText, CliError> {
    read_line()?.ok_or_else(|| {
        CliError::new(Exit::Usage, "No password was given on standard input")
            .advise("Give it as one line, as in: safelight destination add DEST --password-stdin < FILE")
    })
}

/// Asks for what a kind of destination signs in with; none when nobody is at the terminal, or the
/// answer is empty: it may be in the environment.
///
/// # Errors
/// `Usage` when the terminal cannot be read.
pub fn ask(kind: DestinationKind) -> Result<Option<SecretText>, CliError> {
    if !std::io::stdin().is_terminal() {
        return Ok(None);
    }
    let what = match kind {
        DestinationKind::Folder => return Ok(None),
        DestinationKind::S3 => "Access key, as ID:SECRET",
        DestinationKind::Immich => "API key",
        DestinationKind::Tus | DestinationKind::Resumable => "Token",
        DestinationKind::Nextcloud => "App password",
        DestinationKind::WebDav => "Password",
    };
    let mut error = std::io::stderr();
    write!(error, "{what} (leave empty if it is set in the environment or not needed): ").ok();
    error.flush().ok();
    let _hidden = EchoGuard::start();
    let line = read_line();
    writeln!(error).ok();
    line
}

fn read_line() -> Result<Option<SecretText>, CliError> {
    let mut line = String::new();
    let read = std::io::stdin().lock().take(SECRET_BYTES_MAX).read_line(&mut line);
    read.map_err(|error| CliError::new(Exit::Usage, format!("The password cannot be read: {error}")))?;
    let text = line.trim_end_matches(['\n', '\r']);
    let secret = (!text.is_empty()).then(|| SecretText::new(text.to_owned()));
    // The line is a copy of the secret; taking it over clears it.
    drop(SecretText::new(line));
    Ok(secret)
}

/// While it lives, the terminal does not show what is typed.
struct EchoGuard;

impl EchoGuard {
    fn start() -> Option<Self> {
        stty("-echo").then_some(Self)
    }
}

impl Drop for EchoGuard {
    fn drop(&mut self) {
        stty("echo");
    }
}

fn stty(mode: &str) -> bool {
    let mut command = Command::new("stty");
    command.arg(mode).stdin(Stdio::inherit()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}
