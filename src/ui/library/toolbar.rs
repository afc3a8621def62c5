//! The bar above the grid, and the one that appears when photos are selected.

use eframe::egui::{Align2, Area, Frame, Id, Margin, Order, Rect, Role, Ui, vec2};

use super::pages::Pages;
use super::{Library, may_do};
use crate::api::{Badge, LibraryFilter};
use crate::domain::format;
use crate::ui::commands::{Command, Dialog, RestoreStart, Verb};
use crate::ui::focus;
use crate::ui::icons::Icon;
use crate::ui::preferences::{CELL_MAX, CELL_MIN};
use crate::ui::restore;
use crate::ui::screen_context::ScreenContext;
use crate::ui::theme::{radius, size, space, tokens};
use crate::ui::widgets::{self, Kind};

/// From this width on, in points, the toolbar has room for the count and the size of the thumbnails.
const ROOMY_WIDTH: f32 = 740.0;
/// Below this width the filters take rows of their own.
const FILTERS_WIDTH: f32 = 570.0;

const FILTERS: [(LibraryFilter, &str); 6] = [
    (LibraryFilter::All, "All"),
    (LibraryFilter::Photos, "Photos"),
    (LibraryFilter::Videos, "Videos"),
    (LibraryFilter::NotSafe, "Not safe"),
    (LibraryFilter::Attention, "Attention"),
    (LibraryFilter::DoubtfulDate, "Doubtful dates"),
];

impl Library {
    pub(super) fn toolbar(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        let margin = Margin::symmetric(16, 8);
        Frame::new().inner_margin(margin).show(ui, |ui| {
            let is_roomy = ui.available_width() >= ROOMY_WIDTH;
            let mut picked = None;
            // In a narrow window the filters wrap and the keyboard changes the size; the count stays.
            if ui.available_width() < FILTERS_WIDTH {
                picked = widgets::segmented(ui, "Show", self.pages.filter, &FILTERS);
                self.count(ui);
            } else {
                ui.allocate_ui(vec2(ui.available_width(), size::CONTROL), |ui| {
                    let Self { pages, cell_side, .. } = self;
                    let is_current = pages.is_known() && pages.shown == pages.filter;
                    let items = is_current.then(|| items(pages));
                    let out = &mut *env;
                    focus::split_row(
                        ui,
                        |ui| picked = widgets::segmented(ui, "Show", pages.filter, &FILTERS),
                        |ui| {
                            if let Some(items) = items {
                                ui.label(widgets::note(ui, items));
                            }
                            if is_roomy {
                                ui.add_space(space::M);
                                size_slider(ui, out, cell_side);
                            }
                        },
                    );
                });
            }
            if let Some(filter) = picked {
                self.set_filter(filter, env);
            }
        });
    }

    fn count(&self, ui: &mut Ui) {
        if self.is_current() {
            ui.label(widgets::note(ui, items(&self.pages)));
        }
    }

    fn set_filter(&mut self, filter: LibraryFilter, env: &mut ScreenContext<'_>) {
        self.pages.filter = filter;
        self.selection.clear();
        self.scroll = 0.0;
        env.refresh_library = true;
        env.focus_page = true;
    }

    pub(super) fn selection_bar(&mut self, ui: &Ui, env: &mut ScreenContext<'_>) {
        let t = tokens(ui);
        let count = u64::try_from(self.selection.ids().len()).unwrap_or(u64::MAX);
        let fitting = |verb| -> Vec<i64> {
            self.selected_badges().filter(|(_, badge)| may_do(verb, *badge)).map(|(id, _)| id).collect()
        };
        let (retry, out, back) = (fitting(Verb::Retry), fitting(Verb::Exclude), fitting(Verb::Include));
        let is_safe = |(id, badge): (i64, Badge)| (badge == Badge::Safe).then_some(id);
        let safe: Vec<i64> = self.selected_badges().filter_map(is_safe).collect();
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
                        let text = format!("{} selected", format::number(count));
                        let label = ui.label(text.clone());
                        widgets::announced(ui, &label, Role::Status, &text);
                        ui.add_space(space::M);
                        let act = |ui: &mut Ui, icon, text: &str, ids: &[i64]| {
                            // Where it concerns only some of them, it says how many.
                            let some = u64::try_from(ids.len()).unwrap_or(u64::MAX);
                            let text = if some == count {
                                text.to_owned()
                            } else {
                                format!("{text} ({} of {})", format::number(some), format::number(count))
                            };
                            !ids.is_empty()
                                && widgets::icon_text_button(ui, Kind::Quiet, icon, &text).clicked()
                        };
                        if act(ui, Icon::Retry, "Retry", &retry) {
                            env.out.push(Command::OnAssets(Verb::Retry, retry.clone()));
                            clear = true;
                        }
                        if act(ui, Icon::Excluded, "Leave out", &out) {
                            env.out.push(Command::Ask(Dialog::ExcludeAssets { assets: out.clone() }));
                        }
                        if act(ui, Icon::Plus, "Include again", &back) {
                            env.out.push(Command::OnAssets(Verb::Include, back.clone()));
                            clear = true;
                        }
                        if act(ui, Icon::Restore, "Restore", &safe) {
                            let start = RestoreStart { destination: None, assets: safe.clone() };
                            env.out.extend(restore::open(start));
                        }
                        if widgets::icon_button(ui, Icon::Close, "Clear selection").clicked() {
                            clear = true;
                        }
                    });
                });
            });
        if clear {
            self.selection.clear();
            env.focus_page = true;
        }
    }
}

fn items(pages: &Pages) -> String {
    let total = pages.sections().iter().map(|day| u64::from(day.assets)).sum();
    format::counted(total, "item", "items")
}

fn size_slider(ui: &mut Ui, env: &mut ScreenContext<'_>, cell_side: &mut f32) {
    if widgets::icon_button(ui, Icon::Minus, "Smaller thumbnails").clicked() {
        env.out.push(Command::Zoom(-1));
    }
    if let Some(side) = widgets::slider(ui, *cell_side, CELL_MIN, CELL_MAX, "Thumbnail size") {
        *cell_side = side;
        env.cell_side_changed = true;
    }
    if widgets::icon_button(ui, Icon::Plus, "Larger thumbnails").clicked() {
        env.out.push(Command::Zoom(1));
    }
}
