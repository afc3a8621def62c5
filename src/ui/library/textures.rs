//! Thumbnails on the graphics card: square slots in a few large pages, the least lately seen first
//! to go.
//!
//! Pages make a whole grid one draw; slots of one size make replacing a picture one upload. What
//! is uploaded in a frame is bounded, so that no burst of pictures delays a frame.

use std::collections::{HashMap, VecDeque};

use eframe::egui::{Color32, ColorImage, Context, Rect, TextureHandle, TextureId, TextureOptions, pos2};

use crate::client::{PICTURES_WANTED_MAX, Picture, PictureError, Pixels};
use crate::ui::numbers::points;

/// A page's side in pixels.
const PAGE_SIDE: usize = 2048;
/// Slot sides in pixels, for small and for large cells.
const SLOT_SIDES: [usize; 2] = [128, 256];
/// Pages at most: 192 MiB.
const PAGES_MAX: usize = 12;
/// A new page is begun only while fewer slots than this exist, or when all are in view.
const SLOTS_AT_EASE: usize = 320;
/// Bytes uploaded in one frame at most.
const UPLOAD_MAX: usize = 8 << 20;
/// Pictures prepared in one frame at most: cutting one to its slot takes about 0.2 ms.
const PREPARE_MAX: usize = 10;

#[derive(Debug, Clone)]
struct Slot {
    asset: i64,
    seen: u64,
}

#[derive(Debug, Clone)]
enum ThumbEntry {
    /// In this slot, filling so much of it.
    Slot { slot: usize, filled: usize },
    /// There is no picture, for this reason.
    Nothing(PictureError),
}

#[derive(Debug, Clone)]
struct Entry {
    cache_key: String,
    held: ThumbEntry,
}

/// What is known of an asset's picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(in crate::ui) enum Thumb {
    /// Here it is.
    Picture(TextureId, Rect),
    /// It has been tried and there is none, for this reason.
    Nothing(PictureError),
    /// Not asked for yet, or under way.
    Missing,
}

/// The pages and who is in which slot.
#[derive(Default)]
pub(in crate::ui) struct Atlas {
    slot_side: usize,
    pages: Vec<TextureHandle>,
    slots: Vec<Slot>,
    entries: HashMap<i64, Entry>,
    arrived: VecDeque<Picture>,
    frame: u64,
}

impl Atlas {
    /// Begins a frame in which cells are so many pixels wide.
    pub fn begin(&mut self, cell_px: f32) {
        self.frame += 1;
        let small = cell_px <= points(SLOT_SIDES[0]) * 0.95;
        let side = if small { SLOT_SIDES[0] } else { SLOT_SIDES[1] };
        if side != self.slot_side {
            let arrived = std::mem::take(&mut self.arrived);
            *self = Self { slot_side: side, frame: self.frame, arrived, ..Self::default() };
        }
    }

    /// The picture of an asset, and whether it is of this version.
    pub fn get(&mut self, asset: i64, cache_key: &str) -> (Thumb, bool) {
        let Some(entry) = self.entries.get(&asset) else { return (Thumb::Missing, false) };
        let is_current = entry.cache_key == cache_key;
        match entry.held {
            ThumbEntry::Nothing(why) => (Thumb::Nothing(why), is_current),
            ThumbEntry::Slot { slot, filled } => {
                self.slots[slot].seen = self.frame;
                (self.thumb(slot, filled), is_current)
            }
        }
    }

    fn per_row(&self) -> usize {
        PAGE_SIDE / self.slot_side.max(1)
    }

    fn origin(&self, slot: usize) -> (usize, usize, usize) {
        let per_row = self.per_row();
        let in_page = slot % (per_row * per_row);
        (slot / (per_row * per_row), in_page % per_row * self.slot_side, in_page / per_row * self.slot_side)
    }

    fn thumb(&self, slot: usize, filled: usize) -> Thumb {
        let (page, x, y) = self.origin(slot);
        let Some(texture) = self.pages.get(page) else { return Thumb::Missing };
        // Half a pixel in, so that a neighbour never bleeds over the edge.
        let to_uv = |at: usize, by: f32| (points(at) + by) / points(PAGE_SIDE);
        let uv = Rect::from_min_max(
            pos2(to_uv(x, 0.5), to_uv(y, 0.5)),
            pos2(to_uv(x + filled, -0.5), to_uv(y + filled, -0.5)),
        );
        Thumb::Picture(texture.id(), uv)
    }

