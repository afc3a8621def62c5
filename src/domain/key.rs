//! Where a copy is kept at a file-like destination.
//!
//! A key is a relative `/`-separated path that every file system takes: `YYYY/YYYY-MM/name` by the
//! day on the camera's wall. A file keeps its own name. Where the name would meet another set's, or
//! is taken, a suffix made from a hash stands behind the stem ([`grouping::stem_end`]). Everything
//! here is a pure function of its arguments, so the same file is offered the same names for ever. A
//! key must never be absolute, never contain `.` or `..`, and never reach into a hidden folder: the
//! destination's own files live in one.

mod fold;
mod name;
mod refused;

pub use fold::fold;
pub use name::safe_name;
pub use refused::{ASCII_TRIED, RefusedChars};

use super::asset::CapturedAt;
use super::grouping;
use super::hash::Blake3;
use name::{is_safe_component, split_name};

/// The longest key in bytes.
pub const KEY_BYTES_MAX: usize = 1024;
/// The most components in a key.
pub const COMPONENTS_MAX: usize = 8;
/// The longest name that any file system is asked to take, in bytes.
pub const NAME_BYTES_MAX: usize = 255;
/// Below this a name could not hold the whole hash, so no destination is taken to offer less.
const NAME_BYTES_MIN: usize = 110;
/// The longest suffix: `~`, the whole hash and `-999`.
const SUFFIX_BYTES_MAX: usize = 69;
/// What is kept free behind a stem for version numbers and extensions, so that the names of one set
/// are cut alike: `_01.jpeg.supplemental-meta.json`.
const TAIL_BYTES_RESERVED: usize = 34;
/// How many names carry the whole hash: the first bare, the others numbered from 2.
const WHOLE_HASH_NAMES_MAX: u32 = 999;

const TEMP_PREFIX: &str = ".safelight-";
const TEMP_SUFFIX: &str = ".tmp";
/// How many temp names a record has: its own, and others for where that can neither be written nor removed.
pub const TEMP_NAMES_MAX: u32 = 3;
/// The random low bits of a temp token; the bits above name the installation.
const TOKEN_RANDOM_BITS: u32 = 40;

/// What a destination can do that decides how names are made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// The destination cannot promise to leave an existing name alone, so every key carries 16
    /// hexadecimal characters of the hash and only equal bytes can meet under it.
    pub always_hash: bool,
    /// The longest file name there, in bytes.
    pub name_len_max: usize,
    /// Characters that it does not take in a name: they are escaped.
    pub refused: RefusedChars,
}

impl Default for Layout {
    fn default() -> Self {
        Self { always_hash: false, name_len_max: NAME_BYTES_MAX, refused: RefusedChars::NONE }
    }
}

impl Layout {
    fn limit(self) -> usize {
        self.name_len_max.clamp(NAME_BYTES_MIN, NAME_BYTES_MAX)
    }

    /// Whether the destination takes every character of a key.
    pub fn takes(self, key: &str) -> bool {
        !key.contains(|c| self.refused.contains(c))
    }
}

/// The folder for a capture date: `2019/2019-05`.
pub fn folder(captured_at: CapturedAt) -> String {
    let (year, month, _day) = captured_at.day().parts();
    if (0..=9999).contains(&year) && (1..=12).contains(&month) {
        format!("{year:04}/{year:04}-{month:02}")
    } else {
        "0000/0000-00".to_owned()
    }
}

/// A file's name in a set: what all of its keys are made from.
#[derive(Debug, Clone, Copy)]
pub struct SetName<'a> {
    /// The folder of the set at the destination.
    pub folder: &'a str,
    /// What every name of the set carries behind its stem; empty for most sets.
    pub suffix: &'a str,
    /// The file's own name in its source.
    pub original: &'a [u8],
}

impl SetName<'_> {
    /// The key to try at an attempt, counted from 0; `None` when every name has been tried. The first
    /// is the set's, the later ones carry more and more of the file's own hash. From the third on
    /// they carry all of it, so that only equal bytes and copies that went wrong can have them.
    pub fn key(&self, hash: Blake3, attempt: u32, layout: Layout) -> Option<String> {
        let own;
        let suffix = if attempt == 0 && !layout.always_hash {
            self.suffix
        } else {
            own = hash_suffix(hash, attempt, layout.always_hash)?;
            &own
        };
        let name = assemble(&safe_name(self.original), suffix, layout);
        let slash = if self.folder.is_empty() { "" } else { "/" };
        Some(format!("{}{slash}{name}", self.folder))
    }
}

/// The suffix of a set whose plain stem belongs to another source folder, at an attempt counted from
/// 0, made from the hash of the set's first member; `None` when all have been tried.
pub fn set_suffix(hash: Blake3, attempt: u32) -> Option<String> {
    if attempt == 0 { Some(String::new()) } else { hash_suffix(hash, attempt, false) }
}

