//! A Nextcloud of our own: files over WebDAV, chunked uploads (v2), a quota, and checksums that it
//! computes when it is told to and otherwise believes unseen, as the real one does.

use parking_lot::Mutex;
use std::collections::BTreeMap;

use bytes::Bytes;
use sha2::Digest as _;

use super::dav::{BufferedRequest, Dav, File, parent};
use super::dav_xml::{ResourceProperties, multistatus};
use super::serve::{Answer, answer, answer_with, field};

/// The smallest part but the last, in bytes: 5 MB.
const PART_MIN: usize = 5_000_000;
/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 250;

/// What a server may lack.
#[derive(Debug, Clone)]
pub struct NextcloudBehavior {
    /// The path that it is installed at: empty, or as `/nextcloud`.
    pub root: String,
    /// It computes checksums when it is told to (`X-Recalculate-Hash`).
    pub recalculates: bool,
    /// It is an ownCloud, which compares `OC-Checksum` with the SHA-1, MD5 and Adler-32 of what arrives
    /// and answers 400 to whatever is none of them.
    pub compares: bool,
    /// The checksums that its capabilities name.
    pub offers: &'static [&'static str],
}

impl Default for NextcloudBehavior {
    fn default() -> Self {
        Self { root: String::new(), recalculates: true, compares: false, offers: &[] }
    }
}

/// An upload under way.
#[derive(Default)]
struct Upload {
    destination: String,
    parts: BTreeMap<u32, Bytes>,
}

/// The server for one person.
pub struct Nextcloud {
    user: String,
    pub behavior: NextcloudBehavior,
    uploads: Mutex<BTreeMap<String, Upload>>,
}

impl Nextcloud {
    pub fn new(user: &str, behavior: NextcloudBehavior) -> Self {
        Self { user: user.to_owned(), behavior, uploads: Mutex::default() }
    }

    /// The path below which this person's files are.
    pub fn files_base(user: &str, behavior: &NextcloudBehavior) -> String {
        format!("{}/remote.php/dav/files/{user}", behavior.root)
    }

    /// The uploads under way and how many parts each has.
    pub fn uploads(&self) -> Vec<(String, usize)> {
        let uploads = self.uploads.lock();
        uploads.iter().map(|(name, upload)| (name.clone(), upload.parts.len())).collect()
    }

    /// Answers one request; files are in `dav`.
    pub fn respond(&self, dav: &Dav, asked: &BufferedRequest<'_>) -> Answer {
        if asked.path == format!("{}/status.php", self.behavior.root) {
            let (name, version) =
                if self.behavior.compares { ("ownCloud", "10.15.0") } else { ("Nextcloud", "31.0.0") };
            let status = format!(
                "{{\"installed\":true,\"maintenance\":false,\"versionstring\":\"{version}\",\"productname\":\"{name}\"}}"
            );
            return answer_with(200, &[("content-type", "application/json")], status);
        }
        if !dav.admits(asked.headers) {
            return answer_with(
                401,
                &[("www-authenticate", "Basic realm=\"Nextcloud\"")],
                sabre("NotAuthenticated"),
            );
        }
        if asked.path == format!("{}/ocs/v2.php/cloud/capabilities", self.behavior.root) {
            return self.capabilities(asked);
        }
        let uploads = format!("{}/remote.php/dav/uploads/{}", self.behavior.root, self.user);
        if let Some(below) = asked.path.strip_prefix(&uploads) {
            return self.upload(dav, asked, below.trim_matches('/'));
        }
        if !asked.path.starts_with(&dav.base) {
            return answer_with(404, &[("content-type", "text/html")], "<html>Page not found</html>");
        }
        self.file(dav, asked)
    }

    fn capabilities(&self, asked: &BufferedRequest<'_>) -> Answer {
        if field(asked.headers, "ocs-apirequest") != Some("true") {
            return answer(412, "CSRF check failed");
        }
        let names: Vec<String> = self.behavior.offers.iter().map(|name| format!("\"{name}\"")).collect();
        let checksums = match names.first() {
            Some(first) => format!(
                "\"checksums\":{{\"supportedTypes\":[{}],\"preferredUploadType\":{first}}}",
                names.join(",")
            ),
            None => String::new(),
        };
        let body = format!("{{\"ocs\":{{\"data\":{{\"capabilities\":{{{checksums}}}}}}}}}");
        answer_with(200, &[("content-type", "application/json; charset=utf-8")], body)
    }

