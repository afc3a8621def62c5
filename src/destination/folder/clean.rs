//! Removing what killed runs of this installation left behind, and nothing else.

use std::collections::HashSet;
use std::io;
use std::sync::Arc;

use super::Inner;
use super::fs::FolderDir;
use super::marker::{HOME, SCRATCH_PREFIX};
use crate::base::files::EntryKind;
use crate::destination::manifest::FOLDER as MANIFEST;
use crate::domain::failure::Failure;
use crate::domain::key;

/// The most directories that are looked into: far more months than there are.
const DIRS_MAX: usize = 20_000;
/// The most entries of one directory that are looked at.
const ENTRIES_MAX: usize = 1_000_000;
/// The most files that a scratch folder is emptied of.
pub(super) const SCRATCH_FILES_MAX: usize = 64;

struct CleanUp<'a> {
    inner: &'a Inner,
    keep: HashSet<u64>,
    dirs_left: usize,
    removed: u64,
}

pub(super) async fn clean(inner: &Arc<Inner>, keep: &[u64]) -> Result<u64, Failure> {
    let _housekeeping = Arc::clone(&inner.housekeeping).lock_owned().await;
    let keep: HashSet<u64> = keep.iter().copied().collect();
    inner.run(move |inner| clean_now(inner, keep)).await
}

fn clean_now(inner: &Inner, keep: HashSet<u64>) -> Result<u64, Failure> {
    let root = inner.open()?;
    let mut sweep = CleanUp { inner, keep, dirs_left: DIRS_MAX, removed: 0 };
    sweep.clean_all(root.as_ref()).map_err(|error| inner.explain(&error, "clearing temp files"))?;
    Ok(sweep.removed)
}

/// Removes what is left in our own folder. Cheap enough to be done before each probe; the caller
/// holds the housekeeping lock.
pub(super) fn clean_home(inner: &Inner, root: &dyn FolderDir) -> io::Result<()> {
    CleanUp { inner, keep: HashSet::new(), dirs_left: DIRS_MAX, removed: 0 }.clean_home_folder(root)
}

/// Removes a scratch folder and the files in it.
pub(super) fn remove_scratch(home: &dyn FolderDir, name: &str) -> io::Result<()> {
    let scratch = home.open_dir(name)?;
    for (file, _kind) in scratch.list(SCRATCH_FILES_MAX)? {
        scratch.remove_file(&String::from_utf8_lossy(&file))?;
    }
    home.remove_dir(name)
}

impl CleanUp<'_> {
    /// Looks only where copies and our own files are kept; a person's other folders are not ours.
    fn clean_all(&mut self, root: &dyn FolderDir) -> io::Result<()> {
        for year in self.dirs_in(root, is_year)? {
            let Some(year_dir) = self.open(root, &year)? else { continue };
            for month in self.dirs_in(year_dir.as_ref(), |name| is_month_of(&year, name))? {
                if let Some(month_dir) = self.open(year_dir.as_ref(), &month)? {
                    self.temps_in(month_dir.as_ref())?;
                }
            }
        }
        self.clean_home_folder(root)
    }

    fn clean_home_folder(&mut self, root: &dyn FolderDir) -> io::Result<()> {
        let Some(home) = self.open(root, HOME)? else { return Ok(()) };
        self.temps_in(home.as_ref())?;
        for scratch in self.dirs_in(home.as_ref(), |name| self.is_own_scratch(name))? {
            remove_scratch(home.as_ref(), &scratch)?;
            self.removed += 1;
        }
        if let Some(manifests) = self.open(home.as_ref(), MANIFEST)?
            && let Some(own) = self.open(manifests.as_ref(), &self.inner.parts.installation)?
        {
            self.temps_in(own.as_ref())?;
        }
        Ok(())
    }

    fn temps_in(&mut self, dir: &dyn FolderDir) -> io::Result<()> {
        for (name, kind) in dir.list(ENTRIES_MAX)? {
            let Some(token) = key::parse_temp_name(&name) else { continue };
            if kind != EntryKind::File || !self.is_leftover(token) {
                continue;
            }
            match dir.remove_file(&key::temp_name(token)) {
                Ok(()) => self.removed += 1,
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    fn is_leftover(&self, token: u64) -> bool {
        key::owns_token(&self.inner.parts.installation, token)
            && !self.keep.contains(&token)
            && !self.inner.sends.is_busy(token)
    }

    fn is_own_scratch(&self, name: &str) -> bool {
        let digits = name.strip_prefix(SCRATCH_PREFIX).filter(|digits| digits.len() == 16);
        digits
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .is_some_and(|token| key::owns_token(&self.inner.parts.installation, token))
    }

    fn dirs_in(&self, dir: &dyn FolderDir, wanted: impl Fn(&str) -> bool) -> io::Result<Vec<String>> {
        let entries = dir.list(ENTRIES_MAX)?.into_iter();
        Ok(entries
            .filter(|(_name, kind)| *kind == EntryKind::Dir)
            .filter_map(|(name, _kind)| String::from_utf8(name).ok())
            .filter(|name| wanted(name))
            .collect())
    }

    fn open(&mut self, parent: &dyn FolderDir, name: &str) -> io::Result<Option<Box<dyn FolderDir>>> {
        if self.dirs_left == 0 {
            return Ok(None);
        }
        self.dirs_left -= 1;
        match parent.open_dir(name) {
            Ok(dir) => Ok(Some(dir)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }
}

fn is_year(name: &str) -> bool {
    name.len() == 4 && name.bytes().all(|b| b.is_ascii_digit())
}

fn is_month_of(year: &str, name: &str) -> bool {
    let month = name.strip_prefix(year).and_then(|rest| rest.strip_prefix('-'));
    month.is_some_and(|month| month.len() == 2 && month.bytes().all(|b| b.is_ascii_digit()))
}
