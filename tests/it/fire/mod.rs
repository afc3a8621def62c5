//! The real process under fire: signals, full and read-only disks, clocks that jump, a computer
//! that sleeps, rivals for the same data, strangers at the socket, and files that are poison.
//!
//! Everything here runs the built binary and looks at what it says and leaves; each test holds what
//! is promised to a person: nothing lost, nothing said to be safe that is not, and a reason with
//! advice for everything else.

mod clock;
mod disks;
mod exits;
mod file_systems;
mod full;
pub mod mounts;
mod poison;
mod rivals;
mod signals;
mod wire;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::time::Duration;

use serde_json::Value;

use crate::support::backup::{digest, files_below, tiny_jpeg};
use crate::support::process::Sandbox;
use crate::support::seed::Seeded;

/// How long a backup of a few hundred small files may take on a busy machine.
const DONE_WITHIN: Duration = Duration::from_secs(240);

/// Photos of about `length` bytes, no two alike, in folders of a hundred.
fn make_photos(seeded: &Seeded, root: &Path, photos: usize, length: u64) {
    let picture = tiny_jpeg();
    for n in 0..photos {
        let folder = root.join(format!("album {}", n / 100));
        std::fs::create_dir_all(&folder).expect("a folder can be made");
        let mut bytes = picture.clone();
        bytes.extend(seeded.bytes(seeded.length(length / 2, length + length / 2)));
        std::fs::write(folder.join(format!("IMG_{n:05}.jpg")), bytes).expect("a photo can be written");
    }
}

/// How often each content is below a folder, our own files and temp files aside.
fn contents(root: &Path) -> BTreeMap<[u8; 32], u64> {
    let mut held: BTreeMap<[u8; 32], u64> = BTreeMap::new();
    for path in copies_below(root) {
        *held.entry(digest(&path)).or_default() += 1;
    }
    held
}

/// The copies at a destination.
fn copies_below(root: &Path) -> Vec<PathBuf> {
    let mut copies = files_below(root);
    copies.retain(|path| !path.strip_prefix(root).expect("below").starts_with(".safelight"));
    copies
}

/// The destination holds every photo of the sources once, and nothing else.
fn assert_all_there(sources: &[&Path], destination: &Path) {
    let mut wanted: BTreeMap<[u8; 32], u64> = BTreeMap::new();
    for source in sources {
        for content in contents(source).into_keys() {
            wanted.insert(content, 1);
        }
    }
    let held = contents(destination);
    let missing = wanted.keys().filter(|content| !held.contains_key(*content)).count();
    let surplus = held.iter().filter(|(content, n)| wanted.get(*content) != Some(n)).count();
    assert_eq!((missing, surplus), (0, 0), "missing or surplus contents of {}", wanted.len());
    for path in files_below(destination) {
        assert!(!path.to_string_lossy().ends_with(".tmp"), "a temp file remains: {}", path.display());
    }
}

/// What a command of this sandbox prints as one JSON document.
fn json_of(sandbox: &Sandbox, arguments: &[&str]) -> Value {
    let output = sandbox.run(arguments);
    serde_json::from_slice(&output.stdout)
        .unwrap_or_else(|error| panic!("{arguments:?}: {error}: {}", told(&output)))
}

/// All that is not safe.
fn queue(sandbox: &Sandbox) -> Vec<Value> {
    match json_of(sandbox, &["queue", "--json"]) {
        Value::Array(items) => items,
        other => panic!("no array: {other}"),
    }
}

/// Backs up to the end. Returns the exit code and what was said on standard error.
fn back_up(sandbox: &Sandbox, source: &Path, destination: &Path) -> (Option<i32>, String) {
    let errors = sandbox.path("back-up.err");
    let mut command = sandbox.command(["backup"]);
    command.arg(source).arg("--to").arg(destination).stdout(Stdio::null());
    command.stderr(std::fs::File::create(&errors).expect("a log"));
    let status = sandbox.spawn(command).wait_for_end(DONE_WITHIN);
    (status.code(), std::fs::read_to_string(&errors).unwrap_or_default())
}

/// The backup ends with everything safe.
fn assert_backs_up(sandbox: &Sandbox, source: &Path, destination: &Path) {
    let (code, said) = back_up(sandbox, source, destination);
    assert_eq!(code, Some(0), "{said}");
}

/// Both outputs of a command, for a message.
fn told(output: &Output) -> String {
    format!(
        "{}\n{}\n{}",
        output.status,
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    )
}

/// Every item that needs attention says what happened and what to do.
fn assert_explained(items: &[Value]) {
    for item in items.iter().filter(|item| item["state"] == "needs_attention") {
        let failure = &item["failure"];
        for field in ["kind", "reach", "summary", "action"] {
            assert!(failure[field].as_str().is_some_and(|text| !text.is_empty()), "no {field}: {item}");
        }
    }
    for item in items.iter().filter(|item| item["state"] == "waiting") {
        assert!(!item["wait_reason"].is_null() || !item["failure"].is_null(), "waits for no reason: {item}");
    }
}
