//! `POST /api/assets`, in the order in which Immich looks at an upload.

use std::collections::BTreeMap;

use hyper::HeaderMap;
use hyper::body::Incoming;
use serde_json::json;

use super::immich::{Asset, Generation, Immich, Key, checksum_of, sha1_of};
use super::immich_answers::{self as answers, Fault, faults, json_answer};
use super::immich_form::{Part, boundary, parse};
use super::serve::{Answer, BodyRead, ConnectionClosed, answer, field, receive};

/// Answers an upload.
pub async fn upload(
    immich: &Immich,
    key: &Key,
    headers: &HeaderMap,
    body: Incoming,
) -> Result<Answer, ConnectionClosed> {
    // A checksum is only a hint, and answered before the body is read.
    if let Some(checksum) = field(headers, "x-immich-checksum") {
        let held = immich.lock().find(&key.user, &checksum_of(checksum)).map(|asset| asset.id.clone());
        if let Some(id) = held {
            drain(body);
            return Ok(json_answer(200, &json!({ "id": id, "status": "duplicate" })));
        }
    }
    let (rate, cut_at) = {
        let mut behavior = immich.behavior.lock();
        let cut_at = behavior.cuts.as_mut().filter(|(left, _at)| *left > 0).map(|(left, at)| {
            *left -= 1;
            *at
        });
        (behavior.rate, cut_at)
    };
    let received = receive(body, rate, cut_at.unwrap_or(usize::MAX)).await;
    let (BodyRead::Whole(bytes) | BodyRead::Short(bytes)) = &received;
    immich.lock().bytes_read += bytes.len() as u64;
    // An upload that was cut leaves nothing.
    let BodyRead::Whole(body) = received else { return Err(ConnectionClosed) };
    if let Some(status) = refusal_of(immich) {
        return Ok(answer(status, ""));
    }
    let form = field(headers, "content-type").and_then(boundary).and_then(|boundary| parse(&body, boundary));
    let Some(form) = form else { return Ok(immich.refuse(400, "Multipart: Unexpected end of form")) };
    if form.iter().any(|part| part.has_control) {
        return Ok(immich.refuse(400, "Malformed part header"));
    }
    let answer = take(immich, key, &form);
    let mut behavior = immich.behavior.lock();
    if answer.status() == 201 && behavior.loses_answers > 0 {
        behavior.loses_answers -= 1;
        return Err(ConnectionClosed);
    }
    Ok(answer)
}

/// What an upload is refused with for no reason of its own.
fn refusal_of(immich: &Immich) -> Option<u16> {
    let mut behavior = immich.behavior.lock();
    let (left, status) = behavior.refuses_uploads.as_mut().filter(|(left, _status)| *left > 0)?;
    *left -= 1;
    Some(*status)
}

/// What is still sent after an early answer is read and dropped, as Node does.
pub fn drain(body: Incoming) {
    tokio::spawn(receive(body, None, usize::MAX));
}

#[derive(Default)]
struct Fields<'a> {
    texts: BTreeMap<&'a str, String>,
    asset: Option<&'a Part>,
    sidecar: Option<&'a Part>,
}

impl Fields<'_> {
    fn text(&self, name: &str) -> String {
        self.texts.get(name).cloned().unwrap_or_default()
    }
}

/// A file's type is judged as its part begins: by the `filename` that came before it, else by its own
/// name. So a sidecar after `filename` is judged by the picture's name, and refused.
fn read<'a>(immich: &Immich, form: &'a [Part]) -> Result<Fields<'a>, Box<Answer>> {
    let mut fields = Fields::default();
    for part in form {
        let Some(own_name) = &part.file_name else {
            fields.texts.insert(&part.name, part.text());
            continue;
        };
        let name = fields.texts.get("filename").filter(|name| !name.is_empty()).unwrap_or(own_name);
        let ending = name.rfind('.').map(|dot| name[dot..].to_lowercase()).unwrap_or_default();
        let is_asset = answers::VIDEO.contains(&ending.as_str())
            || answers::images(immich.generation).contains(&ending.as_str());
        match part.name.as_str() {
            "assetData" if is_asset => fields.asset = Some(part),
            "sidecarData" if ending == ".xmp" => fields.sidecar = Some(part),
            _ => return Err(Box::new(immich.refuse(400, format!("Unsupported file type {name}")))),
        }
    }
    Ok(fields)
}

