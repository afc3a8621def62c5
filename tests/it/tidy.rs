//! House rules that no compiler keeps: lengths, leftovers, words, and crates that stay out.

use std::collections::BTreeSet;
use std::path::Path;

use crate::support::{project_files, project_root, rust_files};

/// A file longer than this needs a reason in [`LONG_FILES`].
const LINES_WANTED: usize = 500;
/// No file is longer than this.
const LINES_MAX: usize = 800;
/// Files above [`LINES_WANTED`], each with the reason why splitting it would make it worse.
const LONG_FILES: &[(&str, &str)] = &[];

/// Crates that stay out, each with the reason.
const BANNED_CRATES: &[(&str, &str)] = &[
    ("openssl", "a system library to link; rustls does it"),
    ("openssl-sys", "a system library to link; rustls does it"),
    ("native-tls", "brings OpenSSL"),
    ("aws-lc-rs", "a long C build; ring does it"),
    ("aws-lc-sys", "a long C build; ring does it"),
    ("gtk", "unmaintained, and a system library to link"),
    ("gtk-sys", "unmaintained, and a system library to link"),
    ("libappindicator", "brings gtk"),
    ("async-std", "a second async runtime, discontinued"),
    ("rawler", "LGPL"),
    ("heic", "AGPL"),
    ("libheif-sys", "a system library newer than Debian's"),
    ("turbojpeg-sys", "the same symbols as mozjpeg"),
    ("single-instance", "unmaintained"),
];

/// Text that must not be in the project, put together here so that this file may be looked at too.
fn banned_words() -> Vec<String> {
    let pairs = [
        ("/wo", "rk/"),
        ("/ro", "ot/"),
        ("/home/", "user/"),
        ("farm", "-"),
        ("sub", "agent"),
        ("as an ", "AI"),
        ("language ", "model"),
        ("this ", "session"),
        ("TO", "DO"),
        ("FIX", "ME"),
        ("XX", "X"),
    ];
    pairs.iter().map(|(head, tail)| format!("{head}{tail}")).collect()
}

/// Code that must not be in a Rust file.
fn banned_code() -> Vec<String> {
    let pairs = [
        ("to", "do!("),
        ("unimple", "mented!("),
        ("#[ig", "nore"),
        ("#[al", "low("),
        ("#![al", "low("),
        ("db", "g!("),
    ];
    pairs.iter().map(|(head, tail)| format!("{head}{tail}")).collect()
}

/// Picture characters: fonts draw them differently everywhere, and design tokens never.
fn is_emoji(c: char) -> bool {
    matches!(u32::from(c), 0x1F000..=0x1FAFF | 0xFE0F | 0x2705 | 0x2728 | 0x274C | 0x2753..=0x2757 | 0x26A1 | 0x2B50 | 0x231A..=0x231B | 0x23E9..=0x23F3)
}

/// What is wrong with a text file, line by line.
fn text_faults(file: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let words = banned_words();
    for (index, line) in text.lines().enumerate() {
        let mut fault = |what: &str| faults.push(format!("{file}:{}: {what}", index + 1));
        for word in words.iter().filter(|word| line.contains(word.as_str())) {
            fault(&format!("says {word:?}"));
        }
        if line.chars().any(is_emoji) {
            fault("has an emoji");
        }
        if line.ends_with(' ') || line.ends_with('\t') {
            fault("ends in white space");
        }
    }
    if !text.is_empty() && !text.ends_with('\n') {
        faults.push(format!("{file}: does not end its last line"));
    }
    faults
}

/// What is wrong with a Rust file beyond [`text_faults`].
fn rust_faults(file: &str, text: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let code = banned_code();
    for (index, line) in text.lines().enumerate() {
        let mut fault = |what: &str| faults.push(format!("{file}:{}: {what}", index + 1));
        for word in code.iter().filter(|word| line.contains(word.as_str())) {
            fault(&format!("has {word:?}"));
        }
        if line.contains('\t') {
            fault("has a tab");
        }
    }
    // The tests of a module are described by the module.
    let opens_with_doc = ["//!", "#![doc = include_str!"].iter().any(|start| text.starts_with(start))
        || file.ends_with("/tests.rs");
    if !opens_with_doc {
        faults.push(format!("{file}: does not open with what it is (`//!`)"));
    }
    faults.extend(length_fault(file, text.lines().count()));
    faults
}

fn length_fault(file: &str, lines: usize) -> Option<String> {
    let has_reason = LONG_FILES.iter().any(|(name, _)| *name == file);
    if lines > LINES_MAX {
        Some(format!("{file}: {lines} lines; split it (at most {LINES_MAX})"))
    } else if lines > LINES_WANTED && !has_reason {
        Some(format!("{file}: {lines} lines; split it, or give a reason in LONG_FILES"))
    } else {
        None
    }
}

/// The names of the packages in a lock file.
fn locked_crates(lock: &str) -> BTreeSet<&str> {
    lock.lines().filter_map(|line| line.strip_prefix("name = \"")?.strip_suffix('"')).collect()
}

