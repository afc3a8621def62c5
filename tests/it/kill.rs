//! Killed at any moment: a backup that is ended by `kill -9` again and again, and then allowed to
//! finish, must leave every file at the destination once, byte for byte, and nothing else.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::mpsc::{Receiver, sync_channel};
use std::time::Duration;

use serde_json::Value;

use crate::support::process::{Running, Sandbox};
use crate::support::seed::Seeded;
use crate::support::wait::{rest, wait_until};

/// Kills in one run of the test.
const KILLS: u32 = 50;
/// Kills that must have hit a backup with work left.
const HITS_WANTED: u32 = 45;
/// Photos with other bytes than any other, to begin with.
const PHOTOS: u64 = 400;
/// More of them than this are never made, however fast the machine is.
const PHOTOS_MAX: u64 = 20_000;
/// Photos are added while fewer files wait than several rounds as busy as the busiest would send,
/// within these.
const LEFT_WANTED: u64 = 300;
const LEFT_MAX: u64 = 1_000;
/// Bytes of the smallest and of the largest generated photo.
const LENGTHS: (u64, u64) = (20_000, 2_000_000);
/// How long a started process may take to show that it backs up.
const SEEN_WITHIN: Duration = Duration::from_secs(60);
/// How long the last, undisturbed run may take.
const DONE_WITHIN: Duration = Duration::from_secs(600);
/// The longest time a backup is left alone between two kills is between these: longer after a round
/// in which nothing was done.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_millis(3_000);

/// What a backup must leave as it is: size, modification time, mode and bytes.
type Seen = (u64, i64, i64, u32, [u8; 32]);

/// A source that can grow: what it holds, and so what the destination must.
struct Library {
    root: PathBuf,
    picture: Vec<u8>,
    photos: u64,
    /// Files that are no photo, video or companion, or are hidden.
    excluded: u64,
    /// How often each content must be at the destination.
    expected: BTreeMap<[u8; 32], u64>,
    /// Every file as it was when it had just been written, those that are left out included.
    written: BTreeMap<PathBuf, Seen>,
}

impl Library {
    /// Photos, and files that are left out.
    fn generate(seeded: &Seeded, root: &Path) -> Self {
        let mut library = Self {
            root: root.to_owned(),
            picture: tiny_jpeg(),
            photos: 0,
            excluded: 0,
            expected: BTreeMap::new(),
            written: BTreeMap::new(),
        };
        for n in 0..20 {
            library.add_unsent(&root.join(format!("notes/{n}.txt")), b"no photo\n");
            let hidden = photo(seeded, &library.picture);
            library.add_unsent(&root.join(format!(".hidden/{n}.jpg")), &hidden);
            library.excluded += 2;
        }
        library.grow(seeded, PHOTOS);
        library
    }

    /// Adds photos in nested folders with equal names, companions, and equal bytes under two names.
    fn grow(&mut self, seeded: &Seeded, photos: u64) {
        let sidecar = b"<x:xmpmeta xmlns:x=\"adobe:ns:meta/\"></x:xmpmeta>\n";
        for n in self.photos..self.photos + photos {
            // Equal file names in many folders: the destination must tell them apart.
            let folder = self.root.join(format!("{}/trip {}", 2_015 + n % 9, n % 40));
            let name = folder.join(format!("IMG_{:04}", n / 3));
            let bytes = photo(seeded, &self.picture);
            self.add(&name.with_extension("jpg"), &bytes);
            match n {
                // Companions: a RAW and an edit record beside the photo, and records of equal bytes.
                n if n % 10 == 0 => self.add(&name.with_extension("dng"), &photo(seeded, RAW_HEAD)),
                n if n % 10 == 1 => self.add(&name.with_extension("xmp"), &seeded_sidecar(seeded)),
                n if n % 100 == 2 => self.add(&name.with_extension("xmp"), sidecar),
                // The same bytes under another name: stored once.
                n if n % 25 == 3 => {
                    self.add_unsent(&self.root.join(format!("copies/copy of {n}.jpg")), &bytes);
                }
                _ => {}
            }
        }
        self.photos += photos;
    }

