//! When a Matroska or WebM file was filmed (RFC 9559).

use std::ops::Range;

use super::bounded_reader::{ReadAt, array, block};
use super::capture::StatedDates;
use super::dates::{self, WallTime};
use super::metadata::Metadata;

/// The most elements that are visited on one level.
const ELEMENTS_MAX: usize = 512;
/// The longest text that is read.
const TEXT_BYTES_MAX: u64 = 256;
/// Seconds from 1970 to 2001, where Matroska's time begins.
const EPOCH_SECONDS: i64 = 978_307_200;

const EBML: u32 = 0x1a45_dfa3;
const SEGMENT: u32 = 0x1853_8067;
const SEEK_HEAD: u32 = 0x114d_9b74;
const SEEK: u32 = 0x4dbb;
const SEEK_ID: u32 = 0x53ab;
const SEEK_POSITION: u32 = 0x53ac;
const INFO: u32 = 0x1549_a966;
const DATE_UTC: u32 = 0x4461;
const TRACKS: u32 = 0x1654_ae6b;
const TRACK: u32 = 0xae;
const VIDEO: u32 = 0xe0;
const WIDTH: u32 = 0xb0;
const HEIGHT: u32 = 0xba;
const TAGS: u32 = 0x1254_c367;
const TAG: u32 = 0x7373;
const SIMPLE_TAG: u32 = 0x67c8;
const TAG_NAME: u32 = 0x45a3;
const TAG_TEXT: u32 = 0x4487;
const CLUSTER: u32 = 0x1f43_b675;

/// Reads what comes before the pictures, and what the file says comes behind them.
pub(crate) fn read(source: &mut dyn ReadAt) -> Metadata {
    let mut metadata = Metadata::default();
    let end = source.size();
    let Some((EBML, head)) = element(source, 0, end) else { return metadata };
    let Some((SEGMENT, segment)) = element(source, head.end, end) else { return metadata };
    let mut elsewhere = Vec::new();
    let mut tags = Vec::new();
    for (id, part) in children(source, &segment) {
        match id {
            SEEK_HEAD => elsewhere.extend(places(source, &part)),
            INFO => metadata.dates.append(info(source, &part)),
            TRACKS => metadata.size = metadata.size.or_else(|| picture_size(source, &part)),
            TAGS => tags.push(part),
            _ => {}
        }
    }
    for (id, offset) in elsewhere {
        let Some(at) = segment.start.checked_add(offset) else { continue };
        if id == TAGS
            && tags.iter().all(|known| !known.contains(&at) && known.start.abs_diff(at) > 12)
            && let Some((TAGS, part)) = element(source, at, end)
        {
            tags.push(part);
        }
    }
    // What the tags say of the recording is better than the file's own date, which a copy may have set.
    for part in tags.iter().take(2) {
        metadata.dates.append(tagged(source, part));
    }
    metadata
}

/// The element at `at`: what it is, and where its content is. One of unknown length goes to the end.
fn element(source: &mut dyn ReadAt, at: u64, end: u64) -> Option<(u32, Range<u64>)> {
    let [first] = array::<1>(source, at)?;
    let id_len = u64::from(first.leading_zeros()) + 1;
    if id_len > 4 {
        return None;
    }
    let id = bytes_as_number(&block(source, at, id_len, 4)?);
    let len_at = at + id_len;
    let [first] = array::<1>(source, len_at)?;
    let len_len = u64::from(first.leading_zeros()) + 1;
    if len_len > 8 {
        return None;
    }
    let marker = 1_u64 << (7 * len_len);
    let len = bytes_as_number(&block(source, len_at, len_len, 8)?) & (marker - 1);
    let start = len_at + len_len;
    let content_end = if len == marker - 1 { end } else { start.checked_add(len)?.min(end) };
    (start <= end).then(|| (u32::try_from(id).unwrap_or(0), start..content_end))
}

fn bytes_as_number(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0, |number, byte| number << 8 | u64::from(*byte))
}

/// The elements in another, up to the first cluster of pictures.
fn children(source: &mut dyn ReadAt, parent: &Range<u64>) -> Vec<(u32, Range<u64>)> {
    let mut found = Vec::new();
    let mut at = parent.start;
    while found.len() < ELEMENTS_MAX
        && at < parent.end
        && let Some((id, content)) = element(source, at, parent.end)
        && id != CLUSTER
    {
        at = content.end;
        found.push((id, content));
    }
    found
}

fn number(source: &mut dyn ReadAt, content: &Range<u64>) -> Option<u64> {
    let bytes = block(source, content.start, content.end - content.start, 8)?;
    Some(bytes_as_number(&bytes))
}

/// What stands elsewhere in the segment, and how far behind its start.
fn places(source: &mut dyn ReadAt, seek_head: &Range<u64>) -> Vec<(u32, u64)> {
    let mut places = Vec::new();
    for (_seek, part) in children(source, seek_head).into_iter().filter(|(id, _)| *id == SEEK) {
        let (mut id, mut position) = (None, None);
        for (kind, content) in children(source, &part) {
            match kind {
                SEEK_ID => id = number(source, &content).and_then(|id| u32::try_from(id).ok()),
                SEEK_POSITION => position = number(source, &content),
                _ => {}
            }
        }
        places.extend(id.zip(position));
    }
    places
}

/// Nanoseconds since the first moment of 2001, in UTC.
fn info(source: &mut dyn ReadAt, info: &Range<u64>) -> StatedDates {
    let date = children(source, info).into_iter().find(|(id, _)| *id == DATE_UTC);
    let nanos = date.and_then(|(_, content)| number(source, &content)).map(u64::cast_signed);
    let time = nanos.filter(|nanos| *nanos != 0).and_then(|nanos| {
        let millis = i32::try_from(nanos.rem_euclid(1_000_000_000) / 1_000_000).ok()?;
        WallTime::from_utc(EPOCH_SECONDS + nanos.div_euclid(1_000_000_000), millis)
    });
    StatedDates { created_utc: time.into_iter().collect(), ..StatedDates::default() }
}

