//! Which files of one directory make one asset.
//!
//! Grouping looks at names, types and Apple's content identifiers only. It is deterministic, does
//! not depend on the order of its input, and puts every file in exactly one place.
//!
//! Only files with the same [`group_key`] can affect each other, so a directory of 100 000 files is
//! kept grouped by looking at one key at a time.

mod names;

use std::collections::BTreeMap;

use super::asset::ResourceKind;
use super::ids::FileId;
use super::media_type::{MediaClass, MediaType};
use super::path::split_extension;
use names::{Parsed, Target, as_json_has_it, fold_name, split_variant, strip_version};

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

/// A file in its group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Part {
    /// The file.
    pub file: FileId,
    /// The part it plays.
    pub kind: ResourceKind,
    /// The file it goes with: itself for the primary, the primary for most others, and for a sidecar the
    /// picture or clip that it is about (`a.cr2.xmp` is about `a.cr2`, whatever stands for the asset).
    pub of: FileId,
}

/// The files of one asset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Group {
    /// The file that stands for the asset.
    pub primary: FileId,
    /// All files of the asset, the primary first.
    pub parts: Vec<Part>,
}

impl Group {
    /// The asset of one file.
    pub fn of_one(file: FileId, kind: ResourceKind) -> Self {
        Self { primary: file, parts: vec![Part { file, kind, of: file }] }
    }
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
    let parsed = Parsed::of(name);
    let (plain, _end) = parsed.unversioned();
    match split_variant(plain) {
        Some((_letter, base)) => as_json_has_it(&base),
        None => as_json_has_it(plain),
    }
}

/// The position in a name at which a suffix keeps a file with its set: behind the stem, before any
/// version number and every extension.
///
/// All files of a set that get the same suffix there still share a [`group_key`], and each sidecar
/// still names its picture: `a_01.cr2.xmp` beside `a.cr2` becomes `a~h_01.cr2.xmp` beside `a~h.cr2`.
pub fn stem_end(name: &[u8]) -> usize {
    Parsed::of(name).unversioned().1
}

/// The folder below a source in which a file is grouped: its own, but for develop settings that a program
/// keeps in a folder below that of their pictures (`NKSC_PARAM`, `SILKYPIX_DS`, `CaptureOne/Settings`).
pub fn home_folder<'a>(dir: &'a [u8], name: &[u8]) -> &'a [u8] {
    names::home_folder(dir, name)
}

/// Whether what stands before `.json` in a name is the name of a picture or clip, whole or as Google
/// Takeout cuts it.
pub fn is_json_of_picture(stem: &[u8]) -> bool {
    names::names_picture(stem)
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

/// Whether a name is that of the small picture or clip which a camera writes beside each movie or RAW, to
/// show it by: Canon, Sony and GoPro (`THM`), GoPro and Insta360 (`LRV`), DJI (`LRF`).
fn is_preview(name: &[u8]) -> bool {
    let extension = split_extension(name).1;
    [b"thm", b"lrv", b"lrf"].iter().any(|known| extension.eq_ignore_ascii_case(*known))
}

/// All files of one exact stem, in the order of their names.
#[derive(Default)]
struct Stem<'a> {
    stills: Vec<Member<'a>>,
    raws: Vec<Member<'a>>,
    videos: Vec<Member<'a>>,
}

impl<'a> Stem<'a> {
    fn add(&mut self, member: &Member<'a>) {
        match member.media_type.class() {
            MediaClass::Photo | MediaClass::Sidecar => self.stills.push(*member),
            MediaClass::Raw => self.raws.push(*member),
            MediaClass::Video => self.videos.push(*member),
        }
    }
}

/// A file in a group that is being built.
struct DraftFile {
    id: FileId,
    name: Vec<u8>,
    stem: Vec<u8>,
    class: MediaClass,
}

/// A group being built, with what sidecars find their picture by.
struct Draft {
    group: Group,
    files: Vec<DraftFile>,
}

impl Draft {
    fn new(primary: &Member<'_>, kind: ResourceKind) -> Self {
        let mut draft = Self { group: Group::of_one(primary.id, kind), files: Vec::new() };
        draft.note(primary);
        draft
    }

    fn note(&mut self, member: &Member<'_>) {
        self.files.push(DraftFile {
            id: member.id,
            name: fold_name(member.name),
            stem: Parsed::of(member.name).stem,
            class: member.media_type.class(),
        });
    }

