//! One bounded look at a file: what it is, when it was captured, with what.

use std::io;

use super::bounded_reader::BoundedFile;
use super::capture;
use super::catch_panic::contain;
use super::dates::WallTime;
use super::exclusions::excluded_by_name;
use super::metadata::{self, Metadata};
use super::name_date;
use super::sniff::sniff;
use crate::base::files::SourceFile;
use crate::domain::asset::{CapturedAt, DateDoubt, DateSource, Facts, FoundDate};
use crate::domain::file::{ExcludeReason, FileStamp, Problem};
use crate::domain::path::RelPath;
use crate::domain::time::UnixMillis;

pub use super::bounded_reader::{HEAD_BYTES, READ_BUDGET_BYTES};

/// What one look at a file comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Description {
    /// It belongs in the library.
    Facts(Facts),
    /// It belongs, but there is nothing in it to back up.
    Problem(Problem),
    /// It does not belong.
    Exclude(ExcludeReason),
}

/// Looks at a file, reading at most [`READ_BUDGET_BYTES`] of it, whatever it claims to be.
///
/// `rel` is its path below its source, `stamp` its size and times as the scan saw them, and `now` this
/// computer's time, after which nothing was captured. Damaged or hostile bytes give fewer facts and never an error. Sidecars get facts as well: whether their
/// picture is near is for [`crate::domain::grouping`] to say.
///
/// # Errors
/// Only when the disk cannot be read.
pub fn describe(
    file: &mut dyn SourceFile,
    rel: &RelPath,
    stamp: &FileStamp,
    now: UnixMillis,
) -> io::Result<Description> {
    if let Some(reason) = excluded_by_name(rel) {
        return Ok(Description::Exclude(reason));
    }
    let mut source = BoundedFile::open(file, stamp.size)?;
    let Some(sniffed) = sniff(source.head(), &rel.name) else {
        return Ok(Description::Exclude(ExcludeReason::NotMedia));
    };
    if stamp.size == 0 {
        return Ok(Description::Problem(Problem::Empty));
    }
    let read = contain(|| metadata::read(&mut source, sniffed.media_type));
    if let Some(error) = source.take_error() {
        return Err(error);
    }
    let metadata = read.unwrap_or_default();
    Ok(Description::Facts(Facts {
        media_type: sniffed.media_type,
        is_mismatch: sniffed.is_mismatch,
        date: found_date(&metadata, &rel.name, stamp, now),
        dimensions: metadata.size.filter(|(width, height)| *width > 0 && *height > 0),
        orientation: metadata.orientation.unwrap_or(1),
        camera: camera_name(metadata.make.as_deref(), metadata.model.as_deref()),
        content_identifier: metadata.content_identifier,
        duration_ms: metadata.duration_ms,
    }))
}

/// The best date of a file: what it states, its name, its modification time.
fn found_date(metadata: &Metadata, name: &[u8], stamp: &FileStamp, now: UnixMillis) -> FoundDate {
    if let Some(found) = capture::choose(&metadata.dates, name_date::find(name), now) {
        let (source, time) = (found.source, found.time);
        let captured_at = CapturedAt {
            wall_ms: time.wall_ms(),
            offset_minutes: time.offset_minutes,
            provenance: source.provenance(),
        };
        return FoundDate { captured_at, source, doubt: found.doubt };
    }
    let mtime = stamp.mtime_ns.div_euclid(1_000_000);
    let source = DateSource::ModifiedTime;
    let captured_at =
        CapturedAt { wall_ms: UnixMillis(mtime), offset_minutes: Some(0), provenance: source.provenance() };
    // A time that no camera can have shown is a clock never set.
    let time = WallTime::from_utc(mtime.div_euclid(1000), 0);
    let doubt = time.map_or(Some(DateDoubt::CameraDefault), |time| capture::doubt_of(time, now));
    FoundDate { captured_at, source, doubt }
}
/// Words of a maker's full name that people leave out.
const COMPANY_WORDS: [&str; 17] = [
    "computer",
    "corporation",
    "corp",
    "corp.",
    "company",
    "co.",
    "co.,ltd",
    "co.,ltd.",
    "co.,",
    "ltd",
    "ltd.",
    "inc",
    "inc.",
    "imaging",
    "optical",
    "electric",
    "techwin",
];

