//! What is not text is seen too: fields, buttons and cards have an outline in both themes. The colours
//! themselves are compared where they are defined.

use eframe::egui::{Shape, Theme, epaint::ClippedShape};

use super::Window;
use crate::ui::fake::World;
use crate::ui::theme::tokens_of;

/// Rectangles with an outline of at least a point in this colour.
fn outlined(window: &Window, color: eframe::egui::Color32) -> usize {
    let shapes = &window.harness.output().shapes;
    let is_one = |clipped: &&ClippedShape| match &clipped.shape {
        Shape::Rect(rect) => rect.stroke.width >= 1.0 && rect.stroke.color == color,
        _ => false,
    };
    shapes.iter().filter(is_one).count()
}

#[test]
fn fields_buttons_and_cards_have_an_outline() {
    for theme in [Theme::Dark, Theme::Light] {
        let mut window = Window::themed(World::with_library(20), theme);
        window.click("Settings");
        let outline = tokens_of(theme).outline;
        assert!(outlined(&window, outline) >= 8, "{theme:?}: {}", outlined(&window, outline));
    }
}
