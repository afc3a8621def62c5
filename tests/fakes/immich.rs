//! An Immich server in memory, of generation 2 (as 2.7.5) or 3 (as 3.0.3).
//!
//! What it answers is what real servers of both were seen to answer: status, fields and sentences;
//! what they do not check, it does not check. It takes uploads, finds duplicates by SHA-1, knows the
//! trash, quotas, permissions of keys, albums, stacks, tags, Live Photos and sidecars.
//!
//! ```text
//! let server = ImmichServer::start(Generation::V3);
//! … run a client against server.origin() with server.key(), then look at server.assets() …
//! ```
//! `cargo run --example fake_immich` runs it by itself. Beside the API it answers `GET /fake/assets`
//! (what it holds) and `GET /fake/requests` (how often what was asked), which no real server does.

use parking_lot::{Mutex, MutexGuard};
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hyper::body::Incoming;
use serde_json::{Value, json};
use sha1::Digest as _;

use super::immich_answers::{self as answers, json_answer, refusal};
use super::immich_uploads;
use super::serve::{
    Answer, BodyRead, ConnectionClosed, Handler, Handling, Running, answer, answer_with, field, receive,
};

/// Whom it stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Generation {
    V2,
    V3,
}

/// What goes wrong around it.
#[derive(Debug, Clone, Default)]
pub struct Behavior {
    /// A proxy in front refuses larger requests with a web page.
    pub limit_in_front: Option<u64>,
    /// This many uploads are taken, and their answers lost.
    pub loses_answers: u32,
    /// This many uploads are cut after so many bytes.
    pub cuts: Option<(u32, usize)>,
    /// Uploads are read at this many bytes a second.
    pub rate: Option<u64>,
    /// This many checks find nothing: what they ask for comes in between them and the upload.
    pub blind_checks: u32,
    /// Checks answer about two of three and leave the third out.
    pub skips_third: bool,
    /// Of so many uploads, the last is damaged on the disk: its checksum stays, its bytes are others.
    pub damages_every: Option<u64>,
    /// So many uploads to come are damaged on the disk.
    pub damages_next: u32,
    /// This many uploads are taken with other bytes than were sent, and known by the checksum of those.
    pub spoils_next: u32,
    /// This many uploads are refused with this status and nothing else.
    pub refuses_uploads: Option<(u32, u16)>,
    /// This many requests are answered with this status and nothing else.
    pub fails: Option<(u32, u16)>,
}

#[derive(Debug, Clone)]
pub struct User {
    pub id: String,
    pub name: String,
    pub email: String,
    pub is_admin: bool,
    pub quota: Option<u64>,
    pub usage: u64,
}

#[derive(Debug, Clone)]
pub struct Key {
    pub id: String,
    pub secret: String,
    pub user: String,
    pub permissions: Vec<String>,
}

impl Key {
    fn may(&self, permission: &str) -> bool {
        self.permissions.iter().any(|known| known == "all" || known == permission)
    }
}

#[derive(Debug, Clone)]
pub struct Asset {
    pub id: String,
    pub user: String,
    pub name: String,
    pub sha1: [u8; 20],
    pub bytes: Vec<u8>,
    pub is_video: bool,
    pub created: String,
    pub modified: String,
    pub device: String,
    pub device_asset: String,
    pub visibility: String,
    pub is_favorite: bool,
    pub is_trashed: bool,
    pub live_video: Option<String>,
    pub sidecar: Option<Vec<u8>>,
    /// What `PUT /assets/{id}` said of it.
    pub told: BTreeMap<String, Value>,
}

impl Asset {
    pub fn checksum(&self) -> String {
        STANDARD.encode(self.sha1)
    }
}

#[derive(Debug, Clone)]
pub struct Album {
    pub id: String,
    pub user: String,
    pub name: String,
    pub assets: Vec<String>,
}

#[derive(Default)]
pub struct State {
    pub users: Vec<User>,
    pub keys: Vec<Key>,
    pub assets: Vec<Asset>,
    pub albums: Vec<Album>,
    pub stacks: Vec<Vec<String>>,
    pub requests: BTreeMap<String, u64>,
    /// Bytes of uploads' bodies that were read, whatever became of them.
    pub bytes_read: u64,
}

impl State {
    /// A user's asset that has these bytes.
    pub fn find(&self, user: &str, sha1: &[u8]) -> Option<&Asset> {
        self.assets.iter().find(|asset| asset.user == user && asset.sha1 == sha1)
    }

    pub fn own(&mut self, user: &str, id: &str) -> Option<&mut Asset> {
        self.assets.iter_mut().find(|asset| asset.user == user && asset.id == id)
    }
}

