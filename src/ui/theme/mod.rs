//! The look: a palette, the tokens that say what each colour is for, and their way into egui.
//!
//! No screen names a colour, a size or a distance that does not come from here.

mod apply;
mod palette;
mod tokens;

pub(super) use apply::{HEADING, apply};
pub(super) use tokens::{Tokens, tokens, tokens_of};

/// Distances in points, on a grid of four.
pub(super) mod space {
    /// Between a mark and its word.
    pub const XS: f32 = 4.0;
    /// Between things that belong together.
    pub const S: f32 = 8.0;
    /// Inside controls.
    pub const M: f32 = 12.0;
    /// Inside cards.
    pub const L: f32 = 16.0;
    /// Between groups.
    pub const XL: f32 = 24.0;
    /// Between a page's edge and its content.
    pub const XXL: f32 = 32.0;
}

/// Corner radii in points.
pub(super) mod radius {
    /// Photos in the grid.
    pub const PHOTO: u8 = 4;
    /// Buttons and fields.
    pub const CONTROL: u8 = 8;
    /// Cards and dialogs.
    pub const CARD: u8 = 12;
}

/// Heights and widths in points.
pub(super) mod size {
    /// A button, a field, a row of the sidebar.
    pub const CONTROL: f32 = 32.0;
    /// The sidebar.
    pub const SIDEBAR: f32 = 208.0;
    /// The sidebar in a narrow window.
    pub const SIDEBAR_NARROW: f32 = 56.0;
    /// The bar with the toggle.
    pub const TOP_BAR: f32 = 64.0;
    /// The bar with the progress.
    pub const BOTTOM_BAR: f32 = 56.0;
    /// Icons beside text.
    pub const ICON: f32 = 18.0;
    /// The widest that text and cards grow.
    pub const PAGE: f32 = 820.0;
}
