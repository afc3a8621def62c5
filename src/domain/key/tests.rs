//! Keys under every rule that a file system or another copy imposes.

use proptest::prelude::*;

use super::*;
use crate::domain::asset::Provenance;
use crate::domain::time::UnixMillis;

fn may_2019() -> CapturedAt {
    // 2019-05-12T10:15:00Z
    at(1_557_656_100_000)
}

fn at(millis: i64) -> CapturedAt {
    CapturedAt { wall_ms: UnixMillis(millis), offset_minutes: None, provenance: Provenance::Metadata }
}

fn hash(seed: u8) -> Blake3 {
    Blake3(*blake3::hash(&[seed]).as_bytes())
}

/// The keys of the first attempts, for a file whose set has this suffix.
fn keys(name: &[u8], suffix: &str, layout: Layout, attempts: u32) -> Vec<String> {
    let folder = folder(may_2019());
    let name = SetName { folder: &folder, suffix, original: name };
    (0..attempts).map_while(|attempt| name.key(hash(1), attempt, layout)).collect()
}

fn first(name: &[u8]) -> String {
    keys(name, "", Layout::default(), 1).remove(0)
}

/// The name that [`safe_name`] was given, up to composition.
fn unescape(name: &str) -> Vec<u8> {
    unescape_with(name, '%')
}

fn unescape_with(name: &str, mark: char) -> Vec<u8> {
    let bytes = name.as_bytes();
    let mut out = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let pair = bytes.get(at + 1..at + 3).and_then(|pair| std::str::from_utf8(pair).ok());
        let escaped = pair.filter(|p| p.bytes().all(|b| b.is_ascii_hexdigit()));
        match escaped.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) if char::from(bytes[at]) == mark => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(bytes[at]);
                at += 1;
            }
        }
    }
    out
}

#[test]
fn a_key_is_its_month_and_name_then_carries_more_and_more_of_the_hash() {
    let hex = hash(1).to_hex();
    assert_eq!(
        keys(b"IMG_1.HEIC", "", Layout::default(), 4),
        [
            "2019/2019-05/IMG_1.HEIC".to_owned(),
            format!("2019/2019-05/IMG_1~{}.HEIC", &hex[..8]),
            format!("2019/2019-05/IMG_1~{hex}.HEIC"),
            format!("2019/2019-05/IMG_1~{hex}-2.HEIC"),
        ]
    );
    let always = Layout { always_hash: true, ..Layout::default() };
    assert_eq!(
        keys(b"IMG_1.HEIC", "", always, 3),
        [
            format!("2019/2019-05/IMG_1~{}.HEIC", &hex[..16]),
            format!("2019/2019-05/IMG_1~{hex}.HEIC"),
            format!("2019/2019-05/IMG_1~{hex}-2.HEIC"),
        ]
    );
    for layout in [Layout::default(), always] {
        let all = keys(b"a.jpg", "", layout, u32::MAX);
        assert!(all.len() >= 1_000 && all.last().is_some_and(|key| key.ends_with("-999.jpg")));
    }
    assert_eq!(set_suffix(hash(1), 0).as_deref(), Some(""));
    assert_eq!(set_suffix(hash(1), 1), Some(format!("~{}", &hex[..8])));
    assert_eq!(set_suffix(hash(1), 5_000), None);
}

#[test]
fn the_day_is_as_written_and_odd_years_have_a_folder() {
    assert_eq!(folder(may_2019()), "2019/2019-05");
    assert_eq!(folder(at(0)), "1970/1970-01");
    assert_eq!(folder(at(-1)), "1969/1969-12");
    assert_eq!(folder(at(-70_000_000_000_000)), "0000/0000-00");
    assert_eq!(folder(at(i64::MAX)), "1970/1970-01");
}

