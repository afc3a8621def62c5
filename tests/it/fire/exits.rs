//! The exit codes of the contract, by the real binary.

use std::path::Path;

use super::mounts::{Tmpfs, with_mounts};
use super::{back_up, make_photos, told};
use crate::support::process::Sandbox;
use crate::support::seed::Seeded;

fn code(sandbox: &Sandbox, arguments: &[&str]) -> (Option<i32>, String) {
    let output = sandbox.run(arguments);
    (output.status.code(), told(&output))
}

fn expect(sandbox: &Sandbox, arguments: &[&str], wanted: i32) {
    let (code, told) = code(sandbox, arguments);
    assert_eq!(code, Some(wanted), "{arguments:?}: {told}");
}

fn text(path: &Path) -> &str {
    path.to_str().expect("UTF-8")
}

#[test]
fn each_ending_has_its_code() {
    let seeded = Seeded::announced("exits");
    let sandbox = Sandbox::new();
    let (source, destination) = (sandbox.path("photos"), sandbox.path("backup"));
    make_photos(&seeded, &source, 5, 2_000);
    let (photos, backup) = (text(&source), text(&destination));

    // 2: what makes no sense, before anything is begun.
    expect(&sandbox, &["frobnicate"], 2);
    expect(&sandbox, &["backup", photos], 2);
    expect(&sandbox, &["backup", photos, "--to", "gopher://x"], 2);
    expect(&sandbox, &["backup", photos, "--to", &format!("{photos}/inside")], 2);
    expect(&sandbox, &["retry", "--kind", "no-such-kind"], 2);
    expect(&sandbox, &["exclude", "not-an-id"], 2);
    expect(&sandbox, &["verify", "--to", "nobody"], 2);
    // 3: a destination that cannot be.
    let deep = sandbox.path("none/of/these");
    expect(&sandbox, &["backup", photos, "--to", text(&deep)], 3);
    expect(&sandbox, &["destination", "test", text(&deep)], 3);
    // 4: a source that is not there.
    let gone = sandbox.path("gone");
    expect(&sandbox, &["backup", text(&gone), "--to", backup], 4);
    expect(&sandbox, &["source", "add", text(&gone)], 4);
    // 0: all safe or left out.
    std::fs::write(source.join("notes.txt"), b"no photo").expect("written");
    assert_eq!(back_up(&sandbox, &source, &destination).0, Some(0));
    expect(&sandbox, &["status"], 0);
    expect(&sandbox, &["verify", "--deep"], 0);
    // 1: something needs attention; 4 is told instead where both are so.
    std::fs::write(source.join("empty.jpg"), b"").expect("written");
    assert_eq!(back_up(&sandbox, &source, &destination).0, Some(1));
    expect(&sandbox, &["status"], 1);
    expect(&sandbox, &["backup", photos, text(&gone), "--to", backup], 4);
    // 3 is told instead of 1: the destination has gone since. Nobody waits a minute for `status`.
    std::fs::rename(&destination, sandbox.path("unplugged")).expect("moved");
    expect(&sandbox, &["verify"], 3);
    std::fs::rename(sandbox.path("unplugged"), &destination).expect("moved");
    assert_eq!(back_up(&sandbox, &source, &destination).0, Some(1));
    // 5: Safelight's own place cannot be used.
    let broken = Sandbox::new();
    std::fs::write(broken.data_dir(), b"a file where a folder should be").expect("written");
    let (code, said) = code(&broken, &["status"]);
    assert_eq!(code, Some(5), "{said}");
    assert!(said.contains("cannot use"), "{said}");
}

#[test]
fn a_full_destination_is_code_three() {
    with_mounts("fire::exits::a_full_destination_is_code_three", || {
        let seeded = Seeded::announced("exits full");
        let sandbox = Sandbox::new();
        let source = sandbox.path("photos");
        make_photos(&seeded, &source, 20, 200_000);
        let disk = Tmpfs::mount(sandbox.path("disk"), "2m");
        let (code, said) = back_up(&sandbox, &source, &disk.path().join("backup"));
        assert_eq!(code, Some(3), "{said}");
        assert!(said.contains("is full") && said.contains("Free up space"), "{said}");
    });
}
