//! An S3 bucket in memory (Amazon S3 API reference, version 2006-03-01): objects, uploads in parts,
//! listings, signed requests only. It checks what it is sent as SeaweedFS and Amazon do.

use parking_lot::Mutex;
use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use bytes::Bytes;
use safelight::base::clock::{Clock as _, SystemClock};
use safelight::base::digester::Digester;
use safelight::domain::hash::{DigestKind, DigestSet, Digests};
use safelight::domain::time::UnixMillis;

use super::dav::BufferedRequest;
use super::s3_sign::{self, Key};
use super::serve::{Answer, answer, answer_with, field};

/// What the parts of an upload have at least, but the last, in bytes.
const PART_BYTES_MIN: usize = 5 << 20;

/// How a server differs from others.
#[derive(Debug, Clone)]
pub struct BucketBehavior {
    pub key: Key,
    /// Heeds `If-None-Match: *`.
    pub keeps_from_replacing: bool,
    /// Checks, keeps and tells CRC64NVME.
    pub knows_crc: bool,
    /// Checks `Content-MD5` and gives it as the entity tag.
    pub knows_md5: bool,
    /// Lists parts.
    pub lists_parts: bool,
    /// An upload that was put together is not known any more; else it is done again.
    pub forgets_finished: bool,
    /// What it answers for an upload that it does not know; s3s-fs says 403.
    pub unknown_upload: (u16, &'static str),
    /// Names with one of these are refused.
    pub refuses_in_names: &'static str,
    /// Says that its empty answers are web pages, as moto.
    pub calls_nothing_html: bool,
}

impl BucketBehavior {
    /// A strict server for this key.
    pub fn strict(id: &str, secret: &str) -> Self {
        let (id, secret, region) = (id.to_owned(), secret.to_owned(), "us-east-1".to_owned());
        Self {
            key: Key { id, secret, session: None, region },
            keeps_from_replacing: true,
            knows_crc: true,
            knows_md5: true,
            lists_parts: true,
            forgets_finished: true,
            unknown_upload: (404, "NoSuchUpload"),
            refuses_in_names: "",
            calls_nothing_html: false,
        }
    }

    fn unknown(&self) -> Answer {
        error(self.unknown_upload.0, self.unknown_upload.1, "")
    }

    /// One that believes whatever it is told.
    pub fn careless(id: &str, secret: &str) -> Self {
        Self {
            keeps_from_replacing: false,
            knows_crc: false,
            knows_md5: false,
            lists_parts: false,
            ..Self::strict(id, secret)
        }
    }
}

#[derive(Debug, Clone)]
struct Object {
    bytes: Bytes,
    tag: String,
    crc: Option<String>,
    mtime: Option<String>,
}

#[derive(Debug, Default)]
struct Upload {
    object: String,
    mtime: Option<String>,
    parts: BTreeMap<u32, (Bytes, String)>,
    is_finished: bool,
    /// For how long it has been there, in hours.
    age_hours: i64,
}

#[derive(Default)]
struct State {
    objects: BTreeMap<String, Object>,
    uploads: BTreeMap<String, Upload>,
    /// The object of every write that took effect, in order.
    written: Vec<String>,
    next: u64,
}

/// The only bucket there is.
pub struct Bucket {
    name: String,
    pub behavior: Mutex<BucketBehavior>,
    state: Mutex<State>,
}

fn error(status: u16, code: &str, more: &str) -> Answer {
    let body = format!(
        "<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>so it is</Message>{more}</Error>"
    );
    answer_with(status, &[("content-type", "application/xml")], body)
}

fn xml(body: String) -> Answer {
    answer_with(200, &[("content-type", "application/xml")], body)
}

fn digests(bytes: &[u8]) -> Digests {
    let mut digester = Digester::new(DigestSet::NONE.with(DigestKind::Md5).with(DigestKind::Crc64Nvme));
    digester.update(bytes);
    digester.finish().digests
}

fn crc(bytes: &[u8]) -> String {
    BASE64.encode(digests(bytes).crc64nvme.expect("asked for").to_be_bytes())
}

fn md5(bytes: &[u8]) -> [u8; 16] {
    digests(bytes).md5.expect("asked for")
}

impl Bucket {
    pub fn new(name: &str, behavior: BucketBehavior) -> Self {
        Self { name: name.to_owned(), behavior: Mutex::new(behavior), state: Mutex::default() }
    }

    /// The bytes of an object.
    pub fn contents(&self, object: &str) -> Option<Vec<u8>> {
        self.lock().objects.get(object).map(|object| object.bytes.to_vec())
    }

