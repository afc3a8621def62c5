//! Disks that are pulled out and put back while nothing is to be done.

use std::time::Duration;

use serde_json::Value;

use super::mounts::{Bind, Tmpfs, with_mounts};
use super::{assert_all_there, assert_backs_up, json_of, make_photos};
use crate::support::backup::{Run, status};
use crate::support::process::Sandbox;
use crate::support::seed::Seeded;
use crate::support::wait::wait_until;

/// A disk that comes or goes is noticed within a second.
const NOTICED_WITHIN: Duration = Duration::from_secs(10);
/// How long an agent may take to listen.
const LISTENS_WITHIN: Duration = Duration::from_secs(60);

fn wait_reason(sandbox: &Sandbox) -> Value {
    json_of(sandbox, &["status", "--json"])["destinations"][0]["wait_reason"]["kind"].clone()
}

#[test]
fn a_disk_that_is_pulled_out_is_missed_and_found_again_by_itself() {
    with_mounts("fire::disks::a_disk_that_is_pulled_out_is_missed_and_found_again_by_itself", || {
        let seeded = Seeded::announced("disks");
        let sandbox = Sandbox::new();
        let source = sandbox.path("photos");
        make_photos(&seeded, &source, 20, 20_000);
        let disk = Tmpfs::mount(sandbox.path("disk"), "64m");
        let plugged = Bind::mount(disk.path(), sandbox.path("media"));
        let destination = sandbox.path("media").join("backup");
        assert_backs_up(&sandbox, &source, &destination);
        let mut agent = Run::agent(&sandbox);
        wait_until("the agent listens", LISTENS_WITHIN, || sandbox.is_listening(), |up| *up);
        wait_until("all is well", LISTENS_WITHIN, || wait_reason(&sandbox), Value::is_null);

        drop(plugged);
        let is_away = |reason: &Value| reason == "unreachable";
        wait_until("it is missed", NOTICED_WITHIN, || wait_reason(&sandbox), is_away);
        make_photos(&seeded, &source.join("more"), 5, 20_000);
        let bins = status(&sandbox).expect("status answers");
        assert_eq!((bins.safe, bins.needs_attention), (20, 0), "{bins:?}");

        let _plugged = Bind::mount(disk.path(), sandbox.path("media"));
        wait_until("it is found", NOTICED_WITHIN, || wait_reason(&sandbox), Value::is_null);
        let safe = |bins: &Option<crate::support::backup::Bins>| bins.is_some_and(|bins| bins.safe == 25);
        wait_until("all is safe", LISTENS_WITHIN, || status(&sandbox), safe);
        assert!(agent.process.kill(), "the agent was there to the end");
        assert_all_there(&[&source], &destination);
    });
}
