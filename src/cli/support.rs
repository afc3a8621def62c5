//! `support`: one file that shows how Safelight is doing and names no file, place or person.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use serde_json::{Map, Value, json};

use super::args::{Global, SupportArgs};
use super::exit::{CliError, Exit};
use super::output::Output;
use super::{Workspace, connect};
use crate::agent::StartEngine;
use crate::api::{ApiError, Query, QueueList, QueueQuery, Reply, Snapshot};
use crate::base::clock::{Clock as _, SystemClock};
use crate::client::conversation::{Conversation, unexpected};
use crate::domain::redact::{HIDDEN, Redactor};
use crate::platform::log::tail;

/// Rows of each list of the queue.
const ROWS_MAX: u32 = 50;
/// Events, the newest.
const EVENTS_MAX: u32 = 300;
/// The end of each log, in bytes.
const LOG_LEN_MAX: usize = 256 << 10;
/// The logs, by the names of those who write them.
const LOGS: [&str; 4] = ["agent", "window", "command", "start"];
/// Environment variables whose values are secrets, or whose names begin so.
const SECRET_VARIABLES: [&str; 6] = [
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "SAFELIGHT_PASSWORD",
    "IMMICH_API_KEY",
    "SAFELIGHT_TOKEN",
];
/// Files of this name are not replaced; this many numbers are tried for another one.
const NAMES_TRIED_MAX: u32 = 100;

/// What is known of the computer and the person, to be left out or told.
pub(super) struct Environment {
    /// What must not be in the file, and what stands for it.
    pub hidden: Vec<(String, String)>,
    /// What the computer is.
    pub system: Value,
    /// Name and end of each log.
    pub logs: Vec<(&'static str, String)>,
    /// When this is.
    pub now: String,
}

impl Environment {
    fn of_process(place: &Workspace) -> Self {
        let mut hidden =
            vec![(place.paths.data_dir.to_string_lossy().into_owned(), "(data folder)".to_owned())];
        for (name, shown) in [("HOME", "(home)"), ("USER", "(user)"), ("LOGNAME", "(user)")] {
            hidden.extend(std::env::var(name).ok().map(|value| (value, shown.to_owned())));
        }
        let secrets =
            std::env::vars().filter(|(name, _)| SECRET_VARIABLES.iter().any(|s| name.starts_with(s)));
        hidden.extend(secrets.map(|(_, value)| (value, HIDDEN.to_owned())));
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_owned();
        hidden.push((read("/proc/sys/kernel/hostname"), "(this computer)".to_owned()));
        let release = read("/etc/os-release");
        let name = release.lines().find_map(|line| line.strip_prefix("PRETTY_NAME="));
        let system = json!({
            "os": std::env::consts::OS,
            "arch": std::env::consts::ARCH,
            "distribution": name.map(|name| name.trim_matches('"')),
            "kernel": read("/proc/sys/kernel/osrelease"),
        });
        let log = |name: &'static str| {
            (name, tail(&place.paths.log_dir().join(format!("{name}.log")), LOG_LEN_MAX))
        };
        Self { hidden, system, logs: LOGS.map(log).to_vec(), now: SystemClock.now().rfc3339() }
    }
}

/// Writes the file. It is written without the engine too, and then says why.
pub fn run(args: &SupportArgs, global: &Global, out: &mut Output, start_engine: StartEngine) -> Exit {
    let written = Workspace::prepare(global).and_then(|place| {
        let environment = Environment::of_process(&place);
        let bundle = match connect::join(&place.paths, start_engine) {
            Ok(mut joined) => {
                let bundle = bundle(Ok(joined.talk.as_mut()), &environment);
                joined.leave();
                bundle
            }
            Err(error) => bundle(Err(&error.message), &environment),
        };
        write(args.out.as_deref(), &environment.now, &bundle)
    });
    match written {
        Ok(path) if out.style.is_json => out.json(&json!({ "written": path.to_string_lossy() })),
        Ok(path) => {
            out.line(&format!("Written to {}", path.display()));
            out.line(
                "It contains no names of files, destinations or people. Look through it before you send it",
            );
        }
        Err(error) => {
            out.error(&error);
            return error.exit;
        }
    }
    Exit::Fine
}

/// Writes a file that was not there before, for its owner alone.
fn write(chosen: Option<&Path>, now: &str, bundle: &Value) -> Result<PathBuf, CliError> {
    let text = serde_json::to_string_pretty(bundle).unwrap_or_default();
    let day = now.get(..10).unwrap_or("now");
    let mut number = 1;
    loop {
        let path = chosen.map_or_else(
            || match number {
                1 => PathBuf::from(format!("safelight-support-{day}.json")),
                _ => PathBuf::from(format!("safelight-support-{day}-{number}.json")),
            },
            Path::to_path_buf,
        );
        let file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path);
        let written = file.and_then(|mut file| {
            file.write_all(text.as_bytes())?;
            file.write_all(b"\n")
        });
        match written {
            Ok(()) => return Ok(path),
            Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
                number += 1;
                if chosen.is_some() || number > NAMES_TRIED_MAX {
                    let why = format!("{} already exists and was not overwritten", path.display());
                    return Err(CliError::new(Exit::Usage, why));
                }
            }
            Err(error) => {
                return Err(CliError::new(
                    Exit::Usage,
                    format!("{} cannot be written: {error}", path.display()),
                ));
            }
        }
    }
}

