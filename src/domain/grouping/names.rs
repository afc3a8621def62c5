//! A file's name taken apart: what it shares with the other names of its set.
//!
//! Names are compared in composed form and without case, as people see them; a file system may hand out
//! either form. Bytes that are not UTF-8 stand for themselves.

use std::ops::Range;

use unicode_normalization::UnicodeNormalization as _;

use crate::domain::media_type::{MediaClass, MediaType};
use crate::domain::path::split_extension;

/// Google Takeout cuts the names of its JSON files to this many characters before the extension.
const TAKEOUT_CHARS: usize = 46;
/// What newer Takeouts put between a picture's name and `.json`, cut at any place.
const TAKEOUT_WORD: &[u8] = b"supplemental-metadata";
/// The least of that word behind a picture's extension that was cut itself.
const TAKEOUT_WORD_MIN: usize = 4;

/// Folders in which a program keeps its settings for the pictures of the folder above: Nikon NX Studio,
/// SilkyPix. Compared without case.
const SETTINGS_FOLDERS: [&[u8]; 2] = [b"nksc_param", b"silkypix_ds"];
/// Capture One's: `CaptureOne/Settings`, in some versions with a number behind.
const CAPTURE_ONE: (&[u8], &[u8]) = (b"captureone", b"settings");

/// A name in the form in which names are compared.
pub(super) fn fold_name(name: &[u8]) -> Vec<u8> {
    if name.is_ascii() {
        return name.to_ascii_lowercase();
    }
    let mut folded = Vec::with_capacity(name.len());
    for chunk in name.utf8_chunks() {
        // Lower, upper, lower: upper case alone leaves U+1E9E apart from "ss", lower case alone U+017F
        // apart from "s".
        let text: String = chunk
            .valid()
            .nfd()
            .flat_map(char::to_lowercase)
            .flat_map(char::to_uppercase)
            .flat_map(char::to_lowercase)
            .nfc()
            .collect();
        folded.extend(text.as_bytes());
        folded.extend(chunk.invalid());
    }
    folded
}

/// The file that a sidecar's name names, folded.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// Its whole name.
    Whole(Vec<u8>),
    /// How its name begins.
    Start(Vec<u8>),
}

/// A name taken apart.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Parsed {
    /// The name up to its extension, and for `a.jpg.xmp` up to both; folded.
    pub stem: Vec<u8>,
    /// For `a.jpg.xmp`: `a.jpg`.
    pub target: Option<Target>,
    /// Where a suffix can stand behind the stem in the name itself.
    end: usize,
}

impl Parsed {
    pub(super) fn of(name: &[u8]) -> Self {
        let (stem, extension) = split_extension(name);
        match MediaType::from_extension(extension) {
            Some(MediaType::Json) => Self::of_json(stem),
            Some(sidecar) if sidecar.class() == MediaClass::Sidecar => Self::of_sidecar(stem),
            _ => Self { stem: fold_name(stem), target: None, end: stem.len() },
        }
    }

    /// `a.jpg` of `a.jpg.xmp`, `a.rw2.9` of `a.rw2.9.spd`, `a` of `a.xmp`.
    fn of_sidecar(target: &[u8]) -> Self {
        let (inner, extension) = split_extension(target);
        if is_picture(extension) {
            return Self {
                stem: fold_name(inner),
                target: Some(Target::Whole(fold_name(target))),
                end: inner.len(),
            };
        }
        // SilkyPix puts its own version between the picture's name and its extension.
        let is_version = matches!(extension.len(), 1 | 2) && extension.iter().all(u8::is_ascii_digit);
        if is_version && is_picture(split_extension(inner).1) {
            return Self::of_sidecar(inner);
        }
        Self { stem: fold_name(target), target: None, end: target.len() }
    }

