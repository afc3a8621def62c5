//! The XML of S3's answers as a tree.

use crate::destination::xml::{XmlError, XmlEvent, XmlLimits, XmlReader};

/// S3's own answers need a depth of five; a page of a thousand keys has a dozen elements for each.
const LIMITS: XmlLimits = XmlLimits { depth: 12, elements: 60_000, text_bytes: 8 * 1024 };

/// An element: its name without a prefix, its own text, and what is in it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Element {
    pub name: String,
    pub text: String,
    pub children: Vec<Element>,
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
///
/// # Errors
/// See [`XmlError`].
pub(super) fn parse(document: &[u8]) -> Result<Element, XmlError> {
    let mut reader = XmlReader::new(document, LIMITS)?;
    let mut open: Vec<Element> = Vec::new();
    let mut root = None;
    while let Some(event) = reader.next_event()? {
        match event {
            XmlEvent::Start(name) => open.push(Element { name, ..Element::default() }),
            XmlEvent::Text(text) => {
                if let Some(element) = open.last_mut() {
                    element.text.push_str(&text);
                }
            }
            XmlEvent::End => {
                let Some(ended) = open.pop() else { continue };
                match open.last_mut() {
                    Some(parent) => parent.children.push(ended),
                    None => root = Some(ended),
                }
            }
        }
    }
    root.ok_or(XmlError::Incomplete)
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
    fn documents_beyond_the_limits_are_refused() {
        let deep = format!("{}{}", "<a>".repeat(13), "</a>".repeat(13));
        let wide = format!("<a>{}</a>", "<b/>".repeat(LIMITS.elements + 1));
        let long = format!("<a>{}</a>", "x".repeat(LIMITS.text_bytes + 1));
        for document in [deep, wide, long] {
            assert_eq!(parse(document.as_bytes()), Err(XmlError::TooLarge), "{document:.60}");
        }
    }
}
