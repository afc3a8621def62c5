//! What a run of many seeds must have met: every kind of commit, every step of a protocol, with a
//! death before and after each, and every kind of trouble.

use super::dice::Dice;
use super::remote::Trouble;
use super::world::{PlannedDeath, Tally};

/// Every kind of commit, as the trace names it: the innermost function of the engine that writes, and
/// what its block does to a job.
pub const COMMITS: [&str; 48] = [
    "add_source",
    "adopt",
    "apply",
    "arrange",
    "attempt",
    "on_check_passed",
    "clean",
    "close",
    "verify_copy",
    "conclude",
    "consent",
    "mark_unreachable",
    "enable_destination",
    "exclude",
    "fetch_wanted",
    "fill_in",
    "include",
    "list_copies",
    "perform_changes",
    "perform_changes Created",
    "perform_changes Left(Failed)",
    "perform_changes Left(Registered)",
    "perform_changes Left(Succeeded)",
    "perform_changes SaveToken",
    "perform_changes Stepped(Retry)",
    "read_piece",
    "recheck_problems",
    "recount",
    "remove",
    "remove_destination",
    "remove_source",
    "restore",
    "retry",
    "run",
    "run Stepped(Fail)",
    "run Stepped(PutBack)",
    "run Stepped(Succeed)",
    "save",
    "save_destination",
    "save_named",
    "set_backup",
    "set_checksum_trust",
    "set_condition",
    "set_paused",
    "set_rules",
    "start",
    "start_transfers",
    "verify",
];

/// Every effect at a destination.
pub const EFFECTS: [&str; 10] =
    ["Check", "Probe", "Look", "Create", "Append", "Commit", "Prove", "Write", "List", "Clean"];

/// A transfer that ends when its job has gone already: it changes nothing, so no death there can.
const IDLE: &str = "run";

/// Commits that come again and again: which of them is the last is left to chance.
const FREQUENT: [&str; 13] = [
    "apply",
    "verify_copy",
    "conclude",
    "fetch_wanted",
    "list_copies",
    "perform_changes Created",
    "perform_changes Left(Succeeded)",
    "perform_changes SaveToken",
    "read_piece",
    "run Stepped(Succeed)",
    "save",
    "save_named",
    "start_transfers",
];

/// The deaths that a seed is made for: one seed after another, each place and each side of it.
pub fn aimed(seed: u64, dice: &mut Dice) -> PlannedDeath {
    let places = COMMITS.len() + EFFECTS.len();
    let at = usize::try_from(seed % (2 * places as u64)).expect("few");
    let (kind, is_effect) = match COMMITS.get(at / 2) {
        Some(kind) => (*kind, false),
        None => (EFFECTS[at / 2 - COMMITS.len()], true),
    };
    let is_frequent = is_effect || FREQUENT.contains(&kind);
    let spared = if is_frequent && dice.percent(70) { dice.below(24) } else { 0 };
    PlannedDeath { kind: Some(kind), is_effect, spared, before: at.is_multiple_of(2) }
}

/// What many seeds have never met and should have.
pub fn missing(tally: &Tally) -> Vec<String> {
    let mut missing: Vec<String> = Vec::new();
    for kind in COMMITS.iter().chain(&EFFECTS) {
        for side in ["before", "after"] {
            let place = format!("{side} {kind}");
            let is_idle = *kind == IDLE && tally.commits.contains_key(*kind);
            if !is_idle && !tally.kills.contains_key(&place) {
                missing.push(format!("no death {place}"));
            }
        }
    }
    for name in Trouble::all().iter().map(Trouble::name) {
        if !tally.troubles.contains_key(&name) {
            missing.push(format!("no trouble {name}"));
        }
    }
    let unknown = tally.commits.keys().filter(|kind| !COMMITS.contains(&kind.as_str()));
    missing.extend(unknown.map(|kind| format!("a commit of a kind that no death is aimed at: {kind}")));
    missing
}
