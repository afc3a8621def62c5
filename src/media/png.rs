//! The chunks of a PNG that say what it is and when it was made.

use super::bounded_reader::{ReadAt, array, block};
use super::dates::{self, WallTime};
use super::headers::Header;
use super::inflate;

/// The most chunks that are visited.
const CHUNKS_MAX: usize = 512;
/// After so many chunks of pixels the rest of them is passed over.
const PIXEL_CHUNKS_MAX: usize = 4;
/// How much of a file's end is searched for what comes behind the pixels.
const TAIL_BYTES: u64 = 64 * 1024;
/// The longest block that is read, packed or not.
const BLOCK_BYTES_MAX: usize = 256 * 1024;

/// Reads the chunks.
pub(crate) fn read(source: &mut dyn ReadAt) -> Header {
    let mut header = Header::default();
    let (mut at, mut pixel_chunks) = (8, 0);
    for _chunk in 0..CHUNKS_MAX {
        let Some([a, b, c, d, kind @ ..]) = array::<8>(source, at) else { break };
        let (body, len) = (at + 8, u64::from(u32::from_be_bytes([a, b, c, d])));
        match &kind {
            b"IHDR" => {
                let number = |source: &mut dyn ReadAt, at| array(source, at).map(u32::from_be_bytes);
                header.size = number(source, body).zip(number(source, body + 4));
            }
            b"eXIf" => header.exif = block(source, body, len, BLOCK_BYTES_MAX).or(header.exif),
            b"tIME" => header.dates.modified.extend(changed(source, body)),
            b"tEXt" | b"zTXt" | b"iTXt" => {
                let text = block(source, body, len, BLOCK_BYTES_MAX);
                if let Some((keyword, text)) =
                    text.and_then(|text| Text::parse(&kind, &text)).map(Text::split)
                {
                    take_text(&keyword, text, &mut header);
                }
            }
            b"IDAT" => {
                pixel_chunks += 1;
                if pixel_chunks == PIXEL_CHUNKS_MAX
                    && let Some(tail) = find_chunks_after_pixels(source, body)
                {
                    at = tail;
                    continue;
                }
            }
            b"IEND" => break,
            _ => {}
        }
        at = body + len + 4;
    }
    header
}

/// When the picture was last changed, in UTC.
fn changed(source: &mut dyn ReadAt, body: u64) -> Option<WallTime> {
    let [y0, y1, month, day, hour, minute, second] = array::<7>(source, body)?;
    let small = |number: u8| i8::try_from(number).ok();
    let year = i16::try_from(u16::from_be_bytes([y0, y1])).ok()?;
    let date = (year, small(month)?, small(day)?);
    let time = WallTime::new(date, (small(hour)?, small(minute)?, small(second)?), 0)?;
    Some(time.with_offset(Some(0)))
}

/// Keyword and text of a text chunk, unpacked.
struct Text {
    keyword: Vec<u8>,
    text: Vec<u8>,
}

impl Text {
    fn parse(kind: &[u8; 4], chunk: &[u8]) -> Option<Self> {
        let (keyword, rest) = split_at_nul(chunk)?;
        let text = match kind {
            b"tEXt" => rest.to_vec(),
            b"zTXt" => inflate::zlib(rest.strip_prefix(&[0])?, BLOCK_BYTES_MAX)?,
            _ => {
                let [is_packed, _method, rest @ ..] = rest else { return None };
                let (_language, rest) = split_at_nul(rest)?;
                let (_translated, rest) = split_at_nul(rest)?;
                if *is_packed == 1 { inflate::zlib(rest, BLOCK_BYTES_MAX)? } else { rest.to_vec() }
            }
        };
        Some(Self { keyword: keyword.to_vec(), text })
    }

    fn split(self) -> (Vec<u8>, Vec<u8>) {
        (self.keyword, self.text)
    }
}

fn split_at_nul(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let end = bytes.iter().position(|byte| *byte == 0)?;
    Some((&bytes[..end], &bytes[end + 1..]))
}

fn take_text(keyword: &[u8], text: Vec<u8>, header: &mut Header) {
    let mut original = |text: &[u8]| header.dates.original.extend(dates::parse(text));
    match keyword {
        b"XML:com.adobe.xmp" => header.xmp = header.xmp.take().or(Some(text)),
        // The specification's own name, and what programs write beside it.
        b"Creation Time" | b"create-date" | b"exif:DateTimeOriginal" | b"DateTimeOriginal" => original(&text),
        b"modify-date" => header.dates.modified.extend(dates::parse(&text)),
        _ => {
            if let Some(kind) = keyword.strip_prefix(b"Raw profile type ") {
                take_profile(kind, unhexed(&text), header);
            }
        }
    }
}

