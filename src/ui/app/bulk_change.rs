//! Something done to photos becomes something done to their files: the grid knows assets, the
//! agent's requests name records, so the records are looked up first.

use std::collections::VecDeque;

use super::App;
use crate::api::{
    ApiError, CopyDetails, IDS_MAX, PAGE_ROWS_MAX, Query, QueueList, QueueQuery, Reply, Request, Selection,
};
use crate::domain::accounting::Bin;
use crate::domain::format;
use crate::ui::commands::{Change, FailedFiles, Purpose, Verb};
use crate::ui::library::SELECTION_MAX;
use crate::ui::remedy::can_retry;

/// What is said while a change is being prepared.
const STILL_BUSY: &str = "The last change is still being made";
/// Lookups under way at once.
const UNDER_WAY_MAX: usize = 16;

/// A change that is being prepared.
pub(super) struct BulkChange {
    verb: Verb,
    /// What is said of the files.
    what: String,
    /// The failed files that are gathered, and not those of assets.
    failed: Option<FailedFiles>,
    left: VecDeque<i64>,
    under_way: usize,
    ids: Vec<String>,
}

impl App {
    pub(super) fn gather(&mut self, verb: Verb, mut assets: Vec<i64>) {
        if self.gather.is_some() {
            self.model.toast(STILL_BUSY);
            return;
        }
        assets.truncate(SELECTION_MAX);
        let n = u64::try_from(assets.len()).unwrap_or(u64::MAX);
        let what = format::counted(n, "photo", "photos");
        let left = assets.into();
        self.gather = Some(BulkChange { verb, what, failed: None, left, under_way: 0, ids: Vec::new() });
        self.go_on_gathering();
    }

    /// Looks up files that need attention, so that what is done to them can be undone and reaches no other
    /// destination.
    pub(super) fn gather_failed(&mut self, verb: Verb, failed: FailedFiles, what: String) {
        if self.gather.is_some() {
            self.model.toast(STILL_BUSY);
            return;
        }
        let left = VecDeque::new();
        self.gather =
            Some(BulkChange { verb, what, failed: Some(failed), left, under_way: 0, ids: Vec::new() });
        self.ask_failed(None);
    }

    fn ask_failed(&mut self, after: Option<String>) {
        let Some(gather) = &mut self.gather else { return };
        let Some(failed) = gather.failed.clone() else { return };
        gather.under_way += 1;
        let query = QueueQuery {
            list: QueueList::NeedsAttention,
            destination: failed.destination,
            enabled_only: true,
            failure_kind: failed.class,
            after,
            limit: PAGE_ROWS_MAX,
        };
        self.send(Query::Queue(query), Purpose::GatherFailed);
    }

    pub(super) fn on_failed_gathered(&mut self, outcome: Result<Reply, ApiError>) {
        let Some(gather) = &mut self.gather else { return };
        gather.under_way = gather.under_way.saturating_sub(1);
        let page = match outcome {
            Ok(Reply::Queue(page)) => page,
            Ok(_) => return,
            Err(error) => {
                self.gather = None;
                return self.model.toast(error.message);
            }
        };
        gather.ids.extend(page.rows.into_iter().map(|row| row.id));
        if gather.ids.len() > IDS_MAX {
            if gather.failed.as_ref().is_some_and(|failed| failed.destination.is_some()) {
                // Only ids reach one destination alone: the first of them now, the others in turn.
                let ids: Vec<String> = gather.ids.drain(..IDS_MAX).collect();
                let (verb, what) = (gather.verb, format::files(u64::try_from(ids.len()).unwrap_or(u64::MAX)));
                let change = Change { verb, what, ids: ids.clone() };
                self.send(verb.request(Selection::Items(ids)), Purpose::Changed(change));
            } else {
                // Too many to name: all of the class at once, which then cannot be undone at once.
                let Some(BulkChange { verb, what, failed, .. }) = self.gather.take() else { return };
                let class = failed.and_then(|failed| failed.class);
                let selection = class.map_or(Selection::All, Selection::Kind);
                let change = Change { verb, what, ids: Vec::new() };
                return self.send(verb.request(selection), Purpose::Changed(change));
            }
        }
        if page.next.is_some() {
            self.ask_failed(page.next);
        }
    }

    /// Asks for the next assets, and sends the change when all are known.
    pub(super) fn go_on_gathering(&mut self) {
        let mut requests = Vec::new();
        let Some(gather) = &mut self.gather else { return };
        while gather.under_way < UNDER_WAY_MAX {
            let Some(asset) = gather.left.pop_front() else { break };
            gather.under_way += 1;
            requests.push(Request::Query(Query::AssetDetails { id: asset }));
        }
        let is_done = gather.under_way == 0;
        for request in requests {
            self.send(request, Purpose::BulkChange);
        }
        if !is_done {
            return;
        }
        let Some(BulkChange { verb, mut what, failed, mut ids, .. }) = self.gather.take() else { return };
        ids.sort();
        ids.dedup();
        if failed.is_some_and(|failed| failed.destination.is_some()) {
            what = format::files(u64::try_from(ids.len()).unwrap_or(u64::MAX));
        }
        if ids.is_empty() {
            self.model.toast(nothing_to_do(verb));
        }
        for part in ids.chunks(IDS_MAX) {
            let change = Change { verb, what: what.clone(), ids: part.to_vec() };
            self.send(verb.request(Selection::Items(part.to_vec())), Purpose::Changed(change));
        }
    }

    pub(super) fn on_gathered(&mut self, outcome: Result<Reply, ApiError>) {
        let Some(gather) = &mut self.gather else { return };
        gather.under_way = gather.under_way.saturating_sub(1);
        let Ok(Reply::AssetDetails(Some(details))) = outcome else { return };
        let copies = details.resources.into_iter().flat_map(|resource| resource.copies);
        let fitting = copies.filter(|copy| fits(gather.verb, copy));
        gather.ids.extend(fitting.map(|copy| copy.id));
    }
}

/// Whether a copy can be changed so, and that does something.
fn fits(verb: Verb, copy: &CopyDetails) -> bool {
    let bin = Bin::parse(&copy.bin);
    match verb {
        Verb::Retry => bin == Some(Bin::NeedsAttention) && copy.failure.as_ref().is_none_or(can_retry),
        Verb::Exclude => {
            matches!(bin, Some(Bin::NeedsAttention | Bin::Waiting | Bin::Uploading | Bin::Unproven))
        }
        Verb::Include => bin == Some(Bin::Excluded),
        Verb::Untrash => bin == Some(Bin::NeedsAttention),
    }
}

/// What is said where no file was changed.
pub(super) fn nothing_to_do(verb: Verb) -> &'static str {
    match verb {
        Verb::Retry => "Retrying cannot help here. The details say what can",
        Verb::Exclude => "There was nothing to leave out",
        Verb::Include => "There was nothing to include again",
        Verb::Untrash => "There was nothing in the trash",
    }
}