/// The whole file. Every text in it has been through the redactor.
pub(super) fn bundle(talk: Result<&mut dyn Conversation, &str>, environment: &Environment) -> Value {
    let mut redactor = Redactor::default();
    for (text, shown) in &environment.hidden {
        redactor.hide(text, shown);
    }
    let engine = match talk {
        Ok(talk) => ask(talk, &mut redactor).unwrap_or_else(|error| json!({ "error": error.message })),
        Err(why) => json!({ "error": why }),
    };
    let mut document = Map::new();
    document.insert("safelight".to_owned(), json!(env!("CARGO_PKG_VERSION")));
    document.insert("made_at".to_owned(), json!(environment.now));
    // What the computer is tells nobody's name, and kernels' names look like hosts'.
    document.insert("system".to_owned(), environment.system.clone());
    document.insert("engine".to_owned(), redacted(engine, &redactor));
    let logs = environment.logs.iter().map(|(name, text)| {
        let lines: Vec<String> = text.lines().map(|line| redactor.line(line)).collect();
        ((*name).to_owned(), json!(lines))
    });
    document.insert("logs".to_owned(), Value::Object(logs.collect()));
    Value::Object(document)
}

/// What the engine knows. The redactor learns the names in it.
fn ask(talk: &mut dyn Conversation, redactor: &mut Redactor) -> Result<Value, ApiError> {
    let snapshot = talk.snapshot()?;
    learn(&snapshot, redactor);
    let mut queue = Map::new();
    for list in [QueueList::Uploading, QueueList::Waiting, QueueList::NeedsAttention, QueueList::Unproven] {
        let query = QueueQuery {
            list,
            destination: None,
            enabled_only: false,
            failure_kind: None,
            after: None,
            limit: ROWS_MAX,
        };
        let page = match talk.call(Query::Queue(query).into())? {
            Reply::Queue(page) => page,
            other => return Err(unexpected(&other)),
        };
        for row in &page.rows {
            redactor.hide(row.path.file_name(), "(file)");
        }
        let name = json!(list).as_str().unwrap_or_default().to_owned();
        queue.insert(name, json!({ "total": page.total, "rows": page.rows }));
    }
    let failures = match talk.call(Query::FailureGroups.into())? {
        Reply::FailureGroups(groups) => groups,
        other => return Err(unexpected(&other)),
    };
    let events = match talk.call(Query::Events { limit: EVENTS_MAX }.into())? {
        Reply::Events(events) => events,
        other => return Err(unexpected(&other)),
    };
    Ok(json!({ "snapshot": *snapshot, "queue": queue, "failures": failures, "events": events }))
}

/// Every name in a snapshot is hidden from now on.
fn learn(snapshot: &Snapshot, redactor: &mut Redactor) {
    for (number, source) in (1..).zip(&snapshot.sources) {
        let shown = format!("(source {number})");
        redactor.hide(&source.path.path, &shown);
        redactor.hide(source.path.file_name(), &shown);
        for folder in &source.unreadable {
            redactor.hide(&folder.path.path, "(folder)");
            redactor.hide(folder.path.file_name(), "(folder)");
        }
    }
    for (number, destination) in (1..).zip(&snapshot.destinations) {
        let shown = format!("(destination {number})");
        redactor.hide(&destination.url, &shown);
        redactor.hide(&destination.name, &shown);
        // A host, a user, a bucket, a folder: each part of the address by itself too.
        for part in
            destination.url.split(['/', ':', '@', '?', '&', '=', '#', '+']).filter(|part| part.len() > 3)
        {
            if !matches!(part, "http" | "https" | "webdav" | "nextcloud" | "immich" | "resumable" | "file") {
                redactor.hide(part, &shown);
            }
        }
    }
    if let crate::api::ProxyText::Address(address) = &snapshot.network.proxy {
        redactor.hide(address, "(proxy)");
        for part in address
            .split(['/', ':', '@'])
            .filter(|part| part.len() > 3 && *part != "http" && *part != "https")
        {
            redactor.hide(part, "(proxy)");
        }
    }
    if let Some(file) = &snapshot.network.ca_file {
        redactor.hide(&file.path, "(certificate file)");
        redactor.hide(file.file_name(), "(certificate file)");
    }
    for transfer in &snapshot.uploading {
        redactor.hide(transfer.path.file_name(), "(file)");
    }
}

/// The same with every text redacted, and without bytes of paths.
fn redacted(value: Value, redactor: &Redactor) -> Value {
    match value {
        Value::String(text) => {
            let lines: Vec<String> = text.lines().map(|line| redactor.line(line)).collect();
            Value::String(lines.join("\n"))
        }
        Value::Array(items) => Value::Array(items.into_iter().map(|item| redacted(item, redactor)).collect()),
        Value::Object(fields) => {
            let kept = fields.into_iter().filter(|(name, _)| name != "path_b64");
            Value::Object(kept.map(|(name, value)| (name, redacted(value, redactor))).collect())
        }
        other => other,
    }
}
