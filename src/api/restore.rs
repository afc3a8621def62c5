//! Restoring files: what is asked for, what there is, and how far it is.

use serde::{Deserialize, Serialize};

use super::PathText;

/// How restored files are laid out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreLayout {
    /// Folders by capture date.
    #[default]
    Dates,
    /// The folders that the files came from.
    Folders,
}

/// What is to be restored.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreScope {
    /// Every copy.
    #[default]
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
        source: String,
        /// The path below it; empty for the whole source folder.
        path: PathText,
    },
    /// All files of these assets of the library. At most [`super::IDS_MAX`].
    Assets(Vec<i64>),
    /// Copies with these public ids. At most [`super::IDS_MAX`].
    Copies(Vec<String>),
    /// Copies whose key, or source's name and path below it, match this glob.
    Glob(String),
}

/// Where files are restored to.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreTarget {
    /// Into this folder; nothing in it is replaced.
    Folder(PathText),
    /// Back to where they were, in the source folders of this computer, where nothing is now.
    Original,
}

/// A restore that is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RestoreOrder {
    /// The destination to restore from.
    pub destination: i64,
    /// Which copies.
    pub scope: RestoreScope,
    /// Where the files go.
    pub target: RestoreTarget,
    /// How the files are laid out in a folder. Files that go back to where they were are as they were.
    pub layout: RestoreLayout,
}

/// Files and their bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct FileTotals {
    /// Files.
    pub files: u64,
    /// Bytes of all of them.
    pub bytes: u64,
}

impl FileTotals {
    /// Counts one more file.
    pub fn add(&mut self, bytes: u64) {
        self.files += 1;
        self.bytes += bytes;
    }
}

/// What a destination has that can be restored.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RestoreOverview {
    /// All copies.
    pub total: FileTotals,
    /// By month of capture, the latest first.
    pub months: Vec<RestoreMonth>,
    /// By source folder and the first folder below it, sorted; at most 1 000.
    pub folders: Vec<RestoreFolder>,
}

/// The copies of one month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreMonth {
    /// The year.
    pub year: i32,
    /// The month, 1 to 12.
    pub month: i32,
    /// Its copies.
    pub totals: FileTotals,
}

/// The copies of one folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreFolder {
    /// The name of the source folder.
    pub source: String,
    /// The path below it; empty for all of the source folder.
    pub path: PathText,
    /// Its copies, with those of all folders below it.
    pub totals: FileTotals,
}

/// What is done with a restore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum RestoreAction {
    /// It stops; what is restored stays.
    Stop,
    /// One that has ended goes on with what is missing.
    Resume,
    /// One that has ended is not shown any more.
    Dismiss,
}

/// A restore that goes on by itself, or how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RestoreState {
    /// Its number.
    pub id: i64,
    /// What was asked for.
    pub order: RestoreOrder,
    /// It is under way, or waits.
    pub is_running: bool,
    /// Why it waits, or why it ended before every file was looked at: a sentence.
    pub reason: Option<String>,
    /// What came of it.
    pub result: RestoreResult,
}

/// What came of a restore.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct RestoreResult {
    /// Files written and compared.
    pub restored: u64,
    /// Files that were there already with the same bytes.
    pub present: u64,
    /// Files that could not be restored.
    pub failed: u64,
    /// Plain sentences, one for each of them, as many as are kept.
    pub sentences: Vec<String>,
}
