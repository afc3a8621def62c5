//! Copies come back from a server that goes wrong, by the real binary on another computer.

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Output;
use std::time::Duration;

use rustix::process::Signal;
use serde_json::Value;

use crate::fakes::dav::Behavior;
use crate::fakes::fault_server::{Fault, FaultServer, Order};
use crate::support::backup::{digest, files_below, tiny_jpeg};
use crate::support::process::Sandbox;
use crate::support::wait::wait_until;

const PHOTOS: u8 = 40;
/// How long a command may take to have some files back: ten times what it does.
const SOME_WITHIN: Duration = Duration::from_secs(60);
/// An interrupt is promised to end a command within five seconds.
const ENDS_WITHIN: Duration = Duration::from_secs(20);

/// A backup on a server, and another computer that knows the server.
fn another_computer(server: &FaultServer) -> (Sandbox, Sandbox) {
    let (first, other) = (Sandbox::new(), Sandbox::new());
    let photos = first.path("photos");
    std::fs::create_dir(&photos).expect("a folder");
    for number in 0..PHOTOS {
        let bytes = [tiny_jpeg(), vec![number; 4_000]].concat();
        std::fs::write(photos.join(format!("{number}.jpg")), bytes).expect("a photo");
    }
    let to = format!("webdav+http://{}/dav/photos", server.host());
    let backup = first.run(&["backup", photos.to_str().expect("UTF-8"), "--to", &to]);
    assert_eq!(backup.status.code(), Some(0), "{}", said(&backup));
    let added = other.run(&["destination", "add", &to, "--name", "nas"]);
    assert_eq!(added.status.code(), Some(0), "{}", said(&added));
    (first, other)
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn restore(sandbox: &Sandbox) -> (Option<i32>, Value) {
    let into = sandbox.path("back");
    let output =
        sandbox.run(&["restore", "--from", "nas", "--into", into.to_str().expect("UTF-8"), "--json"]);
    let told = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{}", said(&output)));
    (output.status.code(), told)
}

fn digests(folder: &Path) -> BTreeSet<[u8; 32]> {
    files_below(folder).iter().map(|path| digest(path)).collect()
}

#[test]
fn everything_comes_back_through_a_server_that_breaks_off() {
    let server = FaultServer::start(Behavior::default());
    let (first, other) = another_computer(&server);
    let originals = digests(&first.path("photos"));
    // Manifests are read before, and a listing comes before them: only copies are hit.
    let faults = [Fault::CutAnswer, Fault::WrongAnswer, Fault::Status(503), Fault::DropBefore];
    for (fault, after) in faults.into_iter().zip([3, 10, 17, 24]) {
        server.order(Order::new(fault).method("GET").path(".jpg").after(after).times(2));
    }
    let (code, told) = restore(&other);
    assert_eq!(code, Some(0), "{told}");
    assert_eq!(
        (&told["restored"], &told["failed_count"], &told["stopped"]),
        (&40.into(), &0.into(), &Value::Null)
    );
    assert_eq!(digests(&other.path("back")), originals);
    assert!(server.is_served(), "not every fault was met");
    // Again: nothing is sent for a second time.
    server.forget();
    let (code, told) = restore(&other);
    assert_eq!((code, &told["restored"], &told["present"]), (Some(0), &0.into(), &40.into()), "{told}");
    let copies =
        server.asked().into_iter().filter(|seen| seen.method == "GET" && seen.path.ends_with(".jpg"));
    assert_eq!(copies.count(), 0);
    assert_eq!(files_below(&other.path("back")).len(), usize::from(PHOTOS));
}

#[test]
fn a_copy_that_the_server_stumbles_over_holds_up_nobody() {
    let server = FaultServer::start(Behavior::default());
    let (_first, other) = another_computer(&server);
    let copies = server.dav().files();
    let copy = copies.iter().find(|path| path.ends_with(".jpg")).expect("a copy");
    let name = copy.rsplit('/').next().expect("a name");
    server.order(Order::new(Fault::DropBefore).method("GET").path(name).times(4));
    let (code, told) = restore(&other);
    assert_eq!((code, &told["restored"], &told["stopped"]), (Some(0), &40.into(), &Value::Null), "{told}");
    assert!(server.is_served(), "not every fault was met");
}

#[test]
fn damaged_and_missing_copies_are_named_and_keep_no_other_back() {
    let server = FaultServer::start(Behavior::default());
    let (_first, other) = another_computer(&server);
    let mut copies: Vec<String> = server.dav().files();
    copies.retain(|path| path.ends_with(".jpg"));
    server.dav().put(&copies[0], b"rotten");
    server.dav().remove(&copies[1]);
    let (code, told) = restore(&other);
    assert_eq!(code, Some(1), "{told}");
    assert_eq!((&told["restored"], &told["failed_count"]), (&38.into(), &2.into()), "{told}");
    let name = |copy: &String| copy.rsplit('/').next().expect("a name").to_owned();
    let mut said: Vec<&str> =
        told["failed"].as_array().expect("sentences").iter().filter_map(Value::as_str).collect();
    said.sort_unstable();
    assert!(said[0].starts_with("The copy is damaged") && said[0].ends_with(&name(&copies[0])), "{said:?}");
    assert!(said[1].starts_with("The copy is not there") && said[1].ends_with(&name(&copies[1])), "{said:?}");
    assert_eq!(files_below(&other.path("back")).len(), 38);
}

#[test]
fn a_folder_that_cannot_be_written_is_one_sentence() {
    let server = FaultServer::start(Behavior::default());
    let (_first, other) = another_computer(&server);
    let into = other.path("a file");
    std::fs::write(&into, "no folder").expect("written");
    let output =
        other.run(&["restore", "--from", "nas", "--into", into.join("back").to_str().expect("UTF-8")]);
    assert_eq!(output.status.code(), Some(2), "{}", said(&output));
    assert_eq!(said(&output).lines().count(), 1, "{}", said(&output));
    assert!(said(&output).contains("Nothing can be written to"), "{}", said(&output));
}

#[test]
fn an_interrupt_ends_it_and_the_next_goes_on() {
    let server = FaultServer::start(Behavior::default());
    let (first, other) = another_computer(&server);
    server.order(Order::new(Fault::Hang).method("GET").path(".jpg").after(10).always());
    let into = other.path("back");
    let mut running =
        other.spawn(other.command(["restore", "--from", "nas", "--into", into.to_str().expect("UTF-8")]));
    let is_whole = |path: &std::path::PathBuf| path.extension().is_some_and(|kind| kind == "jpg");
    let back =
        || if into.is_dir() { files_below(&into).iter().filter(|path| is_whole(path)).count() } else { 0 };
    wait_until("some are back", SOME_WITHIN, back, |count| *count >= 10);
    running.signal(Signal::INT);
    assert_eq!(running.wait_for_end(ENDS_WITHIN).code(), Some(130));
    server.heal();
    let (code, told) = restore(&other);
    assert_eq!((code, &told["restored"], &told["present"]), (Some(0), &30.into(), &10.into()), "{told}");
    let whole: BTreeSet<_> =
        files_below(&into).iter().filter(|path| is_whole(path)).map(|path| digest(path)).collect();
    assert_eq!(whole, digests(&first.path("photos")));
}
