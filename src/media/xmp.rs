//! The capture date in an XMP packet, found by its property names without building a document.

use super::dates::{self, WallTime};

/// The properties that tell when a picture was captured, most trustworthy first.
const DATE_PROPERTIES: [&[u8]; 5] = [
    b"exif:DateTimeOriginal",
    b"photoshop:DateCreated",
    b"exif:DateTimeDigitized",
    b"xmp:CreateDate",
    b"xap:CreateDate",
];

/// The capture date that an XMP packet states.
pub(crate) fn captured(packet: &[u8]) -> Option<WallTime> {
    DATE_PROPERTIES.iter().find_map(|name| property(packet, name).and_then(dates::parse))
}

/// The text of a property, written as an attribute (`name="text"`) or an element (`<name>text<`).
fn property<'p>(packet: &'p [u8], name: &[u8]) -> Option<&'p [u8]> {
    let mut rest = packet;
    while let Some(at) = find(rest, name) {
        let after = rest.get(at + name.len()..)?;
        let value = after.trim_ascii_start();
        match value.split_first() {
            Some((b'=', quoted)) => {
                let (quote, text) = quoted.trim_ascii_start().split_first()?;
                let end = text.iter().position(|b| b == quote)?;
                return text.get(..end);
            }
            Some((b'>', text)) => {
                let end = text.iter().position(|b| *b == b'<')?;
                return text.get(..end);
            }
            _ => rest = after,
        }
    }
    None
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(packet: &str) -> Option<String> {
        captured(packet.as_bytes()).map(|time| time.local.to_string())
    }

    #[test]
    fn attributes_and_elements() {
        let packet = r#"<rdf:Description xmp:CreateDate="2001-01-01" exif:DateTimeOriginal = '2019-05-12T10:15:00+02:00'/>"#;
        assert_eq!(told(packet).as_deref(), Some("2019-05-12T10:15:00"));
        let packet = "<photoshop:DateCreated>2019-05-12T10:15:00</photoshop:DateCreated>";
        assert_eq!(told(packet).as_deref(), Some("2019-05-12T10:15:00"));
        assert_eq!(told("exif:DateTimeOriginalX exif:DateTimeOriginal"), None);
        assert_eq!(
            told("xmp:CreateDate=\"never\" xap:CreateDate=\"2001-02-03\"").as_deref(),
            Some("2001-02-03T00:00:00")
        );
        assert_eq!(told(""), None);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(xmp:CreateDate|=|\"|>|<|2019-01-01| ){0,20}") {
            told(&text);
        }
    }
}
