//! `multistatus` answers (RFC 4918, section 14).

use percent_encoding::percent_decode_str;

use crate::destination::xml::{XmlEvent, XmlLimits, XmlReader};

/// The most entries of one answer.
pub(super) const ENTRIES_MAX: usize = 200_000;
/// The most elements are those of [`ENTRIES_MAX`] entries with all properties that are asked for, and more.
const LIMITS: XmlLimits = XmlLimits { depth: 32, elements: 32 * ENTRIES_MAX, text_bytes: 16 * 1024 };

/// What a PROPFIND asks for.
pub(super) const PROPFIND: &str = "<?xml version=\"1.0\" encoding=\"utf-8\"?>\
<d:propfind xmlns:d=\"DAV:\"><d:prop><d:resourcetype/><d:getcontentlength/><d:getetag/><d:getlastmodified/>\
<d:quota-available-bytes/></d:prop></d:propfind>";

/// One entry of a multistatus.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct PropfindEntry {
    /// The decoded path of its URL, without a slash at its end.
    pub path: String,
    /// It is a folder.
    pub is_dir: bool,
    /// Its length.
    pub size: Option<u64>,
    /// Its ETag as it was given.
    pub etag: Option<String>,
    /// Its modification time as it was given.
    pub modified: Option<String>,
    /// Bytes that may still be written below it.
    pub free: Option<u64>,
}

/// Reads a multistatus. An entry whose properties were all refused is left out.
///
/// # Errors
/// What is wrong with it.
pub(super) fn parse(document: &[u8]) -> Result<Vec<PropfindEntry>, String> {
    let mut reader = XmlReader::new(document, LIMITS).map_err(|error| error.to_string())?;
    let mut state = MultistatusState::default();
    while let Some(event) = reader.next_event().map_err(|error| error.to_string())? {
        match event {
            XmlEvent::Start(name) => state.start_element(name.to_ascii_lowercase()),
            XmlEvent::Text(text) => state.text.push_str(&text),
            XmlEvent::End => state.end_element(),
        }
        if state.entries.len() > ENTRIES_MAX {
            return Err("it has too many entries".to_owned());
        }
    }
    if !state.is_multistatus {
        return Err("incomplete multistatus".to_owned());
    }
    Ok(state.entries)
}

/// What was read of a multistatus so far.
#[derive(Default)]
struct MultistatusState {
    stack: Vec<String>,
    text: String,
    is_multistatus: bool,
    entries: Vec<PropfindEntry>,
    entry: PropfindEntry,
    has_href: bool,
    /// The properties of the propstat that is being read, until its status is known.
    pending: PropfindEntry,
    is_fine: bool,
}

impl MultistatusState {
    fn start_element(&mut self, name: String) {
        if self.stack.is_empty() {
            self.is_multistatus = name == "multistatus";
        }
        match name.as_str() {
            "response" => {
                self.entry = PropfindEntry::default();
                self.has_href = false;
            }
            "propstat" => {
                self.pending = PropfindEntry::default();
                self.is_fine = true;
            }
            "collection" if self.stack.last().is_some_and(|parent| parent == "resourcetype") => {
                self.pending.is_dir = true;
            }
            _ => {}
        }
        self.text.clear();
        self.stack.push(name);
    }

    fn end_element(&mut self) {
        let Some(name) = self.stack.pop() else { return };
        let text = std::mem::take(&mut self.text);
        let text = text.trim();
        let parent = self.stack.last().map_or("", String::as_str);
        match (name.as_str(), parent) {
            ("href", "response") if !self.has_href => {
                self.entry.path = path_of(text);
                self.has_href = true;
            }
            ("getcontentlength", "prop") => self.pending.size = text.parse().ok(),
            ("getetag", "prop") if !text.is_empty() => self.pending.etag = Some(text.to_owned()),
            ("getlastmodified", "prop") if !text.is_empty() => self.pending.modified = Some(text.to_owned()),
            ("quota-available-bytes", "prop") => self.pending.free = text.parse().ok(),
            ("status", "propstat") => self.is_fine = is_success(text),
            ("propstat", _) if self.is_fine => {
                let found = std::mem::take(&mut self.pending);
                self.entry.is_dir |= found.is_dir;
                self.entry.size = self.entry.size.or(found.size);
                self.entry.etag = self.entry.etag.take().or(found.etag);
                self.entry.modified = self.entry.modified.take().or(found.modified);
                self.entry.free = self.entry.free.or(found.free);
            }
            ("response", "multistatus") if self.has_href => {
                self.entries.push(std::mem::take(&mut self.entry));
            }
            _ => {}
        }
    }
}

