//! What can be undone offers that in its message.

use super::Window;
use crate::api::Request;
use crate::ui::fake::World;

#[test]
fn what_can_be_undone_says_so_and_is() {
    let mut window = Window::open(World::busy(900));
    window.click("Review");
    window.click_starting("Leave all out: The file is empty");
    window.click_in_dialog("Leave out");
    assert!(window.sees("Left out 2 files"), "a whole class, file by file");
    assert_eq!(window.world.borrow().excluded.len(), 4);
    window.click("Undo");
    assert_eq!(window.world.borrow().excluded.len(), 2);
    // A folder that was removed comes back to the destinations it had.
    window.click("Settings");
    window.world.borrow_mut().snapshot.destinations[1].sources.clear();
    window.click("Remove /home/ada/Pictures");
    window.click_in_dialog("Stop backing up");
    assert!(window.world.borrow().snapshot.sources.is_empty());
    assert!(window.sees("/home/ada/Pictures is no longer backed up. All copies stay"));
    window.click("Undo");
    assert_eq!(window.world.borrow().snapshot.sources.len(), 1);
    let consents = window.asked(|r| matches!(r, Request::Consent { destination: 1, .. }));
    assert_eq!(consents, 1, "to the one, and not to the other");
    assert_eq!(window.asked(|r| matches!(r, Request::Consent { destination: 2, .. })), 0);
}
