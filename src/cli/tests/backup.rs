//! `backup`, from consent to its exit code.

use std::path::Path;

use super::{
    Answer, JSON, LOG, Scene, TERMINAL, disk, exit_of, pair, snapshot, source, unreadable, wait_text,
};
use crate::api::{
    self, ApiError, BackupSwitch, ErrorKind, Progress, Reply, Request, Snapshot, SourceCondition,
};
use crate::cli::args::BackupArgs;
use crate::cli::backup::{REFUSED_MAX, UNREACHABLE_MAX, VERIFICATION_STALLED_MAX, run};
use crate::cli::output::Style;
use crate::cli::words::path_text;
use crate::cli::{CliError, Exit};

struct Folder(tempfile::TempDir);

impl Folder {
    fn new() -> Self {
        Self(tempfile::tempdir().expect("temp"))
    }

    fn args(&self) -> BackupArgs {
        BackupArgs {
            paths: vec![self.0.path().to_path_buf()],
            to: "disk".into(),
            watch: false,
            allow_http: false,
        }
    }
}

/// An engine that knows source 1 and destination 7 already, or takes them in.
fn willing() -> Answer {
    Box::new(|request| match request {
        Request::Command(api::Command::AddSource { .. }) => Some(Ok(Reply::Source { id: 1, is_new: true })),
        Request::Command(api::Command::AddDestination { .. }) => {
            Some(Ok(Reply::Destination { id: 7, name: "disk".into(), is_new: true }))
        }
        _other => None,
    })
}

fn watch(style: Style, now: Snapshot, coming: Vec<(u64, Snapshot)>) -> (Result<Exit, CliError>, Scene) {
    let folder = Folder::new();
    let mut scene = Scene::new(style, now, coming, willing());
    let outcome = run(&mut scene.context, &folder.args(), |_| {});
    (outcome, scene)
}

fn blocked(mut snapshot: Snapshot, kind: &str, summary: &str) -> Snapshot {
    snapshot.destinations[0].wait_reason = Some(wait_text(kind, summary));
    snapshot
}

#[test]
fn consent_is_for_exactly_what_was_typed() {
    let folder = Folder::new();
    let mut now = snapshot([0; 6]);
    now.backup = BackupSwitch::Off;
    now.destinations[0].enabled = false;
    let mut scene = Scene::new(JSON, now, Vec::new(), willing());
    assert_eq!(run(&mut scene.context, &folder.args(), |_| {}), Ok(Exit::Fine));
    let path = path_text(folder.0.path());
    assert_eq!(
        scene.asked(),
        [
            Request::Command(api::Command::AddSource { path, consent_all: false }),
            Request::Command(api::Command::Consent { sources: vec![1], destination: 7 }),
            Request::Command(api::Command::EnableDestination { id: 7, enabled: true }),
            Request::Command(api::Command::SetBackup { on: true }),
        ]
    );
    let echo = format!("Backing up {} to disk (/mnt/disk)\n", folder.0.path().display());
    assert_eq!(scene.stderr.take(), echo, "the consent is echoed beside the JSON");
}

#[test]
fn a_new_destination_is_added_and_a_known_source_looked_at_again() {
    let folder = Folder::new();
    let answer: Answer = Box::new(|request| match request {
        Request::Command(api::Command::AddSource { .. }) => Some(Ok(Reply::Source { id: 1, is_new: false })),
        other => willing()(other),
    });
    let mut scene = Scene::new(LOG, snapshot([0; 6]), Vec::new(), answer);
    let args = BackupArgs { to: "/mnt/other".into(), ..folder.args() };
    assert_eq!(run(&mut scene.context, &args, |_| {}), Ok(Exit::Fine));
    let asked = scene.asked();
    let target = path_text(Path::new("/mnt/other"));
    let add = Request::Command(api::Command::AddDestination {
        target,
        name: None,
        allow_http: false,
        consent_all: false,
        secret: None,
        trust_checksum: false,
    });
    assert_eq!(asked[0], add);
    assert!(asked.contains(&Request::Command(api::Command::Rescan { id: None })), "{asked:?}");
    assert!(
        !asked.iter().any(|request| matches!(request, Request::Command(api::Command::SetBackup { .. }))),
        "it is on already"
    );
}

