//! What a destination can do, found out again and kept.

use super::report::describe;
use super::setup::address_of;
use super::supervisor::Supervisor;
use crate::api::Event;
use crate::destination::Abilities;
use crate::domain::ids::DestinationId;

impl Supervisor {
    /// Takes what a new probe found, and opens the destination anew where that is another than before:
    /// less is taken for proof from then on where less holds. Gives what is to be kept of it, and a
    /// sentence where a person would notice the difference. What another place can do is none of it.
    pub(super) fn take_abilities(
        &mut self,
        id: DestinationId,
        abilities: Abilities,
    ) -> Option<(Abilities, Option<String>)> {
        let wall = self.deps.clock.now();
        let runner = self.runners.get_mut(&id)?;
        if abilities.uuid != runner.row.uuid {
            return None;
        }
        let before = describe(&runner.row.abilities);
        let news: Vec<String> =
            describe(&abilities).into_iter().filter(|line| !before.contains(line)).collect();
        let change = (!news.is_empty())
            .then(|| format!("What {} can do has changed: {}", runner.row.name, news.join(". ")));
        if runner.take_abilities(abilities.clone(), wall) {
            runner.destination = self.deps.connect.open(&address_of(&runner.row), &self.installation.uuid);
            // What could not be read before may be readable now.
            runner.read_back_again();
            self.tell_digests_wanted();
        }
        if let Some(text) = &change {
            self.end.events.send(Event::Notice { text: text.clone() }).ok();
        }
        Some((abilities, change))
    }
}
