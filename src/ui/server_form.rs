//! What a server needs to be told: one short form a kind, and the address made of it.
//!
//! An address never holds a password; that travels beside it and is forgotten with the form.

use eframe::egui::{Label, Ui};

use super::secret_input::SecretInput;
use super::theme::space;
use super::widgets;
use crate::api::SecretText;
use crate::domain::target::DestinationKind;

/// The longest text that a field takes, in bytes.
const FIELD_BYTES_MAX: usize = 1024;

/// What the choice of proof means.
pub(super) const CHECKSUM_CHOICE: &str = "Trust the server's checksum: copies count as safe without being read back. That saves downloads, \
     but does not notice a file that was damaged on the server's disk";

/// One field of a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Field {
    Server,
    Folder,
    Bucket,
    Region,
    User,
    Secret,
}

/// What was entered.
#[derive(Default)]
pub(super) struct ServerForm {
    server: String,
    folder: String,
    bucket: String,
    region: String,
    user: String,
    secret: SecretInput,
    /// The person has agreed to a connection that is not encrypted.
    pub allows_http: bool,
    /// Photos go into albums that have the names of their folders.
    has_albums: bool,
    /// The server's checksum counts as proof.
    trusts_checksum: bool,
}

impl std::fmt::Debug for ServerForm {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ServerForm").field("server", &self.server).finish_non_exhaustive()
    }
}

/// What a kind is and where its address and its password are found, in one or two sentences.
fn help(kind: DestinationKind) -> &'static str {
    match kind {
        DestinationKind::Folder => "A folder on another disk, or on a network drive that is connected",
        DestinationKind::Nextcloud => {
            "Create an app password for Safelight: in Nextcloud, open Settings, Security, Devices and sessions"
        }
        DestinationKind::WebDav => {
            "Any WebDAV server. Its help pages give the address; add the folder at the end"
        }
        DestinationKind::S3 => {
            "Any S3-compatible storage. The key must be allowed to list the bucket, and to read and write in the folder"
        }
        DestinationKind::Immich => {
            "Create a key in Immich, under Account settings, API keys. Give it all permissions, or choose: asset.upload is needed, asset.download to verify and restore, user.read to see the quota, asset.update for sidecars, asset.delete for the trash"
        }
        DestinationKind::Tus => "An upload server that supports tus 1.0",
        DestinationKind::Resumable => "A server that accepts resumable uploads over HTTP",
    }
}

/// The fields of a kind: which, what it is called, and what is shown while it is empty.
fn fields(kind: DestinationKind) -> &'static [(Field, &'static str, &'static str)] {
    use Field::{Bucket, Folder, Region, Secret, Server, User};
    match kind {
        DestinationKind::Folder => &[],
        DestinationKind::Nextcloud => &[
            (Server, "Server", "for example https://cloud.example"),
            (Folder, "Folder", "for example Photos"),
            (User, "User name", "for example ann"),
            (Secret, "App password", ""),
        ],
        DestinationKind::WebDav => &[
            (Server, "Address of the folder", "for example https://server.example/dav/photos"),
            (User, "User name", "for example ann"),
            (Secret, "Password", ""),
        ],
        DestinationKind::S3 => &[
            (Server, "Server", "for example https://s3.example"),
            (Bucket, "Bucket", "for example photos"),
            (Folder, "Folder in the bucket", "optional"),
            (Region, "Region", "for example us-east-1"),
            (User, "Access key ID", ""),
            (Secret, "Secret access key", ""),
        ],
        DestinationKind::Immich => {
            &[(Server, "Server", "for example https://photos.example"), (Secret, "API key", "")]
        }
        DestinationKind::Tus => &[
            (Server, "Address", "for example https://server.example/files"),
            (Secret, "Token, if it needs one", ""),
        ],
        DestinationKind::Resumable => &[
            (Server, "Address", "for example https://server.example/upload"),
            (Secret, "Token, if it needs one", ""),
        ],
    }
}

