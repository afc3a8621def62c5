//! What becomes of the data folder between two lives: the database is lost or damaged, and
//! `config.json` with it or not.

use std::path::Path;

use serde_json::Value;

use super::connect::number_of;
use super::dice::Dice;
use super::watcher::Watcher;
use super::world::{Gate, World, count};
use crate::api::Rules;
use crate::destination::manifest;
use crate::store::mirror::MIRROR_NAME;

/// How a database ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum DatabaseLoss {
    /// Somebody has deleted it.
    Deleted,
    /// Its beginning is noise.
    Noise,
    /// Half of it is missing.
    Torn,
}

/// Takes the database away, or spoils it, and perhaps the list of folders too. What the world knew of
/// it is forgotten. Says whether nothing is left to rebuild it from.
pub fn strike(world: &World, dice: &mut Dice, database: &Path, watcher: &Watcher, was_killed: bool) -> bool {
    let end = match dice.below(4) {
        0..=1 => DatabaseLoss::Deleted,
        2 if was_killed => DatabaseLoss::Torn,
        _ => DatabaseLoss::Noise,
    };
    spoil(database, end);
    let config = database.with_file_name(MIRROR_NAME);
    let is_config_lost = dice.percent(15);
    if is_config_lost {
        if dice.percent(50) {
            std::fs::remove_file(&config).ok();
        } else {
            std::fs::write(&config, b"{\"version\":").expect("written");
        }
    }
    let text = std::fs::read(&config).unwrap_or_default();
    let mirror: Option<Value> = serde_json::from_slice(&text).ok();
    world.note(|| format!("the database is lost: {end:?}; config.json is {mirror:?}"));
    world.with(|around| {
        count(&mut around.tally.actions, &format!("database {end:?}"));
        count(&mut around.tally.actions, if is_config_lost { "config lost" } else { "config kept" });
    });
    watcher.forget();
    forget(world, mirror.as_ref());
    mirror.is_none()
}

fn spoil(database: &Path, end: DatabaseLoss) {
    let whole = std::fs::read(database).unwrap_or_default();
    for suffix in ["-wal", "-shm"] {
        let mut path = database.as_os_str().to_owned();
        path.push(suffix);
        std::fs::remove_file(path).ok();
    }
    match end {
        DatabaseLoss::Deleted => std::fs::remove_file(database).ok(),
        DatabaseLoss::Noise => {
            let head = whole.len().min(100);
            let noise: Vec<u8> =
                std::iter::repeat_n(0x5a, head).chain(whole[head..].iter().copied()).collect();
            std::fs::write(database, noise).ok()
        }
        DatabaseLoss::Torn => std::fs::write(database, &whole[..whole.len() / 2]).ok(),
    };
}

/// What was said of records, jobs and gates was about another database. What `config.json` says as
/// well stays certain.
fn forget(world: &World, mirror: Option<&Value>) {
    world.with(|around| {
        around.excluded.clear();
        around.excluded_classes = false;
        around.app = Gate::Open;
        let said = |rules| serde_json::to_value(Rules::from(rules)).ok();
        let mirrored = mirror.map(|mirror| &mirror["rules"]);
        around.rules = around.rules.filter(|rules| said(*rules).as_ref() == mirrored);
        for remote in &mut around.remotes {
            remote.met.clear();
            let number = remote.number;
            (remote.id, remote.was_forgotten) = (None, true);
            let place = mirror.and_then(|mirror| {
                let all = mirror["destinations"].as_array()?;
                all.iter().find(|place| number_of(place["address"].to_string().as_bytes()) == Some(number))
            });
            if place.is_none_or(|place| place["enabled"] != Value::Bool(false)) {
                remote.gate = Gate::Open;
            }
            let segments = remote.segments();
            let listed = segments.iter().filter_map(|segment| manifest::decode(segment).ok()).flatten();
            let is_there = |entry: &manifest::Entry| {
                let copy = remote.copy(&entry.key);
                copy.is_some_and(|bytes| blake3::hash(&bytes).as_bytes() == &entry.content.blake3.0)
            };
            let known = listed.filter(is_there).map(|entry| entry.content.blake3.0).collect();
            remote.listed = if place.is_some() { known } else { Default::default() };
        }
    });
}
