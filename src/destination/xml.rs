//! A reader of XML that servers send: hostile input with limits.
//!
//! Elements are known by their local names, since prefixes are the server's choice. An entity beyond XML's
//! own five, or a document type, is an error: nothing is ever fetched or expanded. The size of the document
//! is limited before, where the answer is read.

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

/// How large a document may be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct XmlLimits {
    /// The deepest nesting of elements.
    pub depth: usize,
    /// The most elements.
    pub elements: usize,
    /// The most bytes of text between two tags.
    pub text_bytes: usize,
}

/// Why a document is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum XmlError {
    /// It breaks XML's grammar.
    #[error("it is not XML: {0}")]
    Syntax(String),
    /// It goes beyond a limit.
    #[error("its XML is larger than any that makes sense")]
    TooLarge,
    /// It has a document type or an entity of its own.
    #[error("its XML has a document type or an entity of its own")]
    Entity,
    /// It ends inside an element, or has none or several at the top.
    #[error("its XML is incomplete")]
    Incomplete,
}

/// A piece of a document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum XmlEvent {
    /// An element begins; its local name.
    Start(String),
    /// A part of an element's text.
    Text(String),
    /// The element that began last ends.
    End,
}

/// Reads a document piece by piece.
pub struct XmlReader<'a> {
    reader: Reader<&'a [u8]>,
    limits: XmlLimits,
    depth: usize,
    elements: usize,
    text_bytes: usize,
    roots: usize,
    /// An element without content began, and ends with the next event.
    is_empty_open: bool,
}

fn syntax(error: &dyn std::fmt::Display) -> XmlError {
    XmlError::Syntax(error.to_string())
}

impl<'a> XmlReader<'a> {
    /// A reader of `document`, which must be UTF-8.
    ///
    /// # Errors
    /// [`XmlError::Syntax`] if it is not.
    pub fn new(document: &'a [u8], limits: XmlLimits) -> Result<Self, XmlError> {
        let text = std::str::from_utf8(document).map_err(|error| syntax(&error))?;
        let reader = Reader::from_str(text);
        Ok(Self { reader, limits, depth: 0, elements: 0, text_bytes: 0, roots: 0, is_empty_open: false })
    }

    /// The next piece; `None` at the end of a complete document.
    ///
    /// # Errors
    /// See [`XmlError`].
    pub fn next_event(&mut self) -> Result<Option<XmlEvent>, XmlError> {
        if std::mem::take(&mut self.is_empty_open) {
            return Ok(Some(self.end()));
        }
        loop {
            let event = self.reader.read_event().map_err(|error| syntax(&error))?;
            return Ok(Some(match event {
                Event::Start(element) => self.start(&element)?,
                Event::Empty(element) => {
                    self.is_empty_open = true;
                    self.start(&element)?
                }
                // The reader has made sure that it is the one that began last.
                Event::End(_) => self.end(),
                Event::Text(text) => {
                    let text = text.decode().map_err(|error| syntax(&error))?.into_owned();
                    self.text(text)?
                }
                Event::CData(data) => {
                    let text = data.decode().map_err(|error| syntax(&error))?.into_owned();
                    self.text(text)?
                }
                Event::GeneralRef(entity) => self.text(resolve(&entity)?.to_string())?,
                Event::DocType(_) => return Err(XmlError::Entity),
                Event::Decl(_) | Event::PI(_) | Event::Comment(_) => continue,
                Event::Eof if self.depth == 0 && self.roots == 1 => return Ok(None),
                Event::Eof => return Err(XmlError::Incomplete),
            }));
        }
    }

    fn start(&mut self, element: &BytesStart<'_>) -> Result<XmlEvent, XmlError> {
        self.roots += usize::from(self.depth == 0);
        self.depth += 1;
        self.elements += 1;
        self.text_bytes = 0;
        if self.depth > self.limits.depth || self.elements > self.limits.elements {
            return Err(XmlError::TooLarge);
        }
        Ok(XmlEvent::Start(String::from_utf8_lossy(element.local_name().as_ref()).into_owned()))
    }

    fn end(&mut self) -> XmlEvent {
        self.depth = self.depth.saturating_sub(1);
        self.text_bytes = 0;
        XmlEvent::End
    }

    fn text(&mut self, text: String) -> Result<XmlEvent, XmlError> {
        self.text_bytes += text.len();
        if self.text_bytes > self.limits.text_bytes {
            return Err(XmlError::TooLarge);
        }
        Ok(XmlEvent::Text(text))
    }
}

/// One of XML's own entities, or a character by number.
fn resolve(entity: &BytesRef<'_>) -> Result<char, XmlError> {
    if let Some(by_number) = entity.resolve_char_ref().map_err(|error| syntax(&error))? {
        return Ok(by_number);
    }
    match entity.decode().map_err(|error| syntax(&error))?.as_ref() {
        "amp" => Ok('&'),
        "lt" => Ok('<'),
        "gt" => Ok('>'),
        "quot" => Ok('"'),
        "apos" => Ok('\''),
        _ => Err(XmlError::Entity),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMITS: XmlLimits = XmlLimits { depth: 4, elements: 10, text_bytes: 20 };

    fn read(document: &[u8]) -> Result<Vec<XmlEvent>, XmlError> {
        let mut reader = XmlReader::new(document, LIMITS)?;
        let mut events = Vec::new();
        while let Some(event) = reader.next_event()? {
            events.push(event);
        }
        Ok(events)
    }

    #[test]
    fn documents_are_read_piece_by_piece() {
        let start = |name: &str| XmlEvent::Start(name.to_owned());
        let text = |text: &str| XmlEvent::Text(text.to_owned());
        let document = b"<?xml version=\"1.0\"?><a:R xmlns:a='x'><E/>1&amp;&#65;<![CDATA[<]]><!-- --></a:R>";
        let events = [
            start("R"),
            start("E"),
            XmlEvent::End,
            text("1"),
            text("&"),
            text("A"),
            text("<"),
            XmlEvent::End,
        ];
        assert_eq!(read(document), Ok(events.to_vec()));
    }

    #[test]
    fn hostile_documents_are_refused() {
        let deep = format!("{}{}", "<a>".repeat(5), "</a>".repeat(5));
        let wide = format!("<a>{}</a>", "<b/>".repeat(10));
        let long = format!("<a>{}</a>", "x".repeat(21));
        for large in [deep.as_str(), &wide, &long] {
            assert_eq!(read(large.as_bytes()), Err(XmlError::TooLarge), "{large}");
        }
        let bomb = "<!DOCTYPE a [<!ENTITY b \"bb\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>";
        let outside = "<!DOCTYPE a [<!ENTITY b SYSTEM \"file:///etc/passwd\">]><a>&b;</a>";
        for own in [bomb, outside, "<a>&b;</a>"] {
            assert_eq!(read(own.as_bytes()), Err(XmlError::Entity), "{own}");
        }
        for broken in ["", "no", "<a>", "<a></b>", "</a>", "<a/><b/>", "<a>&#0;</a>", "<a>&#x110000;</a>"] {
            assert!(read(broken.as_bytes()).is_err(), "{broken}");
        }
        assert!(read(b"<a>\xff</a>").is_err());
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_survived(bytes in proptest::collection::vec(proptest::prelude::any::<u8>(), 0..300)) {
            read(&bytes).ok();
        }

        #[test]
        fn anything_in_brackets_is_survived(text in "[<>/a&;!\\[\\]?\"' \\-]{0,80}") {
            read(text.as_bytes()).ok();
        }
    }
}
