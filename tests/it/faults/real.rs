//! The same table over real servers, which `tests/release` runs: what the fakes stand for.

use std::io::Write as _;

use safelight::domain::target::DestinationKind;

use super::servers::{ProxiedServer, StoredFiles};
use super::{cells, table};
use crate::conformance::dav_servers::{dufs_server, sabre_server, wsgidav_server};
use crate::conformance::s3::{BUCKET, Filer, fresh as fresh_prefix, weed_server};
use crate::conformance::s3_mock::{moto_folder, moto_server};
use crate::conformance::servers::{Apache, USER, apache_server, fresh, nginx_server, rclone_server};
use crate::conformance::site::ServerFiles;
use crate::conformance::uploads::{Rustus, rustus_server, tus_case, tus_server};
use crate::support::server::Server;

/// A folder on a real server.
struct Real {
    port: u16,
    kind: DestinationKind,
    /// Its path on the server, or its prefix in the bucket.
    path: String,
    files: Box<dyn ServerFiles>,
}

impl ProxiedServer for Real {
    fn port(&self) -> u16 {
        self.port
    }

    fn target(&self, host: &str) -> String {
        let Self { kind, path, .. } = self;
        match kind {
            DestinationKind::S3 => format!("s3://{BUCKET}/{path}?endpoint=http://{host}&style=path"),
            DestinationKind::Tus => format!("tus+http://{host}/{path}"),
            // Where everybody is let in, a name does no harm.
            _ => format!("webdav+http://{USER}@{host}/{path}"),
        }
    }

    fn stored_files(&self) -> StoredFiles {
        let mut kept = StoredFiles::default();
        for path in self.files.files() {
            kept.add(&path, &self.files.contents(&path).unwrap_or_default());
        }
        kept
    }

    fn has_uploads_beside(&self) -> bool {
        self.path.starts_with("files/case-")
    }

    fn has_real_clock(&self) -> bool {
        self.kind == DestinationKind::S3
    }
}

fn folder_on(server: &'static Server, path: String, files: Box<dyn ServerFiles>) -> Box<dyn ProxiedServer> {
    Box::new(Real { port: server.port, kind: DestinationKind::WebDav, path, files })
}

fn disk_on(server: &'static Server) -> Box<dyn ProxiedServer> {
    let (path, disk) = fresh(server);
    folder_on(server, path, Box::new(disk))
}

fn apache() -> Box<dyn ProxiedServer> {
    let (path, disk) = fresh(apache_server());
    folder_on(apache_server(), path, Box::new(Apache(disk)))
}

fn seaweed() -> Box<dyn ProxiedServer> {
    let (weed, path) = (weed_server(), fresh_prefix());
    let files = Box::new(Filer { port: weed.filer, root: format!("/buckets/{BUCKET}/{path}") });
    Box::new(Real { port: weed.server.port, kind: DestinationKind::S3, path, files })
}

fn moto() -> Box<dyn ProxiedServer> {
    let path = fresh_prefix();
    let files = Box::new(moto_folder(&path));
    Box::new(Real { port: moto_server().port, kind: DestinationKind::S3, path, files })
}

fn real_tus() -> Box<dyn ProxiedServer> {
    let (path, store) = tus_case();
    Box::new(Real { port: tus_server().port, kind: DestinationKind::Tus, path, files: Box::new(store) })
}

fn rustus() -> Box<dyn ProxiedServer> {
    let server = rustus_server();
    let (port, path) = (server.port, "files/".to_owned());
    Box::new(Real { port, kind: DestinationKind::Tus, path, files: Box::new(Rustus(server)) })
}

/// Whether the tables of real servers are to be made. They take minutes; `tests/release` asks for them.
fn is_asked_for(label: &str) -> bool {
    let is_asked = std::env::var_os("SAFELIGHT_REAL_FAULTS").is_some();
    if !is_asked {
        writeln!(std::io::stderr(), "{label}: skipped, takes minutes; tests/release runs it").ok();
    }
    is_asked
}

macro_rules! real_tables {
    ($($name:ident: $label:literal, $make:expr, $more:expr;)*) => {
        $(
            #[test]
            fn $name() {
                if is_asked_for($label) {
                    table($label, $make, $more);
                }
            }
        )*
    };
}

real_tables! {
    on_apache: "Apache", apache, &[];
    on_nginx: "nginx", || disk_on(nginx_server()), &[];
    on_rclone: "rclone", || disk_on(rclone_server()), &[];
    on_wsgidav: "WsgiDAV", || disk_on(wsgidav_server()), &[];
    on_sabre: "sabre/dav", || disk_on(sabre_server()), &[];
    on_dufs: "dufs", || disk_on(dufs_server()), &[];
    on_seaweed: "SeaweedFS", seaweed, cells::SIGNED;
    on_moto: "moto", moto, cells::SIGNED;
    on_tus_server: "@tus/server", real_tus, &[];
    on_rustus: "rustus", rustus, &[];
}
