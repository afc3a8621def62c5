//! The workers of all destinations.

use std::collections::{BTreeMap, BTreeSet};

use tokio::time::Instant;

use crate::destination::SharedDestination;
use crate::domain::ids::{DestinationId, RecordId, SourceId};
use crate::domain::target::DestinationKind;
use crate::domain::time::UnixMillis;
use crate::domain::transfer::Capabilities;
use crate::domain::wait::WaitReason;
use crate::engine::destination::worker::Worker;

/// One worker for each destination.
#[derive(Default)]
pub(crate) struct Workers(BTreeMap<DestinationId, Worker>);

impl Workers {
    /// Adds the worker of a destination.
    pub fn insert(&mut self, worker: Worker) {
        self.0.insert(worker.id(), worker);
    }

    /// Takes out the worker of a destination that goes from the ledger.
    pub fn remove(&mut self, id: DestinationId) -> Option<Worker> {
        self.0.remove(&id)
    }

    pub fn get(&self, id: DestinationId) -> Option<&Worker> {
        self.0.get(&id)
    }

    pub fn get_mut(&mut self, id: DestinationId) -> Option<&mut Worker> {
        self.0.get_mut(&id)
    }

    /// In the order of their ids.
    pub fn iter(&self) -> impl Iterator<Item = &Worker> {
        self.0.values()
    }

    /// In the order of their ids.
    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Worker> {
        self.0.values_mut()
    }

    /// In their order.
    pub fn ids(&self) -> Vec<DestinationId> {
        self.0.keys().copied().collect()
    }

    /// Workers of destinations that are folders.
    pub fn folders(&self) -> impl Iterator<Item = &Worker> {
        self.iter().filter(|worker| worker.is_folder())
    }

    /// The folders of these destinations.
    pub fn folder_paths(&self, is_meant: impl Fn(&Worker) -> bool) -> BTreeSet<Vec<u8>> {
        self.folders().filter(|worker| is_meant(worker)).map(|worker| worker.row().address.clone()).collect()
    }

    /// The enabled destinations that could be opened.
    pub fn enabled(&self) -> Vec<(DestinationId, SharedDestination)> {
        let enabled = self.iter().filter(|worker| worker.row().is_enabled);
        enabled.filter_map(|worker| Some((worker.id(), worker.destination().ok()?))).collect()
    }

    /// What the enabled destinations want of a file's digests.
    pub fn digests_wanted(&self) -> Vec<(DestinationKind, Capabilities)> {
        let enabled = self.iter().map(Worker::row).filter(|row| row.is_enabled);
        enabled.map(|row| (row.kind, row.capabilities.clone())).collect()
    }

    /// Whether a destination has this name, in whatever case.
    pub fn has_name(&self, name: &str) -> bool {
        let name = name.to_lowercase();
        self.iter().any(|worker| worker.row().name.to_lowercase() == name)
    }

    /// Every extension is called now: the person's word ends every wait.
    pub fn call_all_extensions(&mut self) {
        let now = Instant::now();
        self.iter_mut().for_each(|worker| worker.call_at_once(now));
    }

    /// Destinations that could not be used are tried again now.
    pub fn retry_unreachable(&mut self, now: UnixMillis, is_meant: impl Fn(&Worker) -> bool) {
        self.iter_mut().filter(|worker| is_meant(worker)).for_each(|worker| worker.retry_unreachable(now));
    }

    /// Stops the transfers of a source's files.
    pub fn stop_source(&self, source: SourceId) {
        self.iter().for_each(|worker| worker.stop_source(source));
    }

    /// Stops the transfers of these records.
    pub fn stop_records(&self, is_meant: impl Fn(RecordId) -> bool) {
        self.iter().for_each(|worker| worker.stop_records(&is_meant));
    }

    /// Bytes sent by all transfers under way.
    pub fn in_flight(&self) -> u64 {
        self.iter().map(|worker| worker.transfers().in_flight()).sum()
    }

    /// Whether any transfer is under way.
    pub fn has_transfers(&self) -> bool {
        self.iter().any(|worker| !worker.transfers().is_empty())
    }

    /// Whether numbers change by themselves now.
    pub fn is_moving(&self) -> bool {
        self.iter().any(Worker::is_moving)
    }

    /// Why a gate keeps every enabled destination from working, where one reason holds for all.
    pub fn gate_of_all(&self) -> Option<WaitReason> {
        let mut enabled = self.iter().filter(|worker| worker.row().is_enabled);
        let first = enabled.next()?.gate()?;
        enabled.all(|worker| worker.gate() == Some(first)).then(|| first.clone())
    }

    /// Tells every extension that is not being called that all is about to end. Calls under way are told
    /// through their context.
    pub async fn notify_extensions(&mut self) {
        futures_util::future::join_all(self.iter_mut().map(Worker::notify_extension)).await;
    }
}
