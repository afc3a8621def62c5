//! Folders on a network drive that has gone and answers nobody.

use std::time::Duration;

use super::World;
use crate::api::{Command, ErrorKind, PathText, Reply, Request};

/// What a person waits for at most.
const PATIENCE: Duration = Duration::from_secs(10);

fn add_source(path: &str) -> Request {
    Request::Command(Command::AddSource { path: PathText::from_bytes(path.as_bytes()), consent_all: true })
}

fn add_folder(path: &str) -> Request {
    let target = PathText::from_bytes(path.as_bytes());
    Request::Command(Command::AddDestination {
        target,
        name: None,
        allow_http: false,
        consent_all: true,
        secret: None,
        trust_checksum: false,
    })
}

#[tokio::test(start_paused = true)]
async fn a_folder_that_does_not_answer_is_refused_and_holds_up_nobody() {
    let world = World::new().await;
    world.put("/photos/1.jpg", "1");
    world.set_up().await;
    world.settled().await;
    world.files.mkdir("/net");
    world.files.hang("/net");
    for request in [add_source("/net/pictures"), add_folder("/net/backup")] {
        let expected = if matches!(request, Request::Command(Command::AddSource { .. })) {
            ErrorKind::Source
        } else {
            ErrorKind::Destination
        };
        let began = tokio::time::Instant::now();
        let asked = world.handle().call(request);
        // The engine answers others meanwhile, in no time.
        let others = async {
            let began = tokio::time::Instant::now();
            world.snapshot().await;
            assert_eq!(began.elapsed(), Duration::ZERO);
        };
        let (refused, ()) = tokio::join!(asked, others);
        let refused = refused.expect_err("it does not answer");
        assert_eq!(refused.kind, expected, "{refused}");
        assert!(refused.message.contains("does not respond"), "{refused}");
        assert!(began.elapsed() <= PATIENCE, "{:?}", began.elapsed());
    }
}

#[tokio::test(start_paused = true)]
async fn one_that_is_saved_keeps_no_other_from_being_added() {
    let world = World::new().await;
    world.put("/photos/1.jpg", "1");
    world.set_up().await;
    world.settled().await;
    // The backup's own drive goes away.
    world.files.hang("/backup");
    world.files.mkdir("/more");
    let began = tokio::time::Instant::now();
    let added = world.ask(add_source("/more")).await;
    assert!(matches!(added, Reply::Source { is_new: true, .. }), "{added:?}");
    assert!(began.elapsed() <= PATIENCE, "{:?}", began.elapsed());
    // What can be told from the words alone is still refused.
    world.files.mkdir("/backup/inside");
    let refused = world.handle().call(add_source("/backup/inside")).await.expect_err("inside");
    assert!(refused.message.contains("does not respond"), "{refused}");
    let parent = world.handle().call(add_source("/")).await.expect_err("around it");
    assert!(parent.message.contains("can't be inside a photo folder"), "{parent}");
}
