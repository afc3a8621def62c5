//! A planted password, looked for in everything that the real process writes or says.

use std::io::Write as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use base64::Engine as _;

use crate::fakes::dav::Behavior;
use crate::fakes::fault_server::{Fault, FaultServer, Order};
use crate::fakes::s3::BucketBehavior;
use crate::support::backup::{files_below, tiny_jpeg};
use crate::support::process::Sandbox;
use crate::support::wait::wait_until;

const USER: &str = "ann";
const PLANTED: &str = "pl4nted-pa55word";
/// How long a first file may take to be on its way: ten times what it does.
const SENT_WITHIN: Duration = Duration::from_secs(30);
/// The token of temporary credentials.
const SESSION: &str = "pl4nted/se55ion+token==";

fn server() -> FaultServer {
    FaultServer::start(Behavior { login: Some((USER.to_owned(), PLANTED.to_owned())), ..Behavior::default() })
}

/// A photo that differs from the others by its number.
fn add_photo(folder: &Path, number: u8) {
    std::fs::create_dir_all(folder).expect("a folder");
    let bytes = [tiny_jpeg(), vec![number]].concat();
    std::fs::write(folder.join(format!("{number}.jpg")), bytes).expect("a photo");
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

/// Every spelling in which the password could have got out.
fn spellings() -> Vec<Vec<u8>> {
    let base64 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text).into_bytes();
    let escaped = SESSION.replace('/', "%2F").replace('+', "%2B").replace('=', "%3D");
    let session = [SESSION.into(), base64(SESSION), escaped.into_bytes()];
    [PLANTED.into(), base64(PLANTED), base64(&format!("{USER}:{PLANTED}"))]
        .into_iter()
        .chain(session)
        .collect()
}

fn assert_clean(what: &str, bytes: &[u8]) {
    for spelling in spellings() {
        let found = bytes.windows(spelling.len()).any(|window| window == spelling);
        assert!(!found, "the password is in {what}");
    }
}

#[test]
fn a_password_is_in_nothing_that_is_written_or_said() {
    let (sandbox, server) = (Sandbox::new(), server());
    let photos = sandbox.path("photos");
    add_photo(&photos, 1);
    let to = format!("webdav+http://{USER}@{}/dav/photos", server.host());
    let photos_text = photos.to_str().expect("UTF-8");
    let mut outputs = Vec::new();
    let mut back_up = |expected: i32| {
        let mut command = sandbox.command(["-vvv", "backup", photos_text, "--to", &to, "--json"]);
        let output = command.env("SAFELIGHT_PASSWORD", PLANTED).output().expect("it runs");
        assert_eq!(output.status.code(), Some(expected), "{}", said(&output));
        outputs.push(output);
    };
    back_up(0);
    assert!(server.dav().files().iter().any(|path| path.ends_with("1.jpg")), "{:?}", server.dav().files());
    // Refused, cut off, sent elsewhere and answered with nonsense.
    for (number, fault) in [
        (2, Fault::DropAfter),
        (3, Fault::Redirect("http://127.0.0.1:9/elsewhere".to_owned())),
        (4, Fault::Answer(500, Vec::new(), format!("you sent {PLANTED}").replace(PLANTED, "something"))),
    ] {
        add_photo(&photos, number);
        server.order(Order::new(fault).method("PUT"));
        let mut command = sandbox.command(["-vvv", "backup", photos_text, "--to", &to]);
        let output = command.env("SAFELIGHT_PASSWORD", PLANTED).output().expect("it runs");
        outputs.push(output);
        server.heal();
    }
    server.dav().behavior.lock().login = Some((USER.to_owned(), "changed".to_owned()));
    add_photo(&photos, 5);
    let mut command = sandbox.command(["-vvv", "backup", photos_text, "--to", &to]);
    let refused = command.env("SAFELIGHT_PASSWORD", PLANTED).output().expect("it runs");
    assert_eq!(refused.status.code(), Some(3), "{}", said(&refused));
    outputs.push(refused);
    for arguments in [["status", "--json"], ["queue", "--json"], ["destination", "list"]] {
        outputs.push(sandbox.run(&arguments));
    }

    all_is_clean(&sandbox, &outputs);
}

/// No secret is in what was said, nor in any file.
fn all_is_clean(sandbox: &Sandbox, outputs: &[Output]) {
    for output in outputs {
        assert_clean("what was said", &output.stdout);
        assert_clean("what was said", &output.stderr);
    }
    let written = files_below(&sandbox.path("."));
    assert!(written.iter().any(|path| path.ends_with("safelight.db")), "{written:?}");
    for path in written {
        assert_clean(&path.to_string_lossy(), &std::fs::read(&path).unwrap_or_default());
    }
}

