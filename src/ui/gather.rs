//! Something done to photos becomes something done to their files: the grid knows assets, the
//! agent's requests name records, so the records are looked up first.

use std::collections::VecDeque;

use super::app::App;
use super::commands::{Change, Purpose, Verb};
use super::library::SELECTION_MAX;
use super::remedy::can_retry;
use crate::api::{
    ApiError, CopyDetails, IDS_MAX, PAGE_ROWS_MAX, Query, QueueList, QueueQuery, Reply, Request, Selection,
};
use crate::domain::accounting::Bin;
use crate::domain::format;

/// What is said while a change is being prepared.
const STILL_BUSY: &str = "The last change is still being made";
/// Lookups under way at once.
const UNDER_WAY_MAX: usize = 16;

/// A change that is being prepared.
pub(super) struct Gather {
    verb: Verb,
    /// What is said of the files.
    what: String,
    /// The class whose files are gathered, and not an asset's.
    class: Option<String>,
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
        self.gather = Some(Gather { verb, what, class: None, left, under_way: 0, ids: Vec::new() });
        self.go_on_gathering();
    }

    /// Looks up the files that need attention for one reason, so that what is done to them can be undone.
    pub(super) fn gather_class(&mut self, verb: Verb, class: String, what: String) {
        if self.gather.is_some() {
            self.model.toast(STILL_BUSY);
            return;
        }
        let left = VecDeque::new();
        self.gather = Some(Gather { verb, what, class: Some(class), left, under_way: 0, ids: Vec::new() });
        self.ask_class(None);
    }

    fn ask_class(&mut self, after: Option<String>) {
        let Some(gather) = &mut self.gather else { return };
        let Some(class) = gather.class.clone() else { return };
        gather.under_way += 1;
        let query = QueueQuery {
            list: QueueList::NeedsAttention,
            destination: None,
            enabled_only: true,
            failure_kind: Some(class),
            after,
            limit: PAGE_ROWS_MAX,
        };
        self.send(Query::Queue(query), Purpose::GatherClass);
    }

    pub(super) fn on_class_gathered(&mut self, outcome: Result<Reply, ApiError>) {
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
            // Too many to name: all of the class at once, which then cannot be undone at once.
            let Some(Gather { verb, what, class, .. }) = self.gather.take() else { return };
            let selection = Selection::Kind(class.unwrap_or_default());
            let change = Change { verb, what, ids: Vec::new() };
            return self.send(verb.request(selection), Purpose::Changed(change));
        }
        if page.next.is_some() {
            self.ask_class(page.next);
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
            self.send(request, Purpose::Gather);
        }
        if !is_done {
            return;
        }
        let Some(Gather { verb, what, mut ids, .. }) = self.gather.take() else { return };
        ids.sort();
        ids.dedup();
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
        Verb::Reclaim => bin == Some(Bin::NeedsAttention),
    }
}

/// What is said where no file was changed.
pub(super) fn nothing_to_do(verb: Verb) -> &'static str {
    match verb {
        Verb::Retry => "Retrying cannot help here. The details say what can",
        Verb::Exclude => "There was nothing to leave out",
        Verb::Include => "There was nothing to include again",
        Verb::Reclaim => "There was nothing in the trash",
    }
}
