//! The real program, killed while it uploads.

use std::process::Stdio;
use std::time::Duration;

use super::{BOTH, TAIL_MAX, kind_of};
use crate::conformance::source::bytes;
use crate::fakes::uploads::{Behavior, UploadServer};
use crate::support::backup::tiny_jpeg;
use crate::support::process::Sandbox;
use crate::support::wait::wait_until;

#[test]
fn killed_in_the_middle_of_a_large_file_it_goes_on_there() {
    const LARGE: usize = 64 * 1024 * 1024;
    const RATE: u64 = 40_000_000;
    const WITHIN: Duration = Duration::from_secs(120);
    for speech in BOTH {
        let server = UploadServer::start(Behavior { speech, rate: Some(RATE), ..Behavior::default() });
        let sandbox = Sandbox::new();
        let source = sandbox.path("source");
        std::fs::create_dir(&source).expect("a folder");
        let film = [b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2".to_vec(), bytes(5, LARGE)].concat();
        std::fs::write(source.join("film.mp4"), &film).expect("written");
        std::fs::write(source.join("a.jpg"), tiny_jpeg()).expect("written");
        let address = format!("{}+{}", kind_of(speech).as_str(), server.url());
        let backup = || {
            let mut command = sandbox.command(["backup", "--json"]);
            command.arg(&source).args(["--to", &address]).stdout(Stdio::null());
            command
        };
        for part in 1..=4 {
            let mut run = sandbox.spawn(backup());
            let at = LARGE as u64 * part / 5;
            wait_until("bytes arrive", WITHIN, || server.received(), |received| *received >= at);
            assert!(run.kill(), "it was still running");
        }
        let ended = backup().status().expect("the binary starts");
        assert_eq!(ended.code(), Some(0), "all is safe");
        let finished = server.finished();
        assert_eq!(finished.len(), 2, "whole uploads");
        assert!(finished.iter().any(|upload| upload.bytes == film), "other bytes");
        let sent = server.received();
        assert!(sent <= film.len() as u64 + TAIL_MAX, "{sent} bytes came, of {}", film.len());
    }
}