    /// Puts an object there behind everyone's back.
    pub fn put(&self, object: &str, bytes: &[u8]) {
        let made = Self::object(&self.behavior(), Bytes::copy_from_slice(bytes), None);
        self.lock().objects.insert(object.to_owned(), made);
    }

    /// The names of all objects, sorted.
    pub fn objects(&self) -> Vec<String> {
        self.lock().objects.keys().cloned().collect()
    }

    /// How often something was written under this name.
    pub fn written(&self, object: &str) -> usize {
        self.lock().written.iter().filter(|name| *name == object).count()
    }

    /// The objects that unfinished uploads are for.
    pub fn unfinished(&self) -> Vec<String> {
        let state = self.lock();
        let open = state.uploads.values().filter(|upload| !upload.is_finished);
        open.map(|upload| upload.object.clone()).collect()
    }

    /// Begins an upload behind everyone's back, so many hours ago. Returns its id.
    pub fn begin_ago(&self, object: &str, age_hours: i64) -> String {
        let mut state = self.lock();
        state.next += 1;
        let id = format!("lost {}", state.next);
        let upload = Upload { object: object.to_owned(), age_hours, ..Upload::default() };
        state.uploads.insert(id.clone(), upload);
        id
    }

    /// Makes all unfinished uploads older.
    pub fn age_uploads(&self, hours: i64) {
        for upload in self.lock().uploads.values_mut() {
            upload.age_hours += hours;
        }
    }

    /// Loses all unfinished uploads, as a server that was killed.
    pub fn forget_uploads(&self) {
        self.lock().uploads.clear();
    }

    fn behavior(&self) -> BucketBehavior {
        self.behavior.lock().clone()
    }

    fn lock(&self) -> parking_lot::MutexGuard<'_, State> {
        self.state.lock()
    }

    fn object(behavior: &BucketBehavior, bytes: Bytes, mtime: Option<String>) -> Object {
        let tag = if behavior.knows_md5 {
            md5(&bytes).iter().map(|byte| format!("{byte:02x}")).collect()
        } else {
            format!("opaque-{}", bytes.len())
        };
        Object { crc: behavior.knows_crc.then(|| crc(&bytes)), tag: format!("\"{tag}\""), bytes, mtime }
    }

    /// Answers a request as a sound server would.
    pub fn respond(&self, asked: &BufferedRequest<'_>) -> Answer {
        let behavior = self.behavior();
        if asked.is_cut {
            return error(400, "IncompleteBody", "");
        }
        let checked = s3_sign::check(&behavior.key, asked.method, asked.path, asked.query, asked.headers);
        if let Err((status, code, more)) = checked {
            return error(status, code, &more);
        }
        let path = percent_encoding::percent_decode_str(asked.path).decode_utf8_lossy().into_owned();
        let Some(rest) = path.strip_prefix(&format!("/{}", self.name)) else {
            return error(404, "NoSuchBucket", "");
        };
        let query: BTreeMap<String, String> =
            url::form_urlencoded::parse(asked.query.as_bytes()).into_owned().collect();
        let object = rest.trim_start_matches('/');
        let upload = query.get("uploadId");
        match (asked.method, object, upload) {
            ("GET", "", _) if query.contains_key("uploads") => self.list_uploads(),
            ("GET", "", _) => self.list(&query),
            ("GET" | "HEAD", _, None) => self.give(object),
            ("DELETE", _, None) => {
                self.lock().objects.remove(object);
                answer(204, "")
            }
            ("PUT", _, None) => self.take(object, asked, &behavior),
            ("POST", _, None) if query.contains_key("uploads") => self.begin(object, asked),
            ("PUT", _, Some(id)) => self.take_part(id, object, &query, asked, &behavior),
            ("GET", _, Some(id)) => self.list_parts(id, &behavior),
            ("POST", _, Some(id)) => self.assemble(id, object, asked, &behavior),
            ("DELETE", _, Some(id)) => match self.lock().uploads.remove(id) {
                Some(upload) if !upload.is_finished => answer(204, ""),
                _ => behavior.unknown(),
            },
            _ => error(405, "MethodNotAllowed", ""),
        }
    }

    fn give(&self, object: &str) -> Answer {
        let Some(found) = self.lock().objects.get(object).cloned() else {
            return error(404, "NoSuchKey", "");
        };
        let mut fields = vec![("etag", found.tag.as_str())];
        if let Some(crc) = &found.crc {
            fields
                .extend([("x-amz-checksum-crc64nvme", crc.as_str()), ("x-amz-checksum-type", "FULL_OBJECT")]);
        }
        fields.extend(found.mtime.as_deref().map(|mtime| ("x-amz-meta-mtime", mtime)));
        answer_with(200, &fields, found.bytes)
    }

