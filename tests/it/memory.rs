//! How much memory the real program takes for a large file, beyond what a small one takes: at every
//! kind of destination, judged by the most that was ever resident.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, SystemTime};

use crate::conformance::s3::{ACCESS_KEY, SECRET_KEY, weed_address};
use crate::conformance::servers::{PASSWORD, USER, apache_address};
use crate::conformance::source::bytes;
use crate::conformance::uploads::{draft, tus_server};
use crate::fakes::fault_server::FaultServer;
use crate::fakes::immich::{Generation, ImmichServer, KEY};
use crate::fakes::nextcloud::NextcloudBehavior;
use crate::fakes::uploads::{Behavior, DownloadLocation, UploadServer};
use crate::support::backup::tiny_jpeg;
use crate::support::process::Sandbox;
use crate::support::wait::wait_until;

const LARGE_BYTES: usize = 256 << 20;
/// What may be resident beyond a small file's run.
const EXTRA_MAX_KIB: u64 = 64 << 10;
/// How long one backup may take: ten times what it does.
const BACKED_UP_WITHIN: Duration = Duration::from_secs(180);
const VARIABLES: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
    ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
    ("SAFELIGHT_PASSWORD", PASSWORD),
    ("IMMICH_API_KEY", KEY),
];

/// The most that a backup of a folder had resident, in KiB.
fn peak_of_backup(folder: &Path, address: &str) -> u64 {
    let sandbox = Sandbox::new();
    let mut command = sandbox.command(["backup"]);
    command.arg(folder).args(["--to", address]).envs(VARIABLES);
    command.stdout(Stdio::null()).stderr(Stdio::null());
    let mut run = sandbox.spawn(command);
    let memory = PathBuf::from(format!("/proc/{}/status", run.pid()));
    let mut peak = 0;
    let ended = wait_until(
        "the backup ends",
        BACKED_UP_WITHIN,
        || {
            let status = std::fs::read_to_string(&memory).unwrap_or_default();
            let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
            let words = line.and_then(|line| line.trim().strip_suffix(" kB"));
            peak = words.and_then(|words| words.parse().ok()).unwrap_or(peak);
            run.ended()
        },
        Option::is_some,
    );
    assert_eq!(ended.and_then(|ended| ended.code()), Some(0), "{address}");
    assert!(peak > 0, "nothing was measured");
    peak
}

/// Folders with a small and a large file.
fn make_sources() -> (tempfile::TempDir, PathBuf, PathBuf) {
    let place = tempfile::TempDir::new_in(env!("CARGO_TARGET_TMPDIR")).expect("a folder");
    let (small, large) = (place.path().join("small"), place.path().join("large"));
    let film = [b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2", &bytes(1, LARGE_BYTES)[..]].concat();
    for (folder, name, bytes) in [(&small, "a.jpg", tiny_jpeg()), (&large, "film.mp4", film)] {
        std::fs::create_dir(folder).expect("a folder");
        std::fs::write(folder.join(name), bytes).expect("written");
        let file = std::fs::File::options().write(true).open(folder.join(name)).expect("opened");
        file.set_modified(SystemTime::UNIX_EPOCH + Duration::from_secs(1_500_000_000)).expect("an old file");
    }
    (place, small, large)
}

#[test]
fn a_large_file_takes_no_more_memory_than_a_small_one_and_some_buffers() {
    let (place, small, large) = make_sources();
    let mut told = Vec::new();
    let mut measure = |name: &str, address: &dyn Fn(&str) -> String| {
        let [small, large] = [(&small, "small"), (&large, "large")]
            .map(|(folder, part)| peak_of_backup(folder, &address(part)));
        told.push((name.to_owned(), small, large));
    };
    measure("a folder", &|part| place.path().join(format!("copies-{part}")).display().to_string());
    measure("SeaweedFS", &|part| weed_address(&format!("memory-{part}")));
    measure("Apache", &|part| apache_address(&format!("memory-{part}")));
    let cloud = FaultServer::nextcloud(USER, PASSWORD, u64::MAX / 4, NextcloudBehavior::default());
    measure("Nextcloud", &|part| format!("nextcloud+http://{USER}@{}/{part}", cloud.host()));
    drop(cloud);
    let immich = ImmichServer::start(Generation::V3);
    measure("Immich", &|_part| immich.address());
    drop(immich);
    measure("tus", &|part| format!("tus+http://127.0.0.1:{}/files/memory-{part}", tus_server().port));
    let files = UploadServer::start(Behavior {
        gives: DownloadLocation::AtTheFile,
        keeps_finished: true,
        ..draft(9)
    });
    measure("resumable uploads", &|_part| format!("resumable+{}", files.url()));
    for (name, small, large) in &told {
        assert!(large.saturating_sub(*small) < EXTRA_MAX_KIB, "{name}; KiB for small and large: {told:?}");
    }
}
