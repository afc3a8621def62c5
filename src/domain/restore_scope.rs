//! Which of a destination's copies a restore is for.

use std::collections::HashSet;

use super::asset::CapturedAt;
use super::glob::Glob;
use super::ids::RecordId;

/// What is to be restored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RestoreScope {
    /// Every copy.
    All,
    /// What was captured in a year, or in one month of it.
    Period {
        /// The year.
        year: i32,
        /// The month, 1 to 12; every month where there is none.
        month: Option<i32>,
    },
    /// What came from a folder, with all folders below it.
    Folder {
        /// The name of the source folder.
        source_label: String,
        /// The path below it; empty for the whole source folder.
        path: Vec<u8>,
    },
    /// The copies of these records.
    Records(HashSet<RecordId>),
    /// Copies whose key, or source's name and path below it, matches.
    Glob(Glob),
}

/// What decides whether a copy is in a scope.
#[derive(Debug, Clone, Copy)]
pub struct ScopedCopy<'a> {
    /// Its record.
    pub id: RecordId,
    /// Its key at the destination.
    pub key: &'a str,
    /// When it was captured.
    pub captured_at: CapturedAt,
    /// The name of the source folder that it came from.
    pub source_label: &'a str,
    /// Its path below that source.
    pub path: &'a [u8],
}

impl RestoreScope {
    /// Whether a copy is to be restored.
    pub fn contains(&self, copy: &ScopedCopy<'_>) -> bool {
        match self {
            Self::All => true,
            Self::Period { year, month } => {
                let (in_year, in_month) = month_of(copy.captured_at);
                *year == in_year && month.is_none_or(|month| month == in_month)
            }
            Self::Folder { source_label, path } => {
                source_label == copy.source_label && is_below(copy.path, path)
            }
            Self::Records(records) => records.contains(&copy.id),
            Self::Glob(glob) => {
                let original = format!("{}/{}", copy.source_label, String::from_utf8_lossy(copy.path));
                glob.matches(copy.key) || glob.matches(&original)
            }
        }
    }
}

/// The year and month of a capture date, as written.
pub fn month_of(captured_at: CapturedAt) -> (i32, i32) {
    let day = captured_at.day().0;
    (day.div_euclid(10_000), day.rem_euclid(10_000) / 100)
}

/// The first component of the folder that a path is in; empty for a file of the source folder itself.
pub fn top_folder(path: &[u8]) -> &[u8] {
    match path.iter().position(|byte| *byte == b'/') {
        Some(slash) => &path[..slash],
        None => &[],
    }
}

fn is_below(path: &[u8], folder: &[u8]) -> bool {
    folder.is_empty() || path.strip_prefix(folder).is_some_and(|rest| rest.starts_with(b"/"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::asset::Provenance;
    use crate::domain::time::UnixMillis;

    fn is_in(scope: &RestoreScope) -> bool {
        scope.contains(&ScopedCopy {
            id: RecordId(7),
            key: "2021/2021-12/IMG_1.JPG",
            captured_at: CapturedAt {
                // 2021-12-31 23:59 as written.
                wall_ms: UnixMillis(1_640_995_140_000),
                offset_minutes: Some(-600),
                provenance: Provenance::Metadata,
            },
            source_label: "Pictures",
            path: b"Norway/Day 1/IMG_1.JPG",
        })
    }

    #[test]
    fn a_period_goes_by_the_date_as_written() {
        assert!(is_in(&RestoreScope::Period { year: 2021, month: None }));
        assert!(is_in(&RestoreScope::Period { year: 2021, month: Some(12) }));
        assert!(!is_in(&RestoreScope::Period { year: 2021, month: Some(1) }));
        assert!(!is_in(&RestoreScope::Period { year: 2022, month: None }));
    }

    #[test]
    fn a_folder_is_a_whole_component() {
        let folder = |label: &str, path: &str| RestoreScope::Folder {
            source_label: label.to_owned(),
            path: path.as_bytes().to_vec(),
        };
        assert!(is_in(&folder("Pictures", "")));
        assert!(is_in(&folder("Pictures", "Norway")));
        assert!(is_in(&folder("Pictures", "Norway/Day 1")));
        assert!(!is_in(&folder("Pictures", "Norway/Day")));
        assert!(!is_in(&folder("Pictures", "Norway/Day 1/IMG_1.JPG")));
        assert!(!is_in(&folder("Other", "")));
        assert_eq!(top_folder(b"Norway/Day 1/IMG_1.JPG"), b"Norway");
        assert_eq!(top_folder(b"IMG_1.JPG"), b"");
    }

    #[test]
    fn records_and_patterns_choose_single_copies() {
        assert!(is_in(&RestoreScope::Records(HashSet::from([RecordId(7)]))));
        assert!(!is_in(&RestoreScope::Records(HashSet::from([RecordId(8)]))));
        assert!(is_in(&RestoreScope::Glob(Glob::new("2021/*"))));
        assert!(is_in(&RestoreScope::Glob(Glob::new("pictures/norway/*"))));
        assert!(!is_in(&RestoreScope::Glob(Glob::new("*.png"))));
    }
}
