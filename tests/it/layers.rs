//! The floors of the house, as `src/ARCHITECTURE.md` draws them: what each may name.

use crate::support::rust_files;
use crate::support::rust_source::{LocatedToken, NamedPath, Token, named_paths, tokens};

/// One module below the crate's root.
struct Floor {
    name: &'static str,
    /// Names only floors of a lower height. Floors of one height do not name each other.
    height: u8,
    /// Lower floors that it may not name all the same.
    except: &'static [&'static str],
}

const fn floor(name: &'static str, height: u8) -> Floor {
    Floor { name, height, except: &[] }
}

/// A client has nothing but the conversation, so that it may crash without touching a transfer.
const BEHIND_THE_SOCKET: &[&str] = &["store", "destination", "extension"];

const FLOORS: &[Floor] = &[
    floor("domain", 0),
    floor("base", 1),
    floor("api", 2),
    floor("store", 3),
    floor("media", 3),
    floor("destination", 3),
    floor("platform", 3),
    floor("extension", 4),
    floor("engine", 5),
    floor("agent", 6),
    Floor { name: "client", height: 6, except: BEHIND_THE_SOCKET },
    floor("cli", 7),
    Floor {
        name: "ui",
        height: 7,
        except: &["base", "store", "media", "destination", "platform", "extension", "engine", "agent"],
    },
    floor("main", 8),
];

/// A name from outside the crate and the only places that may know it. Tests of a module are bound
/// by it too, unless `in_tests` frees them.
struct Fence {
    names: &'static [&'static str],
    only_in: &'static [&'static str],
    in_tests: bool,
    because: &'static str,
}

const fn fence(
    names: &'static [&'static str],
    only_in: &'static [&'static str],
    because: &'static str,
) -> Fence {
    Fence { names, only_in, in_tests: false, because }
}

const FENCES: &[Fence] = &[
    fence(
        &["crate::engine"],
        &["engine", "agent", "client::in_process", "cli", "main"],
        "a client reaches an engine in its own process through one file",
    ),
    fence(&["rusqlite", "libsqlite3_sys"], &["store"], "only the store speaks SQL"),
    fence(&["reqwest", "hyper"], &["destination::http"], "one module owns the wire"),
    fence(&["eframe", "egui", "egui_kittest"], &["ui"], "backing up must not need a window"),
    fence(
        &["tokio", "tokio_util"],
        &[
            "base",
            "store",
            "media",
            "destination",
            "platform",
            "extension",
            "engine",
            "agent",
            "client",
            "cli",
            "main",
        ],
        "the domain is pure, the conversation is data, and the window never waits",
    ),
    fence(
        &["serde", "serde_json"],
        &[
            "base",
            "api",
            "store",
            "media",
            "destination",
            "platform",
            "extension",
            "engine",
            "agent",
            "client",
            "cli",
            "ui",
        ],
        "a serialisable type is a promise: the domain makes none",
    ),
    fence(
        &["std::net", "std::os::unix::net", "tokio::net"],
        &["destination::http", "platform", "agent", "client"],
        "sockets belong to the wire and to the conversation",
    ),
    Fence {
        names: &["std::fs", "tokio::fs"],
        only_in: &[
            "base::atomic_file",
            "base::files",
            "base::mounts",
            "destination::folder",
            // The certificate file that the person chose.
            "destination::network_config",
            "store",
            "media::thumb_cache",
            "platform",
            "agent",
            "client",
            "cli",
            "main",
        ],
        in_tests: true,
        because: "sources are read through base::files, and never written",
    },
    Fence {
        names: &[
            "std::env",
            "std::process",
            "std::io",
            "std::thread",
            "std::time::SystemTime",
            "std::time::Instant",
        ],
        only_in: &[
            "base",
            "api",
            "store",
            "media",
            "destination",
            "platform",
            "extension",
            "engine",
            "agent",
            "client",
            "cli",
            "ui",
            "main",
        ],
        in_tests: false,
        because: "the domain does no input or output and reads no clock",
    },
];

/// Crates whose bare name is enough to break a fence, however it was brought in.
fn is_crate_name(name: &str) -> bool {
    !name.contains("::")
}

/// The module that a file below `src` is: `src/engine/wake.rs` is `engine::wake`. The crate's root
/// file has none, the binary is `main`.
pub fn module_of(file: &str) -> Vec<String> {
    let inner = file.strip_prefix("src/").unwrap_or(file).trim_end_matches(".rs");
    let mut module: Vec<String> = inner.split('/').map(str::to_owned).collect();
    if module.last().is_some_and(|last| last == "mod" || last == "lib") {
        module.pop();
    }
    module
}

