//! What an MP4, QuickTime or 3GP file says of itself, without touching its frames.

use super::bounded_reader::{ReadAt, SubReader, array, block};
use super::capture::StatedDates;
use super::dates::{self, WallTime};
use super::isobmff::{self, FoundBox, find, list, u32_at, u64_at};
use super::metadata;
use super::tiff::clean_text;
use super::xmp;

/// Seconds from 1904, where QuickTime's time begins, to 1970.
const EPOCH_1904_SECONDS: i64 = 2_082_844_800;
/// The longest text of a metadata item.
const TEXT_BYTES_MAX: usize = 1024;
/// The most tracks that are visited.
const TRACKS_MAX: usize = 64;
/// The most boxes beside the movie's own that are visited.
const TOP_BOXES_MAX: usize = 32;
/// The longest block of a camera's own tags or XML that is read.
const TAGS_BYTES_MAX: usize = 64 * 1024;

/// What a movie says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Movie {
    /// What it states in texts and tags, and in the headers of the movie, its media and its tracks.
    pub(crate) dates: StatedDates,
    /// Of the largest track, before turning.
    pub(crate) size: Option<(u32, u32)>,
    /// As EXIF would say it: 1, 3, 6 or 8.
    pub(crate) orientation: Option<u8>,
    pub(crate) make: Option<String>,
    pub(crate) model: Option<String>,
    pub(crate) content_identifier: Option<String>,
    /// How long it runs, in milliseconds.
    pub(crate) duration_ms: Option<u64>,
}

/// Reads a movie's header; `None` where there is none.
pub(crate) fn read(source: &mut dyn ReadAt) -> Option<Movie> {
    let end = source.size();
    let moov = find(source, 0, end, b"moov")?;
    let mut movie = Movie::default();
    let (mut tracks, mut longest_track) = (0, None);
    for part in list(source, moov.start, moov.end) {
        match &part.kind {
            b"mvhd" => {
                if let Some(time) = header_time(source, part) {
                    movie.dates.created_utc.insert(0, time);
                }
                movie.duration_ms = header_duration(source, part);
            }
            b"trak" if tracks < TRACKS_MAX => {
                tracks += 1;
                read_track(source, part, &mut movie);
                longest_track = longest_track.max(track_duration(source, part));
            }
            b"meta" => read_meta(source, part, &mut movie),
            b"udta" => read_user_data(source, part, &mut movie),
            _ => {}
        }
    }
    movie.duration_ms = movie.duration_ms.or(longest_track);
    let top = isobmff::list_at_most(source, 0, end, TOP_BOXES_MAX);
    let inner = list(source, moov.start, moov.end);
    for part in top.into_iter().chain(inner) {
        match &part.kind {
            b"uuid" if array(source, part.start) == Some(isobmff::XMP_UUID) => {
                let start = part.start + 16;
                read_packet(source, FoundBox { start: start.min(part.end), ..part }, &mut movie);
            }
            b"meta" => movie.dates.original.extend(sony_date(source, part)),
            _ => {}
        }
    }
    Some(movie)
}

/// How long a movie's or track's header says it runs; `None` where it does not know.
fn header_duration(source: &mut dyn ReadAt, header: FoundBox) -> Option<u64> {
    let [version] = array::<1>(source, header.start)?;
    let (scale, duration, unknown) = match version {
        1 => (u32_at(source, header.start + 20)?, u64_at(source, header.start + 24)?, u64::MAX),
        _ => {
            let duration = u32_at(source, header.start + 16)?;
            (u32_at(source, header.start + 12)?, u64::from(duration), u64::from(u32::MAX))
        }
    };
    if duration == 0 || duration == unknown {
        return None;
    }
    duration.checked_mul(1_000)?.checked_div(u64::from(scale))
}

fn track_duration(source: &mut dyn ReadAt, trak: FoundBox) -> Option<u64> {
    let mdia = find(source, trak.start, trak.end, b"mdia")?;
    let mdhd = find(source, mdia.start, mdia.end, b"mdhd")?;
    header_duration(source, mdhd)
}

/// The time in the header of a movie, a medium or a track; `None` where it was never set. Before 1970
/// nobody filmed with such files: there the seconds were counted from 1970.
fn header_time(source: &mut dyn ReadAt, header: FoundBox) -> Option<WallTime> {
    let [version] = array::<1>(source, header.start)?;
    let seconds = match version {
        1 => u64_at(source, header.start + 4)?,
        _ => u64::from(u32_at(source, header.start + 4)?),
    };
    let seconds = i64::try_from(seconds).ok().filter(|seconds| *seconds > 0)?;
    WallTime::from_utc(if seconds < EPOCH_1904_SECONDS { seconds } else { seconds - EPOCH_1904_SECONDS }, 0)
}

