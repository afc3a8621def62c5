//! Finding out which characters a destination does not take in a name, by trying the worst names.
//!
//! The rules only, without input or output: the next name to be tried, and what follows from what
//! became of it. One name with everything in it is tried first; only where that is refused, lands
//! under another name or cannot be read again, each character is tried alone.

use unicode_normalization::UnicodeNormalization as _;

use crate::domain::failure::{Failure, FailureKind};
use crate::domain::key::{ASCII_TRIED, RefusedChars};

/// Characters outside ASCII, by what they need: each with the last character that is taken where it is
/// refused. A part of a name in one of them stands for all of its kind.
const WIDE: [(&str, char); 3] = [
    // Latin-1: what an HTTP header field may have held once.
    ("\u{e9}\u{ff}", '\x7f'),
    // The basic plane: two bytes of UTF-16.
    ("\u{65e5}\u{142}", '\u{ff}'),
    // Beyond it: four bytes of UTF-8.
    ("\u{1f600}", '\u{ffff}'),
];
/// A name that has nothing in it that anybody could refuse.
const PLAIN: &str = "wxyz.jpg";

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// Everything in one name.
    Everything,
    /// The plain name: what fails now has another reason.
    Plain,
    /// One of [`WIDE`], from the back, and then one of the ASCII characters.
    Wide(usize),
    Ascii(usize),
    /// Everything, with what is refused escaped.
    Escaped,
    Done,
}

/// A trial of names under way.
#[derive(Debug)]
pub(super) struct NameProbe {
    step: Step,
    found: RefusedChars,
}

/// Everything that is tried, in one name: our own escapes too, which a server may read as its own.
fn all_chars_name() -> String {
    let ascii: String = ASCII_TRIED.chars().flat_map(|c| [c, 'w']).collect();
    let wide: String = WIDE.iter().map(|(part, _last)| *part).collect();
    format!("w{ascii}%3Bw{wide}.jpg")
}

/// The name by which an ASCII character is tried, another one's whatever a server makes of it. A `%` stands
/// where it reads as an escape. `None` beyond the last.
fn with_ascii(index: usize) -> Option<String> {
    let c = ascii_at(index)?;
    let behind = if c == '%' { "3Bw" } else { "w" };
    let own = char::from_u32(u32::try_from(index).ok()? + u32::from('a'))?;
    Some(format!("w{own}{c}{behind}.jpg"))
}

fn ascii_at(index: usize) -> Option<char> {
    ASCII_TRIED.chars().nth(index)
}

impl NameProbe {
    pub(super) fn new() -> Self {
        Self { step: Step::Everything, found: RefusedChars::NONE }
    }

    /// The name to try next; `None` when everything is known.
    pub(super) fn next_name(&self) -> Option<String> {
        match self.step {
            Step::Everything => Some(all_chars_name()),
            Step::Plain => Some(PLAIN.to_owned()),
            Step::Wide(index) => Some(format!("w{}w.jpg", WIDE[index].0)),
            Step::Ascii(index) => with_ascii(index),
            Step::Escaped => Some(self.found.escape_name(&all_chars_name())),
            Step::Done => None,
        }
    }

    /// Takes what became of the last name: whether a file was there under just this name, and could be
    /// read again.
    pub(super) fn record(&mut self, is_kept: bool) {
        self.step = match (self.step, is_kept) {
            (Step::Everything | Step::Escaped, true) | (Step::Done, _) => Step::Done,
            (Step::Everything, false) => Step::Plain,
            // Not a matter of characters.
            (Step::Plain, false) => Step::Done,
            (Step::Plain, true) => Step::Wide(WIDE.len() - 1),
            (Step::Wide(0), true) => Step::Ascii(0),
            (Step::Wide(index), is_kept) => {
                if !is_kept {
                    self.found = self.found.with_last_taken(WIDE[index].1);
                }
                if index == 0 { Step::Ascii(0) } else { Step::Wide(index - 1) }
            }
            (Step::Ascii(index), is_kept) => {
                if let Some(c) = ascii_at(index).filter(|_refused| !is_kept) {
                    self.found = self.found.with(c);
                }
                if ascii_at(index + 1).is_some() { Step::Ascii(index + 1) } else { Step::Escaped }
            }
            // It is the company that a character is in: then none is used.
            (Step::Escaped, false) => {
                self.found = RefusedChars::all();
                Step::Done
            }
        };
    }