    /// Whether what a client says of the bytes' checksum is refused.
    fn is_refused(&self, asked: &BufferedRequest<'_>, bytes: &[u8]) -> bool {
        use md5::Digest as _;
        let Some(said) = field(asked.headers, "oc-checksum").filter(|_said| self.behavior.compares) else {
            return false;
        };
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let (mut a, mut b) = (1_u32, 0_u32);
        for byte in bytes {
            a = (a + u32::from(*byte)) % 65_521;
            b = (b + a) % 65_521;
        }
        let known = [
            format!("SHA1:{}", hex(&sha1::Sha1::digest(bytes))),
            format!("MD5:{}", hex(&md5::Md5::digest(bytes))),
            format!("ADLER32:{:08x}", b << 16 | a),
        ];
        !known.iter().any(|known| known == said)
    }

    fn file(&self, dav: &Dav, asked: &BufferedRequest<'_>) -> Answer {
        let name = dav.path_of(asked.path).unwrap_or_default();
        let last = name.rsplit('/').next().unwrap_or_default();
        if matches!(asked.method, "PUT" | "MKCOL") && (last.len() > NAME_BYTES_MAX || last.contains('\\')) {
            return answer(400, sabre("The name is not allowed"));
        }
        if asked.method == "PUT" && last.ends_with(".part") {
            return answer(423, "");
        }
        // What names a checksum that is none at all is refused before anything is read.
        let is_odd = |said: &str| {
            !said.split_once(':').is_some_and(|(name, digits)| !name.is_empty() && !digits.is_empty())
        };
        if self.behavior.compares && field(asked.headers, "oc-checksum").is_some_and(is_odd) {
            return answer(400, sabre("Invalid checksum"));
        }
        match asked.method {
            "PATCH" => self.recalculate(dav, asked, &name),
            "PUT" if self.is_refused(asked, &asked.body) => {
                answer(400, sabre("The computed checksum does not match the one received from the client."))
            }
            "PUT" => {
                let done = dav.respond(asked);
                if done.status().is_success()
                    && let Some(file) = dav.file(&name)
                {
                    // The checksum is the client's word, and is kept unseen.
                    let checksum = field(asked.headers, "oc-checksum").map(str::to_owned);
                    dav.store(&name, File { mtime: mtime_of(asked), checksum, ..file }, true);
                }
                done
            }
            "PROPFIND" => with_quota(dav, dav.respond(asked)),
            _ => dav.respond(asked),
        }
    }

    fn recalculate(&self, dav: &Dav, asked: &BufferedRequest<'_>, name: &str) -> Answer {
        if self.behavior.compares {
            return answer(
                501,
                sabre("There was no plugin in the system that was willing to handle this PATCH method."),
            );
        }
        if !self.behavior.recalculates {
            return answer(405, "");
        }
        let Some(file) = dav.file(name) else { return answer(404, "") };
        match field(asked.headers, "x-recalculate-hash") {
            Some("sha256") => {
                let digest = sha2::Sha256::digest(&file.bytes);
                let hex: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
                answer_with(204, &[("oc-checksum", &format!("SHA256:{hex}"))], "")
            }
            _ => answer(400, sabre("Bad request")),
        }
    }

    fn upload(&self, dav: &Dav, asked: &BufferedRequest<'_>, below: &str) -> Answer {
        let (name, part) = below.split_once('/').unwrap_or((below, ""));
        let mut uploads = self.uploads.lock();
        match (asked.method, part) {
            ("MKCOL", "") => {
                let Some(destination) = field(asked.headers, "destination") else { return answer(400, "") };
                if uploads.contains_key(name) {
                    return answer(405, "");
                }
                uploads.insert(
                    name.to_owned(),
                    Upload { destination: destination.to_owned(), ..Upload::default() },
                );
                answer(201, "")
            }
            ("PROPFIND", "") => listing(asked.path, name, &uploads),
            ("DELETE", "") => answer(if uploads.remove(name).is_some() { 204 } else { 404 }, ""),
            ("DELETE", part) => {
                let gone = uploads.get_mut(name).zip(part.parse().ok()).and_then(|(u, n)| u.parts.remove(&n));
                answer(if gone.is_some() { 204 } else { 404 }, "")
            }
            ("PUT", part) => {
                let Some(upload) = uploads.get_mut(name) else { return answer(404, "") };
                let number = part.parse::<u32>().ok().filter(|number| (1..=10_000).contains(number));
                let Some(number) = number else { return answer(400, "") };
                if asked.is_cut {
                    return answer(400, "");
                }
                let total = field(asked.headers, "oc-total-length").and_then(|text| text.parse::<u64>().ok());
                if total.is_some_and(|total| total > dav.free()) {
                    return answer(507, sabre("Insufficient space"));
                }
                upload.parts.insert(number, asked.body.clone());
                answer(201, "")
            }
            ("MOVE", ".file") => {
                let Some(upload) = uploads.get(name) else { return answer(404, "") };
                let done = self.assemble(dav, asked, upload);
                if done.status().is_success() {
                    uploads.remove(name);
                }
                done
            }
            _ => answer(405, ""),
        }
    }

