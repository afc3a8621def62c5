//! Starting at sign-in: an entry in the person's autostart folder.
//!
//! Source: the Desktop Application Autostart Specification. `Hidden=true` in the person's folder means
//! that the person does not want the program started; desktops' own settings write it, or
//! `X-GNOME-Autostart-enabled=false`. Inside a sandbox the folder is not the desktop's, and there
//! [`SignInEntry::locate`] returns `None`.

use std::io;
use std::path::{Path, PathBuf};

use super::agent_command::AgentCommand;
use super::paths::{Environment, Paths};
use crate::base::atomic_file::{self, Durability};
use crate::base::identity::APP_ID;

/// The most that is read of an entry, in bytes.
const ENTRY_LEN_MAX: u64 = 64 << 10;
/// Keys by which a desktop or a person switches an entry off, each with its value when it is off.
const OFF_KEYS: [(&str, &str); 2] = [("Hidden", "true"), ("X-GNOME-Autostart-enabled", "false")];

/// The group of an entry that is about the program itself.
const MAIN_GROUP: &str = "[Desktop Entry]";

/// Whether the agent starts at sign-in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum SignInState {
    /// There is no entry: nobody has decided.
    Undecided,
    /// The desktop starts the agent.
    On,
    /// There is an entry that says not to.
    Off,
}

/// The agent's entry in the autostart folder of one person.
#[derive(Debug, Clone)]
pub struct SignInEntry {
    path: PathBuf,
    command: AgentCommand,
}

impl SignInEntry {
    /// Returns the entry for the program that runs now, or `None` in a sandbox and where nothing says
    /// where the person's configuration is.
    pub fn locate(paths: &Paths, environment: &Environment) -> Option<Self> {
        if Path::new("/.flatpak-info").exists() {
            return None;
        }
        let folder = environment.config_dir().ok()?.join("autostart");
        let command = AgentCommand::for_paths(paths)?;
        Some(Self { path: folder.join(format!("{APP_ID}.desktop")), command })
    }

    /// Returns what the entry says now. Blocks for a small file.
    ///
    /// # Errors
    /// Whatever the system says, other than that there is no entry.
    pub fn state(&self) -> io::Result<SignInState> {
        Ok(match self.read()? {
            None => SignInState::Undecided,
            Some(text) if is_off(&text) => SignInState::Off,
            Some(_) => SignInState::On,
        })
    }

