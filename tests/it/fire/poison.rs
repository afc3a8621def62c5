//! Ten thousand small files, one in a hundred of them poison: unreadable, empty, vanishing, or
//! changing while it is read.

use std::collections::BTreeSet;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::{assert_explained, copies_below};
use crate::support::backup::{Bins, Run, digest, tiny_jpeg};
use crate::support::process::Sandbox;
use crate::support::seed::Seeded;
use crate::support::wait::wait_until;

/// All files.
const FILES: usize = 10_000;
/// Of each kind of poison.
const OF_EACH: usize = 25;
/// How long a backup of all may take on a busy machine.
const DONE_WITHIN: Duration = Duration::from_secs(600);
/// Whom Debian calls nobody.
const NOBODY: u32 = 65_534;

/// The files by what is wrong with them.
struct Library {
    root: PathBuf,
    unreadable: Vec<PathBuf>,
    empty: Vec<PathBuf>,
    vanishing: Vec<PathBuf>,
    changing: Vec<PathBuf>,
    /// Every content that any of them ever had.
    contents: BTreeSet<[u8; 32]>,
}

impl Library {
    fn generate(seeded: &Seeded, root: &Path) -> Self {
        let mut library = Self {
            root: root.to_owned(),
            unreadable: Vec::new(),
            empty: Vec::new(),
            vanishing: Vec::new(),
            changing: Vec::new(),
            contents: BTreeSet::new(),
        };
        let picture = tiny_jpeg();
        for n in 0..FILES {
            let path = root.join(format!("album {}/IMG_{n:05}.jpg", n % 100));
            std::fs::create_dir_all(path.parent().expect("a folder")).expect("a folder can be made");
            // Spread over all folders, and so over the whole order of work.
            let kind = if n % 100 == n / 100 { n % 4 + 1 } else { 0 };
            let bytes = [picture.as_slice(), &seeded.bytes(seeded.length(16, 2_000))].concat();
            match kind {
                2 => library.empty.push(path.clone()),
                1 => library.unreadable.push(path.clone()),
                3 => library.vanishing.push(path.clone()),
                4 => library.changing.push(path.clone()),
                _ => {}
            }
            let bytes = if kind == 2 { Vec::new() } else { bytes };
            library.contents.insert(*blake3::hash(&bytes).as_bytes());
            std::fs::write(&path, bytes).expect("a file can be written");
            if kind == 1 {
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o000)).expect("closed");
            }
        }
        for list in [&library.unreadable, &library.empty, &library.vanishing, &library.changing] {
            assert_eq!(list.len(), OF_EACH);
        }
        library
    }

    /// Removes some that are to vanish, and changes all that are to change.
    fn trouble(&mut self, seeded: &Seeded) {
        if let Some(path) = self.vanishing.pop() {
            std::fs::remove_file(path).expect("removed");
        }
        for path in &self.changing {
            let mut file = std::fs::File::options().append(true).open(path).expect("opened");
            file.write_all(&seeded.bytes(200)).expect("written");
            self.contents.insert(digest(path));
        }
    }
}

/// The command line as an ordinary person: nothing is unreadable to root.
fn backup(sandbox: &Sandbox, library: &Library, destination: &Path) -> Run {
    Run::of(
        sandbox,
        ordinary(sandbox, &["backup", "--json", path_text(&library.root), "--to", path_text(destination)]),
    )
}

fn path_text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

fn ordinary(sandbox: &Sandbox, arguments: &[&str]) -> std::process::Command {
    let mut command = sandbox.command_of(sandbox.path("safelight"), arguments);
    if rustix::process::geteuid().is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    command
}

fn json_of(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let output = ordinary(sandbox, arguments).output().expect("the binary starts");
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_json| panic!("{}", super::told(&output)))
}

fn bins(sandbox: &Sandbox) -> Bins {
    let status = json_of(sandbox, &["status", "--json"]);
    let bins = Bins::read(&status["destinations"][0]).expect("a destination");
    assert_eq!(bins.found, bins.sum(), "the identity is broken: {bins:?}");
    bins
}

