//! `config.json` as it is kept, and as a person or a failing disk may have left it.

use std::path::Path;

use proptest::prelude::*;
use serde_json::{Value, json};

use super::options;
use crate::base::executor::Executor;
use crate::domain::gate::GateRules;
use crate::domain::target::DestinationKind;
use crate::domain::time::UnixMillis;
use crate::domain::transfer::Capabilities;
use crate::store::mirror::{MIRROR_NAME, restore, save};
use crate::store::{NewDestination, Store};

fn on_runtime<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().expect("runtime").block_on(work)
}

fn store(dir: &Path) -> Store {
    Store::open(options(dir, Executor::inline())).expect("open").store
}

/// What a mirror is made from, by itself and in an order of its own.
type MirrorContent = (Vec<Vec<u8>>, Vec<(String, Vec<u8>, bool, u32)>, Vec<(i64, i64)>, bool);

async fn mirror_content(store: &Store) -> MirrorContent {
    let rows = store.read(|r| {
        let destinations = r.destinations()?.into_iter();
        let destinations = destinations.map(|row| (row.name, row.address, row.is_enabled, row.job_limit));
        let consents = r.consents()?.into_iter().map(|(source, destination)| (source.0, destination.0));
        let paths = r.sources()?.into_iter().map(|row| row.path);
        Ok((paths.collect(), destinations.collect(), consents.collect(), r.installation()?.is_on))
    });
    rows.await.expect("read")
}

/// A new store that was filled from this text.
async fn restored(text: &[u8]) -> (tempfile::TempDir, Store) {
    let dir = tempfile::tempdir().expect("dir");
    std::fs::write(dir.path().join(MIRROR_NAME), text).expect("written");
    let store = store(dir.path());
    restore(&store, dir.path(), UnixMillis(7)).await.expect("whatever it says, it can be read");
    (dir, store)
}

async fn again(first: &Store, dir: &Path) -> (tempfile::TempDir, Store) {
    save(first, dir).await.expect("saved");
    restored(&std::fs::read(dir.join(MIRROR_NAME)).expect("there")).await
}

fn any_path() -> impl Strategy<Value = Value> {
    prop_oneof![
        6 => prop::sample::select(vec!["/photos", "/more", "/photos/", "/", "/a\u{0}b", "", "photos"])
            .prop_map(|path| json!({ "path": path })),
        2 => "/\\PC{0,12}".prop_map(|path| json!({ "path": path })),
        1 => "\\PC{0,12}".prop_map(|path| json!({ "path": path })),
        1 => prop::sample::select(vec!["L29kZP8=", "", "*", "AA=="])
            .prop_map(|bytes| json!({ "path": "/odd", "path_b64": bytes })),
    ]
}

fn any_destination() -> impl Strategy<Value = Value> {
    let names = prop::sample::select(vec!["disk", "disk", "cloud", "nas", "", "Not A Name", "a"]);
    let kinds = prop::sample::select(vec!["folder", "folder", "webdav", "s3", "floppy"]);
    let capabilities = prop::sample::select(vec!["", "{", "{\"can_resume\":true}", "{\"uuid\":\"u\"}"]);
    let limits = prop::sample::select(vec![0_u32, 1, 64, u32::MAX]);
    let consents = prop::collection::vec(any_path(), 0..4);
    (names, kinds, any_path(), any::<bool>(), limits, capabilities, consents).prop_map(
        |(name, kind, address, enabled, job_limit, capabilities, consents)| {
            json!({
                "name": name, "kind": kind, "address": address, "enabled": enabled,
                "job_limit": job_limit, "abilities": capabilities, "consents": consents,
            })
        },
    )
}

