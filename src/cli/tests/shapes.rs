//! The JSON shapes that scripts rely on, and the sentences beside them.

use super::{Answer, JSON, LOG, Scene, disk, pair, snapshot, source, wait_text};
use crate::api::{
    self, ApiError, BackupSwitch, ErrorKind, FailureText, LibraryCounts, NetworkText, Operation,
    OperationKind, OperationState, PathText, Progress, ProxyText, Query, QueueList, QueuePage, QueueRow,
    Reply, Request, RestoreLayout, RestoreOrder, RestoreResult, RestoreScope, RestoreTarget, Selection,
    Snapshot, SourceCondition, TestReport,
};
use crate::cli::args::{
    DestinationCommand, ExcludeArgs, OnOff, QueueArgs, RestoreArgs, RestoreLayoutArg, RetryArgs,
    SettingsArgs, SourceCommand, UntrashArgs, VerifyArgs,
};
use crate::cli::{Exit, destination, queue, restore, settings, source, status, verify};
use crate::domain::failure::{FailureKind, Reach};

fn full() -> Snapshot {
    let mut disk = disk(vec![pair(1, [10, 1, 2, 1, 3, 4]), pair(2, [5, 0, 0, 0, 0, 0])]);
    disk.oldest_proof_at = Some("2024-01-31T08:00:00Z".into());
    disk.wait_reason = Some(wait_text("unreachable", "Waiting: the destination cannot be reached"));
    disk.note = "ext4".into();
    disk.same_disk = true;
    let mut nas = super::disk(Vec::new());
    (nas.id, nas.name, nas.url, nas.enabled) = (8, "nas".into(), "/mnt/nas".into(), false);
    let mut odd = source(2, "", SourceCondition::Scanning, 5);
    odd.path = PathText::from_bytes(b"/caf\xe9");
    (odd.unreadable_folders, odd.unreadable) = (1, vec![super::unreadable("/caf/closed")]);
    Snapshot {
        backup: BackupSwitch::On,
        library: LibraryCounts {
            found: 26,
            assets: 20,
            safe_everywhere: 15,
            safe_somewhere: 15,
            files: None,
        },
        sources: vec![source(1, "/photos", SourceCondition::Watching, 21), odd],
        destinations: vec![disk, nas],
        ..Snapshot::default()
    }
}

fn pretty(json: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(json).expect("one JSON document");
    serde_json::to_string_pretty(&value).expect("JSON")
}

#[test]
fn status_keeps_its_shape() {
    let mut scene = Scene::still(JSON, full());
    assert_eq!(status::run(&mut scene.context), Ok(Exit::Destination));
    insta::assert_snapshot!("status_json", pretty(&scene.stdout.take()));

    let mut scene = Scene::still(LOG, full());
    status::run(&mut scene.context).expect("status");
    insta::assert_snapshot!("status_text", scene.stdout.take());
}

#[test]
fn the_status_code_is_the_worst_of_what_is_on() {
    assert_eq!(status::exit(&Snapshot::default()), Exit::Fine);
    assert_eq!(status::exit(&snapshot([3, 0, 2, 1, 0, 4])), Exit::Fine, "what waits is not wrong");
    assert_eq!(status::exit(&snapshot([3, 1, 0, 0, 0, 0])), Exit::Attention);
    assert_eq!(status::exit(&snapshot([3, 0, 0, 0, 1, 0])), Exit::Attention);
    let mut closed = snapshot([3, 0, 0, 0, 0, 0]);
    closed.sources[0].unreadable_folders = 1;
    assert_eq!(status::exit(&closed), Exit::Attention, "a folder in it cannot be read");
    let mut gone = snapshot([3, 0, 0, 0, 1, 0]);
    gone.sources[0].state = SourceCondition::Unavailable;
    assert_eq!(status::exit(&gone), Exit::Source);
    gone.destinations[0].wait_reason = Some(wait_text("no_space", "x"));
    assert_eq!(status::exit(&gone), Exit::Destination);
    gone.destinations[0].wait_reason = Some(wait_text("forbidden", "x"));
    assert_eq!(status::exit(&gone), Exit::Destination);
    gone.destinations[0].enabled = false;
    assert_eq!(status::exit(&gone), Exit::Source, "what is off does not count");
}

fn row(id: &str, state: &str) -> QueueRow {
    QueueRow {
        id: id.into(),
        path: PathText::from_bytes(b"/photos/a.jpg"),
        destination: "disk".into(),
        state: state.into(),
        job_state: None,
        attempt: 0,
        bytes_sent: 0,
        bytes_total: 2_000_000,
        wait_reason: None,
        failure: None,
        excluded_because: None,
        asset: Some(4),
        proved_at: None,
        decisions: Vec::new(),
    }
}

