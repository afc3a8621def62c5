//! Which files of one directory make one asset.
//!
//! Grouping looks at names, types and Apple's content identifiers only. It is deterministic, does
//! not depend on the order of its input, and puts every file in exactly one place.
//!
//! Only files with the same [`group_key`] can affect each other, so a directory of 100 000 files is
//! kept grouped by looking at one key at a time.

use std::collections::BTreeMap;

use super::asset::ResourceKind;
use super::ids::FileId;
use super::media_type::{MediaClass, MediaType};
use super::path::split_extension;

/// A file to be grouped.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Member<'a> {
    /// The file.
    pub id: FileId,
    /// Its name without its folder.
    pub name: &'a [u8],
    /// What it is.
    pub media_type: MediaType,
    /// Apple's content identifier, where the file carries one.
    pub content_identifier: Option<&'a str>,
}

/// The files of one asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The file that stands for the asset.
    pub primary: FileId,
    /// All files of the asset, the primary first, each with the part it plays.
    pub members: Vec<(FileId, ResourceKind)>,
}

/// What a set of files amounts to.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Grouping {
    /// The assets.
    pub groups: Vec<Group>,
    /// Sidecars whose picture is not among the files.
    pub lone_sidecars: Vec<FileId>,
}

/// The key under which files must be regrouped together: a folded stem.
///
/// Files with different keys never share an asset. Files with the same key may still belong to
/// several assets.
pub fn group_key(name: &[u8]) -> Vec<u8> {
    let stem = Parsed::of(name).stem;
    let plain = strip_version(&stem).unwrap_or(&stem);
    let (_letter, base) = split_variant(plain).unwrap_or((0, plain.to_vec()));
    base
}

/// Groups the files of one directory, or of one [`group_key`] in it.
pub fn group(members: &[Member<'_>]) -> Grouping {
    let mut by_key: BTreeMap<Vec<u8>, Vec<Member<'_>>> = BTreeMap::new();
    for member in members {
        by_key.entry(group_key(member.name)).or_default().push(*member);
    }
    let mut result = Grouping::default();
    for (_key, mut related) in by_key {
        related.sort_by_key(|member| (member.name, member.id));
        group_related(&related, &mut result);
    }
    result
}

/// A name taken apart, in lower case.
struct Parsed {
    /// The name up to its extension, and for `a.jpg.xmp` up to both.
    stem: Vec<u8>,
    /// For `a.jpg.xmp`: `a.jpg`.
    target: Option<Vec<u8>>,
}

impl Parsed {
    fn of(name: &[u8]) -> Self {
        let lower = name.to_ascii_lowercase();
        let (stem, extension) = split_extension(&lower);
        if class_of(extension) == Some(MediaClass::Sidecar) {
            let (inner, inner_extension) = split_extension(stem);
            if class_of(inner_extension).is_some_and(|class| class != MediaClass::Sidecar) {
                return Self { stem: inner.to_vec(), target: Some(stem.to_vec()) };
            }
        }
        Self { stem: stem.to_vec(), target: None }
    }
}

fn class_of(extension: &[u8]) -> Option<MediaClass> {
    MediaType::from_extension(extension).map(MediaType::class)
}

/// `img_1234` for `img_1234_01`: darktable numbers the sidecars of further versions of one picture.
fn strip_version(stem: &[u8]) -> Option<&[u8]> {
    match stem {
        [base @ .., b'_', a, b] if !base.is_empty() && a.is_ascii_digit() && b.is_ascii_digit() => Some(base),
        _ => None,
    }
}

/// `(b'e', img_1234)` for `img_e1234`: Apple marks edited variants with E and original adjustments
/// with O.
fn split_variant(stem: &[u8]) -> Option<(u8, Vec<u8>)> {
    let rest = stem.strip_prefix(b"img_")?;
    let (letter, digits) = rest.split_first()?;
    let is_number = digits.len() >= 4 && digits[..4].iter().all(u8::is_ascii_digit);
    (matches!(letter, b'e' | b'o') && is_number).then(|| (*letter, [b"img_", digits].concat()))
}

/// All files of one exact stem, in the order of their names.
#[derive(Default)]
struct Stem<'a> {
    stills: Vec<Member<'a>>,
    raws: Vec<Member<'a>>,
    videos: Vec<Member<'a>>,
}

