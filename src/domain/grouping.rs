//! Which files of one directory make one asset.
//!
//! Names propose, and what is known of the files decides: types, Apple's content identifiers, times and
//! the length of clips (`evidence`). Grouping is deterministic, does not depend on the order of its input,
//! and puts every file in exactly one place. A wrong pair is worse than none, as one of the two is hidden
//! behind the other.
//!
//! Only files with the same [`group_key`] can affect each other, so a directory of 100 000 files is
//! kept grouped by looking at one key at a time.

mod evidence;
mod names;

use std::collections::BTreeMap;

use super::asset::{CapturedAt, ResourceKind};
use super::ids::{AssetId, FileId};
use super::media_type::{MediaClass, MediaType};
use super::path::split_extension;
use super::time::UnixMillis;
use evidence::{fit_of_clip, fit_of_shot};
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
    /// When it was captured, where its camera or its name states it.
    pub stated: Option<CapturedAt>,
    /// When the file was last changed.
    pub changed_at: UnixMillis,
    /// How long a clip runs, in milliseconds, where that is known.
    pub duration_ms: Option<u64>,
    /// The asset it belongs to until now.
    pub asset: Option<AssetId>,
    /// An earlier release read it, which knew less of dates and nothing of durations.
    pub is_outdated: bool,
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

/// The type a file's name promises: that of its extension. JSON is everywhere, so a name promises it only
/// where the rest of it is the name of a picture (`a.jpg.json`, `a.jpg.supplemental-meta.json`).
pub fn type_of_name(name: &[u8]) -> Option<MediaType> {
    let (stem, extension) = split_extension(name);
    let named = MediaType::from_extension(extension)?;
    (named != MediaType::Json || names::names_picture(stem)).then_some(named)
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

    fn pictures(&self) -> impl Iterator<Item = &Member<'a>> {
        self.stills.iter().chain(&self.raws)
    }

    /// Whether these can be edited variants of the files of another stem. An editor keeps the time of
    /// capture in pictures; in clips it may write its own.
    fn may_edit(&self, original: &Self) -> bool {
        let mut pairs = self.pictures().flat_map(|edit| original.pictures().map(move |taken| (edit, taken)));
        let differs = |(edit, taken): (&Member<'_>, &Member<'_>)| fit_of_shot(taken, edit).is_none();
        pairs.next().is_none_or(|first| !differs(first) || pairs.any(|pair| !differs(pair)))
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
type FileSlot = (usize, FileId);

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
        .iter()
        .filter(|(stem, files)| match split_variant(stem) {
            Some((b'e', base)) => stems.get(&base).is_some_and(|original| files.may_edit(original)),
            _ => false,
        })
        .map(|(stem, _)| stem.clone())
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
    let mut homes: Vec<(&Member<'_>, Option<FileSlot>)> = Vec::new();
    homes.extend(previews.iter().map(|(member, parsed)| (*member, preview_subject(parsed, &drafts))));
    homes.extend(
        sidecars.iter().map(|(member, parsed)| (*member, sidecar_subject(parsed, &drafts, &main_of))),
    );
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
    // A camera writes a RAW beside a JPEG or HEIC, and a phone a clip beside one; a PNG of the same
    // name is a coincidence.
    let leads = |still: &&Member<'_>| leading_rank(still).is_some();
    let mut leading: Vec<&Member<'_>> = files.stills.iter().filter(leads).collect();
    leading.sort_by_key(|still| leading_rank(still));
    let mut drafts: Vec<Draft> = leading.iter().map(|still| Draft::new(still, ResourceKind::Photo)).collect();
    let others = files.stills.iter().filter(|still| leading_rank(still).is_none());
    drafts.extend(others.map(|still| Draft::new(still, ResourceKind::Photo)));
    for raw in &files.raws {
        let fits =
            leading.iter().enumerate().filter_map(|(index, still)| Some((fit_of_shot(still, raw)?, index)));
        match fits.min().and_then(|(_, index)| drafts.get_mut(index)) {
            Some(draft) => draft.add(raw, ResourceKind::AlternatePhoto),
            None => drafts.push(Draft::new(raw, ResourceKind::Photo)),
        }
    }
    let paired = live_pair(&leading, &files.videos);
    for video in &files.videos {
        match paired.filter(|(_, clip)| *clip == video.id).and_then(|(index, _)| drafts.get_mut(index)) {
            Some(draft) => draft.add(video, ResourceKind::PairedVideo),
            None => drafts.push(Draft::new(video, ResourceKind::Video)),
        }
    }
    drafts
}

/// Which stills may have a RAW or a clip, the better ones first.
fn leading_rank(still: &Member<'_>) -> Option<u8> {
    match still.media_type {
        _ if is_preview(still.name) => None,
        MediaType::Heic => Some(0),
        MediaType::Jpeg => Some(1),
        _ => None,
    }
}

/// The still, by its index, and the clip that make a Live Photo: at most one pair.
fn live_pair(stills: &[&Member<'_>], videos: &[Member<'_>]) -> Option<(usize, FileId)> {
    let container = |video: &Member<'_>| match video.media_type {
        _ if is_preview(video.name) => None,
        MediaType::Mov => Some(0),
        MediaType::Mp4 => Some(1),
        _ => None,
    };
    let pairs = stills.iter().enumerate().flat_map(|(index, still)| {
        let rank = move |video: &Member<'_>| Some((fit_of_clip(still, video)?, index, container(video)?));
        videos.iter().filter_map(move |video| Some((rank(video)?, video.id)))
    });
    // min_by_key keeps the first of equals, and the files are in the order of their names.
    pairs.min_by_key(|(rank, _)| *rank).map(|((_, index, _), clip)| (index, clip))
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
fn preview_subject(preview: &Parsed, drafts: &[Draft]) -> Option<FileSlot> {
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
fn sidecar_subject(
    sidecar: &Parsed,
    drafts: &[Draft],
    main_of: &BTreeMap<Vec<u8>, usize>,
) -> Option<FileSlot> {
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
