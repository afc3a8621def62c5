//! Where every photo of the library lies, by arithmetic alone.
//!
//! Days are sections. A day that fills less than a row shares it with its neighbours, so that a
//! library of single shots is no staircase of empty rows; months that fill less than a row share a
//! heading for the same reason. Positions are `f64` points from the top
//! of the library: `f32`, which egui uses, jumps visibly past eight million points.
//!
//! Nothing here paints, asks for rows or knows a texture.

use crate::api::Section;
use crate::domain::time::Day;
use crate::ui::numbers::{far, floor_f64_to_usize, floor_to_usize, near, points};

/// Between cells.
pub(in crate::ui) const GAP: f32 = 4.0;
/// Between two days in one row, beside the gap.
const DAY_GAP: f32 = 12.0;
/// A month's heading.
pub(in crate::ui) const MONTH_HEIGHT: f32 = 56.0;
/// A day's heading.
pub(in crate::ui) const DAY_HEIGHT: f32 = 32.0;
/// Under the last cells of a band.
const BAND_GAP: f32 = 12.0;
/// The narrowest a day may be, so that its heading can be read.
const DAY_WIDTH_MIN: f32 = 88.0;

/// One day's place.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::ui) struct Block {
    /// Which section.
    pub section: usize,
    /// The index of its first asset in the whole library.
    pub first: usize,
    /// Its assets.
    pub count: usize,
    /// From the left of the grid to its first cell.
    pub x: f32,
    /// Cells in its rows.
    pub columns: usize,
}

impl Block {
    fn rows(&self) -> usize {
        self.count.div_ceil(self.columns.max(1))
    }
}

/// A strip of the library: days that share rows, with an optional month above.
#[derive(Debug, Clone, PartialEq)]
struct Band {
    top: f64,
    height: f64,
    /// The newest and the oldest day under the heading that it begins with.
    month: Option<(Day, Day)>,
    blocks: std::ops::Range<usize>,
}

/// What of the library is to be painted, relative to the top of the library.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::ui) enum Item {
    /// A month's heading.
    Month {
        /// Its top.
        top: f64,
        /// The newest day under it.
        newest: Day,
        /// The oldest.
        oldest: Day,
    },
    /// A day's heading.
    Day {
        /// Its top.
        top: f64,
        /// Its place.
        block: Block,
        /// How wide it may be.
        width: f32,
    },
    /// A photo.
    Cell {
        /// Its top.
        top: f64,
        /// From the left of the grid.
        x: f32,
        /// Which section.
        section: usize,
        /// Which of the section.
        offset: usize,
        /// Which of the library.
        index: usize,
    },
}

/// The whole library's layout at one width and cell size.
#[derive(Debug, Clone, Default)]
pub(in crate::ui) struct Layout {
    cell: f32,
    columns: usize,
    bands: Vec<Band>,
    blocks: Vec<Block>,
    /// The index of each section's first asset, and the total at the end.
    starts: Vec<usize>,
    days: Vec<Day>,
    height: f64,
}

impl Layout {
    /// Lays out `sections` in `width` points, with cells of about `cell` points.
    pub fn new(sections: &[Section], width: f32, cell: f32) -> Self {
        let columns = floor_to_usize((width + GAP) / (cell + GAP)).max(1);
        // The cells take up what is over, so that the right edge is straight.
        let cell = ((width - GAP * points(columns - 1)) / points(columns)).max(1.0);
        let mut layout = Self { cell, columns, ..Self::default() };
        layout.days = sections.iter().map(|s| Day(s.day)).collect();
        layout.fill(sections);
        layout
    }

    fn pitch(&self) -> f32 {
        self.cell + GAP
    }