#[test]
fn it_returns_when_its_own_pairs_are_done() {
    let mut scanning = snapshot([0; 6]);
    scanning.sources[0].state = SourceCondition::Scanning;
    let mut busy = snapshot([2, 0, 3, 1, 0, 1]);
    // Another source waits for ever; it was not asked about.
    busy.sources.push(source(2, "/other", SourceCondition::Unavailable, 9));
    busy.destinations = vec![disk(vec![pair(1, [2, 0, 3, 1, 0, 1]), pair(2, [0, 0, 9, 0, 0, 0])])];
    let mut done = busy.clone();
    done.destinations = vec![disk(vec![pair(1, [6, 0, 0, 0, 0, 1]), pair(2, [0, 0, 9, 0, 0, 0])])];
    let (outcome, scene) = watch(JSON, scanning, vec![(1, busy), (1, done)]);
    assert_eq!(outcome, Ok(Exit::Fine));
    insta::assert_snapshot!(scene.stdout.take());
}

#[test]
fn the_exit_code_says_how_it_ended() {
    let cases = [
        ([5, 0, 0, 0, 0, 0], SourceCondition::Watching, Exit::Fine),
        ([5, 0, 0, 0, 0, 2], SourceCondition::Watching, Exit::Fine),
        ([0, 0, 0, 0, 0, 0], SourceCondition::Watching, Exit::Fine),
        ([5, 1, 0, 0, 0, 0], SourceCondition::Watching, Exit::Attention),
        ([5, 0, 0, 0, 1, 0], SourceCondition::Watching, Exit::Attention),
        ([5, 0, 3, 0, 0, 0], SourceCondition::Unavailable, Exit::Source),
        ([5, 0, 3, 0, 1, 0], SourceCondition::Unreadable, Exit::Source),
    ];
    for (bins, condition, exit) in cases {
        let mut now = snapshot(bins);
        now.sources[0].state = condition;
        let (outcome, _scene) = watch(LOG, now, Vec::new());
        assert_eq!(exit_of(&outcome), exit, "{bins:?} {condition:?}");
    }
}

#[test]
fn a_folder_that_cannot_be_read_and_one_that_is_away_are_named() {
    let mut now = snapshot([5, 0, 0, 0, 0, 0]);
    now.sources[0].unreadable_folders = 2;
    now.sources[0].unreadable = vec![unreadable("/photos/clo\nsed")];
    let (outcome, scene) = watch(LOG, now.clone(), Vec::new());
    assert_eq!(outcome, Ok(Exit::Attention));
    assert_eq!(
        scene.stderr.take(),
        "The folder /photos/clo\\nsed is not backed up: you do not have permission to open it\n  \
         Give yourself permission to read it; until then, its photos are not backed up\n\
         1 more folder is not backed up in /photos\n"
    );
    assert_eq!(scene.stdout.take().lines().last(), Some("5 of 5 files safe in disk"));

    now.sources[0].state = SourceCondition::Unavailable;
    (now.sources[0].unreadable_folders, now.sources[0].unreadable) = (0, Vec::new());
    now.sources[0].note = Some("It is empty; its disk may not be connected".into());
    let (outcome, scene) = watch(LOG, now.clone(), Vec::new());
    assert_eq!(outcome, Ok(Exit::Source));
    let said = scene.stderr.take();
    let right = "safelight: The photo folder /photos is not backed up now: it is empty; its disk may not be connected.\n";
    assert!(said.starts_with(right) && said.contains("Connect its disk"), "{said}");
    let (_outcome, scene) = watch(JSON, now, Vec::new());
    assert!(scene.stdout.take().contains("\"sources\":[{\"path\":\"/photos\",\"state\":\"unavailable\""));
}

#[test]
fn copies_that_are_being_read_back_are_waited_for_as_long_as_that_gets_on() {
    let verifying = |unproven| {
        let mut now = snapshot([5 - unproven, unproven, 0, 0, 0, 0]);
        now.destinations[0].verifying = true;
        now
    };
    let done = snapshot([5, 0, 0, 0, 0, 0]);
    let coming = vec![(59, verifying(4)), (59, verifying(1)), (59, done)];
    let (outcome, scene) = watch(LOG, verifying(5), coming);
    assert_eq!(outcome, Ok(Exit::Fine));
    let told = scene.stdout.take();
    assert!(told.contains("Verifying the copies: 1 file left"), "{told}");

    let (outcome, scene) = watch(LOG, verifying(5), vec![(10, verifying(2))]);
    assert_eq!(outcome, Ok(Exit::Attention));
    assert_eq!(scene.secs(), 10 + VERIFICATION_STALLED_MAX.as_secs());
    assert_eq!(
        scene.stdout.take().lines().last(),
        Some("3 of 5 files safe in disk, 2 copied but not verified")
    );
}

