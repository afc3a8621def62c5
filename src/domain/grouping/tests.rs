//! The rules, one by one.

use proptest::prelude::*;

use super::*;
use crate::domain::asset::Provenance;

/// 2019-05-12T10:15:30 on the wall.
const T: UnixMillis = UnixMillis(1_557_656_130_000);

fn stated(wall_ms: i64, offset_minutes: Option<i16>) -> Option<CapturedAt> {
    Some(CapturedAt { wall_ms: UnixMillis(wall_ms), offset_minutes, provenance: Provenance::Metadata })
}

fn member(id: i64, name: &[u8], media_type: MediaType) -> Member<'_> {
    Member {
        id: FileId(id),
        name,
        media_type,
        content_identifier: None,
        stated: stated(T.0, None),
        changed_at: T,
        duration_ms: Some(3_000),
        asset: None,
        is_outdated: false,
    }
}

/// Files of one moment, clips of three seconds.
fn members<'a>(names: &[&'a str]) -> Vec<Member<'a>> {
    let with_id = |(index, name): (usize, &&'a str)| {
        let media_type = MediaType::from_extension(split_extension(name.as_bytes()).1).expect("a media name");
        member(i64::try_from(index).expect("small") + 1, name.as_bytes(), media_type)
    };
    names.iter().enumerate().map(with_id).collect()
}