    fn fill(&mut self, sections: &[Section]) {
        let pitch = self.pitch();
        let narrowest = floor_to_usize((DAY_WIDTH_MIN / pitch).ceil()).clamp(1, self.columns);
        let width = pitch * points(self.columns);
        let mut first = 0;
        let mut headings = headings(sections, self.columns).into_iter().peekable();
        let mut x = 0.0;
        let mut open = 0;
        let mut open_month = None;
        for (section, &Section { assets, .. }) in sections.iter().enumerate() {
            self.starts.push(first);
            let count = usize::try_from(assets).unwrap_or(usize::MAX);
            let columns = count.clamp(1, self.columns);
            let takes = pitch * points(columns.max(narrowest));
            let heading = headings.next_if(|heading| heading.sections.start == section);
            if self.blocks.len() > open && (heading.is_some() || x + takes > width + 0.5) {
                self.close(open, open_month.take());
                open = self.blocks.len();
                x = 0.0;
            }
            if let Some(Heading { newest, oldest, .. }) = heading {
                open_month = Some((newest, oldest));
            }
            self.blocks.push(Block { section, first, count, x, columns });
            x += takes + DAY_GAP;
            first += count;
        }
        if self.blocks.len() > open {
            self.close(open, open_month);
        }
        self.starts.push(first);
    }

    fn close(&mut self, open: usize, month: Option<(Day, Day)>) {
        let rows = self.blocks[open..].iter().map(Block::rows).max().unwrap_or(0);
        let head = if month.is_some() { MONTH_HEIGHT } else { 0.0 } + DAY_HEIGHT;
        let height = f64::from(head) + far(rows) * f64::from(self.pitch()) + f64::from(BAND_GAP);
        self.bands.push(Band { top: self.height, height, month, blocks: open..self.blocks.len() });
        self.height += height;
    }

    /// The library's height.
    pub fn height(&self) -> f64 {
        self.height
    }

    /// A cell's side.
    pub fn cell(&self) -> f32 {
        self.cell
    }

    /// Cells in a full row.
    #[cfg(test)]
    pub fn columns(&self) -> usize {
        self.columns
    }

