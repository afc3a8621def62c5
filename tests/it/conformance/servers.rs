//! The suite's places on servers: the real ones, each started once for all cases, and fakes with
//! behavior that none of the real ones here has.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use safelight::base::clock::SystemClock;
use safelight::base::executor::Executor;
use safelight::base::memory_secrets::MemorySecrets;
use safelight::base::rng::SystemRng;
use safelight::base::secret::Secret;
use safelight::destination::Capabilities;
use safelight::destination::connect::{Address, Connect as _, Connector};
use safelight::destination::credentials::SecretSources;
use safelight::destination::http::{Client, Settings};
use safelight::domain::target::DestinationKind;

use super::site::{CLEARED_WITHIN, Disk, INSTALLATION, ServerFiles, Site};
use crate::fakes::dav::{Behavior, Etag};
use crate::fakes::fault_server::FaultServer;
use crate::fakes::nextcloud::NextcloudBehavior;
use crate::support::server::{Server, installed, write};
use crate::support::wait::wait_until;

pub const USER: &str = "ann";
pub const PASSWORD: &str = "correct horse";

/// Everything that the engine has for destinations on servers.
pub fn connector() -> Connector {
    Connector::new(
        Executor::threads("test", 4).expect("threads"),
        Arc::new(SystemRng),
        Arc::new(SystemClock),
        Arc::new(Client::new(Settings::default())),
        SecretSources { store: Arc::new(MemorySecrets::default()), environment: Arc::new(|_name| None) },
    )
}

/// Adds a destination as a person does, and gives the place.
pub async fn site(
    kind: DestinationKind,
    address: &str,
    secret: Option<&str>,
    behind: Box<dyn ServerFiles>,
) -> Site {
    let connector = connector();
    let mut address = Address::new(kind, address.as_bytes().to_vec());
    address.secret = secret.map(|text| Secret::new(text.to_owned()));
    let (_destination, capabilities) = connector.create(&address, INSTALLATION).await.expect("created");
    // A later run has the secret from the keyring.
    let saved = Address { secret: None, capabilities: Some(capabilities.clone()), ..address };
    let opener = move |uuid: Option<&str>| {
        let capabilities = saved.capabilities.clone().map(|known| match uuid {
            Some(uuid) => Capabilities { uuid: uuid.to_owned(), ..known },
            None => known,
        });
        connector.open(&Address { capabilities, ..saved.clone() }, INSTALLATION).expect("opened")
    };
    Site::of(behind, Box::new(opener), capabilities)
}

/// The store of a fake, below the destination's folder.
struct Fake(Arc<FaultServer>);

impl ServerFiles for Fake {
    fn contents(&self, path: &str) -> Option<Vec<u8>> {
        self.0.dav().contents(&format!("photos/{path}"))
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        self.0.dav().put(&format!("photos/{path}"), bytes);
    }

    fn files(&self) -> Vec<String> {
        let files = self.0.dav().files();
        files.iter().filter_map(|path| path.strip_prefix("photos/")).map(str::to_owned).collect()
    }
}

/// A fake WebDAV server of our own.
pub async fn dav(behavior: Behavior) -> Site {
    dav_with(behavior).await.0
}

/// The same, and the server behind it.
pub async fn dav_with(behavior: Behavior) -> (Site, Arc<FaultServer>) {
    let behavior = Behavior { login: Some((USER.to_owned(), PASSWORD.to_owned())), ..behavior };
    let keeps_cut = behavior.keeps_cut;
    let server = Arc::new(FaultServer::start(behavior));
    let address = format!("webdav+http://{USER}@{}/dav/photos", server.host());
    let behind = Box::new(Fake(Arc::clone(&server)));
    let mut site = site(DestinationKind::WebDav, &address, Some(PASSWORD), behind).await;
    site.keeps_cut = keeps_cut;
    (site, server)
}

/// A fake Nextcloud of our own, with this much room.
pub async fn nextcloud(behavior: NextcloudBehavior) -> Site {
    nextcloud_with(behavior, u64::MAX / 4).await.0
}

/// The same with this many bytes of room, and the server behind it.
pub async fn nextcloud_with(behavior: NextcloudBehavior, space: u64) -> (Site, Arc<FaultServer>) {
    let path = behavior.root.clone();
    let server = Arc::new(FaultServer::nextcloud(USER, PASSWORD, space, behavior));
    let address = format!("nextcloud+http://{USER}@{}{path}/photos", server.host());
    let behind = Box::new(Fake(Arc::clone(&server)));
    let mut site = site(DestinationKind::Nextcloud, &address, Some(PASSWORD), behind).await;
    site.reads_again = true;
    (site, server)
}