/// One line per group, members by name in order, then lone sidecars.
fn told(members: &[Member<'_>]) -> Vec<String> {
    let name_of = |id: FileId| {
        let found = members.iter().find(|m| m.id == id).expect("known id");
        String::from_utf8_lossy(found.name).into_owned()
    };
    let grouping = group(members);
    let mut lines: Vec<String> = grouping
        .groups
        .iter()
        .map(|group| {
            assert_eq!(
                group.parts.first().map(|part| (part.file, part.of)),
                Some((group.primary, group.primary))
            );
            let one = |part: &Part| {
                let of = if part.of == group.primary {
                    String::new()
                } else {
                    format!(" of {}", name_of(part.of))
                };
                format!("{}={}{of}", name_of(part.file), part.kind.as_str())
            };
            let parts = group.parts.iter().map(one);
            parts.collect::<Vec<_>>().join(" ")
        })
        .collect();
    lines.extend(grouping.lone_sidecars.iter().map(|id| format!("lone {}", name_of(*id))));
    lines
}

fn check(names: &[&str], expected: &[&str]) {
    assert_eq!(told(&members(names)), expected, "{names:?}");
}

#[test]
fn raw_beside_a_jpeg_is_its_alternate() {
    check(&["IMG_1.CR2", "IMG_1.JPG"], &["IMG_1.JPG=photo IMG_1.CR2=alternate_photo"]);
    check(&["a.dng", "A.heic"], &["A.heic=photo a.dng=alternate_photo"]);
    check(&["IMG_1.CR2"], &["IMG_1.CR2=photo"]);
    check(&["IMG_1.CR2", "IMG_1.PNG"], &["IMG_1.PNG=photo", "IMG_1.CR2=photo"]);
    check(&["IMG_1.CR2", "IMG_2.JPG"], &["IMG_1.CR2=photo", "IMG_2.JPG=photo"]);
}

#[test]
fn a_live_photo_is_a_still_and_a_clip() {
    check(&["IMG_1.HEIC", "IMG_1.MOV"], &["IMG_1.HEIC=photo IMG_1.MOV=paired_video"]);
    check(&["IMG_1.JPG", "img_1.mp4"], &["IMG_1.JPG=photo img_1.mp4=paired_video"]);
    check(&["IMG_1.JPG", "IMG_1.AVI"], &["IMG_1.JPG=photo", "IMG_1.AVI=video"]);
    check(
        &["IMG_1.HEIC", "IMG_1.JPG", "IMG_1.MOV", "IMG_1.MP4"],
        &["IMG_1.HEIC=photo IMG_1.MOV=paired_video", "IMG_1.JPG=photo", "IMG_1.MP4=video"],
    );
}

#[test]
fn identifiers_overrule_names() {
    let mut files = members(&["IMG_1.HEIC", "IMG_1.MOV", "IMG_1.MP4"]);
    files[0].content_identifier = Some("A");
    files[1].content_identifier = Some("B");
    assert_eq!(told(&files), ["IMG_1.HEIC=photo IMG_1.MP4=paired_video", "IMG_1.MOV=video"]);
    files[2].content_identifier = Some("C");
    assert_eq!(told(&files), ["IMG_1.HEIC=photo", "IMG_1.MOV=video", "IMG_1.MP4=video"]);
    files[2].content_identifier = Some("A");
    files[1].content_identifier = None;
    assert_eq!(told(&files), ["IMG_1.HEIC=photo IMG_1.MP4=paired_video", "IMG_1.MOV=video"]);
}

const HOUR_MS: i64 = 3_600_000;
const YEAR_MS: i64 = 365 * 24 * HOUR_MS;

#[test]
fn a_clip_of_another_year_is_a_clip() {
    let mut files = members(&["IMG_9140.JPG", "IMG_9140.MOV"]);
    files[1].stated = stated(T.0 + 8 * YEAR_MS, Some(0));
    assert_eq!(told(&files), ["IMG_9140.JPG=photo", "IMG_9140.MOV=video"]);
    files[1].stated = stated(T.0 - 2 * HOUR_MS, Some(0));
    assert_eq!(told(&files), ["IMG_9140.JPG=photo IMG_9140.MOV=paired_video"]);
    files[1].duration_ms = Some(600_000);
    assert_eq!(told(&files), ["IMG_9140.JPG=photo", "IMG_9140.MOV=video"]);
    files[1].duration_ms = None;
    assert_eq!(told(&files), ["IMG_9140.JPG=photo", "IMG_9140.MOV=video"]);
    // Nothing is known of either but that they were copied together.
    files[1].duration_ms = Some(3_000);
    (files[0].stated, files[1].stated) = (None, None);
    assert_eq!(told(&files), ["IMG_9140.JPG=photo", "IMG_9140.MOV=video"]);
}

#[test]
fn a_raw_of_another_year_is_a_picture() {
    let mut files = members(&["DSC_1.JPG", "DSC_1.NEF", "DSC_1.xmp", "DSC_1.nef.xmp", "DSC_1.jpg.xmp"]);
    files[1].stated = stated(T.0 - 4 * YEAR_MS, None);
    assert_eq!(
        told(&files),
        ["DSC_1.JPG=photo DSC_1.jpg.xmp=sidecar DSC_1.xmp=sidecar", "DSC_1.NEF=photo DSC_1.nef.xmp=sidecar"]
    );
    // A RAW that says nothing is believed to be what its name says.
    (files[1].stated, files[1].changed_at) = (None, UnixMillis(T.0 + 5 * YEAR_MS));
    assert_eq!(told(&files).len(), 1);
}

#[test]
fn a_raw_goes_to_the_picture_of_its_time() {
    let mut files = members(&["a.HEIC", "a.JPG", "a.DNG", "a.MOV"]);
    files[0].stated = stated(T.0 + YEAR_MS, None);
    assert_eq!(told(&files), ["a.HEIC=photo", "a.JPG=photo a.DNG=alternate_photo a.MOV=paired_video"]);
}

#[test]
fn an_edit_of_another_year_is_none() {
    let mut files = members(&["IMG_1234.JPG", "IMG_E1234.JPG", "IMG_E1234.MOV"]);
    assert_eq!(told(&files).len(), 1);
    files[1].stated = stated(T.0 + YEAR_MS, None);
    assert_eq!(told(&files), ["IMG_1234.JPG=photo", "IMG_E1234.JPG=photo", "IMG_E1234.MOV=video"]);
    // An edited clip has the time of the edit.
    files[1].stated = files[0].stated;
    files[2].stated = stated(T.0 + YEAR_MS, Some(0));
    files[2].duration_ms = None;
    assert_eq!(told(&files), ["IMG_1234.JPG=photo IMG_E1234.JPG=adjusted_photo IMG_E1234.MOV=paired_video"]);
}

#[test]
fn what_is_together_stays_until_all_of_it_is_read_anew() {
    let mut files = members(&["IMG_1.JPG", "IMG_1.MOV", "IMG_1.CR2"]);
    for file in &mut files {
        (file.asset, file.is_outdated, file.duration_ms) = (Some(AssetId(3)), true, None);
    }
    files[1].stated = stated(T.0 + YEAR_MS, None);
    files[2].stated = stated(T.0 + 2 * YEAR_MS, None);
    let together = ["IMG_1.JPG=photo IMG_1.CR2=alternate_photo IMG_1.MOV=paired_video"];
    assert_eq!(told(&files), together);
    files[0].is_outdated = false;
    assert_eq!(told(&files), together);
    files[1].is_outdated = false;
    assert_eq!(told(&files), ["IMG_1.JPG=photo IMG_1.CR2=alternate_photo", "IMG_1.MOV=video"]);
    files[2].is_outdated = false;
    assert_eq!(told(&files), ["IMG_1.JPG=photo", "IMG_1.CR2=photo", "IMG_1.MOV=video"]);
}

#[test]
fn sidecars_follow_their_picture() {
    check(&["IMG_1.JPG", "IMG_1.xmp"], &["IMG_1.JPG=photo IMG_1.xmp=sidecar"]);
    check(&["IMG_1.jpg.xmp", "IMG_1.JPG"], &["IMG_1.JPG=photo IMG_1.jpg.xmp=sidecar"]);
    check(
        &["a.cr2", "a.cr2.xmp", "a.jpg", "a.jpg.xmp"],
        &["a.jpg=photo a.cr2=alternate_photo a.cr2.xmp=sidecar of a.cr2 a.jpg.xmp=sidecar"],
    );
    check(
        &["a.png", "a.cr2", "a.cr2.xmp", "a.xmp"],
        &["a.png=photo a.xmp=sidecar", "a.cr2=photo a.cr2.xmp=sidecar"],
    );
    check(&["a_01.cr2.xmp", "a.cr2"], &["a.cr2=photo a_01.cr2.xmp=sidecar"]);
    check(&["a_01.cr2.xmp", "a.cr2", "a_01.cr2"], &["a.cr2=photo", "a_01.cr2=photo a_01.cr2.xmp=sidecar"]);
    check(&["a.mov", "a.xmp"], &["a.mov=video a.xmp=sidecar"]);
    check(&["b.xmp", "a.jpg", "IMG_1.AAE"], &["a.jpg=photo", "lone b.xmp", "lone IMG_1.AAE"]);
    // Only a double extension can be a numbered version.
    check(&["a_01.xmp", "a.cr2"], &["a.cr2=photo", "lone a_01.xmp"]);
}

#[test]
fn edits_follow_their_original() {
    check(
        &["IMG_E1234.JPG", "IMG_1234.HEIC", "IMG_1234.MOV", "IMG_1234.AAE", "IMG_O1234.AAE", "IMG_E1234.MOV"],
        &["IMG_1234.HEIC=photo IMG_1234.MOV=paired_video IMG_E1234.JPG=adjusted_photo \
           IMG_E1234.MOV=paired_video IMG_1234.AAE=sidecar IMG_O1234.AAE=sidecar"],
    );
    check(&["IMG_E1234.MOV", "IMG_1234.MOV"], &["IMG_1234.MOV=video IMG_E1234.MOV=adjusted_photo"]);
    check(&["IMG_E1234.JPG", "IMG_1234.AAE"], &["IMG_E1234.JPG=photo IMG_1234.AAE=sidecar"]);
    check(&["IMG_E1234.JPG", "IMG_1235.JPG"], &["IMG_E1234.JPG=photo", "IMG_1235.JPG=photo"]);
    check(&["IMG_EVE.JPG", "IMG_VE.JPG"], &["IMG_EVE.JPG=photo", "IMG_VE.JPG=photo"]);
}

#[test]
fn a_preview_goes_with_what_it_shows() {
    check(&["GOPR0001.THM", "GOPR0001.MP4"], &["GOPR0001.MP4=video GOPR0001.THM=sidecar"]);
    check(
        &["GOPR1.LRV", "GOPR1.JPG", "GOPR1.THM", "GOPR1.AVI"],
        &["GOPR1.JPG=photo", "GOPR1.AVI=video GOPR1.LRV=sidecar GOPR1.THM=sidecar"],
    );
    check(&["A.thm", "a.CRW", "A.JPG"], &["A.JPG=photo a.CRW=alternate_photo A.thm=sidecar of a.CRW"]);
    check(&["a.JPG", "a.THM"], &["a.JPG=photo a.THM=sidecar"]);
    check(&["a.THM"], &["a.THM=photo"]);
    check(&["a.THM", "a.LRV"], &["a.THM=photo", "a.LRV=video"]);
    check(&["a.THM", "b.MP4"], &["a.THM=photo", "b.MP4=video"]);
    check(&["a.THM", "a.xmp"], &["a.THM=photo a.xmp=sidecar"]);
}

#[test]
fn develop_settings_go_with_their_picture() {
    check(
        &["d.jpg", "d.jpg.pp3", "d.jpg.dop", "d.dr4", "d.RW2.9.spd", "d.on1"],
        &["d.jpg=photo d.RW2.9.spd=sidecar d.dr4=sidecar d.jpg.dop=sidecar d.jpg.pp3=sidecar d.on1=sidecar"],
    );
    check(
        &["c.jpg", "c.arw", "c.arw.pp3", "c.jpg.pp3", "c.pp3"],
        &["c.jpg=photo c.arw=alternate_photo c.arw.pp3=sidecar of c.arw c.jpg.pp3=sidecar c.pp3=sidecar"],
    );
    check(&["e.pp3", "d.jpg"], &["d.jpg=photo", "lone e.pp3"]);
}

#[test]
fn settings_folders_belong_to_the_folder_above() {
    let check = |dir: &str, name: &str, home: &str| {
        assert_eq!(home_folder(dir.as_bytes(), name.as_bytes()), home.as_bytes(), "{dir} {name}");
    };
    check("2020/NKSC_PARAM", "DSC_1.NEF.nksc", "2020");
    check("NKSC_PARAM", "DSC_1.NEF.nksc", "");
    check("a/SILKYPIX_DS", "P1.RW2.9.spd", "a");
    check("a/b/CaptureOne/Settings131", "IMG_1.CR2.cos", "a/b");
    check("CaptureOne/Settings", "IMG_1.CR2.cos", "");
    check("a/Settings131", "IMG_1.CR2.cos", "a/Settings131");
    check("CaptureOne/Cache", "IMG_1.CR2.cos", "CaptureOne/Cache");
    check("a/NKSC_PARAM", "IMG_1.JPG", "a/NKSC_PARAM");
    check("", "IMG_1.pp3", "");
}

#[test]
fn takeouts_json_goes_with_its_picture() {
    for json in ["a.jpg.json", "a.JPG.supplemental-metadata.json", "a.jpg.s.json", "a.jpg..json", "A.json"] {
        check(&["a.jpg", json, "b.jpg"], &[&format!("a.jpg=photo {json}=sidecar"), "b.jpg=photo"]);
    }
    check(
        &["a.jpg", "a(1).jpg", "a.jpg.json", "a.jpg(1).json", "a.jpg.supplemental-metadata(1).json"],
        &[
            "a.jpg=photo a.jpg.json=sidecar",
            "a(1).jpg=photo a.jpg(1).json=sidecar a.jpg.supplemental-metadata(1).json=sidecar",
        ],
    );
    check(&["a.HEIC", "a.png", "a.png.json"], &["a.HEIC=photo", "a.png=photo a.png.json=sidecar"]);
    check(&["a.jpg(2).json", "a.jpg"], &["a.jpg=photo", "lone a.jpg(2).json"]);
    check(&["a.jpg", "ab.jpg.json"], &["a.jpg=photo", "lone ab.jpg.json"]);
}

#[test]
fn takeout_cuts_long_names_and_they_still_meet() {
    let word = ".supplemental-metadata";
    for len in [20, 30, 41, 42, 43, 44, 45, 46, 47] {
        for extension in ["jpg", "HEIC"] {
            for number in ["", "(1)"] {
                let stem = "Holiday in Zürich 2019.07 with all the children and dogs"
                    .chars()
                    .take(len)
                    .collect::<String>();
                let picture = format!("{stem}{number}.{extension}");
                let title = format!("{stem}.{extension}{word}");
                let json = title.chars().take(46).collect::<String>() + number + ".json";
                check(&[&picture, &json], &[&format!("{picture}=photo {json}=sidecar")]);
            }
        }
    }
    let test = "123456789123456789123456789123456789_DSCN0091";
    check(
        &[&format!("{test}.JPG"), &format!("{test}.JP.supplemental-meta.json")],
        &[&format!("{test}.JPG=photo {test}.JP.supplemental-meta.json=sidecar")],
    );
}

#[test]
fn names_are_compared_as_people_see_them() {
    check(&["Z\u{fc}rich.jpg", "Zu\u{308}rich.xmp"], &["Z\u{fc}rich.jpg=photo Zu\u{308}rich.xmp=sidecar"]);
    check(
        &["\u{c9}T\u{c9}.JPG", "e\u{301}t\u{e9}.jpg.xmp"],
        &["\u{c9}T\u{c9}.JPG=photo e\u{301}t\u{e9}.jpg.xmp=sidecar"],
    );
    check(&["\u{c9}t\u{e9}.jpg", "Ete.xmp"], &["\u{c9}t\u{e9}.jpg=photo", "lone Ete.xmp"]);
    assert_eq!(
        group_key(b"\xffZu\xcc\x88.JPG"),
        group_key("\u{0}Z\u{fc}.jpg".as_bytes())
            .iter()
            .map(|b| if *b == 0 { 0xff } else { *b })
            .collect::<Vec<_>>()
    );
    assert_ne!(group_key(b"\xff.jpg"), group_key(b"\xfe.jpg"));
}

#[test]
fn names_need_not_be_text() {
    let files = [member(1, b"\xff\xfe.jpg", MediaType::Jpeg), member(2, b"\xff\xfe.CR2", MediaType::Raw)];
    assert_eq!(group(&files).groups.len(), 1);
}

fn any_name() -> impl Strategy<Value = String> {
    let stem = prop::sample::select(vec![
        "IMG_1234",
        "img_1234",
        "IMG_E1234",
        "IMG_O1234",
        "IMG_1234_01",
        "b",
        "B(1)",
    ]);
    let extension = prop::sample::select(vec![
        "jpg",
        "JPG",
        "heic",
        "png",
        "cr2",
        "dng",
        "mov",
        "MP4",
        "avi",
        "xmp",
        "AAE",
        "jpg.xmp",
        "cr2.xmp",
        "THM",
        "jpg.pp3",
        "jpg.json",
        "jpg(1).json",
    ]);
    (stem, extension).prop_map(|(stem, extension)| format!("{stem}.{extension}"))
}

fn normal(mut grouping: Grouping) -> Grouping {
    grouping.groups.sort_by_key(|group| group.primary);
    grouping.lone_sidecars.sort();
    grouping
}

/// Names whose stems are cut, numbered, versioned and composed in every way.
fn suffixable() -> impl Strategy<Value = String> {
    let stem = "(IMG_E?[0-9]{4}|[a-z]{1,3}|[a-z]{40,49}|Zu\u{308}r|\u{c9}t\u{e9})(_0[1-9])?(\\([0-9]\\))?";
    let tail = "(\\.(jpg|CR2|mov|jp|j|RW2\\.9)?)?(\\.(supplemental-metadata|suppl|s))?(\\([1-9]\\))?(\\.(xmp|aae|jpg|json|pp3|spd|thm))?";
    (stem, tail).prop_map(|(stem, tail)| stem + &tail)
}

proptest! {
    #[test]
    fn a_suffix_behind_the_stem_keeps_sets_together(name in suffixable()) {
        let end = stem_end(name.as_bytes());
        let suffixed = [&name.as_bytes()[..end], b"~0a1b2c3d", &name.as_bytes()[end..]].concat();
        prop_assert_eq!(group_key(&suffixed), [&group_key(name.as_bytes())[..], b"~0a1b2c3d"].concat());
        prop_assert_eq!(stem_end(&suffixed), end + 9);
    }

    #[test]
    fn a_suffix_keeps_sets_together_whatever_the_name(
        name in prop_oneof![
            ".{1,60}".prop_map(String::into_bytes),
            prop::collection::vec(1_u8..=255, 1..60),
        ],
        ending in prop::sample::select(vec!["", ".jpg", ".json", ".jpg.json", ".cr2.xmp", ".jpg(2).json"]),
    ) {
        let name = [&name[..], ending.as_bytes()].concat();
        // A tilde of the name's own may begin what looks like a suffix.
        prop_assume!(!name.contains(&b'/') && !name.contains(&b'~') && !name.ends_with(b"."));
        let end = stem_end(&name);
        let suffixed = [&name[..end], b"~0a1b2c3d", &name[end..]].concat();
        prop_assert_eq!(group_key(&suffixed), [&group_key(&name)[..], b"~0a1b2c3d"].concat());
    }

    #[test]
    fn every_file_is_in_one_place_in_any_order_and_key_by_key(
        names in prop::collection::vec(
            (any_name(), prop::option::of(0_u8..2), prop::option::of(0_i64..3), any::<bool>()), 0..14),
        turn in 0_usize..14,
    ) {
        let ids = ["A", "B"];
        let texts: Vec<&str> = names.iter().map(|(name, ..)| name.as_str()).collect();
        let mut files = members(&texts);
        for (file, (_, identifier, year, is_short)) in files.iter_mut().zip(&names) {
            file.content_identifier = identifier.map(|i| ids[usize::from(i)]);
            file.stated = year.and_then(|year| stated(T.0 + year * YEAR_MS, None));
            file.duration_ms = is_short.then_some(2_000);
        }
        let whole = group(&files);
        let mut placed: Vec<FileId> = whole.groups.iter().flat_map(|g| g.parts.iter().map(|part| part.file)).collect();
        placed.extend(&whole.lone_sidecars);
        placed.sort();
        let mut all: Vec<FileId> = files.iter().map(|f| f.id).collect();
        all.sort();
        prop_assert_eq!(placed, all);

        let mut turned = files.clone();
        let by = turn.min(turned.len());
        turned.rotate_left(by);
        prop_assert_eq!(&group(&turned), &whole);
        turned.reverse();
        prop_assert_eq!(&group(&turned), &whole);

        let mut keys: Vec<Vec<u8>> = files.iter().map(|f| group_key(f.name)).collect();
        keys.sort();
        keys.dedup();
        let mut joined = Grouping::default();
        for key in keys {
            let some: Vec<_> = files.iter().filter(|f| group_key(f.name) == key).copied().collect();
            let part = group(&some);
            joined.groups.extend(part.groups);
            joined.lone_sidecars.extend(part.lone_sidecars);
        }
        prop_assert_eq!(normal(joined), normal(whole));
    }
}
