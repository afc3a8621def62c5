//! Every number on every screen, in every state, is one of the counts that the agent gave.

use std::collections::BTreeSet;

use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::Window;
use crate::api::{BackupSwitch, QueueList, WaitText};
use crate::domain::wait::WaitReason;
use crate::ui::commands::{Dialog, Screen};
use crate::ui::counts::bins_of;
use crate::ui::fake::World;

/// The states of the made-up world, by name.
fn states() -> Vec<(&'static str, World)> {
    let with = |change: fn(&mut World)| {
        let mut world = World::busy(403);
        change(&mut world);
        world.recount();
        world
    };
    vec![
        ("nothing chosen", World::new()),
        ("all safe", World::with_library(403)),
        ("busy", World::busy(403)),
        ("off", with(|w| w.snapshot.backup = BackupSwitch::Off)),
        (
            "off, all at one place",
            with(|w| {
                (w.safe, w.snapshot.backup) = (403, BackupSwitch::Off);
                w.behind.insert(2, 173);
            }),
        ),
        (
            "paused",
            with(|w| {
                w.snapshot.backup = BackupSwitch::Paused;
                w.snapshot.wait_reason = Some(WaitText::from(&WaitReason::Paused { until: None }));
            }),
        ),
        ("one destination", with(|w| drop(w.snapshot.destinations.pop()))),
        ("one switched off", with(|w| w.snapshot.destinations[1].enabled = false)),
        (
            "one without folders",
            with(|w| {
                w.safe = 403;
                w.snapshot.uploading.clear();
                w.snapshot.destinations[1].sources.clear();
            }),
        ),
        ("one behind", with(|w| w.behind = [(2, 40)].into())),
        ("one that cannot verify", with(|w| w.unproving = [2].into())),
        (
            "only attention left",
            with(|w| {
                w.safe = 403;
                w.snapshot.uploading.clear();
                w.attention = (0..48).collect();
                w.excluded = (50..57).collect();
            }),
        ),
        ("too many to tell apart", with(|w| w.attention = (0..48).collect())),
        (
            "unreachable",
            with(|w| {
                w.snapshot.uploading.clear();
                for d in &mut w.snapshot.destinations {
                    d.wait_reason = Some(WaitText::from(&WaitReason::Unreachable { until: w.now }));
                }
            }),
        ),
    ]
}

/// Numbers with their noun, as they are said: `48 files`, `96 copies`, and `355 of 403 files` as two.
fn said(text: &str) -> Vec<(u64, &'static str)> {
    let text = text.replace('\u{a0}', "");
    let words: Vec<&str> = text.split([' ', ',', '(', ')', '.', ':']).filter(|w| !w.is_empty()).collect();
    let mut found = Vec::new();
    for (at, word) in words.iter().enumerate() {
        let Ok(number) = word.parse::<u64>() else { continue };
        let noun = |word: Option<&&str>| match word.copied() {
            Some("file" | "files") => Some("files"),
            Some("copy" | "copies") => Some("copies"),
            _ => None,
        };
        let is_of = words.get(at + 1) == Some(&"of");
        let its = if is_of { noun(words.get(at + 3)) } else { noun(words.get(at + 1)) };
        found.extend(its.map(|noun| (number, noun)));
    }
    found
}

/// What may be said of files and of copies.
fn allowed(world: &World) -> (BTreeSet<u64>, BTreeSet<u64>) {
    let snapshot = &world.snapshot;
    let counted: Vec<_> =
        snapshot.destinations.iter().filter(|d| d.enabled && !d.sources.is_empty()).collect();
    let mut files = BTreeSet::from([snapshot.library.found]);
    let mut copies = BTreeSet::new();
    if let Some(all) = snapshot.library.files {
        let meant = all.found - all.excluded;
        files.extend([all.found, meant, all.safe, all.unproven, all.left, all.needs_attention, all.excluded]);
    }
    let mut sums = [0; 6];
    for d in &snapshot.destinations {
        let bins = bins_of(d);
        let meant = bins.found() - bins.excluded;
        files.extend([bins.found(), meant, bins.waiting + bins.uploading]);
        files.extend(crate::domain::accounting::Bin::ALL.map(|bin| bins.get(bin)));
    }
    for d in &counted {
        for (sum, bin) in sums.iter_mut().zip(crate::domain::accounting::Bin::ALL) {
            *sum += bins_of(d).get(bin);
        }
    }
    let [safe, unproven, waiting, uploading, attention, excluded] = sums;
    copies.extend([safe, unproven, waiting, uploading, attention, excluded, waiting + uploading]);
    copies.extend([safe + unproven + waiting + uploading + attention]);
    copies.insert(u64::try_from(snapshot.uploading.len()).expect("few"));
    if counted.len() > 1 {
        copies.extend(snapshot.progress.iter().flat_map(|p| [p.files_done, p.files_total]));
    } else {
        files.extend(snapshot.progress.iter().flat_map(|p| [p.files_done, p.files_total]));
        files.insert(u64::try_from(snapshot.uploading.len()).expect("few"));
    }
    // What can be restored is what the destination holds, files that have gone included.
    files.insert(world.restorable.total.files);
    // The groups by cause divide what needs attention.
    files.extend(world.groups().iter().map(|group| group.files));
    copies.extend(world.groups().iter().map(|group| group.copies));
    (files, copies)
}