/// Maker and model as people say them: `NIKON CORPORATION` and `NIKON D70` are a Nikon D70.
fn camera_name(make: Option<&str>, model: Option<&str>) -> Option<String> {
    let is_company = |word: &str| {
        COMPANY_WORDS.contains(&word.trim_end_matches(',').to_lowercase().as_str())
            || COMPANY_WORDS.contains(&word.to_lowercase().as_str())
    };
    let words: Vec<&str> = make.unwrap_or("").split_whitespace().collect();
    let mut plain: Vec<String> =
        words.iter().filter(|word| !is_company(word)).map(|word| capitalized(word)).collect();
    // Kodak signs as Eastman Kodak, and only half of it is on the camera.
    if plain.first().is_some_and(|first| first == "Eastman") {
        plain.remove(0);
    }
    let model_words: Vec<&str> = model.unwrap_or("").split_whitespace().collect();
    let repeated = model_words.first().is_some_and(|first| {
        plain.first().is_some_and(|maker| first.eq_ignore_ascii_case(maker))
            || words.iter().any(|word| first.eq_ignore_ascii_case(word))
    });
    let model_words = model_words.get(usize::from(repeated)..).unwrap_or(&[]);
    plain.extend(model_words.iter().map(|word| (*word).to_owned()));
    let name = plain.join(" ");
    (!name.is_empty()).then_some(name)
}