/// `~` and 8 digits of the hash at the first attempt, all digits at the second, then numbered.
fn hash_suffix(hash: Blake3, attempt: u32, always_hash: bool) -> Option<String> {
    let hex = hash.to_hex();
    let whole = if always_hash { 1 } else { 2 };
    match attempt {
        short if short < whole => Some(format!("~{}", &hex[..if always_hash { 16 } else { 8 }])),
        first if first == whole => Some(format!("~{hex}")),
        later => {
            let number = later - whole + 1;
            (number <= WHOLE_HASH_NAMES_MAX).then(|| format!("~{hex}-{number}"))
        }
    }
}

/// What two names of one folder must not share unless they come from one source folder: the stem
/// under which files are grouped, as the least discerning file system sees it.
pub fn group_stem(name: &str) -> String {
    fold(&String::from_utf8_lossy(&grouping::group_key(name.as_bytes())))
}

/// Whether a key that came from outside is one that a destination may be asked for.
pub fn is_valid(key: &str) -> bool {
    key.len() <= KEY_BYTES_MAX
        && key.split('/').count() <= COMPONENTS_MAX
        && key.split('/').all(|part| part.len() <= NAME_BYTES_MAX && is_safe_component(part))
}

/// The name of the temp file that a token stands for.
pub fn temp_name(token: u64) -> String {
    format!("{TEMP_PREFIX}{token:016x}{TEMP_SUFFIX}")
}

/// The token of a temp file's name; `None` for any other name.
pub fn parse_temp_name(name: &[u8]) -> Option<u64> {
    let digits = name.strip_prefix(TEMP_PREFIX.as_bytes())?.strip_suffix(TEMP_SUFFIX.as_bytes())?;
    let is_ours = digits.len() == 16 && digits.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    if !is_ours {
        return None;
    }
    u64::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()
}

/// The token of the temp file that stands in for a record's own, at an attempt counted from 0, where a
/// destination neither writes nor removes the ones before. The first is the record's own.
pub fn temp_token_at(token: u64, attempt: u32) -> u64 {
    if attempt == 0 {
        return token;
    }
    let low = (1 << TOKEN_RANDOM_BITS) - 1;
    let digest = blake3::hash(&[&token.to_be_bytes()[..], &attempt.to_be_bytes()].concat());
    let random = digest.as_bytes()[..8].iter().fold(0_u64, |bits, byte| bits << 8 | u64::from(*byte));
    token & !low | random & low
}

/// A record's temp token: 40 random bits below 24 that name the installation, so that an
/// installation which shares a destination with others can tell its own temp files from theirs.
pub fn temp_token(installation: &str, random: u64) -> u64 {
    installation_bits(installation) << TOKEN_RANDOM_BITS | random & ((1 << TOKEN_RANDOM_BITS) - 1)
}

/// Whether a temp token was made by this installation.
pub fn owns_token(installation: &str, token: u64) -> bool {
    token >> TOKEN_RANDOM_BITS == installation_bits(installation)
}

fn installation_bits(installation: &str) -> u64 {
    let digest = blake3::hash(installation.as_bytes());
    digest.as_bytes()[..3].iter().fold(0, |bits, byte| bits << 8 | u64::from(*byte))
}

/// A set is cut alike: whether and where depends on the stem and the suffix alone, as long as the
/// extensions fit into what is reserved for them. What is refused is escaped after the name was parted,
/// so that it is parted where its set is.
fn assemble(name: &str, suffix: &str, layout: Layout) -> String {
    let (limit, refused) = (layout.limit(), layout.refused);
    let (stem, tail) = split_name(name, TAIL_BYTES_RESERVED);
    let (mut stem, mut tail) = (refused.escape(stem), refused.escape(tail));
    if tail.len() > TAIL_BYTES_RESERVED {
        let whole = format!("{stem}{tail}");
        let (start, end) = split_name(&whole, TAIL_BYTES_RESERVED);
        (stem, tail) = (start.to_owned().into(), end.to_owned().into());
    }
    let suffix = refused.suffix(suffix);
    let is_long = stem.len() + suffix.len() + TAIL_BYTES_RESERVED > limit;
    let cut_at = limit - SUFFIX_BYTES_MAX - TAIL_BYTES_RESERVED;
    let stem = if is_long { name::cut(&stem, cut_at, refused.mark()) } else { &stem };
    // Cutting can make a name that it was not.
    let guard = if is_long && name::is_device_name(stem) { "_" } else { "" };
    format!("{guard}{stem}{suffix}{tail}")
}

#[cfg(test)]
mod tests;
