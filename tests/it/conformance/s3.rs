//! The suite's places on S3 servers: SeaweedFS, which checks what it is sent, rclone, which believes
//! much, and a fake that goes wrong on order.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle};
use safelight::domain::target::DestinationKind;

use super::servers::site;
use super::site::{Disk, ServerFiles, Site};
use crate::fakes::fault_server::FaultServer;
use crate::fakes::s3::BucketBehavior;
use crate::support::plain_http::{ask, escaped, try_ask};
use crate::support::server::{Server, free_port, installed, write};
use crate::support::wait::wait_until;

pub const ACCESS_KEY: &str = "testkey";
pub const SECRET_KEY: &str = "planted-s3-secret";
pub const BUCKET: &str = "suite";
/// How long SeaweedFS may take until it takes files: ten times what it does.
const READY_WITHIN: Duration = Duration::from_secs(60);
/// SeaweedFS takes a second port this far above each.
const PORT_DISTANCE: u16 = 10_000;

/// SeaweedFS in one process, or the gateway of a cluster.
pub struct SeaweedFs {
    pub server: Server,
    /// Its back door: the filer speaks plain HTTP.
    pub filer: u16,
}

/// A port whose second one is free too.
pub fn port_pair() -> u16 {
    let is_free = |port: u16| std::net::TcpListener::bind(("127.0.0.1", port)).is_ok();
    let pairs = (0..100).map(|_try| free_port());
    let mut found = pairs.filter(|port| port.checked_add(PORT_DISTANCE).is_some_and(is_free));
    found.next().expect("a pair of free ports")
}

/// The identities that SeaweedFS lets in.
pub fn identities() -> String {
    format!(
        r#"{{"identities":[{{"name":"t","credentials":[{{"accessKey":"{ACCESS_KEY}","secretKey":"{SECRET_KEY}"}}],
        "actions":["Admin","Read","Write","List","Tagging"]}}]}}"#
    )
}

/// Waits until a filer takes a file into the bucket, which makes the bucket.
pub fn wait_for_bucket(filer: u16, log: impl Fn() -> String) {
    let path = format!("/buckets/{BUCKET}/first");
    let takes = || matches!(try_ask(filer, "PUT", &path, &[], b"first"), Ok((200..=299, _)));
    let look = || takes().then_some(()).ok_or_else(&log);
    wait_until("SeaweedFS takes files", READY_WITHIN, look, Result::is_ok).expect("it does");
}

pub fn weed_server() -> &'static SeaweedFs {
    static SERVER: OnceLock<SeaweedFs> = OnceLock::new();
    SERVER.get_or_init(|| {
        let [master, volume, filer] = [(); 3].map(|()| port_pair());
        let server = Server::start("SeaweedFS", |dir, port| {
            std::fs::create_dir(dir.join("d")).expect("a folder");
            write(&dir.join("s3.json"), &identities()).expect("written");
            let mut words = vec![installed("weed").into_os_string()];
            words
                .extend(["server", "-ip", "127.0.0.1", "-ip.bind", "127.0.0.1", "-dir", "d"].map(Into::into));
            words.extend(
                ["-s3", "-s3.config", "s3.json", "-s3.port.iceberg=0", "-s3.port.lance=0"].map(Into::into),
            );
            words.extend(["-master.telemetry=false", "-volume.max=100"].map(Into::into));
            let ports = [
                format!("-master.port={master}"),
                format!("-volume.port={volume}"),
                format!("-filer.port={filer}"),
                format!("-s3.port={port}"),
                format!("-s3.port.grpc={}", free_port()),
            ];
            words.extend(ports.map(Into::into));
            words
        });
        wait_for_bucket(filer, || server.log());
        SeaweedFs { server, filer }
    })
}

pub fn rclone_server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        Server::start("rclone", |dir, port| {
            std::fs::create_dir_all(dir.join("files").join(BUCKET)).expect("a bucket");
            let mut words = vec![installed("rclone").into_os_string()];
            words.extend(["serve", "s3", "--config", "", "--vfs-cache-mode", "off"].map(Into::into));
            words.extend(["--auth-key".into(), format!("{ACCESS_KEY},{SECRET_KEY}").into()]);
            words.extend(["--addr".into(), format!("127.0.0.1:{port}").into(), "files".into()]);
            words
        })
    })
}

/// A folder that rclone serves: it remembers what is in it, so even what comes from behind goes
/// through it.
struct Rclone {
    disk: Disk,
    prefix: String,
    port: u16,
}

impl ServerFiles for Rclone {
    fn contents(&self, path: &str) -> Option<Vec<u8>> {
        self.disk.contents(path)
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let server = format!("http://127.0.0.1:{}", self.port).parse().expect("an address");
        let bucket = Bucket::new(server, UrlStyle::Path, BUCKET, "us-east-1").expect("a bucket");
        let who = Credentials::new(ACCESS_KEY, SECRET_KEY);
        let object = format!("{}/{path}", self.prefix);
        let signed = bucket.put_object(Some(&who), &object).sign(READY_WITHIN);
        let target = &signed[url::Position::BeforePath..];
        let (status, said) = ask(self.port, "PUT", target, &[], bytes);
        assert_eq!(status, 200, "{path}: {}", String::from_utf8_lossy(&said));
    }

    fn files(&self) -> Vec<String> {
        self.disk.files()
    }
}

pub fn address(port: u16, prefix: &str) -> String {
    format!("s3://{BUCKET}/{prefix}?endpoint=http://127.0.0.1:{port}&style=path")
}