/// Two pages of waiting rows, of which one has moved on to uploading when that list is read.
fn rows() -> Answer {
    Box::new(|request| {
        let Request::Query(Query::Queue(query)) = request else { return None };
        let (rows, next) = match (query.list, query.after.as_deref()) {
            (QueueList::Waiting, None) => {
                let mut waits = row("1", "waiting");
                waits.wait_reason = Some(wait_text("back_off", "Will retry later"));
                (vec![waits, row("2", "waiting")], Some("2".to_owned()))
            }
            (QueueList::Waiting, Some("2")) => (vec![row("3", "waiting")], None),
            (QueueList::Uploading, None) => {
                let mut moving = row("4", "uploading");
                (moving.job_state, moving.attempt) = (Some("pending".into()), 2);
                moving.bytes_sent = 500_000;
                (vec![row("3", "uploading"), moving], None)
            }
            (QueueList::NeedsAttention, None) => {
                let mut failed = row("f5", "needs_attention");
                failed.path = PathText::from_bytes(b"/photos/\xff.jpg");
                let details = "permission denied".to_owned();
                failed.failure = Some(FailureText::new(FailureKind::Unreadable, Reach::Resource, details));
                (vec![failed], None)
            }
            (QueueList::Excluded, None) => {
                let mut out = row("6", "excluded");
                out.excluded_because = Some("Not a photo or video".into());
                (vec![out], None)
            }
            (QueueList::Unproven, None) => (Vec::new(), None),
            other => panic!("asked for {other:?}"),
        };
        Some(Ok(Reply::Queue(QueuePage { revision: 1, rows, next, total: 5 })))
    })
}

#[test]
fn the_queue_keeps_its_shape() {
    let show = |style, failed| {
        let mut scene = Scene::new(style, full(), Vec::new(), rows());
        assert_eq!(queue::run(&mut scene.context, &QueueArgs { failed }), Ok(Exit::Fine));
        scene.stdout.take()
    };
    insta::assert_snapshot!("queue_json", pretty(&show(JSON, false)));
    insta::assert_snapshot!("queue_text", show(LOG, false));
    let failed: serde_json::Value = serde_json::from_str(&show(JSON, true)).expect("JSON");
    assert_eq!(failed.as_array().map(Vec::len), Some(1));
}

#[test]
fn an_empty_queue_is_an_empty_array() {
    let empty: Answer = Box::new(|_| {
        Some(Ok(Reply::Queue(QueuePage { revision: 1, rows: Vec::new(), next: None, total: 0 })))
    });
    let mut scene = Scene::new(JSON, full(), Vec::new(), empty);
    queue::run(&mut scene.context, &QueueArgs { failed: false }).expect("queue");
    assert_eq!(scene.stdout.take(), "[]\n");
}

#[test]
fn retry_and_exclude_name_what_they_mean() {
    let changed: fn() -> Answer = || Box::new(|_| Some(Ok(Reply::Changed { items: 2 })));
    let retry = |args: &RetryArgs| {
        let mut scene = Scene::new(LOG, full(), Vec::new(), changed());
        let outcome = queue::retry(&mut scene.context, args);
        (outcome.map_err(|error| error.exit), scene.asked(), scene.stdout.take())
    };
    let none = RetryArgs { all: false, kind: None, ids: Vec::new() };
    let (outcome, asked, said) = retry(&RetryArgs { all: true, ..none.clone() });
    assert_eq!((outcome, said.as_str()), (Ok(Exit::Fine), "Retrying 2 files\n"));
    assert_eq!(asked, [Request::Command(api::Command::Retry(Selection::All))]);
    let (_, asked, _) = retry(&RetryArgs { kind: Some("full".into()), ..none.clone() });
    assert_eq!(asked, [Request::Command(api::Command::Retry(Selection::Kind("full".into())))]);
    for bad in [
        RetryArgs { kind: Some("fulll".into()), ..none.clone() },
        RetryArgs { ids: vec!["1".into(), "x".into()], ..none },
    ] {
        let (outcome, asked, _) = retry(&bad);
        assert_eq!((outcome, asked), (Err(Exit::Usage), Vec::new()));
    }

    let mut scene = Scene::new(JSON, full(), Vec::new(), changed());
    let args = ExcludeArgs { ids: vec!["1".into(), "f2".into()] };
    assert_eq!(queue::exclude(&mut scene.context, &args), Ok(Exit::Fine));
    let items = Selection::Items(vec!["1".into(), "f2".into()]);
    assert_eq!(scene.asked(), [Request::Command(api::Command::Exclude(items))]);
    assert_eq!(scene.stdout.take(), "{\"changed\":2}\n");
}

