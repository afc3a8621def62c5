//! What others may have put there.

use safelight::destination::manifest::{Entry, encode};
use safelight::domain::failure::FailureKind;
use safelight::domain::hash::ContentHash;
use safelight::domain::key;
use safelight::domain::time::UnixMillis;

use super::site::{INSTALLATION, Site};
use super::source::{digest, may_2019};

pub async fn keys_that_lead_elsewhere_are_refused(site: &Site) {
    let to = site.open();
    for bad in [
        "",
        "/etc/passwd",
        "../outside",
        "a/../../outside",
        "a/./b",
        ".safelight/destination.json",
        "a\0b",
        "a//b",
    ] {
        let item = site.sources.add(1, bad, b"bytes");
        let transfer = site.transfer();
        let sent = to.send(&item, &transfer).await.expect_err("not a key");
        assert_eq!(sent.kind, FailureKind::BadRequest, "{bad:?}");
        assert!(sent.is_permanent());
        assert!(to.prove(&item, "", &transfer).await.is_err() && to.read(bad, "").await.is_err(), "{bad:?}");
    }
    assert!(site.files().is_empty());
}

fn entry(name: &str) -> Entry {
    Entry {
        key: format!("2019/2019-05/{name}"),
        content: ContentHash { blake3: digest(name.as_bytes()), size: 5 },
        captured_at: Some(may_2019()),
        source: "Photos".to_owned(),
        path: name.as_bytes().to_vec(),
        mtime: UnixMillis(0),
    }
}

pub async fn manifests_are_written_once_and_read_with_care(site: &Site) {
    let to = site.open();
    assert_eq!(to.read_manifests().await, Ok(Default::default()));
    let other = "other-installation";
    for (installation, sequence, name) in [(INSTALLATION, 2, "c"), (INSTALLATION, 10, "d"), (other, 1, "x")] {
        let segment = encode(&[entry(name)]).expect("valid");
        assert_eq!(to.write_manifest(installation, sequence, &segment).await, Ok(()));
    }
    let segment = encode(&[entry("c")]).expect("valid");
    // Equal bytes again: the run before was killed between writing and remembering.
    assert_eq!(to.write_manifest(INSTALLATION, 2, &segment).await, Ok(()));
    let changed = encode(&[entry("z")]).expect("valid");
    let refused = to.write_manifest(INSTALLATION, 2, &changed).await.expect_err("written once");
    assert_eq!(refused.kind, FailureKind::Conflict);
    assert_eq!(site.contents(&format!(".safelight/manifest/{INSTALLATION}/2.jsonl")), Some(segment.clone()));
    for bad in ["", "..", "a/b", ".", &"x".repeat(65)] {
        assert!(to.write_manifest(bad, 1, &segment).await.is_err(), "{bad:?}");
    }

    site.put(&format!(".safelight/manifest/{other}/2.jsonl"), &segment[..segment.len() - 2]);
    site.put(&format!(".safelight/manifest/{other}/3.jsonl"), b"");
    site.put(&format!(".safelight/manifest/{other}/03.jsonl"), b"not a segment's name");
    site.put(&format!(".safelight/manifest/{other}/notes.txt"), b"not a segment");
    let collected = to.read_manifests().await.expect("read");
    assert_eq!(collected.entries, [entry("c"), entry("d"), entry("x")]);
    assert_eq!(collected.damaged.len(), 2, "{:?}", collected.damaged);
    assert!(collected.damaged[0].starts_with("other-installation/2.jsonl: "));
    assert!(!site.own_files().iter().any(|path| path.ends_with(".tmp")));
}

pub async fn cleaning_takes_only_our_own(site: &Site) {
    let to = site.open();
    let (own, kept) = (key::temp_token(INSTALLATION, 1), key::temp_token(INSTALLATION, 2));
    let foreign = key::temp_token("another installation", 1);
    let stays = [
        format!("2019/2019-05/{}", key::temp_name(kept)),
        format!("2019/2019-05/{}", key::temp_name(foreign)),
        format!("2019/2019-05/{}.jpg", key::temp_name(own)),
        format!("2019/2019-05/IMG{}", key::temp_name(own)),
        "2019/2019-05/IMG_1.JPG".to_owned(),
        // Folders that hold no copies are a person's own.
        format!("Documents/{}", key::temp_name(own)),
        format!("2019/holiday/{}", key::temp_name(own)),
    ];
    let goes = [
        format!("2019/2019-05/{}", key::temp_name(own)),
        format!("1970/1970-01/{}", key::temp_name(own)),
        format!(".safelight/{}", key::temp_name(own)),
        format!(".safelight/manifest/{INSTALLATION}/{}", key::temp_name(own)),
        format!(".safelight/probe-{own:016x}/a"),
    ];
    let others = [
        format!(".safelight/manifest/other/{}", key::temp_name(own)),
        format!(".safelight/probe-{foreign:016x}/a"),
    ];
    for path in stays.iter().chain(&goes).chain(&others) {
        site.put(path, b"bytes");
    }
    // What a server does not list, nobody finds.
    // Where copies have no temp names, what looks like one is somebody's.
    let (goes, stays) = if site.hides_dots || !site.has_temps {
        let (hidden, seen): (Vec<_>, Vec<_>) = goes.into_iter().partition(|path| path.ends_with(".tmp"));
        (seen, stays.into_iter().chain(hidden).collect::<Vec<_>>())
    } else {
        (goes.to_vec(), stays.to_vec())
    };
    assert_eq!(to.clean(&[kept]).await, Ok(goes.len() as u64));
    for path in stays.iter().chain(&others) {
        assert!(site.contents(path).is_some(), "{path}");
    }
    for path in &goes {
        assert!(site.contents(path).is_none(), "{path}");
    }
    assert_eq!(to.clean(&[kept]).await, Ok(0));
    assert_eq!(to.check().await, Ok(()));
}