/// `Nikon` for `NIKON` and `Samsung` for `samsung`; short names such as `LG` or `HMD` are initials.
fn capitalized(word: &str) -> String {
    let is_shout = word.len() > 3 && word.chars().all(|c| c.is_ascii_uppercase());
    let is_whisper = word.chars().all(|c| c.is_ascii_lowercase());
    match word.split_at_checked(1) {
        Some((first, rest)) if is_shout || is_whisper => {
            format!("{}{}", first.to_ascii_uppercase(), rest.to_ascii_lowercase())
        }
        _ => word.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;
    use crate::domain::media_type::MediaType;
    use crate::media::fixture;
    use crate::media::movie::tests::movie;

    /// 2027-01-15
    const NOW: UnixMillis = UnixMillis(1_800_000_000_000);

    fn described(name: &str, bytes: &[u8]) -> Description {
        let mut file = tempfile::tempfile().expect("a temporary file");
        file.write_all(bytes).expect("written");
        // 2001-09-09T01:46:40Z
        let stamp = FileStamp { size: bytes.len() as u64, mtime_ns: 1_000_000_000_000_000_000, ctime_ns: 0 };
        let path = RelPath::parse(name.as_bytes()).expect("plain path");
        describe(&mut file, &path, &stamp, NOW).expect("readable")
    }

    fn facts(name: &str, bytes: &[u8]) -> Facts {
        match described(name, bytes) {
            Description::Facts(facts) => facts,
            other => panic!("{name}: {other:?}"),
        }
    }

    fn captured_told(facts: &Facts) -> (String, Option<i16>, DateSource) {
        let captured = facts.date.captured_at;
        assert_eq!(captured.provenance, facts.date.source.provenance());
        (captured.wall_ms.rfc3339(), captured.offset_minutes, facts.date.source)
    }

    fn photo() -> fixture::Photo<'static> {
        fixture::Photo {
            width: 64,
            height: 48,
            taken: Some("2019:05:12 10:15:00"),
            offset: Some("+02:00"),
            camera: Some(("NIKON CORPORATION", "NIKON D70")),
            orientation: 6,
            ..fixture::Photo::new(1)
        }
    }

    #[test]
    fn a_photo_tells_all() {
        // A HEIC is stored upright.
        for (name, bytes, size, orientation) in [
            ("a.jpg", photo().jpeg(), (64, 48), 6),
            ("a.tif", photo().tiff(), (64, 48), 6),
            ("a.heic", photo().heic(), (48, 64), 1),
        ] {
            let facts = facts(name, &bytes);
            let expected = ("2019-05-12T10:15:00Z".to_owned(), Some(120), DateSource::Metadata);
            assert_eq!(captured_told(&facts), expected, "{name}");
            assert_eq!((facts.dimensions, facts.orientation), (Some(size), orientation), "{name}");
            assert_eq!(facts.camera.as_deref(), Some("Nikon D70"), "{name}");
            assert!(!facts.is_mismatch, "{name}");
        }
    }

    #[test]
    fn dates_come_from_the_best_that_there_is() {
        let plain = fixture::Photo { taken: None, ..photo() }.jpeg();
        let named = facts("IMG_20180203_040506.jpg", &plain);
        assert_eq!(captured_told(&named), ("2018-02-03T04:05:06Z".to_owned(), None, DateSource::FileName));
        let bare = facts("a.jpg", &plain);
        assert_eq!(
            captured_told(&bare),
            ("2001-09-09T01:46:40Z".to_owned(), Some(0), DateSource::ModifiedTime)
        );
        let nonsense = fixture::Photo { taken: Some("0000:00:00 00:00:00"), ..photo() }.jpeg();
        assert_eq!(captured_told(&facts("a.jpg", &nonsense)).2, DateSource::ModifiedTime);
        let (zero, future) = (0, 1_900_000_000_000_000_000);
        for (mtime_ns, doubt) in [(zero, DateDoubt::CameraDefault), (future, DateDoubt::Future)] {
            let stamp = FileStamp { size: plain.len() as u64, mtime_ns, ctime_ns: 0 };
            let date = found_date(&Metadata::default(), b"a.jpg", &stamp, NOW);
            assert_eq!((date.source, date.doubt), (DateSource::ModifiedTime, Some(doubt)));
        }
        let xmp = b"<x:xmpmeta><rdf:Description exif:DateTimeOriginal='2011-01-02T03:04:05'/>";
        assert_eq!(captured_told(&facts("a.xmp", xmp)).0, "2011-01-02T03:04:05Z");
    }

    #[test]
    fn a_movies_utc_becomes_local_by_its_name() {
        // 2019-05-12T20:15:30Z
        let seconds = 2_082_844_800 + 1_557_692_130;
        let bytes = movie(seconds, &[]);
        let facts_of = |name| captured_told(&facts(name, &bytes));
        assert_eq!(facts_of("a.mov"), ("2019-05-12T20:15:30Z".to_owned(), Some(0), DateSource::Metadata));
        assert_eq!(
            facts_of("VID_20190513_011200.mov"),
            ("2019-05-13T01:12:00Z".to_owned(), Some(300), DateSource::Metadata)
        );
        assert_eq!(facts_of("VID_20190612_221500.mov").0, "2019-05-12T20:15:30Z");
        assert_eq!(facts_of("VID-20190513-WA0001.mov").0, "2019-05-12T20:15:30Z");
    }

    #[test]
    fn what_does_not_belong_says_why() {
        assert_eq!(described("a.txt", b"text"), Description::Exclude(ExcludeReason::NotMedia));
        assert_eq!(described("empty.txt", b""), Description::Exclude(ExcludeReason::NotMedia));
        assert_eq!(described("empty.jpg", b""), Description::Problem(Problem::Empty));
        assert_eq!(described(".a.jpg", &photo().jpeg()), Description::Exclude(ExcludeReason::Hidden));
        assert_eq!(described("Thumbs.db", b"x"), Description::Exclude(ExcludeReason::Debris));
        let damaged = facts("a.jpg", b"\xff\xd8\xff then nothing");
        assert_eq!((damaged.media_type, damaged.dimensions), (MediaType::Jpeg, None));
        assert!(facts("a.jpg", &photo().encoded(image::ImageFormat::Png)).is_mismatch);
    }

    #[test]
    fn cameras_as_people_say_them() {
        for (make, model, expected) in [
            ("NIKON CORPORATION", "NIKON D70", "Nikon D70"),
            ("Canon", "Canon EOS 40D", "Canon EOS 40D"),
            ("Apple", "iPhone 13 Pro Max", "Apple iPhone 13 Pro Max"),
            ("EASTMAN KODAK COMPANY", "KODAK CX7530 ZOOM DIGITAL CAMERA", "Kodak CX7530 ZOOM DIGITAL CAMERA"),
            ("OLYMPUS OPTICAL CO.,LTD", "C960Z,D460Z", "Olympus C960Z,D460Z"),
            ("PENTAX Corporation", "PENTAX K10D", "Pentax K10D"),
            ("HMD Global", "Nokia 8.3 5G", "HMD Global Nokia 8.3 5G"),
            ("samsung", "SM-G930F", "Samsung SM-G930F"),
            ("CASIO COMPUTER CO.,LTD", "EX-Z750", "Casio EX-Z750"),
            ("", "Model", "Model"),
            ("Maker", "", "Maker"),
        ] {
            assert_eq!(camera_name(Some(make), Some(model)).as_deref(), Some(expected));
        }
        assert_eq!(camera_name(None, None), None);
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn damage_is_survived(
            which in 0_usize..4,
            flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..24),
            keep in any::<prop::sample::Index>(),
            cuts in any::<bool>(),
        ) {
            static FILES: std::sync::OnceLock<[(&str, Vec<u8>); 4]> = std::sync::OnceLock::new();
            let files = FILES.get_or_init(|| [
                ("a.jpg", photo().jpeg()),
                ("a.heic", photo().heic()),
                ("a.tif", photo().tiff()),
                ("a.mov", movie(3_640_000_000, &[("com.apple.quicktime.creationdate", "2019-05-12T10:15:00+0200")])),
            ]);
            let (name, whole) = &files[which];
            let mut bytes = whole.clone();
            for (index, byte) in flips {
                bytes[index.index(whole.len())] = byte;
            }
            if cuts {
                bytes.truncate(keep.index(whole.len()));
            }
            prop_assert!(!matches!(described(name, &bytes), Description::Exclude(_)));
        }

        #[test]
        fn any_bytes_are_survived(bytes in prop::collection::vec(any::<u8>(), 0..3000), which in 0_usize..6) {
            let names = ["a.jpg", "a.nef", "a.mov", "a.heic", "a.xmp", "a"];
            described(names[which], &bytes);
        }
    }
}
