//! moto, a mock of Amazon's services: strict about requests, and odd in its answers.

use std::sync::OnceLock;
use std::time::Duration;

use rusty_s3::actions::ListObjectsV2;
use rusty_s3::{Bucket, Credentials, S3Action as _, UrlStyle};

use super::s3::{ACCESS_KEY, BUCKET, SECRET_KEY, address, fresh, on};
use super::site::{ServerFiles, Site};
use crate::support::plain_http::ask;
use crate::support::server::{Server, installed};

const SIGNED_FOR: Duration = Duration::from_secs(600);

/// The server, with an empty bucket.
pub fn moto_server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        let server = Server::start("moto", |_dir, port| {
            let mut words = vec![installed("moto_server").into_os_string()];
            words.extend(["-H".into(), "127.0.0.1".into(), "-p".into(), port.to_string().into()]);
            words
        });
        let door = BucketFiles { port: server.port, prefix: String::new() };
        let made = door.bucket().create_bucket(&door.who()).sign(SIGNED_FOR);
        assert_eq!(door.ask("PUT", &made, b"").0, 200, "a bucket");
        server
    })
}

/// The bucket as its owner sees it.
pub struct BucketFiles {
    port: u16,
    /// The folder of a case, with a slash at its end.
    prefix: String,
}

impl BucketFiles {
    fn bucket(&self) -> Bucket {
        let server = format!("http://127.0.0.1:{}", self.port).parse().expect("an address");
        Bucket::new(server, UrlStyle::Path, BUCKET, "us-east-1").expect("a bucket")
    }

    fn who(&self) -> Credentials {
        Credentials::new(ACCESS_KEY, SECRET_KEY)
    }

    fn ask(&self, method: &str, signed: &url::Url, body: &[u8]) -> (u16, Vec<u8>) {
        ask(self.port, method, &signed[url::Position::BeforePath..], &[], body)
    }
}

impl ServerFiles for BucketFiles {
    fn contents(&self, path: &str) -> Option<Vec<u8>> {
        let (object, who) = (format!("{}{path}", self.prefix), self.who());
        let (status, body) =
            self.ask("GET", &self.bucket().get_object(Some(&who), &object).sign(SIGNED_FOR), b"");
        (status == 200).then_some(body)
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        let (object, who) = (format!("{}{path}", self.prefix), self.who());
        let signed = self.bucket().put_object(Some(&who), &object).sign(SIGNED_FOR);
        assert_eq!(self.ask("PUT", &signed, bytes).0, 200, "{path}");
    }

    fn files(&self) -> Vec<String> {
        let (bucket, who) = (self.bucket(), self.who());
        let mut list = bucket.list_objects_v2(Some(&who));
        list.with_prefix(self.prefix.clone());
        let (status, body) = self.ask("GET", &list.sign(SIGNED_FOR), b"");
        assert_eq!(status, 200, "listed");
        let page =
            ListObjectsV2::parse_response(std::str::from_utf8(&body).expect("UTF-8")).expect("a listing");
        let names =
            page.contents.into_iter().filter_map(|one| one.key.strip_prefix(&self.prefix).map(str::to_owned));
        let mut files: Vec<String> = names.collect();
        files.sort();
        files
    }
}

/// A folder of the bucket.
pub fn moto_folder(prefix: &str) -> BucketFiles {
    BucketFiles { port: moto_server().port, prefix: format!("{prefix}/") }
}

pub async fn moto() -> Site {
    let (server, prefix) = (moto_server(), fresh());
    on(address(server.port, &prefix), Box::new(moto_folder(&prefix))).await
}
