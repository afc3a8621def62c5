//! The rows of the library that have been asked for, and which to ask for next.
//!
//! Rows come in pages of a day. What was shown stays shown until its newer self has come. The
//! cache is bounded, and so is what is under way.

use std::collections::{HashMap, HashSet};

use crate::api::{AssetRow, LibraryFilter, Query, Request, Section};
use crate::ui::commands::PageKey;

/// Rows of one page.
const PAGE_ROWS: u32 = 200;
/// Pages kept. A selection of the most that may be selected fits, single-shot days included.
const PAGES_MAX: usize = 2_400;
/// Pages under way.
const UNDER_WAY_MAX: usize = 48;

#[derive(Debug)]
struct Page {
    rows: Vec<AssetRow>,
    revision: u64,
    used: u64,
}

/// The library as far as it is known.
#[derive(Debug, Default)]
pub(in crate::ui) struct Pages {
    /// What the person wants to see.
    pub filter: LibraryFilter,
    /// What `sections` show.
    pub shown: LibraryFilter,
    sections: Vec<Section>,
    /// Rises when `sections` change.
    pub generation: u64,
    /// The revision that the sections show; none before the first answer.
    pub sections_revision: Option<u64>,
    sections_under_way: bool,
    /// Why the days could not be had, the last time.
    pub refusal: Option<String>,
    /// What the days were last asked for with.
    asked: Option<(LibraryFilter, u64)>,
    /// Pages older than this are asked for again when they are seen.
    revision: u64,
    pages: HashMap<PageKey, Page>,
    under_way: HashSet<PageKey>,
    /// Pages that were refused; not asked for again until something changes.
    refused: HashSet<PageKey>,
    tick: u64,
}

impl Pages {
    /// The days, newest first.
    pub fn sections(&self) -> &[Section] {
        &self.sections
    }

    /// Whether the days have come once.
    pub fn is_known(&self) -> bool {
        self.sections_revision.is_some()
    }

    /// From now on pages older than `revision` are stale. Returns the request for the days where
    /// they have to be asked for.
    pub fn refresh(&mut self, revision: u64) -> Option<Request> {
        self.revision = revision;
        self.refused.clear();
        let is_current = self.sections_revision >= Some(revision) && self.shown == self.filter;
        if is_current || self.sections_under_way {
            return None;
        }
        self.sections_under_way = true;
        self.asked = Some((self.filter, revision));
        Some(Request::Query(Query::Sections { filter: self.filter }))
    }

    /// Whether `refresh` has not been called for this revision and the filter as it is.
    pub fn is_stale(&self, revision: u64) -> bool {
        self.asked != Some((self.filter, revision)) && !self.sections_under_way
    }

    /// The line was lost: what was under way will not come.
    pub fn on_reconnected(&mut self) {
        self.sections_under_way = false;
        self.asked = None;
        self.under_way.clear();
    }

    /// Takes the days in.
    pub fn on_sections(&mut self, filter: LibraryFilter, revision: u64, sections: Vec<Section>) {
        self.sections_under_way = false;
        if filter != self.filter {
            self.asked = None;
            return;
        }
        self.refusal = None;
        if self.shown != filter {
            self.pages.clear();
            self.shown = filter;
        }
        self.sections_revision = Some(revision);
        if self.sections != sections {
            self.sections = sections;
            self.generation += 1;
        }
    }

    /// The days could not be had; they are asked for again at the next change.
    pub fn on_sections_failed(&mut self, why: String) {
        self.sections_under_way = false;
        self.refusal = Some(why);
    }

    fn key(&self, section: usize, offset: usize) -> Option<PageKey> {
        let day = self.sections.get(section)?.day;
        let page = u32::try_from(offset).ok()? / PAGE_ROWS;
        Some(PageKey { filter: self.shown, day, page })
    }

    /// A row, where it is known, however old.
    pub fn row(&self, section: usize, offset: usize) -> Option<&AssetRow> {
        let page = self.pages.get(&self.key(section, offset)?)?;
        page.rows.get(offset % usize::try_from(PAGE_ROWS).unwrap_or(1))
    }