prop_compose! {
    fn any_document()(
        installation in "[a-z0-9/.-]{0,70}",
        backup_on in any::<bool>(),
        version in prop::sample::select(vec![1, 1, 1, 2]),
        sources in prop::collection::vec(any_path(), 0..6),
        destinations in prop::collection::vec(any_destination(), 0..6),
    ) -> Value {
        let sources = sources.into_iter().map(|mut source| {
            source["file_system"] = json!("uuid:1");
            source
        });
        json!({
            "version": version, "installation": installation, "backup_on": backup_on,
            "sources": sources.collect::<Vec<_>>(), "destinations": destinations,
        })
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn an_entry_that_makes_no_sense_costs_only_itself(document in any_document()) {
        on_runtime(async {
            let text = serde_json::to_vec(&document).expect("JSON");
            let (dir, first) = restored(&text).await;
            let (sources, destinations, consents, _on) = mirror_content(&first).await;
            assert!(sources.iter().all(|path| path.starts_with(b"/")));
            assert!(destinations.iter().all(|(_, _, _, limit)| *limit > 0));
            assert!(consents.len() <= sources.len() * destinations.len());
            // The entries that do make sense are all there.
            if document["version"] == 1 {
                let plain = document["sources"].as_array().expect("sources").iter();
                let wanted = plain.filter(|source| source["path"] == "/photos" && source["path_b64"].is_null());
                assert_eq!(sources.iter().filter(|path| *path == b"/photos").count(), wanted.count().min(1));
            }
            // Saved and restored once more, it says the same.
            let (_dir, second) = again(&first, dir.path()).await;
            assert_eq!(mirror_content(&second).await, mirror_content(&first).await);
        });
    }

    #[test]
    fn any_bytes_leave_an_empty_store_as_it_is(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        on_runtime(async {
            let (_dir, store) = restored(&bytes).await;
            assert_eq!(mirror_content(&store).await, MirrorContent::default());
        });
    }

    #[test]
    fn a_damaged_document_is_read_or_left_alone(
        document in any_document(),
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
    ) {
        on_runtime(async {
            let mut text = serde_json::to_vec(&document).expect("JSON");
            for (index, byte) in flips {
                let at = index.index(text.len());
                text[at] = byte;
            }
            restored(&text).await;
            restored(&text[..cut.index(text.len())]).await;
        });
    }
}

#[tokio::test]
async fn settings_come_back_whole() {
    let dir = tempfile::tempdir().expect("dir");
    let first = store(dir.path());
    first
        .write(|tx| {
            let odd = tx.add_source(b"/odd\xff", "uuid:1")?;
            let plain = tx.add_source(b"/photos", "type:ef53")?;
            tx.set_backup_on(true)?;
            tx.set_rules(other_rules())?;
            for (name, kind, address) in [
                ("disk", DestinationKind::Folder, &b"/mnt/\xfe"[..]),
                ("cloud", DestinationKind::WebDav, b"webdav+https://host/p"),
            ] {
                let address = address.to_vec();
                let capabilities =
                    Capabilities { uuid: name.to_owned(), can_resume: true, ..Capabilities::default() };
                let new = NewDestination { name: name.to_owned(), kind, address, capabilities, job_limit: 9 };
                let id = tx.add_destination(&new)?;
                tx.add_consent(if name == "disk" { odd } else { plain }, id)?;
                if name == "cloud" {
                    tx.disable_destination(id)?;
                }
            }
            Ok(())
        })
        .await
        .expect("set up");
    let (_dir, second) = again(&first, dir.path()).await;
    assert_eq!(mirror_content(&second).await, mirror_content(&first).await);
    assert_eq!(unlisted(&second).await, unlisted(&first).await);
}

fn other_rules() -> GateRules {
    let rules = GateRules::default();
    GateRules { on_metered: !rules.on_metered, ..rules }
}

/// What a document has beside [`MirrorContent`].
async fn unlisted(store: &Store) -> (String, GateRules, Vec<Capabilities>) {
    let read = store.read(|r| {
        let capabilities = r.destinations()?.into_iter().map(|row| row.capabilities);
        Ok((r.installation()?.uuid, r.rules()?, capabilities.collect()))
    });
    read.await.expect("read")
}

#[tokio::test]
async fn more_destinations_than_there_is_room_for_are_left_out() {
    let one = |n: usize| {
        json!({
            "name": format!("d{n}"), "kind": "folder", "address": {"path": format!("/d{n}")}, "enabled": true,
            "job_limit": 1, "abilities": "", "consents": [],
        })
    };
    let document = json!({
        "version": 1, "installation": "i", "backup_on": false, "sources": [],
        "destinations": (0..80).map(one).collect::<Vec<_>>(),
    });
    let (_dir, store) = restored(&serde_json::to_vec(&document).expect("JSON")).await;
    assert_eq!(mirror_content(&store).await.1.len(), 62);
}
