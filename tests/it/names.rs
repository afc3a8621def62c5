//! Names that a server does not take: found by its probe, escaped in the keys, and given back by a restore.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt as _;
use std::path::Path;
use std::process::Output;

use safelight::domain::key::RefusedChars;
use serde_json::Value;

use crate::conformance::s3::{ACCESS_KEY, BUCKET, SECRET_KEY, fake_address, fake_with, strict};
use crate::conformance::servers::dav_with;
use crate::fakes::dav::Behavior;
use crate::fakes::fault_server::FaultServer;
use crate::fakes::s3::BucketBehavior;
use crate::fakes::uploads::{Behavior as UploadBehavior, UploadProtocol, UploadServer};
use crate::support::backup::{digest, files_below, tiny_jpeg};
use crate::support::process::Sandbox;

/// File names with everything that a name may have and somebody refuses.
fn names() -> Vec<OsString> {
    let mut names: Vec<OsString> =
        " !\"#$%&'()*+,:;<=>?@[\\]^`{|}~".chars().map(|c| format!("a{c}b.jpg").into()).collect();
    names.extend(
        [
            "a%3Bb.jpg",
            "a%253Bb.jpg",
            "Zürich.jpg",
            "Zu\u{308}rich 2.jpg",
            "東京.jpg",
            "Łódź.jpg",
            "\u{1f600}.jpg",
            "new\nline\tand\u{7f}.jpg",
            " space.jpg",
            "dots...jpg",
            "=3B.jpg",
        ]
        .map(OsString::from),
    );
    names.push("長".repeat(80).into());
    names.push(OsString::from_vec(b"not \xff utf8.jpg".to_vec()));
    names
}

fn photos(sandbox: &Sandbox) -> BTreeMap<OsString, [u8; 32]> {
    let folder = sandbox.path("photos");
    std::fs::create_dir(&folder).expect("a folder");
    for (number, name) in names().into_iter().enumerate() {
        let bytes = [tiny_jpeg(), number.to_le_bytes().to_vec()].concat();
        std::fs::write(folder.join(name), bytes).expect("a photo");
    }
    by_name(&folder)
}

