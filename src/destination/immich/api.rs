//! Immich's API as requests to be sent and answers to be read: no sockets here.
//!
//! Source: the OpenAPI description that each Immich server gives of itself, versions 2.7 and 3.0.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};

use super::errors::unexpected_answer;
use super::receipt::is_id;
use crate::destination::http::Answer;
use crate::domain::failure::Failure;
use crate::domain::time::UnixMillis;

/// What the uploads of this app are called at a server that asks for a device.
pub const DEVICE: &str = "Safelight";

/// A SHA-1, by which the server knows an asset's bytes again.
pub type Sha1 = [u8; 20];

/// The digest as the server wants it spelled: base64 of 28 characters.
pub fn checksum(sha1: &Sha1) -> String {
    STANDARD.encode(sha1)
}

/// An answer's body, which must be this.
pub fn read<T: DeserializeOwned>(answer: &Answer, what: &str) -> Result<T, Failure> {
    serde_json::from_slice(&answer.body)
        .map_err(|_other| unexpected_answer(what, "the answer is not one of Immich"))
}

/// `GET /server/ping`.
#[derive(Debug, Deserialize)]
pub struct Ping {
    /// Always `pong`.
    pub res: String,
}

/// `GET /server/version`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Deserialize, Serialize)]
pub struct Version {
    /// The major version.
    pub major: u32,
    /// The minor version.
    pub minor: u32,
    /// The patch version.
    pub patch: u32,
}

impl std::fmt::Display for Version {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}.{}", self.major, self.minor, self.patch)
    }
}

/// `GET /server/features`, what matters of it.
#[derive(Debug, Clone, Copy, Deserialize)]
pub struct Features {
    /// Sidecars are read.
    #[serde(default = "default_true")]
    pub sidecar: bool,
}

fn default_true() -> bool {
    true
}

/// `GET /server/media-types`: file name endings with their dot, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize, Serialize)]
pub struct MediaTypes {
    /// Endings of pictures.
    pub image: Vec<String>,
    /// Endings of videos.
    pub video: Vec<String>,
    /// Endings of sidecars.
    pub sidecar: Vec<String>,
}

impl MediaTypes {
    /// Whether a file of this name is taken as an asset.
    pub fn takes(&self, file_name: &str) -> bool {
        let ending = ending(file_name);
        self.image.iter().chain(&self.video).any(|known| *known == ending)
    }

    /// Whether a file of this name is taken as a sidecar.
    pub fn takes_sidecar(&self, file_name: &str) -> bool {
        self.sidecar.contains(&ending(file_name))
    }
}

fn ending(file_name: &str) -> String {
    file_name.rfind('.').map(|dot| file_name[dot..].to_lowercase()).unwrap_or_default()
}

/// `GET /users/me`, what matters of it.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct User {
    /// The account's id.
    pub id: String,
    /// What it may hold, in bytes; nothing for no limit.
    #[serde(default)]
    pub quota_size_in_bytes: Option<u64>,
    /// What it holds, in bytes.
    #[serde(default)]
    pub quota_usage_in_bytes: Option<u64>,
}

impl User {
    /// Bytes that still fit, where there is a limit.
    pub fn free_bytes(&self) -> Option<u64> {
        Some(self.quota_size_in_bytes?.saturating_sub(self.quota_usage_in_bytes.unwrap_or(0)))
    }
}

/// `GET /api-keys/me`, what matters of it.
#[derive(Debug, Clone, Deserialize)]
pub struct Key {
    /// The key's id.
    pub id: String,
    /// What it may do; `all` for everything.
    pub permissions: Vec<String>,
}

/// The body of `POST /assets/bulk-upload-check`. Each is named by its place.
pub fn check_body(checksums: &[Sha1]) -> String {
    let assets: Vec<Value> = checksums
        .iter()
        .enumerate()
        .map(|(place, sha1)| json!({ "id": place.to_string(), "checksum": checksum(sha1) }))
        .collect();
    json!({ "assets": assets }).to_string()
}

/// What the server says of one checksum.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ChecksumStatus {
    /// It has no such asset.
    Absent,
    /// It has one.
    Present {
        /// Its id.
        id: String,
        /// It goes when the trash is emptied.
        is_trashed: bool,
    },
    /// It takes no such files.
    Unsupported,
}

#[derive(Deserialize)]
struct Results {
    results: Vec<CheckResult>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct CheckResult {
    id: String,
    action: String,
    #[serde(default)]
    reason: Option<String>,
    #[serde(default)]
    asset_id: Option<String>,
    #[serde(default)]
    is_trashed: bool,
}

/// The answer to a check of `count` checksums, in their order. An asset without an id, or a place
/// without a result, makes the whole answer worthless.
pub fn checksum_statuses(answer: &Answer, count: usize) -> Result<Vec<ChecksumStatus>, Failure> {
    const WHAT: &str = "asking what is there already";
    let Results { results } = read(answer, WHAT)?;
    let mut checksum_statuses: Vec<Option<ChecksumStatus>> = vec![None; count];
    for result in results {
        let slot = result.id.parse().ok().and_then(|place: usize| checksum_statuses.get_mut(place));
        let Some(slot) = slot else { continue };
        *slot = match (result.action.as_str(), result.reason.as_deref(), result.asset_id) {
            ("accept", ..) => Some(ChecksumStatus::Absent),
            ("reject", Some("duplicate"), Some(id)) if is_id(&id) => {
                Some(ChecksumStatus::Present { id, is_trashed: result.is_trashed })
            }
            ("reject", Some("unsupported-format"), _) => Some(ChecksumStatus::Unsupported),
            _ => None,
        };
    }
    checksum_statuses
        .into_iter()
        .collect::<Option<_>>()
        .ok_or_else(|| unexpected_answer(WHAT, "the answer leaves some out"))
}

/// What `POST /assets` came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UploadResult {
    /// The asset.
    pub id: String,
    /// It was there before, and the bytes that were sent were dropped.
    pub is_duplicate: bool,
}