/// A folder of the bucket for one case.
pub fn fresh() -> String {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    format!("case-{}", NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A folder of a bucket, added as a person does.
pub async fn on(address: String, behind: Box<dyn ServerFiles>) -> Site {
    let secret = format!("{ACCESS_KEY}:{SECRET_KEY}");
    let mut site = site(DestinationKind::S3, &address, Some(&secret), behind).await;
    site.has_temps = false;
    site.reads_again = true;
    site
}

/// The address of a folder on SeaweedFS.
pub fn weed_address(prefix: &str) -> String {
    address(weed_server().server.port, prefix)
}

/// SeaweedFS.
pub async fn weed() -> Site {
    let (weed, prefix) = (weed_server(), fresh());
    let root = format!("/buckets/{BUCKET}/{prefix}");
    on(address(weed.server.port, &prefix), Box::new(Filer { port: weed.filer, root })).await
}

/// `rclone serve s3`.
pub async fn rclone() -> Site {
    let (server, prefix) = (rclone_server(), fresh());
    let root: PathBuf = server.dir.join("files").join(BUCKET).join(&prefix);
    let behind = Rclone { disk: Disk::at(root), prefix: prefix.clone(), port: server.port };
    on(address(server.port, &prefix), Box::new(behind)).await
}

/// The bucket of a fake.
struct Fake(Arc<FaultServer>);

impl ServerFiles for Fake {
    fn contents(&self, path: &str) -> Option<Vec<u8>> {
        self.0.bucket().contents(&in_fake(path))
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        self.0.bucket().put(&in_fake(path), bytes);
    }

    fn files(&self) -> Vec<String> {
        let objects = self.0.bucket().objects();
        objects.iter().filter_map(|name| name.strip_prefix(&in_fake(""))).map(str::to_owned).collect()
    }
}

/// What a key is called in the bucket of a fake.
pub fn in_fake(key: &str) -> String {
    format!("photos/{key}")
}

/// The address of a fake.
pub fn fake_address(server: &FaultServer) -> String {
    format!("s3://{BUCKET}/photos?endpoint=http://{}&style=path", server.host())
}

/// Fakes that check all that they are sent, or nothing.
pub fn strict() -> BucketBehavior {
    BucketBehavior::strict(ACCESS_KEY, SECRET_KEY)
}

/// See [`strict`].
pub fn careless() -> BucketBehavior {
    BucketBehavior::careless(ACCESS_KEY, SECRET_KEY)
}

/// A fake S3 server of our own.
pub async fn fake(behavior: BucketBehavior) -> Site {
    fake_with(behavior).await.0
}

/// The same, and the server behind it.
pub async fn fake_with(behavior: BucketBehavior) -> (Site, Arc<FaultServer>) {
    let server = Arc::new(FaultServer::s3(BUCKET, behavior));
    let secret = format!("{ACCESS_KEY}:{SECRET_KEY}");
    let behind = Box::new(Fake(Arc::clone(&server)));
    let mut site = site(DestinationKind::S3, &fake_address(&server), Some(&secret), behind).await;
    site.has_temps = false;
    site.reads_again = true;
    (site, server)
}

/// Unfinished uploads in the bucket of SeaweedFS, as its filer has them.
pub fn unfinished_uploads() -> Vec<String> {
    let names = entries(weed_server().filer, &format!("/buckets/{BUCKET}/.uploads")).into_iter();
    names.map(|(name, _is_folder)| name).collect()
}

/// A folder as SeaweedFS's filer shows it, past everything that speaks S3.
pub struct Filer {
    /// Where the filer speaks plain HTTP.
    pub port: u16,
    /// The folder, with the bucket's path.
    pub root: String,
}

impl ServerFiles for Filer {
    fn contents(&self, path: &str) -> Option<Vec<u8>> {
        let (status, body) = ask(self.port, "GET", &escaped(&format!("{}/{path}", self.root)), &[], b"");
        (status == 200).then_some(body)
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let fields = [("Content-Type", "application/octet-stream")];
        let path = escaped(&format!("{}/{path}", self.root));
        let (status, said) = ask(self.port, "PUT", &path, &fields, bytes);
        assert!((200..300).contains(&status), "{path}: {status} {}", String::from_utf8_lossy(&said));
    }

    fn files(&self) -> Vec<String> {
        let mut files = Vec::new();
        list(self.port, &self.root, "", &mut files);
        files.sort();
        files
    }
}

/// The names in a folder of a filer, and whether each is a folder.
fn entries(filer: u16, folder: &str) -> Vec<(String, bool)> {
    let path = format!("{}/?limit=100000", escaped(folder));
    let (status, body) = ask(filer, "GET", &path, &[("Accept", "application/json")], b"");
    if status == 404 {
        return Vec::new();
    }
    let page: serde_json::Value = serde_json::from_slice(&body).expect("a listing");
    let entry = |entry: &serde_json::Value| {
        let path = Path::new(entry["FullPath"].as_str().expect("a path"));
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        // The bit by which Go marks folders.
        (name, entry["Mode"].as_u64().unwrap_or(0) & (1 << 31) != 0)
    };
    page["Entries"].as_array().map(|entries| entries.iter().map(entry).collect()).unwrap_or_default()
}

fn list(filer: u16, folder: &str, below: &str, files: &mut Vec<String>) {
    for (name, is_folder) in entries(filer, folder) {
        let path = format!("{below}{name}");
        if is_folder {
            list(filer, &format!("{folder}/{name}"), &format!("{path}/"), files);
        } else {
            files.push(path);
        }
    }
}