/// Files that hold nothing but tests.
pub fn is_test_file(module: &[String]) -> bool {
    module.iter().any(|part| part == "tests" || part.ends_with("_tests") || part == "testing")
}

fn is_within(module: &str, places: &[&str]) -> bool {
    places.iter().any(|place| {
        module == *place || module.strip_prefix(place).is_some_and(|rest| rest.starts_with("::"))
    })
}

/// What `file` names that its floor may not.
fn violations(file: &str, source: &str) -> Vec<String> {
    let module = module_of(file);
    let Some(own) = module.first() else { return root_violations(file, source) };
    let Some(floor) = FLOORS.iter().find(|floor| floor.name == own) else {
        return vec![format!("{file}: `{own}` is no floor; give it a height in tests/it/layers.rs")];
    };
    let parts = tokens(source);
    let here = if own == "main" { Vec::new() } else { module.clone() };
    let mut found = Vec::new();
    for path in named_paths(&parts, &here) {
        let is_own = path.segments.first().is_some_and(|first| first == "crate");
        let said =
            is_own.then(|| broken_floor(floor, &path)).flatten().or_else(|| broken_fence(&module, &path));
        found.extend(said.map(|why| format!("{file}:{}: {}: {why}", path.line, path.segments.join("::"))));
    }
    if own != "store" {
        found.extend(parts.iter().filter_map(|part| sql_in(file, &module, part)));
    }
    found
}

/// The root file only says which floors there are.
fn root_violations(file: &str, source: &str) -> Vec<String> {
    let parts = tokens(source);
    let is_allowed = |word: &str| {
        matches!(word, "pub" | "mod" | "doc" | "include_str") || FLOORS.iter().any(|floor| floor.name == word)
    };
    let words = parts.iter().filter_map(|part| match &part.token {
        Token::Word(word) if !is_allowed(word) => Some(format!("{file}:{}: `{word}`", part.line)),
        _ => None,
    });
    words.collect()
}

fn broken_floor(floor: &Floor, path: &NamedPath) -> Option<String> {
    let name = path.segments.get(1)?;
    if name == floor.name {
        return None;
    }
    let Some(other) = FLOORS.iter().find(|other| other.name == name) else {
        return Some("names something that is on no floor".to_owned());
    };
    if other.height > floor.height {
        Some(format!("`{}` must not look up to `{name}`", floor.name))
    } else if other.height == floor.height {
        Some(format!("`{}` and `{name}` stand side by side and do not know each other", floor.name))
    } else if floor.except.contains(&other.name) {
        Some(format!("`{}` must not reach past the conversation into `{name}`", floor.name))
    } else {
        None
    }
}

fn broken_fence(module: &[String], path: &NamedPath) -> Option<String> {
    let here = module.join("::");
    let whole = path.segments.join("::");
    let crossed = FENCES.iter().find(|fence| {
        let names_it = fence.names.iter().any(|name| {
            if is_crate_name(name) {
                path.segments.iter().any(|segment| segment == name)
            } else {
                is_within(&whole, &[name])
            }
        });
        names_it
            && !is_within(&here, fence.only_in)
            && !(fence.in_tests && (path.in_test || is_test_file(module)))
    })?;
    Some(crossed.because.to_owned())
}

/// Whether a string is SQL: it opens with a statement's keyword in capitals.
fn sql_in(file: &str, module: &[String], part: &LocatedToken) -> Option<String> {
    let Token::Text(text) = &part.token else { return None };
    let opens = |words: &str| text.trim_start().strip_prefix(words).is_some_and(|rest| rest.starts_with(' '));
    let statements = [
        "SELECT",
        "INSERT INTO",
        "INSERT OR",
        "UPDATE",
        "DELETE FROM",
        "CREATE TABLE",
        "CREATE INDEX",
        "CREATE UNIQUE",
        "CREATE TRIGGER",
        "ALTER TABLE",
        "DROP TABLE",
        "PRAGMA",
        "WITH",
        "BEGIN IMMEDIATE",
    ];
    let is_sql = statements.into_iter().any(opens) && !part.in_test && !is_test_file(module);
    is_sql.then(|| format!("{file}:{}: SQL outside the store: {text:?}", part.line))
}

#[test]
fn every_file_keeps_to_its_floor() {
    let files = rust_files("src");
    assert!(files.len() > 20, "only {} files below src", files.len());
    let found: Vec<String> = files.iter().flat_map(|(file, source)| violations(file, source)).collect();
    assert!(found.is_empty(), "the floors are broken:\n{}", found.join("\n"));
}