impl ServerForm {
    /// Help and fields. Whether something was changed, and whether Enter was pressed in a field.
    pub fn ui(&mut self, ui: &mut Ui, kind: DestinationKind) -> (bool, bool) {
        let (mut changed, mut entered) = (false, false);
        let text = widgets::weak(ui, help(kind));
        ui.add(Label::new(text).wrap());
        ui.add_space(space::XS);
        for (field, name, hint) in fields(kind) {
            let width = ui.available_width().min(420.0);
            widgets::caption(ui, name);
            let Some(text) = self.text(*field) else {
                let origin = self.origin();
                let (is_changed, is_entered) = self.secret.ui(ui, name, width, &origin);
                changed |= is_changed;
                entered |= is_entered;
                continue;
            };
            let before = text.clone();
            entered |= widgets::field(ui, text, name, hint, width);
            text.truncate(text.floor_char_boundary(FIELD_BYTES_MAX));
            changed |= *text != before;
        }
        let origin = self.origin();
        self.secret.set_origin(&origin);
        if kind == DestinationKind::Immich {
            changed |= self.albums_switch(ui);
            changed |= self.checksum_switch(ui);
        }
        if self.needs_agreement() {
            ui.add_space(space::XS);
            let before = self.allows_http;
            ui.horizontal(|ui| {
                let name = "Allow an unencrypted connection";
                if widgets::switch(ui, self.allows_http, name).clicked() {
                    self.allows_http = !self.allows_http;
                }
                let text = "Allow an unencrypted connection: others on the network could read the password and the photos";
                let text = widgets::note(ui, text);
                ui.add(Label::new(text).wrap());
            });
            changed |= self.allows_http != before;
        }
        (changed, entered)
    }

    fn albums_switch(&mut self, ui: &mut Ui) -> bool {
        ui.add_space(space::XS);
        let before = self.has_albums;
        ui.horizontal(|ui| {
            let name = "Albums named after folders";
            if widgets::switch(ui, self.has_albums, name).clicked() {
                self.has_albums = !self.has_albums;
            }
            let text = "Albums named after folders: the key then needs album.read, album.create and albumAsset.create too";
            let text = widgets::note(ui, text);
            ui.add(Label::new(text).wrap());
        });
        self.has_albums != before
    }

    /// Scheme, host and port: the server that a secret is typed for. Empty while there is no address.
    fn origin(&self) -> String {
        let server = self.server.trim();
        let (scheme, rest) = server.split_once("://").unwrap_or(("https", server));
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        if host.is_empty() { String::new() } else { format!("{scheme}://{host}").to_lowercase() }
    }

    /// Wipes the secret: the form is left.
    pub fn forget_secret(&mut self) {
        self.secret.wipe();
    }

    fn checksum_switch(&mut self, ui: &mut Ui) -> bool {
        ui.add_space(space::XS);
        let before = self.trusts_checksum;
        ui.horizontal(|ui| {
            let name = "Trust the server's checksum";
            if widgets::switch(ui, self.trusts_checksum, name).clicked() {
                self.trusts_checksum = !self.trusts_checksum;
            }
            let text = widgets::note(ui, CHECKSUM_CHOICE);
            ui.add(Label::new(text).wrap());
        });
        self.trusts_checksum != before
    }

    /// Whether the server's checksum is to count as proof.
    pub fn trusts_checksum(&self, kind: DestinationKind) -> bool {
        self.trusts_checksum && kind.has_checksum_choice()
    }

    /// The server's address begins with `http://`, and does not lead to this computer, where nobody
    /// else could listen.
    fn needs_agreement(&self) -> bool {
        let Some(rest) = self.server.trim_start().strip_prefix("http://") else { return false };
        let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
        let host = authority.rsplit('@').next().unwrap_or_default();
        let name = match host.strip_prefix('[') {
            Some(v6) => v6.split(']').next().unwrap_or_default(),
            None => host.split(':').next().unwrap_or_default(),
        };
        let is_v4 = |name: &str| name.bytes().all(|byte| byte == b'.' || byte.is_ascii_digit());
        let is_local_address = name == "::1" || name.starts_with("127.") && is_v4(name);
        !(name.is_empty() || is_local_address || name == "localhost" || name.ends_with(".localhost"))
    }

    /// Whether the fields that every server of the kind needs have something in them.
    pub fn is_filled(&self, kind: DestinationKind) -> bool {
        let is_given = |text: &str| !text.trim().is_empty();
        is_given(&self.server)
            && match kind {
                DestinationKind::Nextcloud => is_given(&self.user) && !self.secret.is_empty(),
                DestinationKind::S3 => {
                    is_given(&self.bucket) && is_given(&self.user) && !self.secret.is_empty()
                }
                DestinationKind::Immich => !self.secret.is_empty(),
                _ => true,
            }
    }

    /// The address as the command line would take it.
    pub fn address(&self, kind: DestinationKind) -> String {
        let server = match kind {
            // These have one address, which is taken as it is.
            DestinationKind::Tus | DestinationKind::Resumable => self.server.trim(),
            _ => self.server.trim().trim_end_matches('/'),
        };
        let (scheme, rest) = match server.split_once("://") {
            Some((scheme, rest)) => (scheme, rest),
            None => ("https", server),
        };
        let folder = self.folder.trim().trim_matches('/');
        if kind == DestinationKind::S3 {
            let slash = if folder.is_empty() { "" } else { "/" };
            let mut text = format!("s3://{}{slash}{}", encoded(self.bucket.trim()), encoded_path(folder));
            text += &format!("?endpoint={}", encoded(&format!("{scheme}://{rest}")));
            if !self.region.trim().is_empty() {
                text += &format!("&region={}", encoded(self.region.trim()));
            }
            return text;
        }
        let user = match self.user.trim() {
            "" => String::new(),
            user => format!("{}@", encoded(user)),
        };
        let slash = if folder.is_empty() { "" } else { "/" };
        let albums = if self.has_albums && kind == DestinationKind::Immich { "/?albums=folders" } else { "" };
        format!("{}+{scheme}://{user}{rest}{slash}{}{albums}", kind.as_str(), encoded_path(folder))
    }

