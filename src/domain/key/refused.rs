//! Characters that a destination does not take in a name, and how names do without them.

use std::borrow::Cow;

use super::name::{escape_char_with, is_escape_at};

/// ASCII characters that a probe tries beside those that no key has: every punctuation mark and the
/// space. `-`, `.` and `_` are in all names.
pub const ASCII_TRIED: &str = " !#$%&'()+,;=@[]^`{}~";
/// What begins an escape, the best first. The last one is taken everywhere.
const MARKS: [char; 3] = ['%', '=', '_'];

/// The characters that a destination was seen not to take in a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RefusedChars {
    /// A bit for each ASCII character.
    ascii: u128,
    /// The last character that is taken; all later ones are refused.
    last_taken: char,
}

impl Default for RefusedChars {
    fn default() -> Self {
        Self::NONE
    }
}

impl RefusedChars {
    /// Every character is taken.
    pub const NONE: Self = Self { ascii: 0, last_taken: char::MAX };

    /// The same with one ASCII character more; any other changes nothing.
    #[must_use]
    pub fn with(self, c: char) -> Self {
        if !ASCII_TRIED.contains(c) {
            return self;
        }
        Self { ascii: self.ascii | 1 << u32::from(c), ..self }
    }

    /// The same without all characters after `last`, which is not taken to be before the end of ASCII.
    #[must_use]
    pub fn with_last_taken(self, last: char) -> Self {
        Self { last_taken: self.last_taken.min(last.max('\x7f')), ..self }
    }

    /// Everything that a probe tries.
    pub fn all() -> Self {
        ASCII_TRIED.chars().fold(Self::NONE, Self::with).with_last_taken('\x7f')
    }

    /// Whether there are none.
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// Whether a character is refused.
    pub fn contains(self, c: char) -> bool {
        if c.is_ascii() { self.ascii >> u32::from(c) & 1 == 1 } else { c > self.last_taken }
    }

    /// The refused ASCII characters, in order.
    pub fn ascii(self) -> String {
        ASCII_TRIED.chars().filter(|c| self.contains(*c)).collect()
    }

    /// The last character that is taken.
    pub fn last_taken(self) -> char {
        self.last_taken
    }

    /// What begins an escape.
    pub(super) fn mark(self) -> char {
        MARKS.into_iter().find(|mark| !self.contains(*mark)).unwrap_or(MARKS[MARKS.len() - 1])
    }

    /// A name that [`super::safe_name`] made, without the refused characters. Each of them, and what would
    /// read as an escape, is written as an escape of its UTF-8, so different names stay different.
    pub(super) fn escape(self, safe: &str) -> Cow<'_, str> {
        let mark = self.mark();
        if mark == '%' && !safe.contains(|c| self.contains(c)) {
            return Cow::Borrowed(safe);
        }
        let mut escaped = String::with_capacity(safe.len() + 16);
        for (at, c) in safe.char_indices() {
            let is_escape = is_escape_at(safe, at);
            if c == '%' && is_escape {
                escaped.push(mark);
            } else if self.contains(c) || c == mark && is_escape {
                escape_char_with(&mut escaped, c, mark);
            } else {
                escaped.push(c);
            }
        }
        Cow::Owned(escaped)
    }

    /// A file's name as a key has it where these are refused.
    pub fn escape_name(self, original: &str) -> String {
        self.escape(&super::safe_name(original.as_bytes())).into_owned()
    }

    /// What parts a stem from a hash: `~`, or `-` where that is refused.
    pub(super) fn suffix(self, suffix: &str) -> Cow<'_, str> {
        if self.contains('~') { Cow::Owned(suffix.replace('~', "-")) } else { Cow::Borrowed(suffix) }
    }
}
