//! The suite's places on servers that name uploads themselves: a real tus server, and fakes of both
//! protocols. Paths here are the keys that the uploads carry along; only whole uploads are files.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use safelight::destination::Sent;
use safelight::domain::failure::FailureKind;
use safelight::domain::record::Evidence;
use safelight::domain::target::DestinationKind;

use super::servers::site;
use super::site::{CheckpointRecorder, ServerFiles, Site};
use super::source::{SourceFault, bytes};
use crate::fakes::uploads::{Behavior, UploadProtocol, UploadServer};
use crate::support::server::{Server, installed_beside, write};

const MIB: usize = 1024 * 1024;
const TOKEN: &str = "a token of a test";
/// What the draft does not carry along: the folder of every file of these tests.
const FOLDER: &str = "2019/2019-05";

/// A fake, looked at by the keys of its uploads.
pub struct Fake(pub UploadServer);

impl Fake {
    fn key(name: &str) -> String {
        if name.contains('/') { name.to_owned() } else { format!("{FOLDER}/{name}") }
    }
}

impl ServerFiles for Fake {
    fn contents(&self, path: &str) -> Option<Vec<u8>> {
        self.0
            .finished()
            .into_iter()
            .find(|upload| Self::key(&upload.name) == path)
            .map(|upload| upload.bytes)
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let name = self.0.finished().into_iter().map(|upload| upload.name);
        let name = name.into_iter().find(|name| Self::key(name) == path).expect("it is there");
        self.0.spoil(&name, bytes);
    }

    fn files(&self) -> Vec<String> {
        let mut files: Vec<String> = self.0.finished().iter().map(|upload| Self::key(&upload.name)).collect();
        files.sort();
        files
    }
}

/// A fake that wants a token.
pub async fn fake(behavior: Behavior) -> Site {
    let behavior = Behavior { authorization: Some(format!("Bearer {TOKEN}")), ..behavior };
    let kind = if behavior.speech == UploadProtocol::Tus {
        DestinationKind::Tus
    } else {
        DestinationKind::Resumable
    };
    let server = UploadServer::start(behavior);
    let address = format!("{}+{}", kind.as_str(), server.url());
    site(kind, &address, Some(TOKEN), Box::new(Fake(server))).await
}

pub fn tus() -> Behavior {
    Behavior::default()
}

pub fn draft(version: u8) -> Behavior {
    Behavior { speech: UploadProtocol::Draft(version), ..Behavior::default() }
}

/// The uploads of one case on a `@tus/server` with its `@tus/file-store`.
pub struct Store {
    dir: PathBuf,
    case: String,
}

impl Store {
    /// Keys and files of the uploads that are whole.
    fn uploads(&self) -> BTreeMap<String, PathBuf> {
        let mut whole = BTreeMap::new();
        for entry in std::fs::read_dir(&self.dir).expect("listed") {
            let path = entry.expect("listed").path();
            let name = path.file_name().and_then(|name| name.to_str()).expect("UTF-8");
            let Some(id) = name.strip_suffix(".json") else { continue };
            if !id.starts_with(&format!("{}.", self.case)) {
                continue;
            }
            // It may be writing or removing this one right now.
            let Ok(info) = std::fs::read(&path) else { continue };
            let Ok(info) = serde_json::from_slice::<serde_json::Value>(&info) else { continue };
            let file = self.dir.join(id);
            if std::fs::metadata(&file).is_ok_and(|file| Some(file.len()) == info["size"].as_u64()) {
                let key = info["metadata"]["relativePath"].as_str().expect("a key").to_owned();
                assert!(whole.insert(key, file).is_none(), "two whole uploads of one file");
            }
        }
        whole
    }
}

impl ServerFiles for Store {
    fn contents(&self, path: &str) -> Option<Vec<u8>> {
        self.uploads().get(path).map(|file| std::fs::read(file).expect("read"))
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        std::fs::write(&self.uploads()[path], bytes).expect("written");
    }

    fn files(&self) -> Vec<String> {
        self.uploads().into_keys().collect()
    }
}

const SERVER: &str = r#"
import { randomBytes } from 'node:crypto';
// Node 20 throws where nobody can catch it when a client leaves at the very end of a download.
process.on('uncaughtException', (error) => console.error(error));
const [modules, directory, port] = process.argv.slice(2);
const { Server } = await import(`${modules}/@tus/server/dist/index.js`);
const { FileStore } = await import(`${modules}/@tus/file-store/dist/index.js`);
const tus = new Server({
    path: '/files',
    datastore: new FileStore({ directory }),
    namingFunction: (request) =>
        `${new URL(request.url).pathname.split('/').pop()}.${randomBytes(8).toString('hex')}`,
});
tus.listen({ host: '127.0.0.1', port: Number(port) });
"#;

/// The tus project's own server.
pub fn tus_server() -> &'static Server {
    static RUNNING: OnceLock<Server> = OnceLock::new();
    RUNNING.get_or_init(|| {
        Server::start("@tus/server", |dir, port| {
            let files = dir.join("files");
            std::fs::create_dir(&files).expect("a folder");
            write(&dir.join("server.mjs"), SERVER).expect("written");
            [
                installed_beside("tus/node").into_os_string(),
                dir.join("server.mjs").into_os_string(),
                installed_beside("tus/node_modules").into_os_string(),
                files.into_os_string(),
                port.to_string().into(),
            ]
        })
    })
}

/// Where one case creates its uploads there, and what is behind it.
pub fn tus_case() -> (String, Store) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let case = format!("case-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    (format!("files/{case}"), Store { dir: tus_server().dir.join("files"), case })
}

