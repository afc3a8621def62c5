//! What is restored: everything, a year, a month, a folder, or photos that were chosen elsewhere.

use eframe::egui::{
    Align2, Color32, Response, Role, ScrollArea, Sense, Stroke, StrokeKind, TextStyle, Ui, UiBuilder, pos2,
    vec2,
};

use crate::api::{FileTotals, PathText, RestoreFolder, RestoreOverview, RestoreScope};
use crate::domain::format;
use crate::domain::time::Day;
use crate::ui::choices::{describe_choice, segmented};
use crate::ui::theme::{radius, space, tokens};
use crate::ui::{focus, widgets};

/// The height that a list of choices may take, in points.
const LIST_HEIGHT: f32 = 240.0;
/// The height of one of its rows.
const ROW_HEIGHT: f32 = 34.0;

/// By what it is chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum ScopeKind {
    #[default]
    Everything,
    Year,
    Month,
    Folder,
    Photos,
}

/// What is chosen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Choice {
    pub what: ScopeKind,
    year: Option<i32>,
    month: Option<(i32, i32)>,
    folder: Option<(String, PathText)>,
    /// Photos that were chosen in the library.
    pub assets: Vec<i64>,
}

impl Choice {
    /// Begins with these photos, or with everything where there are none.
    pub fn begin(&mut self, assets: Vec<i64>) {
        let what = if assets.is_empty() { ScopeKind::Everything } else { ScopeKind::Photos };
        *self = Self { what, assets, ..Self::default() };
    }

    /// As a request says it.
    pub fn scope(&self) -> RestoreScope {
        match self.what {
            ScopeKind::Everything => RestoreScope::All,
            ScopeKind::Year => RestoreScope::Period { year: self.year.unwrap_or_default(), month: None },
            ScopeKind::Month => {
                let (year, month) = self.month.unwrap_or_default();
                RestoreScope::Period { year, month: Some(month) }
            }
            ScopeKind::Folder => {
                let (source, path) = self.folder.clone().unwrap_or_else(|| (String::new(), no_path()));
                RestoreScope::Folder { source, path }
            }
            ScopeKind::Photos => RestoreScope::Assets(self.assets.clone()),
        }
    }

    /// How much that is of what there is. None where nothing is chosen yet.
    pub fn totals(&self, overview: &RestoreOverview) -> Option<FileTotals> {
        match self.what {
            ScopeKind::Everything => Some(overview.total),
            ScopeKind::Year => {
                let year = self.year?;
                years(overview).into_iter().find(|(known, _)| *known == year).map(|(_, totals)| totals)
            }
            ScopeKind::Month => {
                let (year, month) = self.month?;
                let known = overview.months.iter().find(|m| (m.year, m.month) == (year, month));
                known.map(|month| month.totals)
            }
            ScopeKind::Folder => {
                let (source, path) = self.folder.as_ref()?;
                let known = overview.folders.iter().find(|f| f.source == *source && f.path == *path);
                known.map(|folder| folder.totals)
            }
            ScopeKind::Photos => None,
        }
    }

    /// Paints the choices.
    pub fn ui(&mut self, ui: &mut Ui, overview: &RestoreOverview) {
        let photos = u64::try_from(self.assets.len()).unwrap_or(u64::MAX);
        let photos = format::counted(photos, "photo", "photos");
        let mut kinds = vec![
            (ScopeKind::Everything, "Everything"),
            (ScopeKind::Year, "A year"),
            (ScopeKind::Month, "A month"),
            (ScopeKind::Folder, "A folder"),
        ];
        if !self.assets.is_empty() {
            kinds.insert(0, (ScopeKind::Photos, photos.as_str()));
        }
        if let Some(picked) = segmented(ui, "What", self.what, &kinds) {
            self.what = picked;
        }
        if matches!(self.what, ScopeKind::Everything | ScopeKind::Photos) {
            return;
        }
        ui.add_space(space::S);
        match self.what {
            ScopeKind::Everything | ScopeKind::Photos => {}
            ScopeKind::Year => self.years(ui, overview),
            ScopeKind::Month => self.months(ui, overview),
            ScopeKind::Folder => self.folders(ui, overview),
        }
    }

    fn years(&mut self, ui: &mut Ui, overview: &RestoreOverview) {
        let years = years(overview);
        let chosen = years.iter().position(|(year, _)| self.year == Some(*year));
        let row = |index: usize| {
            let (year, totals) = years[index];
            Row::of(year.to_string(), totals)
        };
        if let Some((year, _)) = list(ui, "Year", years.len(), chosen, row).and_then(|at| years.get(at)) {
            self.year = Some(*year);
        }
    }

    fn months(&mut self, ui: &mut Ui, overview: &RestoreOverview) {
        let months = &overview.months;
        let chosen = months.iter().position(|month| self.month == Some((month.year, month.month)));
        let row = |index: usize| {
            let month = months[index];
            let day = Day(month.year * 10_000 + month.month * 100 + 1);
            Row::of(format::month_and_year(day), month.totals)
        };
        if let Some(month) = list(ui, "Month", months.len(), chosen, row).and_then(|at| months.get(at)) {
            self.month = Some((month.year, month.month));
        }
    }

