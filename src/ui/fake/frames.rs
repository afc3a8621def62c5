//! The window without a screen, frame by frame, for benches: what a frame costs before the
//! graphics card sees it.

use std::cell::RefCell;
use std::rc::Rc;

use eframe::egui::{
    Context, Event, Modifiers, MouseWheelSource, MouseWheelUnit, Pos2, RawInput, Rect, TouchPhase, Vec2, vec2,
};

use super::{FakeBackend, Handle, World};
use crate::ui::{App, Options};

/// Seconds between frames.
const FRAME_SECS: f64 = 1.0 / 60.0;

/// A window over a made-up library, run by hand.
pub struct Frames {
    ctx: Context,
    app: App,
    world: Handle,
    size: Vec2,
    time: f64,
}

impl Frames {
    /// A window of this size in points over so many photos. Pictures are small, so that painting
    /// them is not what is measured.
    pub fn new(assets: usize, size: Vec2) -> Self {
        let ctx = Context::default();
        let mut world = World::with_library(assets);
        world.picture_side_max = 8;
        let world: Handle = Rc::new(RefCell::new(world));
        let backend = Box::new(FakeBackend::new(world.clone(), Box::new(|| {})));
        let app = App::new(&ctx, backend, Options::default());
        Self { ctx, app, world, size, time: 0.0 }
    }

    /// Runs one frame scrolled by so many points, tessellation included. Returns the number of
    /// triangles, so that nothing of it can be left out.
    pub fn frame(&mut self, scrolled_by: f32) -> usize {
        self.time += FRAME_SECS;
        self.world.borrow_mut().now.0 += 16;
        let middle = Pos2::ZERO + self.size / 2.0;
        let mut events = vec![Event::PointerMoved(middle)];
        if scrolled_by != 0.0 {
            events.push(Event::MouseWheel {
                unit: MouseWheelUnit::Point,
                delta: vec2(0.0, -scrolled_by),
                modifiers: Modifiers::NONE,
                phase: TouchPhase::Move,
                source: MouseWheelSource::Trackpad,
            });
        }
        let input = RawInput {
            screen_rect: Some(Rect::from_min_size(Pos2::ZERO, self.size)),
            time: Some(self.time),
            events,
            ..RawInput::default()
        };
        let app = &mut self.app;
        let mut output = self.ctx.run_ui(input, |ui| {
            app.take_in(ui.ctx());
            app.show(ui);
        });
        // There is no graphics card to give them to.
        output.textures_delta.clear();
        let pixels_per_point = output.pixels_per_point;
        let primitives = self.ctx.tessellate(output.shapes, pixels_per_point);
        primitives
            .iter()
            .map(|primitive| match &primitive.primitive {
                eframe::egui::epaint::Primitive::Mesh(mesh) => mesh.indices.len() / 3,
                eframe::egui::epaint::Primitive::Callback(_) => 0,
            })
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_of_a_quarter_million_show_photos_and_scroll() {
        let mut frames = Frames::new(250_000, vec2(1280.0, 800.0));
        for _ in 0..40 {
            frames.frame(0.0);
        }
        let at_rest = frames.frame(0.0);
        assert!(at_rest > 2_000, "{at_rest} triangles are no grid of photos");
        for _ in 0..40 {
            frames.frame(120.0);
        }
        assert!(frames.frame(120.0) > 2_000);
    }
}
