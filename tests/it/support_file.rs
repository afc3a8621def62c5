//! `support` by the built program: the file tells how things are and names nobody.

use crate::support::backup::tiny_jpeg;
use crate::support::process::Sandbox;

/// Parts of what is planted: none may leave the computer.
const PLANTED: [&str; 6] = ["Holiday", "Eve at sea", "hunter2", "s3cr3t-key", "my-own-disk", "grandmother"];

#[test]
fn the_file_for_support_names_nobody_and_is_never_written_over_another() {
    let sandbox = Sandbox::new();
    let photos = sandbox.path("Holiday of grandmother");
    std::fs::create_dir(&photos).expect("a folder");
    std::fs::write(photos.join("Eve at sea.jpg"), tiny_jpeg()).expect("a photo");
    std::fs::write(photos.join("empty Eve at sea.jpg"), b"").expect("an empty file");
    let target = sandbox.path("my-own-disk");
    let photos = photos.to_string_lossy().into_owned();
    let backup = sandbox.run(&["backup", &photos, "--to", &target.to_string_lossy()]);
    assert_eq!(backup.status.code(), Some(1), "the empty file needs attention: {backup:?}");
    let log = sandbox.data_dir().join("log/command.log");
    let mut text = std::fs::read_to_string(&log).expect("a log");
    text += "2024-01-01T00:00:00Z WARN safelight: PUT https://ada:hunter2@h/?key=s3cr3t-key of grandmother failed\n";
    std::fs::write(&log, text).expect("planted");

    let out = sandbox.path("support.json");
    let mut command = sandbox.command(["support", "--out", &out.to_string_lossy()]);
    let told = command.env("SAFELIGHT_TOKEN", "grandmother").output().expect("the program starts");
    assert_eq!(told.status.code(), Some(0), "{told:?}");
    let file = std::fs::read_to_string(&out).expect("the file");
    for planted in PLANTED {
        assert!(!file.contains(planted), "{planted} is in the file:\n{file}");
    }
    let document: serde_json::Value = serde_json::from_str(&file).expect("JSON");
    let place = &document["engine"]["snapshot"]["destinations"][0];
    assert_eq!((&place["safe"], &place["needs_attention"]), (&1.into(), &1.into()));
    assert_eq!(document["engine"]["failures"][0]["failure"]["kind"], "empty");
    let lines = document["logs"]["command"].as_array().expect("lines");
    assert!(
        lines
            .iter()
            .any(|line| line.as_str().is_some_and(|line| line.contains("failed") || line.contains("PUT")))
    );
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(std::fs::metadata(&out).expect("meta").permissions().mode() & 0o777, 0o600);

    let again = sandbox.run(&["support", "--out", &out.to_string_lossy()]);
    assert_eq!(again.status.code(), Some(2), "{again:?}");
    assert_eq!(std::fs::read_to_string(&out).expect("the file"), file, "it was left alone");
}
