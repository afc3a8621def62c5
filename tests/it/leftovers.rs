//! What is left at a destination after a server has failed and the process was killed, again and again: our
//! copies, marker and manifests, and nothing else.
//!
//! A few rounds here; `tests/release` runs a hundred.

mod folder;
mod tus;

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use safelight::destination::{BoxFuture, Checkpoint, KeyOwner, KeyOwners, Phase};
use safelight::domain::failure::Failure;
use safelight::domain::key;

use crate::conformance::s3::{ACCESS_KEY, BUCKET, SECRET_KEY, fake_address, fake_with, in_fake, strict};
use crate::conformance::servers::{PASSWORD, USER};
use crate::conformance::site::INSTALLATION;
use crate::fakes::dav::Behavior;
use crate::fakes::fault_server::{Fault, FaultServer, Order};
use crate::fakes::nextcloud::NextcloudBehavior;
use crate::support::backup::{Run, digest, files_below, tiny_jpeg};
use crate::support::process::Sandbox;
use crate::support::seed::Seeded;
use crate::support::wait::rest;

/// The variable that gives another number of rounds.
const ROUNDS_VARIABLE: &str = "SAFELIGHT_LEFTOVER_ROUNDS";
const ROUNDS: u64 = 4;
/// Photos that come with each round.
const MORE: u64 = 4;
/// Faults of one round.
const FAULTS: u64 = 6;
/// The longest time that a backup is left alone before it is killed.
const PAUSE_MAX_MS: u64 = 1_200;
/// How long the last, undisturbed backup may take.
const DONE_WITHIN: Duration = Duration::from_secs(240);
/// A file that goes in parts, and one that does not.
const LARGE: u64 = 17 << 20;
const SMALL: u64 = 20_000;

/// A destination that can be made to fail.
trait FaultyDestination {
    /// What the command line calls it.
    fn to(&self) -> String;
    /// Its secrets.
    fn environment(&self) -> Vec<(&'static str, &'static str)> {
        Vec::new()
    }
    /// Plants the faults of one round.
    fn plant_faults(&self, seeded: &Seeded);
    /// Takes away all faults.
    fn heal(&self);
    /// Makes unfinished uploads as old as they must be to be removed. Whether there can be any.
    fn age_uploads(&self) -> bool {
        false
    }
    /// Panics unless it holds each photo once, our marker and manifests, and nothing else.
    fn assert_holds_only(&self, source: &Path);
}

fn backup(destination: &dyn FaultyDestination, sandbox: &Sandbox, source: &Path) -> Command {
    let mut command = sandbox.command(["backup", "--json", "--to", &destination.to()]);
    command.arg(source).envs(destination.environment());
    command
}

/// Each content once, under a dated name; beside that the marker and manifests.
fn assert_only_ours(files: BTreeMap<String, [u8; 32]>, source: &Path) {
    let mut copies: Vec<[u8; 32]> = Vec::new();
    for (path, hash) in files {
        let is_dated =
            path.len() > 13 && path.as_bytes()[..4].iter().all(u8::is_ascii_digit) && !path.ends_with(".tmp");
        if is_dated {
            copies.push(hash);
        } else {
            let is_own = path == ".safelight/destination.json"
                || path.starts_with(".safelight/manifest/") && path.ends_with(".jsonl");
            assert!(is_own, "{path} is left");
        }
    }
    let mut wanted: Vec<[u8; 32]> = files_below(source).iter().map(|path| digest(path)).collect();
    copies.sort_unstable();
    wanted.sort_unstable();
    assert!(copies == wanted, "{} copies of {} photos", copies.len(), wanted.len());
}

