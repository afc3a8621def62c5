//! A server that goes wrong in every way, and a process that is killed in between: each file is at
//! the server once, byte for byte, and nothing is said to be safe that is not there.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::{DONE_WITHIN, contents, make_photos, told};
use crate::fakes::dav::Behavior;
use crate::fakes::fault_server::{Fault, FaultServer, Order};
use crate::support::backup::{Run, status};
use crate::support::process::Sandbox;
use crate::support::seed::Seeded;
use crate::support::wait::rest;

/// Kills in one run of the test.
const KILLS: usize = 10;
/// Photos to begin with, and how many come with each round.
const PHOTOS: usize = 60;
const MORE: usize = 15;
/// The longest time that a backup is left alone between two kills.
const PAUSE_MAX_MS: u64 = 1_500;

/// Ways to go wrong, and the requests they are for.
fn faults() -> Vec<(&'static str, Fault)> {
    let busy = || Fault::Answer(429, vec![("retry-after", "1".to_owned())], String::new());
    vec![
        ("PUT", Fault::Status(500)),
        ("PUT", Fault::EarlyStatus(503)),
        ("PUT", Fault::DropBefore),
        ("PUT", Fault::DropAfter),
        ("PUT", Fault::CutIn(10_000)),
        ("PUT", Fault::HangIn(5_000)),
        ("PUT", busy()),
        ("PUT", Fault::TooLargeInFront),
        ("PUT", Fault::CaptivePortal),
        ("MOVE", Fault::DropAfter),
        ("MOVE", Fault::DropBefore),
        ("MOVE", Fault::Status(502)),
        ("GET", Fault::CutAnswer),
        ("GET", Fault::Status(500)),
        ("HEAD", Fault::DropBefore),
        ("PROPFIND", Fault::Status(500)),
        ("PROPFIND", Fault::DropAfter),
        ("PROPFIND", Fault::CaptivePortal),
        ("MKCOL", Fault::DropAfter),
    ]
}

/// How often each content is at the server, our own files and temp files aside.
fn held(server: &FaultServer) -> BTreeMap<[u8; 32], u64> {
    let mut held: BTreeMap<[u8; 32], u64> = BTreeMap::new();
    for path in server.dav().files() {
        let name = path.rsplit('/').next().unwrap_or_default();
        if !path.starts_with(".safelight/") && !name.ends_with(".tmp") {
            let bytes = server.dav().contents(&path).expect("it was listed");
            *held.entry(*blake3::hash(&bytes).as_bytes()).or_default() += 1;
        }
    }
    held
}

fn backup(sandbox: &Sandbox, source: &Path, to: &str) -> Run {
    let mut command = sandbox.command(["backup", "--json", "--to", to]);
    command.arg(source);
    Run::of(sandbox, command)
}

#[test]
fn a_failing_server_and_kills_lose_nothing() {
    let seeded = Seeded::announced("wire");
    let sandbox = Sandbox::new();
    let source = sandbox.path("photos");
    make_photos(&seeded, &source, PHOTOS, 40_000);
    let server = FaultServer::start(Behavior::default());
    let to = format!("webdav+http://{}/dav", server.host());
    let faults = faults();
    let mut hits = 0;
    for round in 0..KILLS {
        // The first round finds a sound server: it must become a destination.
        for _fault in 0..if round == 0 { 0 } else { 6 } {
            let (method, fault) =
                &faults[usize::try_from(seeded.within(0..faults.len() as u64)).expect("small")];
            let order = Order::new(fault.clone()).method(method).after(seeded.within(0..12));
            server.order(order.times(seeded.within(1..4)));
        }
        let mut run = match round % 2 {
            0 => backup(&sandbox, &source, &to),
            _ => Run::agent(&sandbox),
        };
        let seen = run.first_bins(&sandbox);
        rest(Duration::from_millis(seeded.within(0..PAUSE_MAX_MS)));
        let last = run.bins(&sandbox).or(seen);
        let was_running = run.process.kill();
        // Whatever was said to be safe by then is there, whole.
        let wanted = contents(&source);
        let whole = held(&server).keys().filter(|content| wanted.contains_key(*content)).count() as u64;
        let safe = last.map_or(0, |bins| bins.safe);
        assert!(safe <= whole, "round {round}: {safe} are said to be safe, {whole} are there");
        hits += u32::from(was_running && last.is_some_and(|bins| bins.left() > 0));
        server.heal();
        make_photos(&seeded, &source.join(format!("round {round}")), MORE, 40_000);
    }
    assert!(hits >= 4, "only {hits} kills hit a backup with work left: too few photos for this machine");

    // What failed is not held against the files: all of it may be tried again at once.
    let retried = sandbox.run(&["retry", "--all"]);
    assert_eq!(retried.status.code(), Some(0), "{}", told(&retried));
    let mut run = backup(&sandbox, &source, &to);
    let ended = run.process.wait_for_end(DONE_WITHIN);
    let bins = status(&sandbox).expect("status answers");
    assert_eq!(ended.code(), Some(0), "{bins:?}");
    assert_eq!((bins.safe, bins.found), (bins.found, (PHOTOS + KILLS * MORE) as u64), "{bins:?}");
    assert_eq!(held(&server), contents(&source), "each content once, and nothing else");
    let temps: Vec<_> = server.dav().files().into_iter().filter(|path| path.ends_with(".tmp")).collect();
    assert!(temps.is_empty(), "temp files remain: {temps:?}");
}
