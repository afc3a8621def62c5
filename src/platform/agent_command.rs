//! The command that starts the agent, for files in which others find it: a desktop's autostart entry, a
//! unit of systemd.

use super::paths::Paths;

/// What `/proc/self/exe` adds to the path of a program that was replaced while it runs.
const DELETED_SUFFIX: &str = " (deleted)";

/// The program that runs now, and the data directory that it is to be told.
#[derive(Debug, Clone)]
pub(crate) struct AgentCommand {
    /// The program's absolute path.
    pub program: String,
    /// The data directory, if it is not the usual one.
    pub data_dir: Option<String>,
}

impl AgentCommand {
    /// Returns the command for these places; `None` if a path is unknown or not UTF-8, which such files
    /// cannot hold.
    pub fn for_paths(paths: &Paths) -> Option<Self> {
        let program = std::env::current_exe().ok()?;
        // An update has put another program of the same path in its place.
        let program = program.to_str()?.trim_end_matches(DELETED_SUFFIX).to_owned();
        let data_dir = if paths.is_chosen { Some(paths.data_dir.to_str()?.to_owned()) } else { None };
        Some(Self { program, data_dir })
    }

    /// Returns the command as one line, its paths quoted by `quote`.
    pub fn to_line(&self, quote: impl Fn(&str) -> String, arguments: &str) -> String {
        let program = quote(&self.program);
        match &self.data_dir {
            Some(dir) => format!("{program} --data-dir {} {arguments}", quote(dir)),
            None => format!("{program} {arguments}"),
        }
    }
}