#[test]
fn every_file_of_a_set_keeps_its_own_name_and_the_sets_suffix() {
    for (name, expected) in [
        ("IMG_1.MOV", "IMG_1~deadbeef.MOV"),
        ("IMG_1.heic.xmp", "IMG_1~deadbeef.heic.xmp"),
        ("IMG_E1234.JPG", "IMG_E1234~deadbeef.JPG"),
        ("IMG_O1234.AAE", "IMG_O1234~deadbeef.AAE"),
        ("a_01.cr2.xmp", "a~deadbeef_01.cr2.xmp"),
        ("IMG.1.AAE", "IMG.1~deadbeef.AAE"),
        ("noext", "noext~deadbeef"),
    ] {
        let set = keys(name.as_bytes(), "~deadbeef", Layout::default(), 2);
        assert_eq!(set[0], format!("2019/2019-05/{expected}"));
        assert_eq!(first(name.as_bytes()), format!("2019/2019-05/{name}"));
        // A member that cannot have its name there takes its own hash in the same position.
        assert_eq!(set[1], set[0].replace("deadbeef", &hash(1).to_hex()[..8]));
    }
    assert_eq!(group_stem("IMG_E1234~deadbeef.JPG"), group_stem("IMG_1234~deadbeef.MOV"));
    assert_ne!(group_stem("IMG_1234~deadbeef.JPG"), group_stem("IMG_1234.MOV"));
}

#[test]
fn long_names_of_one_set_are_cut_alike() {
    let stem = "é".repeat(120);
    for suffix in ["", "~deadbeef"] {
        let stems: std::collections::BTreeSet<String> = [".jpg", ".jpg.xmp", ".MOV", ".AAE"]
            .map(|tail| {
                let key = keys(format!("{stem}{tail}").as_bytes(), suffix, Layout::default(), 1).remove(0);
                key.strip_suffix(tail).expect("its own extension").to_owned()
            })
            .into();
        assert_eq!(stems.len(), 1, "{stems:?}");
    }
}

#[test]
fn names_that_some_system_reserves_are_escaped() {
    for (name, expected) in [
        (&b"IMG_1.JPG"[..], "IMG_1.JPG"),
        (b"12:30?.jpg", "12%3A30%3F.jpg"),
        (b"a\nb\x7f.jpg", "a%0Ab%7F.jpg"),
        (b"\xff\xfe.jpg", "%FF%FE.jpg"),
        (b"100%.jpg", "100%.jpg"),
        (b"a%41.jpg", "a%2541.jpg"),
        (b".hidden.jpg", "%2Ehidden.jpg"),
        (b".safelight", "%2Esafelight"),
        (b"..", "%2E%2E"),
        (b".", "%2E"),
        (b"/", "%2F"),
        (b"", "unnamed"),
        (b"dot.", "dot%2E"),
        (b"space ", "space%20"),
        (b"con", "%63on"),
        (b"NUL.jpg", "%4EUL.jpg"),
        (b"com1 .x.jpg", "%63om1 .x.jpg"),
        (b"COM10.jpg", "COM10.jpg"),
        (b"console.jpg", "console.jpg"),
        ("e\u{301}.jpg".as_bytes(), "\u{e9}.jpg"),
    ] {
        assert_eq!(first(name), format!("2019/2019-05/{expected}"), "{name:?}");
    }
}

#[test]
fn long_names_are_cut_between_characters_and_keep_their_extension() {
    let long = "é".repeat(300) + ".jpg";
    for key in keys(long.as_bytes(), "", Layout::default(), 5) {
        let name = key.rsplit('/').next().expect("a name");
        assert!(name.len() <= NAME_BYTES_MAX && name.ends_with(".jpg") && name.starts_with('é'), "{name}");
    }
    let whole = "x".repeat(NAME_BYTES_MAX - TAIL_BYTES_RESERVED) + ".jpg";
    assert_eq!(first(whole.as_bytes()), format!("2019/2019-05/{whole}"));
    let escaped = b"\xff".repeat(255);
    let cut = first(&escaped);
    assert!(cut.len() <= 13 + 152 && cut.ends_with("%FF"), "{cut}");
    let short = Layout { name_len_max: 143, ..Layout::default() };
    assert_eq!(keys(whole.as_bytes(), "", short, 1)[0].len(), 13 + 143 - 69 - 34 + 4);
}

#[test]
fn keys_from_outside_are_checked() {
    for good in ["a", "2019/2019-05/IMG_1.JPG", "a/%2E", "ü/b c.d"] {
        assert!(is_valid(good), "{good}");
    }
    let long = "x".repeat(256);
    let deep = "a/".repeat(8) + "a";
    for bad in [
        "",
        "/",
        "/a",
        "a/",
        "a//b",
        ".",
        "..",
        "../a",
        "a/../b",
        "a/.",
        ".safelight/destination.json",
        "a\\b",
        "a\0b",
        "a\nb",
        "C:",
        "nul",
        "a/NUL.jpg",
        "a ",
        "a.",
        "a./b",
        &long,
        &deep,
    ] {
        assert!(!is_valid(bad), "{bad:?}");
    }
}

