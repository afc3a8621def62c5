//! `generate-docs DIR`: man pages and shell completions, made from the definitions of the arguments.
//!
//! It is for `packaging/build` alone, and so it is not one of the commands: a shell would offer it.

use std::ffi::OsString;
use std::fs::{File, create_dir_all};
use std::io;
use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;

use super::args::Arguments;
use super::exit::{CliError, Exit};
use super::output::Output;

/// Where each shell looks for completions below a `share` folder, and what it expects the file to be
/// called. Sources: bash-completion's README, zsh's `fpath` on Debian, fish's `vendor_completions.d`.
const COMPLETIONS: [(Shell, &str, &str); 3] = [
    (Shell::Bash, "bash-completion/completions", "safelight"),
    (Shell::Zsh, "zsh/vendor-completions", "_safelight"),
    (Shell::Fish, "fish/vendor_completions.d", "safelight.fish"),
];

/// Runs the command if `words` ask for it, and returns its exit code. `DIR` is a folder like
/// `/usr/share`.
pub fn run(words: impl IntoIterator<Item = OsString>) -> Option<u8> {
    let mut words = words.into_iter().skip(1);
    if words.next()? != "generate-docs" {
        return None;
    }
    let share_dir = words.next()?;
    let exit = match write_docs(Path::new(&share_dir)) {
        Ok(()) => Exit::Fine,
        Err(error) => {
            let shown = share_dir.to_string_lossy();
            let error = CliError::new(Exit::Internal, format!("Cannot write to {shown}: {error}"));
            Output::of_process(false, false).error(&error);
            error.exit
        }
    };
    Some(exit.code())
}

fn write_docs(share_dir: &Path) -> io::Result<()> {
    let pages = share_dir.join("man/man1");
    create_dir_all(&pages)?;
    clap_mangen::generate_to(Arguments::command(), &pages)?;
    for (shell, folder, name) in COMPLETIONS {
        let folder = share_dir.join(folder);
        create_dir_all(&folder)?;
        let mut file = File::create(folder.join(name))?;
        clap_complete::generate(shell, &mut Arguments::command(), "safelight", &mut file);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::write_docs;

    #[test]
    fn every_command_has_a_page_and_a_completion() {
        let share = tempfile::tempdir().expect("a folder");
        write_docs(share.path()).expect("written");
        let read = |name: &str| std::fs::read_to_string(share.path().join(name)).expect(name);
        assert!(read("man/man1/safelight-destination-add.1").contains("password"));
        for completion in [
            "bash-completion/completions/safelight",
            "zsh/vendor-completions/_safelight",
            "fish/vendor_completions.d/safelight.fish",
        ] {
            let text = read(completion);
            assert!(text.contains("untrash") && text.contains("upload-limit"), "{completion}");
            assert!(!text.contains("generate-docs"), "{completion} offers what is for packages");
        }
    }
}
