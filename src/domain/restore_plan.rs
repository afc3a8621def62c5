//! What each restored file is called, so that sets stay together and no two files meet.
//!
//! The plan is made from all copies that are restored, before the first is read. Everything in a
//! manifest is hostile input: a path that could lead elsewhere is never used, and the copy's key,
//! which was checked when it was read, takes its place.

use super::stable_name::stable_names;
use std::collections::{HashMap, HashSet};

use super::grouping;
use super::hash::Blake3;
use super::key;

/// Copies that one plan can hold. Of more, every file gets its key's name.
pub const PLAN_COPIES_MAX: usize = 2_000_000;
/// Digits of the hash in the name of an older version.
const VERSION_DIGITS: usize = 8;

/// How restored files are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum RestoreLayout {
    /// By capture date: the folder of the key. A file has its original name where no other restored
    /// file has it there, else the key's name, and a set does so as a whole.
    #[default]
    Dates,
    /// As the files were: the source's name and the path below it.
    Folders,
}

stable_names!(RestoreLayout);

/// What is known of a copy's names.
#[derive(Debug, Clone, Copy)]
pub struct RestoreCopy<'a> {
    /// Its key at the destination.
    pub key: &'a str,
    /// The name of the source folder that it came from.
    pub source_label: &'a str,
    /// Its path below that source.
    pub path: &'a [u8],
    /// The original's modification time in nanoseconds since 1970: the newest version of a path has
    /// the name.
    pub mtime_ns: i64,
    /// Its bytes.
    pub hash: Blake3,
}

/// One copy of the plan, as hashes of its names.
#[derive(Debug, Clone, Copy)]
struct Entry {
    /// The file that it is a version of.
    file: u64,
    set: u64,
    /// Its original name in the key's folder.
    original: u64,
    key: u64,
}

/// The newest version of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Version {
    mtime_ns: i64,
    hash: Blake3,
}

/// The names of all files of one restore.
#[derive(Debug, Default)]
pub struct RestorePlan {
    layout: RestoreLayout,
    entries: Vec<Entry>,
    newest: HashMap<u64, Version>,
    /// Sets of which a file would meet another under its original name.
    met: HashSet<u64>,
    is_over_limit: bool,
}

impl RestorePlan {
    /// A plan without copies.
    pub fn new(layout: RestoreLayout) -> Self {
        Self { layout, ..Self::default() }
    }

    /// Adds a copy. Every copy that is to be restored is added before the first target is asked for.
    pub fn add(&mut self, copy: &RestoreCopy<'_>) {
        if self.newest.len().max(self.entries.len()) >= PLAN_COPIES_MAX {
            self.is_over_limit = true;
            return;
        }
        let version = Version { mtime_ns: copy.mtime_ns, hash: copy.hash };
        let entry = self.entry(copy);
        let newest = self.newest.entry(entry.file).or_insert(version);
        *newest = (*newest).max(version);
        if self.layout == RestoreLayout::Dates {
            self.entries.push(entry);
        }
    }

    /// Finds the sets whose original names would meet. Called once, after the last copy was added.
    pub fn resolve(&mut self) {
        let mut entries = std::mem::take(&mut self.entries);
        entries.sort_unstable_by_key(|entry| (entry.original, entry.file));
        let mut waiting: Vec<u64> = Vec::new();
        for pair in entries.windows(2) {
            if pair[0].original == pair[1].original && pair[0].file != pair[1].file {
                waiting.extend([pair[0].set, pair[1].set]);
            }
        }
        let mut by_set: Vec<(u64, u64, u64)> =
            entries.iter().map(|entry| (entry.set, entry.key, entry.file)).collect();
        by_set.sort_unstable();
        // A set that takes its keys' names may take them from sets that have such names by nature.
        while let Some(set) = waiting.pop() {
            if !self.met.insert(set) {
                continue;
            }
            let first = by_set.partition_point(|(other, ..)| *other < set);
            for (_, key, file) in by_set[first..].iter().take_while(|(other, ..)| *other == set) {
                let first = entries.partition_point(|entry| entry.original < *key);
                let named = entries[first..].iter().take_while(|entry| entry.original == *key);
                waiting.extend(named.filter(|entry| entry.file != *file).map(|entry| entry.set));
            }
        }
    }

