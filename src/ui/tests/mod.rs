//! The window as a person meets it, over a made-up world.

mod attention;
mod contrast;
mod copies;
mod destinations;
mod errors;
mod flows;
mod focus;
mod grid;
mod idle;
mod names;
mod network;
mod numbers;
mod restore;
mod rules;
mod servers;
mod sign_in;
mod undo;

use std::cell::RefCell;
use std::rc::Rc;

use eframe::egui::{Role, Theme, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::fake::{FakeBackend, Handle, World};
use super::{App, Appearance, Options, Preferences};
use crate::api::Request;
use crate::client::sign_in::{SignInState, SignInSwitch};

/// A settled window takes far fewer; what never settles takes more.
const STEPS_MAX: u64 = 120;

/// A window over a world, and the world.
struct Window {
    harness: Harness<'static, App>,
    world: Handle,
    saved: Rc<RefCell<Vec<Preferences>>>,
    sign_in: SignInSwitch,
}

impl Window {
    fn open(world: World) -> Self {
        Self::themed(world, Theme::Dark)
    }

    fn themed(world: World, theme: Theme) -> Self {
        let mut window = Self::unsettled(world, theme);
        window.run();
        window
    }

    /// A window of another size, in points.
    fn sized(world: World, width: f32, height: f32) -> Self {
        let mut window = Self::unsettled(world, Theme::Dark);
        window.harness.set_size(vec2(width, height));
        window.run();
        window
    }

    fn unsettled(mut world: World, theme: Theme) -> Self {
        world.picture_side_max = 16;
        let world: Handle = Rc::new(RefCell::new(world));
        let saved = Rc::new(RefCell::new(Vec::new()));
        let (behind, kept) = (world.clone(), saved.clone());
        let sign_in = SignInSwitch::in_memory(SignInState::Undecided);
        let shown_sign_in = sign_in.clone();
        let appearance = if theme == Theme::Dark { Appearance::Dark } else { Appearance::Light };
        let harness = Harness::builder()
            .with_size(vec2(1200.0, 800.0))
            .with_theme(theme)
            .with_max_steps(STEPS_MAX)
            .build_eframe(move |cc| {
                let ctx = cc.egui_ctx.clone();
                let wake = Box::new(move || ctx.request_repaint());
                let backend = Box::new(FakeBackend::new(behind, wake));
                let options = Options {
                    preferences: Preferences { appearance, ..Preferences::default() },
                    save_preferences: Box::new(move |p| kept.borrow_mut().push(*p)),
                    sign_in: shown_sign_in,
                    ..Options::default()
                };
                App::new(&cc.egui_ctx, backend, options)
            });
        Self { harness, world, saved, sign_in }
    }

    /// Settles, lets a second pass, and settles again.
    fn run(&mut self) {
        self.harness.run();
        self.world.borrow_mut().now.0 += 1_000;
        self.harness.run();
    }

    fn click(&mut self, label: &str) {
        self.harness.get_by_label(label).click();
        self.run();
    }

    /// Brings what has this name into view.
    fn scroll_to(&mut self, label: &str) {
        self.harness.get_by_label(label).scroll_to_me();
        self.run();
    }

    fn toggle(&mut self) {
        self.harness.get_by_role_and_label(Role::Switch, "Backup").click();
        self.run();
    }

    /// Clicks what has this name in the question that is shown.
    fn click_in_dialog(&mut self, label: &str) {
        let dialog = self.harness.get_by(|node| node.role() == Role::Dialog);
        dialog.get_by_label(label).click();
        self.run();
    }

    /// The name of what has the keyboard; empty if nothing has.
    fn focused(&self) -> String {
        let node = self.harness.query_by(|node| node.is_focused());
        let name = node.and_then(|node| node.accesskit_node().label());
        name.unwrap_or_default().replace('\u{a0}', " ")
    }

    /// Clicks what has a name that begins so.
    fn click_starting(&mut self, start: &str) {
        let found = self.harness.get_all_by(|node| node.label().is_some_and(|l| l.starts_with(start)));
        found.into_iter().next().expect("a node").click();
        self.run();
    }

    fn sees(&self, text: &str) -> bool {
        self.count(text) > 0
    }

    fn count(&self, text: &str) -> usize {
        self.harness.query_all_by(|node| is_said(node, text)).count()
    }

    fn asked(&self, test: impl Fn(&Request) -> bool) -> usize {
        self.world.borrow().requests.iter().filter(|request| test(request)).count()
    }

    fn press(&mut self, key: eframe::egui::Key) {
        self.harness.key_press(key);
        self.run();
    }

    fn press_with(&mut self, modifiers: eframe::egui::Modifiers, key: eframe::egui::Key) {
        self.harness.key_press_modifiers(modifiers, key);
        self.run();
    }
}

/// Whether a node's name or text has this in it. Spaces that do not break count as spaces.
fn is_said(node: &egui_kittest::kittest::AccessKitNode<'_>, text: &str) -> bool {
    let plain = |said: Option<String>| said.is_some_and(|said| said.replace('\u{a0}', " ").contains(text));
    plain(node.label()) || plain(node.value())
}
