//! Which photos are selected, and where the keyboard is.
//!
//! Selected are assets, not places: a photo that arrives above does not move the selection.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;

use crate::api::Badge;

/// The most photos that may be selected at once.
pub(in crate::ui) const SELECTION_MAX: usize = 2_000;

/// The selection of the grid.
#[derive(Debug, Default)]
pub(in crate::ui) struct Selection {
    /// The assets and how they stood when they were last seen.
    ids: BTreeMap<i64, Badge>,
    /// Where the keyboard is.
    pub cursor: Option<usize>,
    /// Where a range begins.
    anchor: Option<usize>,
    /// A range some of whose rows are still to come.
    open: Option<RangeInclusive<usize>>,
}

impl Selection {
    /// The selected assets.
    pub fn ids(&self) -> &BTreeMap<i64, Badge> {
        &self.ids
    }

    /// Whether this asset is selected.
    pub fn has(&self, asset: i64) -> bool {
        self.ids.contains_key(&asset)
    }

    /// A photo was seen with this badge.
    pub fn note(&mut self, asset: i64, badge: Badge) {
        if let Some(known) = self.ids.get_mut(&asset) {
            *known = badge;
        }
    }

    /// Nothing is selected any more. The keyboard stays where it is.
    pub fn clear(&mut self) {
        self.ids.clear();
        self.open = None;
    }

    /// Only this one.
    pub fn only(&mut self, index: usize, asset: i64, badge: Badge) {
        self.clear();
        self.ids.insert(asset, badge);
        self.cursor = Some(index);
        self.anchor = Some(index);
    }

    /// This one as well, or no longer. False when no more may be selected.
    pub fn toggle(&mut self, index: usize, asset: i64, badge: Badge) -> bool {
        self.cursor = Some(index);
        self.anchor = Some(index);
        self.open = None;
        if self.ids.remove(&asset).is_some() {
            return true;
        }
        if self.ids.len() >= SELECTION_MAX {
            return false;
        }
        self.ids.insert(asset, badge);
        true
    }

    /// Only the range from the anchor to here. False when that is too many.
    pub fn extend_to(&mut self, index: usize) -> bool {
        let anchor = *self.anchor.get_or_insert(self.cursor.unwrap_or(index));
        self.cursor = Some(index);
        self.range(anchor.min(index)..=anchor.max(index))
    }

    /// Everything. False when that is too many.
    pub fn all(&mut self, total: usize) -> bool {
        total > 0 && self.range(0..=total - 1)
    }

    fn range(&mut self, range: RangeInclusive<usize>) -> bool {
        if range.end() - range.start() >= SELECTION_MAX {
            return false;
        }
        self.ids.clear();
        self.open = Some(range);
        true
    }

    /// Moves the keyboard without selecting.
    pub fn move_to(&mut self, index: usize) {
        self.cursor = Some(index);
        self.anchor = Some(index);
    }

    /// Fills an open range from the rows that are known. `row` gives an asset, or asks for it.
    pub fn fill(&mut self, mut row: impl FnMut(usize) -> Option<(i64, Badge)>) {
        let Some(range) = self.open.clone() else { return };
        let mut is_whole = true;
        for index in range {
            match row(index) {
                Some((asset, badge)) => {
                    self.ids.insert(asset, badge);
                }
                None => is_whole = false,
            }
        }
        if is_whole {
            self.open = None;
        }
    }

    /// Keeps the keyboard inside a library that has shrunk.
    pub fn clamp(&mut self, total: usize) {
        let last = total.checked_sub(1);
        self.cursor = self.cursor.and_then(|at| last.map(|last| at.min(last)));
        self.anchor = self.anchor.and_then(|at| last.map(|last| at.min(last)));
        if self.open.as_ref().is_some_and(|range| *range.end() >= total) {
            self.open = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn id(index: usize) -> Option<(i64, Badge)> {
        i64::try_from(index).ok().map(|i| (i + 100, Badge::Safe))
    }

    #[test]
    fn click_control_click_and_shift_click() {
        let mut selection = Selection::default();
        selection.only(5, 105, Badge::Safe);
        assert!(selection.extend_to(8));
        selection.fill(id);
        assert_eq!(selection.ids().keys().copied().collect::<Vec<_>>(), [105, 106, 107, 108]);
        assert!(selection.extend_to(3), "the anchor stays");
        selection.fill(id);
        assert_eq!(selection.ids().keys().copied().collect::<Vec<_>>(), [103, 104, 105]);
        selection.toggle(104, 104, Badge::Safe);
        assert!(!selection.has(104));
        selection.clear();
        assert!(selection.ids().is_empty());
    }

    #[test]
    fn a_range_waits_for_its_rows_and_has_a_limit() {
        let mut selection = Selection::default();
        assert!(selection.all(10));
        selection.fill(|index| if index < 4 { id(index) } else { None });
        assert_eq!(selection.ids().len(), 4);
        selection.fill(id);
        assert_eq!(selection.ids().len(), 10);
        assert!(!selection.all(SELECTION_MAX + 1));
        assert_eq!(selection.ids().len(), 10, "what was selected stays");
    }

    #[test]
    fn the_keyboard_stays_inside_a_shrunken_library() {
        let mut selection = Selection::default();
        selection.move_to(50);
        selection.clamp(10);
        assert_eq!(selection.cursor, Some(9));
        selection.clamp(0);
        assert_eq!(selection.cursor, None);
    }
}
