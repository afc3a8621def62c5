//! What an MP4, QuickTime or 3GP file says of itself, without touching its frames.

use super::boxes::{Found, find, list, u32_at, u64_at};
use super::bytes::{ReadAt, array, block};
use super::dates::{self, WallTime};
use super::tiff::clean_text;

/// Seconds from 1904, where QuickTime's time begins, to 1970.
const EPOCH_1904_SECONDS: i64 = 2_082_844_800;
/// The longest text of a metadata item.
const TEXT_BYTES_MAX: usize = 1024;
/// The most tracks that are visited.
const TRACKS_MAX: usize = 64;

/// What a movie says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Movie {
    /// The local time of capture, as the camera's own text says it.
    pub(crate) taken: Option<WallTime>,
    /// The header's time, which is in UTC.
    pub(crate) created_utc: Option<WallTime>,
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
                movie.created_utc = header_time(source, part);
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
    Some(movie)
}

/// How long a movie's or track's header says it runs; `None` where it does not know.
fn header_duration(source: &mut dyn ReadAt, header: Found) -> Option<u64> {
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

fn track_duration(source: &mut dyn ReadAt, trak: Found) -> Option<u64> {
    let mdia = find(source, trak.start, trak.end, b"mdia")?;
    let mdhd = find(source, mdia.start, mdia.end, b"mdhd")?;
    header_duration(source, mdhd)
}

fn header_time(source: &mut dyn ReadAt, mvhd: Found) -> Option<WallTime> {
    let [version] = array::<1>(source, mvhd.start)?;
    let seconds = match version {
        1 => u64_at(source, mvhd.start + 4)?,
        _ => u64::from(u32_at(source, mvhd.start + 4)?),
    };
    if seconds == 0 {
        return None;
    }
    WallTime::from_utc(i64::try_from(seconds).ok()?.checked_sub(EPOCH_1904_SECONDS)?, 0)
}

fn read_track(source: &mut dyn ReadAt, trak: Found, movie: &mut Movie) -> Option<()> {
    let tkhd = find(source, trak.start, trak.end, b"tkhd")?;
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
fn read_meta(source: &mut dyn ReadAt, meta: Found, movie: &mut Movie) {
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
            b"com.apple.quicktime.creationdate" => movie.taken = dates::parse(&text),
            b"com.apple.quicktime.make" | b"com.android.manufacturer" => movie.make = clean_text(&text),
            b"com.apple.quicktime.model" | b"com.android.model" => movie.model = clean_text(&text),
            b"com.apple.quicktime.content.identifier" => movie.content_identifier = clean_text(&text),
            _ => {}
        }
    }
}

fn item_text(source: &mut dyn ReadAt, item: Found) -> Option<Vec<u8>> {
    let data = find(source, item.start, item.end, b"data")?;
    block(source, data.start + 8, data.len().checked_sub(8)?, TEXT_BYTES_MAX)
}

/// Classic user data: `©day`, `©mak`, `©mod`, and a nested `meta` in iTunes' manner.
fn read_user_data(source: &mut dyn ReadAt, udta: Found, movie: &mut Movie) {
    for item in list(source, udta.start, udta.end) {
        match &item.kind {
            b"\xa9day" => {
                movie.taken = movie.taken.or(classic_text(source, item).and_then(|t| dates::parse(&t)));
            }
            b"\xa9mak" => {
                movie.make = movie.make.take().or(classic_text(source, item).and_then(|t| clean_text(&t)));
            }
            b"\xa9mod" => {
                movie.model = movie.model.take().or(classic_text(source, item).and_then(|t| clean_text(&t)));
            }
            b"meta" => read_itunes(source, item, movie),
            _ => {}
        }
    }
}

fn classic_text(source: &mut dyn ReadAt, item: Found) -> Option<Vec<u8>> {
    let [a, b, _, _] = array::<4>(source, item.start)?;
    let len = u64::from(u16::from_be_bytes([a, b]));
    block(source, item.start + 4, len.min(item.len().checked_sub(4)?), TEXT_BYTES_MAX)
}

fn read_itunes(source: &mut dyn ReadAt, meta: Found, movie: &mut Movie) {
    read_meta(source, meta, movie);
    let Some(values) = find(source, meta.start + 4, meta.end, b"ilst") else { return };
    for item in list(source, values.start, values.end) {
        if &item.kind == b"\xa9day" && movie.taken.is_none() {
            movie.taken = item_text(source, item).and_then(|text| dates::parse(&text));
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
            movie.taken.map(|t| (t.local.to_string(), t.offset_minutes)),
            Some(("2019-05-12T10:15:00".to_owned(), Some(120)))
        );
        assert_eq!(movie.created_utc.map(|t| t.local.date().to_string()).as_deref(), Some("2019-05-06"));
        assert_eq!((movie.size, movie.orientation), (Some((1920, 1080)), Some(6)));
        assert_eq!(
            (movie.make.as_deref(), movie.content_identifier.as_deref()),
            (Some("Apple"), Some("ABC-1"))
        );
    }

    #[test]
    fn a_clock_never_set_is_no_date() {
        assert_eq!(read(&mut movie(0, &[]).as_slice()).expect("a movie").created_utc, None);
        assert_eq!(read(&mut movie(2_082_844_800, &[]).as_slice()).expect("a movie").created_utc, None);
    }

    #[test]
    fn classic_user_data_is_read() {
        let day = [&[0, 10, 0x15, 0xc7][..], b"2008-02-03"].concat();
        let moov = boxed(b"moov", &boxed(b"udta", &boxed(b"\xa9day", &day)));
        let movie = read(&mut moov.as_slice()).expect("a movie");
        assert_eq!(movie.taken.map(|t| t.local.date().to_string()).as_deref(), Some("2008-02-03"));
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
