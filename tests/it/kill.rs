//! Killed at any moment: a backup that is ended by `kill -9` again and again, and then allowed to
//! finish, must leave every file at the destination once, byte for byte, and nothing else.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::process::{Running, Sandbox};
use crate::support::seed::Seeded;
use crate::support::wait::{rest, wait_until};

/// Kills in one run of the test.
const KILLS: u32 = 50;
/// Kills that must have hit a backup with work left.
const HITS_WANTED: u32 = 45;
/// Photos with other bytes than any other.
const PHOTOS: u64 = 1_500;
/// Bytes of the smallest and of the largest generated photo.
const LENGTHS: (u64, u64) = (20_000, 3_000_000);
/// How long a started process may take to show that it backs up.
const SEEN_WITHIN: Duration = Duration::from_secs(60);
/// How long the last, undisturbed run may take.
const DONE_WITHIN: Duration = Duration::from_secs(600);
/// The longest time a backup is left alone between two kills.
const PAUSE_MAX: Duration = Duration::from_millis(1_500);

/// What the sources hold, and so what the destination must.
#[derive(Default)]
struct Library {
    /// All files, those that are left out included.
    files: u64,
    /// Files that are no photo, video or companion, or are hidden.
    excluded: u64,
    /// How often each content must be at the destination.
    expected: BTreeMap<[u8; 32], u64>,
}

impl Library {
    /// Writes a file whose bytes must be at the destination once more.
    fn add(&mut self, path: &Path, bytes: &[u8]) {
        write(path, bytes);
        self.files += 1;
        *self.expected.entry(*blake3::hash(bytes).as_bytes()).or_default() += 1;
    }

    /// Writes a file whose bytes are there already, or are left out.
    fn add_unsent(&mut self, path: &Path, bytes: &[u8]) {
        write(path, bytes);
        self.files += 1;
    }
}

fn write(path: &Path, bytes: &[u8]) {
    std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
    std::fs::write(path, bytes).expect("a source file can be made");
}

/// A picture that any decoder takes, made another by what follows its end.
fn photo(seeded: &Seeded, picture: &[u8]) -> Vec<u8> {
    let mut bytes = picture.to_vec();
    bytes.extend(seeded.bytes(seeded.length(LENGTHS.0, LENGTHS.1)));
    bytes
}

fn tiny_jpeg() -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    let shade = |step: u32| u8::try_from(step * 16).unwrap_or(u8::MAX);
    let picture = image::RgbImage::from_fn(16, 16, |x, y| image::Rgb([shade(x), shade(y), 90]));
    picture.write_to(&mut bytes, image::ImageFormat::Jpeg).expect("a JPEG can be made");
    bytes.into_inner()
}

/// Photos in nested folders with equal names, companions, equal bytes under two names, and files
/// that are left out.
fn generate(seeded: &Seeded, root: &Path) -> Library {
    let mut library = Library::default();
    let picture = tiny_jpeg();
    let sidecar = b"<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"></x:xmpmeta>\n";
    for n in 0..PHOTOS {
        // Equal file names in many folders: the destination must tell them apart.
        let folder = root.join(format!("{}/trip {}", 2_015 + n % 9, n % 40));
        let name = folder.join(format!("IMG_{:04}", n / 3));
        let bytes = photo(seeded, &picture);
        library.add(&name.with_extension("jpg"), &bytes);
        match n {
            // Companions: a RAW and an edit record beside the photo, and records of equal bytes.
            n if n % 10 == 0 => library.add(&name.with_extension("dng"), &photo(seeded, b"II*\0\x08\0\0\0")),
            n if n % 10 == 1 => library.add(&name.with_extension("xmp"), &seeded_sidecar(seeded)),
            n if n % 100 == 2 => library.add(&name.with_extension("xmp"), sidecar),
            // The same bytes under another name: stored once.
            n if n % 25 == 3 => library.add_unsent(&root.join(format!("copies/copy of {n}.jpg")), &bytes),
            _ => {}
        }
    }
    for n in 0..20 {
        library.add_unsent(&root.join(format!("notes/{n}.txt")), b"no photo\n");
        library.add_unsent(&root.join(format!(".hidden/{n}.jpg")), &photo(seeded, &picture));
        library.excluded += 2;
    }
    library
}