#[test]
fn settings_are_changed_one_by_one_and_shown() {
    let mut now = full();
    now.network.proxy = ProxyText::Address("http://ann@h:3128".into());
    let change = |args: SettingsArgs| {
        let mut scene = Scene::still(LOG, now.clone());
        let outcome = settings::run(&mut scene.context, &args, None).map_err(|error| error.exit);
        (outcome, scene.asked(), scene.stdout.take())
    };
    let (outcome, asked, said) = change(SettingsArgs::default());
    assert_eq!((outcome, asked), (Ok(Exit::Fine), Vec::new()));
    insta::assert_snapshot!("settings_text", said);
    let limit = SettingsArgs { upload_limit: Some("2.5".into()), ..SettingsArgs::default() };
    let wanted = NetworkText { upload_limit: Some(2_500_000), ..now.network.clone() };
    assert_eq!(change(limit).1, [Request::Command(api::Command::SetNetwork(wanted))]);
    let all = SettingsArgs {
        upload_limit: Some("off".into()),
        proxy: Some("none".into()),
        ca_file: Some("/ca.pem".into()),
        ..SettingsArgs::default()
    };
    let ca_file = Some(PathText::from_bytes(b"/ca.pem"));
    let wanted = NetworkText { upload_limit: None, proxy: ProxyText::None, ca_file };
    assert_eq!(change(all).1, [Request::Command(api::Command::SetNetwork(wanted))]);
    for bad in ["fast", "0", "-1", "inf"] {
        let bad = SettingsArgs { upload_limit: Some(bad.into()), ..SettingsArgs::default() };
        let (outcome, asked, _) = change(bad);
        assert_eq!((outcome, asked), (Err(Exit::Usage), Vec::new()));
    }
    let mut scene = Scene::still(JSON, now.clone());
    settings::run(&mut scene.context, &SettingsArgs::default(), None).expect("shown");
    insta::assert_snapshot!("settings_json", pretty(&scene.stdout.take()));
}

#[test]
fn untrash_takes_all_or_some() {
    let untrash = |args: &UntrashArgs| {
        let answer: Answer = Box::new(|_| Some(Ok(Reply::Changed { items: 2 })));
        let mut scene = Scene::new(LOG, full(), Vec::new(), answer);
        let outcome = queue::untrash(&mut scene.context, args).map_err(|error| error.exit);
        (outcome, scene.asked(), scene.stdout.take())
    };
    let (outcome, asked, said) = untrash(&UntrashArgs { all: true, ids: Vec::new() });
    assert_eq!((outcome, said.as_str()), (Ok(Exit::Fine), "Took 2 files out of the trash\n"));
    assert_eq!(asked, [Request::Operation(Operation::RestoreFromTrash(Selection::All))]);
    let (_, asked, _) = untrash(&UntrashArgs { all: false, ids: vec!["7".into()] });
    assert_eq!(asked, [Request::Operation(Operation::RestoreFromTrash(Selection::Items(vec!["7".into()])))]);
    let (outcome, asked, _) = untrash(&UntrashArgs { all: false, ids: vec!["x".into()] });
    assert_eq!((outcome, asked), (Err(Exit::Usage), Vec::new()));
}

#[test]
fn lists_have_the_shape_of_the_status() {
    let mut scene = Scene::still(JSON, full());
    source::run(&mut scene.context, &SourceCommand::List).expect("list");
    let sources: serde_json::Value = serde_json::from_str(&scene.stdout.take()).expect("JSON");
    destination::run(&mut scene.context, &DestinationCommand::List).expect("list");
    let destinations: serde_json::Value = serde_json::from_str(&scene.stdout.take()).expect("JSON");
    status::run(&mut scene.context).expect("status");
    let status: serde_json::Value = serde_json::from_str(&scene.stdout.take()).expect("JSON");
    assert_eq!((&status["sources"], &status["destinations"]), (&sources, &destinations));
}

