//! The arguments of the command line.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::base::identity::version_with_commit;

/// Safelight backs up photo folders to destinations you own, and verifies every copy.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "safelight", version = version_with_commit(), after_help = EXIT_CODES, disable_help_subcommand = true)]
pub struct Arguments {
    /// Options of every command.
    #[command(flatten)]
    pub global: Global,
    /// The command; without one, the window opens.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXIT_CODES: &str = "\
DEST is a folder's path, a file:// address, a server (webdav+https://USER@HOST/PATH), or the name of a saved destination (write ./NAME for a folder of that name).

Exit codes: 0 everything is safe or left out, 1 some files are not verified or need attention, 2 wrong usage, \
3 the destination is unreachable, full or refuses access, 4 a photo folder cannot be read, 5 internal error, 130 interrupted";

/// Options of every command.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Global {
    /// Keep Safelight's data in this folder [env: SAFELIGHT_DATA_DIR]
    #[arg(long, global = true, value_name = "D")]
    pub data_dir: Option<PathBuf>,
    /// Print JSON for scripts
    #[arg(long, global = true)]
    pub json: bool,
    /// Print only errors and JSON results
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Log to standard error; repeat for more detail
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// The commands.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run Safelight without a window, or stop it
    Agent(AgentArgs),
    /// Back up folders to a destination: adds them if they are new, switches backup on, and waits until everything is safe
    Backup(BackupArgs),
    /// Add, list or remove photo folders
    #[command(subcommand)]
    Source(SourceCommand),
    /// Add, list, test, change or remove destinations
    #[command(subcommand)]
    Destination(DestinationCommand),
    /// Show the state of the backup
    Status,
    /// List the files that are not safe, and why
    Queue(QueueArgs),
    /// Retry failed files now
    Retry(RetryArgs),
    /// Leave files out of the backup
    Exclude(ExcludeArgs),
    /// Take files out of a server's trash before they are deleted there
    Untrash(UntrashArgs),
    /// Pause the backup
    Pause,
    /// Resume the backup
    Resume,
    /// Verify copies by reading them back
    Verify(VerifyArgs),
    /// Copy files back from a destination and verify each one
    Restore(RestoreArgs),
    /// Show or change settings: upload limit, proxy, certificates, start at sign-in
    Settings(SettingsArgs),
    /// Run in the background as a systemd service, on a computer without a desktop
    #[command(subcommand)]
    Service(ServiceCommand),
    /// Write a report for support, without the names of files, destinations or people
    Support(SupportArgs),
}

/// `agent`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct AgentArgs {
    /// Stop the agent that is running
    #[arg(long)]
    pub stop: bool,
    /// Started by a window: has its own session, reports when it is ready, exits when it is idle
    #[arg(long, hide = true, conflicts_with = "stop")]
    pub detached: bool,
}

/// `backup`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct BackupArgs {
    /// Folders to back up; naming them here is your consent for exactly these
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// The destination
    #[arg(long, value_name = "DEST")]
    pub to: OsString,
    /// Keep watching after everything is safe
    #[arg(long)]
    pub watch: bool,
    /// Allow http without encryption to a private address
    #[arg(long)]
    pub allow_http: bool,
}

/// `source …`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum SourceCommand {
    /// Add a folder; nothing is backed up until you run backup
    Add {
        /// The folder
        path: PathBuf,
    },
    /// List the folders
    List,
    /// Remove a folder from the backup; its copies are kept
    Remove {
        /// The folder
        path: PathBuf,
    },
}

