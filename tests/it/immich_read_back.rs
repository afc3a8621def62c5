//! Proof at an Immich server, by the real binary: a copy is safe once its original was read back, or where
//! the person trusts the server's checksum.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::fakes::immich::{Generation, ImmichServer, KEY, sha1_of};
use crate::support::backup::tiny_jpeg;
use crate::support::process::Sandbox;

/// How many photos are sent where some are damaged; a longer run sets it to 5000.
const COUNT: &str = "SAFELIGHT_IMMICH_PHOTOS";
const ORIGINALS: &str = "GET /api/assets/{id}/original";

struct Scene {
    sandbox: Sandbox,
    server: ImmichServer,
    key: &'static str,
}

impl Scene {
    fn new(key: &'static str) -> Self {
        Self { sandbox: Sandbox::new(), server: ImmichServer::start(Generation::V3), key }
    }

    fn folder(&self, name: &str) -> PathBuf {
        let folder = self.sandbox.path(name);
        std::fs::create_dir_all(&folder).expect("a folder");
        folder
    }

    /// So many photos of their own bytes.
    fn photos(&self, count: u32) -> PathBuf {
        let folder = self.folder("photos");
        for number in 0..count {
            let bytes = [tiny_jpeg(), number.to_be_bytes().to_vec()].concat();
            std::fs::write(folder.join(format!("{number:05}.jpg")), bytes).expect("a photo");
        }
        folder
    }

    fn run(&self, arguments: &[&str], expected: i32) -> (String, String) {
        let output =
            self.sandbox.command(arguments).env("IMMICH_API_KEY", self.key).output().expect("it runs");
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let said = (text(&output.stdout), text(&output.stderr));
        assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {}{}", said.0, said.1);
        said
    }

    fn backup(&self, folder: &std::path::Path, expected: i32) -> (String, String) {
        self.run(&["backup", folder.to_str().expect("UTF-8"), "--to", &self.server.address()], expected)
    }

    fn json(&self, arguments: &[&str], expected: i32) -> Value {
        serde_json::from_str(&self.run(arguments, expected).0).expect("JSON")
    }

    fn counts(&self, expected: i32) -> [u64; 3] {
        let status = self.json(&["status", "--json"], expected);
        ["safe", "unproven", "needs_attention"]
            .map(|bin| status["destinations"][0][bin].as_u64().expect("a count"))
    }
}

#[test]
fn none_of_the_copies_that_are_damaged_on_the_disk_is_safe() {
    // The key may not remove what is damaged.
    let mut scene = Scene::new("planted-key-that-may-little");
    let few = ["asset.upload", "asset.download", "asset.update"];
    scene.server.immich.add_key(&scene.server.user, scene.key, &few);
    let count = std::env::var(COUNT).ok().and_then(|text| text.parse().ok()).unwrap_or(120);
    let every = (count / 50).max(12);
    let damaged = count / every;
    scene.server.set(|behavior| behavior.damages_every = Some(u64::from(every)));
    let photos = scene.photos(count);
    scene.backup(&photos, 1);
    assert_eq!(scene.counts(1), [u64::from(count - damaged), 0, u64::from(damaged)]);

    // Just those whose bytes on the disk are others need attention, and say what would help.
    let queue = scene.json(&["queue", "--failed", "--json"], 0);
    let why = "The server's copy of this file is damaged, and the API key may not remove it";
    let rows = queue.as_array().expect("an array");
    let mut named: Vec<String> = rows
        .iter()
        .map(|row| {
            assert_eq!(row["failure"]["summary"], why, "{row}");
            row["path"].as_str().expect("a path").rsplit('/').next().expect("a name").to_owned()
        })
        .collect();
    named.sort();
    let assets = scene.server.assets();
    let is_damaged = |asset: &&crate::fakes::immich::Asset| asset.sha1 != sha1_of(&asset.bytes);
    let mut expected: Vec<String> =
        assets.iter().filter(is_damaged).map(|asset| asset.name.clone()).collect();
    expected.sort();
    assert_eq!((named.len(), &named), (damaged as usize, &expected));

    // Trying again helps no more than it can, and ends.
    scene.run(&["retry", "--all"], 0);
    scene.backup(&photos, 1);
    assert_eq!(scene.counts(1), [u64::from(count - damaged), 0, u64::from(damaged)]);
    // A key that may: they are replaced, each once.
    scene.server.set(|behavior| behavior.damages_every = None);
    scene.key = KEY;
    scene.run(&["retry", "--all"], 0);
    scene.backup(&photos, 0);
    assert_eq!(scene.counts(0), [u64::from(count), 0, 0]);
    let assets = scene.server.assets();
    assert_eq!(assets.len(), count as usize);
    assert!(assets.iter().all(|asset| asset.sha1 == sha1_of(&asset.bytes)));
}