    /// Switches starting at sign-in on or off. What a person wrote into the entry otherwise stays.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn set(&self, on: bool) -> io::Result<()> {
        let text = self.read()?.unwrap_or_else(|| self.fresh_entry());
        self.write(&switched(&text, on))
    }

    /// Switches it on if there is no entry yet, and returns whether it did.
    ///
    /// # Errors
    /// Whatever the system says.
    pub fn set_if_undecided(&self) -> io::Result<bool> {
        if self.state()? != SignInState::Undecided {
            return Ok(false);
        }
        self.write(&self.fresh_entry())?;
        Ok(true)
    }

    fn read(&self) -> io::Result<Option<String>> {
        match std::fs::File::open(&self.path) {
            Ok(file) => {
                let mut bytes = Vec::new();
                io::Read::read_to_end(&mut io::Read::take(file, ENTRY_LEN_MAX), &mut bytes)?;
                Ok(Some(String::from_utf8_lossy(&bytes).into_owned()))
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn write(&self, text: &str) -> io::Result<()> {
        if let Some(folder) = self.path.parent() {
            std::fs::create_dir_all(folder)?;
        }
        let temp = self.path.with_extension("desktop.new");
        atomic_file::replace(&self.path, &temp, text.as_bytes(), Durability::Synced)
    }

    fn fresh_entry(&self) -> String {
        let exec = self.command.to_line(quote_argument, "agent --detached");
        let program = &self.command.program;
        // TryExec: an entry whose program was removed is ignored by the desktop.
        format!(
            "{MAIN_GROUP}\nType=Application\nName=Safelight\nComment=Back up photos in the background\n\
             Exec={exec}\nTryExec={program}\nIcon={APP_ID}\nTerminal=false\n\
             NoDisplay=true\nX-GNOME-Autostart-Delay=5\n"
        )
    }
}

/// Returns the lines of an entry, each with whether it stands in the group `[Desktop Entry]`: an entry may
/// have groups for actions behind it.
fn lines_with_group(text: &str) -> impl Iterator<Item = (&str, bool)> {
    let mut is_main = false;
    text.lines().map(move |line| {
        if line.starts_with('[') {
            is_main = line.trim_end() == MAIN_GROUP;
        }
        (line, is_main)
    })
}

fn switches_off(line: &str) -> bool {
    line.split_once('=').is_some_and(|(key, value)| {
        OFF_KEYS.iter().any(|(off_key, off)| key.trim() == *off_key && value.trim().eq_ignore_ascii_case(off))
    })
}

fn is_off(text: &str) -> bool {
    lines_with_group(text).any(|(line, is_main)| is_main && switches_off(line))
}

/// Returns the entry without the lines that switch it off, and with one if it is to be off.
fn switched(text: &str, on: bool) -> String {
    let mut changed = String::new();
    for (line, is_main) in lines_with_group(text) {
        if is_main && switches_off(line) {
            continue;
        }
        changed += line;
        changed.push('\n');
        if !on && line.trim_end() == MAIN_GROUP {
            changed += "Hidden=true\n";
        }
    }
    changed
}

/// Quotes one argument of an `Exec` key. Source: the Desktop Entry Specification, "The Exec key":
/// within double quotes, `"`, `` ` ``, `$` and `\` are escaped; the key's value is a string, in which a
/// backslash is doubled again; and `%` is doubled everywhere.
fn quote_argument(argument: &str) -> String {
    let mut quoted = String::from("\"");
    for c in argument.chars() {
        match c {
            '\\' => quoted.push_str("\\\\\\\\"),
            '"' | '`' | '$' => {
                quoted.push_str("\\\\");
                quoted.push(c);
            }
            '%' => quoted.push_str("%%"),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(dir: &Path) -> SignInEntry {
        let command = AgentCommand { program: "/opt/my $ files/s".to_owned(), data_dir: None };
        SignInEntry { path: dir.join("a/safelight.desktop"), command }
    }

    fn text(entry: &SignInEntry) -> String {
        std::fs::read_to_string(&entry.path).expect("written")
    }

    #[test]
    fn it_is_switched_on_once_and_a_later_no_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        let entry = entry(dir.path());
        assert_eq!(entry.state().expect("read"), SignInState::Undecided);
        assert!(entry.set_if_undecided().expect("written"));
        assert_eq!(entry.state().expect("read"), SignInState::On);
        assert!(
            text(&entry).contains("Exec=\"/opt/my \\\\$ files/s\" agent --detached\n"),
            "{}",
            text(&entry)
        );
        entry.set(false).expect("written");
        assert_eq!(entry.state().expect("read"), SignInState::Off);
        assert!(!entry.set_if_undecided().expect("read"));
        assert_eq!(entry.state().expect("read"), SignInState::Off);
        entry.set(true).expect("written");
        assert_eq!(entry.state().expect("read"), SignInState::On);
    }

    #[test]
    fn what_a_person_wrote_stays() {
        let dir = tempfile::tempdir().expect("a folder");
        let entry = entry(dir.path());
        entry.set_if_undecided().expect("written");
        let own = text(&entry).replace("Exec=", "Exec=nice ") + "X-GNOME-Autostart-enabled=false\n";
        std::fs::write(&entry.path, own).expect("written");
        assert_eq!(entry.state().expect("read"), SignInState::Off);
        entry.set(true).expect("written");
        assert_eq!(entry.state().expect("read"), SignInState::On);
        assert!(text(&entry).contains("Exec=nice \"/opt"), "{}", text(&entry));
    }

    #[test]
    fn a_group_of_an_action_is_not_the_entrys_own() {
        let dir = tempfile::tempdir().expect("a folder");
        let entry = entry(dir.path());
        entry.set_if_undecided().expect("written");
        let own = text(&entry) + "[Desktop Action show]\nName=Show\nHidden=true\n";
        std::fs::write(&entry.path, &own).expect("written");
        assert_eq!(entry.state().expect("read"), SignInState::On);
        entry.set(false).expect("written");
        assert_eq!(entry.state().expect("read"), SignInState::Off);
        entry.set(true).expect("written");
        assert_eq!(text(&entry), own);
    }

    #[test]
    fn a_data_directory_of_its_own_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut entry = entry(dir.path());
        entry.command.data_dir = Some("/data/100%".to_owned());
        entry.set(true).expect("written");
        assert!(text(&entry).contains(" --data-dir \"/data/100%%\" agent --detached"), "{}", text(&entry));
    }
}
