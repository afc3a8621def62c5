//! The settings' card on when to back up.

use eframe::egui::{Event, Key, Modifiers, Role};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use super::Window;
use crate::api::{BatteryRule, HoursRule, Rules};
use crate::ui::fake::World;

fn settings(world: World) -> Window {
    let mut window = Window::open(world);
    window.click("Settings");
    window
}

fn rules(window: &Window) -> Rules {
    window.world.borrow().snapshot.rules
}

/// Writes a time into the field with this name.
fn write(window: &mut Window, name: &str, text: &str) {
    window.harness.get_by_label(name).focus();
    window.run();
    window.press_with(Modifiers::COMMAND, Key::A);
    window.harness.event(Event::Text(text.to_owned()));
    window.run();
}

#[test]
fn conditions_are_chosen_by_name() {
    let mut world = World::with_library(10);
    world.snapshot.conditions.is_on_battery = Some(true);
    world.snapshot.conditions.battery_percent = Some(57);
    let mut window = settings(world);
    assert!(window.sees("Now: on battery, 57 %"));
    assert_eq!(rules(&window), Rules::default());
    window.click("On a metered network: Back up");
    assert!(rules(&window).on_metered);
    window.click("On battery: Wait");
    assert_eq!(rules(&window).on_battery, BatteryRule::Never);
    window.click("On battery: Back up above 20 %");
    assert_eq!(rules(&window).on_battery, BatteryRule::AtLeast(20));
    let chosen = window.harness.get_by_role_and_label(Role::RadioButton, "On battery: Back up above 20 %");
    assert_eq!(chosen.accesskit_node().toggled(), Some(eframe::egui::accesskit::Toggled::True));
    // What is chosen already is not asked for again.
    let asked = window.world.borrow().requests.len();
    window.click("On battery: Back up above 20 %");
    assert_eq!(window.world.borrow().requests.len(), asked);
}

#[test]
fn hours_are_written_and_nonsense_is_explained() {
    let mut window = settings(World::with_library(10));
    assert!(!window.sees("Back up from"));
    window.click("Hours of the day: Only these");
    assert_eq!(rules(&window).hours, Some(HoursRule { from: 1_320, to: 420 }));
    write(&mut window, "Back up from", "1:30");
    assert_eq!(rules(&window).hours, Some(HoursRule { from: 1_320, to: 420 }), "not before it is saved");
    window.press(Key::Enter);
    assert_eq!(rules(&window).hours, Some(HoursRule { from: 90, to: 420 }));
    for (text, said) in
        [("25:00", "Use 24-hour times, such as 22:00"), ("01:30", "The two times must differ")]
    {
        write(&mut window, "Back up until", text);
        window.click("Save hours");
        assert!(window.sees(said), "{text}");
        assert_eq!(rules(&window).hours, Some(HoursRule { from: 90, to: 420 }));
    }
    write(&mut window, "Back up until", "5:00");
    window.click("Save hours");
    assert_eq!(rules(&window).hours, Some(HoursRule { from: 90, to: 300 }));
    window.click("Hours of the day: Any");
    assert_eq!(rules(&window).hours, None);
}
