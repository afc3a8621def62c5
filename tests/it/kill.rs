//! Killed at any moment: a backup that is ended by `kill -9` again and again, and then allowed to
//! finish, must leave every file at the destination once, byte for byte, and nothing else.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use crate::support::backup::{
    Bins, FileFingerprint, Run, digest, files_below, seen, status, tiny_jpeg, witness,
};
use crate::support::process::Sandbox;
use crate::support::seed::Seeded;
use crate::support::wait::rest;

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
/// How long the last, undisturbed run may take.
const DONE_WITHIN: Duration = Duration::from_secs(600);
/// The longest time a backup is left alone between two kills is between these: longer after a round
/// in which nothing was done.
const PAUSE_MIN: Duration = Duration::from_millis(100);
const PAUSE_MAX: Duration = Duration::from_millis(3_000);

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
    written: BTreeMap<PathBuf, FileFingerprint>,
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

fn seeded_sidecar(seeded: &Seeded) -> Vec<u8> {
    let unique = seeded.within(0..u64::MAX);
    format!("<x:xmpmeta xmlns:x=\"adobe:ns:meta/\" x:id=\"{unique}\"></x:xmpmeta>\n").into_bytes()
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
