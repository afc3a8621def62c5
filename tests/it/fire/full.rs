//! Disks that are full or cannot be written: the destination's, the cache's, the data folder's.

use std::sync::Arc;
use std::time::Duration;

use safelight::base::clock::SystemClock;
use safelight::media::fixture::Photo;
use safelight::media::thumb_cache::ThumbCache;
use serde_json::Value;

use super::mounts::{Tmpfs, with_mounts};
use super::{
    assert_all_there, assert_backs_up, assert_explained, back_up, copies_below, json_of, make_photos, queue,
    told,
};
use crate::support::backup::{Run, digest, status};
use crate::support::process::Sandbox;
use crate::support::seed::Seeded;
use crate::support::wait::wait_until;

/// A full destination is looked at again after 5 s doubling to 5 min; it has been full for less than
/// a minute here.
const BACK_WITHIN: Duration = Duration::from_secs(4 * 60);
/// How long it may take to be seen that a disk is full.
const SEEN_WITHIN: Duration = Duration::from_secs(60);

fn wait_reason(sandbox: &Sandbox) -> Value {
    json_of(sandbox, &["status", "--json"])["destinations"][0]["wait_reason"].clone()
}

#[test]
fn a_full_destination_loses_nothing_and_goes_on_when_there_is_room() {
    with_mounts("fire::full::a_full_destination_loses_nothing_and_goes_on_when_there_is_room", || {
        let seeded = Seeded::announced("full destination");
        let sandbox = Sandbox::new();
        let source = sandbox.path("photos");
        make_photos(&seeded, &source, 60, 200_000);
        let disk = Tmpfs::mount(sandbox.path("disk"), "4m");
        let destination = disk.path().join("backup");
        let mut run = Run::command(&sandbox, &source, &destination);
        // The command gives up after a while; nothing of what is left is anybody's fault.
        assert_eq!(run.process.wait_for_end(SEEN_WITHIN).code(), Some(3));
        drop(run);

        let mut agent = Run::agent(&sandbox);
        wait_until("the agent listens", SEEN_WITHIN, || sandbox.is_listening(), |up| *up);
        let full = |reason: &Value| reason["kind"] == "no_space";
        let reason = wait_until("it says that the disk is full", SEEN_WITHIN, || wait_reason(&sandbox), full);
        assert!(reason["summary"].as_str().is_some_and(|text| !text.is_empty()), "{reason}");
        assert!(reason["until"].as_str().is_some_and(|text| text.ends_with('Z')), "{reason}");
        let bins = status(&sandbox).expect("status answers");
        assert_eq!((bins.needs_attention, bins.unproven, bins.found), (0, 0, 60), "{bins:?}");
        assert!(bins.safe > 0 && bins.left() > 0, "{bins:?}");
        let items = queue(&sandbox);
        assert_explained(&items);
        assert_eq!(items.len() as u64, bins.left());
        // What is there under a copy's name is a whole copy, and there are as many as are safe.
        let copies = copies_below(&destination);
        let whole: Vec<_> = copies.iter().filter(|path| !path.to_string_lossy().ends_with(".tmp")).collect();
        let sources: Vec<[u8; 32]> = super::copies_below(&source).iter().map(|path| digest(path)).collect();
        assert!(whole.iter().all(|path| sources.contains(&digest(path))), "a partial copy has a copy's name");
        assert!(whole.len() as u64 >= bins.safe, "{} copies for {bins:?}", whole.len());

        disk.resize("64m");
        wait_until(
            "it goes on by itself",
            BACK_WITHIN,
            || status(&sandbox),
            |bins| bins.is_some_and(|bins| bins.safe == 60),
        );
        assert!(agent.process.kill(), "the agent was there to the end");
        assert_all_there(&[&source], &destination);
    });
}

#[test]
fn a_restore_to_a_full_disk_says_so_and_goes_on_when_there_is_room() {
    with_mounts("fire::full::a_restore_to_a_full_disk_says_so_and_goes_on_when_there_is_room", || {
        let seeded = Seeded::announced("full restore");
        let sandbox = Sandbox::new();
        let (source, destination) = (sandbox.path("photos"), sandbox.path("backup"));
        make_photos(&seeded, &source, 60, 200_000);
        assert_backs_up(&sandbox, &source, &destination);
        let disk = Tmpfs::mount(sandbox.path("disk"), "4m");
        let into = disk.path().join("back");
        let (from, into_text) = (destination.to_string_lossy(), into.to_string_lossy());
        let restore = ["restore", "--from", &from, "--into", &into_text, "--json"];
        let output = sandbox.run(&restore);
        assert_eq!(output.status.code(), Some(3), "{}", String::from_utf8_lossy(&output.stderr));
        let first: Value = serde_json::from_slice(&output.stdout).expect("JSON");
        assert_eq!(first["failed_count"], 0, "{first}");
        let why = first["stopped"].as_str().expect("a sentence");
        assert!(why.starts_with("There is no space left"), "{why}");
        let back = first["restored"].as_u64().expect("a number");
        assert!(back > 0 && back < 60, "{first}");
        assert_eq!(copies_below(&into).len() as u64, back, "something else was left behind");

        disk.resize("64m");
        let second = json_of(&sandbox, &restore);
        assert_eq!(
            (&second["restored"], &second["present"]),
            (&(60 - back).into(), &back.into()),
            "{second}"
        );
        assert_eq!(copies_below(&into).len(), 60);
    });
}