pub async fn real_tus() -> Site {
    let (path, store) = tus_case();
    let address = format!("tus+http://127.0.0.1:{}/{path}", tus_server().port);
    site(DestinationKind::Tus, &address, None, Box::new(store)).await
}

/// A rustus of its own for one case; dropping it ends it.
pub struct Rustus(pub Server);

impl Rustus {
    /// Keys and files of the uploads that are whole.
    fn uploads(&self) -> BTreeMap<String, PathBuf> {
        let mut whole = BTreeMap::new();
        for entry in std::fs::read_dir(self.0.dir.join("info")).expect("listed") {
            let Ok(info) = std::fs::read(entry.expect("listed").path()) else { continue };
            // It may be writing this one right now.
            let Ok(info) = serde_json::from_slice::<serde_json::Value>(&info) else { continue };
            if info["offset"] == info["length"] {
                let key = info["metadata"]["relativePath"].as_str().expect("a key").to_owned();
                let file = PathBuf::from(info["path"].as_str().expect("a path"));
                assert!(whole.insert(key, file).is_none(), "two whole uploads of one file");
            }
        }
        whole
    }
}

impl ServerFiles for Rustus {
    fn contents(&self, path: &str) -> Option<Vec<u8>> {
        self.uploads().get(path).map(|file| std::fs::read(file).expect("read"))
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        std::fs::write(&self.uploads()[path], bytes).expect("written");
    }

    fn files(&self) -> Vec<String> {
        self.uploads().into_keys().collect()
    }
}

/// A rustus, which takes request bodies up to 256 KiB and is compiled by `tests/release`.
pub fn rustus_server() -> Server {
    Server::start("rustus", |dir, port| {
        let mut words = vec![installed_beside("cargo/bin/rustus").into_os_string()];
        for name in ["data", "info"] {
            std::fs::create_dir(dir.join(name)).expect("a folder");
            words.extend([format!("--{name}-dir").into(), dir.join(name).into_os_string()]);
        }
        words.extend(["--host".into(), "127.0.0.1".into(), "--port".into(), port.to_string().into()]);
        words
    })
}

pub async fn rustus() -> Site {
    let server = rustus_server();
    let address = format!("tus+http://127.0.0.1:{}/files/", server.port);
    site(DestinationKind::Tus, &address, None, Box::new(Rustus(server))).await
}

/// Several times in a row it is stopped, and each time goes on where the server is.
pub async fn stopped_four_times_it_goes_on_where_it_was(site: &Site) {
    let size = 24 * MIB + 11;
    let bytes = bytes(3, size);
    let item = site.item(1, "film.mov", &bytes);
    let saver = CheckpointRecorder::default();
    for at in [3 * MIB + 7, 6 * MIB, 13 * MIB, size - 1] {
        let transfer = site.transfer_with(saver.clone());
        site.sources.fault_at(at as u64, SourceFault::Cancel(transfer.cancel.clone()));
        assert_eq!(site.open().send(&item, &transfer).await, Ok(Sent::Cancelled), "at {at}");
        assert_eq!(site.contents(&item.key), None);
        let state = saver.last().expect("a checkpoint").state;
        assert!(state.contains("\"url\":\"http"), "{state}");
    }
    let to = site.open();
    let transfer = site.transfer_with(saver.clone());
    let Ok(Sent::Stored { receipt, .. }) = to.send(&item, &transfer).await else { panic!("not stored") };
    assert_eq!(saver.phases().iter().filter(|phase| phase.as_str() == "creating").count(), 1, "one upload");
    assert_eq!(site.contents(&item.key).as_ref(), Some(&bytes));
    assert!(matches!(to.prove(&item, &receipt, &transfer).await, Ok(Evidence::Verified { .. })));
    assert_eq!(site.files(), [item.key.as_str()]);
}

pub async fn a_spoiled_copy_is_found_out_and_sent_again(site: &Site) {
    let to = site.open();
    let good = bytes(1, 2 * MIB);
    let item = site.item(1, "a.jpg", &good);
    let saver = CheckpointRecorder::default();
    let transfer = site.transfer_with(saver.clone());
    let Ok(Sent::Stored { receipt, .. }) = to.send(&item, &transfer).await else { panic!("not stored") };
    site.put(&item.key, &[&good[..2 * MIB - 1], b"?"].concat());
    // What the server compared while it was sent says nothing of later.
    let old = receipt.rsplit_once('@').map_or(receipt.clone(), |(start, _at)| format!("{start}@1"));
    let failure = to.prove(&item, &old, &transfer).await.expect_err("other bytes");
    assert_eq!(failure.kind, FailureKind::DigestMismatch);
    let next = site.transfer_with(saver);
    let Ok(Sent::Stored { receipt: second, .. }) = to.send(&item, &next).await else { panic!("not stored") };
    assert_ne!(receipt, second);
    // The wrong one was never verified, and goes where uploads can be ended.
    if site.capabilities.findings.contains("\"can_end\":true") {
        assert_eq!(site.files(), [item.key.as_str()]);
    }
    assert!(matches!(to.prove(&item, &second, &next).await, Ok(Evidence::Verified { .. })));
}

pub async fn a_probe_leaves_no_upload_behind(site: &Site) {
    let to = site.open();
    assert_eq!(to.check().await, Ok(()));
    assert_eq!(to.probe().await.as_ref(), Ok(&site.capabilities));
    assert!(site.files().is_empty(), "{:?}", site.files());
    assert!(site.capabilities.can_resume && site.capabilities.no_replace);
}
