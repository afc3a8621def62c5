//! Running many seeds, on all cores.

use parking_lot::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use super::coverage;
use super::run::{Report, panicked, run_seed};
use super::world::Tally;

/// Seeds of the test command, beside those of the regressions.
const SEEDS: u64 = 400;
/// From this many seeds on every kind of commit, effect and trouble must have been met.
const COVERAGE_SEEDS: u64 = 2_000;
/// Seeds that failed once: they are run first.
const REGRESSIONS: &str = include_str!("regressions.txt");
/// Failed seeds whose story is told.
const TOLD_MAX: u64 = 3;
/// The last lines of a story.
const STORY_LINES: usize = 400;

fn number(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(text.parse().unwrap_or_else(|_| panic!("{name} is no number: {text}")))
}

/// Panics of this thread's engine are noticed even where they are caught.
fn hear_panics() {
    static ONCE: std::sync::Once = std::sync::Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if std::thread::current().name().is_some_and(|name| name.starts_with("seeds-")) {
                panicked(info.to_string());
            } else {
                usual(info);
            }
        }));
    });
}

/// What became of many seeds.
#[derive(Default)]
struct Outcome {
    tally: Tally,
    failed: Vec<u64>,
}

fn tell(seed: u64, report: &Report) {
    println!("seed {seed} FAILED: {}", report.violations.join("; "));
    let story = run_seed(seed, true);
    if story.violations != report.violations {
        println!("  (run again it says: {})", story.violations.join("; "));
    }
    for line in &story.trace[story.trace.len().saturating_sub(STORY_LINES)..] {
        println!("  {line}");
    }
}

/// Runs these seeds on all cores.
fn run_all(seeds: &[u64], stops_at_first: bool) -> Outcome {
    hear_panics();
    let (next, outcome) = (AtomicU64::new(0), Mutex::new(Outcome::default()));
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    std::thread::scope(|scope| {
        for index in 0..threads {
            let work = || {
                loop {
                    let at = usize::try_from(next.fetch_add(1, Ordering::Relaxed)).expect("few");
                    let Some(seed) = seeds.get(at).copied() else { return };
                    let report = run_seed(seed, false);
                    let mut all = outcome.lock();
                    all.tally.add(&report.tally);
                    if report.violations.is_empty() {
                        continue;
                    }
                    all.failed.push(seed);
                    let is_told = all.failed.len() as u64 <= TOLD_MAX;
                    drop(all);
                    if is_told {
                        tell(seed, &report);
                    } else {
                        println!("seed {seed} FAILED: {}", report.violations.join("; "));
                    }
                    if stops_at_first {
                        next.store(u64::from(u32::MAX), Ordering::Relaxed);
                    }
                }
            };
            let thread = std::thread::Builder::new().name(format!("seeds-{index}"));
            thread.spawn_scoped(scope, work).expect("a thread");
        }
    });
    outcome.into_inner()
}

#[test]
fn every_seed_keeps_every_promise() {
    if let Some(seed) = number("SAFELIGHT_REPLAY") {
        hear_panics();
        let report = run_seed(seed, true);
        report.trace.iter().for_each(|line| println!("{line}"));
        println!("seed {seed}: {}", if report.violations.is_empty() { "well" } else { "FAILED" });
        report.violations.iter().for_each(|violation| println!("  {violation}"));
        return;
    }
    let began = std::time::Instant::now();
    let (count, first) = (number("SAFELIGHT_SEEDS"), number("SAFELIGHT_FIRST").unwrap_or(1));
    let known = REGRESSIONS.lines().filter_map(|line| line.split_whitespace().next()?.parse().ok());
    let mut seeds: Vec<u64> = if count.is_none() { known.collect() } else { Vec::new() };
    seeds.extend(first..first + count.unwrap_or(SEEDS));
    let outcome = run_all(&seeds, number("SAFELIGHT_FIRST_FAILURE").is_some());
    if number("SAFELIGHT_TALLY").is_some() {
        println!("{:#?}", outcome.tally);
    }
    println!("{:.1} s", began.elapsed().as_secs_f64());
    println!("{} seeds, {} failed", seeds.len(), outcome.failed.len());
    assert!(outcome.failed.is_empty(), "failed seeds: {:?}", outcome.failed);
    if seeds.len() as u64 >= COVERAGE_SEEDS {
        let missing = coverage::missing(&outcome.tally);
        assert!(missing.is_empty(), "{} seeds never met: {missing:#?}", seeds.len());
    }
}
