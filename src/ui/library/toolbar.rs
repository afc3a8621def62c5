//! The bar above the grid, and the one that appears when photos are selected.

use eframe::egui::{
    Align2, Area, Frame, Id, Layout as UiLayout, Margin, Order, Rect, Role, Sense, Ui, UiBuilder, WidgetInfo,
    vec2,
};

use super::Library;
use crate::api::LibraryFilter;
use crate::ui::app::Env;
use crate::ui::commands::{Command, Dialog, Verb};
use crate::ui::icons::Icon;
use crate::ui::preferences::{CELL_MAX, CELL_MIN};
use crate::ui::theme::{radius, size, space, tokens};
use crate::ui::widgets::{self, Kind};
use crate::ui::words;

/// From this width on, in points, the toolbar has room for the count and the size of the thumbnails.
const ROOMY_WIDTH: f32 = 740.0;

const FILTERS: [(LibraryFilter, &str); 6] = [
    (LibraryFilter::All, "All"),
    (LibraryFilter::Photos, "Photos"),
    (LibraryFilter::Videos, "Videos"),
    (LibraryFilter::NotSafe, "Not safe"),
    (LibraryFilter::Attention, "Attention"),
    (LibraryFilter::DoubtfulDate, "Doubtful dates"),
];

impl Library {
    pub(super) fn toolbar(&mut self, ui: &mut Ui, env: &mut Env<'_>) {
        let (rect, _) = ui.allocate_exact_size(vec2(ui.available_width(), size::TOOLBAR), Sense::hover());
        let inner = rect.shrink2(vec2(space::L, 0.0));
        let mut left = ui.new_child(
            UiBuilder::new().max_rect(inner).layout(UiLayout::left_to_right(eframe::egui::Align::Center)),
        );
        if let Some(filter) = widgets::segmented(&mut left, "Show", self.pages.filter, &FILTERS) {
            self.set_filter(filter, env);
        }
        let mut right = ui.new_child(
            UiBuilder::new().max_rect(inner).layout(UiLayout::right_to_left(eframe::egui::Align::Center)),
        );
        // In a narrow window the filters need the room; the keyboard zooms all the same.
        if inner.width() < ROOMY_WIDTH {
            return;
        }
        self.size_slider(&mut right, env);
        right.add_space(space::M);
        if self.is_current() {
            let total = self.pages.sections().iter().map(|day| u64::from(day.assets)).sum();
            let text = widgets::note(&right, words::counted(total, "item", "items"));
            right.label(text);
        }
    }

    fn set_filter(&mut self, filter: LibraryFilter, env: &mut Env<'_>) {
        self.pages.filter = filter;
        self.selection.clear();
        self.scroll = 0.0;
        env.refresh_library = true;
    }

    fn size_slider(&mut self, ui: &mut Ui, env: &mut Env<'_>) {
        if widgets::icon_button(ui, Icon::Plus, "Larger thumbnails").clicked() {
            env.out.push(Command::Zoom(1));
        }
        if let Some(side) = widgets::slider(ui, self.cell_side, CELL_MIN, CELL_MAX, "Thumbnail size") {
            self.cell_side = side;
            env.cell_side_changed = true;
        }
        if widgets::icon_button(ui, Icon::Minus, "Smaller thumbnails").clicked() {
            env.out.push(Command::Zoom(-1));
        }
    }

    pub(super) fn selection_bar(&mut self, ui: &Ui, env: &mut Env<'_>) {
        let t = tokens(ui);
        let count = u64::try_from(self.selection.ids().len()).unwrap_or(u64::MAX);
        let ids: Vec<i64> = self.selection.ids().iter().copied().collect();
        let area: Rect = ui.max_rect();
        let at = area.center_bottom() - vec2(super::scrubber::WIDTH / 2.0, space::XL);
        let frame = Frame::popup(ui.style())
            .fill(t.surface)
            .corner_radius(radius::CARD)
            .inner_margin(Margin::symmetric(16, 8));
        let mut clear = false;
        Area::new(Id::unique("selection bar"))
            .order(Order::Middle)
            .pivot(Align2::CENTER_BOTTOM)
            .fixed_pos(at)
            .show(ui.ctx(), |ui| {
                frame.show(ui, |ui| {
                    ui.horizontal(|ui| {
                        let text = format!("{} selected", words::number(count));
                        let label = ui.label(text.clone());
                        label.widget_info(|| WidgetInfo::labeled(Role::Status, true, &text));
                        ui.add_space(space::M);
                        if widgets::icon_text_button(ui, Kind::Quiet, Icon::Retry, "Try again").clicked() {
                            env.out.push(Command::OnAssets(Verb::Retry, ids.clone()));
                            clear = true;
                        }
                        let out = widgets::icon_text_button(ui, Kind::Quiet, Icon::Excluded, "Leave out");
                        if out.clicked() {
                            env.out.push(Command::Ask(Dialog::ExcludeAssets { assets: ids.clone() }));
                        }
                        let back = widgets::icon_text_button(ui, Kind::Quiet, Icon::Plus, "Take back in");
                        if back.clicked() {
                            env.out.push(Command::OnAssets(Verb::Include, ids.clone()));
                            clear = true;
                        }
                        if widgets::icon_button(ui, Icon::Close, "Clear selection").clicked() {
                            clear = true;
                        }
                    });
                });
            });
        if clear {
            self.selection.clear();
        }
    }
}
