//! How one photo of the grid looks and what it is called.
//!
//! All pictures of a frame are painted before all marks, so that the graphics card draws each in
//! one go. Nothing here reads input.

use eframe::egui::{
    Align2, Color32, CornerRadius, Painter, Pos2, Rect, Shape, Stroke, StrokeKind, TextStyle, Ui, Vec2,
    epaint::RectShape, pos2, vec2,
};

use super::textures::Thumb;
use crate::api::{AssetRow, Badge};
use crate::client::PictureError;
use crate::domain::format;
use crate::domain::media_type::{MediaClass, MediaType};
use crate::domain::messages::lower_first;
use crate::ui::icons::{self, Icon};
use crate::ui::theme::{Tokens, radius};
use crate::ui::widgets::{paint_cut, paint_ring};

/// A cell that is in view.
#[derive(Debug, Clone)]
pub(in crate::ui) struct Cell<'a> {
    /// Where it is.
    pub rect: Rect,
    /// Its row; none while it is still to come.
    pub row: Option<&'a AssetRow>,
    /// Its picture.
    pub thumb: Thumb,
    /// It is selected.
    pub is_selected: bool,
    /// The pointer is over it.
    pub is_hovered: bool,
    /// The keyboard is on it.
    pub has_cursor: bool,
    /// How much of it has been sent, while it is.
    pub sent: Option<f32>,
}

/// The badge in words.
pub(in crate::ui) fn badge_words(badge: Badge) -> &'static str {
    match badge {
        Badge::None => "not backed up to any destination",
        Badge::Safe => "safe",
        Badge::Unproven => "copied, not verified",
        Badge::Waiting => "waiting",
        Badge::Uploading => "uploading",
        Badge::Attention => "needs attention",
        Badge::Excluded => "left out",
    }
}

/// What an assistive technology calls the photo, with why its picture is missing where it is.
pub(in crate::ui) fn name(row: &AssetRow, missing: Option<PictureError>) -> String {
    let day = format::long_day(format::day_of(row.captured_wall_ms));
    let mut name = format!("{}, {day}", row.path.file_name());
    for (is, what) in [(row.is_video, "video"), (row.is_live, "live photo"), (row.has_raw, "RAW")] {
        if is {
            name += ", ";
            name += what;
        }
    }
    if let Some(why) = missing.and_then(PictureError::short) {
        name += &format!(", {}", lower_first(why));
    }
    name + ", " + badge_words(row.badge)
}

/// The type as a tile says it: `RAW`, `MOV`.
pub(in crate::ui) fn type_label(media_type: &str) -> &str {
    match MediaType::parse(media_type) {
        Some(known) => known.label(),
        None => media_type,
    }
}

fn type_icon(media_type: &str) -> Icon {
    match MediaType::parse(media_type).map(MediaType::class) {
        Some(MediaClass::Video) => Icon::Video,
        _ => Icon::Picture,
    }
}

impl Cell<'_> {
    fn picture_rect(&self) -> Rect {
        if self.is_selected { self.rect.shrink((self.rect.width() * 0.06).max(6.0)) } else { self.rect }
    }
}