    /// What is wrong with a body, by the digests that came with it.
    fn refused(asked: &BufferedRequest<'_>, behavior: &BucketBehavior) -> Option<Answer> {
        let is_wrong =
            |name: &str, right: String| field(asked.headers, name).is_some_and(|said| said != right);
        let md5 = behavior.knows_md5 && is_wrong("content-md5", BASE64.encode(md5(&asked.body)));
        let crc = behavior.knows_crc && is_wrong("x-amz-checksum-crc64nvme", crc(&asked.body));
        (md5 || crc).then(|| error(400, "BadDigest", ""))
    }

    /// Whether a request must not replace what is there.
    fn keeps(&self, object: &str, asked: &BufferedRequest<'_>, behavior: &BucketBehavior) -> bool {
        let is_told = field(asked.headers, "if-none-match") == Some("*");
        is_told && behavior.keeps_from_replacing && self.lock().objects.contains_key(object)
    }

    fn take(&self, object: &str, asked: &BufferedRequest<'_>, behavior: &BucketBehavior) -> Answer {
        if let Some(refused) = Self::refused(asked, behavior) {
            return refused;
        }
        if self.keeps(object, asked, behavior) {
            return error(412, "PreconditionFailed", "");
        }
        if object.rsplit('/').next().unwrap_or_default().len() > 255 {
            return error(400, "KeyTooLongError", "");
        }
        if object.contains(|c| behavior.refuses_in_names.contains(c)) {
            return error(400, "XMinioInvalidObjectName", "");
        }
        let mtime = field(asked.headers, "x-amz-meta-mtime").map(str::to_owned);
        let made = Self::object(behavior, asked.body.clone(), mtime);
        let html = behavior.calls_nothing_html.then_some(("content-type", "text/html; charset=utf-8"));
        let fields: Vec<_> = std::iter::once(("etag", made.tag.as_str())).chain(html).collect();
        let answer = answer_with(200, &fields, "");
        let answer = told(answer, made.crc.as_deref());
        let mut state = self.lock();
        state.objects.insert(object.to_owned(), made);
        state.written.push(object.to_owned());
        answer
    }

    fn begin(&self, object: &str, asked: &BufferedRequest<'_>) -> Answer {
        let mut state = self.lock();
        state.next += 1;
        let id = format!("upload {}+/=", state.next);
        let mtime = field(asked.headers, "x-amz-meta-mtime").map(str::to_owned);
        let upload = Upload { object: object.to_owned(), mtime, ..Upload::default() };
        state.uploads.insert(id.clone(), upload);
        xml(format!(
            "<InitiateMultipartUploadResult><UploadId>{id}</UploadId></InitiateMultipartUploadResult>"
        ))
    }

    fn take_part(
        &self,
        id: &str,
        object: &str,
        query: &BTreeMap<String, String>,
        asked: &BufferedRequest<'_>,
        behavior: &BucketBehavior,
    ) -> Answer {
        if let Some(refused) = Self::refused(asked, behavior) {
            return refused;
        }
        let number = query.get("partNumber").and_then(|number| number.parse().ok());
        let mut state = self.lock();
        let upload =
            state.uploads.get_mut(id).filter(|upload| !upload.is_finished && upload.object == object);
        let (Some(upload), Some(number)) = (upload, number) else { return behavior.unknown() };
        let tag = Self::object(behavior, asked.body.clone(), None).tag;
        upload.parts.insert(number, (asked.body.clone(), tag.clone()));
        answer_with(200, &[("etag", &tag)], "")
    }

    fn list_parts(&self, id: &str, behavior: &BucketBehavior) -> Answer {
        if !behavior.lists_parts {
            return error(501, "NotImplemented", "");
        }
        let state = self.lock();
        let Some(upload) = state.uploads.get(id).filter(|upload| !upload.is_finished) else {
            return behavior.unknown();
        };
        let part = |(number, (bytes, tag)): (&u32, &(Bytes, String))| {
            let (size, tag) = (bytes.len(), tag.replace('"', "&quot;"));
            format!("<Part><PartNumber>{number}</PartNumber><Size>{size}</Size><ETag>{tag}</ETag></Part>")
        };
        let parts: String = upload.parts.iter().map(part).collect();
        xml(format!("<ListPartsResult><IsTruncated>false</IsTruncated>{parts}</ListPartsResult>"))
    }

