//! A WebDAV store in memory (RFC 4918, class 1), with the behavior of real servers.

use parking_lot::Mutex;
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use hyper::HeaderMap;
use percent_encoding::{AsciiSet, CONTROLS, percent_decode_str, utf8_percent_encode};

use super::dav_xml::{ResourceProperties, multistatus};
use super::serve::{Answer, answer, answer_with, field};

/// What a path in an answer escapes.
const HREF: &AsciiSet = &CONTROLS.add(b' ').add(b'"').add(b'%').add(b'#').add(b'?').add(b'<').add(b'>');
/// 2001-02-03T04:05:06Z, the time of what was given none.
const MODIFIED: &str = "Sat, 03 Feb 2001 04:05:06 GMT";

/// What a server says an ETag is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Etag {
    /// None at all, as nginx in PROPFIND.
    None,
    /// Weak, of size and time, as Apache.
    Weak,
    /// The MD5 of the bytes, as `rclone serve webdav`.
    Md5,
    /// Something else, as Nextcloud.
    Opaque,
}

/// How a server differs from the specification or from its neighbours.
#[derive(Debug, Clone)]
pub struct Behavior {
    /// `MOVE` replaces even with `Overwrite: F`, as dufs.
    pub replaces: bool,
    /// `PUT` heeds `If-None-Match: *`.
    pub heeds_if_none_match: bool,
    /// A PUT that was cut leaves what had come, as rclone.
    pub keeps_cut: bool,
    /// Its ETags.
    pub etag: Etag,
    /// User and password; none lets everyone in.
    pub login: Option<(String, String)>,
    /// Bytes it takes in all.
    pub space: u64,
    /// Names that differ in case only are one.
    pub folds_case: bool,
    /// A file that gets another name gets another ETag.
    pub moves_change_tags: bool,
    /// A file that gets another name loses a bit of itself.
    pub moves_change_bytes: bool,
    /// Another computer's MOVE to the same name, which saw nothing there either, is done right after each
    /// MOVE. This is the file that it brings.
    pub rival: Option<Bytes>,
    /// The target of a MOVE ends at this character, as at WsgiDAV.
    pub cuts_names_at: Option<char>,
    /// Names with one of these are refused.
    pub refuses_in_names: &'static str,
    /// So are names with a character after this one, with an error of the server's own.
    pub last_in_names: char,
    /// It decodes paths twice.
    pub decodes_twice: bool,
    /// What it calls itself.
    pub software: &'static str,
}

impl Behavior {
    /// What it says of a name that it does not take.
    fn refused(&self, path: &str) -> Option<Answer> {
        let name = path.rsplit('/').next().unwrap_or_default();
        if name.contains(|c| self.refuses_in_names.contains(c)) {
            return Some(answer(422, "not such a name"));
        }
        name.contains(|c| c > self.last_in_names).then(|| answer(500, "UnicodeEncodeError"))
    }
}

impl Default for Behavior {
    /// A server as the specification wants it.
    fn default() -> Self {
        Self {
            replaces: false,
            heeds_if_none_match: true,
            keeps_cut: false,
            etag: Etag::Weak,
            login: None,
            space: u64::MAX,
            folds_case: false,
            moves_change_tags: false,
            moves_change_bytes: false,
            rival: None,
            cuts_names_at: None,
            refuses_in_names: "",
            last_in_names: char::MAX,
            decodes_twice: false,
            software: "",
        }
    }
}

#[derive(Debug, Clone)]
pub struct File {
    pub bytes: Bytes,
    /// Goes up with each change of any file.
    pub version: u64,
    /// Unix seconds, where the client gave a time.
    pub mtime: Option<i64>,
    /// What the client says its checksum is.
    pub checksum: Option<String>,
}

#[derive(Default)]
struct State {
    files: BTreeMap<String, File>,
    dirs: BTreeSet<String>,
    version: u64,
}

/// The store. Paths are `/`-separated, decoded, and without a slash at either end.
pub struct Dav {
    pub behavior: Mutex<Behavior>,
    /// The path below which it is served, as `/dav`.
    pub base: String,
    state: Mutex<State>,
}

