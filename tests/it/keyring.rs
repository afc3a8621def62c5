//! Secrets in a real keyring: kept, found again by the next process, removed with their destination,
//! and told of when the keyring is locked.

use std::io::Write as _;
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use zbus::zvariant::{ObjectPath, OwnedObjectPath};

use crate::fakes::dav::Behavior;
use crate::fakes::fault_server::FaultServer;
use crate::support::backup::{files_below, tiny_jpeg};
use crate::support::bus::Bus;
use crate::support::process::Sandbox;
use crate::support::wait::wait_until;

const USER: &str = "ann";
const PLANTED: &str = "pl4nted-in-the-keyring";
const SERVICE: &str = "org.freedesktop.secrets";
const LOGIN: &str = "/org/freedesktop/secrets/collection/login";
/// How long the keyring may take to be there.
const READY_WITHIN: Duration = Duration::from_secs(60);

/// An unlocked keyring on a bus of its own, without a display to ask anybody on.
struct Keyring {
    daemon: Child,
    bus: Bus,
    runtime: tokio::runtime::Runtime,
}

impl Keyring {
    fn start(sandbox: &Sandbox) -> Self {
        let bus = Bus::start();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let mut daemon = Command::new("gnome-keyring-daemon")
            .args(["--unlock", "--components=secrets", "--foreground"])
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", sandbox.path("keys"))
            .env("XDG_RUNTIME_DIR", sandbox.path("run"))
            .env("DBUS_SESSION_BUS_ADDRESS", &bus.address)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("gnome-keyring-daemon is needed: tests/install gnome-keyring");
        daemon.stdin.take().expect("a pipe").write_all(b"test").expect("the keyring's password");
        let keyring = Self { daemon, bus, runtime };
        wait_until("the keyring is there", READY_WITHIN, || keyring.is_unlocked(), |is_there| *is_there);
        keyring
    }

    async fn connect(&self) -> zbus::Connection {
        let builder = zbus::connection::Builder::address(self.bus.address.as_str()).expect("an address");
        builder.build().await.expect("the bus")
    }

    fn is_unlocked(&self) -> bool {
        self.runtime.block_on(async {
            let connection = self.connect().await;
            let bus = zbus::fdo::DBusProxy::new(&connection).await.expect("the bus itself");
            // Asked by name first: a call would start another one.
            if !bus.name_has_owner(SERVICE.try_into().expect("a name")).await.unwrap_or(false) {
                return false;
            }
            let proxy =
                zbus::Proxy::new(&connection, SERVICE, LOGIN, "org.freedesktop.Secret.Collection").await;
            proxy.expect("a proxy").get_property::<bool>("Locked").await.is_ok_and(|is_locked| !is_locked)
        })
    }

    async fn service<T>(&self, method: &str, body: &T) -> zbus::Message
    where
        T: serde::Serialize + zbus::zvariant::DynamicType,
    {
        let connection = self.connect().await;
        let interface = Some("org.freedesktop.Secret.Service");
        let call = connection.call_method(Some(SERVICE), "/org/freedesktop/secrets", interface, method, body);
        call.await.expect("the keyring answers")
    }

    /// Runs the binary on this bus; `entered` comes through its standard input. Returns what it said.
    fn run(
        &self,
        sandbox: &Sandbox,
        outputs: &mut Vec<Output>,
        arguments: &[&str],
        entered: Option<&str>,
        expected: i32,
    ) -> String {
        let mut command = sandbox.command(arguments);
        command.env("DBUS_SESSION_BUS_ADDRESS", &self.bus.address);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().expect("it starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        if let Some(entered) = entered {
            stdin.write_all(format!("{entered}\n").as_bytes()).expect("entered");
        }
        drop(stdin);
        let output = child.wait_with_output().expect("it ends");
        let text = said(&output);
        assert_eq!(output.status.code(), Some(expected), "{arguments:?}: {text}");
        outputs.push(output);
        text
    }

    fn lock(&self) {
        let paths = vec![ObjectPath::try_from(LOGIN).expect("a path")];
        self.runtime.block_on(self.service("Lock", &(paths,)));
        assert!(!self.is_unlocked());
    }