fn read(file: &str) -> String {
    std::fs::read_to_string(project_root().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn is_text(file: &Path) -> bool {
    let extension = file.extension().and_then(|ext| ext.to_str()).unwrap_or_default();
    !matches!(extension, "png" | "jpg" | "jpeg" | "heic" | "ico" | "ttf" | "otf" | "bin" | "lock")
}

fn assert_none(faults: &[String]) {
    assert!(faults.is_empty(), "{} faults:\n{}", faults.len(), faults.join("\n"));
}

#[test]
fn texts_are_tidy() {
    let faults: Vec<String> = project_files()
        .iter()
        .filter(|file| is_text(file))
        .flat_map(|file| {
            let name = file.to_string_lossy();
            match std::fs::read_to_string(project_root().join(file)) {
                // A snapshot's blank lines are its content.
                Ok(text) if name.ends_with(".snap") => {
                    let mut faults = text_faults(&name, &text);
                    faults.retain(|fault| !fault.contains("white space"));
                    faults
                }
                Ok(text) => text_faults(&name, &text),
                Err(error) => vec![format!("{name}: {error}")],
            }
        })
        .collect();
    assert_none(&faults);
}

#[test]
fn rust_files_are_tidy() {
    let files = ["src", "tests", "benches", "examples"].into_iter().flat_map(rust_files);
    let faults: Vec<String> = files.flat_map(|(file, text)| rust_faults(&file, &text)).collect();
    assert_none(&faults);
}

#[test]
fn long_files_are_listed_with_a_reason_and_are_long() {
    for (file, reason) in LONG_FILES {
        let lines = read(file).lines().count();
        assert!(lines > LINES_WANTED, "{file} has {lines} lines and needs no reason");
        assert!(reason.len() > 20, "{file}: {reason:?} is no reason");
    }
}

#[test]
fn nothing_unreviewed_is_kept() {
    let names: Vec<String> = project_files().iter().map(|file| file.to_string_lossy().into_owned()).collect();
    assert!(names.iter().any(|name| name == "Cargo.lock"), "Cargo.lock is not kept");
    let leftovers: Vec<&String> = names
        .iter()
        .filter(|name| {
            [".snap.new", ".diff.png", ".new.png", ".orig", ".rej", ".bak", ".log", "~"]
                .iter()
                .any(|end| name.ends_with(end))
        })
        .collect();
    assert!(leftovers.is_empty(), "{leftovers:?}");
    let top: BTreeSet<&str> = names.iter().filter_map(|name| name.split('/').next()).collect();
    let allowed = [
        "Cargo.lock",
        "Cargo.toml",
        "CHANGELOG.md",
        "LICENSE",
        "README.md",
        "assets",
        "benches",
        "examples",
        "packaging",
        "src",
        "tests",
    ];
    let strange: Vec<_> =
        top.iter().filter(|name| !name.starts_with('.') && !allowed.contains(name)).collect();
    assert!(strange.is_empty(), "at the top: {strange:?}");
}

#[test]
fn banned_crates_stay_out() {
    let lock = read("Cargo.lock");
    let locked = locked_crates(&lock);
    assert!(locked.contains("safelight") && locked.contains("tokio"));
    let found: Vec<_> = BANNED_CRATES.iter().filter(|(name, _)| locked.contains(name)).collect();
    assert!(found.is_empty(), "{found:?}");
}

#[test]
fn the_papers_are_there() {
    let changes = read("CHANGELOG.md");
    assert!(
        changes.lines().any(|line| line.starts_with("## ") && line.len() > 3),
        "CHANGELOG.md has no heading for a release"
    );
    let readme = read("README.md");
    for command in ["cargo run --release -- backup", "./tests/all"] {
        assert!(readme.contains(command), "README.md does not give `{command}`");
    }
    let license = read("LICENSE");
    assert!(license.contains("MIT License") && license.contains("Apache License"));
    assert!(read("src/ARCHITECTURE.md").contains("must never"));
    for picture in readme.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
        let is_local = !picture.contains("://") && !picture.starts_with('#');
        assert!(!is_local || project_root().join(picture).exists(), "README.md points at {picture}");
    }
}

#[test]
fn planted_faults_are_seen() {
    for word in banned_words() {
        assert!(!text_faults("a.md", &format!("it {word} it\n")).is_empty(), "{word}");
    }
    for text in ["a \n", "a\t\n", "no end", "smile \u{1F600}\n", "done \u{2705}\n"] {
        assert!(!text_faults("a.md", text).is_empty(), "{text:?}");
    }
    assert_eq!(text_faults("a.md", "Plain words — “quoted” → ~5 ≤ 6 · ✓.\n"), Vec::<String>::new());
    for code in banned_code() {
        assert!(!rust_faults("a.rs", &format!("//! A.\nfn f() {{ {code} }}\n")).is_empty(), "{code}");
    }
    assert!(!rust_faults("a.rs", "fn f() {}\n").is_empty());
    assert!(!rust_faults("a.rs", "//! A.\n\tfn f() {}\n").is_empty());
    assert_eq!(rust_faults("a.rs", "//! A.\nfn f() {}\n"), Vec::<String>::new());
    assert!(length_fault("a.rs", LINES_MAX + 1).is_some());
    assert!(length_fault("a.rs", LINES_WANTED + 1).is_some());
    assert!(length_fault("a.rs", LINES_WANTED).is_none());
    assert!(locked_crates("[[package]]\nname = \"openssl\"\nversion = \"1\"\n").contains("openssl"));
}