#[test]
fn reading_a_large_copy_back_is_progress_and_what_stalls_is_said() {
    let reading = |bytes_read| {
        let mut now = snapshot([4, 1, 0, 0, 0, 0]);
        (now.destinations[0].verifying, now.destinations[0].bytes_read) = (true, bytes_read);
        now
    };
    let coming = vec![(59, reading(1 << 30)), (59, reading(2 << 30))];
    let (outcome, scene) = watch(LOG, reading(0), coming);
    assert_eq!(outcome, Ok(Exit::Attention));
    assert_eq!(scene.secs(), 59 + 59 + VERIFICATION_STALLED_MAX.as_secs());
    let said = scene.stderr.take() + &scene.stdout.take();
    assert!(said.contains("has made no progress for 60 seconds. It continues in the background"), "{said}");
}

#[test]
fn copies_that_cannot_be_verified_now_are_explained() {
    let mut stays = snapshot([0, 5, 0, 0, 0, 0]);
    stays.destinations[0].proof_advice = Some("Reconnect it".into());
    let (outcome, scene) = watch(LOG, stays, Vec::new());
    assert_eq!(outcome, Ok(Exit::Attention));
    assert_eq!(scene.stderr.take(), "Reconnect it.\n");
}

#[test]
fn an_unreachable_destination_is_given_a_minute() {
    let waiting = || snapshot([1, 0, 4, 0, 0, 0]);
    let lost = || blocked(waiting(), "unreachable", "Waiting: the destination cannot be reached");
    let (outcome, scene) = watch(LOG, waiting(), vec![(5, lost())]);
    let error = outcome.expect_err("given up");
    assert_eq!(error.exit, Exit::Destination);
    assert!(error.message.contains("disk (/mnt/disk) cannot be reached"), "{error:?}");
    assert_eq!(scene.secs(), 5 + UNREACHABLE_MAX.as_secs());

    // It comes back in time, goes once more, and is back before its minute is over again.
    let done = snapshot([5, 0, 0, 0, 0, 0]);
    let coming = vec![(5, lost()), (59, waiting()), (1, lost()), (59, done)];
    let (outcome, _scene) = watch(LOG, waiting(), coming);
    assert_eq!(outcome, Ok(Exit::Fine));
}

#[test]
fn a_full_or_refusing_destination_is_asked_once_more_and_no_longer() {
    for (kind, says) in [
        ("no_space", "disk does not have enough free space for what is left"),
        ("credentials", "disk refused the sign-in"),
        ("forbidden", "disk cannot be written to"),
    ] {
        let (outcome, scene) = watch(LOG, blocked(snapshot([1, 0, 4, 0, 0, 0]), kind, "x"), Vec::new());
        let error = outcome.expect_err("given up");
        assert_eq!((error.exit, error.message.as_str()), (Exit::Destination, says));
        assert_eq!(scene.secs(), REFUSED_MAX.as_secs());
        assert!(scene.asked().contains(&Request::Command(api::Command::CheckDestination { id: 7 })));
    }
    let full = blocked(snapshot([1, 0, 4, 0, 0, 0]), "no_space", "x");
    let (outcome, _scene) = watch(LOG, full, vec![(1, snapshot([5, 0, 0, 0, 0, 0]))]);
    assert_eq!(outcome, Ok(Exit::Fine), "it had room again");
    let idle = blocked(snapshot([5, 0, 0, 0, 0, 0]), "unreachable", "x");
    assert_eq!(watch(LOG, idle, Vec::new()).0, Ok(Exit::Fine), "nothing was left for it");
}

#[test]
fn a_closed_gate_is_waited_out_and_named() {
    let mut paused = snapshot([1, 0, 4, 0, 0, 0]);
    paused.backup = BackupSwitch::Paused;
    paused.wait_reason = Some(wait_text("paused", "Paused by you"));
    let done = snapshot([5, 0, 0, 0, 0, 0]);
    let (outcome, scene) = watch(LOG, paused, vec![(86_400, done)]);
    assert_eq!(outcome, Ok(Exit::Fine));
    assert!(scene.stdout.take().contains("Paused by you"));
    let asked = scene.asked();
    assert!(!asked.iter().any(|request| matches!(
        request,
        Request::Command(api::Command::SetBackup { .. }) | Request::Command(api::Command::Resume)
    )));
}