/// The pictures.
pub(in crate::ui) fn paint_pictures(painter: &Painter, t: &Tokens, cells: &[Cell<'_>]) {
    let corner = CornerRadius::same(radius::PHOTO);
    for cell in cells {
        if cell.is_selected {
            painter.rect_filled(cell.rect, corner, t.accent_wash);
        }
        if !matches!(cell.thumb, Thumb::Picture(..)) {
            painter.rect_filled(cell.picture_rect(), corner, t.surface);
        }
    }
    for cell in cells {
        if let Thumb::Picture(texture, uv) = cell.thumb {
            let is_out = cell.row.is_some_and(|row| row.badge == Badge::Excluded);
            let tint = if is_out { Color32::from_white_alpha(110) } else { Color32::WHITE };
            let shape = RectShape::filled(cell.picture_rect(), corner, tint).with_texture(texture, uv);
            painter.add(shape);
        }
    }
}

/// The marks over them.
pub(in crate::ui) fn paint_marks(ui: &Ui, t: &Tokens, cells: &[Cell<'_>]) {
    let painter = ui.painter();
    let font = TextStyle::Small.resolve(ui.style());
    for cell in cells {
        let Some(row) = cell.row else { continue };
        let rect = cell.picture_rect();
        let has_picture = matches!(cell.thumb, Thumb::Picture(..));
        if let Thumb::Nothing(why) = cell.thumb {
            missing_picture(ui, t, row, why, rect);
        }
        marks_at_left(painter, t, row, rect, has_picture, &font);
        badge(painter, t, cell, row, rect);
        tick(painter, t, cell, rect);
        if cell.has_cursor {
            let corner = f32::from(radius::PHOTO) + 1.0;
            let stroke = Stroke::new(3.0, t.focus);
            painter.rect_stroke(cell.rect.expand(1.0), corner, stroke, StrokeKind::Middle);
        }
    }
}

/// What stands in the place of a picture: its type, and why there is none where that is news.
fn missing_picture(ui: &Ui, t: &Tokens, row: &AssetRow, why: PictureError, rect: Rect) {
    let font = TextStyle::Small.resolve(ui.style());
    let is_news = why.short().is_some();
    let center = rect.center() - vec2(0.0, if is_news { 18.0 } else { 8.0 });
    let icon = Rect::from_center_size(center, Vec2::splat(28.0));
    let ink = if is_news { t.text } else { t.faint };
    icons::paint(ui.painter(), type_icon(&row.media_type), icon, ink);
    let mut below = center + vec2(0.0, 24.0);
    if let Some(why) = why.short() {
        let width = rect.width() - 8.0;
        paint_cut(ui, Align2::CENTER_CENTER, below, why.to_owned(), font.clone(), t.text, width);
        below.y += 16.0;
    }
    let label = type_label(&row.media_type);
    ui.painter().text(below, Align2::CENTER_CENTER, label, font, t.faint);
}

fn marks_at_left(
    painter: &Painter,
    t: &Tokens,
    row: &AssetRow,
    rect: Rect,
    has_picture: bool,
    font: &eframe::egui::FontId,
) {
    let mut at = pos2(rect.left() + 6.0, rect.bottom() - 6.0);
    let mut sign = |icon: Icon| {
        let r = Rect::from_min_size(at - vec2(0.0, 20.0), Vec2::splat(20.0));
        painter.circle_filled(r.center(), 10.0, t.shade);
        icons::paint(painter, icon, r.shrink(3.5), t.on_shade);
        at.x += 24.0;
    };
    if row.is_video && has_picture {
        sign(Icon::Video);
    }
    if row.is_live {
        sign(Icon::Live);
    }
    let says_raw_already = !has_picture && row.media_type == MediaType::Raw.as_str();
    if row.has_raw && !says_raw_already && rect.width() > 96.0 {
        let galley = painter.layout_no_wrap("RAW".to_owned(), font.clone(), t.on_shade);
        let pill = Rect::from_min_size(at - vec2(0.0, 20.0), vec2(galley.size().x + 12.0, 20.0));
        painter.rect_filled(pill, 10.0, t.shade);
        painter.galley(pill.center() - galley.size() / 2.0, galley, t.on_shade);
    }
}

fn badge(painter: &Painter, t: &Tokens, cell: &Cell<'_>, row: &AssetRow, rect: Rect) {
    let center = rect.right_bottom() - vec2(16.0, 16.0);
    let shade = |color: Color32| painter.circle_filled(center, 10.0, color);
    let sign = |icon: Icon, color: Color32, side: f32| {
        icons::paint(painter, icon, Rect::from_center_size(center, Vec2::splat(side)), color);
    };
    match row.badge {
        Badge::None => {}
        // What is as it should be speaks most softly.
        Badge::Safe => {
            shade(t.shade.gamma_multiply(0.6));
            sign(Icon::Tick, t.on_shade.gamma_multiply(0.9), 12.0);
        }
        Badge::Waiting => {
            shade(t.shade);
            sign(Icon::Waiting, t.on_shade, 15.0);
        }
        Badge::Uploading => {
            shade(t.shade);
            let track = t.on_shade.gamma_multiply(0.35);
            paint_ring(painter, center, 6.5, cell.sent.unwrap_or(0.0), track, t.accent_over_photo);
        }
        Badge::Unproven => {
            shade(t.shade);
            sign(Icon::Unproven, t.on_shade, 15.0);
        }
        // What needs the person speaks loudest: it is filled, and has an edge against any photo.
        Badge::Attention => {
            painter.circle_filled(center, 14.0, t.shade);
            painter.circle_filled(center, 12.0, t.accent);
            let at = Rect::from_center_size(center - vec2(0.0, 1.0), Vec2::splat(15.0));
            icons::paint(painter, Icon::Attention, at, t.on_accent);
        }
        Badge::Excluded => {
            shade(t.shade);
            sign(Icon::Excluded, t.on_shade, 15.0);
        }
    }
}

/// Where the tick is, for the pointer.
pub(in crate::ui) fn tick_center(rect: Rect) -> Pos2 {
    rect.left_top() + vec2(16.0, 16.0)
}

fn tick(painter: &Painter, t: &Tokens, cell: &Cell<'_>, rect: Rect) {
    let center = tick_center(if cell.is_selected { cell.rect } else { rect });
    if cell.is_selected {
        painter.circle_filled(center, 11.0, t.accent);
        let icon = Rect::from_center_size(center, Vec2::splat(14.0));
        icons::paint(painter, Icon::Tick, icon, t.on_accent);
    } else if cell.is_hovered {
        painter.circle_filled(center, 10.0, t.shade.gamma_multiply(0.7));
        painter.add(Shape::circle_stroke(center, 9.0, Stroke::new(1.5, t.on_shade)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::api::PathText;

    #[test]
    fn the_name_tells_what_the_marks_show() {
        let row = AssetRow {
            id: 1,
            path: PathText::from_bytes(b"/photos/IMG_2041.jpg"),
            media_type: "jpeg".into(),
            captured_wall_ms: 1_557_656_100_000,
            dimensions: None,
            size: 1,
            cache_key: "1".into(),
            badge: Badge::Safe,
            is_live: false,
            has_raw: false,
            is_video: false,
        };
        assert_eq!(name(&row, None), "IMG_2041.jpg, 12 May 2019, safe");
        let damaged = name(&row, Some(PictureError::Corrupt));
        assert_eq!(damaged, "IMG_2041.jpg, 12 May 2019, damaged, safe");
        assert_eq!(name(&row, Some(PictureError::Unsupported)), name(&row, None));
        let row = AssetRow { badge: Badge::Attention, is_live: true, has_raw: true, ..row };
        assert_eq!(name(&row, None), "IMG_2041.jpg, 12 May 2019, live photo, RAW, needs attention");
        assert_eq!(type_label("heic"), "HEIC");
        assert_eq!(type_label("what"), "what");
    }
}
