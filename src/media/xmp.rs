//! The dates in an XMP packet, found by their property names without building a document.

use std::borrow::Cow;

use super::capture::StatedDates;
use super::dates::{self, WallTime};

/// The longest packet that is looked at.
pub(crate) const PACKET_BYTES_MAX: usize = 512 * 1024;

/// A namespace: what it is called in nearly every packet, other names that are in use, and what it is.
struct Namespace {
    prefixes: &'static [&'static str],
    uri: &'static str,
}

const EXIF: Namespace = Namespace { prefixes: &["exif"], uri: "http://ns.adobe.com/exif/1.0/" };
const PHOTOSHOP: Namespace =
    Namespace { prefixes: &["photoshop"], uri: "http://ns.adobe.com/photoshop/1.0/" };
const BASIC: Namespace = Namespace { prefixes: &["xmp", "xap"], uri: "http://ns.adobe.com/xap/1.0/" };
const TIFF: Namespace = Namespace { prefixes: &["tiff"], uri: "http://ns.adobe.com/tiff/1.0/" };
const MEDIA: Namespace = Namespace { prefixes: &["xmpDM"], uri: "http://ns.adobe.com/xmp/1.0/DynamicMedia/" };

/// When the picture was taken, most trustworthy first.
const ORIGINAL: [(&Namespace, &str); 3] =
    [(&EXIF, "DateTimeOriginal"), (&PHOTOSHOP, "DateCreated"), (&MEDIA, "shotDate")];
const DIGITIZED: [(&Namespace, &str); 2] = [(&EXIF, "DateTimeDigitized"), (&BASIC, "CreateDate")];
const MODIFIED: [(&Namespace, &str); 2] = [(&BASIC, "ModifyDate"), (&TIFF, "DateTime")];

/// The dates that an XMP packet states.
pub(crate) fn read(packet: &[u8]) -> StatedDates {
    let packet = as_utf8(packet.get(..PACKET_BYTES_MAX).unwrap_or(packet));
    let all = |properties: &[(&Namespace, &str)]| {
        properties.iter().filter_map(|(space, name)| date(&packet, space, name)).collect()
    };
    StatedDates {
        original: all(&ORIGINAL),
        digitized: all(&DIGITIZED),
        created_utc: Vec::new(),
        modified: all(&MODIFIED),
    }
}

/// Sidecars may be in UTF-16. The little that is looked for is ASCII.
fn as_utf8(packet: &[u8]) -> Cow<'_, [u8]> {
    let narrow = |pair: fn([u8; 2]) -> u16| {
        let (units, _odd) = packet.as_chunks::<2>();
        let text = units.iter().map(|unit| u8::try_from(pair(*unit)).unwrap_or(b'?')).collect();
        Cow::Owned(text)
    };
    match packet {
        [0xff, 0xfe, ..] | [b'<', 0, ..] => narrow(u16::from_le_bytes),
        [0xfe, 0xff, ..] | [0, b'<', ..] => narrow(u16::from_be_bytes),
        _ => Cow::Borrowed(packet),
    }
}

fn date(packet: &[u8], space: &Namespace, name: &str) -> Option<WallTime> {
    let bound = bound_prefix(packet, space.uri);
    let usual = space.prefixes.iter().map(|prefix| prefix.as_bytes());
    bound.into_iter().chain(usual).find_map(|prefix| {
        let qualified = [prefix, b":", name.as_bytes()].concat();
        values(packet, &qualified).find_map(dates::parse)
    })
}

/// The name that the packet gives to a namespace: `xmlns:NAME="URI"`.
fn bound_prefix<'p>(packet: &'p [u8], uri: &str) -> Option<&'p [u8]> {
    let at = find(packet, uri.as_bytes())?;
    let before = packet[..at].strip_suffix(b"\"").or_else(|| packet[..at].strip_suffix(b"'"))?;
    let before = before.trim_ascii_end().strip_suffix(b"=")?.trim_ascii_end();
    let start = before.iter().rposition(|byte| *byte == b':')? + 1;
    let prefix = &before[start..];
    let is_name = !prefix.is_empty() && prefix.iter().all(|byte| byte.is_ascii_alphanumeric());
    is_name.then_some(prefix)
}

