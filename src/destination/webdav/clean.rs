//! Removing what killed runs of this installation left behind, and nothing else.

use std::collections::HashSet;
use std::sync::Arc;

use super::folders::list;
use super::{Inner, at_destination};
use crate::destination::manifest::FOLDER as MANIFEST;
use crate::destination::marker::{HOME, SCRATCH_PREFIX, TRIAL_PREFIX};
use crate::destination::metadata_store::FolderEntry;
use crate::domain::failure::Failure;
use crate::domain::key;

/// The most folders that are looked into: far more months than there are.
const DIRS_MAX: usize = 20_000;

pub(super) async fn clean(inner: &Arc<Inner>, keep: &[u64]) -> Result<u64, Failure> {
    let _housekeeping = inner.housekeeping.lock().await;
    inner.identify().await?;
    let keep = keep.iter().copied().collect();
    let mut sweep = CleanUp { inner, keep, dirs_left: DIRS_MAX, removed: 0 };
    sweep.clean_all().await.map_err(at_destination)?;
    let mut removed = sweep.removed;
    if let Some(cloud) = &inner.cloud {
        removed +=
            cloud.clean(inner, |token| sweep.keep.contains(&token) || inner.sends.is_busy(token)).await?;
    }
    Ok(removed)
}

/// Removes what is left in our own folder. The caller holds the housekeeping lock.
pub(super) async fn clean_home(inner: &Inner) -> Result<(), Failure> {
    CleanUp { inner, keep: HashSet::new(), dirs_left: DIRS_MAX, removed: 0 }.clean_home_folder().await
}

struct CleanUp<'a> {
    inner: &'a Inner,
    keep: HashSet<u64>,
    dirs_left: usize,
    removed: u64,
}

impl CleanUp<'_> {
    /// Looks only where copies and our own files are kept; a person's other folders are not ours.
    async fn clean_all(&mut self) -> Result<(), Failure> {
        let root = self.list("").await?;
        for trial in dirs(&root, |name| self.is_own(name, TRIAL_PREFIX)) {
            self.inner.calls.remove(&format!("{trial}/")).await?;
            self.removed += 1;
        }
        for year in dirs(&root, is_year) {
            for month in dirs(&self.list(&year).await?, |name| is_month_of(&year, name)) {
                self.temps_in(&format!("{year}/{month}")).await?;
            }
        }
        self.clean_home_folder().await
    }

    async fn clean_home_folder(&mut self) -> Result<(), Failure> {
        let home = self.temps_in(HOME).await?;
        for scratch in dirs(&home, |name| self.is_own(name, SCRATCH_PREFIX)) {
            self.inner.calls.remove(&format!("{HOME}/{scratch}/")).await?;
            self.removed += 1;
        }
        if home.iter().any(|entry| entry.is_dir && entry.name == MANIFEST) {
            self.temps_in(&format!("{HOME}/{MANIFEST}/{}", self.inner.parts.installation)).await?;
        }
        Ok(())
    }

    async fn temps_in(&mut self, folder: &str) -> Result<Vec<FolderEntry>, Failure> {
        let listed = self.list(folder).await?;
        for entry in listed.iter().filter(|entry| !entry.is_dir) {
            let Some(token) = key::parse_temp_name(entry.name.as_bytes()) else { continue };
            if self.is_leftover(token) {
                self.inner.calls.remove(&format!("{folder}/{}", key::temp_name(token))).await?;
                self.removed += 1;
            }
        }
        Ok(listed)
    }

    fn is_leftover(&self, token: u64) -> bool {
        key::owns_token(&self.inner.parts.installation, token)
            && !self.keep.contains(&token)
            && !self.inner.sends.is_busy(token)
    }

    /// Whether a folder was made by a probe of this installation.
    fn is_own(&self, name: &str, prefix: &str) -> bool {
        let digits = name.strip_prefix(prefix).filter(|digits| digits.len() == 16);
        digits
            .and_then(|digits| u64::from_str_radix(digits, 16).ok())
            .is_some_and(|token| key::owns_token(&self.inner.parts.installation, token))
    }

    async fn list(&mut self, folder: &str) -> Result<Vec<FolderEntry>, Failure> {
        if self.dirs_left == 0 {
            return Ok(Vec::new());
        }
        self.dirs_left -= 1;
        Ok(list(&self.inner.calls, folder).await?.unwrap_or_default())
    }
}

fn dirs(listed: &[FolderEntry], wanted: impl Fn(&str) -> bool) -> Vec<String> {
    listed
        .iter()
        .filter(|entry| entry.is_dir && wanted(&entry.name))
        .map(|entry| entry.name.clone())
        .collect()
}

fn is_year(name: &str) -> bool {
    name.len() == 4 && name.bytes().all(|b| b.is_ascii_digit())
}

fn is_month_of(year: &str, name: &str) -> bool {
    let month = name.strip_prefix(year).and_then(|rest| rest.strip_prefix('-'));
    month.is_some_and(|month| month.len() == 2 && month.bytes().all(|b| b.is_ascii_digit()))
}
