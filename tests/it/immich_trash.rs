//! A photo that is in a server's trash: the real binary says so, and takes it out again when asked.

use std::process::Output;

use serde_json::Value;

use crate::fakes::immich::{Generation, ImmichServer, KEY};
use crate::support::backup::tiny_jpeg;
use crate::support::process::Sandbox;

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn what_is_in_the_trash_is_told_and_taken_out_on_request() {
    for generation in [Generation::V2, Generation::V3] {
        let (sandbox, server) = (Sandbox::new(), ImmichServer::start(generation));
        let photos = sandbox.path("photos");
        std::fs::create_dir_all(&photos).expect("a folder");
        for (number, name) in [(1, "trashed.jpg"), (2, "kept.jpg"), (3, "new.jpg")] {
            let bytes = [tiny_jpeg(), vec![number]].concat();
            std::fs::write(photos.join(name), &bytes).expect("a photo");
            if number < 3 {
                server.put(name, &bytes);
            }
        }
        server.immich.lock().assets[0].is_trashed = true;

        let run = |arguments: &[&str], expected: i32| {
            let mut command = sandbox.command(arguments);
            let output = command.env("IMMICH_API_KEY", KEY).output().expect("it runs");
            assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {}", said(&output));
            output
        };
        let backup = ["backup", photos.to_str().expect("UTF-8"), "--to", &server.address()];
        run(&backup, 1);
        let queue = run(&["queue", "--failed", "--json"], 0);
        let queue: Value = serde_json::from_slice(&queue.stdout).expect("JSON");
        assert_eq!(queue.as_array().map(Vec::len), Some(1), "{queue}");
        assert_eq!(queue[0]["failure"]["action"], "restore_from_trash", "{queue}");
        let id = queue[0]["id"].as_str().expect("an id").to_owned();

        let nothing = run(&["untrash", "999999", "--json"], 0);
        assert_eq!(said(&nothing), "{\"changed\":0}\n");
        assert!(server.assets()[0].is_trashed, "only what was named");
        let out = run(&["untrash", &id, "--json"], 0);
        assert_eq!(said(&out), "{\"changed\":1}\n");
        assert!(!server.assets()[0].is_trashed);
        run(&backup, 0);
        assert_eq!(server.assets().len(), 3, "nothing was sent twice");
        assert_eq!(said(&run(&["untrash", "--all"], 0)), "Nothing to change\n");
    }
}
