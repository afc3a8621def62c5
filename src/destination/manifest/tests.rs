//! Segments as written and as read, and what hostile ones come to.

use proptest::prelude::*;

use super::*;

fn entry(name: &str) -> Entry {
    Entry {
        key: format!("2019/2019-05/{name}"),
        content: ContentHash { blake3: Blake3([7; 32]), size: 42 },
        captured_at: Some(CapturedAt {
            wall_ms: UnixMillis(1_557_656_100_000),
            offset_minutes: Some(120),
            provenance: Provenance::Metadata,
        }),
        source: "Photos".to_owned(),
        path: name.as_bytes().to_vec(),
        mtime: UnixMillis(-5),
    }
}

/// A segment that holds these lines, with a summary that fits them.
fn sealed(lines: &str) -> Vec<u8> {
    let count = lines.lines().count();
    let digest = blake3::hash(lines.as_bytes()).to_hex();
    format!("{lines}{{\"count\":{count},\"blake3\":\"{digest}\",\"version\":1}}\n").into_bytes()
}

#[test]
fn a_person_can_read_a_segment() {
    let segment = encode(&[entry("IMG_1.JPG")]).expect("valid");
    insta::assert_snapshot!(String::from_utf8(segment).expect("UTF-8"));
}

#[test]
fn segments_have_limits() {
    let full: Vec<Entry> = (0..ENTRIES_MAX).map(|n| entry(&format!("{n}.jpg"))).collect();
    let segment = encode(&full).expect("a full segment");
    assert_eq!(decode(&segment), Ok(full.clone()));
    assert_eq!(encode(&[full, vec![entry("x")]].concat()), Err(EncodeError::TooMany));
    assert_eq!(decode(&vec![b'\n'; SEGMENT_BYTES_MAX + 1]), Err(Damage::TooLarge));
    let many = "{}\n".repeat(ENTRIES_MAX + 5);
    assert!(matches!(decode(&sealed(&many)), Err(Damage::Count { .. })));
    let mut long = entry("a");
    long.source = "é".repeat(SOURCE_BYTES_MAX);
    let read = decode(&encode(&[long]).expect("cut to fit")).expect("sound");
    assert_eq!(read[0].source.len(), SOURCE_BYTES_MAX);
}

#[test]
fn an_entry_that_would_not_be_believed_is_not_written() {
    for bad in [
        Entry { key: "../x".to_owned(), ..entry("a") },
        Entry { key: ".safelight/x".to_owned(), ..entry("a") },
        Entry { path: b"/etc/passwd".to_vec(), ..entry("a") },
        Entry { path: Vec::new(), ..entry("a") },
    ] {
        assert_eq!(encode(&[entry("a"), bad]), Err(EncodeError::Invalid(1)));
    }
}

#[test]
fn hostile_lines_are_refused_even_under_a_fitting_summary() {
    let good =
        String::from_utf8(serde_json::to_vec(&line_of(&entry("a.jpg")).expect("valid")).expect("JSON"))
            .expect("UTF-8")
            + "\n";
    assert_eq!(decode(&sealed(&good)), Ok(vec![entry("a.jpg")]));
    for (from, to) in [
        ("2019/2019-05/a.jpg", "../../etc/passwd"),
        ("2019/2019-05/a.jpg", "/abs"),
        ("2019/2019-05/a.jpg", ".safelight/destination.json"),
        ("\"path\":\"a.jpg\"", "\"path\":\"../a.jpg\""),
        ("\"path\":\"a.jpg\"", "\"path\":\"\""),
        ("\"path\":\"a.jpg\"", "\"path_b64\":\"!\""),
        ("\"path\":\"a.jpg\"", "\"path\":\"a\",\"path_b64\":\"YQ==\""),
        ("\"size\":42", "\"size\":-1"),
        ("\"size\":42", "\"size\":1e40"),
        ("0707", "zz07"),
        ("metadata", "guess"),
        ("120", "99999999"),
    ] {
        let bad = good.replace(from, to);
        assert_ne!(bad, good, "{from}");
        assert!(matches!(decode(&sealed(&bad)), Err(Damage::Line { line: 1, .. })), "{to}");
    }
    let nested = "[".repeat(50_000) + "\n";
    assert!(matches!(decode(&sealed(&nested)), Err(Damage::Line { .. })));
    let long = format!("{}{}\n", good.trim_end(), " ".repeat(LINE_BYTES_MAX));
    assert!(matches!(decode(&sealed(&long)), Err(Damage::Line { reason: "too long", .. })));
}

#[test]
fn a_later_version_is_named() {
    let later = String::from_utf8(sealed("")).expect("UTF-8").replace("\"version\":1", "\"version\":2");
    assert_eq!(decode(later.as_bytes()), Err(Damage::Version(2)));
    assert_eq!(decode(&sealed("")), Ok(Vec::new()));
    assert_eq!(decode(b""), Err(Damage::NoSummary));
}

fn any_entry() -> impl Strategy<Value = Entry> {
    let captured = (any::<i64>(), any::<Option<i16>>(), proptest::sample::select(&Provenance::ALL[..]))
        .prop_map(|(wall, offset_minutes, provenance)| CapturedAt {
            wall_ms: UnixMillis(wall),
            offset_minutes,
            provenance,
        });
    let path = proptest::collection::vec(any::<u8>(), 1..40)
        .prop_filter("a path", |path| RelPath::parse(path).is_some());
    (path, proptest::option::of(captured), "\\PC{0,20}", any::<(u64, i64, [u8; 32])>()).prop_map(
        |(path, captured_at, source, (size, mtime, digest))| Entry {
            key: format!("2019/{}", key::safe_name(&path)),
            content: ContentHash { blake3: Blake3(digest), size },
            captured_at,
            source,
            path,
            mtime: UnixMillis(mtime),
        },
    )
}

proptest! {
    #[test]
    fn segments_round_trip(entries in proptest::collection::vec(any_entry(), 0..12)) {
        prop_assert_eq!(decode(&encode(&entries).expect("valid")), Ok(entries));
    }

    #[test]
    fn changed_bytes_are_never_believed(
        entries in proptest::collection::vec(any_entry(), 1..4),
        at: proptest::sample::Index,
        change in 1_u8..=255,
    ) {
        let mut segment = encode(&entries).expect("valid");
        let at = at.index(segment.len());
        segment[at] ^= change;
        // The summary may be spelled otherwise and still say the same; nothing else may.
        if let Ok(read) = decode(&segment) {
            prop_assert_eq!(read, entries);
        }
    }

    #[test]
    fn any_bytes_are_survived(bytes in proptest::collection::vec(any::<u8>(), 0..300), lines in "[\\PC\n]{0,80}") {
        prop_assert!(decode(&bytes).is_err());
        // Whatever a fitting summary covers, only entries come out.
        let lines = if lines.is_empty() || lines.ends_with('\n') { lines } else { lines + "\n" };
        if let Ok(read) = decode(&sealed(&lines)) {
            prop_assert!(read.is_empty());
        }
    }

    #[test]
    fn a_cut_segment_is_never_believed(entries in proptest::collection::vec(any_entry(), 1..4), at: proptest::sample::Index) {
        let segment = encode(&entries).expect("valid");
        prop_assert!(decode(&segment[..at.index(segment.len())]).is_err());
    }
}