#[test]
fn what_was_damaged_when_it_was_stored_is_replaced_by_itself() {
    let scene = Scene::new(KEY);
    scene.server.set(|behavior| behavior.damages_next = 3);
    let photos = scene.photos(12);
    scene.backup(&photos, 0);
    assert_eq!(scene.counts(0), [12, 0, 0]);
    let assets = scene.server.assets();
    assert_eq!(assets.len(), 12);
    assert!(assets.iter().all(|asset| asset.sha1 == sha1_of(&asset.bytes)));
}

#[test]
fn a_key_that_may_not_download_says_so_with_the_permission() {
    let mut scene = Scene::new("planted-key-that-may-little");
    scene.server.immich.add_key(&scene.server.user, scene.key, &["asset.upload"]);
    let photos = scene.photos(3);
    let began = Instant::now();
    let (_, complaint) = scene.backup(&photos, 1);
    assert!(began.elapsed() < Duration::from_secs(30), "nothing is waited for that cannot come");
    assert!(complaint.contains("tick asset.download"), "{complaint}");
    assert_eq!(scene.counts(1), [0, 3, 0]);
    let (status, _) = scene.run(&["status"], 1);
    assert!(status.contains("asset.download"), "{status}");
    let queue = scene.json(&["queue", "--json"], 0);
    let reason = queue[0]["wait_reason"]["summary"].as_str().expect("a reason");
    assert!(reason.contains("asset.download"), "{queue}");
    let (said, complaint) = scene.run(&["verify"], 1);
    assert!(format!("{said}{complaint}").contains("asset.download"), "{said}{complaint}");

    scene.server.immich.lock().keys.retain(|key| key.secret == KEY);
    scene.server.immich.add_key(&scene.server.user, scene.key, &["asset.upload", "asset.download"]);
    scene.backup(&photos, 0);
    assert_eq!(scene.counts(0), [3, 0, 0]);
    scene.key = KEY;
}

#[test]
fn the_person_may_trust_the_checksum_and_take_that_back() {
    let scene = Scene::new(KEY);
    scene.server.set(|behavior| behavior.damages_every = Some(4));
    let photos = scene.photos(4);
    scene.run(&["destination", "add", &scene.server.address(), "--name", "pics", "--trust-checksum"], 0);
    scene.backup(&photos, 0);
    assert_eq!((scene.counts(0), scene.server.asked(ORIGINALS)), ([4, 0, 0], 0));
    let (status, _) = scene.run(&["status"], 0);
    assert!(status.contains("verified by the server's checksum, as you chose"), "{status}");

    // What was proved so stays proved under that name, and is read back.
    scene.run(&["destination", "settings", "pics", "--trust-checksum", "off"], 0);
    let (said, _) = scene.run(&["destination", "settings", "pics"], 0);
    assert!(said.contains("trust-checksum is off"), "{said}");
    // The damaged one may have been found in the background already: then this finds nothing more.
    let verified = scene.sandbox.command(["verify"]).env("IMMICH_API_KEY", scene.key).output();
    assert!(matches!(verified.expect("it runs").status.code(), Some(0 | 1)));
    assert_eq!(scene.counts(1), [3, 0, 1]);
    scene.run(&["destination", "settings", "pics", "--trust-checksum", "on"], 0);
    scene.run(&["retry", "--all"], 0);
    scene.backup(&photos, 0);
    assert_eq!(scene.counts(0), [4, 0, 0]);
}

