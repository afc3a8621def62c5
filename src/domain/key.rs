//! Where a copy is kept at a file-like destination.
//!
//! A key is a relative `/`-separated path that every file system takes: `YYYY/YYYY-MM/stem.ext` by
//! the day on the camera's wall. Everything here is a pure function of its arguments, so the same
//! file is offered the same names for ever. A key must never be absolute, never contain `.` or
//! `..`, and never reach into a hidden folder: the destination's own files live in one.

mod fold;
mod name;

pub use fold::fold;
pub use name::safe_name;

use super::asset::CapturedAt;
use super::hash::Blake3;
use name::{Parts, is_safe_component, parts};

/// The longest key in bytes.
pub const KEY_BYTES_MAX: usize = 1024;
/// The most components in a key.
pub const COMPONENTS_MAX: usize = 8;
/// The longest name that any file system is asked to take, in bytes.
pub const NAME_BYTES_MAX: usize = 255;
/// Below this a name could not hold the whole hash, so no destination is taken to offer less.
const NAME_BYTES_MIN: usize = 110;
/// `~` and the whole hash, for which a name that must be cut leaves room.
const SUFFIX_BYTES_MAX: usize = 65;

const TEMP_PREFIX: &str = ".safelight-";
const TEMP_SUFFIX: &str = ".tmp";
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
}

impl Default for Layout {
    fn default() -> Self {
        Self { always_hash: false, name_len_max: NAME_BYTES_MAX }
    }
}

impl Layout {
    fn limit(self) -> usize {
        self.name_len_max.clamp(NAME_BYTES_MIN, NAME_BYTES_MAX)
    }

    /// How many characters of the hash each candidate carries.
    fn hash_lengths(self) -> &'static [usize] {
        if self.always_hash { &[16, 64] } else { &[0, 8, 64] }
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

/// The keys to try for a primary, best first. The last one carries the whole hash, so that only
/// equal bytes can have it.
pub fn candidates(
    captured_at: CapturedAt,
    original_name: &[u8],
    hash: Blake3,
    layout: Layout,
) -> Vec<String> {
    let name = safe_name(original_name);
    let Parts { stem, extension } = parts(&name);
    with_hashes(&folder(captured_at), stem, extension, hash, layout)
}

/// The key of a companion beside its primary: the primary's folder and stem, the companion's own
/// extension. A name in the compound form (`IMG_1.JPG.xmp` beside `IMG_1.JPG`) keeps it.
pub fn companion_key(primary_key: &str, original_name: &[u8]) -> String {
    let (folder, stem, extension) = beside(primary_key, original_name);
    assemble(&folder, &stem, "", &extension, NAME_BYTES_MAX)
}

/// The keys to try for a companion, best first; for when another companion of the same primary has
/// the plain one.
pub fn companion_candidates(
    primary_key: &str,
    original_name: &[u8],
    hash: Blake3,
    layout: Layout,
) -> Vec<String> {
    let (folder, stem, extension) = beside(primary_key, original_name);
    with_hashes(&folder, &stem, &extension, hash, layout)
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

fn beside(primary_key: &str, original_name: &[u8]) -> (String, String, String) {
    let (folder, file) = primary_key.rsplit_once('/').unwrap_or(("", primary_key));
    let primary = parts(file);
    let name = safe_name(original_name);
    let own = parts(&name);
    let inner = parts(own.stem);
    let is_compound = !inner.extension.is_empty() && inner.extension.eq_ignore_ascii_case(primary.extension);
    let extension = if is_compound && !own.extension.is_empty() {
        format!("{}.{}", inner.extension, own.extension)
    } else {
        own.extension.to_owned()
    };
    (folder.to_owned(), primary.stem.to_owned(), extension)
}

fn with_hashes(folder: &str, stem: &str, extension: &str, hash: Blake3, layout: Layout) -> Vec<String> {
    let hex = hash.to_hex();
    let lengths = layout.hash_lengths().iter();
    lengths
        .map(|length| {
            let suffix = if *length == 0 { String::new() } else { format!("~{}", &hex[..*length]) };
            assemble(folder, stem, &suffix, extension, layout.limit())
        })
        .collect()
}

fn assemble(folder: &str, stem: &str, suffix: &str, extension: &str, limit: usize) -> String {
    let tail = if extension.is_empty() { String::new() } else { format!(".{extension}") };
    let stem = if stem.len() + suffix.len() + tail.len() <= limit {
        stem
    } else {
        name::cut(stem, limit.saturating_sub(SUFFIX_BYTES_MAX + tail.len()).max(1))
    };
    // A stem that ended in a dot before an extension must not end a name in one.
    let stem = if suffix.is_empty() && tail.is_empty() { name::cut(stem, stem.len()) } else { stem };
    let slash = if folder.is_empty() { "" } else { "/" };
    format!("{folder}{slash}{stem}{suffix}{tail}")
}

#[cfg(test)]
mod tests;
