//! What the window remembers from one start to the next.
//!
//! Only how it looks and what it has said once; never anything about the backup.

use serde::{Deserialize, Serialize};

/// The smallest cell of the grid, in points.
pub const CELL_MIN: f32 = 88.0;
/// The largest cell of the grid, in points.
pub const CELL_MAX: f32 = 256.0;

/// The sizes that text and controls can have, 1 being the normal one.
pub(super) const TEXT_SCALES: [f32; 8] = [0.8, 0.9, 1.0, 1.1, 1.25, 1.5, 1.75, 2.0];

/// Which theme the window shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Appearance {
    /// As the system says.
    #[default]
    System,
    /// Always light.
    Light,
    /// Always dark.
    Dark,
}

/// What the window remembers. Unknown fields are passed over and missing ones have their defaults,
/// so an older or a newer release reads it too.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Preferences {
    /// Which theme.
    pub appearance: Appearance,
    /// The side of the grid's cells in points, between [`CELL_MIN`] and [`CELL_MAX`].
    pub cell_side: f32,
    /// The size of all text and controls, one of [`TEXT_SCALES`].
    pub text_scale: f32,
    /// The person has read that backup goes on when the window is closed.
    pub has_read_closing_notice: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self {
            appearance: Appearance::System,
            cell_side: 152.0,
            text_scale: 1.0,
            has_read_closing_notice: false,
        }
    }
}

impl Preferences {
    /// With every value inside its limits.
    pub(super) fn clamped(mut self) -> Self {
        if !self.cell_side.is_finite() {
            self.cell_side = Self::default().cell_side;
        }
        self.cell_side = self.cell_side.clamp(CELL_MIN, CELL_MAX);
        if !self.text_scale.is_finite() {
            self.text_scale = 1.0;
        }
        self.text_scale = self.text_scale.clamp(TEXT_SCALES[0], TEXT_SCALES[TEXT_SCALES.len() - 1]);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_others_wrote() {
        let read = |text: &str| serde_json::from_str::<Preferences>(text).expect("json").clamped();
        assert_eq!(read("{}"), Preferences::default());
        let kept = read(r#"{"appearance":"dark","cell_side":9000.0,"later":1}"#);
        assert_eq!((kept.appearance, kept.cell_side), (Appearance::Dark, CELL_MAX));
        let wild = Preferences { cell_side: f32::NAN, text_scale: f32::INFINITY, ..Preferences::default() }
            .clamped();
        assert_eq!(wild, Preferences::default());
    }
}