fn by_name(folder: &Path) -> BTreeMap<OsString, [u8; 32]> {
    let named = |path: &std::path::PathBuf| (path.file_name().expect("a name").to_owned(), digest(path));
    files_below(folder).iter().map(named).collect()
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Backs all of it up by the real binary, with proof, and restores it, by dates, under the own names.
fn there_and_back(to: &str, environment: &[(&str, &str)]) {
    let sandbox = Sandbox::new();
    let originals = photos(&sandbox);
    let run = |words: &[&str]| {
        let mut command = sandbox.command(words);
        command.envs(environment.iter().copied());
        command.output().expect("the binary starts")
    };
    let source = sandbox.path("photos");
    let backup = run(&["backup", source.to_str().expect("UTF-8"), "--to", to, "--json"]);
    assert_eq!(backup.status.code(), Some(0), "{}", said(&backup));
    let last: Value = String::from_utf8_lossy(&backup.stdout)
        .lines()
        .last()
        .and_then(|line| serde_json::from_str(line).ok())
        .expect("the last line");
    let destination = &last["destinations"][0];
    assert_eq!(destination["safe"], originals.len(), "{destination}");
    let name = destination["name"].as_str().expect("a name");
    let into = sandbox.path("back");
    let back = run(&["restore", "--from", name, "--into", into.to_str().expect("UTF-8")]);
    assert_eq!(back.status.code(), Some(0), "{}", said(&back));
    assert_eq!(by_name(&into), originals);
}

#[test]
fn every_name_comes_back_from_a_server_that_cuts_at_a_semicolon() {
    let server = FaultServer::start(Behavior {
        cuts_names_at: Some(';'),
        refuses_in_names: "#~",
        ..Behavior::default()
    });
    there_and_back(&format!("webdav+http://{}/dav/photos", server.host()), &[]);
    let files = server.dav().files();
    assert!(files.iter().any(|path| path.ends_with("/a%3Bb.jpg")), "{files:?}");
    assert!(files.iter().any(|path| path.ends_with("/a%7Eb.jpg")), "{files:?}");
    is_clean(&files);
}

#[test]
fn every_name_comes_back_from_a_server_that_reads_escapes() {
    let server =
        FaultServer::start(Behavior { decodes_twice: true, last_in_names: 'z', ..Behavior::default() });
    there_and_back(&format!("webdav+http://{}/dav/photos", server.host()), &[]);
    let files = server.dav().files();
    assert!(files.iter().any(|path| path.ends_with("/=E6=9D=B1=E4=BA=AC.jpg")), "{files:?}");
    is_clean(&files);
}

#[test]
fn every_name_comes_back_from_a_tus_server_whose_own_header_breaks() {
    let server = UploadServer::start(UploadBehavior { gives_only_latin1: true, ..UploadBehavior::default() });
    there_and_back(&format!("tus+{}", server.url()), &[]);
    assert_eq!((server.finished().len(), server.unfinished().len()), (names().len(), 0));
    // The own name goes along where the copy has another.
    let told = |upload: &&crate::fakes::uploads::Upload| upload.metadata.contains("originalName ");
    assert!(server.finished().iter().filter(told).count() > 4);
}

#[test]
fn every_name_comes_back_from_a_strict_bucket() {
    let behavior =
        BucketBehavior { refuses_in_names: "^`", ..BucketBehavior::strict(ACCESS_KEY, SECRET_KEY) };
    let server = std::sync::Arc::new(FaultServer::s3(BUCKET, behavior));
    let keys = [("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)];
    there_and_back(&fake_address(&server), &keys);
}

fn is_clean(files: &[String]) {
    let foreign = |path: &&String| {
        let path = path.strip_prefix("photos/").unwrap_or(path);
        !path.starts_with(|c: char| c.is_ascii_digit())
            && path != ".safelight/destination.json"
            && !path.starts_with(".safelight/manifest/")
    };
    assert_eq!(files.iter().find(foreign), None, "{files:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_probe_notes_what_a_server_refuses_and_leaves_nothing() {
    let none = RefusedChars::NONE;
    let behavior = Behavior::default;
    for (behavior, expected) in [
        (behavior(), none),
        (Behavior { cuts_names_at: Some(';'), ..behavior() }, none.with(';')),
        (Behavior { refuses_in_names: "& ", ..behavior() }, none.with('&').with(' ')),
        (Behavior { last_in_names: '\u{ff}', ..behavior() }, none.with_last_taken('\u{ff}')),
        (Behavior { decodes_twice: true, ..behavior() }, none.with('%')),
    ] {
        let (site, server) = dav_with(behavior.clone()).await;
        assert_eq!(site.capabilities.refused_chars, expected, "{behavior:?}");
        assert_eq!(server.dav().files(), ["photos/.safelight/destination.json"]);
        // The server learns: so does the next probe.
        *server.dav().behavior.lock() = Behavior {
            cuts_names_at: None,
            refuses_in_names: "",
            last_in_names: char::MAX,
            decodes_twice: false,
            ..server.dav().behavior()
        };
        assert_eq!(site.open().probe().await.expect("probed").refused_chars, none);
    }
    let (site, server) = fake_with(BucketBehavior { refuses_in_names: "[", ..strict() }).await;
    assert_eq!(site.capabilities.refused_chars, none.with('['));
    assert_eq!(server.bucket().objects().len(), 1, "the marker alone");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_of_uploads_is_tried_by_names_too() {
    for speech in [UploadProtocol::Tus, UploadProtocol::Draft(9)] {
        for (gives_only_latin1, can_end) in [(false, true), (true, true), (true, false)] {
            let behavior = UploadBehavior { speech, gives_only_latin1, can_end, ..UploadBehavior::default() };
            let server = UploadServer::start(behavior);
            let (_to, address) = crate::uploads::add(&server, speech, None).await.expect("added");
            let refused = address.capabilities.expect("probed").refused_chars;
            let expected = match (gives_only_latin1, can_end) {
                (false, _) => RefusedChars::NONE,
                (true, true) => RefusedChars::NONE.with_last_taken('\u{ff}'),
                (true, false) => RefusedChars::all(),
            };
            assert_eq!(refused, expected, "{speech:?}");
            let left = if can_end { 0 } else { 2 };
            assert_eq!(server.finished().len() + server.unfinished().len(), left, "{speech:?}");
        }
    }
}

#[test]
fn another_version_of_the_server_is_tried_again() {
    let server = FaultServer::start(Behavior { software: "Fake/1", ..Behavior::default() });
    let sandbox = Sandbox::new();
    let photos = sandbox.path("photos");
    std::fs::create_dir(&photos).expect("a folder");
    let to = format!("webdav+http://{}/dav/photos", server.host());
    let back_up = |name: &str| {
        std::fs::write(photos.join(name), [&tiny_jpeg(), name.as_bytes()].concat()).expect("a photo");
        let output = sandbox.run(&["backup", photos.to_str().expect("UTF-8"), "--to", &to]);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    };
    let has = |name: &str| server.dav().files().iter().any(|path| path.ends_with(name));
    back_up("a;b.jpg");
    assert!(has("/a;b.jpg"));
    // The same version is asked nothing; another one has a fault that the probe finds.
    let probes = || server.asked().iter().filter(|seen| seen.path.contains("/probe-")).count();
    server.forget();
    back_up("b;b.jpg");
    assert!(has("/b;b.jpg") && probes() == 0);
    let behavior = Behavior { software: "Fake/2", cuts_names_at: Some(';'), ..Behavior::default() };
    *server.dav().behavior.lock() = behavior;
    back_up("c;b.jpg");
    let is_escaped = |path: &String| path.contains("/c%3Bb") && path.ends_with(".jpg");
    assert!(server.dav().files().iter().any(is_escaped) && probes() > 0, "{:?}", server.dav().files());
}
