//! What can be typed.

use std::ffi::OsString;
use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::base::identity::version_with_commit;

/// Safelight backs up photo folders to places you own, and proves that every copy is there.
#[derive(Debug, Clone, PartialEq, Eq, Parser)]
#[command(name = "safelight", version = version_with_commit(), after_help = EXIT_CODES, disable_help_subcommand = true)]
pub struct Arguments {
    /// What holds for every command.
    #[command(flatten)]
    pub global: Global,
    /// What is to be done; without one, the window opens.
    #[command(subcommand)]
    pub command: Option<Command>,
}

const EXIT_CODES: &str = "\
DEST is a folder's path, a file:// address, a server (webdav+https://USER@HOST/PATH), or the name of a saved destination (./x forces a path).

Exit codes: 0 all safe or left out, 1 some unproven or need attention, 2 usage, 3 destination \
unreachable, refused or full, 4 a whole source unreadable, 5 internal, 130 stopped";

/// What holds for every command.
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct Global {
    /// Keep everything Safelight knows in this folder [also: SAFELIGHT_DATA_DIR]
    #[arg(long, global = true, value_name = "D")]
    pub data_dir: Option<PathBuf>,
    /// Print JSON for programs
    #[arg(long, global = true)]
    pub json: bool,
    /// Print nothing but errors and JSON results
    #[arg(long, short, global = true)]
    pub quiet: bool,
    /// Log to standard error; more often, log more
    #[arg(long, short, global = true, action = clap::ArgAction::Count)]
    pub verbose: u8,
}

/// The commands.
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum Command {
    /// Run in the background without a window, or stop what runs there
    Agent(AgentArgs),
    /// Back up folders to a destination: adds them if new, switches backup on, waits until all is safe
    Backup(BackupArgs),
    /// The folders that are backed up
    #[command(subcommand)]
    Source(SourceCommand),
    /// The places that copies go to
    #[command(subcommand)]
    Destination(DestinationCommand),
    /// How everything stands
    Status,
    /// All that is not safe, and why
    Queue(QueueArgs),
    /// Try failed files again now
    Retry(RetryArgs),
    /// Leave files out for good
    Exclude(ExcludeArgs),
    /// Take files out of their server's trash, where they would not stay
    Untrash(UntrashArgs),
    /// Stop for a while
    Pause,
    /// Go on
    Resume,
    /// Read copies back and compare them
    Verify(VerifyArgs),
    /// Copy files back from a destination, each one compared
    Restore(RestoreArgs),
    /// How servers are reached: shows it, or changes what is named
    Settings(SettingsArgs),
    /// Write a file for support: how things are, without names of files, places and people
    Support(SupportArgs),
}

/// `agent`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct AgentArgs {
    /// Stop the agent that is running
    #[arg(long)]
    pub stop: bool,
    /// Started by a window: own session, says when it is ready, leaves when it is of no use
    #[arg(long, hide = true, conflicts_with = "stop")]
    pub detached: bool,
}

/// `backup`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct BackupArgs {
    /// Folders to back up; naming them here is your consent for exactly these
    #[arg(required = true, value_name = "PATH")]
    pub paths: Vec<PathBuf>,
    /// Where to
    #[arg(long, value_name = "DEST")]
    pub to: OsString,
    /// Go on watching when all is safe
    #[arg(long)]
    pub watch: bool,
    /// Allow http without encryption to a private address
    #[arg(long)]
    pub allow_http: bool,
}

/// `source …`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum SourceCommand {
    /// Add a folder; it is backed up nowhere until you say so
    Add {
        /// The folder
        path: PathBuf,
    },
    /// List the folders
    List,
    /// Forget a folder; its copies stay
    Remove {
        /// The folder
        path: PathBuf,
    },
}