/// A request whose body has been read.
#[derive(Clone)]
pub struct BufferedRequest<'a> {
    pub method: &'a str,
    /// The path as it was sent.
    pub path: &'a str,
    pub query: &'a str,
    pub headers: &'a HeaderMap,
    pub body: Bytes,
    /// The client went away before all of the body was there.
    pub is_cut: bool,
}

impl Dav {
    /// An empty store below `base`.
    pub fn new(base: &str, behavior: Behavior) -> Self {
        Self { behavior: Mutex::new(behavior), base: base.to_owned(), state: Mutex::default() }
    }

    pub fn behavior(&self) -> Behavior {
        self.behavior.lock().clone()
    }

    /// The paths of all files, sorted.
    pub fn files(&self) -> Vec<String> {
        self.lock().files.keys().cloned().collect()
    }

    pub fn dirs(&self) -> Vec<String> {
        self.lock().dirs.iter().cloned().collect()
    }

    pub fn file(&self, path: &str) -> Option<File> {
        self.lock().files.get(path).cloned()
    }

    pub fn contents(&self, path: &str) -> Option<Vec<u8>> {
        self.file(path).map(|file| file.bytes.to_vec())
    }

    /// Puts a file there behind everyone's back, with the folders that it needs.
    pub fn put(&self, path: &str, bytes: &[u8]) {
        let mut state = self.lock();
        state.add_dirs(parent(path));
        state.put(path, Bytes::copy_from_slice(bytes), None, None);
    }

    /// Makes folders behind everyone's back.
    pub fn add_dirs(&self, path: &str) {
        self.lock().add_dirs(path);
    }

    /// Takes a file or folder away behind everyone's back.
    pub fn remove(&self, path: &str) {
        self.lock().remove(path);
    }

    /// Bytes that it still takes.
    pub fn free(&self) -> u64 {
        let used: u64 = self.lock().files.values().map(|file| file.bytes.len() as u64).sum();
        self.behavior().space.saturating_sub(used)
    }

    /// Whether the request may be answered at all.
    pub fn admits(&self, headers: &HeaderMap) -> bool {
        use base64::Engine as _;
        let Some((user, password)) = self.behavior().login else { return true };
        let wanted = base64::engine::general_purpose::STANDARD.encode(format!("{user}:{password}"));
        field(headers, "authorization") == Some(&format!("Basic {wanted}"))
    }

    /// Answers one request.
    pub fn respond(&self, asked: &BufferedRequest<'_>) -> Answer {
        if !self.admits(asked.headers) {
            return answer_with(401, &[("www-authenticate", "Basic realm=\"test\"")], "");
        }
        let Some(path) = self.path_of(asked.path) else { return answer(404, "outside") };
        match asked.method {
            "OPTIONS" => {
                let software = self.behavior().software;
                let allow = ("allow", "GET, PUT, MOVE, MKCOL, PROPFIND");
                answer_with(200, &[("dav", "1"), ("server", software), allow], "")
            }
            "GET" | "HEAD" => self.get(asked.method, &path),
            "PUT" => self.put_asked(asked, &path),
            "DELETE" => {
                if self.lock().remove(&path) {
                    answer(204, "")
                } else {
                    answer(404, "")
                }
            }
            "MKCOL" => self.make_dir(asked, &path),
            "PROPFIND" => self.propfind(asked, &path),
            "MOVE" => self.move_asked(asked, &path),
            _ => answer(405, ""),
        }
    }

    /// The path in the store; `None` for one that is not below the base.
    pub fn path_of(&self, sent: &str) -> Option<String> {
        let below = sent.strip_prefix(self.base.as_str())?;
        if !below.is_empty() && !below.starts_with('/') && !self.base.ends_with('/') {
            return None;
        }
        let mut decoded = percent_decode_str(below).decode_utf8().ok()?.into_owned();
        if self.behavior().decodes_twice {
            decoded = percent_decode_str(&decoded).decode_utf8().ok()?.into_owned();
        }
        let path = decoded.trim_matches('/');
        let is_inside = path.split('/').all(|part| !matches!(part, "." | ".."));
        is_inside.then(|| self.canonical(path))
    }

