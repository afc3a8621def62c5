//! What each colour is for, in each theme.

use eframe::egui::{Color32, Theme, Ui};

use super::palette as p;

/// Colours by use. Screens name these and nothing else.
#[derive(Debug)]
pub(in crate::ui) struct Tokens {
    /// Behind everything.
    pub canvas: Color32,
    /// Behind one photo.
    pub well: Color32,
    /// The sidebar and the bars.
    pub chrome: Color32,
    /// Cards.
    pub surface: Color32,
    /// Buttons at rest.
    pub control: Color32,
    /// Under the pointer.
    pub hover: Color32,
    /// Pressed, tracks and rails.
    pub pressed: Color32,
    /// Text fields.
    pub field: Color32,
    /// Hair lines, where space will not do.
    pub line: Color32,
    /// Around fields, buttons, switches and cards, so that they are told from what is behind them.
    pub outline: Color32,
    /// Text that matters.
    pub text: Color32,
    /// Text beside it.
    pub weak: Color32,
    /// Text that may be passed over.
    pub faint: Color32,
    /// The one accent: the toggle, progress, what needs the person.
    pub accent: Color32,
    /// The accent under the pointer.
    pub accent_hover: Color32,
    /// Text on the accent.
    pub on_accent: Color32,
    /// A wash of the accent behind text.
    pub accent_wash: Color32,
    /// The ring around what has the keyboard.
    pub focus: Color32,
    /// Segments of the accounting bar.
    pub bin_safe: Color32,
    /// Being sent.
    pub bin_uploading: Color32,
    /// Taken, not provable.
    pub bin_unproven: Color32,
    /// To be sent.
    pub bin_waiting: Color32,
    /// Left out.
    pub bin_excluded: Color32,
    /// Behind marks on photos.
    pub shade: Color32,
    /// Marks on photos.
    pub on_shade: Color32,
    /// The accent on photos.
    pub accent_over_photo: Color32,
    /// Behind dialogs.
    pub veil: Color32,
}

const DARK: Tokens = Tokens {
    canvas: p::INK[1],
    well: p::INK[0],
    chrome: p::INK[2],
    surface: p::INK[2],
    control: p::INK[4],
    hover: p::INK[4],
    pressed: p::INK[5],
    field: p::INK[0],
    line: p::INK[4],
    outline: p::EDGE[0],
    text: p::CHALK[0],
    weak: p::CHALK[1],
    faint: p::CHALK[2],
    accent: p::LAMP,
    accent_hover: p::LAMP_BRIGHT,
    on_accent: p::LAMP_INK,
    accent_wash: p::LAMP_EMBER,
    focus: p::LAMP,
    bin_safe: p::SAFE[0],
    bin_uploading: p::LAMP_PALE[0],
    bin_unproven: p::INK_TONES[1],
    bin_waiting: p::INK_TONES[0],
    bin_excluded: p::INK_TONES[2],
    shade: p::SHADE,
    on_shade: p::ON_SHADE,
    accent_over_photo: p::LAMP_OVER_PHOTO,
    veil: p::VEIL,
};

const LIGHT: Tokens = Tokens {
    canvas: p::PAPER[1],
    well: p::PAPER[1],
    chrome: p::PAPER[2],
    surface: p::PAPER[2],
    control: p::PAPER[4],
    hover: p::PAPER[4],
    pressed: p::PAPER[5],
    field: p::PAPER[0],
    line: p::PAPER[5],
    outline: p::EDGE[1],
    text: p::SEPIA[0],
    weak: p::SEPIA[1],
    faint: p::SEPIA[2],
    accent: p::GLOW,
    accent_hover: p::GLOW_BRIGHT,
    on_accent: p::PAPER[0],
    accent_wash: p::GLOW_BLUSH,
    focus: p::GLOW,
    bin_safe: p::SAFE[1],
    bin_uploading: p::LAMP_PALE[1],
    bin_unproven: p::PAPER_TONES[1],
    bin_waiting: p::PAPER_TONES[0],
    bin_excluded: p::PAPER_TONES[2],
    shade: p::SHADE,
    on_shade: p::ON_SHADE,
    accent_over_photo: p::LAMP_OVER_PHOTO,
    veil: p::VEIL,
};

/// The tokens of a theme.
pub(in crate::ui) fn tokens_of(theme: Theme) -> &'static Tokens {
    match theme {
        Theme::Dark => &DARK,
        Theme::Light => &LIGHT,
    }
}

