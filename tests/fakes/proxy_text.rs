//! What a misbehaving proxy does to the text of answers.

use std::io::Write as _;
use std::ops::Range;
use std::time::{Duration, SystemTime};

use percent_encoding::percent_decode_str;

use super::proxy::{Message, ProxyFault};

/// How addresses are spelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Href {
    /// With scheme and host, those that were asked.
    Absolute,
    /// With the host that the server has behind the proxy.
    Foreign,
    /// Every byte but the slashes is escaped.
    OverEscaped,
    /// Nothing is escaped but what XML itself cannot have.
    UnderEscaped,
}

/// Compresses a body.
pub fn gzip(body: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(body).expect("in memory");
    encoder.finish().expect("in memory")
}

/// Now and so many seconds, as HTTP writes it.
pub fn http_date(off: i64) -> String {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let seconds = i64::try_from(now.as_secs()).unwrap_or(0) + off;
    let at = jiff::Timestamp::from_second(seconds).expect("a time of this century");
    at.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

fn is_xml(answer: &Message) -> bool {
    answer.body.trim_ascii_start().starts_with(b"<?xml")
}

fn is_json(answer: &Message) -> bool {
    answer.field("content-type").is_some_and(|kind| kind.contains("json"))
}

/// Whether the body is a file's, not the protocol's.
pub fn is_file(answer: &Message) -> bool {
    !is_xml(answer) && !is_json(answer)
}

/// The whole elements of this local name, in order; they hold none of their own name.
fn elements(text: &str, local: &str) -> Vec<Range<usize>> {
    let mut found = Vec::new();
    let mut at = 0;
    while let Some(open) = text[at..].find('<').map(|offset| at + offset) {
        let name_end = text[open + 1..]
            .find(|c: char| c.is_whitespace() || matches!(c, '>' | '/'))
            .map_or(text.len(), |offset| open + 1 + offset);
        let name = &text[open + 1..name_end];
        at = name_end.max(open + 1);
        if name.rsplit(':').next() != Some(local) {
            continue;
        }
        let closing = format!("</{name}>");
        if let Some(end) = text[at..].find(&closing).map(|offset| at + offset + closing.len()) {
            found.push(open..end);
            at = end;
        }
    }
    found
}

/// The text inside an element.
fn inside(text: &str, element: &Range<usize>) -> Range<usize> {
    let whole = &text[element.clone()];
    let start = element.start + whole.find('>').map_or(0, |at| at + 1);
    let end = element.start + whole.rfind("</").unwrap_or(whole.len());
    start..end
}

/// Replaces ranges, which are in order, by other text.
fn replaced(text: &str, ranges: &[Range<usize>], mut with: impl FnMut(usize, &str) -> String) -> String {
    let mut out = String::with_capacity(text.len() * 2);
    let mut at = 0;
    for (number, range) in ranges.iter().enumerate() {
        out.push_str(&text[at..range.start]);
        out.push_str(&with(number, &text[range.clone()]));
        at = range.end;
    }
    out + &text[at..]
}

/// Rewrites an answer's text, where the fault has to do with it.
pub fn rewrite(fault: ProxyFault, request: &Message, answer: &mut Message) {
    let host = request.field("host").unwrap_or_default().to_owned();
    if let (ProxyFault::Hrefs(href), Some(location)) = (fault, answer.field("location").map(str::to_owned))
        && answer.status() == 201
    {
        answer.set("Location", spelled(href, &host, path_of(&location)));
    }
    let Ok(text) = std::str::from_utf8(&answer.body) else { return };
    let changed = if is_xml(answer) {
        match fault {
            ProxyFault::ListingRepeatsAndSkips => repeated_and_skipped(text),
            ProxyFault::Hrefs(href) => replaced(
                text,
                &elements(text, "href").iter().map(|one| inside(text, one)).collect::<Vec<_>>(),
                |_number, path| spelled(href, &host, path_of(path)),
            ),
            _ => with_other_prefixes(text),
        }
    } else if is_json(answer) && fault == ProxyFault::ListingRepeatsAndSkips {
        results_repeated_and_skipped(text)
    } else {
        return;
    };
    answer.body = changed.into_bytes();
    answer.set("Content-Length", answer.body.len().to_string());
}

/// The path of an address, however it is written.
fn path_of(address: &str) -> &str {
    match address.split_once("://") {
        Some((_scheme, rest)) => rest.find('/').map_or("/", |slash| &rest[slash..]),
        None => address,
    }
}

fn spelled(href: Href, host: &str, path: &str) -> String {
    let decoded: Vec<u8> = percent_decode_str(path).collect();
    match href {
        Href::Absolute => format!("http://{host}{path}"),
        Href::Foreign => format!("http://backend.internal:8080{path}"),
        Href::OverEscaped => decoded
            .iter()
            .map(|byte| if *byte == b'/' { "/".to_owned() } else { format!("%{byte:02X}") })
            .collect(),
        Href::UnderEscaped => {
            let text = String::from_utf8_lossy(&decoded).into_owned();
            text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
        }
    }
}

/// Every second entry twice, every third not at all; the first, which is the folder itself, stays.
fn repeated_and_skipped(text: &str) -> String {
    let mut entries = elements(text, "response");
    let is_dav = !entries.is_empty();
    if is_dav {
        entries.remove(0);
    } else {
        entries = elements(text, "Contents");
    }
    replaced(text, &entries, |number, entry| times(number, entry).concat())
}

fn times<T: Clone>(number: usize, entry: T) -> Vec<T> {
    match number % 3 {
        0 => vec![entry.clone(), entry],
        1 => vec![entry],
        _ => Vec::new(),
    }
}

fn results_repeated_and_skipped(text: &str) -> String {
    let Ok(mut value) = serde_json::from_str::<serde_json::Value>(text) else { return text.to_owned() };
    let Some(results) = value.get_mut("results").and_then(serde_json::Value::as_array_mut) else {
        return text.to_owned();
    };
    let all = std::mem::take(results);
    *results = all.into_iter().enumerate().flat_map(|(number, one)| times(number, one)).collect();
    value.to_string()
}

/// Other prefixes for what has one; one for what has none.
fn with_other_prefixes(text: &str) -> String {
    let prefix = text.split("xmlns:").find_map(|part| part.split_once("=\"DAV:\"").map(|(name, _rest)| name));
    match prefix {
        Some(prefix) => text
            .replace(&format!("<{prefix}:"), "<lp7.x:")
            .replace(&format!("</{prefix}:"), "</lp7.x:")
            .replace(&format!("xmlns:{prefix}="), "xmlns:lp7.x="),
        None => {
            let mut is_declared = false;
            let tags = text.split_inclusive('<').collect::<Vec<_>>();
            let mut out = String::with_capacity(text.len() * 2);
            for (number, part) in tags.iter().enumerate() {
                let is_tag = number > 0 && !part.starts_with(['?', '!']);
                if let Some(rest) = part.strip_prefix('/').filter(|_rest| is_tag) {
                    out.push_str("/s3.x:");
                    out.push_str(rest);
                } else if is_tag {
                    let end = part
                        .find(|c: char| c.is_whitespace() || matches!(c, '>' | '/'))
                        .unwrap_or(part.len());
                    out.push_str("s3.x:");
                    out.push_str(&part[..end]);
                    if !is_declared {
                        out.push_str(" xmlns:s3.x=\"http://s3.amazonaws.com/doc/2006-03-01/\"");
                        is_declared = true;
                    }
                    out.push_str(&part[end..]);
                } else {
                    out.push_str(part);
                }
            }
            out
        }
    }
}

#[test]
fn listings_repeat_and_skip_and_change_their_prefixes() {
    let entry = |name: &str| format!("<D:response><D:href>/dav/{name}</D:href></D:response>");
    let all: String = ["", "a", "b", "c", "d"].map(entry).concat();
    let text = format!("<?xml version=\"1.0\"?><D:multistatus xmlns:D=\"DAV:\">{all}</D:multistatus>");
    let listed = |text: &str| {
        let hrefs = elements(text, "href").into_iter().map(|one| text[inside(text, &one)].to_owned());
        hrefs.map(|href| href.replace("/dav/", "")).collect::<Vec<_>>()
    };
    assert_eq!(listed(&repeated_and_skipped(&text)), ["", "a", "a", "b", "d", "d"]);
    let other = with_other_prefixes(&text);
    assert!(other.contains("xmlns:lp7.x=\"DAV:\"") && !other.contains("D:"), "{other}");
    let other = with_other_prefixes("<?xml version=\"1.0\"?>\n<A><Key>x y</Key><B/></A>");
    assert!(other.contains("<s3.x:Key>x y</s3.x:Key><s3.x:B/></s3.x:A>"), "{other}");
}

#[test]
fn addresses_are_spelled_in_every_way() {
    let spell = |href| spelled(href, "127.0.0.1:80", path_of("http://x/dav/a%20%26%C3%A9.jpg"));
    assert_eq!(spell(Href::Absolute), "http://127.0.0.1:80/dav/a%20%26%C3%A9.jpg");
    assert_eq!(spell(Href::Foreign), "http://backend.internal:8080/dav/a%20%26%C3%A9.jpg");
    assert_eq!(spell(Href::OverEscaped), "/%64%61%76/%61%20%26%C3%A9%2E%6A%70%67");
    assert_eq!(spell(Href::UnderEscaped), "/dav/a &amp;é.jpg");
}