    /// Writes a file whose bytes must be at the destination once more.
    fn add(&mut self, path: &Path, bytes: &[u8]) {
        self.add_unsent(path, bytes);
        *self.expected.entry(*blake3::hash(bytes).as_bytes()).or_default() += 1;
    }

    /// Writes a file whose bytes are there already, or are left out.
    fn add_unsent(&mut self, path: &Path, bytes: &[u8]) {
        std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
        std::fs::write(path, bytes).expect("a source file can be made");
        let seen = seen(path, *blake3::hash(bytes).as_bytes());
        assert!(self.written.insert(path.to_owned(), seen).is_none(), "made twice: {}", path.display());
    }

    /// All files, those that are left out included.
    fn files(&self) -> u64 {
        u64::try_from(self.written.len()).expect("a count")
    }
}

/// How a RAW file begins.
const RAW_HEAD: &[u8] = b"II*\0\x08\0\0\0";

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

fn seeded_sidecar(seeded: &Seeded) -> Vec<u8> {
    let unique = seeded.within(0..u64::MAX);
    format!("<x:xmpmeta xmlns:x=\"adobe:ns:meta/\" x:id=\"{unique}\"></x:xmpmeta>\n").into_bytes()
}

fn seen(path: &Path, digest: [u8; 32]) -> Seen {
    let meta = std::fs::symlink_metadata(path).expect("a source file");
    (meta.len(), meta.mtime(), meta.mtime_nsec(), meta.mode(), digest)
}

/// The sources as they are now.
fn witness(root: &Path) -> BTreeMap<PathBuf, Seen> {
    files_below(root)
        .into_iter()
        .map(|path| {
            let seen = seen(&path, digest(&path));
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
    /// Most files that became safe in one round.
    most_done: u64,
}

/// Starts and kills the backup, again and again. The library grows as fast as it is backed up, so
/// that no machine is too fast for it.
#[expect(clippy::print_stdout, reason = "how the kills fell is for whoever reads the failed test")]
fn kill_again_and_again(
    sandbox: &Sandbox,
    seeded: &Seeded,
    library: &mut Library,
    destination: &Path,
) -> Tally {
    let mut tally = Tally::default();
    let mut pause = Duration::from_millis(200);
    let mut safe_before = 0;
    for round in 0..KILLS {
        let mut run = match round % 2 {
            0 => Run::command(sandbox, &library.root, destination),
            _ => Run::agent(sandbox),
        };
        let Some(first) = run.first_bins(sandbox) else { continue };
        let limit = u64::try_from(pause.as_micros()).unwrap_or(u64::MAX).max(1);
        rest(Duration::from_micros(seeded.within(0..limit)));
        let last = run.bins(sandbox).unwrap_or(first);
        let was_running = run.process.kill();
        let done = last.safe.saturating_sub(safe_before);
        println!("kill {round}: running {was_running}, {done} done, {last:?}");
        tally.hits += u32::from(was_running && last.left() > 0);
        tally.advanced += u32::from(done > 0);
        tally.most_done = tally.most_done.max(done);
        pause = if done == 0 { (pause * 2).min(PAUSE_MAX) } else { (pause / 2).max(PAUSE_MIN) };
        safe_before = last.safe;
        let wanted = (4 * tally.most_done).clamp(LEFT_WANTED, LEFT_MAX);
        let room = PHOTOS_MAX - library.photos;
        library.grow(seeded, wanted.saturating_sub(last.left()).min(room));
    }
    tally
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
    let mut library = Library::generate(&seeded, &source);

    let tally = kill_again_and_again(&sandbox, &seeded, &mut library, &destination);
    println!("kill: {tally:?} of {KILLS}, {} files", library.files());
    assert!(tally.hits >= HITS_WANTED, "{tally:?}: the library is too small for this machine");
    assert!(tally.advanced >= KILLS / 4, "{tally:?}: kills came before anything was done");
    finish(&sandbox, &source, &destination);

    assert_destination(&destination, &library);
    assert_eq!(witness(&source), library.written, "a source was touched");
    let bins = status(&sandbox).expect("status answers");
    let all_safe = Bins {
        found: library.files(),
        safe: library.files() - library.excluded,
        excluded: library.excluded,
        unproven: 0,
        waiting: 0,
        uploading: 0,
        needs_attention: 0,
    };
    assert_eq!(bins, all_safe);
}
