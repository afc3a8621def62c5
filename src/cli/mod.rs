//! The command line: one client of the agent among others.
//!
//! Output and exit codes are a contract. This floor must never do the engine's work, never take a
//! secret as an argument, and never print anything but its result on standard output.

pub mod args;
mod background;
mod backup;
mod connect;
mod counts;
mod destination;
mod exit;
pub mod generate_docs;
mod json;
mod output;
mod progress;
mod queue;
mod resolve;
mod restore;
mod secret_input;
mod service;
mod settings;
mod sign_in;
mod signals;
mod source;
mod status;
mod support;
#[cfg(test)]
mod tests;
mod verify;
pub mod window;
mod words;

use std::ffi::OsString;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::Parser as _;

pub use args::{Arguments, Command, Global};
pub use exit::{CliError, Exit};
pub use output::Output;

use crate::agent::{self, StartEngine};
use crate::api::{self, Reply, Request};
use crate::client::conversation::{Conversation, unexpected};
use crate::platform::log::{self, LogGuard, Sink};
use crate::platform::paths::{DATA_DIR_VARIABLE, Environment, Paths};
use signals::Signals;

/// Reads the arguments. Help, the version and mistakes are printed, and the exit code comes back.
///
/// # Errors
/// The exit code, when there is nothing more to do.
pub fn parse(words: impl IntoIterator<Item = OsString>) -> Result<Arguments, u8> {
    Arguments::try_parse_from(words).map_err(|error| {
        // Nobody may be reading; the code says it too.
        error.print().ok();
        u8::try_from(error.exit_code()).unwrap_or(Exit::Usage.code())
    })
}

/// Runs one command and returns the exit code.
pub fn run(command: &Command, global: &Global) -> u8 {
    let mut out = Output::of_process(global.json, global.quiet);
    let start_engine = agent::system_engine();
    let exit = match command {
        Command::Agent(args) => background::run(args, global, &mut out, start_engine),
        Command::Service(command) => service::run(command, global, &mut out),
        Command::Support(args) => support::run(args, global, &mut out, start_engine),
        other => client(other, global, out, start_engine),
    };
    exit.code()
}

/// Opens the window through `show` and returns the exit code. An open window is brought to the front
/// instead.
pub fn open_window(global: &Global, show: impl FnOnce(&window::Opening) -> Result<(), String>) -> u8 {
    let shown = match window::open(global) {
        Ok(Some(opening)) => show(&opening).map_err(|why| {
            CliError::new(Exit::Internal, why)
                .advise("The commands work without a window. To see them: safelight --help")
        }),
        Ok(None) => Ok(()),
        Err(error) => Err(error),
    };
    match shown {
        Ok(()) => Exit::Fine.code(),
        Err(error) => {
            Output::of_process(global.json, global.quiet).error(&error);
            error.exit.code()
        }
    }
}

/// Where this process works.
struct Workspace {
    paths: Paths,
    verbosity: u8,
}

impl Workspace {
    fn prepare(global: &Global) -> Result<Self, CliError> {
        let variable =
            || std::env::var_os(DATA_DIR_VARIABLE).filter(|dir| !dir.is_empty()).map(PathBuf::from);
        let chosen = global.data_dir.clone().or_else(variable);
        let paths = Paths::prepare(chosen.as_deref(), &Environment::of_process())
            .map_err(|error| CliError::new(Exit::Internal, error.to_string()))?;
        Ok(Self { paths, verbosity: global.verbose })
    }

    /// Starts logging; to standard error where the person wants to look on.
    fn log(&self, otherwise: Sink<'_>) -> Option<LogGuard> {
        let sink = if self.verbosity > 0 { Sink::Stderr } else { otherwise };
        let guard = log::start(sink, self.verbosity);
        log::log_panics();
        // Without a log the work goes on all the same.
        guard.ok()
    }
}

/// What a command works with.
struct CommandContext {
    talk: Box<dyn Conversation>,
    /// The engine began with this command: it looks through every source by itself.
    is_new_engine: bool,
    out: Output,
    /// Time since the start, by a clock that does not jump.
    elapsed: Box<dyn Fn() -> Duration>,
}

impl CommandContext {
    /// A request whose only answer is that it was done.
    fn done(&mut self, request: impl Into<Request>) -> Result<(), CliError> {
        match self.talk.call(request.into())? {
            Reply::Done => Ok(()),
            other => Err(unexpected(&other).into()),
        }
    }

    /// The outcome of a change: a sentence, or one word as JSON.
    fn say(&mut self, sentence: &str, word: &str) {
        if self.out.style.is_json {
            self.out.json(&serde_json::json!({ "result": word }));
        } else {
            self.out.line(sentence);
        }
    }
}

/// Runs a command that talks with the engine.
fn client(command: &Command, global: &Global, mut out: Output, start_engine: StartEngine) -> Exit {
    let signals = match Signals::listen() {
        Ok(signals) => signals,
        Err(error) => {
            out.error(&CliError::new(Exit::Internal, format!("Cannot install signal handlers: {error}")));
            return Exit::Internal;
        }
    };
    let joined = Workspace::prepare(global).and_then(|place| {
        let dir = place.paths.log_dir();
        let log = place.log(Sink::File { dir: &dir, name: "command" });
        Ok((connect::join(&place.paths, start_engine)?, log, place.paths))
    });
    let (joined, _log, paths) = match joined {
        Ok(joined) => joined,
        Err(error) => {
            out.error(&error);
            return error.exit;
        }
    };
    signals.interrupt(joined.talk.interrupter());
    let began = Instant::now();
    let connect::Connection { talk, host } = joined;
    let is_new_engine = host.is_some();
    let mut context = CommandContext { talk, is_new_engine, out, elapsed: Box::new(move || began.elapsed()) };
    let outcome = dispatch(&mut context, command, &paths);
    let CommandContext { talk, mut out, .. } = context;
    out.clear_progress();
    let exit = match outcome {
        _ if signals.was_interrupted() => Exit::Interrupted,
        Ok(exit) => exit,
        Err(error) => {
            out.error(&error);
            error.exit
        }
    };
    connect::Connection { talk, host }.leave();
    exit
}

fn dispatch(context: &mut CommandContext, command: &Command, paths: &Paths) -> Result<Exit, CliError> {
    match command {
        Command::Agent(_) | Command::Service(_) | Command::Support(_) => {
            Err(CliError::new(Exit::Internal, "Internal error: this command needs no connection"))
        }
        Command::Backup(args) => backup::run(context, args, |out| sign_in::start_with_backup(paths, out)),
        Command::Source(command) => source::run(context, command),
        Command::Destination(command) => destination::run(context, command),
        Command::Status => status::run(context),
        Command::Queue(args) => queue::run(context, args),
        Command::Retry(args) => queue::retry(context, args),
        Command::Exclude(args) => queue::exclude(context, args),
        Command::Settings(args) => {
            if let Some(choice) = &args.start_at_sign_in {
                sign_in::set(paths, choice == "on")?;
            }
            let entry = sign_in::entry(paths);
            settings::run(context, args, entry.and_then(|entry| entry.state().ok()))
        }
        Command::Untrash(args) => queue::untrash(context, args),
        Command::Pause => {
            context.done(api::Command::Pause { for_secs: None })?;
            context.say("Paused. To resume: safelight resume", "paused");
            Ok(Exit::Fine)
        }
        Command::Resume => {
            context.done(api::Command::Resume)?;
            context.say("Resumed", "resumed");
            Ok(Exit::Fine)
        }
        Command::Verify(args) => verify::run(context, args),
        Command::Restore(args) => restore::run(context, args),
    }
}
