//! The bodies of Immich's answers, as generations 2 and 3 were seen to give them.

use serde_json::{Value, json};

use super::immich::{Album, Asset, Generation, User};
use super::serve::{Answer, answer_with};

const JSON: &[(&str, &str)] = &[("content-type", "application/json; charset=utf-8")];
const MADE_AT: &str = "2026-01-02T03:04:05.678Z";

pub fn json_answer(status: u16, body: &Value) -> Answer {
    answer_with(status, JSON, body.to_string())
}

/// A refusal. The older generation says the status once more, and under which number to look for it
/// in the log.
pub fn refusal(generation: Generation, status: u16, message: impl Into<Value>) -> Answer {
    let message = message.into();
    let body = match generation {
        Generation::V2 => {
            let error = match status {
                400 => "Bad Request",
                401 => "Unauthorized",
                403 => "Forbidden",
                404 => "Not Found",
                _ => "Internal Server Error",
            };
            json!({ "message": message, "error": error, "statusCode": status, "correlationId": "abcd1234" })
        }
        Generation::V3 => json!({ "message": message }),
    };
    json_answer(status, &body)
}

/// What was wrong with a form's or a body's fields.
pub enum Fault {
    Missing(&'static str),
    MissingText(&'static str),
    BadDate(&'static str),
    BadVisibility,
}

const VISIBILITIES: [&str; 4] = ["archive", "timeline", "hidden", "locked"];

pub fn is_visibility(text: &str) -> bool {
    VISIBILITIES.contains(&text)
}

/// A refusal of fields: sentences in the older generation, objects in the newer.
pub fn faults(generation: Generation, faults: &[Fault]) -> Answer {
    match generation {
        Generation::V2 => {
            if let Some(Fault::BadDate(field)) =
                faults.iter().find(|fault| matches!(fault, Fault::BadDate(_)))
            {
                return refusal(generation, 400, format!("{field} must be a date string"));
            }
            let sentences = faults.iter().flat_map(|fault| match fault {
                Fault::Missing(field) => {
                    vec![format!("{field} must be a Date instance"), format!("{field} should not be empty")]
                }
                Fault::MissingText(field) => {
                    vec![format!("{field} must be a string"), format!("{field} should not be empty")]
                }
                Fault::BadDate(_) => Vec::new(),
                Fault::BadVisibility => {
                    vec![format!(
                        "visibility must be one of the following values: {}",
                        VISIBILITIES.join(", ")
                    )]
                }
            });
            refusal(generation, 400, sentences.collect::<Vec<_>>())
        }
        Generation::V3 => {
            let errors: Vec<Value> = faults.iter().map(fault_object).collect();
            json_answer(400, &json!({ "message": "Validation failed", "errors": errors }))
        }
    }
}

fn fault_object(fault: &Fault) -> Value {
    match fault {
        Fault::Missing(field) | Fault::MissingText(field) => json!({
            "expected": "string",
            "code": "invalid_type",
            "path": [field],
            "message": "Invalid input: expected ISO 8601 datetime string, received undefined",
        }),
        Fault::BadDate(field) => json!({
            "origin": "string",
            "code": "invalid_format",
            "format": "datetime",
            "pattern": "/(a date of the calendar)T(a time of the day)(Z or an offset)/",
            "path": [field],
            "message": "Invalid input: expected ISO 8601 datetime string, received string",
        }),
        Fault::BadVisibility => json!({
            "code": "invalid_value",
            "values": VISIBILITIES,
            "path": ["visibility"],
            "message": format!("Invalid option: expected one of {}",
                VISIBILITIES.map(|word| format!("\"{word}\"")).join("|")),
        }),
    }
}

pub fn version(generation: Generation) -> Value {
    match generation {
        Generation::V2 => json!({ "major": 2, "minor": 7, "patch": 5 }),
        Generation::V3 => json!({ "major": 3, "minor": 0, "patch": 3, "prerelease": null }),
    }
}

pub fn about(generation: Generation) -> Value {
    let version = match generation {
        Generation::V2 => "v2.7.5",
        Generation::V3 => "v3.0.3",
    };
    json!({ "version": version, "versionUrl": "", "licensed": false, "nodejs": "", "exiftool": "",
            "ffmpeg": "", "libvips": "", "imagemagick": "" })
}

pub fn features(generation: Generation) -> Value {
    let mut features = json!({
        "smartSearch": false, "facialRecognition": false, "duplicateDetection": false, "map": false,
        "reverseGeocoding": true, "importFaces": false, "sidecar": true, "search": true, "trash": true,
        "oauth": false, "oauthAutoLaunch": false, "ocr": false, "passwordLogin": true, "configFile": true,
        "email": false,
    });
    if generation == Generation::V3 {
        features["realtimeTranscoding"] = false.into();
    }
    features
}

pub const VIDEO: [&str; 20] = [
    ".3gp", ".3gpp", ".avi", ".flv", ".insv", ".m2t", ".m2ts", ".m4v", ".mkv", ".mov", ".mp4", ".mpe",
    ".mpeg", ".mpg", ".mts", ".mxf", ".ts", ".vob", ".webm", ".wmv",
];
const IMAGE: [&str; 47] = [
    ".avif", ".bmp", ".gif", ".jpeg", ".jpg", ".png", ".webp", ".3fr", ".ari", ".arw", ".cap", ".cin",
    ".cr2", ".cr3", ".crw", ".dcr", ".dng", ".erf", ".fff", ".iiq", ".k25", ".kdc", ".mrw", ".nef", ".nrw",
    ".orf", ".ori", ".pef", ".psd", ".raf", ".raw", ".rw2", ".rwl", ".sr2", ".srf", ".srw", ".x3f", ".heic",
    ".heif", ".hif", ".insp", ".jp2", ".jpe", ".jxl", ".svg", ".tif", ".tiff",
];

pub fn images(generation: Generation) -> Vec<&'static str> {
    let mut images = IMAGE.to_vec();
    if generation == Generation::V3 {
        images.insert(IMAGE.len() - 3, ".mpo");
    }
    images
}

pub fn media_types(generation: Generation) -> Value {
    json!({ "video": VIDEO, "image": images(generation), "sidecar": [".xmp"] })
}

pub fn user(user: &User) -> Value {
    json!({
        "id": user.id, "email": user.email, "name": user.name, "profileImagePath": "",
        "avatarColor": "gray", "profileChangedAt": MADE_AT, "storageLabel": user.name.to_lowercase(),
        "shouldChangePassword": true, "isAdmin": user.is_admin, "createdAt": MADE_AT, "deletedAt": null,
        "updatedAt": MADE_AT, "oauthId": "", "quotaSizeInBytes": user.quota,
        "quotaUsageInBytes": user.usage, "status": "active", "license": null,
    })
}

fn owner(user: &User) -> Value {
    json!({ "id": user.id, "email": user.email, "name": user.name, "profileImagePath": "",
            "avatarColor": "gray", "profileChangedAt": MADE_AT })
}

pub fn asset(generation: Generation, asset: &Asset, user: &User) -> Value {
    let none = Value::Null;
    let mut body = json!({
        "id": asset.id, "createdAt": MADE_AT, "ownerId": user.id, "owner": owner(user), "libraryId": none,
        "type": if asset.is_video { "VIDEO" } else { "IMAGE" },
        "originalPath": format!("/data/{}", asset.id), "originalFileName": asset.name,
        "originalMimeType": "image/jpeg", "thumbhash": none, "fileCreatedAt": asset.created,
        "fileModifiedAt": asset.modified, "localDateTime": asset.created, "updatedAt": MADE_AT,
        "isFavorite": asset.is_favorite, "isArchived": false, "isTrashed": asset.is_trashed,
        "visibility": asset.visibility, "duration": none, "livePhotoVideoId": asset.live_video,
        "tags": [], "people": [], "checksum": asset.checksum(), "stack": none, "isOffline": false,
        "hasMetadata": true, "duplicateId": none, "resized": true, "width": none, "height": none,
        "isEdited": false,
    });
    let mut exif = json!({ "fileSizeInByte": asset.bytes.len(), "description": "" });
    for field in [
        "make",
        "model",
        "exifImageWidth",
        "exifImageHeight",
        "orientation",
        "dateTimeOriginal",
        "modifyDate",
        "timeZone",
        "lensModel",
        "fNumber",
        "focalLength",
        "iso",
        "exposureTime",
        "latitude",
        "longitude",
        "city",
        "state",
        "country",
        "projectionType",
        "rating",
    ] {
        exif[field] = Value::Null;
    }
    for (field, value) in &asset.told {
        exif[field] = value.clone();
    }
    body["exifInfo"] = exif;
    if generation == Generation::V2 {
        body["deviceAssetId"] = asset.device_asset.clone().into();
        body["deviceId"] = asset.device.clone().into();
        body["duration"] = "0:00:00.00000".into();
        body["unassignedFaces"] = json!([]);
    }
    body
}

/// The older generation lists an album's assets with less of each.
pub fn asset_in_album(generation: Generation, held: &Asset, user: &User) -> Value {
    let mut body = asset(generation, held, user);
    if let Some(fields) = body.as_object_mut() {
        for left_out in ["owner", "tags", "unassignedFaces", "stack"] {
            fields.remove(left_out);
        }
    }
    body
}

pub fn album(generation: Generation, album: &Album, assets: &[Value], user: &User) -> Value {
    let mut body = json!({
        "albumName": album.name, "description": "", "albumThumbnailAssetId": album.assets.first(),
        "createdAt": MADE_AT, "updatedAt": MADE_AT, "id": album.id, "albumUsers": [], "shared": false,
        "hasSharedLink": false, "startDate": MADE_AT, "endDate": MADE_AT, "assetCount": album.assets.len(),
        "isActivityEnabled": true, "order": "desc",
    });
    match generation {
        Generation::V2 => {
            body["ownerId"] = user.id.clone().into();
            body["owner"] = owner(user);
            body["assets"] = assets.into();
        }
        Generation::V3 => body["albumUsers"] = json!([{ "user": owner(user), "role": "owner" }]),
    }
    body
}

/// The same as an album that was looked up rather than made.
pub fn album_looked_up(generation: Generation, found: &Album, assets: &[Value], user: &User) -> Value {
    let mut body = album(generation, found, assets, user);
    body["lastModifiedAssetTimestamp"] = MADE_AT.into();
    body
}