#[test]
fn folding_joins_what_some_file_system_joins() {
    for (a, b) in [
        ("IMG_1.JPG", "img_1.jpg"),
        ("caf\u{e9}", "CAFE\u{301}"),
        ("stra\u{df}e", "STRASSE"),
        ("\u{1e9e}", "ss"),
        ("\u{3a3}\u{3c2}", "\u{3c3}\u{3c3}"),
        ("a./b ", "a/b"),
        ("\u{212a}.jpg", "k.jpg"),
        ("a\u{200d}b", "ab"),
    ] {
        assert_eq!(fold(a), fold(b), "{a} {b}");
    }
    assert_ne!(fold("a/b"), fold("ab"));
    assert_ne!(fold("IMG_1.JPG"), fold("IMG_2.JPG"));
}

#[test]
fn temp_names_round_trip_and_nothing_else_is_one() {
    assert_eq!(temp_name(0xab), ".safelight-00000000000000ab.tmp");
    for token in [0, 1, u64::MAX] {
        assert_eq!(parse_temp_name(temp_name(token).as_bytes()), Some(token));
    }
    for other in [
        ".safelight-00000000000000AB.tmp",
        ".safelight-00000000000000ab.tm",
        ".safelight-0000000000000ab.tmp",
        ".safelight-+0000000000000ab.tmp",
        "safelight-00000000000000ab.tmp",
        ".safelight",
    ] {
        assert_eq!(parse_temp_name(other.as_bytes()), None, "{other}");
    }
}

#[test]
fn a_token_names_its_installation() {
    let token = temp_token("here", u64::MAX);
    assert!(owns_token("here", token) && !owns_token("there", token));
    assert_ne!(temp_token("here", 1), temp_token("here", 2));
}

#[test]
fn a_record_has_other_temp_names_of_its_installation() {
    let own = temp_token("here", 7);
    let tokens: std::collections::BTreeSet<u64> =
        (0..TEMP_NAMES_MAX).map(|attempt| temp_token_at(own, attempt)).collect();
    assert_eq!(tokens.len(), usize::try_from(TEMP_NAMES_MAX).expect("few"));
    assert!(tokens.contains(&own) && tokens.iter().all(|token| owns_token("here", *token)));
    assert_eq!(temp_token_at(own, 1), temp_token_at(own, 1), "the same after a restart");
}

fn any_name() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..400),
        "\\PC{0,120}".prop_map(String::into_bytes),
        "[.%A-Fa-f0-9 ]{0,20}".prop_map(String::into_bytes),
        "(con|nul|com1|LPT9)[ .]{0,3}[a-z]{0,4}".prop_map(String::into_bytes),
    ]
}

fn any_refused() -> impl Strategy<Value = RefusedChars> {
    let last = prop::sample::select(vec!['\x7f', '\u{ff}', '\u{ffff}', char::MAX]);
    let some = proptest::sample::subsequence(ASCII_TRIED.chars().collect::<Vec<_>>(), 0..ASCII_TRIED.len());
    prop_oneof![
        Just(RefusedChars::NONE),
        Just(RefusedChars::all()),
        (some, last).prop_map(|(some, last)| {
            some.into_iter().fold(RefusedChars::NONE, RefusedChars::with).with_last_taken(last)
        }),
    ]
}

#[test]
fn what_a_destination_refuses_is_escaped() {
    let refused = |chars: &str, last| {
        let refused = chars.chars().fold(RefusedChars::NONE, RefusedChars::with).with_last_taken(last);
        Layout { refused, ..Layout::default() }
    };
    let latin = refused("", '\u{ff}');
    for (name, layout, expected) in [
        ("a;b 1.jpg", refused(";", char::MAX), "a%3Bb 1.jpg"),
        ("Z\u{fc}rich \u{65e5}.jpg", latin, "Z\u{fc}rich %E6%97%A5.jpg"),
        ("a%3Bb;.jpg", refused(";", char::MAX), "a%253Bb%3B.jpg"),
        ("100% a:=41.jpg", refused("%", char::MAX), "100=25 a=3A=3D41.jpg"),
        ("%a=_20_x.jpg", refused("%=", char::MAX), "_25a_3D_5F20_x.jpg"),
        ("IMG_1(2).jpg", refused("(", char::MAX), "IMG_1%282).jpg"),
    ] {
        assert_eq!(keys(name.as_bytes(), "", layout, 1), [format!("2019/2019-05/{expected}")], "{name}");
        assert!(layout.takes(expected) && !layout.takes(name));
    }
    // A set is parted where it would be without escapes, and its suffix does without `~`.
    let without = refused("~(", char::MAX);
    assert_eq!(keys(b"a(1).cr2.xmp", "~deadbeef", without, 1), ["2019/2019-05/a%281)-deadbeef.cr2.xmp"]);
}