#[test]
fn a_full_cache_stops_neither_a_backup_nor_a_picture() {
    with_mounts("fire::full::a_full_cache_stops_neither_a_backup_nor_a_picture", || {
        let seeded = Seeded::announced("full cache");
        let sandbox = Sandbox::new();
        let (source, destination) = (sandbox.path("photos"), sandbox.path("backup"));
        make_photos(&seeded, &source, 20, 20_000);
        let cache = Tmpfs::mount(sandbox.data_dir().join("cache"), "32k");
        let filler = cache.fill("filler");
        assert_backs_up(&sandbox, &source, &destination);
        assert_all_there(&[&source], &destination);

        let thumbnails = ThumbCache::new(cache.path().join("thumbnails"), 1 << 20, Arc::new(SystemClock));
        let picture = Photo { width: 160, height: 120, ..Photo::new(1) }.upright();
        for n in 0..20 {
            let key = format!("{n:032x}");
            let given = thumbnails.put(&key, 160, Ok(picture.clone())).expect("the picture comes back");
            assert_eq!((given.width, given.height), (160, 120));
            assert_eq!(thumbnails.get(&key, 160), None, "there was no room for it");
        }
        std::fs::remove_file(filler).expect("removed");
        thumbnails.put("room", 160, Ok(picture)).expect("the picture comes back");
        assert!(thumbnails.get("room", 160).is_some_and(|known| known.is_ok()));
        let temps = crate::support::backup::files_below(cache.path());
        assert!(temps.iter().all(|path| !path.to_string_lossy().ends_with(".tmp")), "{temps:?}");
    });
}

#[test]
fn a_data_folder_that_cannot_be_written_is_said_and_harms_nothing() {
    with_mounts("fire::full::a_data_folder_that_cannot_be_written_is_said_and_harms_nothing", || {
        let seeded = Seeded::announced("read-only data");
        let sandbox = Sandbox::new();
        let (source, destination) = (sandbox.path("photos"), sandbox.path("backup"));
        make_photos(&seeded, &source, 20, 20_000);
        let data = Tmpfs::mount(sandbox.data_dir(), "64m");
        // Never used before, and used before.
        for round in 0..2 {
            data.set_read_only();
            let (code, said) = back_up(&sandbox, &source, &destination);
            assert_eq!(code, Some(5), "round {round}: {said}");
            assert!(!said.contains("panicked"), "{said}");
            assert!(said.contains("read-only") || said.contains("Read-only"), "round {round}: {said}");
            let output = sandbox.run(&["status", "--json"]);
            assert_eq!(output.status.code(), Some(5), "round {round}: {}", told(&output));
            data.set_writable();
            assert_backs_up(&sandbox, &source, &destination);
            assert_all_there(&[&source], &destination);
            make_photos(&seeded, &source.join("more"), 20, 20_000);
        }
    });
}

#[test]
fn a_full_data_disk_is_said_and_waited_for() {
    with_mounts("fire::full::a_full_data_disk_is_said_and_waited_for", || {
        let seeded = Seeded::announced("full data");
        let sandbox = Sandbox::new();
        let (source, destination) = (sandbox.path("photos"), sandbox.path("backup"));
        make_photos(&seeded, &source, 20, 20_000);
        let data = Tmpfs::mount(sandbox.data_dir(), "24m");
        assert_backs_up(&sandbox, &source, &destination);

        let mut agent = Run::agent(&sandbox);
        wait_until("the agent listens", SEEN_WITHIN, || sandbox.is_listening(), |up| *up);
        let filler = data.fill("filler");
        make_photos(&seeded, &source.join("more"), 400, 20_000);
        let reason = wait_until(
            "it says that its own disk is full",
            SEEN_WITHIN,
            || json_of(&sandbox, &["status", "--json"])["wait_reason"].clone(),
            |reason| reason["kind"] == "data_full",
        );
        assert!(reason["summary"].as_str().is_some_and(|text| !text.is_empty()), "{reason}");
        assert!(agent.process.ended().is_none(), "the agent ended");
        // What was safe stays so, and nothing is anybody's fault.
        let bins = status(&sandbox).expect("status answers");
        assert!(bins.safe >= 20 && bins.needs_attention == 0 && bins.unproven == 0, "{bins:?}");

        std::fs::remove_file(filler).expect("removed");
        wait_until(
            "it goes on by itself",
            BACK_WITHIN,
            || status(&sandbox),
            |bins| bins.is_some_and(|bins| (bins.found, bins.safe) == (420, 420)),
        );
        assert!(agent.process.kill(), "the agent was there to the end");
        // Killed while it listed the new copies, it may have left a temp file to the next run.
        assert_backs_up(&sandbox, &source, &destination);
        assert_all_there(&[&source], &destination);
    });
}