/// A group being built, with the folded names of its members for sidecars that name one.
struct Draft {
    group: Group,
    names: Vec<Vec<u8>>,
}

impl Draft {
    fn new(primary: &Member<'_>, kind: ResourceKind) -> Self {
        Self {
            group: Group { primary: primary.id, members: vec![(primary.id, kind)] },
            names: vec![primary.name.to_ascii_lowercase()],
        }
    }

    fn add(&mut self, member: &Member<'_>, kind: ResourceKind) {
        self.group.members.push((member.id, kind));
        self.names.push(member.name.to_ascii_lowercase());
    }
}

/// Groups files of one key; `related` is sorted.
fn group_related(related: &[Member<'_>], result: &mut Grouping) {
    let mut stems: BTreeMap<Vec<u8>, Stem<'_>> = BTreeMap::new();
    let mut sidecars = Vec::new();
    for member in related {
        let parsed = Parsed::of(member.name);
        match member.media_type.class() {
            MediaClass::Sidecar => sidecars.push((member, parsed)),
            MediaClass::Photo => stems.entry(parsed.stem).or_default().stills.push(*member),
            MediaClass::Raw => stems.entry(parsed.stem).or_default().raws.push(*member),
            MediaClass::Video => stems.entry(parsed.stem).or_default().videos.push(*member),
        }
    }

    let edited: Vec<Vec<u8>> = stems
        .keys()
        .filter(|stem| matches!(split_variant(stem), Some((b'e', base)) if stems.contains_key(&base)))
        .cloned()
        .collect();
    let edits: Vec<Stem<'_>> = edited.iter().filter_map(|stem| stems.remove(stem)).collect();

    // The first draft of a stem is the one its loose companions belong to.
    let mut drafts: Vec<Draft> = Vec::new();
    let mut main_of: BTreeMap<Vec<u8>, usize> = BTreeMap::new();
    for (stem, files) in &stems {
        main_of.insert(stem.clone(), drafts.len());
        drafts.extend(group_stem(files));
    }
    for (stem, files) in edited.iter().zip(&edits) {
        let base = split_variant(stem).and_then(|(_letter, base)| main_of.get(&base).copied());
        if let Some(draft) = base.and_then(|index| drafts.get_mut(index)) {
            add_edits(draft, files);
        }
    }
    for (member, parsed) in &sidecars {
        match home_of(parsed, &drafts, &main_of).and_then(|index| drafts.get_mut(index)) {
            Some(draft) => draft.add(member, ResourceKind::Sidecar),
            None => result.lone_sidecars.push(member.id),
        }
    }
    result.groups.extend(drafts.into_iter().map(|draft| draft.group));
}

/// The groups of one exact stem. Never empty, as a stem has at least one file; the first is the one
/// that sidecars of this stem belong to.
fn group_stem(files: &Stem<'_>) -> Vec<Draft> {
    let mut drafts = Vec::new();
    // A camera writes a RAW beside a JPEG or HEIC, and a phone a clip beside one; a PNG of the same
    // name is a coincidence.
    let anchor = [MediaType::Heic, MediaType::Jpeg]
        .into_iter()
        .find_map(|wanted| files.stills.iter().find(|still| still.media_type == wanted));
    let mut paired = None;
    if let Some(anchor) = anchor {
        let mut draft = Draft::new(anchor, ResourceKind::Photo);
        for raw in &files.raws {
            draft.add(raw, ResourceKind::AlternatePhoto);
        }
        paired = live_half(anchor, &files.videos);
        if let Some(video) = paired {
            draft.add(video, ResourceKind::PairedVideo);
        }
        drafts.push(draft);
    }
    let others = files.stills.iter().filter(|still| Some(still.id) != anchor.map(|a| a.id));
    drafts.extend(others.map(|still| Draft::new(still, ResourceKind::Photo)));
    if anchor.is_none() {
        drafts.extend(files.raws.iter().map(|raw| Draft::new(raw, ResourceKind::Photo)));
    }
    let clips = files.videos.iter().filter(|video| Some(video.id) != paired.map(|p| p.id));
    drafts.extend(clips.map(|video| Draft::new(video, ResourceKind::Video)));
    drafts
}

/// The moving half of a Live Photo: at most one, and none whose identifier says otherwise.
fn live_half<'v, 'a>(still: &Member<'_>, videos: &'v [Member<'a>]) -> Option<&'v Member<'a>> {
    let rank = |video: &Member<'_>| {
        let container = match video.media_type {
            MediaType::Mov => 0,
            MediaType::Mp4 => 1,
            _ => return None,
        };
        match (still.content_identifier, video.content_identifier) {
            (Some(a), Some(b)) if a == b => Some((0, container)),
            (Some(_), Some(_)) => None,
            _ => Some((1, container)),
        }
    };
    // min_by_key keeps the first of equals, and the files are in the order of their names.
    videos
        .iter()
        .filter_map(|video| Some((rank(video)?, video)))
        .min_by_key(|(rank, _)| *rank)
        .map(|(_, v)| v)
}

/// Adds the edited variants of a group's primary.
fn add_edits(draft: &mut Draft, files: &Stem<'_>) {
    for still in files.stills.iter().chain(&files.raws) {
        draft.add(still, ResourceKind::AdjustedPhoto);
    }
    let is_clip = draft.group.members.first().is_some_and(|(_, kind)| *kind == ResourceKind::Video);
    for video in &files.videos {
        draft.add(video, if is_clip { ResourceKind::AdjustedPhoto } else { ResourceKind::PairedVideo });
    }
}

/// The draft a sidecar belongs to: the file it names, else its stem's, else the picture of which its
/// stem is a variant or version.
fn home_of(sidecar: &Parsed, drafts: &[Draft], main_of: &BTreeMap<Vec<u8>, usize>) -> Option<usize> {
    let named = |name: &[u8]| drafts.iter().position(|draft| draft.names.iter().any(|n| n == name));
    if let Some(target) = &sidecar.target {
        if let Some(index) = named(target) {
            return Some(index);
        }
        if let Some(base) = strip_version(&sidecar.stem) {
            let extension = split_extension(target).1;
            let unversioned = [base, b".", extension].concat();
            if let Some(index) = named(&unversioned) {
                return Some(index);
            }
        }
    }
    let stem = &sidecar.stem;
    if let Some(index) = main_of.get(stem) {
        return Some(*index);
    }
    let base = split_variant(stem).map_or_else(|| stem.clone(), |(_letter, base)| base);
    let edited = base.strip_prefix(b"img_").map(|digits| [b"img_e", digits].concat());
    main_of.get(&base).or_else(|| edited.and_then(|stem| main_of.get(&stem))).copied()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn members<'a>(names: &[&'a str]) -> Vec<Member<'a>> {
        let with_id = |(index, name): (usize, &&'a str)| {
            let extension = split_extension(name.as_bytes()).1;
            Member {
                id: FileId(i64::try_from(index).expect("small") + 1),
                name: name.as_bytes(),
                media_type: MediaType::from_extension(extension).expect("a media name"),
                content_identifier: None,
            }
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
                assert_eq!(group.members.first().map(|m| m.0), Some(group.primary));
                let parts = group.members.iter();
                let parts = parts.map(|(id, kind)| format!("{}={}", name_of(*id), kind.as_str()));
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

    #[test]
    fn sidecars_follow_their_picture() {
        check(&["IMG_1.JPG", "IMG_1.xmp"], &["IMG_1.JPG=photo IMG_1.xmp=sidecar"]);
        check(&["IMG_1.jpg.xmp", "IMG_1.JPG"], &["IMG_1.JPG=photo IMG_1.jpg.xmp=sidecar"]);
        check(
            &["a.cr2", "a.cr2.xmp", "a.jpg", "a.jpg.xmp"],
            &["a.jpg=photo a.cr2=alternate_photo a.cr2.xmp=sidecar a.jpg.xmp=sidecar"],
        );
        check(
            &["a.png", "a.cr2", "a.cr2.xmp", "a.xmp"],
            &["a.png=photo a.xmp=sidecar", "a.cr2=photo a.cr2.xmp=sidecar"],
        );
        check(&["a_01.cr2.xmp", "a.cr2"], &["a.cr2=photo a_01.cr2.xmp=sidecar"]);
        check(
            &["a_01.cr2.xmp", "a.cr2", "a_01.cr2"],
            &["a.cr2=photo", "a_01.cr2=photo a_01.cr2.xmp=sidecar"],
        );
        check(&["a.mov", "a.xmp"], &["a.mov=video a.xmp=sidecar"]);
        check(&["b.xmp", "a.jpg", "IMG_1.AAE"], &["a.jpg=photo", "lone b.xmp", "lone IMG_1.AAE"]);
        // Only a double extension can be a numbered version.
        check(&["a_01.xmp", "a.cr2"], &["a.cr2=photo", "lone a_01.xmp"]);
    }

    #[test]
    fn edits_follow_their_original() {
        check(
            &[
                "IMG_E1234.JPG",
                "IMG_1234.HEIC",
                "IMG_1234.MOV",
                "IMG_1234.AAE",
                "IMG_O1234.AAE",
                "IMG_E1234.MOV",
            ],
            &["IMG_1234.HEIC=photo IMG_1234.MOV=paired_video IMG_E1234.JPG=adjusted_photo \
               IMG_E1234.MOV=paired_video IMG_1234.AAE=sidecar IMG_O1234.AAE=sidecar"],
        );
        check(&["IMG_E1234.MOV", "IMG_1234.MOV"], &["IMG_1234.MOV=video IMG_E1234.MOV=adjusted_photo"]);
        check(&["IMG_E1234.JPG", "IMG_1234.AAE"], &["IMG_E1234.JPG=photo IMG_1234.AAE=sidecar"]);
        check(&["IMG_E1234.JPG", "IMG_1235.JPG"], &["IMG_E1234.JPG=photo", "IMG_1235.JPG=photo"]);
        check(&["IMG_EVE.JPG", "IMG_VE.JPG"], &["IMG_EVE.JPG=photo", "IMG_VE.JPG=photo"]);
    }

    #[test]
    fn names_need_not_be_text() {
        let name = |bytes: &'static [u8]| bytes;
        let files = [
            Member {
                id: FileId(1),
                name: name(b"\xff\xfe.jpg"),
                media_type: MediaType::Jpeg,
                content_identifier: None,
            },
            Member {
                id: FileId(2),
                name: name(b"\xff\xfe.CR2"),
                media_type: MediaType::Raw,
                content_identifier: None,
            },
        ];
        assert_eq!(group(&files).groups.len(), 1);
    }

    fn any_name() -> impl Strategy<Value = String> {
        let stem =
            prop::sample::select(vec!["IMG_1234", "img_1234", "IMG_E1234", "IMG_O1234", "IMG_1234_01", "b"]);
        let extension = prop::sample::select(vec![
            "jpg", "JPG", "heic", "png", "cr2", "dng", "mov", "MP4", "avi", "xmp", "AAE", "jpg.xmp",
            "cr2.xmp",
        ]);
        (stem, extension).prop_map(|(stem, extension)| format!("{stem}.{extension}"))
    }

    fn normal(mut grouping: Grouping) -> Grouping {
        grouping.groups.sort_by_key(|group| group.primary);
        grouping.lone_sidecars.sort();
        grouping
    }

    proptest! {
        #[test]
        fn every_file_is_in_one_place_in_any_order_and_key_by_key(
            names in prop::collection::vec((any_name(), prop::option::of(0_u8..2)), 0..14),
            turn in 0_usize..14,
        ) {
            let ids = ["A", "B"];
            let texts: Vec<&str> = names.iter().map(|(name, _)| name.as_str()).collect();
            let mut files = members(&texts);
            for (file, (_, identifier)) in files.iter_mut().zip(&names) {
                file.content_identifier = identifier.map(|i| ids[usize::from(i)]);
            }
            let whole = group(&files);
            let mut placed: Vec<FileId> = whole.groups.iter().flat_map(|g| g.members.iter().map(|m| m.0)).collect();
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
}