    /// Where a copy is restored to: a relative path of plain components, separated by `/`.
    pub fn target(&self, copy: &RestoreCopy<'_>) -> Vec<u8> {
        let key = copy.key.as_bytes();
        let Some(original) = path_below(copy.source_label, copy.path).filter(|_| !self.is_over_limit) else {
            return key.to_vec();
        };
        let entry = self.entry(copy);
        let (folder, name) = match self.layout {
            RestoreLayout::Dates if self.met.contains(&entry.set) => return key.to_vec(),
            RestoreLayout::Dates => (folder_of(copy.key).as_bytes(), name_of(copy.path)),
            RestoreLayout::Folders => {
                let end = original.len() - name_of(copy.path).len();
                (original[..end].strip_suffix(b"/").unwrap_or_default(), name_of(copy.path))
            }
        };
        let name = if self.is_newest(copy) {
            name.to_vec()
        } else {
            let suffix = format!("~{}", &copy.hash.to_hex()[..VERSION_DIGITS]);
            let (stem, tail) = name.split_at(grouping::stem_end(name).min(name.len()));
            [stem, suffix.as_bytes(), tail].concat()
        };
        if name.len() > key::NAME_BYTES_MAX {
            return key.to_vec();
        }
        super::path::join(folder, &name)
    }

    /// Whether a copy is the newest version of its file among all that are restored.
    pub fn is_newest(&self, copy: &RestoreCopy<'_>) -> bool {
        self.newest.get(&self.entry(copy).file).is_none_or(|newest| newest.hash == copy.hash)
    }

    fn entry(&self, copy: &RestoreCopy<'_>) -> Entry {
        let folder = match self.layout {
            RestoreLayout::Dates => folder_of(copy.key),
            RestoreLayout::Folders => "",
        };
        let name = name_of(copy.path);
        let dir = &copy.path[..copy.path.len() - name.len()];
        let label = copy.source_label.as_bytes();
        let original = format!("{folder}/{}", String::from_utf8_lossy(name));
        Entry {
            file: digest(&[folder.as_bytes(), label, copy.path]),
            set: digest(&[folder.as_bytes(), label, dir, &grouping::group_key(name)]),
            original: digest(&[key::fold(&original).as_bytes()]),
            key: digest(&[key::fold(copy.key).as_bytes()]),
        }
    }
}

/// 64 bits of a hash of several texts. Two that are equal by chance cost a plainer name, never a file.
fn digest(parts: &[&[u8]]) -> u64 {
    let mut hasher = blake3::Hasher::new();
    for part in parts {
        hasher.update(&(part.len() as u64).to_le_bytes()).update(part);
    }
    let mut bytes = [0; 8];
    hasher.finalize_xof().fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

fn folder_of(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(folder, _name)| folder)
}

fn name_of(path: &[u8]) -> &[u8] {
    path.rsplit(|byte| *byte == b'/').next().unwrap_or_default()
}

/// The source's name and the path below it; `None` if any component could lead elsewhere.
fn path_below(label: &str, path: &[u8]) -> Option<Vec<u8>> {
    let whole = super::path::join(label.as_bytes(), path);
    is_plain_path(&whole).then_some(whole)
}

/// Whether a relative path has only components that name something below where they are.
pub fn is_plain_path(path: &[u8]) -> bool {
    path.len() <= PATH_BYTES_MAX
        && path.split(|byte| *byte == b'/').all(|part| {
            !part.is_empty()
                && part != b"."
                && part != b".."
                && part.len() <= key::NAME_BYTES_MAX
                && !part.contains(&0)
        })
}

/// The longest path that a restored file gets, in bytes.
const PATH_BYTES_MAX: usize = 3_072;

#[cfg(test)]
mod tests {
    use super::*;

    struct Copy {
        key: &'static str,
        path: &'static str,
        mtime_ns: i64,
        seed: u8,
    }

    fn copy(key: &'static str, path: &'static str, mtime_ns: i64) -> Copy {
        Copy { key, path, mtime_ns, seed: 0 }
    }

    /// The targets of copies of one source, each with bytes of its own.
    fn targets(layout: RestoreLayout, mut copies: Vec<Copy>) -> Vec<String> {
        for (seed, copy) in (1_u8..).zip(&mut copies) {
            copy.seed = seed;
        }
        let as_copy = |copy: &Copy| RestoreCopy {
            key: copy.key,
            source_label: "Photos",
            path: copy.path.as_bytes(),
            mtime_ns: copy.mtime_ns,
            hash: Blake3([copy.seed; 32]),
        };
        let mut plan = RestorePlan::new(layout);
        copies.iter().for_each(|copy| plan.add(&as_copy(copy)));
        plan.resolve();
        copies.iter().map(|copy| String::from_utf8(plan.target(&as_copy(copy))).expect("text")).collect()
    }