#[test]
fn destinations_are_meant_by_name_or_place() {
    let run = |command: DestinationCommand| {
        let answer: Answer = Box::new(|request| match request {
            Request::Operation(Operation::TestDestination { .. }) => Some(Ok(Reply::Tested(TestReport {
                is_usable: false,
                summary: "The destination cannot be found".into(),
                details: vec!["Connect the disk".into()],
                free_bytes: None,
                warnings: Vec::new(),
            }))),
            _other => None,
        });
        let mut scene = Scene::new(LOG, full(), Vec::new(), answer);
        let outcome = destination::run(&mut scene.context, &command).map_err(|error| error.exit);
        (outcome, scene.asked())
    };
    let (outcome, asked) = run(DestinationCommand::Enable { dest: "nas".into() });
    assert_eq!(
        (outcome, asked),
        (Ok(Exit::Fine), vec![Request::Command(api::Command::EnableDestination { id: 8, enabled: true })])
    );
    let (_, asked) = run(DestinationCommand::Disable { dest: "/mnt/disk".into() });
    assert_eq!(asked, [Request::Command(api::Command::EnableDestination { id: 7, enabled: false })]);
    let (_, asked) = run(DestinationCommand::Remove { dest: "disk".into() });
    assert_eq!(asked, [Request::Command(api::Command::RemoveDestination { id: 7 })]);
    let (outcome, asked) = run(DestinationCommand::Remove { dest: "usb".into() });
    assert_eq!((outcome, asked), (Err(Exit::Usage), Vec::new()));
    let (outcome, _) = run(DestinationCommand::Test { dest: "disk".into(), allow_http: false });
    assert_eq!(outcome, Err(Exit::Destination));
    let bad = DestinationCommand::Add {
        dest: "/mnt/x".into(),
        name: Some("My:Disk".into()),
        allow_http: false,
        password_stdin: false,
        trust_checksum: false,
    };
    assert_eq!(run(bad), (Err(Exit::Usage), Vec::new()));
}

#[test]
fn copies_that_cannot_be_verified_now_are_told_with_what_would_help() {
    let reply =
        Reply::Verified { checked: 4, failed: 0, unproven: 3, reasons: vec!["disk: Reconnect it".into()] };
    let verify = |style| {
        let reply = reply.clone();
        let mut scene = Scene::new(style, full(), Vec::new(), Box::new(move |_| Some(Ok(reply.clone()))));
        let outcome = verify::run(&mut scene.context, &VerifyArgs { deep: true, to: None });
        (outcome, scene.stdout.take(), scene.stderr.take())
    };
    let (outcome, stdout, stderr) = verify(LOG);
    assert_eq!(outcome, Ok(Exit::Attention));
    assert_eq!(stdout, "4 files verified, no problems\n");
    assert_eq!(stderr, "safelight: 3 files could not be verified.\ndisk: Reconnect it\n");
    let json = "{\"checked\":4,\"failed\":0,\"reasons\":[\"disk: Reconnect it\"],\"unproven\":3}\n";
    assert_eq!(verify(JSON).1, json);
}

#[test]
fn a_new_destination_on_the_photos_disk_is_said_to_be_one() {
    let add = |same_disk| {
        let mut now = full();
        now.destinations[0].same_disk = same_disk;
        let added = Reply::Destination { id: 7, name: "disk".into(), is_new: true };
        let mut scene = Scene::new(LOG, now, Vec::new(), Box::new(move |_| Some(Ok(added.clone()))));
        let command = DestinationCommand::Add {
            dest: "/mnt/new".into(),
            name: None,
            allow_http: false,
            password_stdin: false,
            trust_checksum: false,
        };
        assert_eq!(destination::run(&mut scene.context, &command), Ok(Exit::Fine));
        scene.stderr.take()
    };
    assert_eq!(add(true), format!("{}.\n", crate::domain::messages::SAME_DISK));
    assert_eq!(add(false), "");
}

#[test]
fn copies_that_are_wrong_need_attention() {
    let answer: fn(Reply) -> Answer = |reply| Box::new(move |_| Some(Ok(reply.clone())));
    let verify = |checked, failed| {
        let mut scene = Scene::new(
            LOG,
            full(),
            Vec::new(),
            answer(Reply::Verified { checked, failed, unproven: 0, reasons: Vec::new() }),
        );
        let args = VerifyArgs { deep: true, to: Some("disk".into()) };
        let outcome = verify::run(&mut scene.context, &args);
        assert_eq!(
            scene.asked(),
            [Request::Operation(Operation::Verify { destination: Some(7), deep: true })]
        );
        (outcome, scene.stdout.take(), scene.stderr.take())
    };
    assert_eq!(verify(10, 0), (Ok(Exit::Fine), "10 files verified, no problems\n".into(), String::new()));
    let (outcome, _, said) = verify(10, 2);
    assert_eq!(outcome, Ok(Exit::Attention));
    assert!(said.starts_with("safelight: 2 files damaged or missing"), "{said}");

    let failed = vec!["a.jpg: another file is there already".to_owned()];
    let stopped = None;
    let result = RestoreResult { restored: 4, present: 1, failed: 3, sentences: failed };
    let reply = Reply::Restored { result, stopped };
    let mut scene = Scene::new(JSON, full(), Vec::new(), answer(reply));
    let args = RestoreArgs {
        from: "disk".into(),
        into: "/tmp/back".into(),
        layout: RestoreLayoutArg::Folders,
        only: Some("2024/*".into()),
    };
    assert_eq!(restore::run(&mut scene.context, &args), Ok(Exit::Attention));
    let into = PathText { path: "/tmp/back".into(), path_b64: None };
    assert_eq!(
        scene.asked(),
        [Request::Operation(Operation::Restore(RestoreOrder {
            destination: 7,
            target: RestoreTarget::Folder(into),
            layout: RestoreLayout::Folders,
            scope: RestoreScope::Glob("2024/*".into())
        }))]
    );
    assert!(scene.stdout.take().starts_with("{\"failed\":[\"a.jpg"));
}

