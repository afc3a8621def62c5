//! The library: a grid of every photo by day, for a quarter of a million of them.
//!
//! The grid keeps its own scroll position and paints only what is in view. It must never walk the
//! whole library in a frame, and never keep a picture that nobody sees beyond the atlas's limit.

pub(super) mod cells;
mod grid;
mod keys;
mod layout;
mod pages;
mod scrubber;
mod selection;
mod textures;
mod toolbar;

use eframe::egui::{Context, Frame, Label, Margin, Ui};

use self::layout::Layout;
use self::pages::Pages;
use self::selection::Selection;
use self::textures::Atlas;
use super::commands::{Command, Verb};
use super::counts::{Amount, Counts};
use super::icons::Icon;
use super::preferences::{CELL_MAX, CELL_MIN};
use super::screen_context::ScreenContext;
use super::widgets;
use crate::api::{AssetRow, Badge, LibraryFilter, QueueList};
use crate::client::{Picture, PictureRequest};

pub(super) use self::selection::SELECTION_MAX;

/// How far around its old place an asset is looked for.
const FIND_REACH: usize = 256;
/// One step of the zoom, as a factor.
const ZOOM_STEP: f32 = 1.2;

/// Whether something does anything to a photo with this badge.
pub(super) fn may_do(verb: Verb, badge: Badge) -> bool {
    match verb {
        Verb::Retry | Verb::Untrash => badge == Badge::Attention,
        Verb::Exclude => {
            matches!(badge, Badge::Attention | Badge::Waiting | Badge::Uploading | Badge::Unproven)
        }
        Verb::Include => badge == Badge::Excluded,
    }
}

/// The screen's state.
pub(super) struct Library {
    /// What is known of the rows.
    pub pages: Pages,
    /// The side that cells should have, in points.
    pub cell_side: f32,
    atlas: Atlas,
    selection: Selection,
    layout: Layout,
    /// What `layout` was made of: generation, width and cell side.
    made_of: (u64, u32, u32),
    scroll: f64,
    page_height: f32,
    /// The keyboard moved last, so its place is shown.
    shows_cursor: bool,
    /// The keyboard's place must come into view.
    reveal: bool,
    wanted: Vec<PictureRequest>,
}

impl Library {
    /// An empty library with cells of this side.
    pub fn new(cell_side: f32) -> Self {
        Self {
            pages: Pages::default(),
            cell_side,
            atlas: Atlas::default(),
            selection: Selection::default(),
            layout: Layout::default(),
            made_of: (u64::MAX, 0, 0),
            scroll: 0.0,
            page_height: 0.0,
            shows_cursor: false,
            reveal: false,
            wanted: Vec::new(),
        }
    }

    /// Whether the days have to be asked for.
    pub fn is_stale(&self, revision: u64) -> bool {
        self.pages.is_stale(revision)
    }

    /// Takes a thumbnail in.
    pub fn on_picture(&mut self, picture: Picture) {
        self.atlas.accept(picture);
    }

    /// Uploads thumbnails within the frame's budget. True when more wait.
    pub fn upload(&mut self, ctx: &Context) -> bool {
        self.atlas.upload(ctx)
    }

    /// The thumbnails that the last frame missed, the most wanted first.
    pub fn wanted(&self) -> &[PictureRequest] {
        &self.wanted
    }

    /// Forgets what the last frame missed, for when the grid is not shown.
    pub fn want_nothing(&mut self) {
        self.wanted.clear();
    }

    /// Larger or smaller cells. Returns the new side.
    pub fn zoom(&mut self, steps: i8) -> f32 {
        self.cell_side = (self.cell_side * ZOOM_STEP.powi(i32::from(steps))).clamp(CELL_MIN, CELL_MAX);
        self.cell_side
    }

    /// The row at a place in the grid, asking for its page where it is missing.
    pub fn row_at(&mut self, index: usize, env: &mut ScreenContext<'_>) -> Option<AssetRow> {
        self.follow();
        let (section, offset) = self.layout.locate(index)?;
        if let Some((key, request)) = self.pages.want(section, offset) {
            env.page(key, request);
        }
        self.pages.row(section, offset).cloned()
    }

    /// Where an asset is now that was at `index`; looks a little way around.
    pub fn find(&mut self, asset: i64, index: usize) -> Option<usize> {
        self.follow();
        let is_it = |at: &usize| {
            let place = self.layout.locate(*at);
            place.and_then(|(s, o)| self.pages.row(s, o)).is_some_and(|row| row.id == asset)
        };
        (0..FIND_REACH).flat_map(|by| [index.checked_add(by), index.checked_sub(by)]).flatten().find(is_it)
    }

