//! The parts that a request or an event may change, handed on together.

use crate::api::ApiError;
use crate::domain::ids::DestinationId;
use crate::engine::conditions::outage::StoreOutage;
use crate::engine::context::Context;
use crate::engine::destination::worker::Worker;
use crate::engine::destination::workers::Workers;
use crate::engine::library::Library;
use crate::engine::reply::no_such_destination;
use crate::engine::task_set::TaskSet;
use crate::store::StoreError;

/// The parts of the engine that most changes touch.
pub(crate) struct Parts<'a> {
    pub context: &'a Context,
    pub library: &'a Library,
    pub workers: &'a mut Workers,
    pub tasks: &'a mut TaskSet,
    pub outage: &'a mut StoreOutage,
}

impl Parts<'_> {
    /// A use of the store: see [`StoreOutage::check_store_result`].
    pub fn check_store_result<T>(&mut self, result: Result<T, StoreError>) -> Option<T> {
        self.outage.check_store_result(self.context, result)
    }

    /// The worker of a destination.
    ///
    /// # Errors
    /// When there is no such destination.
    pub fn worker(&mut self, id: DestinationId) -> Result<&mut Worker, ApiError> {
        self.workers.get_mut(id).ok_or_else(no_such_destination)
    }

    /// Tells the library what the enabled destinations want of a file's digests.
    pub fn update_digests_wanted(&self) {
        self.library.set_digests_wanted(self.workers.digests_wanted());
    }
}
