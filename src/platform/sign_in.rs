//! Starting at sign-in: an entry in the person's autostart folder.
//!
//! Source: the Desktop Application Autostart Specification. `Hidden=true` in the person's folder means
//! that the person does not want the program started; desktops' own settings write it, or
//! `X-GNOME-Autostart-enabled=false`. Inside a sandbox the folder is not the desktop's, and there
//! [`SignInEntry::locate`] returns `None`.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};

use super::paths::{Environment, Paths};
use crate::base::atomic_file::{self, Durability};
use crate::base::identity::APP_ID;

/// The most that is read of an entry, in bytes.
const ENTRY_LEN_MAX: u64 = 64 << 10;
/// Keys by which a desktop or a person switches an entry off, each with its value when it is off.
const OFF_KEYS: [(&str, &str); 2] = [("Hidden", "true"), ("X-GNOME-Autostart-enabled", "false")];

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
    program: PathBuf,
    /// The data directory, if it is not the usual one.
    data_dir: Option<PathBuf>,
}

impl SignInEntry {
    /// Returns the entry for the program that runs now, or `None` in a sandbox and where nothing says
    /// where the person's configuration is.
    pub fn locate(paths: &Paths, environment: &Environment, config_home: Option<OsString>) -> Option<Self> {
        if Path::new("/.flatpak-info").exists() {
            return None;
        }
        let program = std::env::current_exe().ok()?;
        let config = config_home
            .map(PathBuf::from)
            .filter(|dir| dir.is_absolute())
            .or_else(|| Some(environment.home.as_ref()?.join(".config")))?;
        let data_dir = paths.is_chosen.then(|| paths.data_dir.clone());
        Some(Self { path: config.join("autostart").join(format!("{APP_ID}.desktop")), program, data_dir })
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
        let text = match self.read()? {
            None => self.fresh_entry(),
            Some(text) => without_off_keys(&text),
        };
        let text = if on { text } else { text.trim_end().to_owned() + "\nHidden=true\n" };
        self.write(&text)
    }

    /// Switches it on unless the entry says anything already. Whether something was written.
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
        let program = self.program.to_string_lossy();
        let mut exec = quote_argument(&program);
        if let Some(dir) = &self.data_dir {
            exec += &format!(" --data-dir {}", quote_argument(&dir.to_string_lossy()));
        }
        // TryExec: an entry whose program was removed is ignored by the desktop.
        format!(
            "[Desktop Entry]\nType=Application\nName=Safelight\nComment=Back up photos in the background\n\
             Exec={exec} agent --detached\nTryExec={program}\nIcon={APP_ID}\nTerminal=false\n\
             NoDisplay=true\nX-GNOME-Autostart-Delay=5\n"
        )
    }
}

fn lines_of_group(text: &str) -> impl Iterator<Item = (&str, &str)> {
    text.lines().filter_map(|line| line.split_once('=')).map(|(key, value)| (key.trim(), value.trim()))
}

fn is_off(text: &str) -> bool {
    lines_of_group(text).any(|(key, value)| {
        OFF_KEYS.iter().any(|(off_key, off)| key == *off_key && value.eq_ignore_ascii_case(off))
    })
}

fn without_off_keys(text: &str) -> String {
    let is_off_line = |line: &&str| is_off(line);
    text.lines().filter(|line| !is_off_line(line)).map(|line| line.to_owned() + "\n").collect()
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
        SignInEntry {
            path: dir.join("a/safelight.desktop"),
            program: "/opt/my $ files/s".into(),
            data_dir: None,
        }
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
    fn a_data_directory_of_its_own_is_named() {
        let dir = tempfile::tempdir().expect("a folder");
        let entry = SignInEntry { data_dir: Some("/data/100%".into()), ..entry(dir.path()) };
        entry.set(true).expect("written");
        assert!(text(&entry).contains(" --data-dir \"/data/100%%\" agent --detached"), "{}", text(&entry));
    }
}