proptest! {
    #[test]
    fn escapes_keep_names_apart_and_can_be_read_back(
        names in prop::collection::vec("[ -~\u{e9}\u{65e5}\u{1f600}]{1,12}", 2..40), refused in any_refused(),
    ) {
        let layout = Layout { refused, ..Layout::default() };
        let mut seen = std::collections::BTreeMap::new();
        for name in names {
            let set = SetName { folder: "", suffix: "", original: name.as_bytes() };
            let key = set.key(hash(1), 0, layout).expect("a name");
            prop_assert!(layout.takes(&key), "{key:?}");
            prop_assert_eq!(unescape_with(&key, refused.mark()), name.as_bytes());
            if let Some(other) = seen.insert(key, name.clone()) {
                prop_assert_eq!(other, name);
            }
        }
    }

    #[test]
    fn any_bytes_make_valid_keys(
        name in any_name(), millis in any::<i64>(), always: bool, max in 0_usize..400, refused in any_refused(),
    ) {
        let layout = Layout { always_hash: always, name_len_max: max, refused };
        let folder = folder(at(millis));
        for suffix in ["", "~0a1b2c3d"] {
            let set = SetName { folder: &folder, suffix, original: &name };
            for attempt in [0, 1, 2, 3, 998] {
                let key = set.key(hash(1), attempt, layout).expect("a name is left");
                prop_assert!(is_valid(&key), "{key:?}");
                prop_assert!(key.rsplit('/').next().is_some_and(|n| n.len() <= layout.limit()), "{key:?}");
                let is_whole = attempt >= if always { 1 } else { 2 };
                prop_assert_eq!(is_whole, key.contains(&hash(1).to_hex()), "{}", key);
                prop_assert!(layout.takes(&key), "{key:?} {refused:?}");
            }
        }
    }

    #[test]
    fn an_escaped_name_can_be_read_back(name in any_name()) {
        let safe = safe_name(&name);
        if let Ok(text) = std::str::from_utf8(&name) && !text.is_empty() {
            use unicode_normalization::UnicodeNormalization as _;
            let composed: String = text.nfc().collect();
            prop_assert_eq!(unescape(&safe), composed.into_bytes());
        } else if name.iter().all(|b| *b >= 0x80 || b.is_ascii_alphanumeric()) && !name.is_empty()
            && name.utf8_chunks().all(|chunk| chunk.valid().is_ascii()) {
            prop_assert_eq!(unescape(&safe), name);
        }
    }

    #[test]
    fn folding_settles_and_ignores_case(key in "\\PC{0,40}") {
        let folded = fold(&key);
        prop_assert_eq!(&fold(&folded), &folded);
        // The mappings that file systems use: one character to one.
        let simple = |c: char, mut to: Box<dyn Iterator<Item = char>>| match (to.next(), to.next()) {
            (Some(one), None) => one,
            _ => c,
        };
        let upper: String = key.chars().map(|c| simple(c, Box::new(c.to_uppercase()))).collect();
        let lower: String = key.chars().map(|c| simple(c, Box::new(c.to_lowercase()))).collect();
        prop_assert_eq!(&fold(&upper), &folded);
        prop_assert_eq!(&fold(&lower), &folded);
    }

    #[test]
    fn other_bytes_get_other_keys_in_the_end(name in any_name(), a: u8, b: u8) {
        prop_assume!(a != b);
        let set = SetName { folder: "f", suffix: "", original: &name };
        let whole = |seed| set.key(hash(seed), 2, Layout::default()).map(|key| fold(&key));
        prop_assert_ne!(whole(a), whole(b));
    }
}