    /// Takes a decoded thumbnail in; it is uploaded when its turn comes.
    pub fn accept(&mut self, picture: Picture) {
        if self.arrived.len() >= PICTURES_WANTED_MAX {
            self.arrived.pop_front();
        }
        self.arrived.push_back(picture);
    }

    /// Whether a picture is waiting to be uploaded.
    pub fn is_arrived(&self, asset: i64) -> bool {
        self.arrived.iter().any(|picture| picture.asset == asset)
    }

    /// Uploads what has arrived, within the frame's budget. True when there is more.
    pub fn upload(&mut self, ctx: &Context) -> bool {
        let mut bytes = 0;
        for _ in 0..PREPARE_MAX {
            let Some(picture) = self.arrived.pop_front() else { return false };
            let held = match &picture.outcome {
                Ok(pixels) if pixels.width > 0 && pixels.height > 0 => self.put(ctx, picture.asset, pixels),
                Ok(_) => Some(ThumbEntry::Nothing(PictureError::Corrupt)),
                Err(why) => Some(ThumbEntry::Nothing(*why)),
            };
            if let Some(held) = held {
                bytes += self.slot_side * self.slot_side * 4;
                self.entries.insert(picture.asset, Entry { cache_key: picture.cache_key, held });
            }
            if bytes >= UPLOAD_MAX {
                break;
            }
        }
        !self.arrived.is_empty()
    }

    fn put(&mut self, ctx: &Context, asset: i64, pixels: &Pixels) -> Option<ThumbEntry> {
        let image = square(pixels, self.slot_side);
        let filled = image.width();
        let slot = self.slot_for(ctx, asset)?;
        let (page, x, y) = self.origin(slot);
        self.pages.get_mut(page)?.set_partial([x, y], image, TextureOptions::LINEAR);
        Some(ThumbEntry::Slot { slot, filled })
    }

    fn slot_for(&mut self, ctx: &Context, asset: i64) -> Option<usize> {
        if let Some(Entry { held: ThumbEntry::Slot { slot, .. }, .. }) = self.entries.get(&asset) {
            return Some(*slot);
        }
        let per_page = self.per_row() * self.per_row();
        let oldest =
            self.slots.iter().enumerate().min_by_key(|(_, slot)| slot.seen).map(|(i, s)| (i, s.seen));
        let all_in_view = oldest.is_none_or(|(_, seen)| seen + 1 >= self.frame);
        let has_room = self.slots.len() < self.pages.len() * per_page;
        let may_grow = self.pages.len() < PAGES_MAX && (self.slots.len() < SLOTS_AT_EASE || all_in_view);
        if has_room || may_grow {
            if !has_room {
                let blank = ColorImage::filled([PAGE_SIDE, PAGE_SIDE], Color32::TRANSPARENT);
                self.pages.push(ctx.load_texture("thumbnails", blank, TextureOptions::LINEAR));
            }
            self.slots.push(Slot { asset, seen: self.frame });
            return Some(self.slots.len() - 1);
        }
        let (slot, seen) = oldest?;
        if seen >= self.frame {
            return None;
        }
        self.entries.remove(&self.slots[slot].asset);
        self.slots[slot] = Slot { asset, seen: self.frame };
        Some(slot)
    }
}

/// The middle square of a picture, no larger than a slot. Averages what it makes smaller: without
/// mipmaps a skipped pixel would glitter while scrolling.
fn square(pixels: &Pixels, slot: usize) -> ColorImage {
    let (width, height) = (as_index(pixels.width), as_index(pixels.height));
    let side = width.min(height);
    let (left, top) = ((width - side) / 2, (height - side) / 2);
    let out = side.min(slot);
    let mut colors = Vec::with_capacity(out * out);
    for y in 0..out {
        let rows = top + y * side / out..(top + (y + 1) * side / out).max(top + y * side / out + 1);
        for x in 0..out {
            let from = left + x * side / out;
            let to = (left + (x + 1) * side / out).max(from + 1);
            colors.push(average(&pixels.rgba, width, from..to, rows.clone()));
        }
    }
    ColorImage::new([out, out], colors)
}