/// Whether a status line is one of success: `HTTP/1.1 200 OK`.
fn is_success(line: &str) -> bool {
    line.split_whitespace().nth(1).is_some_and(|code| code.starts_with('2'))
}

/// The decoded path of a URL or of an absolute path, without a slash at its end.
fn path_of(href: &str) -> String {
    let path = match href.split_once("://") {
        Some((_scheme, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => href,
    };
    percent_decode_str(path).decode_utf8_lossy().trim_end_matches('/').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_servers_say_is_understood() {
        let apache = br#"<?xml version="1.0" encoding="utf-8"?>
<D:multistatus xmlns:D="DAV:" xmlns:ns0="DAV:">
<D:response xmlns:lp1="DAV:"><D:href>/dav/2019/</D:href><D:propstat><D:prop>
<lp1:resourcetype><D:collection/></lp1:resourcetype><lp1:getetag>"1000-65"</lp1:getetag></D:prop>
<D:status>HTTP/1.1 200 OK</D:status></D:propstat><D:propstat><D:prop><D:getcontentlength/></D:prop>
<D:status>HTTP/1.1 404 Not PropfindEntry</D:status></D:propstat></D:response>
<D:response><D:href>/dav/2019/a%20b&amp;%23.jpg</D:href><D:propstat><D:prop><lp1:resourcetype/>
<lp1:getcontentlength>12</lp1:getcontentlength><lp1:getetag>W/&quot;c-1&quot;</lp1:getetag></D:prop>
<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response></D:multistatus>"#;
        let found = parse(apache).expect("sound");
        assert_eq!(found.len(), 2);
        assert!(found[0].is_dir && found[0].path == "/dav/2019" && found[0].size.is_none());
        let file = &found[1];
        assert_eq!((file.path.as_str(), file.size, file.is_dir), ("/dav/2019/a b&#.jpg", Some(12), false));
        assert_eq!(file.etag.as_deref(), Some("W/\"c-1\""));
        let other = b"<multistatus xmlns='DAV:'><response><href>https://h:8/x/</href><propstat>\
            <prop><quota-available-bytes>7</quota-available-bytes></prop><status>HTTP/2 200</status></propstat>\
            </response></multistatus>";
        let found = parse(other).expect("sound");
        assert_eq!((found[0].path.as_str(), found[0].free), ("/x", Some(7)));
        assert_eq!(parse(b"<d:multistatus xmlns:d='DAV:'/>"), Ok(Vec::new()));
    }

    #[test]
    fn hostile_answers_are_refused() {
        let deep = format!("<multistatus>{}", "<a>".repeat(100));
        let long =
            format!("<multistatus><response><href>{}</href></response></multistatus>", "x".repeat(20_000));
        let bomb = "<!DOCTYPE x [<!ENTITY a \"aaaa\">]><multistatus>&a;</multistatus>";
        for bad in [
            "",
            "no XML",
            "<multistatus>",
            "<html><body/></html>",
            "<multistatus>&b;</multistatus>",
            "<multistatus><response></multistatus>",
            deep.as_str(),
            long.as_str(),
            bomb,
        ] {
            assert!(parse(bad.as_bytes()).is_err(), "{bad:.60}");
        }
        assert!(parse(b"<multistatus>\xff</multistatus>").is_err());
        // Without a path there is nothing to believe.
        assert_eq!(parse(b"<multistatus><response><propstat/></response></multistatus>"), Ok(Vec::new()));
    }

    proptest::proptest! {
        #[test]
        fn nothing_brings_it_down(bytes in proptest::collection::vec(proptest::num::u8::ANY, 0..400)) {
            parse(&bytes).ok();
        }
    }
}