    /// The spelling under which a path is kept.
    fn canonical(&self, path: &str) -> String {
        if !self.behavior().folds_case {
            return path.to_owned();
        }
        let state = self.lock();
        let mut known = state.files.keys().chain(&state.dirs);
        known
            .find(|known| known.to_lowercase() == path.to_lowercase())
            .cloned()
            .unwrap_or_else(|| path.to_owned())
    }

    pub fn etag(&self, file: &File) -> Option<String> {
        match self.behavior().etag {
            Etag::None => None,
            Etag::Weak => Some(format!("W/\"{:x}-{:x}\"", file.bytes.len(), file.version)),
            Etag::Md5 => {
                use md5::Digest as _;
                let digest = md5::Md5::digest(&file.bytes);
                Some(format!("\"{}\"", digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>()))
            }
            Etag::Opaque => Some(format!("\"5f{:020x}\"", file.version)),
        }
    }

    fn get(&self, method: &str, path: &str) -> Answer {
        let Some(file) = self.file(path) else {
            let is_dir = self.lock().is_dir(path);
            return if is_dir { answer(405, "a folder") } else { answer(404, "") };
        };
        let mut fields = vec![("last-modified", MODIFIED), ("content-type", "application/octet-stream")];
        let length = file.bytes.len().to_string();
        let etag = self.etag(&file);
        fields.extend(etag.as_deref().map(|etag| ("etag", etag)));
        if method == "HEAD" {
            fields.push(("content-length", &length));
            return answer_with(200, &fields, "");
        }
        answer_with(200, &fields, file.bytes)
    }

    fn put_asked(&self, asked: &BufferedRequest<'_>, path: &str) -> Answer {
        let behavior = self.behavior();
        if asked.is_cut && !behavior.keeps_cut {
            return answer(400, "short");
        }
        if self.free() < asked.body.len() as u64 {
            return answer(507, "");
        }
        let mut state = self.lock();
        if path.is_empty() || state.is_dir(path) {
            return answer(405, "a folder");
        }
        if !state.is_dir(parent(path)) {
            return answer(409, "no folder for it");
        }
        let is_there = state.files.contains_key(path);
        if is_there && behavior.heeds_if_none_match && field(asked.headers, "if-none-match") == Some("*") {
            return answer(412, "");
        }
        state.put(path, asked.body.clone(), None, None);
        answer(if is_there { 204 } else { 201 }, "")
    }

    fn make_dir(&self, asked: &BufferedRequest<'_>, path: &str) -> Answer {
        let mut state = self.lock();
        if !asked.body.is_empty() {
            return answer(415, "");
        }
        if state.is_dir(path) || state.files.contains_key(path) {
            return answer(405, "");
        }
        if !state.is_dir(parent(path)) {
            return answer(409, "");
        }
        state.dirs.insert(path.to_owned());
        answer(201, "")
    }

    fn propfind(&self, asked: &BufferedRequest<'_>, path: &str) -> Answer {
        let depth = field(asked.headers, "depth").unwrap_or("infinity");
        if depth != "0" && depth != "1" {
            return answer(403, "<D:error xmlns:D=\"DAV:\"><D:propfind-finite-depth/></D:error>");
        }
        let told = {
            let state = self.lock();
            let mut paths = Vec::new();
            if state.files.contains_key(path) || state.is_dir(path) {
                paths.push(path.to_owned());
            }
            if depth == "1" && state.is_dir(path) {
                let below = state.files.keys().chain(&state.dirs);
                paths.extend(below.filter(|other| !other.is_empty() && parent(other) == path).cloned());
            }
            paths
        };
        if told.is_empty() {
            return answer(404, "");
        }
        let told: Vec<ResourceProperties> = told.iter().map(|path| self.told(path)).collect();
        answer_with(207, &[("content-type", "application/xml; charset=utf-8")], multistatus(&told))
    }