/// A block in hexadecimal digits behind its name and length, as ImageMagick began to write them.
fn unhexed(text: &[u8]) -> Vec<u8> {
    // An empty line, the name, the length: then the digits.
    let mut lines = text.trim_ascii_start().splitn(3, |byte| *byte == b'\n');
    let digits = lines.nth(2).unwrap_or_default().iter().copied();
    let digits: Vec<u8> = digits.filter_map(|d| u8::try_from(char::from(d).to_digit(16)?).ok()).collect();
    digits.as_chunks::<2>().0.iter().map(|[high, low]| high << 4 | low).collect()
}

fn take_profile(kind: &[u8], block: Vec<u8>, header: &mut Header) {
    let xmp_name = b"http://ns.adobe.com/xap/1.0/\0";
    match kind {
        b"exif" | b"EXIF" | b"APP1" | b"xmp" | b"XMP" => {
            if let Some(packet) = block.strip_prefix(xmp_name) {
                header.xmp = header.xmp.take().or_else(|| Some(packet.to_vec()));
            } else if kind.eq_ignore_ascii_case(b"xmp") {
                header.xmp = header.xmp.take().or(Some(block));
            } else {
                header.exif = header.exif.take().or(Some(block));
            }
        }
        b"iptc" | b"8bim" => {
            let slot = if block.first() == Some(&0x1c) { &mut header.iptc } else { &mut header.photoshop };
            *slot = slot.take().or(Some(block));
        }
        _ => {}
    }
}

/// Where in the file's end the first chunk begins from which a chain of chunks leads to the last one.
fn find_chunks_after_pixels(source: &mut dyn ReadAt, after: u64) -> Option<u64> {
    let size = source.size();
    let start = size.saturating_sub(TAIL_BYTES).max(after);
    let tail = block(source, start, size.checked_sub(start)?, usize::try_from(TAIL_BYTES).ok()?)?;
    let kinds: [&[u8; 4]; 7] = [b"tEXt", b"zTXt", b"iTXt", b"eXIf", b"tIME", b"IDAT", b"IEND"];
    let begins = |at: &usize| tail.get(at + 4..at + 8).is_some_and(|k| kinds.iter().any(|kind| k == *kind));
    let first = (0..tail.len()).filter(begins).find(|at| leads_to_end(&tail, *at))?;
    start.checked_add(first as u64)
}