/// The tokens of the theme this is painted in.
pub(in crate::ui) fn tokens(ui: &Ui) -> &'static Tokens {
    if ui.visuals().dark_mode { &DARK } else { &LIGHT }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn linear(channel: u8) -> f64 {
        let c = f64::from(channel) / 255.0;
        if c <= 0.040_45 { c / 12.92 } else { ((c + 0.055) / 1.055).powf(2.4) }
    }

    fn luminance(color: Color32) -> f64 {
        0.2126 * linear(color.r()) + 0.7152 * linear(color.g()) + 0.0722 * linear(color.b())
    }

    /// Contrast as the Web Content Accessibility Guidelines define it, 1 to 21.
    fn contrast(a: Color32, b: Color32) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    fn over(front: Color32, back: Color32) -> Color32 {
        let keep = f64::from(255 - front.a()) / 255.0;
        let mix = |f: u8, b: u8| {
            let value = f64::from(f) + f64::from(b) * keep;
            #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "rounded, 0 to 255")]
            let byte = value.round().clamp(0.0, 255.0) as u8;
            byte
        };
        Color32::from_rgb(mix(front.r(), back.r()), mix(front.g(), back.g()), mix(front.b(), back.b()))
    }

    #[test]
    fn the_contrast_formula_is_the_standard_one() {
        assert!((contrast(Color32::WHITE, Color32::BLACK) - 21.0).abs() < 1e-9);
        assert!((contrast(Color32::from_rgb(0x77, 0x77, 0x77), Color32::WHITE) - 4.478).abs() < 0.01);
    }

    #[test]
    fn text_is_readable_on_every_surface() {
        for (name, t) in [("dark", &DARK), ("light", &LIGHT)] {
            let surfaces = [
                ("canvas", t.canvas),
                ("chrome", t.chrome),
                ("surface", t.surface),
                ("hover", t.hover),
                ("field", t.field),
                ("control", t.control),
            ];
            for (surface_name, surface) in surfaces {
                for (text_name, text) in [("text", t.text), ("weak", t.weak), ("faint", t.faint)] {
                    let ratio = contrast(text, surface);
                    assert!(ratio >= 4.5, "{name}: {text_name} on {surface_name} is {ratio:.2}");
                }
                let accent = contrast(t.accent, surface);
                assert!(accent >= 4.5, "{name}: accent on {surface_name} is {accent:.2}");
            }
            for (what, a, b) in [
                ("text on the accent", t.on_accent, t.accent),
                ("text on the bright accent", t.on_accent, t.accent_hover),
                ("text on the wash", t.text, t.accent_wash),
                ("accent on the wash", t.accent, t.accent_wash),
                ("text on a pressed control", t.text, t.pressed),
            ] {
                let ratio = contrast(a, b);
                assert!(ratio >= 4.5, "{name}: {what} is {ratio:.2}");
            }
        }
    }

    #[test]
    fn marks_and_rings_are_seen() {
        for (name, t) in [("dark", &DARK), ("light", &LIGHT)] {
            for (what, a, b) in [
                ("focus on canvas", t.focus, t.canvas),
                ("focus on chrome", t.focus, t.chrome),
                ("focus on a control", t.focus, t.control),
                ("an outline on canvas", t.outline, t.canvas),
                ("an outline on a card", t.outline, t.surface),
                ("an outline on chrome", t.outline, t.chrome),
                ("a switch's knob", t.on_shade, t.outline),
                ("safe on the card", t.bin_safe, t.surface),
                ("uploading on the card", t.bin_uploading, t.surface),
                ("unproven on the card", t.bin_unproven, t.surface),
                ("waiting on the card", t.bin_waiting, t.surface),
                ("left out on the card", t.bin_excluded, t.surface),
                ("attention on the card", t.accent, t.surface),
                ("the accent on a track", t.accent, t.pressed),
            ] {
                let ratio = contrast(a, b);
                assert!(ratio >= 3.0, "{name}: {what} is {ratio:.2}");
            }
            // Parts of the bar are told apart by what lies between them, and by more than their hue.
            let bins = [t.bin_safe, t.bin_unproven, t.bin_uploading, t.bin_waiting, t.accent, t.bin_excluded];
            for pair in bins.windows(2) {
                assert!(contrast(pair[0], pair[1]) >= 1.2, "{name}: {pair:?}");
            }
            for photo in [Color32::BLACK, Color32::from_gray(128), Color32::WHITE] {
                let shaded = over(t.shade, photo);
                for (what, mark) in [("marks", t.on_shade), ("the accent", t.accent_over_photo)] {
                    let ratio = contrast(mark, shaded);
                    assert!(ratio >= 3.0, "{name}: {what} over a photo is {ratio:.2}");
                }
            }
        }
    }
}