fn check(window: &Window, state: &str, screen: &str) -> usize {
    let (files, copies) = allowed(&window.world.borrow());
    let mut seen = 0;
    for node in window.harness.query_all_by(|_| true) {
        for text in [node.accesskit_node().label(), node.accesskit_node().value()].into_iter().flatten() {
            for (number, noun) in said(&text) {
                seen += 1;
                let fits = if noun == "files" { &files } else { &copies };
                assert!(fits.contains(&number), "{state}, {screen}: no {number} {noun} in: {text}");
            }
        }
    }
    seen
}

#[test]
fn every_number_on_every_screen_is_one_of_the_counts() {
    let mut seen = 0;
    for (state, mut world) in states() {
        if state == "too many to tell apart" {
            world.snapshot.library.files = None;
        }
        let is_new = world.snapshot.sources.is_empty();
        let mut window = Window::open(world);
        seen += check(&window, state, "start");
        if is_new {
            continue;
        }
        for screen in Screen::ALL {
            window.harness.state_mut().screen = screen;
            window.run();
            seen += check(&window, state, screen.label());
        }
        window.harness.state_mut().screen = Screen::Queue;
        for list in [
            QueueList::Uploading,
            QueueList::Waiting,
            QueueList::NeedsAttention,
            QueueList::Unproven,
            QueueList::Excluded,
            QueueList::Done,
        ] {
            window.harness.state_mut().queue.tab = list;
            window.run();
            seen += check(&window, state, &format!("queue, {list:?}"));
        }
        window.harness.state_mut().open_dialog(Dialog::QuitWithWorkLeft);
        window.run();
        seen += check(&window, state, "quitting");
    }
    assert!(seen > 500, "only {seen} numbers were compared");
}

#[test]
fn the_same_files_at_two_destinations_are_not_said_to_be_twice_as_many() {
    let (_, mut world) = states().into_iter().find(|(name, _)| *name == "only attention left").expect("it");
    world.recount();
    let mut window = Window::open(world);
    assert!(window.sees("48 files need attention, 348 of 396 files safe in 2 destinations"));
    assert!(window.sees("Queue, 48 files need attention"));
    window.click("Review");
    assert!(window.sees("Needs attention, 96 copies"));
    assert!(window.sees("Here each copy counts: one for each file and destination"));
    assert!(!window.sees(", 96 files") && !window.sees("(96 files"));
    window.click("Only nas");
    assert!(window.sees("Needs attention, 48 files"));
}

#[test]
fn nothing_is_said_of_speed_while_nothing_moves() {
    let (_, world) = states().into_iter().find(|(name, _)| *name == "unreachable").expect("it");
    let window = Window::open(world);
    assert!(!window.sees("MB/s") && !window.sees(" left, "), "the server is away");
    assert!(Window::open(World::busy(403)).sees("38.4 MB/s"));
}

#[test]
fn attention_in_the_library_leads_to_files_that_are_no_photos() {
    let mut world = World::with_library(403);
    // An empty file is no photo: it is in the counts and not in the grid.
    for d in &mut world.snapshot.destinations {
        (d.found, d.needs_attention) = (451, 48);
    }
    let files = world.snapshot.library.files.as_mut().expect("files");
    (files.found, files.needs_attention) = (451, 48);
    let mut window = Window::open(world);
    assert!(window.sees("403 items"));
    window.click("Show: Attention");
    assert!(window.sees("No photo here needs attention") && !window.sees("All good"));
    assert!(window.sees("0 items") && !window.sees("403 items"));
    window.click("Show 48 files in the queue");
    assert_eq!(window.harness.state().screen, Screen::Queue);
}
