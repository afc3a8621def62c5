//! The agent as a systemd service of one person, for machines without a desktop.
//!
//! Source: systemd.unit(5), systemd.service(5), loginctl(1).

use std::io;
use std::path::PathBuf;
use std::process::Command;

use super::agent_command::AgentCommand;
use super::paths::{Environment, Paths};
use crate::base::atomic_file::{self, Durability};

/// The unit's name.
pub const UNIT: &str = "safelight.service";

/// The service cannot be changed.
#[derive(Debug, thiserror::Error)]
pub enum ServiceError {
    /// Nothing says where the person's configuration is.
    #[error("Safelight cannot find your home directory")]
    NoHome,
    /// The program's path or the data directory's cannot stand in a unit.
    #[error("The path of Safelight or of its data directory is not plain text")]
    NoCommand,
    /// The unit's file cannot be read or written.
    #[error("Cannot write {path}: {reason}")]
    File {
        /// The file, for people.
        path: String,
        /// What the system said.
        reason: io::Error,
    },
    /// systemd's program cannot be run, or it refused.
    #[error("systemctl --user {arguments}: {reason}")]
    Systemd {
        /// What was asked of it.
        arguments: String,
        /// What came back, in one line.
        reason: String,
    },
}

/// How the service is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceStatus {
    /// There is a unit file.
    pub is_installed: bool,
    /// What systemd says of it: `active`, `inactive`, `failed`, …; `None` without systemd.
    pub activity: Option<String>,
    /// It runs also while its person is signed out; `None` if unknown.
    pub is_lingering: Option<bool>,
}

/// The unit of one person, and how it is made known to systemd.
#[derive(Debug)]
pub struct UserService {
    unit: PathBuf,
    command: AgentCommand,
}

impl UserService {
    /// Returns the unit for the program that runs now.
    ///
    /// # Errors
    /// `NoHome` and `NoCommand`.
    pub fn locate(paths: &Paths, environment: &Environment) -> Result<Self, ServiceError> {
        let config = environment.config_dir().map_err(|_no_home| ServiceError::NoHome)?;
        let command = AgentCommand::for_paths(paths).ok_or(ServiceError::NoCommand)?;
        Ok(Self { unit: config.join("systemd/user").join(UNIT), command })
    }

    /// Writes the unit, makes systemd start it now and at each sign-in. An older unit is replaced.
    ///
    /// # Errors
    /// What the system or systemd says.
    pub fn install(&self) -> Result<(), ServiceError> {
        let file = |reason| ServiceError::File { path: self.unit.display().to_string(), reason };
        if let Some(folder) = self.unit.parent() {
            std::fs::create_dir_all(folder).map_err(file)?;
        }
        let temp = self.unit.with_extension("service.new");
        atomic_file::replace(&self.unit, &temp, self.unit_text().as_bytes(), Durability::Synced)
            .map_err(file)?;
        systemctl(&["daemon-reload"])?;
        systemctl(&["enable", "--now", UNIT])?;
        Ok(())
    }

    /// Stops the service and removes its unit. Returns whether there was one.
    ///
    /// # Errors
    /// What the system says about the file; a systemd that is not there is not an error.
    pub fn remove(&self) -> Result<bool, ServiceError> {
        if !self.unit.exists() {
            return Ok(false);
        }
        if let Err(error) = systemctl(&["disable", "--now", UNIT]) {
            tracing::debug!("{error}");
        }
        std::fs::remove_file(&self.unit)
            .map_err(|reason| ServiceError::File { path: self.unit.display().to_string(), reason })?;
        if let Err(error) = systemctl(&["daemon-reload"]) {
            tracing::debug!("{error}");
        }
        Ok(true)
    }

    /// Returns how the service is. Blocks for as long as systemd takes to answer.
    pub fn status(&self) -> ServiceStatus {
        let printed = |program: &str, arguments: &[&str]| {
            let output = Command::new(program).args(arguments).output().ok()?;
            let text = String::from_utf8_lossy(&output.stdout).trim().to_owned();
            (!text.is_empty()).then_some(text)
        };
        let linger = printed("loginctl", &["show-user", "--property=Linger", "--value"]);
        ServiceStatus {
            is_installed: self.unit.exists(),
            activity: printed("systemctl", &["--user", "is-active", UNIT]),
            is_lingering: linger.map(|value| value == "yes"),
        }
    }

    fn unit_text(&self) -> String {
        let command = self.command.to_line(quote_argument, "agent");
        // Exit code 2: another agent has the data directory already, and does the work.
        format!(
            "[Unit]\nDescription=Safelight photo backup\nDocumentation=man:safelight(1)\n\n\
             [Service]\nExecStart={command}\nRestart=on-failure\nRestartSec=10\n\
             RestartPreventExitStatus=2\nNice=10\n\n[Install]\nWantedBy=default.target\n"
        )
    }
}

/// Quotes one argument of `ExecStart`: C escapes in double quotes, with `%` and `$` doubled.
fn quote_argument(argument: &str) -> String {
    let mut quoted = String::from("\"");
    for c in argument.chars() {
        match c {
            '\\' | '"' => {
                quoted.push('\\');
                quoted.push(c);
            }
            '%' | '$' => {
                quoted.push(c);
                quoted.push(c);
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}

fn systemctl(arguments: &[&str]) -> Result<(), ServiceError> {
    let refused = |reason: String| ServiceError::Systemd { arguments: arguments.join(" "), reason };
    let output = Command::new("systemctl")
        .arg("--user")
        .args(arguments)
        .output()
        .map_err(|error| refused(error.to_string()))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(refused(said.lines().next().unwrap_or("it failed").trim().to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unit_names_the_program_and_the_data_directory_whatever_their_names() {
        let command = AgentCommand {
            program: "/opt/a \"b\"/safe$light".to_owned(),
            data_dir: Some("/data/100%".to_owned()),
        };
        let service = UserService { unit: "/x".into(), command };
        let text = service.unit_text();
        let wanted = "ExecStart=\"/opt/a \\\"b\\\"/safe$$light\" --data-dir \"/data/100%%\" agent\n";
        assert!(text.contains(wanted), "{text}");
    }
}
