//! One photo, as large as the window, with everything that is known of it.
//!
//! It holds a handful of full pictures and no more, and decodes nothing itself.

mod details;
mod picture;

use eframe::egui::{
    Align, CentralPanel, Context, Frame, Id, Key, Layout, Modifiers, Panel, Rect, Ui, Vec2, vec2,
};

use self::picture::{FullPictures, PictureState};
use super::commands::{Command, Dialog, RestoreStart, Verb};
use super::focus;
use super::icons::Icon;
use super::library::Library;
use super::library::cells::badge_words;
use super::library::may_do;
use super::remedy::can_retry;
use super::restore;
use super::screen_context::ScreenContext;
use super::theme::{size, space, tokens};
use super::widgets;
use crate::api::{ApiError, AssetDetails, AssetRow, Query, Request};
use crate::client::{Picture, PictureRequest};
use crate::domain::format;

/// The details' width in points.
const DETAILS_WIDTH: f32 = 348.0;

/// The viewer's state.
pub(super) struct Viewer {
    /// The asset that is shown.
    pub asset: i64,
    /// Its place in the grid, where it was opened from there.
    pub index: Option<usize>,
    row: Option<AssetRow>,
    details: Option<Box<AssetDetails>>,
    is_gone: bool,
    /// The revision that the details were asked for at.
    asked_at: Option<u64>,
    shows_details: bool,
    zoom: f32,
    pan: Vec2,
    full: FullPictures,
    folds: std::collections::BTreeSet<String>,
    wanted: Vec<PictureRequest>,
}

impl Viewer {
    /// Opens on an asset.
    pub fn new(asset: i64, index: Option<usize>) -> Self {
        Self {
            asset,
            index,
            row: None,
            details: None,
            is_gone: false,
            asked_at: None,
            shows_details: false,
            zoom: 1.0,
            pan: Vec2::ZERO,
            full: FullPictures::default(),
            folds: std::collections::BTreeSet::new(),
            wanted: Vec::new(),
        }
    }

    /// Whether the details are missing or older than `revision`.
    pub fn is_stale(&self, revision: u64) -> bool {
        self.asked_at != Some(revision)
    }

    /// Whether the details have never been asked for.
    pub fn is_missing(&self) -> bool {
        self.asked_at.is_none()
    }

    /// The request for the details, where they are missing or older than `revision`.
    pub fn refresh(&mut self, revision: u64) -> Option<Request> {
        if self.asked_at == Some(revision) {
            return None;
        }
        self.asked_at = Some(revision);
        Some(Request::Query(Query::AssetDetails { id: self.asset }))
    }

    /// Takes the details in.
    pub fn on_details(&mut self, asset: i64, outcome: Result<Option<Box<AssetDetails>>, ApiError>) {
        if asset != self.asset {
            return;
        }
        if let Ok(details) = outcome {
            self.is_gone = details.is_none();
            if let Some(details) = &details {
                self.row = Some(details.row.clone());
            }
            self.details = details;
        }
    }

    /// Takes a full picture in.
    pub fn on_picture(&mut self, ctx: &Context, picture: Picture) {
        self.full.accept(ctx, picture);
    }

    /// The pictures that the last frame missed.
    pub fn wanted(&self) -> &[PictureRequest] {
        &self.wanted
    }

    fn show(&mut self, index: usize, row: AssetRow) {
        self.asset = row.id;
        self.index = Some(index);
        self.row = Some(row);
        self.details = None;
        self.is_gone = false;
        self.asked_at = None;
        self.zoom = 1.0;
        self.pan = Vec2::ZERO;
    }

    /// Paints the viewer over the whole window.
    pub fn ui(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>, library: &mut Library) {
        self.wanted.clear();
        self.keys(ui, env, library);
        if let Some(index) = self.index {
            let row = library.row_at(index, env);
            match row {
                Some(row) if row.id != self.asset => self.index = library.find(self.asset, index),
                Some(row) => self.row = Some(row),
                None => {}
            }
        }
        let t = tokens(ui);
        let bar = Frame::new().fill(t.well).inner_margin(vec2(space::M, 0.0));
        Panel::top("viewer bar")
            .exact_size(size::TOP_BAR - 8.0)
            .frame(bar)
            .show_separator_line(false)
            .show(ui, |ui| self.bar(ui, env));
        if self.shows_details {
            let frame = Frame::new().fill(t.chrome);
            Panel::right("viewer details")
                .exact_size(DETAILS_WIDTH)
                .resizable(false)
                .frame(frame)
                .show_separator_line(false)
                .show(ui, |ui| details::ui(ui, env, self.details.as_deref(), &mut self.folds));
        }
        CentralPanel::default().frame(Frame::new().fill(t.well)).show(ui, |ui| {
            let area = ui.max_rect().shrink(space::L);
            self.picture(ui, area, env, library);
            self.arrows(ui, env, library);
        });
        self.neighbours(ui, env, library);
    }

    fn bar(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        ui.with_layout(Layout::left_to_right(Align::Center), |ui| {
            if widgets::icon_button(ui, Icon::Left, "Back to the library").clicked() {
                env.out.push(Command::CloseViewer);
            }
            ui.add_space(space::S);
            if let Some(row) = &self.row {
                ui.label(row.path.file_name());
                let day = format::long_day(format::day_of(row.captured_wall_ms));
                let more = widgets::weak(ui, format!("{day}, {}", badge_words(row.badge)));
                ui.label(more);
            }
            focus::at_right(ui, |ui| self.actions(ui, env));
        });
    }