/// The texts of a property, written as attributes (`name="text"`) or elements (`<name>text<`).
fn values<'p>(packet: &'p [u8], name: &[u8]) -> impl Iterator<Item = &'p [u8]> {
    let mut at = 0;
    std::iter::from_fn(move || {
        loop {
            let start = at + find(packet.get(at..)?, name)?;
            at = start + name.len();
            let is_whole = start == 0 || matches!(packet[start - 1], b'<' | b' ' | b'\n' | b'\r' | b'\t');
            if is_whole && let Some(value) = value(&packet[at..]) {
                return Some(value);
            }
        }
    })
}

/// The text that follows a property's name.
fn value(after: &[u8]) -> Option<&[u8]> {
    match after.trim_ascii_start().split_first()? {
        (b'=', quoted) => {
            let (quote, text) = quoted.trim_ascii_start().split_first()?;
            let end = text.iter().position(|b| b == quote)?;
            text.get(..end)
        }
        (b'>', text) => {
            let end = text.iter().position(|b| *b == b'<')?;
            text.get(..end)
        }
        _ => None,
    }
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(packet: &[u8]) -> Vec<String> {
        let dates = read(packet);
        let all = [("o", dates.original), ("d", dates.digitized), ("m", dates.modified)];
        let all = all
            .into_iter()
            .flat_map(|(kind, times)| times.into_iter().map(move |time| format!("{kind} {}", time.local)));
        all.collect()
    }

    #[test]
    fn attributes_and_elements() {
        let packet = br#"<rdf:Description xmp:CreateDate="2001-01-01" exif:DateTimeOriginal = '2019-05-12T10:15:00+02:00'/>"#;
        assert_eq!(told(packet), ["o 2019-05-12T10:15:00", "d 2001-01-01T00:00:00"]);
        let packet = b"<photoshop:DateCreated>2019-05-12T10:15:00</photoshop:DateCreated><xmp:ModifyDate>2020</xmp:ModifyDate>";
        assert_eq!(told(packet), ["o 2019-05-12T10:15:00", "m 2020-01-01T00:00:00"]);
        let none: [&str; 0] = [];
        assert_eq!(told(b"exif:DateTimeOriginalX exif:DateTimeOriginal"), none);
        assert_eq!(told(b"<my-exif:DateTimeOriginal>2019-01-01<"), none);
        assert_eq!(
            told(b"<a xmp:CreateDate=\"never\" xap:CreateDate=\"2001-02-03\""),
            ["d 2001-02-03T00:00:00"]
        );
        assert_eq!(
            told(b"<exif:DateTimeOriginal/><exif:DateTimeOriginal>1957-06</e>"),
            ["o 1957-06-01T00:00:00"]
        );
        assert_eq!(told(b""), none);
    }

    #[test]
    fn a_namespace_may_have_any_name() {
        let packet =
            b"<r:Description xmlns:q='http://ns.adobe.com/exif/1.0/' q:DateTimeOriginal='2019-05-12'/>";
        assert_eq!(told(packet), ["o 2019-05-12T00:00:00"]);
    }

    #[test]
    fn wide_characters_are_read() {
        let text = "\u{feff}<x:xmpmeta><a exif:DateTimeOriginal='2019-05-12'/>";
        for bytes in [u16::to_le_bytes as fn(u16) -> [u8; 2], u16::to_be_bytes] {
            let packet: Vec<u8> = text.encode_utf16().flat_map(bytes).collect();
            assert_eq!(told(&packet), ["o 2019-05-12T00:00:00"]);
        }
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "(xmp:CreateDate|=|\"|>|<|xmlns:a|http://ns.adobe.com/exif/1.0/|2019-01-01| ){0,20}") {
            told(text.as_bytes());
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
            told(&bytes);
        }
    }
}