    /// The password, key or token, if one was entered. From now on it belongs to the server that the
    /// form names.
    pub fn secret(&mut self, kind: DestinationKind) -> Option<SecretText> {
        let origin = self.origin();
        self.secret.set_origin(&origin);
        self.secret.bind(&origin);
        let before = match kind {
            DestinationKind::S3 => format!("{}:", self.user.trim()),
            _ => String::new(),
        };
        self.secret.copy(&before)
    }

    /// The text of a field; `None` for the secret.
    fn text(&mut self, field: Field) -> Option<&mut String> {
        match field {
            Field::Server => Some(&mut self.server),
            Field::Folder => Some(&mut self.folder),
            Field::Bucket => Some(&mut self.bucket),
            Field::Region => Some(&mut self.region),
            Field::User => Some(&mut self.user),
            Field::Secret => None,
        }
    }
}

/// A text as a part of a URL (RFC 3986's unreserved characters stay).
fn encoded(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => out.push(char::from(byte)),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

fn encoded_path(path: &str) -> String {
    path.split('/').map(encoded).collect::<Vec<_>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn form(server: &str, folder: &str, user: &str) -> ServerForm {
        let mut form = ServerForm::default();
        form.server.push_str(server);
        form.folder.push_str(folder);
        form.user.push_str(user);
        form.bucket.push_str("my photos");
        form.secret.set("planted");
        form
    }

    #[test]
    fn addresses_are_made_of_what_people_enter() {
        use DestinationKind::{Immich, Nextcloud, S3, WebDav};
        for (kind, server, folder, user, address) in [
            (WebDav, "https://h/dav/photos/", "", "ann", "webdav+https://ann@h/dav/photos"),
            (WebDav, "h/dav", "", "", "webdav+https://h/dav"),
            (WebDav, " http://10.0.0.2:8080 ", "", "a@b c", "webdav+http://a%40b%20c@10.0.0.2:8080"),
            (
                Nextcloud,
                "cloud.example",
                "/My Photos/all/",
                "ann",
                "nextcloud+https://ann@cloud.example/My%20Photos/all",
            ),
            (Immich, "https://photos.example/", "", "", "immich+https://photos.example"),
            (
                S3,
                "https://s3.example",
                "a b",
                "ID",
                "s3://my%20photos/a%20b?endpoint=https%3A%2F%2Fs3.example",
            ),
        ] {
            let form = form(server, folder, user);
            assert_eq!(form.address(kind), address);
            assert!(form.is_filled(kind), "{address}");
            assert!(!format!("{form:?}").contains("planted"));
        }
        for (server, needs) in [
            ("http://10.0.0.2:8080/dav", true),
            (" http://nas", true),
            ("http://localhost.example", true),
            ("http://", false),
            ("https://nas", false),
            ("nas", false),
            ("http://127.0.0.1:8080", false),
            ("http://127.9.9.9/dav", false),
            ("http://localhost:8080/dav", false),
            ("http://photos.localhost", false),
            ("http://[::1]:8080/", false),
            ("http://[fd00::1]:8080/", true),
        ] {
            assert_eq!(form(server, "", "").needs_agreement(), needs, "{server}");
        }
        assert!(!ServerForm::default().is_filled(WebDav));
        assert_eq!(form("h", "", "ID").secret(S3), Some(SecretText::new("ID:planted".to_owned())));
        assert_eq!(ServerForm::default().secret(WebDav), None);
    }

    #[test]
    fn a_secret_that_was_sent_to_one_server_is_not_sent_to_another() {
        use DestinationKind::WebDav;
        let mut form = form("https://nas.example/dav", "", "ann");
        assert!(form.secret(WebDav).is_some());
        form.server = "https://NAS.example/other".to_owned();
        assert!(form.secret(WebDav).is_some(), "another folder of the same server");
        for other in ["https://evil.example/dav", "https://nas.example:8443/dav", "http://nas.example/dav"] {
            let mut form =
                ServerForm { server: "https://nas.example/dav".to_owned(), ..ServerForm::default() };
            form.secret.set("planted");
            assert!(form.secret(WebDav).is_some());
            form.server = other.to_owned();
            assert_eq!(form.secret(WebDav), None, "{other}");
        }
    }
}
