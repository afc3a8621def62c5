//! A SeaweedFS cluster that loses a node in the middle of a backup by the real program: it goes on, or
//! waits, and every copy can be read afterwards.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::conformance::s3::{ACCESS_KEY, BUCKET, Filer, SECRET_KEY, identities, port_pair, wait_for_bucket};
use crate::conformance::site::ServerFiles as _;
use crate::conformance::source::bytes;
use crate::support::backup::{Bins, Run, status};
use crate::support::plain_http::try_ask;
use crate::support::process::Sandbox;
use crate::support::server::{Server, free_port, installed, write};
use crate::support::wait::wait_until;

/// Masters, and as many volume servers.
const NODES: usize = 3;
/// Small files, and larger ones that go in parts.
const SMALL: u64 = 240;
const LARGE: u64 = 3;
const SMALL_BYTES: usize = 150_000;
const LARGE_BYTES: usize = 20 * 1024 * 1024;
/// A node is lost when this many copies are safe.
const LOST_AT: u64 = 60;
/// How long the masters may take to choose one among them.
const CHOSEN_WITHIN: Duration = Duration::from_secs(60);
/// After so long without any movement the reason must have been told: four times what is promised.
const TOLD_WITHIN: Duration = Duration::from_secs(40);
/// How long a backup may take to come so far, or to end: ten times what it does.
const BACKED_UP_WITHIN: Duration = Duration::from_secs(240);

/// Three masters, three volume servers, a filer and a gateway; every file is kept twice.
struct Cluster {
    masters: Vec<Server>,
    volumes: Vec<Server>,
    filer: Server,
    gateway: Server,
}

fn weed(kind: &str, more: &[String]) -> Vec<OsString> {
    let mut words = vec![installed("weed").into_os_string()];
    words.extend([kind, "-ip", "127.0.0.1", "-ip.bind", "127.0.0.1"].map(Into::into));
    words.extend(more.iter().map(Into::into));
    words
}

fn option(name: &str, value: impl std::fmt::Display) -> String {
    format!("-{name}={value}")
}

impl Cluster {
    fn start() -> Self {
        let ports = [(); NODES].map(|()| port_pair());
        let peers = ports.map(|port| format!("127.0.0.1:{port}")).join(",");
        let master = |port: u16| {
            Server::start_at("a master", port, |dir, port| {
                std::fs::create_dir(dir.join("m")).expect("a folder");
                let more = [
                    option("port", port),
                    option("mdir", dir.join("m").display()),
                    option("peers", &peers),
                    option("defaultReplication", "001"),
                    option("volumeSizeLimitMB", 1024),
                    option("electionTimeout", "2s"),
                    option("telemetry", false),
                ];
                weed("master", &more)
            })
        };
        let masters: Vec<Server> = ports.into_iter().map(master).collect();
        let chosen = || masters.iter().find_map(|master| leader(master.port));
        wait_until("the masters choose one", CHOSEN_WITHIN, chosen, Option::is_some);
        let volume = |_number| {
            Server::start_at("a volume server", port_pair(), |dir, port| {
                std::fs::create_dir(dir.join("v")).expect("a folder");
                let mut more = vec![option("port", port), option("dir", dir.join("v").display())];
                more.extend([option("max", 30), option("master", &peers)]);
                more.extend([option("dataCenter", "dc1"), option("rack", "r1")]);
                weed("volume", &more)
            })
        };
        let volumes = (0..NODES).map(volume).collect();
        let filer = Server::start_at("the filer", port_pair(), |dir, port| {
            let more =
                [option("port", port), option("master", &peers), option("defaultStoreDir", dir.display())];
            weed("filer", &more)
        });
        let gateway = Server::start_at("the gateway", port_pair(), |dir, port| {
            write(&dir.join("s3.json"), &identities()).expect("written");
            let mut more = vec![option("port", port), option("port.grpc", free_port())];
            more.extend([option("port.iceberg", 0), option("port.lance", 0)]);
            more.push(option("filer", format_args!("127.0.0.1:{}", filer.port)));
            more.push(option("config", dir.join("s3.json").display()));
            let mut words = weed("s3", &more);
            // The gateway has no address of its own to tell.
            words.drain(2..4);
            words
        });
        wait_for_bucket(filer.port, || filer.log());
        Self { masters, volumes, filer, gateway }
    }

    fn address(&self) -> String {
        format!("s3://{BUCKET}/photos?endpoint=http://127.0.0.1:{}&style=path", self.gateway.port)
    }

    /// The master that the others follow goes.
    fn lose_leader(&mut self) {
        let chosen = self.masters.iter().find_map(|master| leader(master.port)).expect("one of them");
        let at = self.masters.iter().position(|master| chosen.ends_with(&format!(":{}", master.port)));
        self.masters.remove(at.expect("one of ours")).kill();
    }

