//! What a person is told when a server refuses, breaks or answers oddly, through the real command line: in
//! `status`, in `queue`, in the progress of `backup` and at its end.

use std::process::{Command, Output, Stdio};
use std::time::Duration;

use crate::conformance::s3::{ACCESS_KEY, BUCKET, SECRET_KEY, fake_address, strict};
use crate::fakes::dav::Behavior;
use crate::fakes::fault_server::{Fault, FaultServer, Order};
use crate::fakes::s3::BucketBehavior;
use crate::fakes::uploads::{Behavior as UploadBehavior, DownloadLocation, UploadServer};
use crate::support::backup::tiny_jpeg;
use crate::support::process::Sandbox;
use crate::support::wait::wait_until;

/// How long it may take until something is said.
const SAID_WITHIN: Duration = Duration::from_secs(60);
/// Beyond what goes in one request to S3.
const LARGE: usize = 17 << 20;

/// A backup that is set up and sound, with a file more to come.
struct Scene {
    sandbox: Sandbox,
    to: String,
    environment: Vec<(&'static str, &'static str)>,
}

impl Scene {
    fn new(to: String, environment: Vec<(&'static str, &'static str)>, size: usize) -> Self {
        let scene = Self { sandbox: Sandbox::new(), to, environment };
        std::fs::create_dir(scene.sandbox.path("photos")).expect("a folder");
        scene.add("first.jpg", 100);
        let first = scene.command(&["backup"]).output().expect("the binary starts");
        assert_eq!(first.status.code(), Some(0), "{}", said(&first));
        scene.add("second.jpg", size);
        scene
    }

    fn dav(server: &FaultServer) -> Self {
        Self::new(format!("webdav+http://{}/dav/photos", server.host()), Vec::new(), 100)
    }

    fn s3(server: &FaultServer, size: usize) -> Self {
        let keys = vec![("AWS_ACCESS_KEY_ID", ACCESS_KEY), ("AWS_SECRET_ACCESS_KEY", SECRET_KEY)];
        Self::new(fake_address(server), keys, size)
    }

    fn add(&self, name: &str, size: usize) {
        let bytes = [tiny_jpeg(), name.bytes().cycle().take(size).collect()].concat();
        std::fs::write(self.sandbox.path("photos").join(name), bytes).expect("a photo");
    }