/// The server's mind: what it holds and how it answers.
pub struct Immich {
    pub generation: Generation,
    pub behavior: Mutex<Behavior>,
    state: Mutex<State>,
    last_id: AtomicU64,
}

/// A SHA-1 as a client spells it: base64 of 28 characters, hexadecimal otherwise.
pub fn checksum_of(text: &str) -> Vec<u8> {
    if text.len() == 28 {
        return STANDARD.decode(text).unwrap_or_default();
    }
    let digit = |byte: u8| char::from(byte).to_digit(16);
    let pairs = text.as_bytes().chunks_exact(2);
    pairs.map_while(|pair| u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()).collect()
}

impl Immich {
    pub fn new(generation: Generation) -> Self {
        Self { generation, behavior: Mutex::default(), state: Mutex::default(), last_id: AtomicU64::new(1) }
    }

    pub fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock()
    }

    pub fn id(&self) -> String {
        let number = self.last_id.fetch_add(1, Ordering::SeqCst);
        format!("{number:08x}-0000-4000-8000-{number:012x}")
    }

    pub fn add_user(&self, name: &str, quota: Option<u64>) -> User {
        let mut state = self.lock();
        let email = format!("{}@example.com", name.to_lowercase());
        let is_admin = state.users.is_empty();
        let user = User { id: self.id(), name: name.to_owned(), email, is_admin, quota, usage: 0 };
        state.users.push(user.clone());
        user
    }

    pub fn add_key(&self, user: &User, secret: &str, permissions: &[&str]) {
        let permissions = permissions.iter().map(|&permission| permission.to_owned()).collect();
        let key = Key { id: self.id(), secret: secret.to_owned(), user: user.id.clone(), permissions };
        self.lock().keys.push(key);
    }

    pub fn refuse(&self, status: u16, message: impl Into<Value>) -> Answer {
        refusal(self.generation, status, message)
    }

    async fn handle_any(&self, request: hyper::Request<Incoming>) -> Result<Answer, ConnectionClosed> {
        let (head, body) = request.into_parts();
        let (method, path) = (head.method.as_str().to_owned(), head.uri.path().to_owned());
        let named = path.split('/').map(|part| if part.len() == 36 { "{id}" } else { part });
        let asked = format!("{method} {}", named.collect::<Vec<_>>().join("/"));
        *self.lock().requests.entry(asked).or_default() += 1;
        if let Some(status) = self.fails() {
            return Ok(answer(status, ""));
        }
        let limit = self.behavior.lock().limit_in_front;
        let length = field(&head.headers, "content-length").and_then(|text| text.parse::<u64>().ok());
        if limit.is_some_and(|limit| length.is_some_and(|length| length > limit)) {
            let page = "<html><head><title>413 Request Entity Too Large</title></head></html>";
            immich_uploads::drain(body);
            return Ok(answer_with(413, &[("content-type", "text/html")], page));
        }
        let Some(path) = path.strip_prefix("/api/") else { return Ok(self.beside_the_api(&path)) };
        if (method.as_str(), path) == ("POST", "assets") {
            return match self.key_of(&head.headers) {
                Ok(key) if key.may("asset.upload") => {
                    immich_uploads::upload(self, &key, &head.headers, body).await
                }
                Ok(_) => Ok(self.refuse(403, "Missing required permission: asset.upload")),
                Err(refused) => Ok(*refused),
            };
        }
        let body = match receive(body, None, usize::MAX).await {
            BodyRead::Whole(body) => serde_json::from_slice(&body).unwrap_or(Value::Null),
            BodyRead::Short(_) => return Err(ConnectionClosed),
        };
        Ok(self.answer(&method, path, &head.headers, &body))
    }

    fn fails(&self) -> Option<u16> {
        let mut behavior = self.behavior.lock();
        let (left, status) = behavior.fails.as_mut()?;
        let status = *status;
        *left -= 1;
        if *left == 0 {
            behavior.fails = None;
        }
        Some(status)
    }

    fn beside_the_api(&self, path: &str) -> Answer {
        let state = self.lock();
        match path {
            "/.well-known/immich" => json_answer(200, &json!({ "api": { "endpoint": "/api" } })),
            "/fake/requests" => json_answer(200, &json!(state.requests)),
            "/fake/assets" => {
                let albums = |id: &String| {
                    let holding = state.albums.iter().filter(|album| album.assets.contains(id));
                    holding.map(|album| album.name.as_str()).collect::<Vec<_>>()
                };
                let assets: Vec<Value> = state.assets.iter().map(|asset| json!({
                    "id": asset.id, "name": asset.name, "sha1": asset.checksum(), "size": asset.bytes.len(),
                    "created": asset.created, "modified": asset.modified, "isTrashed": asset.is_trashed,
                    "visibility": asset.visibility, "livePhotoVideoId": asset.live_video,
                    "sidecar": asset.sidecar.as_ref().map(Vec::len), "albums": albums(&asset.id),
                    "stacked": state.stacks.iter().any(|stack| stack.contains(&asset.id)), "told": asset.told,
                })).collect();
                json_answer(200, &json!(assets))
            }
            _ => answer_with(200, &[("content-type", "text/html")], "<!doctype html><title>Immich</title>"),
        }
    }

    fn key_of(&self, headers: &hyper::HeaderMap) -> Result<Key, Box<Answer>> {
        let Some(given) = field(headers, "x-api-key") else {
            return Err(Box::new(self.refuse(401, "Authentication required")));
        };
        let found = self.lock().keys.iter().find(|key| key.secret == given).cloned();
        found.ok_or_else(|| Box::new(self.refuse(401, "Invalid API key")))
    }

    fn answer(&self, method: &str, path: &str, headers: &hyper::HeaderMap, body: &Value) -> Answer {
        let parts: Vec<&str> = path.split('/').collect();
        let generation = self.generation;
        let open = match (method, parts.as_slice()) {
            ("GET", ["server", "ping"]) => Some(json!({ "res": "pong" })),
            ("GET", ["server", "version"]) => Some(answers::version(generation)),
            ("GET", ["server", "features"]) => Some(answers::features(generation)),
            ("GET", ["server", "media-types"]) => Some(answers::media_types(generation)),
            _ => None,
        };
        if let Some(open) = open {
            return json_answer(200, &open);
        }
        let key = match self.key_of(headers) {
            Ok(key) => key,
            Err(refused) => return *refused,
        };
        let Some(permission) = self.permission(method, &parts) else {
            return self.refuse(404, format!("Cannot {method} /api/{path}"));
        };
        if !permission.is_empty() && !key.may(permission) {
            return self.refuse(403, format!("Missing required permission: {permission}"));
        }
        self.answer_allowed(method, &parts, &key, body)
    }

    /// What a function needs; none where there is no such function.
    fn permission(&self, method: &str, parts: &[&str]) -> Option<&'static str> {
        Some(match (method, parts) {
            ("GET", ["server", "about"]) => "server.about",
            ("GET", ["users", "me"]) => "user.read",
            ("GET", ["api-keys", "me"]) => "",
            ("POST", ["assets", "bulk-upload-check"]) => "asset.upload",
            ("POST", ["assets", "exist"]) if self.generation == Generation::V2 => "asset.upload",
            ("GET", ["assets", "device", _]) if self.generation == Generation::V2 => "",
            ("GET", ["assets", "statistics"]) => "asset.statistics",
            ("GET", ["assets", _]) => "asset.read",
            ("PUT", ["assets", _]) => "asset.update",
            ("GET", ["assets", _, "original"]) => "asset.download",
            ("DELETE", ["assets"]) | ("POST", ["trash", "restore", "assets"]) => "asset.delete",
            ("GET", ["albums"] | ["albums", _]) => "album.read",
            ("POST", ["albums"]) => "album.create",
            ("PUT", ["albums", _, "assets"]) => "albumAsset.create",
            ("POST", ["stacks"]) => "stack.create",
            ("PUT", ["tags"]) => "tag.create",
            ("POST", ["admin", "users"]) => "adminUser.create",
            _ => return None,
        })
    }

    fn answer_allowed(&self, method: &str, parts: &[&str], key: &Key, body: &Value) -> Answer {
        let user = self.lock().users.iter().find(|user| user.id == key.user).cloned().expect("a key's user");
        match (method, parts) {
            ("GET", ["server", "about"]) => json_answer(200, &answers::about(self.generation)),
            ("GET", ["users", "me"]) => json_answer(200, &answers::user(&user)),
            ("GET", ["api-keys", "me"]) => json_answer(
                200,
                &json!({ "id": key.id, "name": "A key",
                "createdAt": "", "updatedAt": "", "permissions": key.permissions }),
            ),
            ("POST", ["assets", "bulk-upload-check"]) => self.check(&user, body),
            ("POST", ["assets", "exist"]) => {
                let ids = self.device_assets(&user, body["deviceId"].as_str().unwrap_or_default());
                let wanted = |id: &String| {
                    body["deviceAssetIds"].as_array().is_some_and(|all| all.contains(&json!(id)))
                };
                json_answer(
                    200,
                    &json!({ "existingIds": ids.into_iter().filter(wanted).collect::<Vec<_>>() }),
                )
            }
            ("GET", ["assets", "device", device]) => {
                json_answer(200, &json!(self.device_assets(&user, device)))
            }
            ("GET", ["assets", "statistics"]) => self.statistics(&user),
            ("GET", ["assets", id]) => self.one(&user, id, "asset.read", |asset| {
                json_answer(200, &answers::asset(self.generation, asset, &user))
            }),
            ("GET", ["assets", id, "original"]) => self.one(&user, id, "asset.download", |asset| {
                answer_with(200, &[("content-type", "application/octet-stream")], asset.bytes.clone())
            }),
            ("PUT", ["assets", id]) => self.update(&user, id, body),
            ("DELETE", ["assets"]) => self.remove(&user, body),
            ("POST", ["trash", "restore", "assets"]) => self.restore(&user, body),
            ("GET", ["albums"]) => {
                let state = self.lock();
                let own = state.albums.iter().filter(|album| album.user == user.id);
                let own: Vec<Value> =
                    own.map(|album| answers::album(self.generation, album, &[], &user)).collect();
                json_answer(200, &json!(own))
            }
            ("GET", ["albums", id]) => self.album(&user, id),
            ("POST", ["albums"]) => self.make_album(&user, body),
            ("PUT", ["albums", id, "assets"]) => self.fill_album(&user, id, body),
            ("POST", ["stacks"]) => self.make_stack(&user, body),
            ("PUT", ["tags"]) => {
                let tag = |value: &Value| {
                    json!({ "id": self.id(), "parentId": self.id(), "value": value,
                    "name": value.as_str().and_then(|value| value.rsplit('/').next()), "createdAt": "", "updatedAt": "" })
                };
                let tags: Vec<Value> = body["tags"].as_array().into_iter().flatten().map(tag).collect();
                json_answer(200, &json!(tags))
            }
            _ => {
                let name = body["name"].as_str().unwrap_or("Somebody");
                let made = self.add_user(name, body["quotaSizeInBytes"].as_u64());
                json_answer(201, &answers::user(&made))
            }
        }
    }
}