    /// All assets.
    pub fn total(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    /// Section and offset of an asset.
    pub fn locate(&self, index: usize) -> Option<(usize, usize)> {
        if index >= self.total() {
            return None;
        }
        let section = self.starts.partition_point(|&start| start <= index) - 1;
        Some((section, index - self.starts[section]))
    }

    /// The day at a height.
    pub fn day_at(&self, y: f64) -> Option<Day> {
        let band = self.band_at(y)?;
        let block = self.blocks.get(band.blocks.start)?;
        self.days.get(block.section).copied()
    }

    /// Every year's first height, top to bottom.
    pub fn years(&self) -> Vec<(i32, f64)> {
        let mut years: Vec<(i32, f64)> = Vec::new();
        for band in &self.bands {
            let Some((day, _)) = band.month else { continue };
            let year = day.parts().0;
            if years.last().is_none_or(|(last, _)| *last != year) {
                years.push((year, band.top));
            }
        }
        years
    }

    fn band_at(&self, y: f64) -> Option<&Band> {
        let after = self.bands.partition_point(|band| band.top <= y);
        self.bands.get(after.saturating_sub(1))
    }

    fn cells_top(band: &Band) -> f64 {
        band.top + f64::from(if band.month.is_some() { MONTH_HEIGHT } else { 0.0 } + DAY_HEIGHT)
    }

    /// Top and left of a cell.
    pub fn place(&self, index: usize) -> Option<(f64, f32)> {
        let (section, offset) = self.locate(index)?;
        // Empty sections share their start with the next; blocks are one to one with sections.
        let at = self.bands.partition_point(|band| band.blocks.end <= section);
        let band = self.bands.get(at)?;
        let block = self.blocks.get(section)?;
        let row = offset / block.columns;
        let top = Self::cells_top(band) + far(row) * f64::from(self.pitch());
        Some((top, block.x + points(offset % block.columns) * self.pitch()))
    }

    /// What lies between two heights, top to bottom.
    pub fn visible(&self, top: f64, bottom: f64) -> Vec<Item> {
        let mut items = Vec::new();
        let from = self.bands.partition_point(|band| band.top + band.height <= top);
        for band in self.bands[from..].iter().take_while(|band| band.top < bottom) {
            let mut y = band.top;
            if let Some((newest, oldest)) = band.month {
                items.push(Item::Month { top: y, newest, oldest });
                y += f64::from(MONTH_HEIGHT);
            }
            let cells_top = y + f64::from(DAY_HEIGHT);
            for (i, block) in self.blocks[band.blocks.clone()].iter().enumerate() {
                let next = self.blocks[band.blocks.clone()].get(i + 1).map(|next| next.x - DAY_GAP);
                let width = next.unwrap_or(self.pitch() * points(self.columns)) - block.x - GAP;
                items.push(Item::Day { top: y, block: *block, width });
                self.cells(block, cells_top, top, bottom, &mut items);
            }
        }
        items
    }

    fn cells(&self, block: &Block, cells_top: f64, top: f64, bottom: f64, items: &mut Vec<Item>) {
        let pitch = f64::from(self.pitch());
        let first_row = floor_f64_to_usize((top - cells_top) / pitch);
        let end_row = floor_f64_to_usize(((bottom - cells_top) / pitch).ceil()).min(block.rows());
        for row in first_row..end_row {
            let y = cells_top + far(row) * pitch;
            for column in 0..block.columns {
                let offset = row * block.columns + column;
                if offset >= block.count {
                    break;
                }
                items.push(Item::Cell {
                    top: y,
                    x: block.x + points(column) * self.pitch(),
                    section: block.section,
                    offset,
                    index: block.first + offset,
                });
            }
        }
    }

    /// The asset a step up or down leads to: the nearest cell of the next row with cells.
    pub fn step(&self, index: usize, down: bool) -> usize {
        let Some((top, x)) = self.place(index) else { return 0 };
        let pitch = f64::from(self.pitch());
        // One row further, then over headings: at most the distance of two bands.
        let reach = pitch * 2.0 + f64::from(MONTH_HEIGHT + DAY_HEIGHT + BAND_GAP);
        let (from, to) = if down { (top + 1.0, top + reach + pitch) } else { (top - reach, top) };
        let key = |y: f64, cell_x: f32| (near((y - top).abs()), (cell_x - x).abs());
        self.visible(from, to)
            .into_iter()
            .filter_map(|item| match item {
                Item::Cell { top: y, x: cell_x, index, .. } => Some((y, cell_x, index)),
                _ => None,
            })
            .filter(|(y, _, _)| if down { *y > top + 1.0 } else { *y < top - 1.0 })
            .min_by(|a, b| {
                let (a, b) = (key(a.0, a.1), key(b.0, b.1));
                a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1))
            })
            .map_or(index, |(_, _, index)| index)
    }
}

/// Days under one heading: a month, or months of a year none of which fills a row.
struct Heading {
    sections: std::ops::Range<usize>,
    newest: Day,
    oldest: Day,
    is_short: bool,
}

fn headings(sections: &[Section], columns: usize) -> Vec<Heading> {
    let mut headings: Vec<Heading> = Vec::new();
    let mut from = 0;
    for month in sections.chunk_by(|a, b| a.day / 100 == b.day / 100) {
        let to = from + month.len();
        let total: u64 = month.iter().map(|s| u64::from(s.assets)).sum();
        let is_short = total < u64::try_from(columns).unwrap_or(u64::MAX);
        let newest = Day(month.first().map_or(0, |s| s.day));
        let oldest = Day(month.last().map_or(0, |s| s.day));
        match headings.last_mut() {
            Some(last) if is_short && last.is_short && last.oldest.parts().0 == newest.parts().0 => {
                last.sections.end = to;
                last.oldest = oldest;
            }
            _ => headings.push(Heading { sections: from..to, newest, oldest, is_short }),
        }
        from = to;
    }
    headings
}

#[cfg(test)]
mod tests {
    use super::*;

    fn section(day: i32, assets: u32) -> Section {
        Section { day, assets }
    }

    fn cells(items: &[Item]) -> Vec<usize> {
        items
            .iter()
            .filter_map(|item| match item {
                Item::Cell { index, .. } => Some(*index),
                _ => None,
            })
            .collect()
    }