#[test]
fn sources_that_are_none_are_refused_before_anything_is_asked() {
    let folder = Folder::new();
    let file = folder.0.path().join("a.jpg");
    std::fs::write(&file, b"x").expect("file");
    let missing = folder.0.path().join("none");
    let cases = [
        (vec![file.clone()], Exit::Usage),
        (vec![missing.clone()], Exit::Source),
        (vec![missing.clone(), file], Exit::Usage),
    ];
    for (paths, exit) in cases {
        let mut scene = Scene::new(LOG, snapshot([0; 6]), Vec::new(), willing());
        let args = BackupArgs { paths, ..folder.args() };
        assert_eq!(exit_of(&run(&mut scene.context, &args, |_| {})), exit);
        assert_eq!(scene.asked(), []);
    }
    // One that is missing does not keep the other from being backed up.
    let mut scene = Scene::new(LOG, snapshot([3, 0, 0, 0, 0, 0]), Vec::new(), willing());
    let args = BackupArgs { paths: vec![missing, folder.0.path().to_path_buf()], ..folder.args() };
    assert_eq!(run(&mut scene.context, &args, |_| {}), Ok(Exit::Source));
    assert!(scene.stderr.take().contains("There is no folder"));
    assert!(scene.stdout.take().contains("3 of 3 files safe in disk"));
}

#[test]
fn what_the_engine_refuses_is_told_with_its_code() {
    let folder = Folder::new();
    for (kind, exit) in [
        (ErrorKind::Usage, Exit::Usage),
        (ErrorKind::Destination, Exit::Destination),
        (ErrorKind::Internal, Exit::Internal),
    ] {
        let answer: Answer = Box::new(move |request| match request {
            Request::Command(api::Command::AddDestination { .. }) => Some(Err(ApiError::new(kind, "No"))),
            other => willing()(other),
        });
        let mut scene = Scene::new(LOG, snapshot([0; 6]), Vec::new(), answer);
        let args = BackupArgs { to: "/mnt/new".into(), ..folder.args() };
        assert_eq!(run(&mut scene.context, &args, |_| {}), Err(CliError::new(exit, "No")));
        assert_eq!(scene.asked().len(), 1, "nothing is added after a refusal");
    }
}

#[test]
fn watching_goes_on_when_all_is_safe() {
    let folder = Folder::new();
    let more = snapshot([3, 0, 2, 0, 0, 0]);
    let done = snapshot([5, 0, 0, 0, 0, 0]);
    let coming = vec![(60, more), (60, done)];
    let mut scene = Scene::new(LOG, snapshot([3, 0, 0, 0, 0, 0]), coming, willing());
    let args = BackupArgs { watch: true, ..folder.args() };
    let over = run(&mut scene.context, &args, |_| {}).expect_err("only the script's end stops it");
    assert_eq!(over.message, "the script is over");
    let said = scene.stdout.take();
    assert!(
        said.contains("3 of 3 files safe in disk\n") && said.contains("5 of 5 files safe in disk\n"),
        "{said}"
    );
}

#[test]
fn a_terminal_sees_one_line_and_a_log_sees_few() {
    let at = |safe: u64, rate: u64| {
        let mut now = snapshot([safe, 0, 899 - safe, 1, 0, 3]);
        now.progress = Some(Progress {
            files_done: safe,
            files_total: 900,
            bytes_done: safe * 1_000_000,
            bytes_total: 900_000_000,
            bytes_per_sec: rate,
            secs_left: (rate > 0).then_some(150),
        });
        now
    };
    let coming = || {
        let mut coming: Vec<_> = (1..=30).map(|n| (1, at(n * 10, 2_000_000))).collect();
        coming.push((1, snapshot([900, 0, 0, 0, 0, 3])));
        coming
    };
    let (outcome, scene) = watch(TERMINAL, at(0, 0), coming());
    assert_eq!(outcome, Ok(Exit::Fine));
    let said = scene.stdout.take();
    assert!(said.contains("\r10 of 900 files · 10.0 MB of 900 MB · 2.0 MB/s · 3 min left"), "{said:?}");
    assert!(said.ends_with("\r900 of 900 files safe in disk, 3 left out\n"), "{said:?}");
    assert_eq!(said.matches('\n').count(), 2, "the echo and the end");

    let (_outcome, scene) = watch(LOG, at(0, 0), coming());
    assert_eq!(scene.stdout.take().lines().count(), 1 + 4 + 1, "the echo, one line in ten seconds, the end");
}