fn read_packet(source: &mut dyn ReadAt, packet: FoundBox, movie: &mut Movie) {
    let packet = block(source, packet.start, packet.len(), xmp::PACKET_BYTES_MAX);
    movie.dates.append(packet.map(|packet| xmp::read(&packet)).unwrap_or_default());
}

/// Sony's cameras describe a movie in XML of their own, with the time of their clock.
fn sony_date(source: &mut dyn ReadAt, meta: FoundBox) -> Option<WallTime> {
    let start = (meta.start + 4).min(meta.end);
    let xml = find(source, start, meta.end, b"xml ")?;
    let xml = block(source, xml.start, xml.len(), TAGS_BYTES_MAX)?;
    let name = b"<CreationDate value=\"";
    let at = xml.windows(name.len()).position(|window| window == name)? + name.len();
    let value = xml.get(at..)?.split(|byte| *byte == b'"').next()?;
    dates::parse(value)
}

fn read_track(source: &mut dyn ReadAt, trak: FoundBox, movie: &mut Movie) -> Option<()> {
    let tkhd = find(source, trak.start, trak.end, b"tkhd")?;
    let mdia = find(source, trak.start, trak.end, b"mdia");
    let mdhd = mdia.and_then(|mdia| find(source, mdia.start, mdia.end, b"mdhd"));
    let times = [mdhd.and_then(|mdhd| header_time(source, mdhd)), header_time(source, tkhd)];
    movie
        .dates
        .append(StatedDates { created_utc: times.into_iter().flatten().collect(), ..StatedDates::default() });
    let [version] = array::<1>(source, tkhd.start)?;
    let matrix = tkhd.start + if version == 1 { 52 } else { 40 };
    // Sixteen bits before and after the point.
    let width = u32_at(source, matrix + 36)? >> 16;
    let height = u32_at(source, matrix + 40)? >> 16;
    let area = |(w, h): (u32, u32)| u64::from(w) * u64::from(h);
    if area((width, height)) > movie.size.map_or(0, area) {
        movie.size = Some((width, height));
        let sign =
            |at: u64, source: &mut dyn ReadAt| array(source, at).map(|b| i32::from_be_bytes(b).signum());
        let turn = (sign(matrix, source)?, sign(matrix + 4, source)?);
        movie.orientation = match turn {
            (1, 0) => Some(1),
            (-1, 0) => Some(3),
            (0, 1) => Some(6),
            (0, -1) => Some(8),
            _ => None,
        };
    }
    Some(())
}

/// QuickTime's `meta`: a list of key names and, by their numbers, a list of values.
fn read_meta(source: &mut dyn ReadAt, meta: FoundBox, movie: &mut Movie) {
    // ISO files put four bytes of version before the boxes, QuickTime does not.
    let start =
        if find(source, meta.start, meta.end, b"keys").is_some() { meta.start } else { meta.start + 4 };
    let Some(keys) = find(source, start, meta.end, b"keys") else { return };
    let Some(values) = find(source, start, meta.end, b"ilst") else { return };
    // The list's own version and count come first; each name is then shaped like a box.
    let names = list(source, keys.start + 8, keys.end);
    for value in list(source, values.start, values.end) {
        let index = usize::try_from(u32::from_be_bytes(value.kind)).unwrap_or(0);
        let Some(name) = index.checked_sub(1).and_then(|index| names.get(index)) else { continue };
        let Some(name) = block(source, name.start, name.len(), TEXT_BYTES_MAX) else { continue };
        let Some(text) = item_text(source, value) else { continue };
        match name.as_slice() {
            b"com.apple.quicktime.creationdate" | b"creationdate" => {
                movie.dates.original.extend(dates::parse(&text));
            }
            // What a copy by FFmpeg keeps of the header it came from.
            b"creation_time" => movie.dates.created_utc.extend(dates::parse(&text)),
            b"com.apple.quicktime.make" | b"com.android.manufacturer" => movie.make = clean_text(&text),
            b"com.apple.quicktime.model" | b"com.android.model" => movie.model = clean_text(&text),
            b"com.apple.quicktime.content.identifier" => movie.content_identifier = clean_text(&text),
            _ => {}
        }
    }
}