#[test]
fn a_sidecar_whose_photo_is_in_the_trash_says_so_at_once() {
    let scene = Scene::new(KEY);
    let photos = scene.photos(1);
    let bytes = std::fs::read(photos.join("00000.jpg")).expect("a photo");
    scene.server.put("00000.jpg", &bytes);
    scene.server.immich.lock().assets[0].is_trashed = true;
    let xmp = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:Description xmp:Rating=\"4\"/></x:xmpmeta>";
    std::fs::write(photos.join("00000.jpg.xmp"), xmp).expect("a sidecar");
    let began = Instant::now();
    scene.backup(&photos, 1);
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    let queue = scene.json(&["queue", "--failed", "--json"], 0);
    let mut summaries: Vec<&str> = queue
        .as_array()
        .expect("an array")
        .iter()
        .map(|row| row["failure"]["summary"].as_str().expect("a summary"))
        .collect();
    summaries.sort_unstable();
    let photo = "The photo that this file belongs to is in the server's trash";
    assert_eq!(summaries, [photo, "The server has this file in its trash"]);
    scene.run(&["untrash", "--all"], 0);
    // The sidecar's contents are told, and can never be proved.
    scene.backup(&photos, 1);
    assert_eq!(scene.counts(1), [1, 1, 0]);
    assert_eq!(scene.server.assets()[0].told.get("rating"), Some(&4.into()));
}

#[test]
fn equal_bytes_in_two_folders_are_in_both_albums_with_one_sidecar() {
    let scene = Scene::new(KEY);
    let (roma, sea) = (scene.folder("photos/Roma"), scene.folder("photos/Sea"));
    let xmp = |rating: u32| {
        format!("<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:Description xmp:Rating=\"{rating}\"/></x:xmpmeta>")
    };
    for folder in [&roma, &sea] {
        std::fs::write(folder.join("a.jpg"), tiny_jpeg()).expect("a photo");
    }
    let older = std::time::SystemTime::now() - Duration::from_secs(86_400);
    std::fs::write(roma.join("a.jpg.xmp"), xmp(2)).expect("a sidecar");
    let file = std::fs::File::options().append(true).open(roma.join("a.jpg.xmp")).expect("it is there");
    file.set_modified(older).expect("its time is set");
    std::fs::write(sea.join("a.jpg.xmp"), xmp(5)).expect("a sidecar");
    let photos = scene.sandbox.path("photos");
    let address = format!("{}?albums=folders", scene.server.address());
    let backup = ["backup", photos.to_str().expect("UTF-8"), "--to", &address];
    scene.run(&backup, 1);
    let assets = scene.server.assets();
    assert_eq!(assets.len(), 1);
    assert_eq!(assets[0].sidecar.as_deref(), Some(xmp(5).as_bytes()), "the one that was written last");
    let albums = || {
        let state = scene.server.immich.lock();
        let mut albums: Vec<String> = state
            .albums
            .iter()
            .filter(|album| album.assets.len() == 1)
            .map(|album| album.name.clone())
            .collect();
        albums.sort();
        albums
    };
    assert_eq!(albums(), ["Roma", "Sea"]);
    assert_eq!(scene.counts(1), [2, 1, 0]);
    let queue = scene.json(&["queue", "--json"], 0);
    let out = queue.as_array().expect("an array").iter().find(|row| row["state"] == "excluded");
    let why =
        "This server keeps only one such file with a photo, and has a different one from another folder";
    assert_eq!(out.expect("the other sidecar")["failure"]["summary"], why, "{queue}");

    // A third folder comes later.
    let later = scene.folder("photos/Later");
    std::fs::write(later.join("b.jpg"), tiny_jpeg()).expect("a photo");
    scene.run(&backup, 1);
    assert_eq!(albums(), ["Later", "Roma", "Sea"]);
    assert_eq!(scene.server.assets().len(), 1);
}
