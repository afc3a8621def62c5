//! Network settings: certificates that are trusted or not, and proxies, on real connections.

use parking_lot::Mutex;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::Output;
use std::sync::Arc;
use std::time::{Duration, Instant};

use safelight::base::secret::Secret;
use safelight::destination::http::{
    Client, Http as _, HttpError, Method, NetworkConfig, ProxyChoice, Request, Settings, Url,
};
use safelight::domain::failure::{Failure, FailureKind, Reach};
use safelight::domain::messages::describe_failure;

use crate::fakes::dav::Behavior;
use crate::fakes::fault_server::FaultServer;
use crate::fakes::serve::{Handler, Handling, Running, answer, certificate};
use crate::support::backup::tiny_jpeg;
use crate::support::process::Sandbox;
use crate::support::wait::wait_until;

/// Says who answered.
struct GreetingServer;

impl Handler for GreetingServer {
    fn handle(&self, _request: hyper::Request<hyper::body::Incoming>) -> Handling<'_> {
        Box::pin(async { Ok(answer(200, "hello")) })
    }
}

fn pem(name: &str) -> Vec<u8> {
    std::fs::read(certificate(name)).expect("a certificate")
}

fn client(extra_ca: Vec<u8>, proxy: ProxyChoice) -> Client {
    Client::new(Settings { extra_ca, proxy, ..Settings::default() })
}

async fn ask(client: &Client, url: &str) -> Result<String, Failure> {
    let request = Request::new(Method::GET, Url::parse(url).expect("a URL"));
    let answer = match client.send(request).await {
        Ok(answer) => answer.read_to_end(1000).await,
        Err(error) => Err(error),
    };
    match answer {
        Ok(answer) => Ok(String::from_utf8_lossy(&answer.body).into_owned()),
        Err(HttpError::Failed(failure)) => Err(failure),
        Err(HttpError::Cancelled) => panic!("nobody stopped it"),
    }
}

#[tokio::test]
async fn a_certificate_is_trusted_once_its_authority_is_given() {
    let mut told = String::new();
    for (shown, given) in [
        ("good", "nothing"),
        ("good", "ca"),
        ("self-signed", "nothing"),
        ("self-signed", "self-signed"),
        ("expired", "ca"),
        ("other-name", "ca"),
        ("authority-as-server", "nothing"),
        ("authority-as-server", "authority-as-server"),
        ("authority-as-server", "ca"),
        ("authority-expired", "authority-expired"),
        ("authority-other-name", "authority-other-name"),
        ("good", "self-signed"),
    ] {
        let server = Running::start_tls(Arc::new(GreetingServer), shown);
        let extra = if given == "nothing" { Vec::new() } else { pem(given) };
        let client = client(extra, ProxyChoice::Direct);
        let outcome = ask(&client, &format!("https://{}/", server.address())).await;
        told += &format!("{shown}, {given} given\n");
        match outcome {
            Ok(said) => {
                assert_eq!(said, "hello");
                told += "  accepted\n";
            }
            Err(failure) => {
                assert_eq!(
                    (failure.kind, failure.reach),
                    (FailureKind::Tls, Reach::Destination),
                    "{failure}"
                );
                let message = describe_failure(&failure);
                told +=
                    &format!("  {}\n  {} [{}]\n", message.summary, message.advice, message.action.as_str());
            }
        }
    }
    insta::assert_snapshot!(told);
}

#[tokio::test]
async fn an_authority_that_is_given_later_holds_from_the_next_request_on() {
    let server = Running::start_tls(Arc::new(GreetingServer), "good");
    let url = format!("https://{}/", server.address());
    let client = client(Vec::new(), ProxyChoice::Direct);
    assert!(ask(&client, &url).await.is_err());
    let config =
        NetworkConfig { extra_ca: pem("ca"), proxy: ProxyChoice::Direct, ..NetworkConfig::default() };
    client.set_network_config(config).expect("it is applied");
    assert_eq!(ask(&client, &url).await.as_deref(), Ok("hello"));
    client
        .set_network_config(NetworkConfig { proxy: ProxyChoice::Direct, ..NetworkConfig::default() })
        .expect("it is applied");
    assert!(ask(&client, &url).await.is_err());
}