fn picture_size(source: &mut dyn ReadAt, tracks: &Range<u64>) -> Option<(u32, u32)> {
    for (_track, track) in children(source, tracks).into_iter().filter(|(id, _)| *id == TRACK) {
        let Some((_, video)) = children(source, &track).into_iter().find(|(id, _)| *id == VIDEO) else {
            continue;
        };
        let (mut width, mut height) = (None, None);
        for (id, content) in children(source, &video) {
            let side = |source: &mut dyn ReadAt| number(source, &content).and_then(|n| u32::try_from(n).ok());
            match id {
                WIDTH => width = side(source),
                HEIGHT => height = side(source),
                _ => {}
            }
        }
        if let Some(size) = width.zip(height) {
            return Some(size);
        }
    }
    None
}

fn tagged(source: &mut dyn ReadAt, tags: &Range<u64>) -> StatedDates {
    let mut found = StatedDates::default();
    for (_tag, tag) in children(source, tags).into_iter().filter(|(id, _)| *id == TAG) {
        for (_simple, simple) in children(source, &tag).into_iter().filter(|(id, _)| *id == SIMPLE_TAG) {
            let (mut name, mut text) = (Vec::new(), Vec::new());
            for (id, content) in children(source, &simple) {
                let len = (content.end - content.start).min(TEXT_BYTES_MAX);
                let mut bytes = || block(source, content.start, len, 256).unwrap_or_default();
                match id {
                    TAG_NAME => name = bytes(),
                    TAG_TEXT => text = bytes(),
                    _ => {}
                }
            }
            match name.to_ascii_uppercase().as_slice() {
                b"DATE_RECORDED" | b"COM.APPLE.QUICKTIME.CREATIONDATE" => {
                    found.original.extend(dates::parse(&text));
                }
                b"DATE_DIGITIZED" => found.digitized.extend(dates::parse(&text)),
                b"CREATION_TIME" => found.created_utc.extend(dates::parse(&text)),
                _ => {}
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn made(id: u32, content: &[u8]) -> Vec<u8> {
        let id = id.to_be_bytes();
        let id: Vec<u8> = id.into_iter().skip_while(|byte| *byte == 0).collect();
        let len = 0x1000_0000 | u32::try_from(content.len()).expect("short");
        [id, len.to_be_bytes().to_vec(), content.to_vec()].concat()
    }

    fn mkv(parts: &[Vec<u8>]) -> Vec<u8> {
        [made(EBML, &made(0x4282, b"matroska")), made(SEGMENT, &parts.concat())].concat()
    }

    fn dated(seconds: i64) -> Vec<u8> {
        made(
            INFO,
            &[made(0x4d80, b"test"), made(DATE_UTC, &(seconds * 1_000_000_000).to_be_bytes())].concat(),
        )
    }

    fn tags(name: &str, text: &str) -> Vec<u8> {
        let simple = [made(TAG_NAME, name.as_bytes()), made(TAG_TEXT, text.as_bytes())].concat();
        made(TAGS, &made(TAG, &made(SIMPLE_TAG, &simple)))
    }

    fn first(times: &[WallTime]) -> Option<String> {
        times.first().map(|time| time.local.to_string())
    }

    #[test]
    fn the_date_is_read_before_the_pictures_and_behind_them() {
        let video = made(
            TRACKS,
            &made(TRACK, &made(VIDEO, &[made(WIDTH, &[2, 128]), made(HEIGHT, &[1, 224])].concat())),
        );
        // 2015-04-05T06:07:08Z
        let info = dated(1_428_214_028 - EPOCH_SECONDS);
        let behind = tags("DATE_RECORDED", "2015-04-04 08:00:00");
        let cluster = made(CLUSTER, &[7; 70_000]);
        let seek = |position: usize| {
            let place = u32::try_from(position).expect("short").to_be_bytes();
            let entry = [made(SEEK_ID, &TAGS.to_be_bytes()), made(SEEK_POSITION, &place)].concat();
            made(SEEK_HEAD, &made(SEEK, &entry))
        };
        let before = seek(0).len() + info.len() + video.len() + cluster.len();
        let file = mkv(&[seek(before), info.clone(), video, cluster.clone(), behind]);
        let found = read(&mut file.as_slice());
        assert_eq!(found.size, Some((640, 480)));
        assert_eq!(first(&found.dates.created_utc).as_deref(), Some("2015-04-05T06:07:08"));
        assert_eq!(first(&found.dates.original).as_deref(), Some("2015-04-04T08:00:00"));
        // Nothing leads there.
        let lost = mkv(&[info, cluster, tags("DATE_RECORDED", "2015-04-04")]);
        assert_eq!(read(&mut lost.as_slice()).dates.original, []);
    }

    #[test]
    fn nonsense_is_no_date() {
        assert_eq!(read(&mut mkv(&[dated(0)]).as_slice()).dates, StatedDates::default());
        assert_eq!(
            read(&mut mkv(&[tags("DATE_RECORDED", "never")]).as_slice()).dates,
            StatedDates::default()
        );
        assert_eq!(read(&mut &b"RIFF"[..]).dates, StatedDates::default());
    }

    proptest! {
        #[test]
        fn damage_is_survived(flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12)) {
            let mut bytes = mkv(&[dated(1), tags("DATE_RECORDED", "2015-04-04")]);
            for (index, byte) in flips {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            read(&mut bytes.as_slice());
        }
    }
}