    /// What is refused.
    pub(super) fn refused_chars(&self) -> RefusedChars {
        self.found
    }

    /// The same for a trial that may have failed. A name that fails is not taken, whatever the server says
    /// of it; a failure that the plain name has too is the destination's.
    ///
    /// # Errors
    /// What the plain name fails with, and what concerns no name: a sign-in, no room, a limit of requests.
    pub(super) fn record_result(&mut self, is_kept: Result<bool, Failure>) -> Result<(), Failure> {
        match is_kept {
            Err(failure) if self.step == Step::Plain || is_about_destination(&failure) => {
                return Err(failure);
            }
            Err(_refused) => self.record(false),
            Ok(is_kept) => self.record(is_kept),
        }
        Ok(())
    }
}

/// Whether a failure says nothing of a name.
fn is_about_destination(failure: &Failure) -> bool {
    matches!(failure.kind, FailureKind::Credentials | FailureKind::RateLimited | FailureKind::Full)
}

/// Whether a listing has a name, in whatever form of its accents.
pub(super) fn lists_name<'a>(listed: impl IntoIterator<Item = &'a str>, name: &str) -> bool {
    let composed: String = name.nfc().collect();
    listed.into_iter().any(|other| other == name || other.nfc().eq(composed.chars()))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found of a destination that takes the names of which this is true.
    fn probe_all(takes: impl Fn(&str) -> bool) -> (RefusedChars, usize) {
        let mut probe = NameProbe::new();
        let mut tried = 0;
        while let Some(name) = probe.next_name() {
            tried += 1;
            assert!(tried < 40, "it ends");
            probe.record(takes(&name));
        }
        (probe.refused_chars(), tried)
    }

    #[test]
    fn one_name_is_enough_where_everything_is_taken() {
        assert_eq!(probe_all(|_name| true), (RefusedChars::NONE, 1));
    }

    #[test]
    fn what_is_refused_is_found_and_nothing_else() {
        let refuses = |chars: &'static str| move |name: &str| !name.contains(|c| chars.contains(c));
        assert_eq!(probe_all(refuses(";")).0, RefusedChars::NONE.with(';'));
        assert_eq!(probe_all(refuses("#+ ~")).0, "#+ ~".chars().fold(RefusedChars::NONE, RefusedChars::with));
        let narrow = |last: char| move |name: &str| name.chars().all(|c| c <= last);
        for last in ['\x7f', '\u{ff}', '\u{ffff}'] {
            assert_eq!(probe_all(narrow(last)).0, RefusedChars::NONE.with_last_taken(last));
        }
        // Who reads our escapes as its own is met with others.
        assert_eq!(probe_all(|name| !name.contains("%3B")).0, RefusedChars::NONE.with('%'));
    }

    #[test]
    fn where_nothing_is_taken_nothing_is_known_of_characters() {
        assert_eq!(probe_all(|_name| false), (RefusedChars::NONE, 2));
    }

    #[test]
    fn what_is_refused_only_in_company_is_all_escaped() {
        let (refused, _tried) =
            probe_all(|name| name.chars().filter(|c| ASCII_TRIED.contains(*c)).count() < 3);
        assert_eq!(refused, RefusedChars::all());
    }

    #[test]
    fn a_listing_may_take_accents_apart() {
        assert!(lists_name(["a", "e\u{301}.jpg"], "\u{e9}.jpg") && !lists_name(["e.jpg"], "\u{e9}.jpg"));
    }
}
