//! The grid itself: scrolling, painting what is in view, and the pointer.

use eframe::egui::{
    Align2, Id, PointerButton, Rect, Response, Role, Sense, TextStyle, Ui, UiBuilder, WidgetInfo, pos2, vec2,
};

use super::cells::{self, Cell};
use super::layout::{Item, Layout};
use super::textures::Thumb;
use super::{Library, SELECTION_MAX, scrubber};
use crate::api::{AssetRow, Snapshot};
use crate::client::{PICTURES_WANTED_MAX, PictureRequest, THUMBNAIL_SIDE_MAX};
use crate::domain::format;
use crate::ui::commands::Command;
use crate::ui::focus;
use crate::ui::numbers::{near, ratio};
use crate::ui::screen_context::ScreenContext;
use crate::ui::theme::{HEADING, Tokens, space, tokens};
use crate::ui::widgets::paint_cut;

/// Thumbnails are fetched this many screens ahead, and half as many behind.
const AHEAD: f32 = 1.0;
/// Faster than this, in screens a frame, rows and thumbnails are not asked for: they would be gone
/// before they came.
const TOO_FAST: f64 = 0.75;
/// When scrolling has slowed down, what is in view is asked for after this time.
const SETTLE: std::time::Duration = std::time::Duration::from_millis(80);

/// One cell of a frame, before its row is looked up.
struct VisibleCell {
    rect: Rect,
    section: usize,
    offset: usize,
    index: usize,
}

impl Library {
    pub(super) fn grid(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        let area = ui.available_rect_before_wrap();
        let scrub = Rect::from_min_max(pos2(area.right() - scrubber::WIDTH, area.top()), area.max);
        let grid = Rect::from_min_max(area.min + vec2(space::L, 0.0), pos2(scrub.left(), area.bottom()));
        self.page_height = grid.height();
        self.relayout(grid.width());
        let id = Id::unique("library grid");
        let response = ui.interact(Rect::from_min_max(area.min, grid.max), id, Sense::click());
        self.container(ui, &response);
        let before = self.scroll;
        self.keys(ui, env, &response);
        if ui.rect_contains_pointer(area) {
            self.scroll -= f64::from(ui.input(|input| input.smooth_scroll_delta().y));
        }
        if self.reveal {
            self.reveal_cursor();
        }
        let scroll_max = (self.layout.height() - f64::from(grid.height())).max(0.0);
        if let Some(to) = scrubber::show(ui, scrub, &self.layout, self.scroll, scroll_max, grid.height()) {
            self.scroll = to;
        }
        self.scroll = self.scroll.clamp(0.0, scroll_max);
        let is_too_fast = (self.scroll - before).abs() > f64::from(grid.height()) * TOO_FAST;
        self.fill_selection(env);
        self.paint(ui, env, grid, &response, is_too_fast);
    }

    /// Lays out again at the last width, where the days have changed while the grid was not shown.
    pub(super) fn follow(&mut self) {
        self.relayout(f32::from_bits(self.made_of.1));
    }

    fn relayout(&mut self, width: f32) {
        let made_of = (self.pages.generation, width.to_bits(), self.cell_side.to_bits());
        if made_of == self.made_of {
            return;
        }
        self.made_of = made_of;
        let anchor = self.first_in_view();
        self.layout = Layout::new(self.pages.sections(), width, self.cell_side);
        self.selection.clamp(self.layout.total());
        // What was at the top stays there, whatever came above it.
        if let Some((index, below)) = anchor.filter(|_| self.scroll > 0.0)
            && let Some((top, _)) = self.layout.place(index.min(self.layout.total().saturating_sub(1)))
        {
            self.scroll = top + below;
        }
    }

    fn first_in_view(&self) -> Option<(usize, f64)> {
        let bottom = self.scroll + f64::from(self.page_height);
        self.layout.visible(self.scroll, bottom).into_iter().find_map(|item| match item {
            Item::Cell { top, index, .. } => Some((index, self.scroll - top)),
            _ => None,
        })
    }

    fn container(&mut self, ui: &Ui, response: &Response) {
        let total = self.layout.total();
        response.widget_info(|| WidgetInfo::labeled(Role::ListBox, true, "Photos"));
        let active = self.selection.cursor.and_then(|index| self.cell_id(index));
        ui.ctx().accesskit_node_builder(response.id, |node| {
            node.set_size_of_set(total);
            node.set_multiselectable();
            if let Some(active) = active {
                node.set_active_descendant(active.accesskit_id());
            }
        });
        focus::offer(ui, response.id);
        // Not `clicked`: that is also true for Enter and Space, which have their own meaning here.
        if response.clicked_by(PointerButton::Primary) {
            response.request_focus();
            self.selection.clear();
            self.shows_cursor = false;
        }
    }

