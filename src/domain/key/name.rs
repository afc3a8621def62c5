//! Names that every file system takes, made from any bytes.
//!
//! What cannot stay is written `%XX`, and a `%` that would read as such an escape is escaped
//! itself, so the original name can be worked out again.

use unicode_normalization::UnicodeNormalization as _;

use crate::domain::grouping;

/// Characters that some file system reserves.
const RESERVED: &[char] = &['<', '>', ':', '"', '/', '\\', '|', '?', '*'];

/// A name as stem and tail: the stem is what a set's files share, the tail what tells them apart. A
/// tail over `tail_bytes_max` is the last extension alone, and where that is longer still, nothing.
pub(super) fn split_name(name: &str, tail_bytes_max: usize) -> (&str, &str) {
    let is_tail = |at: &usize| *at > 0 && name.len() - at <= tail_bytes_max;
    let end = Some(grouping::stem_end(name.as_bytes())).filter(is_tail);
    let end = end.or_else(|| name.rfind('.').filter(is_tail)).unwrap_or(name.len());
    name.split_at_checked(end).unwrap_or((name, ""))
}

/// A name that every file system takes, for any bytes: UTF-8 in composed form, without reserved
/// characters, device names, or a leading or trailing dot. It may be longer than a name can be.
pub fn safe_name(original: &[u8]) -> String {
    let mut safe = String::with_capacity(original.len() + 8);
    for chunk in original.utf8_chunks() {
        let text: String = chunk.valid().nfc().collect();
        for (at, c) in text.char_indices() {
            if c.is_control() || RESERVED.contains(&c) || (c == '%' && reads_as_escape(&text[at..])) {
                escape_char(&mut safe, c);
            } else {
                safe.push(c);
            }
        }
        for byte in chunk.invalid() {
            escape_byte(&mut safe, *byte);
        }
    }
    if safe.is_empty() {
        return "unnamed".to_owned();
    }
    if safe.starts_with('.') || is_device_name(&safe) {
        safe = escape_first(&safe);
    }
    if safe.ends_with(['.', ' ']) {
        let last = safe.pop().unwrap_or('.');
        escape_char(&mut safe, last);
    }
    safe
}

/// Whether one component of a key is a name that every file system takes and that hides nothing.
pub(super) fn is_safe_component(part: &str) -> bool {
    !part.is_empty()
        && !part.starts_with('.')
        && !part.ends_with(['.', ' '])
        && !part.chars().any(|c| c.is_control() || RESERVED.contains(&c))
        && !is_device_name(part)
}

/// At most `limit` bytes of `stem`, cut between characters and never inside an escape, which `mark`
/// begins. At least one character stays.
pub(super) fn cut(stem: &str, limit: usize, mark: char) -> &str {
    let mut end = stem.floor_char_boundary(limit);
    if end == 0 {
        end = stem.chars().next().map_or(0, char::len_utf8);
    }
    let escape = stem.get(..end).and_then(|kept| kept.rfind(mark));
    if let Some(at) = escape
        && at > 0
        && end - at < 3
        && is_escape_at(stem, at)
    {
        end = at;
    }
    let kept = stem[..end].trim_end_matches(['.', ' ']);
    if kept.is_empty() { "_" } else { kept }
}

fn reads_as_escape(text: &str) -> bool {
    text.starts_with('%') && is_escape_at(text, 0)
}

/// Whether what follows the character at `at`, which takes one byte, makes an escape of it.
pub(super) fn is_escape_at(text: &str, at: usize) -> bool {
    let digits = text.as_bytes().get(at + 1..at + 3);
    digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

fn escape_first(name: &str) -> String {
    let mut chars = name.chars();
    let mut escaped = String::with_capacity(name.len() + 2);
    if let Some(first) = chars.next() {
        escape_char(&mut escaped, first);
    }
    escaped.push_str(chars.as_str());
    escaped
}

fn escape_char(out: &mut String, c: char) {
    escape_char_with(out, c, '%');
}

/// Writes a character as an escape of each of its bytes, which `mark` begins.
pub(super) fn escape_char_with(out: &mut String, c: char, mark: char) {
    let mut bytes = [0; 4];
    for byte in c.encode_utf8(&mut bytes).bytes() {
        escape_byte_with(out, byte, mark);
    }
}

fn escape_byte(out: &mut String, byte: u8) {
    escape_byte_with(out, byte, '%');
}

fn escape_byte_with(out: &mut String, byte: u8, mark: char) {
    const HEX: &[u8; 16] = b"0123456789ABCDEF";
    out.push(mark);
    out.push(char::from(HEX[usize::from(byte >> 4)]));
    out.push(char::from(HEX[usize::from(byte & 15)]));
}

/// Whether Windows takes the name for a device: `CON`, `nul.txt`, `COM1 .jpg`.
pub(super) fn is_device_name(name: &str) -> bool {
    let base = name.split('.').next().unwrap_or(name).trim_end_matches(' ');
    let base = base.to_ascii_uppercase();
    if matches!(base.as_str(), "CON" | "PRN" | "AUX" | "NUL" | "CONIN$" | "CONOUT$" | "CLOCK$") {
        return true;
    }
    let port = base.strip_prefix("COM").or_else(|| base.strip_prefix("LPT"));
    port.is_some_and(|digit| {
        let mut chars = digit.chars();
        matches!(chars.next(), Some('0'..='9' | '\u{b9}' | '\u{b2}' | '\u{b3}')) && chars.next().is_none()
    })
}