    fn add(&mut self, member: &Member<'_>, kind: ResourceKind) {
        self.group.parts.push(Part { file: member.id, kind, of: self.group.primary });
        self.note(member);
    }
}

/// A file in a draft: the draft's index and the file.
type Home = (usize, FileId);

/// Groups files of one key; `related` is sorted.
fn group_related(related: &[Member<'_>], result: &mut Grouping) {
    let mut stems: BTreeMap<Vec<u8>, Stem<'_>> = BTreeMap::new();
    let (mut sidecars, mut previews) = (Vec::new(), Vec::new());
    for member in related {
        let parsed = Parsed::of(member.name);
        if member.media_type.class() == MediaClass::Sidecar {
            sidecars.push((member, parsed));
        } else if is_preview(member.name) {
            previews.push((member, parsed));
        } else {
            stems.entry(parsed.stem).or_default().add(member);
        }
    }
    // A preview whose movie is not there stands for itself.
    let (previews, lone): (Vec<_>, Vec<_>) =
        previews.into_iter().partition(|(_, parsed)| stems.contains_key(&parsed.stem));
    for (member, parsed) in lone {
        stems.entry(parsed.stem).or_default().add(member);
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
    // Homes first, so that no sidecar becomes the home of another.
    let mut homes: Vec<(&Member<'_>, Option<Home>)> = Vec::new();
    homes.extend(previews.iter().map(|(member, parsed)| (*member, shown_by(parsed, &drafts))));
    homes.extend(sidecars.iter().map(|(member, parsed)| (*member, home_of(parsed, &drafts, &main_of))));
    for (member, home) in homes {
        match home.and_then(|(index, of)| Some((drafts.get_mut(index)?, of))) {
            Some((draft, of)) => {
                draft.group.parts.push(Part { file: member.id, kind: ResourceKind::Sidecar, of });
            }
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
        .find_map(|wanted| files.stills.iter().find(|still| still.media_type == wanted))
        .filter(|still| !is_preview(still.name));
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
    let is_clip = draft.group.parts.first().is_some_and(|part| part.kind == ResourceKind::Video);
    for video in &files.videos {
        draft.add(video, if is_clip { ResourceKind::AdjustedPhoto } else { ResourceKind::PairedVideo });
    }
}

/// What a preview shows: the movie of its stem, else the RAW, else what else there is.
fn shown_by(preview: &Parsed, drafts: &[Draft]) -> Option<Home> {
    let files =
        drafts.iter().enumerate().flat_map(|(index, draft)| draft.files.iter().map(move |f| (index, f)));
    let rank = |class: MediaClass| match class {
        MediaClass::Video => 0,
        MediaClass::Raw => 1,
        MediaClass::Photo | MediaClass::Sidecar => 2,
    };
    files
        .filter(|(_, file)| file.stem == preview.stem)
        .min_by_key(|(_, file)| rank(file.class))
        .map(|(index, file)| (index, file.id))
}

/// The file a sidecar is about: the one it names, else its stem's, else the picture of which its stem is a
/// variant or version.
fn home_of(sidecar: &Parsed, drafts: &[Draft], main_of: &BTreeMap<Vec<u8>, usize>) -> Option<Home> {
    let find = |is_it: &dyn Fn(&DraftFile) -> bool| {
        let file_of = |draft: &Draft| draft.files.iter().find(|file| is_it(file)).map(|file| file.id);
        drafts.iter().enumerate().find_map(|(index, draft)| Some((index, file_of(draft)?)))
    };
    let main = |stem: &[u8]| {
        let index = *main_of.get(stem)?;
        Some((index, drafts.get(index)?.group.primary))
    };
    let stem = &sidecar.stem;
    let named = match &sidecar.target {
        Some(Target::Whole(target)) => find(&|file| file.name == *target).or_else(|| {
            let extension = split_extension(target).1;
            let unversioned = [strip_version(stem)?, b".", extension].concat();
            find(&|file| file.name == unversioned)
        }),
        Some(Target::Start(start)) => find(&|file| file.name.starts_with(start) && file.stem == *stem),
        None => None,
    };
    let base = split_variant(stem).map_or_else(|| stem.clone(), |(_letter, base)| base);
    let edited = || base.strip_prefix(b"img_").map(|digits| [b"img_e", digits].concat());
    named
        .or_else(|| main(stem))
        .or_else(|| find(&|file| as_json_has_it(&file.stem) == *stem))
        .or_else(|| main(&base))
        .or_else(|| main(&edited()?))
}

#[cfg(test)]
mod tests;
