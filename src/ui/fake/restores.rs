//! What the made-up agent answers about restores.

use super::answers::Outcome;
use super::world::{FILE_BYTES, World, count};
use crate::api::{
    self, FileTotals, Operation, Query, Reply, Request, RestoreAction, RestoreResult, RestoreScope,
    RestoreState,
};

impl World {
    pub(super) fn answer_restore(&mut self, request: Request) -> Outcome {
        match request {
            Request::Operation(Operation::RestoreOverview { .. }) => {
                Ok(Reply::RestoreOverview(Box::new(self.restorable.clone())))
            }
            Request::Query(Query::MeasureRestore { scope, .. }) => {
                let files = match scope {
                    RestoreScope::Assets(assets) => count(assets.len()),
                    _ => self.restorable.total.files,
                };
                Ok(Reply::RestoreSize(FileTotals { files, bytes: files * FILE_BYTES }))
            }
            Request::Command(api::Command::StartRestore(order)) => {
                let id = i64::try_from(self.snapshot.restores.len()).unwrap_or(0) + 1;
                let result = RestoreResult::default();
                let state = RestoreState { id, order, is_running: true, reason: None, result };
                self.snapshot.restores.push(state);
                self.done()
            }
            Request::Command(api::Command::ChangeRestore { id, action }) => {
                self.change_restore(id, action);
                self.done()
            }
            Request::Query(Query::FolderSpace { .. }) => {
                Ok(Reply::FolderSpace { free_bytes: self.free_bytes })
            }
            Request::Query(Query::Drives) => Ok(Reply::Drives(self.drives.clone())),
            _ => Ok(Reply::Done),
        }
    }

    fn change_restore(&mut self, id: i64, action: RestoreAction) {
        let found = self.snapshot.restores.iter_mut().find(|run| run.id == id);
        match (action, found) {
            (RestoreAction::Dismiss, _) => self.snapshot.restores.retain(|run| run.id != id),
            (RestoreAction::Stop, Some(run)) => {
                (run.is_running, run.reason) = (false, Some("Stopped".to_owned()));
            }
            (RestoreAction::Resume, Some(run)) => (run.is_running, run.reason) = (true, None),
            (_, None) => {}
        }
    }
}