    /// `stem` is all before `.json`. A number that tells pictures of one name apart stands at the end of
    /// it, but at the end of the picture's stem: `a.jpg(1).json` is of `a(1).jpg`.
    fn of_json(stem: &[u8]) -> Self {
        let number = number_at_end(stem);
        let (core, number) = stem.split_at(number.start);
        let cut = cut_json(core);
        let picture = [&core[..cut.stem], number].concat();
        let with = |extension: &[u8]| fold_name(&[&picture, &b"."[..], extension].concat());
        let target = match cut.extension {
            Some(extension) if is_picture(extension) && !cut.is_cut => Some(Target::Whole(with(extension))),
            Some(extension) => Some(Target::Start(with(extension))),
            None => None,
        };
        let end = if number.is_empty() { cut.stem } else { stem.len() };
        Self { stem: fold_name(&picture), target, end }
    }

    /// The stem without a number of versions, and where it ends in the name.
    pub(super) fn unversioned(&self) -> (&[u8], usize) {
        match strip_version(&self.stem) {
            // What is stripped is ASCII, and as long in the name as it is folded.
            Some(base) => (base, self.end - (self.stem.len() - base.len())),
            None => (&self.stem, self.end),
        }
    }
}

fn is_picture(extension: &[u8]) -> bool {
    MediaType::from_extension(extension).is_some_and(|kind| kind.class() != MediaClass::Sidecar)
}

/// Whether what stands before `.json` is the name of a picture, as far as a name can tell.
pub(super) fn names_picture(stem: &[u8]) -> bool {
    let core = &stem[..number_at_end(stem).start];
    let cut = cut_json(core);
    cut.stem > 0
        && cut.extension.is_some_and(|extension| !cut.is_cut && is_picture(extension) || cut.has_word)
}

/// What a Takeout JSON's name is made of.
struct JsonCut<'a> {
    /// How long the picture's stem is.
    stem: usize,
    /// The picture's extension, or its beginning.
    extension: Option<&'a [u8]>,
    /// The extension may have been cut.
    is_cut: bool,
    /// The word, or its beginning, stands behind the extension.
    has_word: bool,
}

/// Takes apart a name without its number: `a.jpg`, `a.jpg.supplemental-meta`, and where it is as long
/// as Takeout leaves names also `a.jp`, `a.` and `a`.
fn cut_json(core: &[u8]) -> JsonCut<'_> {
    let dot = |text: &[u8]| text.iter().rposition(|byte| *byte == b'.').filter(|at| *at > 0);
    let Some(last) = dot(core) else {
        return JsonCut { stem: core.len(), extension: None, is_cut: true, has_word: false };
    };
    let ending = &core[last + 1..];
    if is_picture(ending) {
        return JsonCut { stem: last, extension: Some(ending), is_cut: false, has_word: false };
    }
    let word = TAKEOUT_WORD.get(..ending.len()).is_some_and(|word| word.eq_ignore_ascii_case(ending));
    if word && let Some(before) = dot(&core[..last]) {
        let extension = &core[before + 1..last];
        let is_cut = !is_picture(extension);
        let may_be_cut = ending.len() >= TAKEOUT_WORD_MIN && begins_extension(extension);
        if !is_cut || may_be_cut {
            return JsonCut { stem: before, extension: Some(extension), is_cut, has_word: true };
        }
    }
    let is_full = |text: &[u8]| String::from_utf8_lossy(text).nfc().count() == TAKEOUT_CHARS;
    // A suffix behind the stem is not Takeout's.
    let plain = core[..last].iter().rposition(|byte| *byte == b'~').unwrap_or(last);
    let unsuffixed = [&core[..plain], &core[last..]].concat();
    if (is_full(core) || is_full(&unsuffixed)) && (ending.is_empty() || begins_extension(ending)) {
        return JsonCut { stem: last, extension: Some(ending), is_cut: true, has_word: false };
    }
    JsonCut { stem: core.len(), extension: None, is_cut: true, has_word: false }
}

/// Whether this is the beginning of a picture's extension, and more than a letter of it or all.
fn begins_extension(start: &[u8]) -> bool {
    !start.is_empty() && MediaType::begins_extension(start)
}