    #[test]
    fn short_days_share_a_row_and_months_do_not() {
        let sections =
            [section(20190512, 2), section(20190510, 1), section(20190501, 30), section(20190430, 3)];
        let layout = Layout::new(&sections, 1000.0, 96.0);
        assert_eq!(layout.columns(), 10);
        assert_eq!(layout.total(), 36);
        let at = |index| layout.place(index).expect("a place");
        assert_eq!(at(0).0, at(2).0, "two short days of a month share a row");
        assert!(at(3).0 > at(2).0);
        assert_eq!(at(3).1, 0.0);
        assert!(at(33).0 > at(32).0 + f64::from(MONTH_HEIGHT), "a new month has a heading");
        let right = at(12).1 + layout.cell();
        assert!((right - 1000.0).abs() < 0.1, "rows end at the right edge, not at {right}");
    }

    #[test]
    fn months_of_a_year_that_fill_no_row_share_a_heading() {
        let sections = [
            section(20220814, 1),
            section(20220216, 1),
            section(20220203, 1),
            section(20211130, 1),
            section(20211101, 30),
            section(20211002, 2),
        ];
        let layout = Layout::new(&sections, 1000.0, 96.0);
        let headings: Vec<_> = layout
            .visible(0.0, layout.height())
            .into_iter()
            .filter_map(|item| match item {
                Item::Month { newest, oldest, .. } => Some((newest.0, oldest.0)),
                _ => None,
            })
            .collect();
        let expected = [(20220814, 20220203), (20211130, 20211101), (20211002, 20211002)];
        assert_eq!(headings, expected);
        let at = |index| layout.place(index).expect("a place").0;
        assert_eq!(at(0), at(2), "August and February are in one row");
        assert!(at(3) > at(2), "another year is not");
    }

    #[test]
    fn every_cell_is_painted_once_and_where_it_is_said_to_be() {
        let sections: Vec<_> =
            (0..200).map(|i| section(20201231 - i, u32::try_from(i * 7 % 23).unwrap_or(0))).collect();
        let layout = Layout::new(&sections, 812.0, 120.0);
        let items = layout.visible(0.0, layout.height());
        let mut sorted = cells(&items);
        sorted.sort_unstable();
        assert_eq!(sorted, (0..layout.total()).collect::<Vec<_>>());
        for item in &items {
            if let Item::Cell { top, x, section, offset, index } = item {
                assert_eq!(layout.place(*index), Some((*top, *x)));
                assert_eq!(layout.locate(*index), Some((*section, *offset)));
            }
        }
    }

    #[test]
    fn a_window_of_a_quarter_million_in_one_day_is_small_and_exact() {
        let layout = Layout::new(&[section(20240101, 250_000)], 100.0, 96.0);
        assert_eq!(layout.columns(), 1);
        let items = layout.visible(layout.height() - 1000.0, layout.height());
        assert!(cells(&items).len() <= 12);
        let (a, _) = layout.place(249_998).expect("a place");
        let (b, _) = layout.place(249_999).expect("a place");
        assert!((b - a - f64::from(layout.cell() + GAP)).abs() < 1e-6);
        assert_eq!(layout.place(250_000), None);
    }

    #[test]
    fn up_and_down_lead_to_neighbours_and_back() {
        let sections = [section(20190512, 25), section(20190410, 4), section(20180401, 30)];
        let layout = Layout::new(&sections, 1000.0, 96.0);
        assert_eq!(layout.step(3, true), 13);
        assert_eq!(layout.step(13, false), 3);
        assert_eq!(layout.step(3, false), 3);
        let below = layout.step(22, true);
        assert_eq!(below, 27, "over a month's heading");
        assert_eq!(layout.step(58, true), 58);
        assert_eq!(layout.years(), vec![(2019, 0.0), (2018, layout.years()[1].1)]);
    }

    #[test]
    fn nothing_at_all_is_no_trouble() {
        let layout = Layout::new(&[], 0.0, 96.0);
        assert_eq!((layout.total(), layout.height()), (0, 0.0));
        assert!(layout.visible(0.0, 100.0).is_empty());
        assert_eq!(layout.day_at(0.0), None);
        assert_eq!(layout.step(0, true), 0);
    }
}