#[test]
fn planted_breaches_are_seen() {
    let breaches = [
        ("src/domain/x.rs", "use crate::base::clock::Clock;"),
        ("src/domain/x.rs", "use serde::Serialize;"),
        ("src/domain/x.rs", "#[derive(serde::Serialize)] struct A;"),
        ("src/domain/x.rs", "fn f() { tokio::spawn(g()); }"),
        ("src/domain/x.rs", "use std::{fmt, fs};"),
        ("src/domain/x.rs", "fn f() -> std::time::SystemTime { std::time::SystemTime::now() }"),
        ("src/domain/x.rs", "use std::io::{self, Read};"),
        ("src/base/x.rs", "use crate::{domain::{hash, time}, store};"),
        ("src/base/x.rs", "fn f() { std::fs::remove_file(a) }"),
        ("src/store/x.rs", "use crate::media::probe;"),
        ("src/media/x.rs", "use super::super::destination::folder;"),
        ("src/destination/x.rs", "use rusqlite as db;"),
        ("src/destination/folder.rs", "use reqwest::Client;"),
        ("src/destination/http/mod.rs", "use crate::store::Store;"),
        ("src/platform/x.rs", "fn f(a: crate::store::Store) {}"),
        ("src/extension/x.rs", "use crate::engine::Engine;"),
        ("src/engine/x.rs", "use eframe::egui;"),
        ("src/engine/x.rs", "fn f(context: &egui::Context) {}"),
        ("src/engine/x.rs", "const Q: &str = \"SELECT id FROM job\";"),
        ("src/engine/x.rs", "const Q: &str = r#\"\n  UPDATE job SET state = 1\"#;"),
        ("src/engine/x.rs", "mod inner { use super::super::super::agent; }"),
        ("src/engine/x.rs", "use std::fs::File;"),
        ("src/agent/x.rs", "use crate::client::Backend;"),
        ("src/agent/x.rs", "use crate::ui;"),
        ("src/client/x.rs", "use crate::engine::Engine;"),
        ("src/client/remote.rs", "use crate::{api, engine::Handle};"),
        ("src/client/in_process.rs", "use crate::store::Store;"),
        ("src/cli/x.rs", "use crate::ui::run;"),
        ("src/cli/x.rs", "#[cfg(test)] mod tests { use crate::ui::run; }"),
        ("src/ui/x.rs", "use crate::{api, client, engine};"),
        ("src/ui/x.rs", "use crate::base::rng::Rng;"),
        ("src/ui/x.rs", "fn f() { tokio::spawn(g()); }"),
        ("src/ui/x.rs", "use std::net::TcpStream;"),
        ("src/ui/x.rs", "use std::fs;"),
        ("src/main.rs", "use rusqlite::Connection;"),
        ("src/api/x.rs", "use crate::nowhere::X;"),
        ("src/newcomer/mod.rs", "pub fn f() {}"),
        ("src/lib.rs", "pub mod newcomer;"),
        ("src/lib.rs", "use crate::ui::run;"),
    ];
    for (file, source) in breaches {
        assert!(!violations(file, source).is_empty(), "not seen: {file}: {source}");
    }
}

#[test]
fn what_is_allowed_passes() {
    let sound = [
        ("src/lib.rs", "#![doc = include_str!(\"ARCHITECTURE.md\")]\npub mod ui;"),
        ("src/main.rs", "fn main() { safelight::ui::run(); }"),
        ("src/domain/x.rs", "use super::time::UnixMillis; use std::time::Duration; use crate::domain::hash;"),
        ("src/domain/x.rs", "//! names neither serde, tokio nor rusqlite\nconst A: &str = \"tokio\";"),
        ("src/base/files.rs", "use std::fs; use crate::domain::file::FileStamp;"),
        (
            "src/store/x.rs",
            "use rusqlite::Connection; const Q: &str = \"SELECT 1\"; use crate::api::Snapshot;",
        ),
        ("src/media/x.rs", "#[cfg(test)] mod tests { use std::fs; }"),
        ("src/destination/http/client.rs", "use reqwest::Client;"),
        (
            "src/engine/x.rs",
            "use crate::{store::Store, extension::Policy}; const A: &str = \"Select a folder\";",
        ),
        ("src/client/in_process.rs", "use crate::engine::Handle;"),
        ("src/ui/x.rs", "use crate::{api::Snapshot, client::Backend, domain::time}; use eframe::egui;"),
        ("src/cli/x.rs", "use crate::{agent, client, engine}; use std::fs;"),
    ];
    for (file, source) in sound {
        assert_eq!(violations(file, source), Vec::<String>::new(), "{file}: {source}");
    }
}
