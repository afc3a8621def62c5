//! What a destination can do, found out again and kept, and what the person lets count as proof.

use std::sync::Arc;

use crate::api::{Event, Reply};
use crate::destination::Capabilities;
use crate::domain::ids::DestinationId;
use crate::engine::requests::destinations::address_of;
use crate::engine::requests::report::describe;
use crate::engine::requests::{Outcome, internal, usage};
use crate::engine::supervisor::Supervisor;

impl Supervisor {
    /// Takes what a new probe found, and opens the destination anew where that is another than before:
    /// less is taken for proof from then on where less holds. Gives what is to be kept of it, and a
    /// sentence where a person would notice the difference. What another place can do is none of it.
    pub(crate) fn take_capabilities(
        &mut self,
        id: DestinationId,
        capabilities: Capabilities,
    ) -> Option<(Capabilities, Option<String>)> {
        let wall = self.deps.clock.now();
        let runner = self.runners.get_mut(&id)?;
        if capabilities.uuid != runner.row.uuid {
            return None;
        }
        let before = describe(&runner.row.capabilities);
        let news: Vec<String> =
            describe(&capabilities).into_iter().filter(|line| !before.contains(line)).collect();
        let change = (!news.is_empty())
            .then(|| format!("What {} can do has changed: {}", runner.row.name, news.join(". ")));
        if runner.take_capabilities(capabilities.clone(), wall) {
            runner.destination = self.deps.connect.open(&address_of(&runner.row), &self.installation.uuid);
            // What could not be read before may be readable now.
            runner.read_back_again();
            self.tell_digests_wanted();
        }
        if let Some(text) = &change {
            self.end.events.send(Event::Notice { text: text.clone() }).ok();
        }
        Some((capabilities, change))
    }

    /// Lets the server's checksum count as proof, or no longer: what was proved so before stays proved
    /// under that name, and is read back.
    pub(crate) async fn set_checksum_trust(&mut self, id: DestinationId, is_trusted: bool) -> Outcome {
        let Some(runner) = self.runners.get(&id) else {
            return Err(usage("there is no such destination"));
        };
        if !runner.row.kind.has_checksum_choice() {
            return Err(usage(format!(
                "{} is verified in its own way; there is nothing to choose",
                runner.row.name
            )));
        }
        let name = runner.row.name.clone();
        let work = self.store.write_durably(move |tx| {
            let text = if is_trusted {
                format!("The server's checksum counts as proof at {name}, as you chose")
            } else {
                format!("Copies at {name} are read back, as you chose")
            };
            tx.add_event("checksum_trust", &text)?;
            tx.set_checksum_trust(id, is_trusted)?;
            tx.destination(id)
        });
        let row = work.await.map_err(|e| internal(&e))?;
        if let (Some(row), Some(runner)) = (row, self.runners.get_mut(&id)) {
            runner.row = Arc::new(row);
            runner.destination = self.deps.connect.open(&address_of(&runner.row), &self.installation.uuid);
            runner.read_back.make_way.cancel();
            runner.read_back_again();
            (runner.must_check, runner.must_probe, runner.checked_until) = (true, true, None);
        }
        self.mirror().await;
        self.process_all();
        Ok(Reply::Done)
    }
}