    /// A command; `backup` goes with its folder and destination.
    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.sandbox.command(words);
        if words.first() == Some(&"backup") {
            command.arg(self.sandbox.path("photos")).args(["--to", &self.to]);
        }
        command.envs(self.environment.iter().copied());
        command
    }

    /// What `status` or `queue` says, beside a backup that goes on, as soon as it has this sentence.
    fn says(&self, what: &str, sentence: &str) -> String {
        let mut backup = self.command(&["backup", "--quiet"]);
        backup.stdout(Stdio::null()).stderr(Stdio::null());
        let _running = self.sandbox.spawn(backup);
        let listening = || self.sandbox.is_listening();
        wait_until("the engine listens", SAID_WITHIN, listening, |is_up| *is_up);
        let ask = || said(&self.command(&[what]).output().expect("the binary starts"));
        wait_until(sentence, SAID_WITHIN, ask, |text| text.contains(sentence))
    }

    /// What `backup` itself says to its end, which is this exit code.
    fn ends(&self, code: i32) -> String {
        let output = self.command(&["backup"]).output().expect("the binary starts");
        assert_eq!(output.status.code(), Some(code), "{}", said(&output));
        said(&output)
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn refusal(status: u16, code: &str) -> Fault {
    let body = format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>no</Message></Error>");
    Fault::Answer(status, vec![("content-type", "application/xml".to_owned())], body)
}

const NAME_TAKEN: &str = "Another file has this name";

#[test]
fn a_lock_is_no_name_that_is_taken() {
    let server = FaultServer::start(Behavior::default());
    let scene = Scene::dav(&server);
    server.order(Order::new(Fault::Status(423)).method("PUT").path("/photos/").always());
    let text = scene.says("queue", "The server has this file locked");
    assert!(!text.contains(NAME_TAKEN) && text.contains("the server answered 423"), "{text}");
}

#[test]
fn a_lost_upload_is_no_name_that_is_taken() {
    for (code, method) in [("InvalidPart", "POST"), ("NoSuchUpload", "PUT")] {
        let server = FaultServer::s3(BUCKET, strict());
        let scene = Scene::s3(&server, LARGE);
        let status = if code == "InvalidPart" { 400 } else { 404 };
        server.order(Order::new(refusal(status, code)).method(method).query("uploadId").always());
        let text = scene.says("queue", "The server has lost this upload");
        assert!(!text.contains(NAME_TAKEN), "{code}: {text}");
    }
}

#[test]
fn altered_answers_are_no_other_place() {
    let server = FaultServer::start(Behavior::default());
    let scene = Scene::dav(&server);
    server.order(Order::new(Fault::WrongAnswer).method("GET").path("destination.json").always());
    let text = scene.says("status", "The file that identifies this destination cannot be read");
    assert!(!text.contains("not the same destination"), "{text}");
}

#[test]
fn who_may_only_read_has_signed_in() {
    let server = FaultServer::s3(BUCKET, strict());
    let scene = Scene::s3(&server, 100);
    server.order(Order::new(refusal(403, "AccessDenied")).method("PUT").always());
    let text = scene.says("status", "Waiting: Safelight is not allowed to write to the destination");
    assert!(!text.contains("sign-in"), "{text}");
    // The command tells what the status tells, and ends.
    let text = scene.ends(3);
    assert!(text.contains("Safelight is not allowed to write to the destination"), "{text}");
    assert!(text.contains("s3:PutObject") && !text.contains("sign-in"), "{text}");
}

#[test]
fn what_answers_is_not_out_of_reach() {
    let slow = Fault::Answer(429, vec![("retry-after", "30".to_owned())], String::new());
    let elsewhere = Fault::Redirect("https://elsewhere.example/".to_owned());
    let cases = [
        (slow, "Waiting: the destination asked to slow down"),
        (Fault::Status(503), "Waiting: the destination has an internal problem"),
        (Fault::CaptivePortal, "Waiting: a web page answered instead of the server"),
        (elsewhere, "Waiting: the server points to another address"),
    ];
    std::thread::scope(|scope| {
        for (fault, sentence) in cases {
            scope.spawn(move || {
                let server = FaultServer::start(Behavior::default());
                let scene = Scene::dav(&server);
                server.order(Order::new(fault).always());
                let text = scene.says("status", sentence);
                assert!(!text.contains("cannot be reached"), "{text}");
                // The progress of the command says the same.
                let mut backup = scene.command(&["backup"]);
                let output = scene.sandbox.path("progress");
                backup.stdout(std::fs::File::create(&output).expect("a file")).stderr(Stdio::null());
                let _running = scene.sandbox.spawn(backup);
                let read = || std::fs::read_to_string(&output).expect("written");
                let text = wait_until(sentence, SAID_WITHIN, read, |text| text.contains(sentence));
                assert!(!text.contains("cannot be reached"), "{text}");
            });
        }
    });
}

#[test]
fn a_missing_bucket_is_no_disk() {
    let server = FaultServer::s3(BUCKET, strict());
    let scene = Scene::s3(&server, 100);
    server.order(Order::new(refusal(404, "NoSuchBucket")).always());
    let text = scene.says("status", "There is no bucket with this name on the server");
    assert!(!text.contains("Connect the disk"), "{text}");
    // Nor is a folder on a server that has gone.
    let server = FaultServer::start(Behavior::default());
    let scene = Scene::dav(&server);
    server.dav().remove("photos");
    let text = scene.says("status", "The backup is not in this folder on the server");
    assert!(!text.contains("Connect the disk"), "{text}");
}

#[test]
fn nothing_is_no_web_page() {
    let behavior = BucketBehavior { calls_nothing_html: true, ..strict() };
    let server = FaultServer::s3(BUCKET, behavior);
    Scene::s3(&server, 100).ends(0);
}

#[test]
fn what_is_not_verified_says_why() {
    let server =
        UploadServer::start(UploadBehavior { gives: DownloadLocation::Nowhere, ..UploadBehavior::default() });
    let sandbox = Sandbox::new();
    let photos = sandbox.path("photos");
    std::fs::create_dir(&photos).expect("a folder");
    std::fs::write(photos.join("a.jpg"), tiny_jpeg()).expect("a photo");
    let to = format!("tus+{}", server.url());
    let backup = sandbox.run(&["backup", photos.to_str().expect("UTF-8"), "--to", &to]);
    let why = "This server gives no copies back, so they cannot be verified";
    assert_eq!(backup.status.code(), Some(1), "{}", said(&backup));
    for text in [said(&backup), said(&sandbox.run(&["queue"])), said(&sandbox.run(&["status"]))] {
        assert!(text.contains(why), "{text}");
    }
}

/// One file that does not fit waits for room, as often as it is tried; smaller ones go on.
#[test]
fn a_file_that_does_not_fit_waits() {
    let server = FaultServer::start(Behavior { space: (40 << 20) + 100_000, ..Behavior::default() });
    let scene = Scene::dav(&server);
    scene.add("large.jpg", 41 << 20);
    scene.add("small.jpg", 100);
    let text = scene.ends(3);
    assert!(
        text.contains("does not have enough free space for what is left") && text.contains("1 waiting"),
        "{text}"
    );
    let row = said(&scene.sandbox.run(&["queue"]));
    assert!(row.contains("There is not enough space for this file") && !row.contains("attention"), "{row}");
    let small = |path: &String| path.ends_with("/small.jpg");
    assert!(server.dav().files().iter().any(small));
    // With room it goes by itself.
    server.dav().behavior.lock().space = u64::MAX;
    scene.sandbox.run(&["retry", "--all"]);
    scene.ends(0);
}