fn item_text(source: &mut dyn ReadAt, item: FoundBox) -> Option<Vec<u8>> {
    let data = find(source, item.start, item.end, b"data")?;
    block(source, data.start + 8, data.len().checked_sub(8)?, TEXT_BYTES_MAX)
}

/// Classic user data: `©day`, `©mak`, `©mod`, what cameras add of their own, an XMP packet, and a nested
/// `meta` in iTunes' manner.
fn read_user_data(source: &mut dyn ReadAt, udta: FoundBox, movie: &mut Movie) {
    for item in list(source, udta.start, udta.end) {
        match &item.kind {
            b"\xa9day" => {
                movie.dates.original.extend(classic_text(source, item).and_then(|text| dates::parse(&text)));
            }
            b"\xa9mak" => {
                movie.make = movie.make.take().or(classic_text(source, item).and_then(|t| clean_text(&t)));
            }
            b"\xa9mod" => {
                movie.model = movie.model.take().or(classic_text(source, item).and_then(|t| clean_text(&t)));
            }
            b"date" | b"IDIT" => {
                let text = block(source, item.start, item.len(), TEXT_BYTES_MAX);
                movie.dates.original.extend(text.and_then(|text| dates::parse(&text)));
            }
            b"XMP_" => read_packet(source, item, movie),
            b"CNTH" => {
                // Canon's picture of the movie, with its EXIF block.
                if let Some(jpeg) = find(source, item.start, item.end, b"CNDA") {
                    let thumbnail =
                        metadata::from_jpeg(&mut SubReader { source, start: jpeg.start, len: jpeg.len() });
                    movie.dates.append(thumbnail.dates);
                    movie.make = movie.make.take().or(thumbnail.make);
                    movie.model = movie.model.take().or(thumbnail.model);
                }
            }
            b"NCDT" => {
                if let Some(tags) = find(source, item.start, item.end, b"NCTG") {
                    let tags = block(source, tags.start, tags.len(), TAGS_BYTES_MAX).unwrap_or_default();
                    movie.dates.append(nikon(&tags));
                }
            }
            b"meta" => read_itunes(source, item, movie),
            _ => {}
        }
    }
}

/// Nikon's tags: number, type, count and value of each.
fn nikon(tags: &[u8]) -> StatedDates {
    let mut found = StatedDates::default();
    let mut rest = tags;
    while let [n0, n1, n2, n3, t0, t1, c0, c1, after @ ..] = rest {
        let unit = match u16::from_be_bytes([*t0, *t1]) {
            3 | 8 => 2,
            4 | 9 | 11 => 4,
            5 | 10 | 12 => 8,
            _ => 1,
        };
        let len = usize::from(u16::from_be_bytes([*c0, *c1])) * unit;
        let Some((value, next)) = after.split_at_checked(len) else { break };
        match u32::from_be_bytes([*n0, *n1, *n2, *n3]) {
            0x12 => found.original.extend(dates::parse(value)),
            0x11 => found.digitized.extend(dates::parse(value)),
            _ => {}
        }
        rest = next;
    }
    found
}

fn classic_text(source: &mut dyn ReadAt, item: FoundBox) -> Option<Vec<u8>> {
    let [a, b, _, _] = array::<4>(source, item.start)?;
    let len = u64::from(u16::from_be_bytes([a, b]));
    block(source, item.start + 4, len.min(item.len().checked_sub(4)?), TEXT_BYTES_MAX)
}