fn leads_to_end(tail: &[u8], from: usize) -> bool {
    let mut at = from;
    for _chunk in 0..CHUNKS_MAX {
        let Some([a, b, c, d, kind @ ..]) = tail.get(at..).and_then(|rest| rest.first_chunk::<8>()) else {
            return false;
        };
        if kind == b"IEND" {
            return true;
        }
        let len = usize::try_from(u32::from_be_bytes([*a, *b, *c, *d])).unwrap_or(usize::MAX);
        let Some(next) = len.checked_add(12).and_then(|len| at.checked_add(len)) else { return false };
        at = next;
    }
    false
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::media::capture::StatedDates;
    use crate::media::inflate::tests::packed;

    fn chunk(kind: &[u8; 4], body: &[u8]) -> Vec<u8> {
        let len = u32::try_from(body.len()).expect("short").to_be_bytes();
        [&len[..], kind, body, &[0; 4]].concat()
    }

    fn png(chunks: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = b"\x89PNG\r\n\x1a\n".to_vec();
        bytes.extend(chunk(b"IHDR", &[0, 0, 0, 2, 0, 0, 0, 3, 8, 0, 0, 0, 0]));
        bytes.extend(chunks.concat());
        bytes.extend(chunk(b"IEND", &[]));
        bytes
    }

    fn hex(block: &[u8]) -> Vec<u8> {
        let digits: Vec<String> = block.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("\nname\n{:8}\n{}\n", block.len(), digits.join("")).into_bytes()
    }

    fn original(bytes: &[u8]) -> Option<String> {
        read(&mut &*bytes).dates.original.first().map(|time| time.local.to_string())
    }

    #[test]
    fn texts_state_a_date() {
        let plain = png(&[chunk(b"tEXt", b"Creation Time\x002017:03:04 05:06:07")]);
        assert_eq!(original(&plain).as_deref(), Some("2017-03-04T05:06:07"));
        let words = png(&[chunk(b"iTXt", b"Creation Time\0\0\0\0\0Sat, 04 Mar 2017 05:06:07 +0100")]);
        assert_eq!(original(&words).as_deref(), Some("2017-03-04T05:06:07"));
        let small = [b"Creation Time\0\0", packed(b"2017-03-04").as_slice()].concat();
        assert_eq!(original(&png(&[chunk(b"zTXt", &small)])).as_deref(), Some("2017-03-04T00:00:00"));
        assert_eq!(original(&png(&[chunk(b"tEXt", b"Creation Time\0yesterday")])), None);
        assert_eq!(original(&png(&[chunk(b"tEXt", b"Title\x002017:03:04 05:06:07")])), None);
    }

    #[test]
    fn when_it_was_changed_is_told_apart() {
        let header = read(&mut png(&[chunk(b"tIME", &[7, 0xe1, 3, 4, 5, 6, 7])]).as_slice());
        let times: Vec<_> =
            header.dates.modified.iter().map(|t| (t.local.to_string(), t.offset_minutes)).collect();
        assert_eq!(times, [("2017-03-04T05:06:07".to_owned(), Some(0))]);
        assert!(header.dates.original.is_empty());
        assert_eq!(read(&mut png(&[chunk(b"tIME", &[0; 7])]).as_slice()).dates, StatedDates::default());
    }

    #[test]
    fn blocks_are_read_packed_or_not() {
        let xmp = [b"XML:com.adobe.xmp\0\x01\0\0\0", packed(b"<x:xmpmeta/>").as_slice()].concat();
        let exif = [b"Raw profile type exif\0\0", packed(&hex(b"Exif\0\0II*\0")).as_slice()].concat();
        let iptc = [b"Raw profile type iptc\0", hex(b"8BIM\x04\x04").as_slice()].concat();
        let header =
            read(&mut png(&[chunk(b"iTXt", &xmp), chunk(b"zTXt", &exif), chunk(b"tEXt", &iptc)]).as_slice());
        assert_eq!(header.size, Some((2, 3)));
        assert_eq!(header.xmp.as_deref(), Some(&b"<x:xmpmeta/>"[..]));
        assert_eq!(header.exif.as_deref(), Some(&b"Exif\0\0II*\0"[..]));
        assert_eq!(header.photoshop.as_deref(), Some(&b"8BIM\x04\x04"[..]));
        let named = [b"http://ns.adobe.com/xap/1.0/\0", &b"<x:xmpmeta/>"[..]].concat();
        let profile = [b"Raw profile type APP1\0", hex(&named).as_slice()].concat();
        let header = read(&mut png(&[chunk(b"tEXt", &profile)]).as_slice());
        assert_eq!(header.xmp.as_deref(), Some(&b"<x:xmpmeta/>"[..]));
    }

    #[test]
    fn what_comes_behind_many_pixels_is_found() {
        let mut chunks = vec![chunk(b"IDAT", &[7; 8192]); 900];
        chunks.push(chunk(b"tEXt", b"Creation Time\x002017:03:04 05:06:07"));
        assert_eq!(original(&png(&chunks)).as_deref(), Some("2017-03-04T05:06:07"));
        // One chunk that is longer than the end that is searched.
        let mut chunks = vec![chunk(b"IDAT", &[7; 8192]); 5];
        chunks.extend([chunk(b"IDAT", &[7; 100_000]), chunk(b"tEXt", b"Creation Time\x002017-03-04")]);
        assert_eq!(original(&png(&chunks)).as_deref(), Some("2017-03-04T00:00:00"));
    }

    proptest! {
        #[test]
        fn damage_is_survived(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12)) {
            let profile = [b"Raw profile type exif\0", hex(b"II*\0").as_slice()].concat();
            let mut bytes = png(&[
                chunk(b"IDAT", &[1; 9]), chunk(b"IDAT", &[1; 9]), chunk(b"IDAT", &[1; 9]), chunk(b"IDAT", &[1; 9]),
                chunk(b"tEXt", &profile), chunk(b"tIME", &[7, 0xe1, 3, 4, 5, 6, 7]),
                chunk(b"zTXt", &[b"Creation Time\0\0", packed(b"2017-03-04").as_slice()].concat()),
            ]);
            for (index, byte) in flips {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            read(&mut bytes.as_slice());
        }
    }
}