    /// Cells are named by their asset, so that focus and assistive technology keep their place
    /// when photos arrive above.
    fn cell_id(&self, index: usize) -> Option<Id> {
        let (section, offset) = self.layout.locate(index)?;
        self.pages.row(section, offset).map(|row| Id::unique(("photo", row.id)))
    }

    pub(super) fn reveal_cursor(&mut self) {
        self.reveal = false;
        let Some((top, _)) = self.selection.cursor.and_then(|index| self.layout.place(index)) else { return };
        let cell = f64::from(self.layout.cell());
        let page = f64::from(self.page_height);
        // A day's heading is shown with its first row.
        let head = f64::from(super::layout::DAY_HEIGHT + super::layout::MONTH_HEIGHT);
        if top - head < self.scroll {
            self.scroll = (top - head).max(0.0);
        } else if top + cell + f64::from(space::L) > self.scroll + page {
            self.scroll = top + cell + f64::from(space::L) - page;
        }
    }

    fn fill_selection(&mut self, env: &mut ScreenContext<'_>) {
        let Self { selection, pages, layout, .. } = self;
        selection.fill(|index| {
            let (section, offset) = layout.locate(index)?;
            if let Some((key, request)) = pages.want(section, offset) {
                env.page(key, request);
            }
            pages.row(section, offset).map(|row| (row.id, row.badge))
        });
    }

    fn paint(
        &mut self,
        ui: &mut Ui,
        env: &mut ScreenContext<'_>,
        grid: Rect,
        container: &Response,
        is_too_fast: bool,
    ) {
        let t = tokens(ui);
        let px = ui.ctx().pixels_per_point();
        self.atlas.begin(self.layout.cell() * px);
        let ahead = f64::from(grid.height() * AHEAD);
        let (top, bottom) = (self.scroll, self.scroll + f64::from(grid.height()));
        let items = self.layout.visible(top - ahead / 2.0, bottom + ahead);
        // The edge of a cell that is out of view must not be painted over the toolbar.
        let clip = grid.expand2(vec2(space::L, 0.0));
        let mut child = ui.new_child(UiBuilder::new().max_rect(grid).accessibility_parent(container.id));
        child.shrink_clip_rect(clip);
        let mut in_view = Vec::new();
        let mut out_of_view = Vec::new();
        for item in items {
            match item {
                Item::Month { top: y, newest, oldest } if y < bottom => {
                    month(&child, t, self.y(grid, y), grid, format::months_and_year(newest, oldest));
                }
                Item::Day { top: y, block, width } if y < bottom => {
                    let at = pos2(grid.left() + block.x, self.y(grid, y));
                    self.day(&child, t, at, width, block.section);
                }
                Item::Cell { top: y, x, section, offset, index } => {
                    let at = pos2(grid.left() + x, self.y(grid, y));
                    let rect = Rect::from_min_size(at, vec2(self.layout.cell(), self.layout.cell()));
                    let cell = VisibleCell { rect, section, offset, index };
                    if rect.intersects(grid) { in_view.push(cell) } else { out_of_view.push(cell) }
                }
                Item::Month { .. } | Item::Day { .. } => {}
            }
        }
        if is_too_fast {
            self.wanted.clear();
            ui.ctx().request_repaint_after(SETTLE);
        } else {
            self.ask(env, &in_view, &out_of_view);
        }
        self.cells(&mut child, env, t, &in_view, container);
    }

    fn y(&self, grid: Rect, top: f64) -> f32 {
        // Whole pixels: a picture between two pixels is a soft picture.
        (grid.top() + near(top - self.scroll)).round()
    }

    fn day(&self, ui: &Ui, t: &Tokens, at: eframe::egui::Pos2, width: f32, section: usize) {
        let Some(section) = self.pages.sections().get(section) else { return };
        let text = format::short_day(crate::domain::time::Day(section.day));
        let font = TextStyle::Body.resolve(ui.style());
        let middle = at + vec2(0.0, super::layout::DAY_HEIGHT / 2.0);
        paint_cut(ui, Align2::LEFT_CENTER, middle, text, font, t.weak, width);
    }

    /// Asks for the rows and thumbnails of what is in view, then of what soon will be.
    fn ask(&mut self, env: &mut ScreenContext<'_>, in_view: &[VisibleCell], out_of_view: &[VisibleCell]) {
        self.wanted.clear();
        for cell in in_view.iter().chain(out_of_view) {
            if let Some((key, request)) = self.pages.want(cell.section, cell.offset) {
                env.page(key, request);
            }
            let Some(row) = self.pages.row(cell.section, cell.offset) else { continue };
            let (_, is_current) = self.atlas.get(row.id, &row.cache_key);
            if !is_current && self.wanted.len() < PICTURES_WANTED_MAX && !self.atlas.is_arrived(row.id) {
                self.wanted.push(request(row));
            }
        }
        if self.pages.is_busy() {
            env.repaint_soon = true;
        }
    }

