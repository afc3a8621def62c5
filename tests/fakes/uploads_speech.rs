//! The two protocols of [`super::uploads`], as strict as their texts.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::Digest as _;

use super::serve::{Answer, answer, answer_with, field};
use super::uploads::{Call, DownloadLocation, State, Upload};

fn number(call: &Call<'_>, name: &str) -> Option<u64> {
    field(call.headers, name)?.parse().ok()
}

fn sha256(bytes: &[u8]) -> String {
    STANDARD.encode(sha2::Sha256::digest(bytes))
}

fn sha1_hex(bytes: &[u8]) -> String {
    sha1::Sha1::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The bytes of a finished upload, where they are to be had.
fn get(state: &State, call: &Call<'_>) -> Answer {
    let (id, is_file) = match call.id.strip_prefix("file-") {
        Some(id) => (id, true),
        None => (call.id, false),
    };
    let gives = if is_file { DownloadLocation::AtTheFile } else { DownloadLocation::AtTheUpload };
    match state.uploads.get(id) {
        Some(upload) if call.behavior.gives_only_latin1 && upload.name.contains(|c| c > '\u{ff}') => {
            answer(500, "Invalid character in header content")
        }
        Some(upload) if upload.is_complete && call.behavior.gives == gives => {
            answer_with(200, &[("content-type", "application/octet-stream")], upload.bytes.clone())
        }
        _ => answer(404, "no such file"),
    }
}

/// Takes a finished upload away from those that can be asked for, where it is not kept.
fn is_known(call: &Call<'_>, upload: &Upload) -> bool {
    !upload.is_complete || call.behavior.keeps_finished
}

fn missing(state: &State, call: &Call<'_>) -> Answer {
    let is_expired = state.expired.iter().any(|id| id == call.id);
    if is_expired { answer(410, "the upload has expired") } else { answer(404, "no such upload") }
}

/// tus 1.0.
pub mod tus {
    use super::*;

    const VERSION: (&str, &str) = ("tus-resumable", "1.0.0");

    pub(in crate::fakes) fn answer_to(state: &mut State, call: &Call<'_>) -> Answer {
        match call.method {
            "OPTIONS" => return options(call),
            "GET" => return get(state, call),
            _ => {}
        }
        if super::field(call.headers, "tus-resumable") != Some("1.0.0") {
            return answer_with(412, &[("tus-version", "1.0.0")], "another version");
        }
        let mut answer = match call.method {
            "POST" if call.id.is_empty() => create(state, call),
            "HEAD" => head(state, call),
            "PATCH" => patch(state, call),
            "DELETE" if call.behavior.can_end => match state.uploads.remove(call.id) {
                Some(_upload) => super::answer(204, ""),
                None => missing(state, call),
            },
            _ => super::answer(405, "not here"),
        };
        answer.headers_mut().insert(VERSION.0, VERSION.1.parse().expect("a value"));
        answer
    }

    fn options(call: &Call<'_>) -> Answer {
        let mut extensions = vec!["creation", "expiration"];
        let behavior = call.behavior;
        for (name, has) in [
            ("creation-with-upload", behavior.takes_bytes_at_once),
            ("termination", behavior.can_end),
            ("checksum", behavior.compares_parts),
        ] {
            if has {
                extensions.push(name);
            }
        }
        let size = behavior.size_max.map(|max| max.to_string());
        let extensions = extensions.join(",");
        let mut fields =
            vec![("tus-version", "1.0.0,0.2.2"), ("tus-extension", extensions.as_str()), VERSION];
        if let Some(size) = &size {
            fields.push(("tus-max-size", size));
        }
        if behavior.compares_parts {
            fields.push(("tus-checksum-algorithm", "md5,sha1,sha256"));
        }
        answer_with(204, &fields, "")
    }

    /// The value of a key; `Err` when the field breaks the protocol.
    fn metadata(text: &str, wanted: &str) -> Result<Option<String>, ()> {
        let mut found = None;
        for pair in text.split(',') {
            let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
            if key.is_empty() || !key.is_ascii() {
                return Err(());
            }
            let value = String::from_utf8(STANDARD.decode(value).map_err(|_bad| ())?).map_err(|_bad| ())?;
            if key == wanted {
                found = Some(value);
            }
        }
        Ok(found)
    }

    fn create(state: &mut State, call: &Call<'_>) -> Answer {
        let Some(length) = number(call, "upload-length") else {
            return answer(400, "how long?");
        };
        if call.behavior.size_max.is_some_and(|max| length > max) {
            return answer(413, "too large");
        }
        let text = super::field(call.headers, "upload-metadata").unwrap_or_default().to_owned();
        let (Ok(name), Ok(whole)) = (metadata(&text, "relativePath"), metadata(&text, "checksum")) else {
            return answer(400, "what metadata?");
        };
        let is_with_bytes = super::field(call.headers, "content-type").is_some();
        if is_with_bytes && (!call.behavior.takes_bytes_at_once || call.body.len() as u64 > length) {
            return answer(400, "no bytes here");
        }
        if !is_with_bytes && !call.body.is_empty() {
            return answer(400, "a body of no type");
        }
        let upload = Upload {
            bytes: call.body.to_vec(),
            length: Some(length),
            is_complete: call.body.len() as u64 == length,
            name: name.unwrap_or_default(),
            metadata: text,
            whole: whole.filter(|_| call.behavior.compares_whole),
        };
        let offset = upload.bytes.len().to_string();
        let location = format!("/files/{}", state.add(upload));
        let expires = ("upload-expires", "Sun, 06 Nov 2094 08:49:37 GMT");
        answer_with(201, &[("location", &location), ("upload-offset", &offset), expires], "")
    }

    fn head(state: &State, call: &Call<'_>) -> Answer {
        let Some(upload) = state.uploads.get(call.id).filter(|upload| is_known(call, upload)) else {
            return missing(state, call);
        };
        let (offset, length) = (upload.bytes.len().to_string(), upload.length.unwrap_or(0).to_string());
        let fields = [
            ("upload-offset", offset.as_str()),
            ("upload-length", &length),
            ("upload-metadata", &upload.metadata),
            ("cache-control", "no-store"),
        ];
        answer_with(200, &fields, "")
    }

    fn patch(state: &mut State, call: &Call<'_>) -> Answer {
        if super::field(call.headers, "content-type") != Some("application/offset+octet-stream") {
            return answer(415, "what bytes?");
        }
        let checked = super::field(call.headers, "upload-checksum").filter(|_| call.behavior.compares_parts);
        let Some(upload) = state.uploads.get(call.id).filter(|upload| is_known(call, upload)).cloned() else {
            return missing(state, call);
        };
        if number(call, "upload-offset") != Some(upload.bytes.len() as u64) {
            return answer(409, "another offset");
        }
        if call.behavior.append_max.is_some_and(|max| call.body.len() as u64 > max) {
            return answer_with(
                413,
                &[("content-type", "text/html")],
                "<html>Request Entity Too Large</html>",
            );
        }
        let length = upload.length.unwrap_or(0);
        if upload.bytes.len() as u64 + call.body.len() as u64 > length {
            return answer(413, "more than was said");
        }
        match checked.and_then(|checked| checked.split_once(' ')) {
            Some(("sha256", digest)) if digest != sha256(call.body) => return answer(460, "other bytes"),
            Some(("sha256", _)) | None => {}
            Some(_other) => return answer(400, "an unknown digest"),
        }
        if checked.is_some() && call.is_short {
            return answer(400, "half of an append");
        }
        let bytes = [upload.bytes, call.body.to_vec()].concat();
        let is_complete = bytes.len() as u64 == length;
        if is_complete && upload.whole.is_some_and(|whole| whole != format!("sha1 {}", sha1_hex(&bytes))) {
            state.uploads.remove(call.id);
            return answer(400, "other bytes in all");
        }
        let kept = state.uploads.get_mut(call.id).expect("it was there");
        (kept.bytes, kept.is_complete) = (bytes, is_complete);
        answer_with(204, &[("upload-offset", &kept.bytes.len().to_string())], "")
    }
}

/// The draft, in the version of one interop number.
pub mod draft {
    use super::*;

    const NUMBER: &str = "upload-draft-interop-version";

    pub(in crate::fakes) fn answer_to(state: &mut State, call: &Call<'_>, version: u8) -> Answer {
        if call.method == "GET" {
            return get(state, call);
        }
        if super::field(call.headers, NUMBER) != Some(version.to_string().as_str()) {
            return stranger(state, call);
        }
        let mut answer = match call.method {
            "OPTIONS" if call.behavior.answers_options => super::answer(204, ""),
            "POST" if call.id.is_empty() => create(state, call, version),
            "HEAD" => head(state, call, version),
            "PATCH" => patch(state, call, version),
            "DELETE" if call.behavior.can_end => match state.uploads.remove(call.id) {
                Some(_upload) => super::answer(204, ""),
                None => missing(state, call),
            },
            _ => super::answer(405, "not here"),
        };
        answer.headers_mut().insert(NUMBER, version.to_string().parse().expect("a value"));
        if matches!(call.method, "OPTIONS" | "POST" | "HEAD") && answer.status().is_success() {
            let limits =
                [("max-size", call.behavior.size_max), ("max-append-size", call.behavior.append_max)];
            let limits = limits.iter().filter_map(|(key, max)| Some(format!("{key}={}", (*max)?)));
            let limits = std::iter::once("min-size=0".to_owned()).chain(limits).collect::<Vec<_>>();
            answer.headers_mut().insert("upload-limit", limits.join(", ").parse().expect("a value"));
        }
        answer
    }

    /// Whoever does not speak this version is served as by any server.
    fn stranger(state: &mut State, call: &Call<'_>) -> Answer {
        match call.method {
            _ if call.behavior.refuses_other_versions => answer(412, "another version"),
            "POST" => {
                state.strays += 1;
                answer(201, "")
            }
            "OPTIONS" => answer_with(204, &[("allow", "POST")], ""),
            _ => answer(405, "not here"),
        }
    }

    /// The flag that the upload is or is not complete, by its version's name and meaning.
    fn flag(version: u8, is_complete: bool) -> (&'static str, &'static str) {
        match (version, is_complete) {
            (3, true) => ("upload-incomplete", "?0"),
            (3, false) => ("upload-incomplete", "?1"),
            (_, true) => ("upload-complete", "?1"),
            (_, false) => ("upload-complete", "?0"),
        }
    }

    fn is_complete(call: &Call<'_>, version: u8) -> Option<bool> {
        [true, false].into_iter().find(|value| {
            let (name, text) = flag(version, *value);
            super::field(call.headers, name) == Some(text)
        })
    }

    fn create(state: &mut State, call: &Call<'_>, version: u8) -> Answer {
        let Some(is_complete) = is_complete(call, version) else {
            return stranger(state, call);
        };
        let length = number(call, "upload-length");
        if is_complete || !call.body.is_empty() || (version >= 6 && length.is_none()) {
            return answer(400, "this fake takes careful creations only");
        }
        if let (Some(length), Some(max)) = (length, call.behavior.size_max)
            && length > max
        {
            return answer(413, "too large");
        }
        let disposition = super::field(call.headers, "content-disposition").unwrap_or_default();
        let name = disposition.split_once("filename*=UTF-8''").map_or("", |(_start, name)| name);
        let name = percent_encoding::percent_decode_str(name).decode_utf8_lossy().into_owned();
        let whole = super::field(call.headers, "repr-digest").map(str::to_owned);
        let whole = whole.filter(|_| call.behavior.compares_whole);
        let id = state.add(Upload { length, name, whole, ..Upload::default() });
        let (name, text) = flag(version, false);
        answer_with(201, &[("location", &format!("/files/{id}")), (name, text)], "")
    }

    fn head(state: &State, call: &Call<'_>, version: u8) -> Answer {
        if ["upload-offset", "upload-complete", "upload-length"]
            .iter()
            .any(|name| call.headers.contains_key(*name))
        {
            return answer(400, "a question with an answer in it");
        }
        let Some(upload) = state.uploads.get(call.id).filter(|upload| is_known(call, upload)) else {
            return missing(state, call);
        };
        let (offset, length) = (upload.bytes.len().to_string(), upload.length.unwrap_or(0).to_string());
        let mut fields = vec![("upload-offset", offset.as_str()), ("cache-control", "no-store")];
        fields.push(flag(version, upload.is_complete));
        if upload.length.is_some() {
            fields.push(("upload-length", &length));
        }
        answer_with(204, &fields, "")
    }

    fn problem(status: u16, kind: &str, fields: &[(&str, &str)]) -> Answer {
        let body = format!(
            "{{\"type\":\"https://iana.org/assignments/http-problem-types#{kind}\",\"title\":\"{kind}\"}}"
        );
        let fields: Vec<(&str, &str)> =
            fields.iter().copied().chain([("content-type", "application/problem+json")]).collect();
        answer_with(status, &fields, body)
    }

    fn patch(state: &mut State, call: &Call<'_>, version: u8) -> Answer {
        let kind = super::field(call.headers, "content-type");
        if version >= 6 && kind != Some("application/partial-upload") {
            return answer(415, "what bytes?");
        }
        let Some(is_last) = is_complete(call, version) else {
            return answer(400, "is that all?");
        };
        let Some(upload) = state.uploads.get(call.id).filter(|upload| is_known(call, upload)).cloned() else {
            return missing(state, call);
        };
        let (have, unfinished) = (upload.bytes.len().to_string(), flag(version, false));
        if upload.is_complete {
            return problem(400, "completed-upload", &[flag(version, true)]);
        }
        if number(call, "upload-offset") != Some(upload.bytes.len() as u64) {
            return problem(409, "mismatching-upload-offset", &[("upload-offset", &have), unfinished]);
        }
        if call.behavior.append_max.is_some_and(|max| call.body.len() as u64 > max) {
            return answer_with(413, &[unfinished], "too much at once");
        }
        let bytes = [upload.bytes, call.body.to_vec()].concat();
        let has_all = upload.length.is_none_or(|length| bytes.len() as u64 == length);
        if upload.length.is_some_and(|length| bytes.len() as u64 > length)
            || (is_last && !call.is_short && !has_all)
        {
            return problem(400, "inconsistent-upload-length", &[unfinished]);
        }
        let digest = |bytes: &[u8]| format!("sha-256=:{}:", sha256(bytes));
        let checked = super::field(call.headers, "content-digest").filter(|_| call.behavior.compares_parts);
        if checked.is_some_and(|checked| call.is_short || checked != digest(call.body)) {
            return answer_with(400, &[unfinished], "other bytes");
        }
        let is_complete = is_last && !call.is_short;
        if is_complete && upload.whole.as_ref().is_some_and(|whole| *whole != digest(&bytes)) {
            state.uploads.remove(call.id);
            return answer_with(422, &[flag(version, true)], "other bytes in all");
        }
        let kept = state.uploads.get_mut(call.id).expect("it was there");
        (kept.bytes, kept.is_complete) = (bytes, is_complete);
        let file = format!("/files/file-{}", call.id);
        match (is_complete, call.behavior.gives) {
            (false, _) => {
                answer_with(204, &[unfinished, ("upload-offset", &kept.bytes.len().to_string())], "")
            }
            (true, DownloadLocation::AtTheFile) => {
                answer_with(201, &[flag(version, true), ("location", &file)], "")
            }
            (true, _) => answer_with(200, &[flag(version, true)], ""),
        }
    }
}
