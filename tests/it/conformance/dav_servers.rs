//! More WebDAV servers that Safelight was not built with: WsgiDAV, sabre/dav and dufs.

use std::sync::OnceLock;

use safelight::domain::target::DestinationKind;

use super::servers::{PASSWORD, USER, fresh, served, site};
use super::site::Site;
use crate::support::server::{Server, installed, installed_beside, write};

/// WsgiDAV on cheroot, with a password.
pub fn wsgidav_server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        Server::start("WsgiDAV", |dir, port| {
            let config = serde_json::json!({
                "host": "127.0.0.1",
                "port": port,
                "provider_mapping": { "/": served(dir) },
                "simple_dc": { "user_mapping": { "*": { USER: { "password": PASSWORD } } } },
                "http_authenticator": {
                    "accept_basic": true, "accept_digest": false, "default_to_digest": false
                },
                "verbose": 1,
            });
            write(&dir.join("wsgidav.json"), &config.to_string()).expect("written");
            [
                installed("wsgidav").into_os_string(),
                "--config".into(),
                dir.join("wsgidav.json").into_os_string(),
            ]
        })
    })
}

pub async fn wsgidav() -> Site {
    let server = wsgidav_server();
    let (name, behind) = fresh(server);
    let address = format!("webdav+http://{USER}@127.0.0.1:{}/{name}", server.port);
    let mut site = site(DestinationKind::WebDav, &address, Some(PASSWORD), Box::new(behind)).await;
    site.keeps_cut = true;
    site
}

/// What PHP says of an old library on a new PHP must not get into the answers.
const SABRE: &str = r"<?php
error_reporting(0);
require 'Sabre/autoload.php';
$server = new Sabre\DAV\Server(new Sabre\DAV\FS\Directory(getenv('FILES')));
$server->setBaseUri('/');
$server->exec();
";

/// sabre/dav on PHP's own server; it lets everyone in.
pub fn sabre_server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        Server::start("sabre/dav", |dir, port| {
            write(&dir.join("server.php"), SABRE).expect("written");
            let mut words: Vec<std::ffi::OsString> = vec!["env".into(), "PHP_CLI_SERVER_WORKERS=4".into()];
            words.push(format!("FILES={}", served(dir).display()).into());
            words.extend(
                ["php", "-d", "display_errors=0", "-d", "enable_post_data_reading=0", "-S"].map(Into::into),
            );
            words.extend([format!("127.0.0.1:{port}").into(), dir.join("server.php").into_os_string()]);
            words
        })
    })
}

pub async fn sabre() -> Site {
    let server = sabre_server();
    let (name, behind) = fresh(server);
    let address = format!("webdav+http://127.0.0.1:{}/{name}", server.port);
    site(DestinationKind::WebDav, &address, None, Box::new(behind)).await
}

/// dufs, which is compiled by `tests/release`.
pub fn dufs_server() -> &'static Server {
    static SERVER: OnceLock<Server> = OnceLock::new();
    SERVER.get_or_init(|| {
        Server::start("dufs", |dir, port| {
            let files = served(dir);
            let mut words = vec![installed_beside("cargo/bin/dufs").into_os_string()];
            words.extend(["--bind", "127.0.0.1", "--allow-all", "--port"].map(Into::into));
            words.extend([port.to_string().into(), files.into_os_string()]);
            words
        })
    })
}

pub async fn dufs() -> Site {
    let server = dufs_server();
    let (name, behind) = fresh(server);
    let address = format!("webdav+http://127.0.0.1:{}/{name}", server.port);
    let mut site = site(DestinationKind::WebDav, &address, None, Box::new(behind)).await;
    (site.keeps_cut, site.removes_late) = (true, true);
    site
}
