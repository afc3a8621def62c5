//! Something done to photos becomes something done to their files: the grid knows assets, the
//! agent's requests name records, so the records are looked up first.

use std::collections::VecDeque;

use super::app::App;
use super::commands::{Purpose, Verb};
use super::library::SELECTION_MAX;
use crate::api::{ApiError, IDS_MAX, Reply, Request, Selection};
use crate::domain::accounting::Bin;

/// Lookups under way at once.
const UNDER_WAY_MAX: usize = 16;

/// A change that is being prepared.
pub(super) struct Gather {
    verb: Verb,
    left: VecDeque<i64>,
    under_way: usize,
    ids: Vec<String>,
}

impl App {
    pub(super) fn gather(&mut self, verb: Verb, mut assets: Vec<i64>) {
        if self.gather.is_some() {
            self.model.toast("The last change is still being made");
            return;
        }
        assets.truncate(SELECTION_MAX);
        self.gather = Some(Gather { verb, left: assets.into(), under_way: 0, ids: Vec::new() });
        self.go_on_gathering();
    }

    /// Asks for the next assets, and sends the change when all are known.
    pub(super) fn go_on_gathering(&mut self) {
        let mut requests = Vec::new();
        let Some(gather) = &mut self.gather else { return };
        while gather.under_way < UNDER_WAY_MAX {
            let Some(asset) = gather.left.pop_front() else { break };
            gather.under_way += 1;
            requests.push(Request::AssetDetails { id: asset });
        }
        let is_done = gather.under_way == 0;
        for request in requests {
            self.send(request, Purpose::Gather);
        }
        if !is_done {
            return;
        }
        let Some(Gather { verb, ids, .. }) = self.gather.take() else { return };
        if ids.is_empty() {
            self.model.toast("None of these files is meant for a backup place in a way that this changes");
        }
        for part in ids.chunks(IDS_MAX) {
            self.send(verb.request(Selection::Items(part.to_vec())), Purpose::Changed(verb));
        }
    }

    pub(super) fn on_gathered(&mut self, outcome: Result<Reply, ApiError>) {
        let Some(gather) = &mut self.gather else { return };
        gather.under_way = gather.under_way.saturating_sub(1);
        let Ok(Reply::AssetDetails(Some(details))) = outcome else { return };
        let copies = details.resources.into_iter().flat_map(|resource| resource.copies);
        let fitting = copies.filter(|copy| fits(gather.verb, Bin::parse(&copy.bin)));
        gather.ids.extend(fitting.map(|copy| copy.id));
    }
}

/// Whether a copy in this bin can be changed so.
fn fits(verb: Verb, bin: Option<Bin>) -> bool {
    match verb {
        Verb::Retry => matches!(bin, Some(Bin::NeedsAttention | Bin::Waiting | Bin::Unproven)),
        Verb::Exclude => !matches!(bin, Some(Bin::Excluded)),
        Verb::Include => matches!(bin, Some(Bin::Excluded)),
        Verb::Reclaim => matches!(bin, Some(Bin::NeedsAttention)),
    }
}
