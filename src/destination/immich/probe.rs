//! Finding out what answers at an address, and what the key may do there.

use super::Inner;
use super::api::{self, ChecksumStatus, Features, Key, MediaTypes, Ping, Sha1, User, Version};
use super::errors;
use super::server_info::{self, ServerInfo};
use crate::destination::Capabilities;
use crate::destination::http::{Answer, Method, is_loopback};
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind, Retry};
use crate::domain::record::ProofMethod;

/// The first generation that is spoken.
const GENERATION_MIN: u32 = 2;
/// The newest generation that was tried.
const GENERATION_TRIED: u32 = 3;
/// How many uploads help at once: the server hashes and describes each as it comes in.
const CONCURRENT_MAX: u32 = 6;
const NAME_BYTES_MAX: u32 = 255;

/// What a probe found, and the room that is left where there is a quota.
pub struct ProbeResult {
    pub known: ServerInfo,
    pub key: Option<String>,
    pub room: Option<u64>,
}

/// Looks at the server and at the key. Changes nothing there.
///
/// # Errors
/// Why it cannot be used, with the permission that is missing.
pub async fn probe(inner: &Inner) -> Result<ProbeResult, Failure> {
    let version = version(inner).await?;
    let types = media_types(inner).await?;
    let features: Option<Features> = optional(inner, "server/features").await?;
    let key: Option<Key> = key(inner).await?;
    let user = user(inner).await?;
    let known = ServerInfo {
        version: Some(version),
        user: user.as_ref().map(|user| user.id.clone()),
        permissions: key.as_ref().map(|key| key.permissions.clone()),
        types,
        ignores_sidecars: features.is_some_and(|features| !features.sidecar),
    };
    let mut needed = vec![server_info::UPLOAD];
    if inner.place.has_folder_albums {
        needed.extend(server_info::ALBUMS);
    }
    if inner.place.has_raw_stacks {
        needed.extend(server_info::STACKS);
    }
    let lacking = known.lacks(&needed);
    if !lacking.is_empty() {
        return Err(until_mended(errors::lacks(&lacking)));
    }
    // Says at once whether the key may send: asking what is there needs the same permission.
    match inner.checks.ask_now(&[unknown_checksum(inner)]).await?.first() {
        Some(ChecksumStatus::Absent) => {}
        _ => {
            let why = "the server says that it has bytes which nobody has";
            return Err(Failure::destination(FailureKind::Protocol, why));
        }
    }
    let room = user.as_ref().and_then(User::free_bytes);
    Ok(ProbeResult { known, key: key.map(|key| key.id), room })
}

/// A checksum of bytes that nobody has.
fn unknown_checksum(inner: &Inner) -> Sha1 {
    std::array::from_fn(|_place| inner.parts.rng.next_u64().to_le_bytes()[0])
}

/// What a probe amounts to.
pub fn capabilities(inner: &Inner, probed: &ProbeResult) -> Capabilities {
    Capabilities {
        uuid: identity(inner, probed),
        can_resume: false,
        no_replace: true,
        case_sensitive: true,
        proof: proof(inner, &probed.known),
        keeps_mtime: true,
        concurrent_max: CONCURRENT_MAX,
        name_len_max: NAME_BYTES_MAX,
        note: note(&probed.known),
        software: probed.known.version.map(software_of).unwrap_or_default(),
        findings: probed.known.findings(),
        ..Capabilities::default()
    }
}

/// How copies are proved; `None` if they cannot be.
fn proof(inner: &Inner, known: &ServerInfo) -> Option<ProofMethod> {
    match (inner.parts.trusts_checksum, known.may(server_info::DOWNLOAD)) {
        (true, _) => Some(ProofMethod::ServerRecheck),
        (false, true) => Some(ProofMethod::ReadBack),
        (false, false) => None,
    }
}

/// By what the place is known again: the account, else the key, else the server.
fn identity(inner: &Inner, probed: &ProbeResult) -> String {
    match (&probed.known.user, &probed.key) {
        (Some(user), _) => format!("immich-user-{user}"),
        (None, Some(key)) => format!("immich-key-{key}"),
        (None, None) => format!("immich-server-{}", inner.place.base.host_str().unwrap_or_default()),
    }
}

/// What the server calls itself.
pub(super) fn software_of(version: Version) -> String {
    format!("Immich {version}")
}