/// What is at the destination is what some file was at some time, and all of it.
fn assert_true_copies(library: &Library, destination: &Path) -> BTreeSet<[u8; 32]> {
    let copies = copies_below(destination);
    let held: BTreeSet<[u8; 32]> = copies.iter().map(|path| digest(path)).collect();
    assert_eq!(held.len(), copies.len(), "the same bytes are there twice");
    let strange = held.difference(&library.contents).count();
    assert_eq!(strange, 0, "copies of what no file ever was");
    held
}

#[test]
fn one_file_in_a_hundred_is_poison_and_the_rest_is_safe() {
    let seeded = Seeded::announced("poison");
    let sandbox = Sandbox::new();
    let (source, destination) = (sandbox.path("photos"), sandbox.path("backup"));
    std::fs::copy(crate::support::process::binary(), sandbox.path("safelight")).expect("copied");
    let mut library = Library::generate(&seeded, &source);
    if rustix::process::geteuid().is_root() {
        sandbox.give_to(NOBODY);
    }

    let mut run = backup(&sandbox, &library, &destination);
    wait_until("the backup listens", DONE_WITHIN, || sandbox.is_listening(), |up| *up);
    // Until nothing but what changes is left, there is trouble.
    let poison = 2 * OF_EACH as u64;
    wait_until(
        "all that can be done is done",
        DONE_WITHIN,
        || {
            library.trouble(&seeded);
            run.bins(&sandbox)
        },
        |bins| {
            bins.is_some_and(|bins| {
                bins.needs_attention == poison
                    && bins.left() <= OF_EACH as u64
                    && bins.sum() == (FILES - OF_EACH) as u64
            })
        },
    );
    let ended = run.process.wait_for_end(DONE_WITHIN);
    assert_eq!(ended.code(), Some(1), "some need attention: {ended}");

    let now = bins(&sandbox);
    let found = (FILES - OF_EACH) as u64;
    assert_eq!((now.found, now.safe, now.needs_attention), (found, found - poison, poison), "{now:?}");
    let Value::Array(items) = json_of(&sandbox, &["queue", "--json"]) else { panic!("no array") };
    assert_explained(&items);
    let named = |kind: &str, expected: &[PathBuf]| {
        let of_kind = items.iter().filter(|item| item["failure"]["kind"] == kind);
        let named: BTreeSet<&str> = of_kind.filter_map(|item| item["path"].as_str()).collect();
        let expected: BTreeSet<&str> = expected.iter().map(|path| path_text(path)).collect();
        assert_eq!(named, expected, "{kind}");
    };
    named("unreadable", &library.unreadable);
    named("empty", &library.empty);
    assert_eq!(items.len() as u64, poison);
    let held = assert_true_copies(&library, &destination);
    for path in copies_below(&source) {
        let is_poison = library.unreadable.contains(&path) || library.empty.contains(&path);
        assert!(is_poison || held.contains(&digest(&path)), "said to be safe and is not: {}", path.display());
    }

    // What was wrong is mended: nothing needs attention any more.
    for path in &library.unreadable {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644)).expect("opened");
    }
    for (n, path) in library.empty.iter().enumerate() {
        let bytes = [tiny_jpeg(), n.to_le_bytes().to_vec()].concat();
        library.contents.insert(*blake3::hash(&bytes).as_bytes());
        std::fs::write(path, bytes).expect("written");
    }
    let mut run = backup(&sandbox, &library, &destination);
    assert_eq!(run.process.wait_for_end(DONE_WITHIN).code(), Some(0), "{:?}", bins(&sandbox));
    let held = assert_true_copies(&library, &destination);
    assert!(copies_below(&source).iter().all(|path| held.contains(&digest(path))));
    assert_eq!(bins(&sandbox).safe, found);
}