    fn told(&self, path: &str) -> ResourceProperties {
        let file = self.file(path);
        let slash = if file.is_none() { "/" } else { "" };
        let whole = format!("{}/{path}{slash}", self.base.trim_end_matches('/')).replace("//", "/");
        ResourceProperties {
            href: utf8_percent_encode(&whole, HREF).to_string(),
            size: file.as_ref().map(|file| file.bytes.len() as u64),
            etag: file.as_ref().and_then(|file| self.etag(file)),
            modified: MODIFIED.to_owned(),
            more: String::new(),
        }
    }

    fn move_asked(&self, asked: &BufferedRequest<'_>, path: &str) -> Answer {
        let to = field(asked.headers, "destination").unwrap_or_default();
        // The field is an absolute URL (RFC 4918, section 10.3) or an absolute path.
        let to = match to.split_once("://") {
            Some((_scheme, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
            None => to,
        };
        let Some(mut to) = self.path_of(to) else { return answer(502, "elsewhere") };
        let behavior = self.behavior();
        to.truncate(behavior.cuts_names_at.and_then(|cut| to.find(cut)).unwrap_or(to.len()));
        if let Some(refused) = behavior.refused(&to) {
            return refused;
        }
        let may_replace = field(asked.headers, "overwrite") != Some("F") || behavior.replaces;
        let mut state = self.lock();
        if path == to {
            return answer(403, "onto itself");
        }
        let Some(mut file) = state.files.get(path).cloned() else { return answer(404, "") };
        if !state.is_dir(parent(&to)) {
            return answer(409, "");
        }
        let is_there = state.files.contains_key(&to) || state.is_dir(&to);
        if is_there && !may_replace {
            return answer(412, "");
        }
        if behavior.moves_change_tags {
            state.version += 1;
            file.version = state.version;
        }
        if behavior.moves_change_bytes {
            let mut bytes = file.bytes.to_vec();
            bytes[0] ^= 1;
            file.bytes = bytes.into();
        }
        state.files.remove(path);
        state.remove(&to);
        match behavior.rival {
            Some(bytes) => state.put(&to, bytes, None, None),
            None => drop(state.files.insert(to, file)),
        }
        answer(if is_there { 204 } else { 201 }, "")
    }

    /// Stores a file that came another way than by PUT; `false` when it would replace one.
    pub fn store(&self, path: &str, file: File, may_replace: bool) -> bool {
        let mut state = self.lock();
        if state.files.contains_key(path) && !may_replace {
            return false;
        }
        state.put(path, file.bytes, file.mtime, file.checksum);
        true
    }

    pub fn is_dir(&self, path: &str) -> bool {
        self.lock().is_dir(path)
    }

    fn lock(&self) -> parking_lot::MutexGuard<'_, State> {
        self.state.lock()
    }
}

impl State {
    fn is_dir(&self, path: &str) -> bool {
        path.is_empty() || self.dirs.contains(path)
    }

    fn add_dirs(&mut self, path: &str) {
        let mut whole = String::new();
        for part in path.split('/').filter(|part| !part.is_empty()) {
            if !whole.is_empty() {
                whole.push('/');
            }
            whole.push_str(part);
            self.dirs.insert(whole.clone());
        }
    }

    fn put(&mut self, path: &str, bytes: Bytes, mtime: Option<i64>, checksum: Option<String>) {
        self.version += 1;
        let file = File { bytes, version: self.version, mtime, checksum };
        self.files.insert(path.to_owned(), file);
    }

    fn remove(&mut self, path: &str) -> bool {
        let below = format!("{path}/");
        let before = self.files.len() + self.dirs.len();
        self.files.retain(|known, _file| known != path && !known.starts_with(&below));
        self.dirs.retain(|known| known != path && !known.starts_with(&below));
        self.files.len() + self.dirs.len() < before
    }
}

/// The folder that a path is in.
pub fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _name)| folder)
}