    /// The volume server that holds most goes.
    fn lose_volume(&mut self) {
        let held = |server: &Server| {
            let files = std::fs::read_dir(server.dir.join("v")).expect("listed");
            files.map(|file| file.expect("listed").metadata().map_or(0, |meta| meta.len())).sum::<u64>()
        };
        let (at, most) =
            (0..NODES).map(|at| (at, held(&self.volumes[at]))).max_by_key(|(_, held)| *held).expect("three");
        assert!(most > SMALL_BYTES as u64, "it holds no copies yet");
        self.volumes.remove(at).kill();
    }
}

/// Whom a master follows; none while they are choosing.
fn leader(port: u16) -> Option<String> {
    let (_status, body) = try_ask(port, "GET", "/cluster/status", &[], b"").ok()?;
    let status: Value = serde_json::from_slice(&body).ok()?;
    let leader = status["Leader"].as_str()?;
    // Some add the second port.
    let leader =
        leader.rsplit_once('.').filter(|(_, port)| port.len() > 3).map_or(leader, |(start, _)| start);
    (!leader.is_empty()).then(|| leader.to_owned())
}

/// Sources by their digest.
fn make_sources(folder: &Path) -> BTreeMap<[u8; 32], String> {
    std::fs::create_dir(folder).expect("a folder");
    let jpeg = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0";
    let film = b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2";
    let small = (0..SMALL).map(|n| (format!("{n:04}.jpg"), [&jpeg[..], &bytes(n, SMALL_BYTES)].concat()));
    let large = (0..LARGE).map(|n| (format!("{n:04}.mp4"), [&film[..], &bytes(n, LARGE_BYTES)].concat()));
    let mut made = BTreeMap::new();
    for (name, bytes) in small.chain(large) {
        std::fs::write(folder.join(&name), &bytes).expect("written");
        made.insert(*blake3::hash(&bytes).as_bytes(), name);
    }
    made
}

/// How long nothing has moved, and whether anybody has been told why.
#[derive(Default)]
struct Stall {
    last: Option<(Bins, Instant)>,
    is_told: bool,
}

impl Stall {
    fn look(&mut self, sandbox: &Sandbox) {
        let output = sandbox.run(&["status", "--json"]);
        let Ok(shown) = serde_json::from_slice::<Value>(&output.stdout) else { return };
        let place = &shown["destinations"][0];
        let Some(bins) = Bins::read(place) else { return };
        match self.last {
            Some((before, _)) if before == bins => {}
            _ => *self = Self { last: Some((bins, Instant::now())), is_told: false },
        }
        self.is_told |= !place["wait_reason"].is_null();
        let still = self.last.map_or(Duration::ZERO, |(_, since)| since.elapsed());
        assert!(
            self.is_told || still < TOLD_WITHIN,
            "nothing for {still:?}, and nobody is told why: {place}"
        );
    }
}

fn survives(lose: impl FnOnce(&mut Cluster)) {
    let mut cluster = Cluster::start();
    let sandbox = Sandbox::new();
    let photos = sandbox.path("photos");
    let sources = make_sources(&photos);
    let mut command = sandbox.command(["backup", "--json"]);
    command.arg(&photos).args(["--to", &cluster.address()]);
    command.envs([("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)]);
    let mut run = Run::of(&sandbox, command);
    let mut seen = None;
    let mut look = |run: &mut Run| {
        seen = run.bins(&sandbox).or(seen);
        (seen, run.process.ended())
    };
    let is_under_way = |(bins, ended): &(Option<Bins>, Option<std::process::ExitStatus>)| {
        ended.is_some() || bins.is_some_and(|bins: Bins| bins.safe >= LOST_AT)
    };
    let (bins, ended) = wait_until("some copies are safe", BACKED_UP_WITHIN, || look(&mut run), is_under_way);
    assert!(
        ended.is_none() && bins.is_some_and(|bins| bins.left() > 0),
        "it was over before: {bins:?} {ended:?}"
    );
    lose(&mut cluster);
    let mut stall = Stall::default();
    let ended = wait_until(
        "the backup ends",
        BACKED_UP_WITHIN,
        || {
            stall.look(&sandbox);
            run.process.ended()
        },
        Option::is_some,
    );
    assert_eq!(ended.and_then(|ended| ended.code()), Some(0), "all is safe: {:?}", status(&sandbox));

    let behind = Filer { port: cluster.filer.port, root: format!("/buckets/{BUCKET}/photos") };
    let mut missing = sources;
    for path in behind.files().iter().filter(|path| !path.starts_with(".safelight/")) {
        let copy = behind.contents(path).unwrap_or_else(|| panic!("{path} cannot be read"));
        let name = missing.remove(blake3::hash(&copy).as_bytes());
        assert!(name.is_some(), "{path} is no source, or there twice");
    }
    assert!(missing.is_empty(), "not there: {missing:?}");
}

#[test]
fn a_volume_server_is_lost_in_the_middle_of_a_backup() {
    survives(Cluster::lose_volume);
}

#[test]
fn the_leading_master_is_lost_in_the_middle_of_a_backup() {
    survives(Cluster::lose_leader);
}
