//! What comes and goes around the computer: networks, power, sleep, and the moods of far servers.

use super::dice::Dice;
use super::world::{World, count};
use crate::domain::gate::{Conditions, Network};

/// Something changes.
pub fn change(world: &World, dice: &mut Dice) {
    let now = *world.conditions.borrow();
    let conditions = match dice.below(6) {
        0..=1 => Conditions::default(),
        2 => Conditions { network: Network::Offline, ..now },
        3 => Conditions { network: Network::Online, is_metered: Some(dice.percent(50)), ..now },
        4 => {
            let percent = u8::try_from(dice.between(5, 60)).expect("few");
            Conditions { is_on_battery: Some(true), battery_percent: Some(percent), ..now }
        }
        _ => Conditions { is_on_battery: Some(false), ..now },
    };
    world.change_conditions(conditions);
    world.with(|around| count(&mut around.tally.actions, "conditions"));
    if dice.percent(25) {
        set_clock(world, dice);
    }
}

/// The clock is set: by a little, by hours, or to where it has never been.
fn set_clock(world: &World, dice: &mut Dice) {
    let most = *dice.pick(&[2, 90, 7_200, 100_000, 40_000_000]);
    let by_ms = i64::try_from(dice.between(1, most * 1_000)).expect("not long");
    let is_back = dice.percent(50);
    world.set_clock(if is_back { -by_ms } else { by_ms });
    world.with(|around| count(&mut around.tally.actions, if is_back { "clock back" } else { "clock forth" }));
}