    /// How many photos the grid has.
    pub fn total(&self) -> usize {
        self.layout.total()
    }

    /// The keyboard goes to this photo, for when the viewer closes on it.
    pub fn reveal(&mut self, index: usize) {
        self.selection.move_to(index);
        self.reveal = true;
    }

    /// The badges of the selected photos, as they were seen last.
    fn selected_badges(&self) -> impl Iterator<Item = (i64, Badge)> {
        self.selection.ids().iter().map(|(id, badge)| (*id, *badge))
    }

    /// Paints the screen.
    pub fn ui(&mut self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        self.toolbar(ui, env);
        if let Some(why) = self.pages.refusal.as_ref().filter(|_| !self.is_current()) {
            self.wanted.clear();
            widgets::empty(ui, Icon::Attention, "The library can't be shown", why);
            return;
        }
        if !self.pages.is_known() {
            self.wanted.clear();
            return;
        }
        if self.pages.sections().is_empty() {
            self.wanted.clear();
            self.empty(ui, env);
            return;
        }
        if self.pages.filter == LibraryFilter::Attention {
            attention_line(ui, env);
        }
        self.grid(ui, env);
        if !self.selection.ids().is_empty() {
            self.selection_bar(ui, env);
        }
    }

    /// What is known is of the filter that was asked for, however old.
    fn is_current(&self) -> bool {
        self.pages.is_known() && self.pages.shown == self.pages.filter
    }

    fn empty(&self, ui: &mut Ui, env: &mut ScreenContext<'_>) {
        let attention = Counts::of(&env.model.snapshot).needs_attention();
        let (icon, text, more) = match self.pages.filter {
            LibraryFilter::All if env.model.snapshot.sources.is_empty() => {
                (Icon::Folder, "No folders yet", "Add the folders that hold your photos, or drop them here")
            }
            LibraryFilter::All => {
                (Icon::Library, "No photos here yet", "Photos and videos appear as your folders are scanned")
            }
            LibraryFilter::Photos => (Icon::Library, "No photos", "Your folders hold no photos yet"),
            LibraryFilter::Videos => (Icon::Video, "No videos", "Your folders hold no videos yet"),
            LibraryFilter::NotSafe => {
                (Icon::Safe, "Everything is safe", "Every photo is verified at every destination")
            }
            LibraryFilter::Attention if !attention.is_zero() => (
                Icon::Attention,
                "No photo here needs attention",
                "The files that do could not be read as photos. The queue lists them",
            ),
            LibraryFilter::Attention => (Icon::Safe, "All good", "No photo needs your attention"),
            LibraryFilter::DoubtfulDate => (
                Icon::Safe,
                "No doubtful dates",
                "No photo has a camera's default date or a date in the future",
            ),
        };
        widgets::empty(ui, icon, text, more);
        if self.pages.filter == LibraryFilter::Attention && !attention.is_zero() {
            ui.vertical_centered(|ui| {
                ui.add_space(super::theme::space::L);
                show_in_queue(ui, env, attention);
            });
        }
        if self.pages.filter == LibraryFilter::All && env.model.snapshot.sources.is_empty() {
            ui.vertical_centered(|ui| {
                ui.add_space(super::theme::space::L);
                if widgets::button(ui, widgets::Kind::Primary, "Add folder").clicked() {
                    env.out.push(super::commands::Command::PickFolder(super::commands::PickFor::Source));
                }
            });
        }
    }
}

/// Above the photos that need attention: where the files are that do and are no photos.
fn attention_line(ui: &mut Ui, env: &mut ScreenContext<'_>) {
    let attention = Counts::of(&env.model.snapshot).needs_attention();
    if attention.is_zero() {
        return;
    }
    Frame::new().inner_margin(Margin { left: 16, right: 16, top: 0, bottom: 8 }).show(ui, |ui| {
        ui.horizontal_wrapped(|ui| {
            show_in_queue(ui, env, attention);
            let text = widgets::note(ui, "with the reasons, and with files that could not be read as photos");
            ui.add(Label::new(text).wrap());
        });
    });
}

fn show_in_queue(ui: &mut Ui, env: &mut ScreenContext<'_>, attention: Amount) {
    let text = format!("Show {} in the queue", attention.short());
    if widgets::button(ui, widgets::Kind::Normal, &text).clicked() {
        env.out.push(Command::ShowQueue(QueueList::NeedsAttention, None));
    }
}
