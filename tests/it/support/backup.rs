//! A backup by the real binary as a script sees it: what it says, and what it leaves behind.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use serde_json::Value;

use super::process::{Running, Sandbox};
use super::wait::wait_until;

/// How long a started process may take to show that it backs up.
const SEEN_WITHIN: Duration = Duration::from_secs(60);

/// What a backup must leave as it is: size, modification time, mode and bytes.
pub type FileFingerprint = (u64, i64, i64, u32, [u8; 32]);

/// A small picture that any decoder takes.
pub fn tiny_jpeg() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let shade = |step: u32| u8::try_from(step * 16).unwrap_or(u8::MAX);
    let picture = image::RgbImage::from_fn(16, 16, |x, y| image::Rgb([shade(x), shade(y), 90]));
    picture.write_to(&mut bytes, image::ImageFormat::Jpeg).expect("a JPEG can be made");
    bytes.into_inner()
}

/// A file as it is now; `digest` is that of its bytes.
pub fn seen(path: &Path, digest: [u8; 32]) -> FileFingerprint {
    let meta = std::fs::symlink_metadata(path).expect("a source file");
    (meta.len(), meta.mtime(), meta.mtime_nsec(), meta.mode(), digest)
}

/// The sources as they are now.
pub fn witness(root: &Path) -> BTreeMap<PathBuf, FileFingerprint> {
    files_below(root)
        .into_iter()
        .map(|path| {
            let seen = seen(&path, digest(&path));
            (path, seen)
        })
        .collect()
}

/// The digest of a file's bytes.
pub fn digest(path: &Path) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let file = std::fs::File::open(path).expect("a file can be read");
    hasher.update_reader(file).expect("a file can be read");
    *hasher.finalize().as_bytes()
}

/// All files below a folder, sorted; links and devices would be foreign, so they are listed too.
pub fn files_below(root: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("a folder can be listed") {
            let entry = entry.expect("an entry");
            if entry.file_type().expect("a type").is_dir() {
                folders.push(entry.path());
            } else {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

/// How far the only destination has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bins {
    pub found: u64,
    pub safe: u64,
    pub unproven: u64,
    pub waiting: u64,
    pub uploading: u64,
    pub needs_attention: u64,
    pub excluded: u64,
}

impl Bins {
    /// Reads the bins of an object that has them as fields; none where it has not.
    pub fn read(from: &Value) -> Option<Self> {
        let bin = |name: &str| from.get(name)?.as_u64();
        let bins = Self {
            found: bin("found").unwrap_or(0),
            safe: bin("safe")?,
            unproven: bin("unproven")?,
            waiting: bin("waiting")?,
            uploading: bin("uploading")?,
            needs_attention: bin("needs_attention")?,
            excluded: bin("excluded")?,
        };
        Some(bins)
    }

    /// Files that are still to be done.
    pub fn left(self) -> u64 {
        self.waiting + self.uploading
    }

    /// All bins together.
    pub fn sum(self) -> u64 {
        self.safe + self.unproven + self.left() + self.needs_attention + self.excluded
    }
}

/// The bins that `status --json` tells; none while nothing answers.
pub fn status(sandbox: &Sandbox) -> Option<Bins> {
    let output = sandbox.run(&["status", "--json"]);
    let document: Value = serde_json::from_slice(&output.stdout).ok()?;
    let bins = Bins::read(document.get("destinations")?.get(0)?)?;
    assert_eq!(bins.found, bins.sum(), "the identity is broken: {bins:?}");
    Some(bins)
}

/// A started backup and what it says.
pub struct Run {
    pub process: Running,
    /// Progress from `backup --json`; the agent is asked by `status` instead.
    lines: Option<Receiver<Value>>,
}

impl Run {
    /// `backup --json`: the engine in the command's own process, or in the agent it joins.
    pub fn command(sandbox: &Sandbox, source: &Path, destination: &Path) -> Self {
        let mut command = sandbox.command(["backup", "--json"]);
        command.arg(source).arg("--to").arg(destination);
        Self::of(sandbox, command)
    }

    /// A `backup --json` that was put together elsewhere.
    pub fn of(sandbox: &Sandbox, mut command: Command) -> Self {
        command.stdout(Stdio::piped()).stderr(Stdio::null());
        let mut process = sandbox.spawn(command);
        let out = process.child().stdout.take().expect("a pipe");
        let (sender, lines) = sync_channel(10_000);
        std::thread::Builder::new()
            .name("backup output".to_owned())
            .spawn(move || {
                for line in BufReader::new(out).lines().map_while(Result::ok) {
                    if let Ok(value) = serde_json::from_str(&line)
                        && sender.send(value).is_err()
                    {
                        return;
                    }
                }
            })
            .expect("a thread starts");
        Self { process, lines: Some(lines) }
    }

    /// `agent`: consent was given before, so it goes on by itself.
    pub fn agent(sandbox: &Sandbox) -> Self {
        Self::silent(sandbox, sandbox.command(["agent"]))
    }

    /// A command that is not listened to: `status` is asked instead.
    pub fn silent(sandbox: &Sandbox, mut command: Command) -> Self {
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self { process: sandbox.spawn(command), lines: None }
    }

    /// The newest bins; none when there is nothing new.
    pub fn bins(&self, sandbox: &Sandbox) -> Option<Bins> {
        match &self.lines {
            Some(lines) => {
                let progress =
                    |line: Value| (line["event"] == "progress").then(|| Bins::read(&line)).flatten();
                lines.try_iter().filter_map(progress).last()
            }
            None => status(sandbox),
        }
    }

    /// Waits until it shows files to be done, or that all is done.
    pub fn first_bins(&mut self, sandbox: &Sandbox) -> Option<Bins> {
        // Asked too early, `status` would find no agent and take its place.
        let is_up = |run: &mut Self| sandbox.is_listening() || run.process.ended().is_some();
        wait_until("the engine listens", SEEN_WITHIN, || is_up(self), |up| *up);
        let seen = wait_until(
            "the backup shows how far it is",
            SEEN_WITHIN,
            || (self.bins(sandbox).filter(|bins| bins.sum() > 0), self.process.ended()),
            |(bins, ended)| bins.is_some() || ended.is_some(),
        );
        seen.0
    }
}