    fn assemble(
        &self,
        id: &str,
        object: &str,
        asked: &BufferedRequest<'_>,
        behavior: &BucketBehavior,
    ) -> Answer {
        if self.keeps(object, asked, behavior) {
            return error(412, "PreconditionFailed", "");
        }
        let mut state = self.lock();
        let known = state.uploads.get_mut(id).filter(|upload| upload.object == object);
        let Some(upload) = known.filter(|upload| !(upload.is_finished && behavior.forgets_finished)) else {
            return behavior.unknown();
        };
        let text = String::from_utf8_lossy(&asked.body).replace("&quot;", "\"");
        let (mut bytes, mut count) = (Vec::new(), 0);
        for (at, part) in text.split("<Part>").skip(1).enumerate() {
            let value = |name: &str| between(part, &format!("<{name}>"), &format!("</{name}>"));
            let number = value("PartNumber").and_then(|number| number.parse::<u32>().ok()).unwrap_or(0);
            let Some((piece, tag)) = upload.parts.get(&number) else { return error(400, "InvalidPart", "") };
            if value("ETag") != Some(tag.as_str()) || number as usize != at + 1 {
                return error(400, "InvalidPart", "");
            }
            if number as usize != upload.parts.len() && piece.len() < PART_BYTES_MIN {
                return error(400, "EntityTooSmall", "");
            }
            bytes.extend_from_slice(piece);
            count += 1;
        }
        if count == 0 {
            return error(400, "MalformedXML", "");
        }
        let said = field(asked.headers, "x-amz-checksum-crc64nvme");
        if behavior.knows_crc && said.is_some_and(|said| said != crc(&bytes)) {
            return error(400, "BadDigest", "");
        }
        upload.is_finished = true;
        let mut made = Self::object(behavior, bytes.into(), upload.mtime.clone());
        made.tag = format!("\"{}-{count}\"", made.tag.trim_matches('"'));
        let sum = made.crc.as_deref().map(|crc| {
            format!("<ChecksumCRC64NVME>{crc}</ChecksumCRC64NVME><ChecksumType>FULL_OBJECT</ChecksumType>")
        });
        let said = format!("<ETag>{}</ETag>{}", made.tag.replace('"', "&quot;"), sum.unwrap_or_default());
        state.objects.insert(object.to_owned(), made);
        state.written.push(object.to_owned());
        xml(format!("<CompleteMultipartUploadResult>{said}</CompleteMultipartUploadResult>"))
    }

    fn list(&self, query: &BTreeMap<String, String>) -> Answer {
        let prefix = query.get("prefix").cloned().unwrap_or_default();
        let is_flat = !query.contains_key("delimiter");
        let (mut listed, mut folders) = (String::new(), std::collections::BTreeSet::new());
        let encoded = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
        for (name, object) in &self.lock().objects {
            let Some(rest) = name.strip_prefix(&prefix) else { continue };
            match rest.split_once('/') {
                Some((folder, _rest)) if !is_flat => {
                    folders.insert(format!("{prefix}{folder}/"));
                }
                _ => {
                    let (name, size) = (encoded(name), object.bytes.len());
                    listed.push_str(&format!("<Contents><Key>{name}</Key><Size>{size}</Size></Contents>"));
                }
            }
        }
        for folder in folders {
            listed
                .push_str(&format!("<CommonPrefixes><Prefix>{}</Prefix></CommonPrefixes>", encoded(&folder)));
        }
        let head = "<EncodingType>url</EncodingType><IsTruncated>false</IsTruncated>";
        xml(format!("<ListBucketResult>{head}{listed}</ListBucketResult>"))
    }

    fn list_uploads(&self) -> Answer {
        let state = self.lock();
        let open = state.uploads.iter().filter(|(_id, upload)| !upload.is_finished);
        let listed: String = open
            .map(|(id, upload)| {
                let initiated = SystemClock.now().0 - upload.age_hours * 3_600_000;
                let (key, at) = (&upload.object, UnixMillis(initiated).rfc3339());
                format!(
                    "<Upload><Key>{key}</Key><UploadId>{id}</UploadId><Initiated>{at}</Initiated></Upload>"
                )
            })
            .collect();
        xml(format!("<ListMultipartUploadsResult>{listed}</ListMultipartUploadsResult>"))
    }
}

/// With the checksum that the server has seen.
fn told(mut answer: Answer, crc: Option<&str>) -> Answer {
    if let Some(crc) = crc {
        let headers = answer.headers_mut();
        headers.insert("x-amz-checksum-crc64nvme", crc.parse().expect("base64"));
        headers.insert("x-amz-checksum-type", "FULL_OBJECT".parse().expect("plain"));
    }
    answer
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let (_before, rest) = text.split_once(start)?;
    rest.split_once(end).map(|(value, _after)| value)
}