fn seeded_sidecar(seeded: &Seeded) -> Vec<u8> {
    let unique = seeded.within(0..u64::MAX);
    format!("<x:xmpmeta xmlns:x=\"adobe:ns:meta/\" x:id=\"{unique}\"></x:xmpmeta>\n").into_bytes()
}

/// Everything that a backup must leave as it is: sizes, times and bytes by name.
fn witness(root: &Path) -> BTreeMap<PathBuf, (u64, i64, i64, u32, [u8; 32])> {
    files_below(root)
        .into_iter()
        .map(|path| {
            let meta = std::fs::symlink_metadata(&path).expect("a source file");
            let seen = (meta.len(), meta.mtime(), meta.mtime_nsec(), meta.mode(), digest(&path));
            (path, seen)
        })
        .collect()
}

fn digest(path: &Path) -> [u8; 32] {
    let mut hasher = blake3::Hasher::new();
    let file = std::fs::File::open(path).expect("a file can be read");
    hasher.update_reader(file).expect("a file can be read");
    *hasher.finalize().as_bytes()
}

/// All files below a folder, sorted; links and devices would be foreign, so they are listed too.
fn files_below(root: &Path) -> Vec<PathBuf> {
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
struct Bins {
    found: u64,
    safe: u64,
    unproven: u64,
    waiting: u64,
    uploading: u64,
    needs_attention: u64,
    excluded: u64,
}

impl Bins {
    /// Reads the bins of an object that has them as fields; none where it has not.
    fn read(from: &Value) -> Option<Self> {
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

    fn left(self) -> u64 {
        self.waiting + self.uploading
    }

    fn sum(self) -> u64 {
        self.safe + self.unproven + self.left() + self.needs_attention + self.excluded
    }
}

/// The bins that `status --json` tells; none while nothing answers.
fn status(sandbox: &Sandbox) -> Option<Bins> {
    let output = sandbox.run(&["status", "--json"]);
    let document: Value = serde_json::from_slice(&output.stdout).ok()?;
    let bins = Bins::read(document.get("destinations")?.get(0)?)?;
    assert_eq!(bins.found, bins.sum(), "the identity is broken: {bins:?}");
    Some(bins)
}

/// A started backup and what it says.
struct Run {
    process: Running,
    /// Progress from `backup --json`; the agent is asked by `status` instead.
    lines: Option<Receiver<Value>>,
}

impl Run {
    /// `backup --json`: the engine in the command's own process, or in the agent it joins.
    fn command(sandbox: &Sandbox, source: &Path, destination: &Path) -> Self {
        let mut command = sandbox.command(["backup", "--json"]);
        command.arg(source).arg("--to").arg(destination).stdout(Stdio::piped()).stderr(Stdio::null());
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
    fn agent(sandbox: &Sandbox) -> Self {
        let mut command = sandbox.command(["agent"]);
        command.stdout(Stdio::null()).stderr(Stdio::null());
        Self { process: sandbox.spawn(command), lines: None }
    }

    /// The newest bins; none when there is nothing new.
    fn bins(&self, sandbox: &Sandbox) -> Option<Bins> {
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
    fn first_bins(&mut self, sandbox: &Sandbox) -> Option<Bins> {
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

/// What the kills did.
#[derive(Debug, Default)]
struct Tally {
    /// The process was running and work was left.
    hits: u32,
    /// Work had come further since the kill before.
    advanced: u32,
}

/// Starts and kills the backup, again and again, spread over all of its work.
fn kill_again_and_again(sandbox: &Sandbox, seeded: &Seeded, source: &Path, destination: &Path) -> Tally {
    let mut tally = Tally::default();
    let mut pause = Duration::from_millis(200);
    let mut safe_before = 0;
    for round in 0..KILLS {
        let mut run = match round % 2 {
            0 => Run::command(sandbox, source, destination),
            _ => Run::agent(sandbox),
        };
        let began = Instant::now();
        let Some(first) = run.first_bins(sandbox) else { break };
        let limit = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX).max(1);
        rest(Duration::from_micros(seeded.within(0..limit)));
        let last = run.bins(sandbox).unwrap_or(first);
        let was_running = run.process.kill();
        tally.hits += u32::from(was_running && last.left() > 0);
        tally.advanced += u32::from(last.safe > safe_before);
        pause =
            next_pause(pause, last, last.safe.saturating_sub(safe_before), began.elapsed(), KILLS - round);
        safe_before = last.safe;
    }
    tally
}

/// The longest time until the next kill, so that the work lasts for all of them.
fn next_pause(pause: Duration, last: Bins, done: u64, took: Duration, rounds_left: u32) -> Duration {
    if done == 0 {
        return (pause * 2).min(PAUSE_MAX);
    }
    let files_a_round =
        f64::from(u32::try_from(last.left()).unwrap_or(u32::MAX)) / f64::from(rounds_left + 5);
    let took_a_file = took.as_secs_f64() / f64::from(u32::try_from(done).unwrap_or(u32::MAX));
    Duration::from_secs_f64((2.0 * files_a_round * took_a_file).min(PAUSE_MAX.as_secs_f64()))
}

/// Lets the backup finish, by the command that a person would use.
fn finish(sandbox: &Sandbox, source: &Path, destination: &Path) {
    let mut command = sandbox.command(["backup", "--json"]);
    let errors = sandbox.path("last-run.err");
    let out = sandbox.path("last-run.out");
    command
        .arg(source)
        .arg("--to")
        .arg(destination)
        .stdout(std::fs::File::create(&out).expect("a log"))
        .stderr(std::fs::File::create(&errors).expect("a log"));
    let status = sandbox.spawn(command).wait_for_end(DONE_WITHIN);
    let said = std::fs::read_to_string(&errors).unwrap_or_default();
    assert_eq!(status.code(), Some(0), "the last run: {status}\n{said}");
    let last = std::fs::read_to_string(&out).unwrap_or_default();
    let last: Value = serde_json::from_str(last.lines().last().unwrap_or_default()).expect("a closing line");
    assert_eq!(last["event"], "finished", "{last}");
}

/// The destination holds what it must, and nothing else.
fn assert_destination(destination: &Path, library: &Library) {
    let mut held: BTreeMap<[u8; 32], u64> = BTreeMap::new();
    let mut own_files = 0;
    for path in files_below(destination) {
        let inner = path.strip_prefix(destination).expect("below");
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        assert!(!name.ends_with(".tmp"), "a temp file remains: {}", inner.display());
        if inner.starts_with(".safelight") {
            own_files += 1;
        } else {
            *held.entry(digest(&path)).or_default() += 1;
        }
    }
    assert!(own_files >= 2, "the identity file and a manifest are there");
    let missing =
        library.expected.iter().filter(|(hash, n)| held.get(*hash).copied().unwrap_or(0) < **n).count();
    let surplus: Vec<_> =
        held.iter().filter(|(hash, n)| library.expected.get(*hash).copied().unwrap_or(0) < **n).collect();
    assert_eq!((missing, surplus.len()), (0, 0), "missing or surplus contents");
}

#[test]
fn a_backup_killed_fifty_times_loses_nothing() {
    let seeded = Seeded::announced("kill");
    let sandbox = Sandbox::new();
    let (source, destination) = (sandbox.path("photos"), sandbox.path("backup"));
    let library = generate(&seeded, &source);
    let before = witness(&source);
    assert_eq!(u64::try_from(before.len()).expect("a count"), library.files);

    let tally = kill_again_and_again(&sandbox, &seeded, &source, &destination);
    println!("kill: {} of {KILLS} hit a running backup, {} after progress", tally.hits, tally.advanced);
    assert!(tally.hits >= HITS_WANTED, "{tally:?}: the library is too small for this machine");
    assert!(tally.advanced >= KILLS / 4, "{tally:?}: kills came before anything was done");
    finish(&sandbox, &source, &destination);

    assert_destination(&destination, &library);
    assert_eq!(witness(&source), before, "a source was touched");
    let bins = status(&sandbox).expect("status answers");
    let all_safe = Bins {
        found: library.files,
        safe: library.files - library.excluded,
        excluded: library.excluded,
        unproven: 0,
        waiting: 0,
        uploading: 0,
        needs_attention: 0,
    };
    assert_eq!(bins, all_safe);
}