fn is_date(text: &str) -> bool {
    text.parse::<jiff::Timestamp>().is_ok()
}

fn wrong_fields(generation: Generation, fields: &Fields<'_>) -> Vec<Fault> {
    let mut wrong = Vec::new();
    if generation == Generation::V2 {
        for name in ["deviceAssetId", "deviceId"] {
            if fields.text(name).is_empty() {
                wrong.push(Fault::MissingText(name));
            }
        }
    }
    for name in ["fileCreatedAt", "fileModifiedAt"] {
        match fields.texts.get(name) {
            None => wrong.push(Fault::Missing(name)),
            Some(date) if !is_date(date) => wrong.push(Fault::BadDate(name)),
            Some(_) => {}
        }
    }
    if fields.texts.get("visibility").is_some_and(|text| !answers::is_visibility(text)) {
        wrong.push(Fault::BadVisibility);
    }
    wrong
}

fn take(immich: &Immich, key: &Key, form: &[Part]) -> Answer {
    let fields = match read(immich, form) {
        Ok(fields) => fields,
        Err(refused) => return *refused,
    };
    let Some(file) = fields.asset else { return immich.refuse(400, "File is required") };
    let wrong = wrong_fields(immich.generation, &fields);
    if !wrong.is_empty() {
        return faults(immich.generation, &wrong);
    }
    let size = file.bytes.len() as u64;
    let mut state = immich.lock();
    let user = state.users.iter().find(|user| user.id == key.user).cloned().expect("a key's user");
    if user.quota.is_some_and(|quota| user.usage + size > quota) {
        return immich.refuse(400, "Quota has been exceeded!");
    }
    let live_video = fields.texts.get("livePhotoVideoId").cloned();
    if let Some(video) = &live_video {
        match state.assets.iter_mut().find(|asset| asset.id == *video && asset.user == user.id) {
            None => return immich.refuse(400, "Live photo video not found"),
            Some(asset) if !asset.is_video => return immich.refuse(400, "Live photo video must be a video"),
            Some(asset) => "hidden".clone_into(&mut asset.visibility),
        }
    }
    let mut bytes = file.bytes.clone();
    let is_damaged = {
        let mut behavior = immich.behavior.lock();
        if behavior.spoils_next > 0 {
            behavior.spoils_next -= 1;
            bytes[0] ^= 4;
        }
        let is_next = behavior.damages_next > 0;
        behavior.damages_next = behavior.damages_next.saturating_sub(1);
        let number = state.assets.len() as u64 + 1;
        is_next || behavior.damages_every.is_some_and(|every| number.is_multiple_of(every))
    };
    let sha1 = sha1_of(&bytes);
    if let Some(known) = state.find(&user.id, &sha1) {
        return json_answer(200, &json!({ "status": "duplicate", "id": known.id }));
    }
    let own_name = file.file_name.clone().unwrap_or_default();
    let name = fields.texts.get("filename").cloned().unwrap_or(own_name);
    let ending = name.rfind('.').map(|dot| name[dot..].to_lowercase()).unwrap_or_default();
    let visibility = fields.texts.get("visibility").cloned().unwrap_or_else(|| "timeline".to_owned());
    let mut asset = Asset {
        id: immich.id(),
        user: user.id,
        sha1,
        bytes,
        is_video: answers::VIDEO.contains(&ending.as_str()),
        name,
        created: fields.text("fileCreatedAt"),
        modified: fields.text("fileModifiedAt"),
        device: fields.text("deviceId"),
        device_asset: fields.text("deviceAssetId"),
        visibility,
        is_favorite: fields.text("isFavorite") == "true",
        is_trashed: false,
        live_video,
        sidecar: fields.sidecar.map(|part| part.bytes.clone()),
        told: BTreeMap::new(),
    };
    let id = asset.id.clone();
    if is_damaged {
        asset.bytes[0] ^= 1;
    }
    state.assets.push(asset);
    if let Some(user) = state.users.iter_mut().find(|user| user.id == key.user) {
        user.usage += size;
    }
    json_answer(201, &json!({ "id": id, "status": "created" }))
}
