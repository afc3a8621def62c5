//! The tokens, put into egui's styles once for both themes.

use std::collections::BTreeMap;

use eframe::egui::{
    Color32, Context, CornerRadius, FontFamily, FontId, Margin, Shadow, Stroke, Style, TextStyle, Theme,
    Vec2,
    style::{HandleShape, Selection, WidgetVisuals, Widgets},
};

use super::{Tokens, radius, size, space, tokens_of};

/// The text style of headings inside a page, between a page's title and its body.
pub(in crate::ui) const HEADING: &str = "heading";

/// Text sizes in points, one for each of the five text styles.
mod text_size {
    /// A page's title.
    pub const TITLE: f32 = 24.0;
    /// A heading inside a page.
    pub const HEADING: f32 = 17.0;
    /// What is read.
    pub const BODY: f32 = 14.0;
    /// What is read beside it.
    pub const SMALL: f32 = 12.5;
    /// Keys and digests.
    pub const MONO: f32 = 12.0;
}

/// Sets both themes' styles.
pub(in crate::ui) fn apply(ctx: &Context) {
    for theme in [Theme::Dark, Theme::Light] {
        ctx.set_style_of(theme, style(theme));
    }
    // The grid's own zoom has these keys.
    ctx.options_mut(|options| options.zoom_with_keyboard = false);
}

fn text_styles() -> BTreeMap<TextStyle, FontId> {
    let proportional = |points| FontId::new(points, FontFamily::Proportional);
    BTreeMap::from([
        (TextStyle::Heading, proportional(text_size::TITLE)),
        (TextStyle::Name(HEADING.into()), proportional(text_size::HEADING)),
        (TextStyle::Body, proportional(text_size::BODY)),
        (TextStyle::Button, proportional(text_size::BODY)),
        (TextStyle::Small, proportional(text_size::SMALL)),
        (TextStyle::Monospace, FontId::new(text_size::MONO, FontFamily::Monospace)),
    ])
}

fn style(theme: Theme) -> Style {
    let t = tokens_of(theme);
    let mut style = theme.default_style();
    style.text_styles = text_styles();
    style.animation_time = 0.12;
    let spacing = &mut style.spacing;
    spacing.item_spacing = Vec2::new(space::S, space::S);
    spacing.button_padding = Vec2::new(space::M, space::XS);
    spacing.interact_size = Vec2::new(size::CONTROL, size::CONTROL);
    spacing.window_margin = Margin::same(24);
    spacing.menu_margin = Margin::same(8);
    spacing.tooltip_width = 320.0;
    spacing.scroll.bar_width = 8.0;
    spacing.scroll.foreground_color = false;
    spacing.scroll.fade.strength = 0.0;
    style.interaction.selectable_labels = false;
    style.interaction.tooltip_delay = 0.4;
    // A blinking cursor would wake the window twice a second for ever.
    style.visuals.text_cursor.blink = false;
    colours(&mut style, t);
    style
}

fn colours(style: &mut Style, t: &Tokens) {
    let visuals = &mut style.visuals;
    visuals.text_cursor.stroke = Stroke::new(1.5, t.accent);
    visuals.weak_text_color = Some(t.weak);
    visuals.hyperlink_color = t.accent;
    visuals.faint_bg_color = t.surface;
    visuals.extreme_bg_color = t.field;
    visuals.text_edit_bg_color = Some(t.field);
    visuals.code_bg_color = t.surface;
    visuals.warn_fg_color = t.accent;
    visuals.error_fg_color = t.accent;
    visuals.window_fill = t.surface;
    visuals.panel_fill = t.canvas;
    visuals.window_stroke = Stroke::NONE;
    visuals.window_corner_radius = CornerRadius::same(radius::CARD);
    visuals.menu_corner_radius = CornerRadius::same(radius::CONTROL);
    let shadow = Shadow { offset: [0, 8], blur: 32, spread: 0, color: Color32::from_black_alpha(96) };
    visuals.window_shadow = shadow;
    visuals.popup_shadow = Shadow { offset: [0, 4], blur: 16, ..shadow };
    visuals.selection = Selection { bg_fill: t.accent_wash, stroke: Stroke::new(1.0, t.accent) };
    visuals.handle_shape = HandleShape::Circle;
    visuals.slider_trailing_fill = true;
    visuals.indent_has_left_vline = false;
    visuals.widgets = widgets(t);
}

fn widgets(t: &Tokens) -> Widgets {
    let base = WidgetVisuals {
        bg_fill: t.control,
        weak_bg_fill: t.control,
        bg_stroke: Stroke::NONE,
        corner_radius: CornerRadius::same(radius::CONTROL),
        fg_stroke: Stroke::new(1.0, t.text),
        expansion: 0.0,
    };
    Widgets {
        noninteractive: WidgetVisuals {
            bg_fill: t.surface,
            weak_bg_fill: t.surface,
            bg_stroke: Stroke::new(1.0, t.line),
            ..base
        },
        inactive: WidgetVisuals { bg_stroke: Stroke::new(1.0, t.outline), ..base },
        hovered: WidgetVisuals {
            bg_fill: t.pressed,
            weak_bg_fill: t.pressed,
            bg_stroke: Stroke::new(1.0, t.text),
            ..base
        },
        active: WidgetVisuals {
            bg_fill: t.pressed,
            weak_bg_fill: t.pressed,
            bg_stroke: Stroke::new(2.0, t.focus),
            ..base
        },
        open: WidgetVisuals { bg_fill: t.pressed, weak_bg_fill: t.pressed, ..base },
    }
}