    fn actions(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        let name = if self.shows_details { "Hide details" } else { "Show details" };
        if widgets::icon_toggle(ui, Icon::Info, name, self.shows_details).clicked() {
            self.shows_details = !self.shows_details;
        }
        let Some(row) = &self.row else { return };
        if widgets::icon_button(ui, Icon::ShowInFolder, "Show in folder").clicked() {
            env.out.push(Command::ShowInFolder(row.path.clone()));
        }
        let asset = self.asset;
        let may = |verb| may_do(verb, row.badge);
        if may(Verb::Include) && widgets::icon_button(ui, Icon::Plus, "Include again").clicked() {
            env.out.push(Command::OnAssets(Verb::Include, vec![asset]));
        }
        if may(Verb::Exclude) && widgets::icon_button(ui, Icon::Excluded, "Leave out").clicked() {
            env.out.push(Command::Ask(Dialog::ExcludeAssets { assets: vec![asset] }));
        }
        if row.badge == crate::api::Badge::Safe
            && widgets::icon_button(ui, Icon::Restore, "Restore this photo").clicked()
        {
            let start = RestoreStart { destination: None, assets: vec![asset] };
            env.out.extend(restore::open(start));
        }
        if may(Verb::Retry) && self.can_retry() && widgets::icon_button(ui, Icon::Retry, "Retry").clicked() {
            env.out.push(Command::OnAssets(Verb::Retry, vec![asset]));
        }
        ui.add_space(space::M);
        if widgets::icon_button(ui, Icon::Plus, "Zoom in").clicked() {
            self.zoom_by(1.5, Vec2::ZERO);
        }
        if widgets::icon_button(ui, Icon::Fit, "Fit to window").clicked() {
            self.fit();
        }
        if widgets::icon_button(ui, Icon::Minus, "Zoom out").clicked() {
            self.zoom_by(1.0 / 1.5, Vec2::ZERO);
        }
    }

    /// Whether trying again can help any of its copies, as far as is known.
    fn can_retry(&self) -> bool {
        let Some(details) = &self.details else { return false };
        let copies = details.resources.iter().flat_map(|resource| &resource.copies);
        copies.filter_map(|copy| copy.failure.as_ref()).any(can_retry)
    }

    fn keys(&mut self, ui: &Ui, env: &mut ScreenContext<'_>, library: &mut Library) {
        if env.has_dialog {
            return;
        }
        let pressed = |key| ui.input_mut(|input| input.consume_key(Modifiers::NONE, key));
        if pressed(Key::Escape) {
            env.out.push(Command::CloseViewer);
        }
        if pressed(Key::ArrowRight) || pressed(Key::PageDown) {
            self.step(true, env, library);
        }
        if pressed(Key::ArrowLeft) || pressed(Key::PageUp) {
            self.step(false, env, library);
        }
        if pressed(Key::Home) {
            self.step_to(Some(0), env, library);
        }
        if pressed(Key::End) {
            self.step_to(library.total().checked_sub(1), env, library);
        }
        if pressed(Key::I) {
            self.shows_details = !self.shows_details;
        }
        if pressed(Key::Num0) {
            self.fit();
        }
        if pressed(Key::Plus) || pressed(Key::Equals) {
            self.zoom_by(1.5, Vec2::ZERO);
        }
        if pressed(Key::Minus) {
            self.zoom_by(1.0 / 1.5, Vec2::ZERO);
        }
    }

    fn step(&mut self, forward: bool, env: &mut ScreenContext<'_>, library: &mut Library) {
        let Some(index) = self.index else { return };
        self.step_to(if forward { index.checked_add(1) } else { index.checked_sub(1) }, env, library);
    }

    /// Shows the photo at a place in the grid, if it was opened from there and there is one.
    fn step_to(&mut self, to: Option<usize>, env: &mut ScreenContext<'_>, library: &mut Library) {
        if self.index.is_none() {
            return;
        }
        let Some(to) = to.filter(|&to| to < library.total()) else { return };
        if let Some(row) = library.row_at(to, env) {
            self.show(to, row);
            env.refresh_library = true;
        }
    }

    fn arrows(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>, library: &mut Library) {
        let Some(index) = self.index else { return };
        let area = ui.max_rect();
        let side = Vec2::splat(size::CONTROL + 8.0);
        let at = |x: f32| Rect::from_center_size(eframe::egui::pos2(x, area.center().y), side);
        let place = |ui: &mut Ui, rect: Rect, icon, name| {
            ui.scope_builder(eframe::egui::UiBuilder::new().max_rect(rect).scope_id(Id::unique(name)), |ui| {
                widgets::icon_button_on_photo(ui, icon, name).clicked()
            })
            .inner
        };
        let back = index > 0 && place(ui, at(area.left() + 44.0), Icon::Left, "Previous photo");
        let is_last = index + 1 >= library.total();
        let on = !is_last && place(ui, at(area.right() - 44.0), Icon::Right, "Next photo");
        if back || on {
            self.step(on, env, library);
        }
    }

    fn neighbours(&mut self, ui: &Ui, env: &mut ScreenContext<'_>, library: &mut Library) {
        let Some(index) = self.index else { return };
        let side = picture::fit_side(ui);
        for to in [index.checked_add(1), index.checked_sub(1)].into_iter().flatten() {
            if to >= library.total() {
                continue;
            }
            let Some(row) = library.row_at(to, env) else { continue };
            if matches!(self.full.get(&row, side), PictureState::Missing) {
                self.wanted.push(picture::request(&row, side));
            }
        }
    }
}