/// Where `(1)` is at the end of a name, a suffix behind it included; empty where there is none.
fn number_at_end(stem: &[u8]) -> Range<usize> {
    let none = stem.len()..stem.len();
    let Some(open) = stem.iter().rposition(|byte| *byte == b'(') else { return none };
    if open > 0 && is_number(&stem[open..]) { open..stem.len() } else { none }
}

/// Whether this is `(1)`, with a suffix or without.
fn is_number(text: &[u8]) -> bool {
    let Some(rest) = text.strip_prefix(b"(") else { return false };
    let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let Some(rest) = rest[digits..].strip_prefix(b")") else { return false };
    (1..=4).contains(&digits) && is_suffix(rest)
}

fn is_suffix(text: &[u8]) -> bool {
    text.is_empty() || text.starts_with(b"~") && !text.contains(&b'.')
}

/// `img_1234` for `img_1234_01`: darktable numbers the sidecars of further versions of one picture.
pub(super) fn strip_version(stem: &[u8]) -> Option<&[u8]> {
    match stem {
        [base @ .., b'_', a, b] if !base.is_empty() && a.is_ascii_digit() && b.is_ascii_digit() => Some(base),
        _ => None,
    }
}

/// `(b'e', img_1234)` for `img_e1234`: Apple marks edited variants with E and original adjustments
/// with O.
pub(super) fn split_variant(stem: &[u8]) -> Option<(u8, Vec<u8>)> {
    let rest = stem.strip_prefix(b"img_")?;
    let (letter, digits) = rest.split_first()?;
    let is_number = digits.len() >= 4 && digits[..4].iter().all(u8::is_ascii_digit);
    (matches!(letter, b'e' | b'o') && is_number).then(|| (*letter, [b"img_", digits].concat()))
}

/// The stem as Takeout's JSON has it. Takeout leaves 47 characters of a long title to the picture and 46
/// to the JSON; a number and a suffix stand behind them.
pub(super) fn as_json_has_it(stem: &[u8]) -> Vec<u8> {
    let cut = || {
        let text = std::str::from_utf8(stem).ok()?;
        let mut ends = text.char_indices().map(|(at, _)| at).chain([text.len()]);
        let (short, long) = (ends.nth(TAKEOUT_CHARS)?, ends.next()?);
        let rest = &stem[long..];
        // A suffix is not part of the title, and is never cut.
        let in_suffix = stem.iter().rposition(|byte| *byte == b'~').is_some_and(|at| at < long);
        if in_suffix {
            return None;
        }
        (is_suffix(rest) || is_number(rest)).then(|| [&stem[..short], rest].concat())
    };
    if stem.len() <= TAKEOUT_CHARS { stem.to_vec() } else { cut().unwrap_or_else(|| stem.to_vec()) }
}

/// The folder whose pictures a file goes with: its own, but for settings that a program keeps in a folder
/// of its own below them.
pub(super) fn home_folder<'a>(dir: &'a [u8], name: &[u8]) -> &'a [u8] {
    if MediaType::from_extension(split_extension(name).1) != Some(MediaType::Develop) {
        return dir;
    }
    let split = |path: &'a [u8]| match path.iter().rposition(|byte| *byte == b'/') {
        Some(at) => (&path[..at], &path[at + 1..]),
        None => (&path[..0], path),
    };
    let (above, own) = split(dir);
    if SETTINGS_FOLDERS.iter().any(|known| own.eq_ignore_ascii_case(known)) {
        return above;
    }
    let (outer, settings) = CAPTURE_ONE;
    let is_settings = own.get(..settings.len()).is_some_and(|start| start.eq_ignore_ascii_case(settings))
        && own[settings.len()..].iter().all(u8::is_ascii_digit);
    let (home, parent) = split(above);
    if is_settings && parent.eq_ignore_ascii_case(outer) { home } else { dir }
}
