//! What leaves the computer in a support file, and what must not.

use serde_json::json;

use super::{JSON, Scene, pair, source};
use crate::api::{
    BackupSwitch, DecisionRow, EventRow, FailureGroup, FailureText, NetworkText, PathText, ProxyText, Query,
    QueuePage, QueueRow, Reply, Request, Snapshot, SourceCondition,
};
use crate::cli::support::{Environment, bundle};
use crate::domain::failure::{FailureKind, Reach};

/// Parts of what was planted: none may be found in the file.
const PLANTED: [&str; 21] = [
    "grace",
    "gateway",
    "hopper",
    "Ada ",
    "/ada",
    "lovelace",
    "Holiday",
    "Eve at sea",
    "at sea",
    "hunter2",
    "photos.example",
    "s3cr3t",
    "10.1.2.3",
    "lambda",
    "AKIA",
    "Zurich",
    "eve@",
    "c2VjcmV0",
    "annas",
    "bucket-of",
    "babbage",
];

fn failure(details: &str) -> FailureText {
    FailureText::new(FailureKind::Server, Reach::Resource, details.to_owned())
}

fn row() -> QueueRow {
    QueueRow {
        id: "r7".into(),
        path: PathText::from_bytes(b"/home/ada/Holiday pictures/Eve at sea (1).jpg"),
        destination: "annas-nas".into(),
        state: "waiting".into(),
        job_state: None,
        attempt: 2,
        bytes_sent: 0,
        bytes_total: 10,
        wait_reason: Some(super::wait_text("back_off", "Will retry later")),
        failure: Some(failure(
            "PUT https://ada:hunter2@photos.example/dav/Eve%20at%20sea.jpg?sig=s3cr3t: 500",
        )),
        excluded_because: None,
        asset: None,
        proved_at: None,
        decisions: vec![DecisionRow {
            at: "2024-07-01T12:00:00Z".into(),
            kind: "failed".into(),
            text: "The server failed".into(),
        }],
    }
}

fn scene() -> Scene {
    let mut place = super::disk(vec![pair(1, [10, 1, 2, 1, 3, 4])]);
    (place.name, place.url) =
        ("annas-nas".into(), "webdav+https://ada@photos.example/bucket-of-lovelace/Zurich".into());
    let mut odd = source(1, "/home/ada/Holiday pictures", SourceCondition::Unreadable, 20);
    odd.path.path_b64 = Some("c2VjcmV0IHBhdGg=".into());
    odd.unreadable = vec![super::unreadable("/home/ada/Holiday pictures/babbage and grace")];
    odd.note = Some("The folder /home/ada/Holiday pictures/2019 cannot be read".into());
    let network = NetworkText {
        proxy: ProxyText::Address("http://grace@gateway.hopper:3128".into()),
        ca_file: Some(PathText::from_bytes(b"/home/ada/hopper-ca.pem")),
        ..NetworkText::default()
    };
    let now = Snapshot {
        network,
        network_note: Some("The file /home/ada/hopper-ca.pem has gone".into()),
        backup: BackupSwitch::On,
        sources: vec![odd],
        destinations: vec![place],
        ..Snapshot::default()
    };
    Scene::new(
        JSON,
        now,
        Vec::new(),
        Box::new(|request| {
            let reply = match request {
                Request::Query(Query::Queue(_)) => {
                    Reply::Queue(QueuePage { revision: 1, rows: vec![row()], next: None, total: 3 })
                }
                Request::Query(Query::FailureGroups) => Reply::FailureGroups(vec![FailureGroup {
                    copies: 1,
                    failure: failure("10.1.2.3 said no to Eve at sea (1).jpg"),
                    files: 3,
                    destinations: vec!["annas-nas".into()],
                }]),
                Request::Query(Query::Events { .. }) => Reply::Events(vec![EventRow {
                    at: "2024-07-01T12:00:00Z".into(),
                    kind: "destination_lost".into(),
                    text: "annas-nas: The server failed. Write to eve@lovelace.example".into(),
                }]),
                _ => return None,
            };
            Some(Ok(reply))
        }),
    )
}

fn environment() -> Environment {
    let log = "\
2024-07-01T12:00:00Z  INFO safelight::engine: the agent is ready
2024-07-01T12:00:01Z  WARN safelight::destination: cannot open /home/ada/Holiday pictures/Eve at sea.jpg: Zurich
2024-07-01T12:00:02Z  WARN safelight::destination: Authorization: Bearer c2VjcmV0
2024-07-01T12:00:03Z  WARN safelight::destination: AWS_SECRET_ACCESS_KEY=lambda key AKIAIOSFODNN7EXAMPLE babbage
2024-07-01T12:00:04Z ERROR safelight::store: \"/home/ada/.local/share/safelight/safelight.db\" is full";
    let hidden = [("/home/ada", "(home)"), ("/ada", "(user)"), ("babbage", "(this computer)")];
    Environment {
        hidden: hidden.map(|(text, shown)| (text.to_owned(), shown.to_owned())).to_vec(),
        system: json!({ "os": "linux" }),
        logs: vec![("agent", log.replace("AKIAIOSFODNN7EXAMPLE", "access_key: AKIAIOSFODNN7EXAMPLE"))],
        now: "2024-07-01T12:00:05Z".to_owned(),
    }
}

#[test]
fn the_file_tells_how_things_are_and_nothing_of_anybody() {
    let mut scene = scene();
    let text =
        serde_json::to_string_pretty(&bundle(Ok(scene.context.talk.as_mut()), &environment())).expect("JSON");
    for planted in PLANTED {
        assert!(!text.contains(planted), "{planted} is in the file:\n{text}");
    }
    for told in [
        "(source 1)",
        "(destination 1)",
        "back_off",
        "2024-07-01T12:00:00Z",
        "The server failed",
        "the agent is ready",
        "\"unproven\": 1",
        "\"rules\"",
        "is full",
        "linux",
    ] {
        assert!(text.contains(told), "{told} is not in the file:\n{text}");
    }
}

#[test]
fn without_an_engine_there_are_still_the_logs() {
    let document = bundle(Err("/home/ada/x is damaged"), &environment());
    assert_eq!(document["engine"]["error"], "(home)(path)");
    assert!(document["logs"]["agent"][0].as_str().is_some_and(|line| line.contains("the agent is ready")));
}