/// `destination …`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum DestinationCommand {
    /// Add a destination; nothing is backed up to it until you run backup
    Add {
        /// A folder's path or a server's address
        dest: OsString,
        /// A name for it, at most 40 characters
        #[arg(long)]
        name: Option<String>,
        /// Allow http without encryption to a private address
        #[arg(long)]
        allow_http: bool,
        /// Read the password, key or token from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
        /// Immich: trust the server's checksum instead of reading copies back
        #[arg(long)]
        trust_checksum: bool,
    },
    /// Show or change a destination's settings
    Settings {
        /// The destination
        dest: OsString,
        /// Immich: trust the server's checksum instead of reading copies back
        #[arg(long, value_name = "on|off", value_enum)]
        trust_checksum: Option<OnOff>,
    },
    /// Rename a destination
    Rename {
        /// The destination
        dest: OsString,
        /// The new name, at most 40 characters
        name: String,
    },
    /// Change the password, key or token of a destination; it is saved in the keyring
    Password {
        /// The destination
        dest: OsString,
        /// Read it from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List the destinations
    List,
    /// Test a destination, saved or not
    Test {
        /// The destination
        dest: OsString,
        /// Allow http without encryption to a private address
        #[arg(long)]
        allow_http: bool,
    },
    /// Remove a destination; the copies there are not deleted
    Remove {
        /// The destination
        dest: OsString,
    },
    /// Switch a destination on
    Enable {
        /// The destination
        dest: OsString,
    },
    /// Switch a destination off; its copies and history are kept
    Disable {
        /// The destination
        dest: OsString,
    },
}

/// The value of a setting that is on or off.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum OnOff {
    /// On
    On,
    /// Off
    Off,
}

/// `queue`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct QueueArgs {
    /// Only files that need attention
    #[arg(long)]
    pub failed: bool,
}

/// `retry`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[group(required = true, multiple = false)]
pub struct RetryArgs {
    /// Everything that failed
    #[arg(long)]
    pub all: bool,
    /// Everything that failed for this reason (a kind shown by queue --json)
    #[arg(long, value_name = "K")]
    pub kind: Option<String>,
    /// The files' ids, as shown by queue
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
}

/// `exclude`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ExcludeArgs {
    /// The files' ids, as shown by queue
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
}

/// `untrash`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[group(required = true, multiple = false)]
pub struct UntrashArgs {
    /// Every file that is in a server's trash
    #[arg(long)]
    pub all: bool,
    /// The files' ids, as shown by queue
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
}

/// `settings`
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct SettingsArgs {
    /// Limit uploads to servers, in MB per second, or off
    #[arg(long, value_name = "MB|off")]
    pub upload_limit: Option<String>,
    /// system (from the environment), none, or an address such as http://[USER@]HOST:PORT
    #[arg(long, value_name = "PROXY")]
    pub proxy: Option<String>,
    /// Also trust the certificate authorities in this file; none for only the system's
    #[arg(long, value_name = "FILE|none")]
    pub ca_file: Option<PathBuf>,
    /// Read the proxy's password from the first line of standard input; it is saved in the keyring
    #[arg(long)]
    pub proxy_password_stdin: bool,
    /// Start in the background when you sign in to the desktop
    #[arg(long, value_name = "on|off", value_parser = ["on", "off"])]
    pub start_at_sign_in: Option<String>,
}

/// `service`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum ServiceCommand {
    /// Start it now and whenever you sign in
    Install,
    /// Stop it, and no longer start it
    Remove,
    /// Show whether it is installed and running
    Status,
}

/// `support`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct SupportArgs {
    /// Where to write it; an existing file is not overwritten
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `verify`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct VerifyArgs {
    /// Every copy, including recently verified ones
    #[arg(long)]
    pub deep: bool,
    /// Only this destination
    #[arg(long, value_name = "DEST")]
    pub to: Option<OsString>,
}

/// How restored files are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum RestoreLayoutArg {
    /// Folders by capture date
    #[default]
    Dates,
    /// The folders the files came from
    Folders,
}