fn read_itunes(source: &mut dyn ReadAt, meta: FoundBox, movie: &mut Movie) {
    read_meta(source, meta, movie);
    let Some(values) = find(source, meta.start + 4, meta.end, b"ilst") else { return };
    for item in list(source, values.start, values.end) {
        if &item.kind == b"\xa9day" {
            movie.dates.original.extend(item_text(source, item).and_then(|text| dates::parse(&text)));
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;

    fn boxed(kind: &[u8; 4], content: &[u8]) -> Vec<u8> {
        let len = u32::try_from(content.len() + 8).expect("small");
        [&len.to_be_bytes()[..], kind, content].concat()
    }

    fn meta(pairs: &[(&str, &str)]) -> Vec<u8> {
        let mut keys = vec![0, 0, 0, 0];
        keys.extend(u32::try_from(pairs.len()).expect("small").to_be_bytes());
        let mut values = Vec::new();
        for (index, (name, text)) in pairs.iter().enumerate() {
            keys.extend(boxed(b"mdta", name.as_bytes()));
            let data = boxed(b"data", &[&[0, 0, 0, 1, 0, 0, 0, 0], text.as_bytes()].concat());
            values.extend(boxed(&u32::try_from(index + 1).expect("small").to_be_bytes(), &data));
        }
        boxed(b"meta", &[boxed(b"keys", &keys), boxed(b"ilst", &values)].concat())
    }

    /// A header of version 0 or 1 with a scale of 600 to the second.
    fn duration_header(version: u8, duration: u64) -> Vec<u8> {
        let mut header = vec![version, 0, 0, 0];
        if version == 1 {
            header.extend([0; 16]);
            header.extend(600_u32.to_be_bytes());
            header.extend(duration.to_be_bytes());
        } else {
            header.extend([0; 8]);
            header.extend(600_u32.to_be_bytes());
            header.extend(u32::try_from(duration).expect("small").to_be_bytes());
        }
        header.extend([0; 80]);
        header
    }

    #[test]
    fn lengths_are_read_from_the_movie_or_its_longest_track() {
        let of = |parts: &[Vec<u8>]| {
            let bytes = boxed(b"moov", &parts.concat());
            read(&mut bytes.as_slice()).expect("a movie").duration_ms
        };
        let mvhd = |version, duration| boxed(b"mvhd", &duration_header(version, duration));
        let trak = |duration| boxed(b"trak", &boxed(b"mdia", &boxed(b"mdhd", &duration_header(0, duration))));
        assert_eq!(of(&[mvhd(0, 1_800)]), Some(3_000));
        assert_eq!(of(&[mvhd(1, 600 * 86_400)]), Some(86_400_000));
        assert_eq!(of(&[mvhd(0, 0), trak(600), trak(1_500)]), Some(2_500));
        assert_eq!(of(&[mvhd(0, u64::from(u32::MAX))]), None);
        assert_eq!(of(&[mvhd(1, u64::MAX)]), None);
        assert_eq!(of(&[mvhd(1, u64::MAX - 1)]), None, "too long to be counted");
        assert_eq!(of(&[mvhd(0, 0)]), None);
        let mut unscaled = duration_header(0, 600);
        unscaled[12..16].fill(0);
        assert_eq!(of(&[boxed(b"mvhd", &unscaled)]), None);
    }

    /// A movie with its data before its header, as cameras write it.
    pub(crate) fn movie(created_1904: u32, pairs: &[(&str, &str)]) -> Vec<u8> {
        let mvhd = [&[0; 4][..], &created_1904.to_be_bytes(), &[0; 92]].concat();
        let mut tkhd = vec![0; 40];
        // A quarter turn clockwise.
        for number in [0_i32, 0x1_0000, 0, -0x1_0000, 0, 0, 0, 0, 0x4000_0000, 1920 << 16, 1080 << 16] {
            tkhd.extend(number.to_be_bytes());
        }
        let trak = boxed(b"trak", &boxed(b"tkhd", &tkhd));
        let moov = [boxed(b"mvhd", &mvhd), trak, meta(pairs)].concat();
        [boxed(b"ftyp", b"qt  \0\0\0\0qt  "), boxed(b"mdat", &[7; 5000]), boxed(b"moov", &moov)].concat()
    }

    #[test]
    fn apples_metadata_is_read() {
        let bytes = movie(
            3_640_000_000,
            &[
                ("com.apple.quicktime.make", "Apple"),
                ("com.apple.quicktime.content.identifier", "ABC-1"),
                ("com.apple.quicktime.creationdate", "2019-05-12T10:15:00+0200"),
            ],
        );
        let movie = read(&mut bytes.as_slice()).expect("a movie");
        assert_eq!(
            movie.dates.original.first().map(|t| (t.local.to_string(), t.offset_minutes)),
            Some(("2019-05-12T10:15:00".to_owned(), Some(120)))
        );
        let created = movie.dates.created_utc.first().map(|t| t.local.date().to_string());
        assert_eq!(created.as_deref(), Some("2019-05-06"));
        assert_eq!((movie.size, movie.orientation), (Some((1920, 1080)), Some(6)));
        assert_eq!(
            (movie.make.as_deref(), movie.content_identifier.as_deref()),
            (Some("Apple"), Some("ABC-1"))
        );
    }

    #[test]
    fn a_clock_never_set_is_no_date() {
        assert_eq!(read(&mut movie(0, &[]).as_slice()).expect("a movie").dates, StatedDates::default());
        assert_eq!(
            read(&mut movie(2_082_844_800, &[]).as_slice()).expect("a movie").dates,
            StatedDates::default()
        );
    }

    #[test]
    fn seconds_may_be_counted_from_1970() {
        let bytes = movie(1_338_281_706, &[]);
        let created = read(&mut bytes.as_slice()).expect("a movie").dates.created_utc;
        assert_eq!(created.first().map(|t| t.local.to_string()).as_deref(), Some("2012-05-29T08:55:06"));
    }

    /// The header of a movie that was never set, with these parts beside it.
    fn unset(parts: &[Vec<u8>]) -> Vec<u8> {
        let mvhd = boxed(b"mvhd", &[0; 100]);
        boxed(b"moov", &[vec![mvhd], parts.to_vec()].concat().concat())
    }

    #[test]
    fn a_track_or_medium_may_know_more_than_the_movie() {
        let time = |seconds: u32| [&[0; 4][..], &seconds.to_be_bytes(), &[0; 90]].concat();
        let seconds = 2_082_844_800 + 1_367_824_089;
        for (media, track) in [(seconds, 0), (0, seconds)] {
            let mdia = boxed(b"mdia", &boxed(b"mdhd", &time(media)));
            let bytes = unset(&[boxed(b"trak", &[boxed(b"tkhd", &time(track)), mdia].concat())]);
            let created = read(&mut bytes.as_slice()).expect("a movie").dates.created_utc;
            assert_eq!(created.first().map(|t| t.local.to_string()).as_deref(), Some("2013-05-06T07:08:09"));
        }
    }

    #[test]
    fn cameras_write_dates_in_places_of_their_own() {
        let udta = |kind: &[u8; 4], body: &[u8]| unset(&[boxed(b"udta", &boxed(kind, body))]);
        let packet = b"<a exif:DateTimeOriginal='2013-05-06T07:08:09'/>";
        let uuid = [&isobmff::XMP_UUID[..], packet].concat();
        let photo = crate::media::fixture::Photo {
            taken: Some("2013:05:06 07:08:09"),
            ..crate::media::fixture::Photo::new(1)
        };
        let nikon =
            [&[0, 0, 0, 1, 0, 2, 0, 2][..], b"N\0", &[0, 0, 0, 0x12, 0, 2, 0, 20], b"2013:05:06 07:08:09\0"]
                .concat();
        let sony = b"\0\0\0\0<NonRealTimeMeta><CreationDate value=\"2013-05-06T07:08:09+02:00\"/>";
        let sony = boxed(b"meta", &[&[0; 4][..], &boxed(b"xml ", sony)].concat());
        for (what, bytes) in [
            ("date", udta(b"date", b"2013-05-06T07:08:09+0200")),
            ("IDIT", udta(b"IDIT", b"2013-05-06T07:08:09+0000\0")),
            ("XMP_", udta(b"XMP_", packet)),
            ("Canon", udta(b"CNTH", &boxed(b"CNDA", &photo.jpeg()))),
            ("Nikon", udta(b"NCDT", &boxed(b"NCTG", &nikon))),
            ("XMP beside the movie", [unset(&[]), boxed(b"uuid", &uuid)].concat()),
            ("Sony", [unset(&[]), sony].concat()),
        ] {
            let movie = read(&mut bytes.as_slice()).expect("a movie");
            let original = movie.dates.original.first().map(|t| t.local.to_string());
            assert_eq!(original.as_deref(), Some("2013-05-06T07:08:09"), "{what}");
        }
    }

    #[test]
    fn classic_user_data_is_read() {
        let day = [&[0, 10, 0x15, 0xc7][..], b"2008-02-03"].concat();
        let moov = boxed(b"moov", &boxed(b"udta", &boxed(b"\xa9day", &day)));
        let movie = read(&mut moov.as_slice()).expect("a movie");
        let original = movie.dates.original.first().map(|t| t.local.date().to_string());
        assert_eq!(original.as_deref(), Some("2008-02-03"));
    }

    proptest! {
        #[test]
        fn damage_is_survived(
            cut in 0_usize..400,
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..12),
        ) {
            let mut bytes = movie(3_640_000_000, &[("com.apple.quicktime.make", "Apple")]);
            for (index, byte) in flips {
                // The frames in the middle matter to no one.
                let at = bytes.len() - 1 - index.index(400);
                bytes[at] = byte;
            }
            bytes.truncate(bytes.len() - cut);
            read(&mut bytes.as_slice());
        }
    }
}
