//! `multistatus` answers (RFC 4918, section 14): hostile input with limits.
//!
//! Prefixes are the server's choice, so elements are known by their local names; an entity beyond
//! XML's own five is an error, and nothing is ever fetched or expanded.

use percent_encoding::percent_decode_str;
use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// The most entries of one answer.
pub(super) const ENTRIES_MAX: usize = 200_000;
/// How deep elements may nest.
const DEPTH_MAX: usize = 32;
/// The longest text of one element, in bytes.
const TEXT_BYTES_MAX: usize = 16 * 1024;

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
pub(super) fn parse(xml: &[u8]) -> Result<Vec<PropfindEntry>, String> {
    let text = std::str::from_utf8(xml).map_err(|_bad| "it is not UTF-8".to_owned())?;
    let mut reader = Reader::from_str(text);
    let mut state = State::default();
    loop {
        match reader.read_event().map_err(|error| format!("it is no XML: {error}"))? {
            Event::Start(element) => state.open(&element)?,
            Event::Empty(element) => {
                state.open(&element)?;
                state.close();
            }
            Event::End(_) => state.close(),
            Event::Text(text) => state.text(&text.decode().map_err(|error| error.to_string())?)?,
            Event::CData(data) => state.text(&data.decode().map_err(|error| error.to_string())?)?,
            Event::GeneralRef(entity) => state.text(&resolve(&entity)?)?,
            Event::DocType(_) => return Err("it has a document type".to_owned()),
            Event::Eof => break,
            Event::Comment(_) | Event::Decl(_) | Event::PI(_) => {}
        }
        if state.found.len() > ENTRIES_MAX {
            return Err("it has too many entries".to_owned());
        }
    }
    if !state.is_multistatus || !state.stack.is_empty() {
        return Err("incomplete multistatus".to_owned());
    }
    Ok(state.found)
}

/// XML's own entities and characters by number.
fn resolve(entity: &BytesRef<'_>) -> Result<String, String> {
    if let Ok(Some(c)) = entity.resolve_char_ref() {
        return Ok(c.to_string());
    }
    let name = entity.decode().map_err(|error| error.to_string())?;
    let known = [("amp", "&"), ("lt", "<"), ("gt", ">"), ("quot", "\""), ("apos", "'")];
    let found = known.into_iter().find(|(known, _text)| *known == name);
    found.map(|(_name, text)| text.to_owned()).ok_or_else(|| "it has an entity of its own".to_owned())
}

#[derive(Default)]
struct State {
    stack: Vec<String>,
    text: String,
    is_multistatus: bool,
    found: Vec<PropfindEntry>,
    entry: PropfindEntry,
    has_href: bool,
    /// The properties of the propstat that is being read, until its status is known.
    pending: PropfindEntry,
    is_fine: bool,
}

impl State {
    fn open(&mut self, element: &BytesStart<'_>) -> Result<(), String> {
        let name = String::from_utf8_lossy(element.local_name().as_ref()).to_ascii_lowercase();
        if self.stack.len() >= DEPTH_MAX {
            return Err("it is nested too deeply".to_owned());
        }
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
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), String> {
        if self.text.len() + text.len() > TEXT_BYTES_MAX {
            return Err("a text in it is too long".to_owned());
        }
        self.text.push_str(text);
        Ok(())
    }

    fn close(&mut self) {
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
                self.found.push(std::mem::take(&mut self.entry));
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