fn average(
    rgba: &[u8],
    width: usize,
    columns: std::ops::Range<usize>,
    rows: std::ops::Range<usize>,
) -> Color32 {
    let mut sum = [0_u32; 4];
    let mut count = 0_u32;
    for row in rows {
        for column in columns.clone() {
            let at = (row * width + column) * 4;
            if let Some(pixel) = rgba.get(at..at + 4) {
                for (total, channel) in sum.iter_mut().zip(pixel) {
                    *total += u32::from(*channel);
                }
                count += 1;
            }
        }
    }
    let mean = |i: usize| u8::try_from(sum[i] / count.max(1)).unwrap_or(u8::MAX);
    Color32::from_rgba_unmultiplied(mean(0), mean(1), mean(2), mean(3))
}

fn as_index(n: u32) -> usize {
    usize::try_from(n).unwrap_or(usize::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(asset: i64, width: u32, height: u32) -> Picture {
        let len = as_index(width) * as_index(height) * 4;
        let rgba = vec![200; len].into();
        Picture { asset, cache_key: "1".into(), side_max: 320, outcome: Ok(Pixels { width, height, rgba }) }
    }

    fn settle(atlas: &mut Atlas, ctx: &Context) {
        while atlas.upload(ctx) {}
    }

    #[test]
    fn the_middle_square_is_cut_out_and_averaged() {
        let mut rgba = Vec::new();
        for _ in 0..4 {
            for column in 0..8_u8 {
                rgba.extend([if column % 2 == 0 { 0 } else { 200 }, 0, 0, 255]);
            }
        }
        let image = square(&Pixels { width: 8, height: 4, rgba: rgba.into() }, 2);
        assert_eq!(image.size, [2, 2]);
        assert!(image.pixels.iter().all(|c| c.r() == 100), "{:?}", image.pixels);
    }

    #[test]
    fn a_change_of_size_keeps_what_has_arrived() {
        let ctx = Context::default();
        let mut atlas = Atlas::default();
        atlas.begin(200.0);
        atlas.accept(picture(1, 3, 2));
        atlas.begin(90.0);
        settle(&mut atlas, &ctx);
        assert!(matches!(atlas.get(1, "1").0, Thumb::Picture(..)));
    }

    #[test]
    fn what_is_in_view_is_never_put_out() {
        let ctx = Context::default();
        let mut atlas = Atlas::default();
        atlas.begin(200.0);
        let capacity = i64::try_from(PAGES_MAX * 64).expect("small");
        for asset in 0..capacity {
            atlas.accept(picture(asset, 3, 2));
            settle(&mut atlas, &ctx);
            atlas.get(asset, "1");
        }
        atlas.accept(picture(capacity, 3, 2));
        settle(&mut atlas, &ctx);
        assert_eq!(atlas.get(capacity, "1").0, Thumb::Missing, "all slots are in view");
        atlas.begin(200.0);
        atlas.begin(200.0);
        for asset in 1..capacity {
            atlas.get(asset, "1");
        }
        atlas.accept(picture(capacity, 3, 2));
        settle(&mut atlas, &ctx);
        assert!(matches!(atlas.get(capacity, "1").0, Thumb::Picture(..)));
        assert_eq!(atlas.get(0, "1").0, Thumb::Missing, "the one that had scrolled away went");
        assert!(atlas.pages.len() <= PAGES_MAX);
    }

    #[test]
    fn a_frame_uploads_a_bounded_number_and_a_new_version_is_told_apart() {
        let ctx = Context::default();
        let mut atlas = Atlas::default();
        atlas.begin(200.0);
        for asset in 0..30 {
            atlas.accept(picture(asset, 3, 2));
        }
        assert!(atlas.upload(&ctx));
        let here = (0..30).filter(|&a| atlas.get(a, "1").0 != Thumb::Missing).count();
        assert_eq!(here, PREPARE_MAX);
        assert!(!atlas.get(0, "2").1, "another version is not current");
        let failed = Picture { outcome: Err(PictureError::Corrupt), ..picture(99, 1, 1) };
        atlas.accept(failed);
        settle(&mut atlas, &ctx);
        assert_eq!(atlas.get(99, "1"), (Thumb::Nothing(PictureError::Corrupt), true));
    }
}