/// An older one, below a path, that computes no checksums.
pub fn older() -> NextcloudBehavior {
    NextcloudBehavior { root: "/nextcloud".to_owned(), recalculates: false, ..NextcloudBehavior::default() }
}

/// An ownCloud, which compares checksums and knows no SHA-256, and says which it knows.
pub fn own_cloud() -> NextcloudBehavior {
    let offers = &["SHA1", "MD5", "ADLER32"];
    NextcloudBehavior { recalculates: false, compares: true, offers, ..NextcloudBehavior::default() }
}

/// The same below a path, which names only a checksum that Safelight does not make.
pub fn own_cloud_with_adler() -> NextcloudBehavior {
    NextcloudBehavior { root: "/owncloud".to_owned(), offers: &["ADLER32"], ..own_cloud() }
}

/// A server that replaces whatever it is told not to, keeps cut uploads and knows no ETag.
pub fn careless() -> Behavior {
    Behavior {
        replaces: true,
        heeds_if_none_match: false,
        keeps_cut: true,
        etag: Etag::None,
        ..Behavior::default()
    }
}

/// A server on a file system that takes upper and lower case for one.
pub fn folding() -> Behavior {
    Behavior { folds_case: true, etag: Etag::Opaque, ..Behavior::default() }
}

/// A folder on a shared server for one case.
pub fn fresh(server: &Server) -> (String, Disk) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let name = format!("case-{}", NEXT.fetch_add(1, Ordering::Relaxed));
    let root = server.dir.join("files").join(&name);
    (name, Disk::at(root))
}

/// A folder that Apache serves: what it writes into for the moment is its own.
pub struct Apache(pub Disk);

impl ServerFiles for Apache {
    fn contents(&self, path: &str) -> Option<Vec<u8>> {
        self.0.contents(path)
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        self.0.put(path, bytes);
    }

    fn files(&self) -> Vec<String> {
        let is_apache_s = |path: &String| path.contains("/.davfs.tmp");
        wait_until(
            "Apache clears away a cut upload",
            CLEARED_WITHIN,
            || self.0.files(),
            |files| !files.iter().any(is_apache_s),
        )
    }
}

/// A folder that rclone serves: it remembers what is in it, so even what comes from behind goes
/// through it.
struct Rclone {
    disk: Disk,
    /// The folder's path on the server.
    path: String,
    server: &'static Server,
}

impl Rclone {
    fn ask(&self, method: &str, path: &str, body: &[u8]) {
        use base64::Engine as _;
        use std::io::{Read as _, Write as _};
        let login = base64::engine::general_purpose::STANDARD.encode(format!("{USER}:{PASSWORD}"));
        let path =
            percent_encoding::utf8_percent_encode(path, percent_encoding::NON_ALPHANUMERIC).to_string();
        let path = path.replace("%2F", "/");
        let head = format!(
            "{method} /{}/{path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Basic {login}\r\n\
             Content-Length: {}\r\nConnection: close\r\n\r\n",
            self.path,
            body.len()
        );
        let mut stream = std::net::TcpStream::connect(("127.0.0.1", self.server.port)).expect("connected");
        stream.write_all(&[head.as_bytes(), body].concat()).expect("sent");
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).expect("answered");
    }
}

impl ServerFiles for Rclone {
    fn contents(&self, path: &str) -> Option<Vec<u8>> {
        self.disk.contents(path)
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        for (slash, _) in path.match_indices('/') {
            self.ask("MKCOL", &path[..slash], b"");
        }
        self.ask("PUT", path, bytes);
        assert_eq!(self.disk.contents(path).as_deref(), Some(bytes), "rclone did not take {path}");
    }

    fn files(&self) -> Vec<String> {
        self.disk.files()
    }
}

pub fn served(dir: &std::path::Path) -> std::path::PathBuf {
    use std::os::unix::fs::PermissionsExt as _;
    let files = dir.join("files");
    std::fs::create_dir(&files).expect("a folder");
    std::fs::set_permissions(&files, std::fs::Permissions::from_mode(0o777)).expect("opened");
    files
}

/// Apache with mod_dav, and a password.
pub fn apache_server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        Server::start("apache2", |dir, port| {
            served(dir);
            let users = format!("{USER}:{{SHA}}{}\n", base64_sha1(PASSWORD));
            write(&dir.join("users"), &users).expect("written");
            let config = APACHE.replace("DIR", &dir.to_string_lossy()).replace("PORT", &port.to_string());
            write(&dir.join("httpd.conf"), &config).expect("written");
            ["apache2".into(), "-DFOREGROUND".into(), "-f".into(), dir.join("httpd.conf").into_os_string()]
        })
    })
}