    fn assemble(&self, dav: &Dav, asked: &BufferedRequest<'_>, upload: &Upload) -> Answer {
        let destination = field(asked.headers, "destination").unwrap_or_default();
        let path = destination
            .split_once("://")
            .map_or(destination, |(_scheme, rest)| rest.find('/').map_or("/", |slash| &rest[slash..]));
        let Some(to) = dav.path_of(path) else { return answer(502, "") };
        if destination != upload.destination {
            return answer(400, sabre("another destination than at the beginning"));
        }
        let last = upload.parts.keys().next_back().copied().unwrap_or(0);
        if upload.parts.iter().any(|(number, part)| *number != last && part.len() < PART_MIN) {
            return answer(400, sabre("a part is too small"));
        }
        let bytes: Bytes =
            upload.parts.values().flat_map(|part| part.iter().copied()).collect::<Vec<u8>>().into();
        let total = field(asked.headers, "oc-total-length").and_then(|text| text.parse::<usize>().ok());
        if total != Some(bytes.len()) {
            return answer(400, sabre("the parts are not as long as they should be"));
        }
        if !dav.is_dir(parent(&to)) {
            return answer(409, "");
        }
        if bytes.len() as u64 > dav.free() {
            return answer(507, "");
        }
        if self.is_refused(asked, &bytes) {
            return answer(
                400,
                sabre("The computed checksum does not match the one received from the client."),
            );
        }
        let is_there = dav.file(&to).is_some();
        let may_replace = field(asked.headers, "overwrite") != Some("F");
        let checksum = field(asked.headers, "oc-checksum").map(str::to_owned);
        let file = File { bytes, version: 0, mtime: mtime_of(asked), checksum };
        if !dav.store(&to, file, may_replace) {
            return answer(412, sabre("the destination exists"));
        }
        answer_with(if is_there { 204 } else { 201 }, &[("oc-fileid", "00000001oc")], "")
    }
}

fn listing(path: &str, name: &str, uploads: &BTreeMap<String, Upload>) -> Answer {
    let told = |href: String, size| ResourceProperties {
        href,
        size,
        etag: None,
        modified: "Sat, 03 Feb 2001 04:05:06 GMT".to_owned(),
        more: String::new(),
    };
    let base = path.trim_end_matches('/');
    let mut all = vec![told(format!("{base}/"), None)];
    if name.is_empty() {
        all.extend(uploads.keys().map(|name| told(format!("{base}/{name}/"), None)));
    } else {
        let Some(upload) = uploads.get(name) else { return answer(404, sabre("not found")) };
        // The file that is not there yet is listed too.
        all.push(told(format!("{base}/.file"), Some(0)));
        let part =
            |(number, bytes): (&u32, &Bytes)| told(format!("{base}/{number:05}"), Some(bytes.len() as u64));
        all.extend(upload.parts.iter().map(part));
    }
    answer_with(207, &[("content-type", "application/xml; charset=utf-8")], multistatus(&all))
}

/// Every folder tells how much room there is.
fn with_quota(dav: &Dav, done: Answer) -> Answer {
    use http_body_util::BodyExt as _;
    if done.status() != 207 {
        return done;
    }
    let free = dav.free().min(i64::MAX as u64);
    let (head, body) = done.into_parts();
    let body = body.map_frame(move |frame| {
        frame.map_data(|bytes| {
            let text = String::from_utf8_lossy(&bytes).replace(
                "<D:resourcetype><D:collection/></D:resourcetype>",
                &format!("<D:resourcetype><D:collection/></D:resourcetype><D:quota-available-bytes>{free}</D:quota-available-bytes>"),
            );
            Bytes::from(text)
        })
    });
    let mut done = Answer::from_parts(head, body.boxed_unsync());
    done.headers_mut().remove("content-length");
    done
}

fn mtime_of(asked: &BufferedRequest<'_>) -> Option<i64> {
    field(asked.headers, "x-oc-mtime")?.parse().ok()
}

fn sabre(message: &str) -> String {
    format!(
        "<?xml version=\"1.0\"?><d:error xmlns:d=\"DAV:\" xmlns:s=\"http://sabredav.org/ns\"><s:message>{message}</s:message></d:error>"
    )
}