    fn folders(&mut self, ui: &mut Ui, overview: &RestoreOverview) {
        let folders = &overview.folders;
        let is_chosen = |(source, path): &(String, PathText), folder: &RestoreFolder| {
            folder.source == *source && folder.path == *path
        };
        let chosen = self.folder.as_ref().and_then(|key| folders.iter().position(|f| is_chosen(key, f)));
        let row = |index: usize| {
            let folder = &folders[index];
            let text = match folder.path.path.as_str() {
                "" => folder.source.clone(),
                path => format!("{}/{path}", folder.source),
            };
            Row::of(text, folder.totals)
        };
        if let Some(folder) = list(ui, "Folder", folders.len(), chosen, row).and_then(|at| folders.get(at)) {
            self.folder = Some((folder.source.clone(), folder.path.clone()));
        }
    }
}

fn no_path() -> PathText {
    PathText { path: String::new(), path_b64: None }
}

/// The copies by year, the latest first.
fn years(overview: &RestoreOverview) -> Vec<(i32, FileTotals)> {
    let mut years: Vec<(i32, FileTotals)> = Vec::new();
    for month in &overview.months {
        match years.last_mut() {
            Some((year, totals)) if *year == month.year => {
                totals.files += month.totals.files;
                totals.bytes += month.totals.bytes;
            }
            _ => years.push((month.year, month.totals)),
        }
    }
    years
}

/// One choice of a list.
pub(super) struct Row {
    pub text: String,
    pub more: String,
    /// What a screen reader says.
    pub name: String,
}

impl Row {
    fn of(text: String, totals: FileTotals) -> Self {
        let more = format!("{}, {}", format::files(totals.files), format::bytes(totals.bytes));
        let name = format!("{text}, {more}");
        Self { text, more, name }
    }
}

/// A list of choices that scrolls: one stop for Tab, walked through with the arrow keys. Returns the one
/// that the person picks.
pub(super) fn list(
    ui: &mut Ui,
    group: &str,
    len: usize,
    chosen: Option<usize>,
    row: impl Fn(usize) -> Row,
) -> Option<usize> {
    let area = ScrollArea::vertical().id_salt(group).max_height(LIST_HEIGHT).auto_shrink([false, true]);
    let builder = UiBuilder::new().accessibility_role(Role::RadioGroup).accessibility_label(group);
    let shown = ui.scope_builder(builder, |ui| {
        ui.spacing_mut().item_spacing.y = 2.0;
        let stop = chosen.unwrap_or(0);
        area.show(ui, |ui| {
            let member = |at| paint_row(ui, chosen == Some(at), at == stop, &row(at));
            let members: Vec<Response> = (0..len).map(member).collect();
            let walked = focus::arrows(ui, &members, stop);
            if let Some(member) = walked.and_then(|at| members.get(at)) {
                member.scroll_to_me(None);
            }
            members.iter().position(Response::clicked).or(walked)
        })
        .inner
    });
    shown.inner
}

/// Paints one choice of a list over the whole width. Tab stops only at one of them.
fn paint_row(ui: &mut Ui, is_chosen: bool, is_stop: bool, row: &Row) -> Response {
    let sense = if is_stop { Sense::click() } else { Sense::CLICK };
    let (rect, response) = ui.allocate_exact_size(vec2(ui.available_width(), ROW_HEIGHT), sense);
    describe_choice(ui, &response, Role::RadioButton, is_chosen, &row.name);
    if !ui.is_rect_visible(rect) {
        return response;
    }
    let t = tokens(ui);
    let (fill, line) = match (is_chosen, response.hovered()) {
        (true, _) => (t.control, t.outline),
        (false, true) => (t.hover.gamma_multiply(0.6), Color32::TRANSPARENT),
        (false, false) => (Color32::TRANSPARENT, Color32::TRANSPARENT),
    };
    ui.painter().rect(rect, radius::CONTROL, fill, Stroke::new(1.0, line), StrokeKind::Inside);
    let middle = rect.center().y;
    let ring = pos2(rect.left() + 18.0, middle);
    ui.painter().circle_stroke(ring, 7.0, Stroke::new(1.5, if is_chosen { t.accent } else { t.faint }));
    if is_chosen {
        ui.painter().circle_filled(ring, 3.5, t.accent);
    }
    let (body, small) = (TextStyle::Body.resolve(ui.style()), TextStyle::Small.resolve(ui.style()));
    let more_at = pos2(rect.right() - space::M, middle);
    let more_room = rect.width() * 0.45;
    let more =
        widgets::paint_cut(ui, Align2::RIGHT_CENTER, more_at, row.more.clone(), small, t.weak, more_room);
    let text_at = pos2(rect.left() + 36.0, middle);
    let text_room = more.left() - text_at.x - space::M;
    widgets::paint_cut(ui, Align2::LEFT_CENTER, text_at, row.text.clone(), body, t.text, text_room);
    focus::focus_ring(ui, rect, f32::from(radius::CONTROL), &response);
    response
}