const APACHE: &str = r#"
ServerRoot "DIR"
ServerName 127.0.0.1
Listen 127.0.0.1:PORT
PidFile "DIR/pid"
ErrorLog "DIR/log"
LoadModule mpm_event_module /usr/lib/apache2/modules/mod_mpm_event.so
LoadModule authn_core_module /usr/lib/apache2/modules/mod_authn_core.so
LoadModule authn_file_module /usr/lib/apache2/modules/mod_authn_file.so
LoadModule authz_core_module /usr/lib/apache2/modules/mod_authz_core.so
LoadModule authz_user_module /usr/lib/apache2/modules/mod_authz_user.so
LoadModule auth_basic_module /usr/lib/apache2/modules/mod_auth_basic.so
LoadModule dav_module /usr/lib/apache2/modules/mod_dav.so
LoadModule dav_fs_module /usr/lib/apache2/modules/mod_dav_fs.so
<IfModule !unixd_module>
LoadModule unixd_module /usr/lib/apache2/modules/mod_unixd.so
</IfModule>
User www-data
Group www-data
Timeout 30
DocumentRoot "DIR/files"
DavLockDB "DIR/files/.lock"
<Directory "DIR/files">
    Dav On
    AuthType Basic
    AuthName "test"
    AuthUserFile "DIR/users"
    Require valid-user
</Directory>
"#;

fn base64_sha1(text: &str) -> String {
    use base64::Engine as _;
    use sha1::Digest as _;
    base64::engine::general_purpose::STANDARD.encode(sha1::Sha1::digest(text.as_bytes()))
}

/// The address of a folder on Apache.
pub fn apache_address(folder: &str) -> String {
    format!("webdav+http://{USER}@127.0.0.1:{}/{folder}", apache_server().port)
}

pub async fn apache() -> Site {
    let server = apache_server();
    let (name, behind) = fresh(server);
    site(DestinationKind::WebDav, &apache_address(&name), Some(PASSWORD), Box::new(Apache(behind))).await
}

/// nginx with its own WebDAV module and the one that adds PROPFIND; it lets everyone in.
pub fn nginx_server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        Server::start("nginx", |dir, port| {
            served(dir);
            let config = NGINX.replace("DIR", &dir.to_string_lossy()).replace("PORT", &port.to_string());
            write(&dir.join("nginx.conf"), &config).expect("written");
            let config = dir.join("nginx.conf").into_os_string();
            ["nginx".into(), "-p".into(), dir.as_os_str().to_owned(), "-c".into(), config]
        })
    })
}

const NGINX: &str = r#"
load_module /usr/lib/nginx/modules/ngx_http_dav_ext_module.so;
daemon off;
pid DIR/pid;
error_log DIR/log;
user www-data;
worker_processes 1;
events { worker_connections 256; }
http {
    access_log off;
    client_body_temp_path DIR/body;
    proxy_temp_path DIR/proxy;
    fastcgi_temp_path DIR/fastcgi;
    uwsgi_temp_path DIR/uwsgi;
    scgi_temp_path DIR/scgi;
    dav_ext_lock_zone zone=locks:1m;
    server {
        listen 127.0.0.1:PORT;
        root DIR/files;
        client_max_body_size 0;
        dav_methods PUT DELETE MKCOL COPY MOVE;
        dav_ext_methods PROPFIND OPTIONS;
        dav_access user:rw group:rw all:rw;
        create_full_put_path off;
    }
}
"#;

pub async fn nginx() -> Site {
    let server = nginx_server();
    let (name, behind) = fresh(server);
    let address = format!("webdav+http://127.0.0.1:{}/{name}", server.port);
    let mut site = site(DestinationKind::WebDav, &address, None, Box::new(behind)).await;
    site.hides_dots = true;
    site
}

/// `rclone serve webdav`, with a password.
pub fn rclone_server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        Server::start("rclone", |dir, port| {
            let files = served(dir);
            let mut words = vec![installed("rclone").into_os_string()];
            words.extend(["serve", "webdav", "--etag-hash", "MD5"].map(Into::into));
            words.extend(["--user", USER, "--pass", PASSWORD, "--config", "none"].map(Into::into));
            words.extend(["--addr".into(), format!("127.0.0.1:{port}").into(), files.into_os_string()]);
            words
        })
    })
}

pub async fn rclone() -> Site {
    let server = rclone_server();
    let (path, disk) = fresh(server);
    let address = format!("webdav+http://{USER}@127.0.0.1:{}/{path}", server.port);
    let behind = Box::new(Rclone { disk, path, server });
    let mut site = site(DestinationKind::WebDav, &address, Some(PASSWORD), behind).await;
    site.keeps_cut = true;
    site
}