/// A proxy that leads every name to the same server, and remembers what it was asked.
struct Proxy {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
}

impl Proxy {
    /// `wants` is the `Proxy-Authorization` without which it lets nobody through.
    fn start(target: SocketAddr, wants: Option<&'static str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("bound");
        let asked = Arc::<Mutex<Vec<String>>>::default();
        let seen = Arc::clone(&asked);
        let accept = move || {
            // It ends with the test's process.
            for stream in listener.incoming().map_while(Result::ok) {
                let seen = Arc::clone(&seen);
                let pass = move || pass(stream, target, wants, &seen);
                std::thread::Builder::new().spawn(pass).expect("a thread");
            }
        };
        std::thread::Builder::new().name("proxy".to_owned()).spawn(accept).expect("a thread");
        Self { address, asked }
    }

    fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    fn asked(&self) -> Vec<String> {
        std::mem::take(&mut *self.asked.lock())
    }
}

fn pass(
    mut client: TcpStream,
    target: SocketAddr,
    wants: Option<&str>,
    asked: &Mutex<Vec<String>>,
) -> Option<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte).ok()?;
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let line = text.lines().next()?.to_owned();
    asked.lock().push(line.clone());
    let is_let_through = wants.is_none_or(|wants| text.lines().any(|line| line.ends_with(wants)));
    if !is_let_through {
        let refusal = "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
        return client.write_all(refusal.as_bytes()).ok();
    }
    if !line.starts_with("CONNECT ") {
        let said = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\nConnection: close\r\n\r\nthe proxy";
        return client.write_all(said.as_bytes()).ok();
    }
    let mut server = TcpStream::connect(target).ok()?;
    client.write_all(b"HTTP/1.1 200 OK\r\n\r\n").ok()?;
    let (mut from, mut to) = (client.try_clone().ok()?, server.try_clone().ok()?);
    let up = std::thread::Builder::new().spawn(move || std::io::copy(&mut from, &mut to)).ok()?;
    std::io::copy(&mut server, &mut client).ok();
    client.shutdown(std::net::Shutdown::Both).ok();
    up.join().ok()?.ok();
    Some(())
}

#[tokio::test]
async fn a_proxy_is_used_for_everybody_but_this_computer() {
    let server = Running::start_tls(Arc::new(GreetingServer), "good");
    let proxy = Proxy::start(server.address(), None);
    let through = ProxyChoice::Url { url: proxy.url(), login: None };
    let client = client(pem("ca"), through);
    assert_eq!(ask(&client, "https://photos.example/a").await.as_deref(), Ok("hello"));
    assert_eq!(proxy.asked(), ["CONNECT photos.example:443 HTTP/1.1"]);
    assert_eq!(ask(&client, "http://photos.example/a").await.as_deref(), Ok("the proxy"));
    assert_eq!(proxy.asked(), ["GET http://photos.example/a HTTP/1.1"]);
    let here = Running::start(Arc::new(GreetingServer));
    for url in [here.origin(), format!("http://localhost:{}", here.address().port())] {
        assert_eq!(ask(&client, &url).await.as_deref(), Ok("hello"), "{url}");
    }
    assert_eq!(ask(&client, &format!("https://{}/", server.address())).await.as_deref(), Ok("hello"));
    assert_eq!(proxy.asked(), Vec::<String>::new());
}