/// A server, how it is spoken to, and what it can be asked to do wrong.
struct Server {
    server: FaultServer,
    to: String,
    environment: Vec<(&'static str, &'static str)>,
    faults: Vec<(&'static str, Fault)>,
}

fn dav() -> Server {
    let server = FaultServer::start(Behavior::default());
    let to = format!("webdav+http://{}/dav/photos", server.host());
    Server { server, to, environment: Vec::new(), faults: dav_faults() }
}

fn nextcloud() -> Server {
    let server = FaultServer::nextcloud(USER, PASSWORD, u64::MAX / 4, NextcloudBehavior::default());
    let to = format!("nextcloud+http://{USER}@{}/photos", server.host());
    Server { server, to, environment: vec![("SAFELIGHT_PASSWORD", PASSWORD)], faults: dav_faults() }
}

fn s3() -> Server {
    let server = FaultServer::s3(BUCKET, strict());
    let to = fake_address(&server);
    let keys = vec![("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)];
    let faults = vec![
        ("PUT", Fault::Status(500)),
        ("PUT", Fault::DropAfter),
        ("PUT", Fault::CutIn(10_000)),
        ("PUT", Fault::Status(503)),
        ("POST", Fault::DropAfter),
        ("POST", Fault::DropAfter),
        ("POST", Fault::Status(500)),
        ("DELETE", Fault::Status(500)),
        ("DELETE", Fault::DropBefore),
        ("GET", Fault::DropBefore),
        ("HEAD", Fault::DropBefore),
    ];
    Server { server, to, environment: keys, faults }
}

fn dav_faults() -> Vec<(&'static str, Fault)> {
    vec![
        ("PUT", Fault::Status(500)),
        ("PUT", Fault::DropAfter),
        ("PUT", Fault::CutIn(10_000)),
        ("PUT", Fault::WrongBody),
        ("PUT", Fault::Status(423)),
        ("MOVE", Fault::DropAfter),
        ("MOVE", Fault::DropBefore),
        ("MOVE", Fault::Status(502)),
        ("DELETE", Fault::Status(423)),
        ("DELETE", Fault::DropBefore),
        ("GET", Fault::CutAnswer),
        ("HEAD", Fault::DropBefore),
        ("PROPFIND", Fault::Status(500)),
        ("MKCOL", Fault::DropAfter),
    ]
}

impl Server {
    /// The files of the destination, by path below it.
    fn files(&self) -> BTreeMap<String, [u8; 32]> {
        let is_s3 = self.to.starts_with("s3:");
        let all = if is_s3 { self.server.bucket().objects() } else { self.server.dav().files() };
        let hash = |path: &String| {
            let bytes =
                if is_s3 { self.server.bucket().contents(path) } else { self.server.dav().contents(path) };
            *blake3::hash(&bytes.expect("it was listed")).as_bytes()
        };
        let below = |path: &String| path.strip_prefix("photos/").unwrap_or(path).to_owned();
        all.iter().map(|path| (below(path), hash(path))).collect()
    }
}

impl FaultyDestination for Server {
    fn to(&self) -> String {
        self.to.clone()
    }

    fn environment(&self) -> Vec<(&'static str, &'static str)> {
        self.environment.clone()
    }

    fn plant_faults(&self, seeded: &Seeded) {
        for _fault in 0..FAULTS {
            let at = usize::try_from(seeded.within(0..self.faults.len() as u64)).expect("small");
            let (method, fault) = self.faults[at].clone();
            let order = Order::new(fault).method(method).after(seeded.within(0..10));
            self.server.order(order.times(seeded.within(1..4)));
        }
    }

    fn heal(&self) {
        self.server.heal();
    }

    fn age_uploads(&self) -> bool {
        let is_s3 = self.to.starts_with("s3:");
        if is_s3 {
            self.server.bucket().age_uploads(25);
        }
        is_s3
    }

    fn assert_holds_only(&self, source: &Path) {
        assert_only_ours(self.files(), source);
        if self.to.starts_with("s3:") {
            assert_eq!(self.server.bucket().unfinished(), Vec::<String>::new());
        }
        if let Some(cloud) = self.server.cloud() {
            assert_eq!(cloud.uploads(), [], "unfinished uploads are left");
        }
        let folders = self.server.dav().dirs();
        let scratch = |path: &&String| path.contains("probe-") || path.contains(".safelight-try-");
        assert_eq!(folders.iter().find(scratch), None);
    }
}

fn add_photos(seeded: &Seeded, folder: &Path, large: bool) {
    std::fs::create_dir_all(folder).expect("a folder");
    for number in 0..MORE {
        let size = if large && number == 0 { LARGE } else { seeded.within(1..SMALL) };
        let bytes = [tiny_jpeg(), seeded.bytes(usize::try_from(size).expect("small"))].concat();
        std::fs::write(folder.join(format!("IMG_{number}.jpg")), bytes).expect("a photo");
    }
}

/// Backs up to the end.
fn finish(destination: &dyn FaultyDestination, sandbox: &Sandbox, source: &Path) {
    let mut retry = sandbox.command(["retry", "--all"]);
    retry.envs(destination.environment());
    retry.output().expect("the binary starts");
    let mut run = Run::of(sandbox, backup(destination, sandbox, source));
    assert_eq!(run.process.wait_for_end(DONE_WITHIN).code(), Some(0));
}

fn assert_only_ours_stays(name: &str, destination: &dyn FaultyDestination, large_every: u64) {
    let seeded = Seeded::announced(name);
    let sandbox = Sandbox::new();
    let source = sandbox.path("photos");
    let rounds = std::env::var(ROUNDS_VARIABLE).ok().and_then(|text| text.parse().ok()).unwrap_or(ROUNDS);
    for round in 0..rounds {
        let is_large = large_every > 0 && round % large_every == 0;
        add_photos(&seeded, &source.join(format!("round {round}")), is_large);
        // The first round finds a sound server or folder: it must become a destination.
        if round > 0 {
            destination.plant_faults(&seeded);
        }
        let mut run = Run::of(&sandbox, backup(destination, &sandbox, &source));
        if round == 0 {
            assert_eq!(run.process.wait_for_end(DONE_WITHIN).code(), Some(0));
        } else {
            run.first_bins(&sandbox);
            rest(Duration::from_millis(seeded.within(0..PAUSE_MAX_MS)));
            run.process.kill();
        }
        destination.heal();
    }
    finish(destination, &sandbox, &source);
    if destination.age_uploads() {
        // What only the server knows goes a day later.
        add_photos(&seeded, &source.join("later"), false);
        finish(destination, &sandbox, &source);
    }
    destination.assert_holds_only(&source);
}

#[test]
fn only_ours_stays_at_a_webdav_server() {
    assert_only_ours_stays("leftovers at WebDAV", &dav(), 0);
}

#[test]
fn only_ours_stays_at_a_nextcloud() {
    assert_only_ours_stays("leftovers at Nextcloud", &nextcloud(), 2);
}

#[test]
fn only_ours_stays_in_a_bucket() {
    assert_only_ours_stays("leftovers at S3", &s3(), 2);
}

/// What a ledger says.
struct Owners(BTreeMap<String, Option<Checkpoint>>);

impl KeyOwners for Owners {
    fn owner<'a>(&'a self, key: &'a str) -> BoxFuture<'a, Result<KeyOwner, Failure>> {
        let owner = self.0.get(key).cloned().map_or(KeyOwner::Unknown, KeyOwner::Record);
        Box::pin(std::future::ready(Ok(owner)))
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn only_old_uploads_that_are_surely_ours_are_ended() {
    let (site, server) = fake_with(strict()).await;
    let bucket = server.bucket();
    let key = |name: &str| format!("2019/2019-05/{name}");
    bucket.begin_ago(&in_fake(&key("lost.mov")), 25);
    bucket.begin_ago(&in_fake(&key("young.mov")), 23);
    bucket.begin_ago(&in_fake(&key("foreign.mov")), 25);
    bucket.begin_ago("elsewhere/2019/2019-05/lost.mov", 25);
    let live = bucket.begin_ago(&in_fake(&key("live.mov")), 25);
    bucket.begin_ago(&in_fake(&key("live.mov")), 48);
    let scratch = |token: u64| in_fake(&format!(".safelight/probe-{token:016x}/parts"));
    bucket.begin_ago(&scratch(key::temp_token(INSTALLATION, 5)), 25);
    bucket.begin_ago(&scratch(key::temp_token("another", 5)), 25);
    let state =
        format!("{{\"object\":\"{}\",\"id\":\"{live}\",\"part_bytes\":8388608}}", in_fake(&key("live.mov")));
    let owners = Owners(BTreeMap::from([
        (key("lost.mov"), None),
        (key("young.mov"), None),
        (key("live.mov"), Some(Checkpoint { phase: Phase::Sending, state })),
    ]));
    assert_eq!(site.open().end_lost_uploads(&owners).await, Ok(3));
    let mut left = bucket.unfinished();
    left.sort();
    let mut expected = vec![
        "elsewhere/2019/2019-05/lost.mov".to_owned(),
        in_fake(&key("young.mov")),
        in_fake(&key("foreign.mov")),
        in_fake(&key("live.mov")),
        scratch(key::temp_token("another", 5)),
    ];
    expected.sort();
    assert_eq!(left, expected);
    // Who may not list is not the worse for it.
    server.order(Order::new(Fault::Status(403)).method("GET").query("uploads"));
    assert!(site.open().end_lost_uploads(&owners).await.is_err());
}