#[test]
fn neither_the_arguments_nor_a_crash_tell_a_password() {
    let (sandbox, server) = (Sandbox::new(), server());
    let photos = sandbox.path("photos");
    add_photo(&photos, 1);
    let to = format!("webdav+http://{USER}@{}/dav/photos", server.host());
    let mut command = sandbox.command(["-vvv", "destination", "add", &to, "--name", "nas"]);
    let added = command.env("SAFELIGHT_PASSWORD_NAS", PLANTED).output().expect("it runs");
    assert_eq!(added.status.code(), Some(0), "{}", said(&added));
    server.order(Order::new(Fault::Hang).method("PUT").always());
    server.forget();
    let mut command = sandbox.command(["-vvv", "backup", photos.to_str().expect("UTF-8"), "--to", "nas"]);
    command.env("SAFELIGHT_PASSWORD_NAS", PLANTED).current_dir(sandbox.path("home"));
    let mut said = Vec::new();
    for name in ["stdout", "stderr"] {
        said.push(std::fs::File::create(sandbox.path(name)).expect("a file"));
    }
    let stderr = said.pop().expect("two");
    command.stdout(said.pop().expect("two")).stderr(stderr);
    let mut run = sandbox.spawn(command);
    wait_until("a file is being sent", SENT_WITHIN, || server.count("PUT"), |count| *count > 0);
    let about = |name: &str| std::fs::read(format!("/proc/{}/{name}", run.pid())).expect("it runs");
    assert_clean("the arguments", &about("cmdline"));
    let limits = String::from_utf8_lossy(&about("limits")).into_owned();
    let cores = limits.lines().find(|line| line.starts_with("Max core file size")).expect("a limit");
    assert_eq!(cores.split_whitespace().nth(4), Some("0"), "{cores}");
    // It has the password in its memory now, and dies of a fault.
    run.signal(rustix::process::Signal::ABORT);
    assert!(!run.wait_for_end(SENT_WITHIN).success());
    all_is_clean(&sandbox, &[added]);
}

#[test]
fn temporary_credentials_are_signed_with_and_never_shown() {
    let mut behavior = BucketBehavior::strict("temporary", PLANTED);
    behavior.key.session = Some(SESSION.to_owned());
    let (sandbox, server) = (Sandbox::new(), FaultServer::s3("photos", behavior));
    let photos = sandbox.path("photos");
    let to = format!("s3://photos/of-ann?endpoint=http://{}&style=path", server.host());
    let run = |arguments: &[&str], session: &str| {
        let mut command = sandbox.command(["-vvv"]);
        command.envs([("AWS_ACCESS_KEY_ID", "temporary"), ("AWS_SECRET_ACCESS_KEY", PLANTED)]);
        command.args(arguments).env("AWS_SESSION_TOKEN", session).output().expect("it runs")
    };
    let photos_text = photos.to_str().expect("UTF-8");
    let mut outputs = Vec::new();
    let mut expect = |exit: i32, words: &str, output: Output| {
        assert_eq!(output.status.code(), Some(exit), "{}", said(&output));
        assert!(said(&output).contains(words), "{}", said(&output));
        outputs.push(output);
    };
    add_photo(&photos, 1);
    expect(0, "", run(&["backup", photos_text, "--to", &to], SESSION));
    assert!(server.bucket().objects().iter().any(|name| name.ends_with("1.jpg")));
    // Without the token, with another, and after it has expired.
    for session in ["", "another"] {
        expect(3, "InvalidToken", run(&["destination", "test", "of-ann"], session));
    }
    let expired = "<Error><Code>ExpiredToken</Code><Message>The token has expired</Message></Error>";
    server.order(Order::new(Fault::Answer(400, Vec::new(), expired.to_owned())).always());
    let words = "the temporary credentials have expired";
    expect(3, words, run(&["destination", "test", "of-ann"], SESSION));
    add_photo(&photos, 2);
    expect(3, "sign-in", run(&["backup", photos_text, "--to", "of-ann"], SESSION));
    assert!(!server.bucket().objects().iter().any(|name| name.ends_with("2.jpg")));
    server.heal();
    expect(0, "", run(&["backup", photos_text, "--to", "of-ann"], SESSION));
    assert!(server.bucket().objects().iter().any(|name| name.ends_with("2.jpg")));
    all_is_clean(&sandbox, &outputs);
}

#[test]
fn without_a_keyring_a_password_is_refused_and_the_way_out_is_named() {
    let (sandbox, server) = (Sandbox::new(), server());
    let to = format!("webdav+http://{USER}@{}/dav/photos", server.host());
    let mut command = sandbox.command(["destination", "add", &to, "--name", "my-nas", "--password-stdin"]);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().expect("it starts");
    let mut stdin = child.stdin.take().expect("piped");
    stdin.write_all(format!("{PLANTED}\n").as_bytes()).expect("written");
    drop(stdin);
    let output = child.wait_with_output().expect("it ends");
    assert_eq!(output.status.code(), Some(3), "{}", said(&output));
    assert!(said(&output).contains("SAFELIGHT_PASSWORD_MY_NAS"), "{}", said(&output));
    assert_clean("what was said", said(&output).as_bytes());

    // With the environment it works, and an address with a password in it never does.
    let mut command = sandbox.command(["destination", "add", &to, "--name", "my-nas"]);
    let output = command.env("SAFELIGHT_PASSWORD_MY_NAS", PLANTED).output().expect("it runs");
    assert_eq!(output.status.code(), Some(0), "{}", said(&output));
    let with_password = to.replace(USER, &format!("{USER}:{PLANTED}"));
    let output = sandbox.run(&["destination", "add", &with_password]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert_clean("what was said", said(&output).as_bytes());
}