#[tokio::test]
async fn a_proxy_that_wants_a_sign_in_or_is_not_there_is_told_apart() {
    let server = Running::start_tls(Arc::new(GreetingServer), "good");
    // ann:planted
    let proxy = Proxy::start(server.address(), Some("Basic YW5uOnBsYW50ZWQ="));
    let by = |login: Option<(&str, &str)>| {
        let login = login.map(|(user, password)| (user.to_owned(), Secret::new(password.to_owned())));
        client(pem("ca"), ProxyChoice::Url { url: proxy.url(), login })
    };
    let let_in = by(Some(("ann", "planted")));
    assert_eq!(ask(&let_in, "https://photos.example/").await.as_deref(), Ok("hello"));
    assert_eq!(ask(&let_in, "http://photos.example/").await.as_deref(), Ok("the proxy"));
    let mut told = String::new();
    let nobody = TcpListener::bind("127.0.0.1:0").expect("a free port").local_addr().expect("bound");
    let gone = client(Vec::new(), ProxyChoice::Url { url: format!("http://{nobody}"), login: None });
    for (who, client) in [("nobody", by(None)), ("wrong", by(Some(("ann", "planted-wrong")))), ("gone", gone)]
    {
        let failure = ask(&client, "https://photos.example/").await.expect_err("refused");
        assert!(!failure.details.contains("planted"), "{failure}");
        let message = describe_failure(&failure);
        told += &format!("{who}: {} / {} [{}]\n", message.summary, message.advice, message.action.as_str());
    }
    insta::assert_snapshot!(told);
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

#[test]
fn what_is_set_on_the_command_line_is_checked_kept_and_used() {
    let server = Running::start_tls(Arc::new(GreetingServer), "good");
    let proxy = Proxy::start(server.address(), None);
    let sandbox = Sandbox::new();
    let run = |arguments: &[&str], expected: i32| {
        let output = sandbox.run(arguments);
        assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {}", said(&output));
        said(&output)
    };
    let wrong = sandbox.path("photo.jpg");
    std::fs::write(&wrong, b"\xff\xd8\xff").expect("written");
    let refused = run(&["settings", "--ca-file", wrong.to_str().expect("UTF-8")], 2);
    assert!(refused.contains("holds no certificate"), "{refused}");
    let refused = run(&["settings", "--proxy", "http://ann:planted@h:1"], 2);
    assert!(refused.contains("keyring") && !refused.contains("planted"), "{refused}");
    let refused = run(&["settings", "--upload-limit", "0.001"], 2);
    assert!(refused.contains("upload limit"), "{refused}");
    assert!(run(&["settings"], 0).contains("none"), "nothing was kept");

    let ca = certificate("ca");
    let (ca, via) = (ca.to_str().expect("UTF-8"), proxy.url());
    run(&["settings", "--ca-file", ca, "--proxy", &via, "--upload-limit", "2.5"], 0);
    // Another process has it from the database, and without that from config.json.
    for is_lost in [false, true] {
        if is_lost {
            std::fs::remove_file(sandbox.data_dir().join("safelight.db")).expect("removed");
        }
        let shown = run(&["settings", "--json"], 0);
        let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
        assert_eq!(shown["network"]["upload_limit"], 2_500_000);
        assert_eq!(shown["network"]["proxy"], via.as_str());
        assert_eq!(shown["network"]["ca_file"]["path"], ca);
    }
    // The server is no WebDAV server, but it is reached: through the proxy, and trusted.
    let tried = run(&["destination", "test", "webdav+https://photos.example/dav"], 3);
    assert!(!tried.contains("certificate"), "{tried}");
    assert!(proxy.asked().contains(&"CONNECT photos.example:443 HTTP/1.1".to_owned()));
    run(&["settings", "--ca-file", "none"], 0);
    let tried = run(&["destination", "test", "webdav+https://photos.example/dav"], 3);
    assert!(tried.contains("certificate"), "{tried}");
}

#[test]
fn the_environments_proxy_and_its_exceptions_hold() {
    let server = Running::start_tls(Arc::new(GreetingServer), "good");
    let proxy = Proxy::start(server.address(), None);
    let sandbox = Sandbox::new();
    let via = proxy.url();
    let ca = certificate("ca");
    let test = |variables: &[(&str, &str)]| {
        let mut command = sandbox.command(["destination", "test", "webdav+https://photos.example/dav"]);
        command.env("SAFELIGHT_CA_FILE", &ca).envs(variables.iter().copied());
        let output = command.output().expect("it runs");
        assert_eq!(output.status.code(), Some(3), "{}", said(&output));
        proxy.asked().len()
    };
    assert!(test(&[("HTTPS_PROXY", &via)]) > 0);
    assert_eq!(test(&[("HTTPS_PROXY", &via), ("NO_PROXY", "photos.example")]), 0);
    assert!(sandbox.run(&["settings", "--proxy", &via]).status.success());
    assert!(test(&[]) > 0);
    assert_eq!(test(&[("NO_PROXY", "photos.example")]), 0);
    assert!(sandbox.run(&["settings", "--proxy", "none"]).status.success());
    assert_eq!(test(&[("HTTPS_PROXY", &via)]), 0);
}

/// How long a transfer may take to begin, and to end without a limit: ten times what it does.
const CHANGED_WITHIN: Duration = Duration::from_secs(60);
/// A photo of so many bytes, and a limit of so many a second.
const LIMITED_BYTES: usize = 3_000_000;
const LIMIT: u64 = 1_000_000;

#[test]
fn the_upload_limit_holds_in_a_transfer_and_when_it_is_changed() {
    let (sandbox, server) = (Sandbox::new(), FaultServer::start(Behavior::default()));
    let photos = sandbox.path("photos");
    std::fs::create_dir(&photos).expect("a folder");
    let photo = |name: &str| {
        let bytes = [tiny_jpeg(), name.as_bytes().to_vec(), vec![7; LIMITED_BYTES]].concat();
        std::fs::write(photos.join(name), bytes).expect("a photo");
    };
    let run = |arguments: &[&str]| {
        let output = sandbox.run(arguments);
        assert_eq!(output.status.code(), Some(0), "{arguments:?}: {}", said(&output));
    };
    let to = format!("webdav+http://{}/dav/photos", server.host());
    run(&["destination", "add", &to, "--name", "nas"]);
    run(&["settings", "--upload-limit", "1"]);
    photo("slow.jpg");
    let began = Instant::now();
    run(&["backup", photos.to_str().expect("UTF-8"), "--to", "nas"]);
    // A quarter of a second's worth may go at once.
    let least = Duration::from_secs(LIMITED_BYTES as u64 / LIMIT).mul_f64(0.8);
    assert!(began.elapsed() > least, "{:?} for {LIMITED_BYTES} bytes at {LIMIT} a second", began.elapsed());

    // So slow that it would take hours; then the limit goes while the file is on its way.
    run(&["settings", "--upload-limit", "0.01"]);
    photo("changed.jpg");
    // What the queue tells of the file on its way.
    let sent = || {
        let queue = sandbox.run(&["queue", "--json"]);
        let shown = String::from_utf8_lossy(&queue.stdout).into_owned();
        let counts = shown.split("\"bytes_sent\":").skip(1);
        let digits =
            |rest: &str| rest.trim_start().chars().take_while(char::is_ascii_digit).collect::<String>();
        counts.filter_map(|rest| digits(rest).parse::<usize>().ok()).max().unwrap_or(0)
    };
    let backup = sandbox.command(["backup", photos.to_str().expect("UTF-8"), "--to", "nas"]);
    let mut backup = sandbox.spawn(backup);
    let begun = wait_until("some of it is sent", CHANGED_WITHIN, sent, |sent| *sent > 20_000);
    assert!(begun < LIMITED_BYTES / 2, "{begun} bytes are on their way already");
    run(&["settings", "--upload-limit", "off"]);
    assert!(backup.wait_for_end(CHANGED_WITHIN).success());
    assert_eq!(server.dav().files().iter().filter(|path| path.ends_with(".jpg")).count(), 2);
}
