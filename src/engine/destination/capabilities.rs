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
        let worker = self.workers.get_mut(&id)?;
        if capabilities.uuid != worker.row.uuid {
            return None;
        }
        let before = describe(&worker.row.capabilities);
        let news: Vec<String> =
            describe(&capabilities).into_iter().filter(|line| !before.contains(line)).collect();
        let change = (!news.is_empty())
            .then(|| format!("What {} can do has changed: {}", worker.row.name, news.join(". ")));
        if worker.take_capabilities(capabilities.clone(), wall) {
            worker.destination = self.deps.connect.open(&address_of(&worker.row), &self.installation.uuid);
            // What could not be read before may be readable now.
            worker.read_back_again();
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
        let Some(worker) = self.workers.get(&id) else {
            return Err(usage("there is no such destination"));
        };
        if !worker.row.kind.has_checksum_choice() {
            return Err(usage(format!(
                "{} is verified in its own way; there is nothing to choose",
                worker.row.name
            )));
        }
        let name = worker.row.name.clone();
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
        if let (Some(row), Some(worker)) = (row, self.workers.get_mut(&id)) {
            worker.row = Arc::new(row);
            worker.destination = self.deps.connect.open(&address_of(&worker.row), &self.installation.uuid);
            worker.read_back.make_way.cancel();
            worker.read_back_again();
            (worker.must_check, worker.must_probe, worker.checked_until) = (true, true, None);
        }
        self.mirror().await;
        self.call_all_extensions();
        Ok(Reply::Done)
    }
}
