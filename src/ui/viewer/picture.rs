//! The picture itself: fitted, zoomed, moved.

use std::collections::VecDeque;

use eframe::egui::{
    Color32, ColorImage, Context, CursorIcon, EventFilter, Id, Label, Rect, Role, Sense, TextureHandle,
    TextureOptions, Ui, UiBuilder, Vec2, WidgetInfo, pos2, vec2,
};

use super::Viewer;
use crate::api::AssetRow;
use crate::client::{Picture, PictureError, PictureRequest, Pixels, THUMBNAIL_SIDE_MAX};
use crate::domain::media_type::MediaType;
use crate::ui::icons::{self, Icon};
use crate::ui::library::Library;
use crate::ui::library::cells;
use crate::ui::screen_context::ScreenContext;
use crate::ui::theme::{space, tokens};
use crate::ui::widgets;

/// Pictures kept: this one, its neighbours, the larger version of this one, and thumbnails.
const KEPT_MAX: usize = 7;
/// The longest side asked for when a picture fits the window, in pixels.
const FIT_SIDE_MAX: u32 = 2048;
/// The longest side asked for when it is zoomed, in pixels.
const ZOOM_SIDE_MAX: u32 = 4096;
/// How far it can be zoomed beyond fitting the window.
const ZOOM_MAX: f32 = 16.0;
/// The widest that a message in the place of a picture is, in points.
const MESSAGE_WIDTH: f32 = 460.0;

/// What is known of a full picture.
pub(super) enum PictureState {
    /// Here it is.
    Texture(TextureHandle),
    /// There is none, for this reason.
    Nothing(PictureError),
    /// Not asked for yet, or under way.
    Missing,
}

struct CachedPicture {
    asset: i64,
    cache_key: String,
    side_max: u32,
    outcome: Result<TextureHandle, PictureError>,
}

/// The full pictures that are kept, the newest last.
#[derive(Default)]
pub(super) struct FullPictures {
    kept: VecDeque<CachedPicture>,
}

impl FullPictures {
    /// Takes a decoded picture in.
    pub fn accept(&mut self, ctx: &Context, picture: Picture) {
        let outcome = picture.outcome.and_then(|pixels| {
            let image = image(&pixels).ok_or(PictureError::Corrupt)?;
            Ok(ctx.load_texture("photo", image, TextureOptions::LINEAR))
        });
        let Picture { asset, cache_key, side_max, .. } = picture;
        self.kept.retain(|kept| !(kept.asset == asset && kept.side_max == side_max));
        while self.kept.len() >= KEPT_MAX {
            self.kept.pop_front();
        }
        self.kept.push_back(CachedPicture { asset, cache_key, side_max, outcome });
    }

    /// The best picture of this version with at least this side.
    pub fn get(&self, row: &AssetRow, side: u32) -> PictureState {
        let of_row = self.of(row).filter(|kept| kept.side_max >= side).max_by_key(|kept| kept.side_max);
        match of_row.map(|kept| &kept.outcome) {
            Some(Ok(texture)) => PictureState::Texture(texture.clone()),
            Some(Err(why)) => PictureState::Nothing(*why),
            None => PictureState::Missing,
        }
    }

    /// Any picture of this version, however small.
    pub fn any(&self, row: &AssetRow) -> PictureState {
        self.get(row, 0)
    }

    fn of<'a>(&'a self, row: &'a AssetRow) -> impl Iterator<Item = &'a CachedPicture> {
        self.kept.iter().filter(|kept| kept.asset == row.id && kept.cache_key == row.cache_key)
    }
}

fn image(pixels: &Pixels) -> Option<ColorImage> {
    let size = [usize::try_from(pixels.width).ok()?, usize::try_from(pixels.height).ok()?];
    let is_whole = size[0] > 0 && size[1] > 0 && pixels.rgba.len() == size[0] * size[1] * 4;
    is_whole.then(|| ColorImage::from_rgba_unmultiplied(size, &pixels.rgba))
}

/// The side that fills the window.
pub(super) fn fit_side(ui: &Ui) -> u32 {
    FIT_SIDE_MAX.min(texture_side_max(ui))
}

fn texture_side_max(ui: &Ui) -> u32 {
    u32::try_from(ui.input(|input| input.max_texture_side)).unwrap_or(FIT_SIDE_MAX)
}

/// Asks for a full picture.
pub(super) fn request(row: &AssetRow, side_max: u32) -> PictureRequest {
    PictureRequest {
        asset: row.id,
        path: row.path.clone(),
        cache_key: row.cache_key.clone(),
        media_type: row.media_type.clone(),
        side_max,
    }
}

impl Viewer {
    pub(super) fn fit(&mut self) {
        self.zoom = 1.0;
        self.pan = Vec2::ZERO;
    }

    /// Zooms around a point, given from the middle of the window.
    pub(super) fn zoom_by(&mut self, factor: f32, around: Vec2) {
        let zoom = (self.zoom * factor).clamp(1.0, ZOOM_MAX);
        let factor = zoom / self.zoom;
        self.pan = around + (self.pan - around) * factor;
        self.zoom = zoom;
        if zoom <= 1.0 {
            self.pan = Vec2::ZERO;
        }
    }