    fn cells(
        &mut self,
        ui: &mut Ui,
        env: &mut ScreenContext<'_>,
        t: &Tokens,
        in_view: &[VisibleCell],
        grid: &Response,
    ) {
        let has_focus = grid.has_focus();
        let total = self.layout.total();
        let pointer = ui.input(|input| input.pointer.hover_pos());
        let mut acts = Vec::new();
        let mut views = Vec::with_capacity(in_view.len());
        for cell in in_view {
            let row = self.pages.row(cell.section, cell.offset);
            let mut view = Cell {
                rect: cell.rect,
                row,
                thumb: Thumb::Missing,
                is_selected: false,
                is_hovered: false,
                has_cursor: has_focus && self.shows_cursor && self.selection.cursor == Some(cell.index),
                sent: None,
            };
            if let Some(row) = row {
                view.thumb = self.atlas.get(row.id, &row.cache_key).0;
                self.selection.note(row.id, row.badge);
                view.is_selected = self.selection.has(row.id);
                view.sent = sent(&env.model.snapshot, row);
                let response = ui.interact(cell.rect, Id::unique(("photo", row.id)), Sense::CLICK);
                view.is_hovered = response.hovered();
                describe(ui, &response, &view, cell.index, total);
                if response.clicked() || response.double_clicked() {
                    let on_tick = pointer.is_some_and(|p| cells::tick_center(cell.rect).distance(p) < 16.0);
                    acts.push((cell.index, row.clone(), response.double_clicked() && !on_tick, on_tick));
                }
            }
            views.push(view);
        }
        cells::paint_pictures(ui.painter(), t, &views);
        cells::paint_marks(ui, t, &views);
        drop(views);
        for (index, row, opens, on_tick) in acts {
            grid.request_focus();
            self.on_click(ui, env, (index, &row), opens, on_tick);
        }
    }

    fn on_click(
        &mut self,
        ui: &Ui,
        env: &mut ScreenContext<'_>,
        (index, row): (usize, &AssetRow),
        opens: bool,
        on_tick: bool,
    ) {
        self.shows_cursor = false;
        let modifiers = ui.input(|input| input.modifiers);
        if opens {
            env.out.push(Command::OpenAsset { asset: row.id, index: Some(index) });
            return;
        }
        let fits = if modifiers.shift {
            self.selection.extend_to(index)
        } else if modifiers.command || on_tick {
            self.selection.toggle(index, row.id, row.badge)
        } else {
            self.selection.only(index, row.id, row.badge);
            true
        };
        if !fits {
            env.out.push(too_many());
        }
    }
}

pub(super) fn too_many() -> Command {
    let most = u64::try_from(SELECTION_MAX).unwrap_or(u64::MAX);
    Command::Toast(format!("At most {} photos can be selected at once", format::number(most)))
}

fn month(ui: &Ui, t: &Tokens, y: f32, grid: Rect, text: String) {
    let font = TextStyle::Name(HEADING.into()).resolve(ui.style());
    let at = pos2(grid.left(), y + super::layout::MONTH_HEIGHT - 6.0);
    ui.painter().text(at, Align2::LEFT_BOTTOM, text, font, t.text);
}

fn sent(snapshot: &Snapshot, row: &AssetRow) -> Option<f32> {
    let of_asset = snapshot.uploading.iter().filter(|transfer| transfer.asset == Some(row.id));
    let (sent, total) = of_asset.fold((0, 0), |(s, t), x| (s + x.bytes_sent, t + x.bytes_total));
    (total > 0).then(|| ratio(sent, total))
}

fn request(row: &AssetRow) -> PictureRequest {
    PictureRequest {
        asset: row.id,
        path: row.path.clone(),
        cache_key: row.cache_key.clone(),
        media_type: row.media_type.clone(),
        side_max: THUMBNAIL_SIDE_MAX,
    }
}

fn describe(ui: &Ui, response: &Response, cell: &Cell<'_>, index: usize, total: usize) {
    let Some(row) = cell.row else { return };
    let missing = match cell.thumb {
        Thumb::Nothing(why) => Some(why),
        Thumb::Picture(..) | Thumb::Missing => None,
    };
    let is_selected = cell.is_selected;
    let name = cells::name(row, missing);
    response.widget_info(|| WidgetInfo::selected(Role::ListBoxOption, true, is_selected, name.clone()));
    ui.ctx().accesskit_node_builder(response.id, |node| {
        node.set_position_in_set(index);
        node.set_size_of_set(total);
        node.set_selected(is_selected);
    });
}
