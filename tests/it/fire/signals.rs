//! Asked to end in the middle of a backup: it ends soon and cleanly, and goes on where it was.

use std::time::Duration;

use rustix::process::Signal;

use super::{assert_all_there, assert_backs_up, make_photos};
use crate::support::backup::{Run, status};
use crate::support::process::Sandbox;
use crate::support::seed::Seeded;

/// Five seconds are promised; a busy machine has four times as long.
const ENDS_WITHIN: Duration = Duration::from_secs(4 * 5);
/// Photos to begin with; as many come with each round.
const PHOTOS: usize = 250;
/// Bytes of a photo, about.
const LENGTH: u64 = 300_000;

/// How one round is begun and ended.
struct Round {
    is_agent: bool,
    signal: Signal,
}

const ROUNDS: [Round; 5] = [
    Round { is_agent: false, signal: Signal::INT },
    Round { is_agent: true, signal: Signal::TERM },
    Round { is_agent: false, signal: Signal::TERM },
    Round { is_agent: true, signal: Signal::INT },
    Round { is_agent: false, signal: Signal::HUP },
];

#[test]
fn a_signal_in_mid_backup_ends_it_cleanly_and_it_goes_on() {
    let seeded = Seeded::announced("signals");
    let sandbox = Sandbox::new();
    let (source, destination) = (sandbox.path("photos"), sandbox.path("backup"));
    let mut interrupted = 0;
    for (place, round) in ROUNDS.iter().enumerate() {
        make_photos(&seeded, &source.join(format!("round {place}")), PHOTOS, LENGTH);
        let mut run = match round.is_agent {
            true => Run::agent(&sandbox),
            false => Run::command(&sandbox, &source, &destination),
        };
        let seen = run.first_bins(&sandbox);
        run.process.signal(round.signal);
        let ended = run.process.wait_for_end(ENDS_WITHIN);
        assert_eq!(ended.code(), Some(130), "round {place}: {ended}");
        interrupted += u32::from(seen.is_some_and(|bins| bins.left() > 0));
        assert!(!sandbox.is_listening(), "round {place}: the socket outlived its process");
        let log = std::fs::read_to_string(sandbox.data_dir().join("log/command.log")).unwrap_or_default()
            + &std::fs::read_to_string(sandbox.data_dir().join("log/agent.log")).unwrap_or_default();
        assert!(!log.contains("did not end cleanly"), "round {place}: a run before was not clean:\n{log}");
    }
    assert!(interrupted >= 4, "only {interrupted} rounds had work left: too few photos for this machine");
    assert_backs_up(&sandbox, &source, &destination);
    assert_all_there(&[&source], &destination);
    let bins = status(&sandbox).expect("status answers");
    assert_eq!((bins.safe, bins.found), (bins.found, (ROUNDS.len() * PHOTOS) as u64));
}
