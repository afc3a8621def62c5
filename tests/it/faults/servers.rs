//! The servers behind the proxy, and what is behind them: what they hold, and what was left there.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::conformance::s3::{ACCESS_KEY, BUCKET, SECRET_KEY, careless, strict};
use crate::conformance::servers::{PASSWORD, USER, own_cloud};
use crate::conformance::uploads::{draft, tus};
use crate::fakes::dav::Behavior;
use crate::fakes::fault_server::FaultServer;
use crate::fakes::immich::{Generation, ImmichServer, KEY};
use crate::fakes::nextcloud::NextcloudBehavior;
use crate::fakes::uploads::{Behavior as UploadBehavior, UploadServer};

/// The environment in which all these servers let Safelight in.
pub const SECRETS: [(&str, &str); 4] = [
    ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
    ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
    ("SAFELIGHT_PASSWORD", PASSWORD),
    ("IMMICH_API_KEY", KEY),
];

/// What a server keeps.
#[derive(Debug, Default)]
pub struct StoredFiles {
    /// How often it holds each content, by BLAKE3. Our own files are left out.
    pub copies: BTreeMap<[u8; 32], u64>,
    /// The names of files that are neither copies nor our marker and manifests, and of uploads that were
    /// not finished.
    pub left: Vec<String>,
}

impl StoredFiles {
    /// Counts a file of this name.
    pub fn add(&mut self, name: &str, bytes: &[u8]) {
        let last = name.rsplit('/').next().unwrap_or_default();
        if last.ends_with(".tmp") {
            self.left.push(name.to_owned());
            return;
        }
        if name == ".safelight/destination.json" || name.starts_with(".safelight/manifest/") {
            return;
        }
        if name.starts_with(".safelight") {
            self.left.push(name.to_owned());
            return;
        }
        *self.copies.entry(*blake3::hash(bytes).as_bytes()).or_default() += 1;
    }
}

/// A server behind a proxy.
pub trait ProxiedServer {
    /// The port of the server itself.
    fn port(&self) -> u16;
    /// What a person writes for it, at this host.
    fn target(&self, host: &str) -> String;
    /// What it keeps.
    fn stored_files(&self) -> StoredFiles;
    /// Copies whose bytes were spoiled on the way stay there: Safelight cannot know that they are its own,
    /// or removes nothing from there.
    fn keeps_spoiled(&self) -> bool {
        false
    }
    /// Its uploads are beside the destination's path, not below it: where they are said to be on another
    /// host, it is refused when it is added.
    fn has_uploads_beside(&self) -> bool {
        false
    }
    /// It compares the time of a request with its own.
    fn has_real_clock(&self) -> bool {
        false
    }
}

fn port_of(host: &str) -> u16 {
    host.rsplit(':').next().and_then(|port| port.parse().ok()).expect("a host with a port")
}

pub struct Dav(Arc<FaultServer>);

impl ProxiedServer for Dav {
    fn port(&self) -> u16 {
        port_of(&self.0.host())
    }

    fn target(&self, host: &str) -> String {
        match self.0.cloud() {
            None => format!("webdav+http://{USER}@{host}/dav/photos"),
            Some(cloud) => format!("nextcloud+http://{USER}@{host}{}/photos", cloud.behavior.root),
        }
    }

    fn stored_files(&self) -> StoredFiles {
        let mut kept = StoredFiles::default();
        for path in self.0.dav().files() {
            let bytes = self.0.dav().contents(&path).unwrap_or_default();
            kept.add(path.strip_prefix("photos/").unwrap_or(&path), &bytes);
        }
        if let Some(cloud) = self.0.cloud() {
            kept.left.extend(cloud.uploads().into_iter().map(|(name, _parts)| format!("upload {name}")));
        }
        kept
    }
}

pub struct S3 {
    server: FaultServer,
    /// It cannot say whether a name was free.
    is_careless: bool,
}

impl ProxiedServer for S3 {
    fn port(&self) -> u16 {
        port_of(&self.server.host())
    }

    fn keeps_spoiled(&self) -> bool {
        self.is_careless
    }

    fn target(&self, host: &str) -> String {
        format!("s3://{BUCKET}/photos?endpoint=http://{host}&style=path")
    }

    fn stored_files(&self) -> StoredFiles {
        let mut kept = StoredFiles::default();
        for name in self.server.bucket().objects() {
            let bytes = self.server.bucket().contents(&name).unwrap_or_default();
            kept.add(name.strip_prefix("photos/").unwrap_or(&name), &bytes);
        }
        kept.left.extend(self.server.bucket().unfinished().into_iter().map(|name| format!("upload {name}")));
        kept
    }
}

pub struct Uploads {
    server: UploadServer,
    scheme: &'static str,
}

impl ProxiedServer for Uploads {
    fn port(&self) -> u16 {
        port_of(&self.server.host())
    }

    fn target(&self, host: &str) -> String {
        format!("{}+http://{host}/files/", self.scheme)
    }

    fn stored_files(&self) -> StoredFiles {
        let mut kept = StoredFiles::default();
        for upload in self.server.finished() {
            kept.add(&upload.name, &upload.bytes);
        }
        kept.left
            .extend(self.server.unfinished().into_iter().map(|upload| format!("upload {}", upload.name)));
        kept
    }
}

pub struct Immich(ImmichServer);

impl ProxiedServer for Immich {
    fn port(&self) -> u16 {
        port_of(self.0.origin().trim_start_matches("http://"))
    }

    fn target(&self, host: &str) -> String {
        format!("immich+http://{host}")
    }

    fn stored_files(&self) -> StoredFiles {
        let mut kept = StoredFiles::default();
        for asset in self.0.assets() {
            kept.add(&asset.name, &asset.bytes);
        }
        kept
    }
}

fn cloud(behavior: NextcloudBehavior) -> Box<dyn ProxiedServer> {
    Box::new(Dav(Arc::new(FaultServer::nextcloud(USER, PASSWORD, u64::MAX / 4, behavior))))
}

/// A WebDAV server as the specification has it.
pub fn webdav() -> Box<dyn ProxiedServer> {
    let login = Some((USER.to_owned(), PASSWORD.to_owned()));
    Box::new(Dav(Arc::new(FaultServer::start(Behavior { login, ..Behavior::default() }))))
}

/// A Nextcloud.
pub fn nextcloud() -> Box<dyn ProxiedServer> {
    cloud(NextcloudBehavior::default())
}

/// An ownCloud, which is stricter.
pub fn owncloud() -> Box<dyn ProxiedServer> {
    cloud(own_cloud())
}

/// An S3 server that checks what it is sent.
pub fn s3_strict() -> Box<dyn ProxiedServer> {
    Box::new(S3 { server: FaultServer::s3(BUCKET, strict()), is_careless: false })
}

/// An S3 server that believes what it is told.
pub fn s3_careless() -> Box<dyn ProxiedServer> {
    Box::new(S3 { server: FaultServer::s3(BUCKET, careless()), is_careless: true })
}

/// A tus server.
pub fn tus_server() -> Box<dyn ProxiedServer> {
    Box::new(Uploads { server: UploadServer::start(tus()), scheme: "tus" })
}

/// A server of resumable HTTP.
pub fn resumable_server() -> Box<dyn ProxiedServer> {
    let behavior = UploadBehavior { keeps_finished: true, ..draft(9) };
    Box::new(Uploads { server: UploadServer::start(behavior), scheme: "resumable" })
}

/// An Immich of the present generation.
pub fn immich() -> Box<dyn ProxiedServer> {
    Box::new(Immich(ImmichServer::start(Generation::V3)))
}