    #[test]
    fn original_names_come_back_where_nothing_meets() {
        // Keys as an earlier version gave them: a companion had its primary's stem.
        let copies = vec![
            copy("2020/2020-01/IMG_1234.AAE", "IMG_O1234.AAE", 1),
            copy("2020/2020-01/IMG_1234~01010101.AAE", "IMG_1234.AAE", 1),
            copy("2020/2020-01/IMG_1234.JPG", "IMG_1234.JPG", 1),
        ];
        assert_eq!(
            targets(RestoreLayout::Dates, copies),
            ["2020/2020-01/IMG_O1234.AAE", "2020/2020-01/IMG_1234.AAE", "2020/2020-01/IMG_1234.JPG"]
        );
    }

    #[test]
    fn sets_that_meet_keep_the_names_of_their_keys_as_a_whole() {
        let copies = || {
            vec![
                copy("m/IMG_1.JPG", "a/IMG_1.JPG", 1),
                copy("m/IMG_1.xmp", "a/IMG_1.xmp", 1),
                copy("m/IMG_1~02.JPG", "b/IMG_1.JPG", 1),
                copy("m/IMG_1~02.MOV", "b/IMG_1.MOV", 1),
                copy("m/IMG_2.JPG", "b/IMG_2.JPG", 1),
            ]
        };
        let keys: Vec<&str> = copies().iter().map(|copy| copy.key).collect();
        assert_eq!(targets(RestoreLayout::Dates, copies()), keys);
        assert_eq!(
            targets(RestoreLayout::Folders, copies()),
            [
                "Photos/a/IMG_1.JPG",
                "Photos/a/IMG_1.xmp",
                "Photos/b/IMG_1.JPG",
                "Photos/b/IMG_1.MOV",
                "Photos/b/IMG_2.JPG"
            ]
        );
    }

    #[test]
    fn a_key_that_is_needed_sends_its_namesake_to_its_own_key() {
        let copies = vec![
            copy("m/x~1.jpg", "a/x.jpg", 1),
            copy("m/y.jpg", "b/x.jpg", 1),
            // Its original name is the key of the one above, which needs it.
            copy("m/z.jpg", "c/y.jpg", 1),
        ];
        assert_eq!(targets(RestoreLayout::Dates, copies), ["m/x~1.jpg", "m/y.jpg", "m/z.jpg"]);
    }

    #[test]
    fn the_newest_version_has_the_name() {
        for layout in RestoreLayout::ALL {
            let folder = if layout == RestoreLayout::Dates { "m" } else { "Photos" };
            let copies = vec![
                copy("m/p.jpg", "p.jpg", 5),
                copy("m/p.jpg.xmp", "p.jpg.xmp", 5),
                copy("m/p~07.jpg.xmp", "p.jpg.xmp", 9),
                copy("m/p~08.jpg.xmp", "p.jpg.xmp", 7),
            ];
            assert_eq!(
                targets(layout, copies),
                [
                    format!("{folder}/p.jpg"),
                    format!("{folder}/p~02020202.jpg.xmp"),
                    format!("{folder}/p.jpg.xmp"),
                    format!("{folder}/p~04040404.jpg.xmp")
                ]
            );
        }
    }

    #[test]
    fn paths_that_lead_elsewhere_are_not_used() {
        for path in ["../x.jpg", "a/../x.jpg", "/etc/x.jpg", "a//x.jpg", "./x.jpg", "a/\0.jpg", "", "a/"] {
            for layout in RestoreLayout::ALL {
                assert_eq!(targets(layout, vec![copy("m/k.jpg", path, 1)]), ["m/k.jpg"], "{path:?}");
            }
        }
        let mut plan = RestorePlan::new(RestoreLayout::Folders);
        for label in ["..", "", "a/../..", "/"] {
            let hostile = RestoreCopy {
                key: "m/k.jpg",
                source_label: label,
                path: b"x.jpg",
                mtime_ns: 0,
                hash: Blake3([1; 32]),
            };
            plan.add(&hostile);
            let target = plan.target(&hostile);
            assert!(target == b"m/k.jpg" || label.is_empty() && target == b"x.jpg", "{label}");
        }
    }
}