fn note(known: &ServerInfo) -> String {
    let version = known.version.map(|version| version.to_string()).unwrap_or_default();
    let mut note = format!("Immich {version}");
    if known.version.is_some_and(|version| version.major > GENERATION_TRIED) {
        note.push_str(", newer than Safelight knows");
    }
    let lacking: Vec<String> = server_info::USEFUL
        .iter()
        .filter(|(permission, _use)| !known.may(permission))
        .map(|(permission, what_for)| format!("{permission} ({what_for})"))
        .collect();
    if !lacking.is_empty() {
        note.push_str(&format!("; the key works, but lacks {}", lacking.join(", ")));
    }
    note
}

/// Trying again does not help before the person has done something.
fn until_mended(failure: Failure) -> Failure {
    Failure { retry: Retry::Never, ..failure }
}

pub(super) async fn version(inner: &Inner) -> Result<Version, Failure> {
    let what = "looking for the server";
    let not_here = |why: &str| {
        let mut details = format!("{why}; give the address that opens Immich in a browser");
        if inner.wire.api.scheme() == "http" && !is_loopback(&inner.wire.api) {
            details.push_str(", with https where the server has it");
        }
        Failure::destination(FailureKind::Protocol, details)
    };
    let answer = get(inner, "server/ping").await?;
    if !answer.is_success() && answer.status >= 500 {
        return Err(inner.wire.failure(&answer, what));
    }
    let is_immich =
        answer.is_success() && api::read::<Ping>(&answer, what).is_ok_and(|ping| ping.res == "pong");
    if !is_immich {
        return Err(not_here("what answers at this address is not Immich"));
    }
    let answer = get(inner, "server/version").await?;
    if !answer.is_success() {
        return Err(inner.wire.failure(&answer, what));
    }
    let version: Version = api::read(&answer, what)?;
    if version.major < GENERATION_MIN {
        let why = format!("the server runs Immich {version}; Safelight needs 2.0 or later");
        let failure = Failure::destination(FailureKind::Unsupported, why);
        return Err(until_mended(failure.with_cause(Cause::ServerVersion)));
    }
    Ok(version)
}

/// What the server takes.
///
/// # Errors
/// What the server said instead.
pub async fn media_types(inner: &Inner) -> Result<MediaTypes, Failure> {
    let what = "asking for the types that the server takes";
    let answer = get(inner, "server/media-types").await?;
    if answer.is_success() { api::read(&answer, what) } else { Err(inner.wire.failure(&answer, what)) }
}

/// Whose key it is; nothing where the key may not tell.
///
/// # Errors
/// `credentials` when the key is wrong; what the server says.
pub async fn user(inner: &Inner) -> Result<Option<User>, Failure> {
    optional(inner, "users/me").await
}

/// The key itself; nothing where the server does not tell.
async fn key(inner: &Inner) -> Result<Option<Key>, Failure> {
    optional(inner, "api-keys/me").await
}

/// Makes sure that the server still is there, knows the key, and is the account it was. Returns the
/// room that is left, where there is a quota.
///
/// # Errors
/// A failure whose reach is the destination.
pub async fn check(inner: &Inner, uuid: Option<&str>) -> Result<Option<u64>, Failure> {
    let known = inner.server_info();
    let user = if known.may(server_info::USER) { user(inner).await? } else { None };
    let Some(user) = user else {
        // Any question needs the key; this one no more than the permission that nothing goes without.
        return inner.checks.ask_now(&[unknown_checksum(inner)]).await.map(|_absent| None);
    };
    let expected = uuid.and_then(|uuid| uuid.strip_prefix("immich-user-"));
    if expected.is_some_and(|expected| expected != user.id) {
        let why = "the API key is that of another account than the one that was set up";
        return Err(Failure::destination(FailureKind::Conflict, why));
    }
    if user.free_bytes() == Some(0) {
        let why = "the account's quota is used up; an administrator of the server can raise it";
        return Err(Failure::destination(FailureKind::Full, why).with_cause(Cause::Quota));
    }
    Ok(user.free_bytes())
}

async fn get(inner: &Inner, path: &str) -> Result<Answer, Failure> {
    let limit = crate::destination::http::ANSWER_BYTES_MAX;
    let mut request = inner.wire.request(Method::GET, path);
    // A web page is told apart below, with better advice.
    request.takes_html = path == "server/ping";
    inner.wire.ask(request, limit).await.map_err(|error| error.into_failure())
}

/// What a key may not see, or a version does not have, is not known.
async fn optional<T: serde::de::DeserializeOwned>(inner: &Inner, path: &str) -> Result<Option<T>, Failure> {
    let answer = get(inner, path).await?;
    match answer.status {
        200 => api::read(&answer, "asking the server").map(Some),
        400 | 403 | 404 => Ok(None),
        _ => Err(inner.wire.failure(&answer, "asking the server")),
    }
}
