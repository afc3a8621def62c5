//! Helpers for tests that look at the sources or drive the built binary from outside.

pub mod backup;
pub mod bus;
pub mod plain_http;
pub mod process;
pub mod rust_source;
pub mod seed;
pub mod server;
pub mod wait;

use std::path::{Path, PathBuf};
use std::process::Command;

/// The top of the source tree.
pub fn project_root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files that git tracks, and new ones that it would not ignore, relative to the top. Sorted.
pub fn project_files() -> Vec<PathBuf> {
    use std::os::unix::ffi::OsStrExt as _;
    let listing = Command::new("git")
        .args(["ls-files", "-z", "--cached", "--others", "--exclude-standard"])
        .current_dir(project_root())
        .output()
        .expect("git is needed to list the project's files");
    assert!(listing.status.success(), "git: {}", String::from_utf8_lossy(&listing.stderr));
    let mut files: Vec<PathBuf> = listing
        .stdout
        .split(|byte| *byte == 0)
        .filter(|name| !name.is_empty())
        .map(|name| PathBuf::from(std::ffi::OsStr::from_bytes(name)))
        .filter(|file| project_root().join(file).is_file())
        .collect();
    files.sort();
    files.dedup();
    assert!(files.len() > 20, "only {} files are listed: git looked in the wrong place", files.len());
    files
}

/// The project's Rust files below `dir`, relative to the top, with their text. Sorted.
pub fn rust_files(dir: &str) -> Vec<(String, String)> {
    project_files()
        .into_iter()
        .filter(|file| file.starts_with(dir) && file.extension().is_some_and(|ext| ext == "rs"))
        .map(|file| {
            let text = std::fs::read_to_string(project_root().join(&file)).expect("a source file is UTF-8");
            (file.to_string_lossy().into_owned(), text)
        })
        .collect()
}