    pub(super) fn picture(
        &mut self,
        ui: &mut Ui,
        area: Rect,
        env: &mut ScreenContext<'_>,
        library: &mut Library,
    ) {
        let t = tokens(ui);
        let Some(row) = self.row.clone() else {
            if self.is_gone {
                message(ui, area, "This photo is no longer in the library", "");
            }
            return;
        };
        let side = if self.zoom > 1.2 { ZOOM_SIDE_MAX.min(texture_side_max(ui)) } else { fit_side(ui) };
        if matches!(self.full.any(&row), PictureState::Missing) {
            // The thumbnail is at hand, and a soft picture at once is better than a sharp one later.
            self.wanted.push(request(&row, THUMBNAIL_SIDE_MAX));
        }
        if matches!(self.full.get(&row, side), PictureState::Missing) {
            self.wanted.push(request(&row, side));
        }
        let response = ui.interact(area, Id::unique("viewer picture"), Sense::click_and_drag());
        if ui.memory(|memory| memory.focused().is_none()) {
            response.request_focus();
        }
        // The arrows turn the pages and do not walk through the buttons.
        let filter = EventFilter { horizontal_arrows: true, escape: true, ..EventFilter::default() };
        ui.memory_mut(|memory| memory.set_focus_lock_filter(response.id, filter));
        let missing = match self.full.any(&row) {
            PictureState::Nothing(why) => Some(why),
            PictureState::Texture(_) | PictureState::Missing => None,
        };
        response.widget_info(|| WidgetInfo::labeled(Role::Image, true, cells::name(&row, missing)));
        match self.full.any(&row) {
            PictureState::Texture(texture) => {
                self.move_by_pointer(ui, &response, area);
                let fitted = fitted(texture.size_vec2(), row.dimensions, area.size(), ui);
                let size = fitted * self.zoom;
                let room = ((size - area.size()) / 2.0).max(Vec2::ZERO);
                self.pan = self.pan.clamp(-room, room);
                let rect = Rect::from_center_size(area.center() + self.pan, size);
                let uv = Rect::from_min_max(pos2(0.0, 0.0), pos2(1.0, 1.0));
                ui.painter().with_clip_rect(ui.max_rect()).image(texture.id(), rect, uv, Color32::WHITE);
                if self.zoom > 1.0 {
                    ui.ctx().set_cursor_icon(CursorIcon::Grab);
                }
            }
            PictureState::Nothing(why) => {
                let what = why.sentence(MediaType::parse(&row.media_type));
                message(ui, area, &what, why.meaning());
            }
            PictureState::Missing => {
                let icon = Rect::from_center_size(area.center(), Vec2::splat(48.0));
                icons::paint(ui.painter(), Icon::Picture, icon, t.control);
            }
        }
        if response.double_clicked() {
            if self.zoom > 1.0 { self.fit() } else { self.zoom_by(3.0, Vec2::ZERO) }
        }
        if response.dragged() && self.zoom <= 1.0 && response.drag_stopped() {
            self.step(response.drag_delta().x < 0.0, env, library);
        }
    }

    fn move_by_pointer(&mut self, ui: &Ui, response: &eframe::egui::Response, area: Rect) {
        if response.dragged() {
            self.pan += response.drag_delta();
        }
        if let Some(at) = response.hover_pos() {
            let (scroll, pinch) = ui.input(|input| (input.smooth_scroll_delta().y, input.zoom_delta()));
            let factor = pinch * (scroll / 240.0).exp();
            if (factor - 1.0).abs() > 1e-4 {
                self.zoom_by(factor, at - area.center());
            }
        }
    }
}

/// The size at which a picture fills the window, no larger than its own pixels.
fn fitted(texture: Vec2, dimensions: Option<(u32, u32)>, window: Vec2, ui: &Ui) -> Vec2 {
    // A texture is often smaller than the picture, which must not make it smaller on screen.
    let own = dimensions.map_or(texture, |(w, h)| {
        vec2(crate::ui::numbers::ratio(w.into(), 1), crate::ui::numbers::ratio(h.into(), 1))
    });
    let natural = own.max(texture) / ui.ctx().pixels_per_point();
    let aspect = texture.x / texture.y.max(1.0);
    let scale = (window.x / natural.x).min(window.y / (natural.x / aspect)).min(1.0);
    vec2(natural.x * scale, natural.x * scale / aspect)
}

/// What stands in the place of a picture: the icon, what is missing and what that means.
fn message(ui: &mut Ui, area: Rect, text: &str, more: &str) {
    let width = (area.width() - 2.0 * space::XXL).clamp(80.0, MESSAGE_WIDTH);
    let top = area.center() - vec2(width / 2.0, 88.0);
    let part = Rect::from_min_max(top, area.max).with_max_x(top.x + width);
    let t = tokens(ui);
    ui.scope_builder(UiBuilder::new().max_rect(part), |ui| {
        ui.vertical_centered(|ui| {
            let (rect, _) = ui.allocate_exact_size(Vec2::splat(64.0), Sense::hover());
            icons::paint(ui.painter(), Icon::Picture, rect, t.faint);
            ui.add_space(space::S);
            widgets::section_title(ui, text);
            let more = widgets::weak(ui, more);
            ui.add(Label::new(more).wrap());
        });
    });
}