pub fn sha1_of(bytes: &[u8]) -> [u8; 20] {
    sha1::Sha1::digest(bytes).into()
}

impl Handler for Immich {
    fn handle(&self, request: hyper::Request<Incoming>) -> Handling<'_> {
        Box::pin(self.handle_any(request))
    }
}

/// The secret of the key that may do everything.
pub const KEY: &str = "planted-key-that-may-do-all";

/// A running server with one user, whose key may do everything.
pub struct ImmichServer {
    pub immich: Arc<Immich>,
    pub user: User,
    running: Running,
}

impl ImmichServer {
    pub fn start(generation: Generation) -> Self {
        Self::start_at(generation, 0, None)
    }

    /// The same on this port, and with a quota.
    pub fn start_at(generation: Generation, port: u16, quota: Option<u64>) -> Self {
        let immich = Arc::new(Immich::new(generation));
        let user = immich.add_user("Probe", quota);
        immich.add_key(&user, KEY, &["all"]);
        let running = Running::start_at(port, Arc::clone(&immich) as Arc<dyn Handler>);
        Self { immich, user, running }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn origin(&self) -> String {
        self.running.origin()
    }

    /// `immich+http://127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("immich+{}", self.origin())
    }

    /// Another client has sent this.
    pub fn put(&self, name: &str, bytes: &[u8]) {
        let asset = Asset {
            id: self.immich.id(),
            user: self.user.id.clone(),
            name: name.to_owned(),
            sha1: sha1_of(bytes),
            bytes: bytes.to_vec(),
            is_video: false,
            created: String::new(),
            modified: String::new(),
            device: String::new(),
            device_asset: String::new(),
            visibility: "timeline".to_owned(),
            is_favorite: false,
            is_trashed: false,
            live_video: None,
            sidecar: None,
            told: BTreeMap::new(),
        };
        self.immich.lock().assets.push(asset);
    }

    pub fn set(&self, change: impl FnOnce(&mut Behavior)) {
        change(&mut self.immich.behavior.lock());
    }

    /// What it holds, oldest first.
    pub fn assets(&self) -> Vec<Asset> {
        self.immich.lock().assets.clone()
    }

    /// How often something was asked, as `POST /api/assets`; ids are `{id}`.
    pub fn asked(&self, what: &str) -> u64 {
        self.immich.lock().requests.get(what).copied().unwrap_or(0)
    }
}