/// `restore`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct RestoreArgs {
    /// The destination to restore from
    #[arg(long, value_name = "DEST")]
    pub from: OsString,
    /// The folder to restore into; existing files are not overwritten
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
    /// Folders by capture date, or the folders the files came from
    #[arg(long, value_name = "LAYOUT", value_enum, default_value_t)]
    pub layout: RestoreLayoutArg,
    /// Only files whose path at the destination, or original path, matches
    #[arg(long, value_name = "GLOB")]
    pub only: Option<String>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;
    use proptest::prelude::*;

    use super::*;

    fn parse(line: &str) -> Result<Arguments, clap::error::ErrorKind> {
        let words = std::iter::once("safelight").chain(line.split_whitespace());
        Arguments::try_parse_from(words).map_err(|error| error.kind())
    }

    #[test]
    fn the_contracts_commands_are_understood() {
        Arguments::command().debug_assert();
        assert_eq!(parse("").expect("window").command, None);
        for line in [
            "agent",
            "agent --stop",
            "backup a b --to c",
            "backup a --to c --watch --json",
            "source add a",
            "source list",
            "source remove a",
            "destination add a",
            "destination add file:///a --name disk",
            "destination add immich+https://h --trust-checksum",
            "destination settings photos",
            "destination settings photos --trust-checksum off",
            "destination list",
            "destination test disk",
            "destination remove disk",
            "destination enable disk",
            "destination disable disk",
            "status --json",
            "--json --quiet status",
            "queue",
            "queue --failed --json",
            "retry --all",
            "retry --kind full",
            "retry 1 2 f3",
            "exclude 1 f3",
            "untrash --all",
            "untrash 1 2",
            "settings",
            "settings --json --upload-limit 2.5 --proxy none --ca-file /a.pem",
            "settings --upload-limit off --proxy http://ann@h:3128 --proxy-password-stdin",
            "pause",
            "resume",
            "verify",
            "verify --deep --to disk",
            "restore --from disk --into a",
            "restore --from disk --into a --only 2024/*",
            "--data-dir d -vv status",
            "status --data-dir d",
        ] {
            assert!(parse(line).is_ok(), "{line}: {:?}", parse(line));
        }
    }

    proptest! {
        #[test]
        fn any_words_are_understood_or_refused(words in prop::collection::vec(any_word(), 0..8)) {
            let words = std::iter::once(OsString::from("safelight")).chain(words);
            if let Err(error) = Arguments::try_parse_from(words) {
                // Help and the version are no mistake; everything else is one of usage.
                prop_assert!(matches!(error.exit_code(), 0 | 2));
            }
        }
    }

    fn any_word() -> impl Strategy<Value = OsString> {
        use std::os::unix::ffi::OsStringExt as _;
        let known = vec![
            "agent",
            "--stop",
            "backup",
            "--to",
            "--watch",
            "source",
            "destination",
            "add",
            "list",
            "test",
            "status",
            "queue",
            "--failed",
            "retry",
            "--all",
            "--kind",
            "exclude",
            "untrash",
            "verify",
            "--deep",
            "restore",
            "--from",
            "--into",
            "--only",
            "--json",
            "--data-dir",
            "-v",
            "-vvvv",
            "--",
            "-",
            "--help",
            "s3://b",
            "/photos",
        ];
        prop_oneof![
            4 => prop::sample::select(known).prop_map(OsString::from),
            1 => prop::collection::vec(1_u8.., 0..12).prop_map(OsString::from_vec),
        ]
    }

    #[test]
    fn what_makes_no_sense_is_refused() {
        for line in [
            "backup a",
            "backup --to c",
            "retry",
            "retry --all --kind full",
            "retry --all 1",
            "exclude",
            "untrash",
            "untrash --all 1",
            "restore --from disk",
            "destination add",
            "agent --stop --detached",
            "frobnicate",
            "--password x status",
        ] {
            assert!(parse(line).is_err(), "{line}");
        }
    }

    #[test]
    fn the_help_shows_what_there_is() {
        let mut help = Arguments::command().render_help().to_string();
        for name in ["backup", "retry", "untrash", "settings", "restore"] {
            let mut command = Arguments::command();
            let sub = command.find_subcommand_mut(name).expect("command");
            help += &format!("\n--- {name}\n{}", sub.render_help());
        }
        insta::assert_snapshot!(help);
    }
}
