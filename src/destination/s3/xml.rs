//! What a server's XML says, read with care: it may come from anyone.
//!
//! No entity but the predefined ones and characters by number, no document type, and limits on
//! depth, elements and text. The size is limited before, where the answer is read.

use quick_xml::Reader;
use quick_xml::events::Event;

/// The deepest nesting; S3's own answers need five.
const DEPTH_MAX: usize = 12;
/// The most elements of one answer: a page of a thousand keys with a dozen elements each.
const ELEMENTS_MAX: usize = 60_000;
/// The longest text of one element, in bytes.
const TEXT_BYTES_MAX: usize = 8 * 1024;

/// An element: its name without a prefix, its own text, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Element {
    pub name: String,
    pub text: String,
    pub children: Vec<Element>,
}

/// Why a document is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum BadXml {
    #[error("the answer is no XML: {0}")]
    Syntax(String),
    #[error("the answer's XML is larger than any that makes sense")]
    TooLarge,
    #[error("the answer's XML has a document type or an entity of its own")]
    Entity,
}

impl Element {
    /// The first child of this name.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child of this name, without white space around it.
    pub fn text_of(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.trim()).filter(|text| !text.is_empty())
    }

    /// All children of this name.
    pub fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// Reads a document: its root element.
pub(super) fn parse(bytes: &[u8]) -> Result<Element, BadXml> {
    let text = std::str::from_utf8(bytes).map_err(|error| BadXml::Syntax(error.to_string()))?;
    let mut reader = Reader::from_str(text);
    let mut open = vec![Element::default()];
    let mut count = 0;
    let syntax = |error: &dyn std::fmt::Display| BadXml::Syntax(error.to_string());
    loop {
        match reader.read_event().map_err(|error| syntax(&error))? {
            Event::Start(start) => {
                count += 1;
                if count > ELEMENTS_MAX || open.len() > DEPTH_MAX {
                    return Err(BadXml::TooLarge);
                }
                let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                open.push(Element { name, ..Element::default() });
            }
            Event::Empty(start) => {
                count += 1;
                if count > ELEMENTS_MAX {
                    return Err(BadXml::TooLarge);
                }
                let name = String::from_utf8_lossy(start.local_name().as_ref()).into_owned();
                push(&mut open, Element { name, ..Element::default() });
            }
            // The reader itself has made sure that it is the one that was opened last.
            Event::End(_) => {
                if let Some(done) = open.pop() {
                    push(&mut open, done);
                }
            }
            Event::Text(text) => add(&mut open, &text.decode().map_err(|error| syntax(&error))?)?,
            Event::CData(text) => add(&mut open, &text.decode().map_err(|error| syntax(&error))?)?,
            Event::GeneralRef(name) => {
                let by_number = name.resolve_char_ref().map_err(|error| syntax(&error))?;
                let name = name.decode().map_err(|error| syntax(&error))?;
                let c = by_number.or_else(|| predefined(&name)).ok_or(BadXml::Entity)?;
                add(&mut open, c.encode_utf8(&mut [0; 4]))?;
            }
            Event::DocType(_) => return Err(BadXml::Entity),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    let mut roots = open.pop().filter(|_top| open.is_empty()).unwrap_or_default().children;
    match roots.pop() {
        Some(root) if roots.is_empty() => Ok(root),
        _ => Err(BadXml::Syntax("it has no element, or more than one, or ends too soon".to_owned())),
    }
}

fn predefined(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        _ => return None,
    })
}

fn push(open: &mut [Element], done: Element) {
    if let Some(parent) = open.last_mut() {
        parent.children.push(done);
    }
}

fn add(open: &mut [Element], text: &str) -> Result<(), BadXml> {
    let Some(element) = open.last_mut() else { return Ok(()) };
    if element.text.len() + text.len() > TEXT_BYTES_MAX {
        return Err(BadXml::TooLarge);
    }
    element.text.push_str(text);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let root = parse(
            b"<?xml version=\"1.0\"?>\n<a:R xmlns:a='x'><Part><ETag>&#34;ab&quot;&amp;</ETag><N/></Part><!-- --><Part><ETag><![CDATA[<x>]]></ETag></Part></a:R>",
        )
        .expect("sound");
        assert_eq!(root.name, "R");
        let tags: Vec<_> = root.all("Part").filter_map(|part| part.text_of("ETag")).collect();
        assert_eq!(tags, ["\"ab\"&", "<x>"]);
        assert!(root.child("Part").and_then(|part| part.child("N")).is_some());
        assert_eq!(root.child("Part").and_then(|part| part.text_of("N")), None);
    }

    #[test]
    fn hostile_documents_are_refused() {
        let deep = "<a>".repeat(1000);
        let deep_and_closed = format!("{deep}{}", "</a>".repeat(1000));
        let wide = format!("<a>{}</a>", "<b/>".repeat(ELEMENTS_MAX + 1));
        let long = format!("<a>{}</a>", "x".repeat(TEXT_BYTES_MAX + 1));
        let bomb = "<!DOCTYPE a [<!ENTITY b \"bb\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>";
        let outside = "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>";
        for text in [
            "",
            "no",
            "<a>",
            "<a></b>",
            "</a>",
            "<a/><b/>",
            "<a>&b;</a>",
            "<a>&#0;</a>",
            "<a>&#x110000;</a>",
            &deep,
            &deep_and_closed,
            &wide,
            &long,
            bomb,
            outside,
        ] {
            assert!(parse(text.as_bytes()).is_err(), "{}", &text[..text.len().min(60)]);
        }
        assert!(parse(b"<a>\xff</a>").is_err());
    }

    proptest::proptest! {
        #[test]
        fn anything_may_come(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            parse(&bytes).ok();
        }

        #[test]
        fn anything_in_brackets_may_come(text in "[<>/a&;!\\[\\]?\"' \\-]{0,80}") {
            parse(text.as_bytes()).ok();
        }
    }
}