/// `destination …`
#[derive(Debug, Clone, PartialEq, Eq, Subcommand)]
pub enum DestinationCommand {
    /// Add a destination; nothing goes there until you say so
    Add {
        /// Where it is
        dest: OsString,
        /// What to call it, at most 40 characters
        #[arg(long)]
        name: Option<String>,
        /// Allow http without encryption to a private address
        #[arg(long)]
        allow_http: bool,
        /// Read the password, key or token from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
        /// Immich: let the server's checksum count as proof, instead of reading copies back
        #[arg(long)]
        trust_checksum: bool,
    },
    /// Show or change what is set for a destination
    Settings {
        /// Which one
        dest: OsString,
        /// Immich: let the server's checksum count as proof, instead of reading copies back
        #[arg(long, value_name = "on|off", value_enum)]
        trust_checksum: Option<OnOff>,
    },
    /// Rename a destination
    Rename {
        /// Which one
        dest: OsString,
        /// What to call it, at most 40 characters
        name: String,
    },
    /// Enter another password, key or token for a destination; it is kept in the keyring
    Password {
        /// Which one
        dest: OsString,
        /// Read it from the first line of standard input
        #[arg(long)]
        password_stdin: bool,
    },
    /// List the destinations
    List,
    /// Try a destination, saved or not
    Test {
        /// Which one
        dest: OsString,
        /// Allow http without encryption to a private address
        #[arg(long)]
        allow_http: bool,
    },
    /// Forget a destination; what it holds stays there
    Remove {
        /// Which one
        dest: OsString,
    },
    /// Switch a destination on
    Enable {
        /// Which one
        dest: OsString,
    },
    /// Switch a destination off; what is known of it stays
    Disable {
        /// Which one
        dest: OsString,
    },
}

/// A switch.
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
    /// Only what needs attention
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
    /// Everything that failed for this reason: a kind that `queue --json` shows
    #[arg(long, value_name = "K")]
    pub kind: Option<String>,
    /// Files by the ids that `queue` shows
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
}

/// `exclude`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct ExcludeArgs {
    /// Files by the ids that `queue` shows
    #[arg(required = true, value_name = "ID")]
    pub ids: Vec<String>,
}

/// `untrash`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
#[group(required = true, multiple = false)]
pub struct UntrashArgs {
    /// Everything that a server has in its trash
    #[arg(long)]
    pub all: bool,
    /// Files by the ids that `queue` shows
    #[arg(value_name = "ID")]
    pub ids: Vec<String>,
}

/// `settings`
#[derive(Debug, Clone, PartialEq, Eq, Default, Args)]
pub struct SettingsArgs {
    /// The most that is sent to servers, in MB a second; off for no limit
    #[arg(long, value_name = "MB|off")]
    pub upload_limit: Option<String>,
    /// system (as the environment says), none, or an address as http://[USER@]HOST:PORT
    #[arg(long, value_name = "PROXY")]
    pub proxy: Option<String>,
    /// Trust the certificate authorities in this file too; none for the system's alone
    #[arg(long, value_name = "FILE|none")]
    pub ca_file: Option<PathBuf>,
    /// Read the proxy's password from the first line of standard input; it is kept in the keyring
    #[arg(long)]
    pub proxy_password_stdin: bool,
}

/// `support`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct SupportArgs {
    /// Where to write it; a file that is there is not replaced
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
}

/// `verify`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct VerifyArgs {
    /// Every copy, also those that were proved lately
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
    /// The folders that the files came from
    Folders,
}

/// `restore`
#[derive(Debug, Clone, PartialEq, Eq, Args)]
pub struct RestoreArgs {
    /// From where
    #[arg(long, value_name = "DEST")]
    pub from: OsString,
    /// Into this folder; nothing in it is replaced
    #[arg(long, value_name = "DIR")]
    pub into: PathBuf,
    /// Folders by capture date, or the folders that the files came from
    #[arg(long, value_name = "LAYOUT", value_enum, default_value_t)]
    pub layout: RestoreLayoutArg,
    /// Only copies whose path below the destination, or original path, matches
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