    /// How many secrets of ours it holds.
    fn count(&self) -> usize {
        let ours = std::collections::HashMap::from([("service", "safelight")]);
        let found = self.runtime.block_on(self.service("SearchItems", &(ours,)));
        let (unlocked, locked): (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) =
            found.body().deserialize().expect("two lists");
        unlocked.len() + locked.len()
    }
}

impl Drop for Keyring {
    fn drop(&mut self) {
        self.daemon.kill().expect("the keyring can be stopped");
        self.daemon.wait().expect("the keyring has stopped");
    }
}

fn said(output: &Output) -> String {
    format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr))
}

fn add_photo(folder: &Path, number: u8) {
    std::fs::create_dir_all(folder).expect("a folder");
    let bytes = [tiny_jpeg(), vec![number]].concat();
    std::fs::write(folder.join(format!("{number}.jpg")), bytes).expect("a photo");
}

#[test]
fn a_password_outlives_the_process_and_goes_with_its_destination() {
    let sandbox = Sandbox::new();
    std::fs::create_dir(sandbox.path("keys")).expect("a folder");
    let server = FaultServer::start(Behavior {
        login: Some((USER.to_owned(), PLANTED.to_owned())),
        ..Behavior::default()
    });
    let keyring = Keyring::start(&sandbox);
    let mut outputs = Vec::new();
    let mut run = |arguments: &[&str], entered: Option<&str>, expected: i32| {
        keyring.run(&sandbox, &mut outputs, arguments, entered, expected)
    };
    let to = format!("webdav+http://{USER}@{}/dav/photos", server.host());
    let photos = sandbox.path("photos");
    let photos_text = photos.to_str().expect("UTF-8").to_owned();

    // A password that does not work is not kept.
    run(&["-vvv", "destination", "add", &to, "--name", "nas", "--password-stdin"], Some("wrong"), 3);
    assert_eq!(keyring.count(), 0);
    run(&["-vvv", "destination", "add", &to, "--name", "nas", "--password-stdin"], Some(PLANTED), 0);
    assert_eq!(keyring.count(), 1);
    add_photo(&photos, 1);
    run(&["-vvv", "backup", &photos_text, "--to", "nas"], None, 0);

    keyring.lock();
    add_photo(&photos, 2);
    let locked = run(&["-vvv", "backup", &photos_text, "--to", "nas"], None, 3);
    assert!(locked.contains("keyring is locked") && locked.contains("SAFELIGHT_PASSWORD_NAS"), "{locked}");
    let shown = run(&["status"], None, 3);
    assert!(shown.contains("keyring is locked") && shown.contains("Unlock it"), "{shown}");

    // A proxy's password is kept beside it.
    drop(keyring);
    let keyring = Keyring::start(&sandbox);
    let mut run = |arguments: &[&str], entered: Option<&str>, expected: i32| {
        keyring.run(&sandbox, &mut outputs, arguments, entered, expected)
    };
    let proxy = "http://bob@127.0.0.1:9";
    run(&["-vvv", "settings", "--proxy", proxy, "--proxy-password-stdin"], Some(PLANTED), 0);
    assert_eq!(keyring.count(), 2);
    run(&["-vvv", "backup", &photos_text, "--to", "nas"], None, 0);
    run(&["support", "--out", sandbox.path("support.json").to_str().expect("UTF-8")], None, 0);
    run(&["-vvv", "destination", "remove", "nas"], None, 0);
    assert_eq!(keyring.count(), 1, "only the proxy's is left");

    for output in &outputs {
        assert!(!said(output).contains(PLANTED), "{}", said(output));
    }
    // The keyring's own files are encrypted.
    let written = files_below(&sandbox.path("."));
    assert!(written.iter().any(|path| path.ends_with("support.json")), "{written:?}");
    for path in written {
        let bytes = std::fs::read(&path).unwrap_or_default();
        let found = bytes.windows(PLANTED.len()).any(|window| window == PLANTED.as_bytes());
        assert!(!found, "the password is in {}", path.display());
    }
}
