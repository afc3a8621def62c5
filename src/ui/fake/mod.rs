//! A made-up backend: a library of any size, painted pictures and an agent that answers at once.
//!
//! For tests, benches and looking at the window without a backup. It must never be reachable from
//! the binary's commands.

mod answers;
mod frames;
mod paint;
mod restores;
mod world;

use std::cell::RefCell;
use std::collections::VecDeque;
use std::rc::Rc;
use std::sync::Arc;

pub use frames::Frames;
pub use world::World;

use super::Wake;
use crate::api::{PathText, Request, Snapshot};
use crate::client::{Backend, BackendEvent, Connection, Picture, PictureRequest, Ticket};
use crate::domain::time::UnixMillis;

/// A backend over a [`World`] that whoever made it can still reach.
pub struct FakeBackend {
    world: Handle,
    wake: Wake,
    next: u64,
    incoming: VecDeque<BackendEvent>,
    wanted: VecDeque<PictureRequest>,
}

/// The world behind a [`FakeBackend`].
pub type Handle = Rc<RefCell<World>>;

impl FakeBackend {
    /// A backend over `world`; `wake` is called for every answer.
    pub fn new(world: Handle, wake: Wake) -> Self {
        Self { world, wake, next: 0, incoming: VecDeque::new(), wanted: VecDeque::new() }
    }

    fn ticket(&mut self) -> Ticket {
        self.next += 1;
        Ticket(self.next)
    }
}

impl Backend for FakeBackend {
    fn connection(&self) -> Connection {
        self.world.borrow().connection.clone()
    }

    fn snapshot(&self) -> Arc<Snapshot> {
        Arc::new(self.world.borrow().snapshot.clone())
    }

    fn send(&mut self, request: Request) -> Ticket {
        let ticket = self.ticket();
        let outcome = self.world.borrow_mut().answer(request);
        if let Some(outcome) = outcome {
            self.incoming.push_back(BackendEvent::Reply { ticket, outcome });
        }
        (self.wake)();
        ticket
    }

    fn poll(&mut self) -> Option<BackendEvent> {
        let event = self.world.borrow_mut().events.pop_front().map(BackendEvent::Event);
        event.or_else(|| self.incoming.pop_front())
    }

    fn want_pictures(&mut self, wanted: Vec<PictureRequest>) {
        self.wanted = wanted.into();
        (self.wake)();
    }

    fn poll_picture(&mut self) -> Option<Picture> {
        let wanted = self.wanted.pop_front()?;
        Some(self.world.borrow().picture(&wanted))
    }

    fn pick_folder(&mut self, _title: &str) -> Ticket {
        let ticket = self.ticket();
        let outcome = self.world.borrow_mut().picks.pop_front().unwrap_or(Ok(None));
        self.incoming.push_back(BackendEvent::FolderPicked { ticket, outcome });
        (self.wake)();
        ticket
    }

    fn pick_file(&mut self, title: &str) -> Ticket {
        self.pick_folder(title)
    }

    fn show_in_folder(&mut self, path: &PathText) {
        self.world.borrow_mut().shown_in_folder.push(path.clone());
    }

    fn now(&self) -> UnixMillis {
        self.world.borrow().now
    }
}