#[test]
fn a_restore_tells_how_far_it_is_and_why_it_ended_early() {
    let at = |files_done, bytes_done| {
        let progress = Progress {
            files_done,
            files_total: 1_200,
            bytes_done,
            bytes_total: 5_000_000_000,
            bytes_per_sec: 40_000_000,
            secs_left: Some(100),
        };
        let other = OperationState {
            kind: OperationKind::Verify,
            destination: 8,
            restore: None,
            progress: Progress::default(),
        };
        let reading = vec![
            other,
            OperationState { kind: OperationKind::Restore, destination: 7, restore: None, progress },
        ];
        Snapshot { reading, ..full() }
    };
    let gone = ApiError::new(ErrorKind::Destination, "The destination cannot be found");
    let sentences = vec!["The copy is damaged: a.jpg".to_owned()];
    let result = RestoreResult { restored: 400, present: 0, failed: 3, sentences };
    let reply = Reply::Restored { result, stopped: Some(gone) };
    let coming = vec![(1, at(10, 40_000_000)), (5, at(60, 200_000_000)), (5, at(110, 400_000_000))];
    let mut scene = Scene::new(LOG, full(), coming, Box::new(move |_| Some(Ok(reply.clone()))));
    let args = RestoreArgs {
        from: "disk".into(),
        into: "/tmp/back".into(),
        layout: RestoreLayoutArg::Dates,
        only: None,
    };
    assert_eq!(restore::run(&mut scene.context, &args), Ok(Exit::Destination));
    assert_eq!(
        scene.stdout.take(),
        "Restored 10 of 1\u{a0}200 files · 40.0 MB of 5.0 GB · 40.0 MB/s · 2 min left\n\
         Restored 110 of 1\u{a0}200 files · 400 MB of 5.0 GB · 40.0 MB/s · 2 min left\n\
         400 files restored into /tmp/back and verified\n"
    );
    assert_eq!(
        scene.stderr.take(),
        "safelight: The copy is damaged: a.jpg.\n\
         safelight: 2 files more could not be restored.\n\
         safelight: The destination cannot be found.\n\
         Not everything was restored; run the same command again to resume\n"
    );
}

#[test]
fn the_choice_of_proof_is_shown_and_changed() {
    let settings = |trusts: Option<bool>, trust_checksum| {
        let mut now = full();
        now.destinations[0].trusts_checksum = trusts;
        let mut scene = Scene::new(LOG, now, Vec::new(), Box::new(|_| Some(Ok(Reply::Done))));
        let command = DestinationCommand::Settings { dest: "disk".into(), trust_checksum };
        let outcome = destination::run(&mut scene.context, &command).map_err(|error| error.exit);
        (outcome, scene.asked(), scene.stdout.take())
    };
    let (outcome, asked, said) = settings(Some(false), None);
    assert_eq!((outcome, asked), (Ok(Exit::Fine), Vec::new()));
    assert_eq!(said, "disk: trust-checksum is off. Copies are read back and compared\n");
    let (outcome, asked, _) = settings(Some(false), Some(OnOff::On));
    assert_eq!(outcome, Ok(Exit::Fine));
    assert!(
        matches!(asked[..], [Request::Command(api::Command::SetChecksumTrust { trusted: true, .. })]),
        "{asked:?}"
    );
    assert_eq!(settings(None, None).2, "disk has no settings to change\n");
    let mut scene = Scene::still(LOG, full());
    let command = DestinationCommand::Add {
        dest: "/mnt/x".into(),
        name: None,
        allow_http: false,
        password_stdin: false,
        trust_checksum: true,
    };
    let refused = destination::run(&mut scene.context, &command).map_err(|error| error.exit);
    assert_eq!(refused, Err(Exit::Usage), "only where it is a choice");
}