    /// Says that a row is seen. Returns the request for its page where it is missing or stale.
    pub fn want(&mut self, section: usize, offset: usize) -> Option<(PageKey, Request)> {
        let key = self.key(section, offset)?;
        self.tick += 1;
        let revision = self.revision;
        let is_fresh = self.pages.get_mut(&key).is_some_and(|page| {
            page.used = self.tick;
            page.revision >= revision
        });
        let is_asked = self.under_way.contains(&key) || self.refused.contains(&key);
        if is_fresh || is_asked || self.under_way.len() >= UNDER_WAY_MAX {
            return None;
        }
        self.under_way.insert(key);
        let offset = key.page * PAGE_ROWS;
        Some((
            key,
            Request::Query(Query::Assets { day: key.day, offset, limit: PAGE_ROWS, filter: key.filter }),
        ))
    }

    /// Whether more was wanted than may be under way.
    pub fn is_busy(&self) -> bool {
        self.under_way.len() >= UNDER_WAY_MAX
    }

    /// Takes a page in.
    pub fn on_page(&mut self, key: PageKey, revision: u64, rows: Vec<AssetRow>) {
        self.under_way.remove(&key);
        if key.filter != self.shown {
            return;
        }
        self.tick += 1;
        // An answer is never older than the question: it counts as fresh for what was asked.
        let revision = revision.max(self.pages.get(&key).map_or(0, |old| old.revision));
        self.pages.insert(key, Page { rows, revision, used: self.tick });
        if self.pages.len() > PAGES_MAX {
            self.evict();
        }
    }

    /// A page could not be had.
    pub fn on_page_failed(&mut self, key: PageKey) {
        self.under_way.remove(&key);
        self.refused.insert(key);
    }

    fn evict(&mut self) {
        let mut used: Vec<u64> = self.pages.values().map(|page| page.used).collect();
        used.sort_unstable();
        let keep_from = used.get(used.len() / 4).copied().unwrap_or(0);
        self.pages.retain(|_, page| page.used >= keep_from);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_asked_for_once_and_kept_until_newer_ones_come() {
        let mut pages = Pages::default();
        assert!(matches!(pages.refresh(7), Some(Request::Query(Query::Sections { .. }))));
        assert_eq!(pages.refresh(7), None, "only once under way");
        pages.on_sections(LibraryFilter::All, 7, vec![Section { day: 20200101, assets: 500 }]);
        let (key, request) = pages.want(0, 450).expect("a request");
        assert_eq!(
            request,
            Request::Query(Query::Assets {
                day: 20200101,
                offset: 400,
                limit: 200,
                filter: LibraryFilter::All
            })
        );
        assert_eq!(pages.want(0, 460), None, "the same page is under way");
        assert_eq!(pages.row(0, 450), None);
        pages.on_page(key, 7, Vec::new());
        assert_eq!(pages.want(0, 450), None, "fresh");
        pages.refresh(8);
        assert!(pages.want(0, 450).is_some(), "stale, so asked for again");
    }

    #[test]
    fn an_answer_for_a_filter_that_was_left_is_dropped() {
        let mut pages = Pages::default();
        pages.refresh(1);
        pages.filter = LibraryFilter::Videos;
        pages.on_sections(LibraryFilter::All, 1, vec![Section { day: 20200101, assets: 5 }]);
        assert!(pages.sections().is_empty());
        assert!(matches!(
            pages.refresh(1),
            Some(Request::Query(Query::Sections { filter: LibraryFilter::Videos }))
        ));
    }

    #[test]
    fn what_is_under_way_is_bounded() {
        let mut pages = Pages::default();
        pages.refresh(1);
        let days = (0..200).map(|i| Section { day: 20200101 + i, assets: 1 }).collect();
        pages.on_sections(LibraryFilter::All, 1, days);
        let asked = (0..200).filter(|&i| pages.want(i, 0).is_some()).count();
        assert_eq!(asked, UNDER_WAY_MAX);
        assert!(pages.is_busy());
    }
}
