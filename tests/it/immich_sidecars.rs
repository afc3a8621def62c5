//! Sidecars at an Immich server, by the real binary: each goes with its own picture, early or late, and
//! what such a server never keeps is left out there.

use serde_json::Value;

use crate::fakes::immich::{Asset, Generation, ImmichServer, KEY};
use crate::support::backup::tiny_jpeg;
use crate::support::process::Sandbox;

fn xmp(rating: u32) -> Vec<u8> {
    format!("<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:Description xmp:Rating=\"{rating}\"/></x:xmpmeta>")
        .into_bytes()
}

fn asset(server: &ImmichServer, name: &str) -> Asset {
    let assets = server.assets();
    let found = assets.iter().find(|asset| asset.name == name);
    found
        .unwrap_or_else(|| {
            panic!("{name} is not there: {:?}", assets.iter().map(|a| &a.name).collect::<Vec<_>>())
        })
        .clone()
}

#[test]
fn each_sidecar_goes_with_its_own_picture_and_others_are_left_out_there() {
    for generation in [Generation::V2, Generation::V3] {
        let (sandbox, server) = (Sandbox::new(), ImmichServer::start(generation));
        let photos = sandbox.path("photos");
        std::fs::create_dir_all(&photos).expect("a folder");
        let write = |name: &str, bytes: &[u8]| std::fs::write(photos.join(name), bytes).expect("a file");
        let run = |arguments: &[&str], expected: i32| {
            let output = sandbox.command(arguments).env("IMMICH_API_KEY", KEY).output().expect("it runs");
            let said = String::from_utf8_lossy(&output.stdout).into_owned();
            let complaint = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {said}{complaint}");
            said
        };
        write("c.jpg", &[tiny_jpeg(), vec![1]].concat());
        write("c.arw", &[&b"II*\0\x08\0\0\0"[..], &[0; 90]].concat());
        write("c.jpg.xmp", &xmp(5));
        write("c.arw.xmp", &xmp(1));
        write("d.jpg", &[tiny_jpeg(), vec![2]].concat());
        write("d.AAE", b"<?xml version='1.0'?><plist version='1.0'><dict/></plist>");
        write("d.jpg.pp3", b"[Version]\nAppVersion=5.8\n");
        let backup = ["backup", photos.to_str().expect("UTF-8"), "--to", &server.address()];
        // Sidecars never come back from Immich, so they are not proved.
        run(&backup, 1);
        assert_eq!(asset(&server, "c.jpg").sidecar, Some(xmp(5)));
        assert_eq!(asset(&server, "c.arw").sidecar, Some(xmp(1)));
        assert_eq!((asset(&server, "d.jpg").sidecar, server.assets().len()), (None, 3));

        // Late ones are told of their own picture; what holds nothing to tell came too late.
        write("c.arw.xmp", &xmp(3));
        write("d.xmp", b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>");
        run(&backup, 1);
        assert_eq!(asset(&server, "c.arw").told.get("rating"), Some(&3.into()));
        assert_eq!(asset(&server, "c.jpg").told.get("rating"), None);
        assert_eq!(server.assets().len(), 3);

        let status: Value = serde_json::from_str(&run(&["status", "--json"], 1)).expect("JSON");
        let there = &status["destinations"][0];
        let count = |bin: &str| there[bin].as_u64().expect("a count");
        assert_eq!((count("found"), count("safe"), count("unproven")), (8, 3, 2), "{there}");
        assert_eq!((count("excluded"), count("needs_attention"), count("waiting")), (3, 0, 0), "{there}");
        let queue: Value = serde_json::from_str(&run(&["queue", "--json"], 0)).expect("JSON");
        let mut out: Vec<(String, String)> = queue
            .as_array()
            .expect("an array")
            .iter()
            .filter(|row| row["state"] == "excluded")
            .map(|row| {
                let path = row["path"].as_str().expect("a path");
                let name = path.rsplit('/').next().expect("a name").to_owned();
                (name, row["failure"]["summary"].as_str().expect("a reason").to_owned())
            })
            .collect();
        out.sort();
        let kind = "This server does not store files of this kind with a photo";
        let late = "This server accepts such a file only together with its photo";
        let expected = [("d.AAE", kind), ("d.jpg.pp3", kind), ("d.xmp", late)];
        assert_eq!(out, expected.map(|(name, why)| (name.to_owned(), why.to_owned())));
        assert!(run(&["queue"], 0).contains(kind), "said to people too");
    }
}