/// The answer to an upload.
pub fn uploaded(answer: &Answer) -> Result<UploadResult, Failure> {
    #[derive(Deserialize)]
    struct UploadAnswer {
        id: String,
        status: String,
    }
    const WHAT: &str = "sending the file";
    let UploadAnswer { id, status } = read(answer, WHAT)?;
    match status.as_str() {
        "created" | "duplicate" if is_id(&id) => Ok(UploadResult { id, is_duplicate: status == "duplicate" }),
        _ => Err(unexpected_answer(WHAT, "the answer says neither created nor duplicate")),
    }
}

/// An album as `GET /albums` lists it and `POST /albums` answers.
#[derive(Debug, Clone, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Album {
    /// Its id.
    pub id: String,
    /// Its name.
    pub album_name: String,
    #[serde(default)]
    owner_id: Option<String>,
    #[serde(default)]
    album_users: Vec<AlbumUser>,
}

#[derive(Debug, Clone, Deserialize)]
struct AlbumUser {
    user: AlbumUserId,
    #[serde(default)]
    role: String,
}

#[derive(Debug, Clone, Deserialize)]
struct AlbumUserId {
    id: String,
}

impl Album {
    /// Whose it is. The older generation says so, the newer one lists the owner first.
    pub fn owner(&self) -> Option<&str> {
        let listed =
            self.album_users.iter().find(|user| user.role == "owner").map(|user| user.user.id.as_str());
        self.owner_id.as_deref().or(listed)
    }
}

/// One result of `PUT /albums/{id}/assets`.
#[derive(Debug, Deserialize)]
pub struct AlbumAddition {
    /// The asset was added.
    pub success: bool,
    /// Why it was not added.
    #[serde(default)]
    pub error: Option<String>,
}

impl AlbumAddition {
    /// The asset is in the album now.
    pub fn is_in(&self) -> bool {
        self.success || self.error.as_deref() == Some("duplicate")
    }
}

/// A time as every version reads it: UTC, to the millisecond, in a year of four digits.
pub fn time(at: UnixMillis) -> Option<String> {
    let at = jiff::Timestamp::from_millisecond(at.0).ok()?;
    let year = at.to_zoned(jiff::tz::TimeZone::UTC).year();
    (1..=9999).contains(&year).then(|| at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(body: &Value) -> Answer {
        Answer { status: 200, body: body.to_string().into(), ..Answer::default() }
    }

    #[test]
    fn checks_are_asked_and_read_by_place() {
        let body: Value = serde_json::from_str(&check_body(&[[0; 20], [255; 20]])).expect("JSON");
        assert_eq!(body["assets"][1], json!({ "id": "1", "checksum": "//////////////////////////8=" }));
        let held = json!({ "id": "0", "action": "reject", "reason": "duplicate", "assetId": "a-1", "isTrashed": true });
        let accept = json!({ "id": "1", "action": "accept" });
        let odd = json!({ "id": "2", "action": "reject", "reason": "unsupported-format" });
        let all = answer(&json!({ "results": [odd, accept, held] }));
        assert_eq!(
            checksum_statuses(&all, 3).expect("whole"),
            [
                ChecksumStatus::Present { id: "a-1".to_owned(), is_trashed: true },
                ChecksumStatus::Absent,
                ChecksumStatus::Unsupported
            ]
        );
        for bad in [
            json!({ "results": [accept] }),
            json!({ "results": [] }),
            json!({ "results": [{ "id": "0", "action": "reject", "reason": "duplicate" }] }),
            json!({ "results": [{ "id": "0", "action": "reject", "reason": "duplicate", "assetId": "../x" }] }),
            json!({ "results": [{ "id": "0", "action": "perhaps" }] }),
            json!({ "results": [{ "id": "7", "action": "accept" }] }),
            json!([]),
        ] {
            assert!(checksum_statuses(&answer(&bad), 1).is_err(), "{bad}");
        }
    }

    #[test]
    fn uploads_end_in_an_asset_or_nothing() {
        let read = |status: &str, id: &str| uploaded(&answer(&json!({ "status": status, "id": id })));
        assert_eq!(read("created", "a"), Ok(UploadResult { id: "a".to_owned(), is_duplicate: false }));
        assert_eq!(read("duplicate", "a"), Ok(UploadResult { id: "a".to_owned(), is_duplicate: true }));
        assert!(read("replaced", "a").is_err() && read("created", "a/b").is_err());
        assert!(uploaded(&answer(&json!({ "ok": true }))).is_err());
    }

    #[test]
    fn names_end_as_the_server_says() {
        let list = |endings: &[&str]| endings.iter().map(|&ending| ending.to_owned()).collect();
        let types = MediaTypes { image: list(&[".jpg"]), video: list(&[".mov"]), sidecar: list(&[".xmp"]) };
        assert!(types.takes("a.JPG") && types.takes("b.c.mov") && types.takes_sidecar("a.jpg.XMP"));
        assert!(
            !types.takes("a")
                && !types.takes("jpg")
                && !types.takes("a.xmp")
                && !types.takes_sidecar("a.aae")
        );
    }

    #[test]
    fn times_have_four_digits_for_the_year() {
        assert_eq!(time(UnixMillis(1_557_656_100_250)).as_deref(), Some("2019-05-12T10:15:00.250Z"));
        assert_eq!(time(UnixMillis(-1)).as_deref(), Some("1969-12-31T23:59:59.999Z"));
        assert_eq!((time(UnixMillis(i64::MAX)), time(UnixMillis(-70_000_000_000_000))), (None, None));
    }
}
