//! What the made-up agent answers.

use super::world::{FILE_BYTES, World, count};
use crate::api::{
    self, ApiError, AssetDetails, BackupSwitch, CopyDetails, DecisionRow, DestinationState, ErrorKind,
    FailureGroup, FailureText, Operation, PathText, Query, QueueList, QueuePage, QueueQuery, QueueRow, Reply,
    Request, ResourceDetails, Section, Selection, SourceCondition, SourceState, WaitText,
};
use crate::domain::accounting::Bin;
use crate::domain::failure::{FailureKind, Reach};
use crate::domain::file::ExcludeReason;
use crate::domain::time::UnixMillis;
use crate::domain::wait::WaitReason;

pub(super) type Outcome = Result<Reply, ApiError>;

fn refused(message: &str) -> Outcome {
    Err(ApiError::new(ErrorKind::Usage, message))
}

impl World {
    /// The answer to a request; none from a mute world.
    pub(super) fn answer(&mut self, request: Request) -> Option<Outcome> {
        self.requests.push(request.clone());
        (!self.is_mute).then(|| self.reply(request))
    }

    fn reply(&mut self, request: Request) -> Outcome {
        let looks = matches!(
            request,
            Request::Query(
                Query::Sections { .. } | Query::Assets { .. } | Query::Queue(_) | Query::FailureGroups
            )
        );
        if let Some(why) = self.refuses.as_ref().filter(|_| looks) {
            return Err(ApiError::new(ErrorKind::Internal, why.clone()));
        }
        match request {
            Request::Query(Query::Sections { filter }) => {
                let revision = self.snapshot.library_revision;
                let days = self.filtered(filter).iter();
                let sections = days
                    .map(|(day, assets)| Section {
                        day: *day,
                        assets: u32::try_from(assets.len()).unwrap_or(u32::MAX),
                    })
                    .collect();
                Ok(Reply::Sections { revision, sections })
            }
            Request::Query(Query::Assets { day, offset, limit, filter }) => {
                let take = usize::try_from(limit).unwrap_or(0);
                let skip = usize::try_from(offset).unwrap_or(0);
                let of_day = self.filtered(filter).iter().find(|(d, _)| *d == day);
                let shown: Vec<usize> = of_day
                    .map_or_else(Vec::new, |(_, all)| all.iter().skip(skip).take(take).copied().collect());
                let rows = shown.into_iter().map(|index| self.row(index)).collect();
                Ok(Reply::Assets { revision: self.snapshot.library_revision, rows })
            }
            Request::Query(Query::AssetDetails { id }) => Ok(Reply::AssetDetails(self.details(id))),
            Request::Query(Query::Queue(query)) => Ok(Reply::Queue(self.page(&query))),
            Request::Query(Query::FailureGroups) => Ok(Reply::FailureGroups(self.groups())),
            Request::Operation(Operation::TestTarget { .. } | Operation::TestDestination { .. }) => {
                self.test.clone().map(Reply::Tested)
            }
            Request::Command(api::Command::Retry(selection))
            | Request::Operation(Operation::RestoreFromTrash(selection)) => {
                Ok(self.change(&selection, Change::Retry))
            }
            Request::Command(api::Command::Exclude(selection)) => {
                Ok(self.change(&selection, Change::Exclude))
            }
            Request::Command(api::Command::Include(selection)) => {
                Ok(self.change(&selection, Change::Include))
            }
            other => self.change_settings(other),
        }
    }

    fn change_settings(&mut self, request: Request) -> Outcome {
        match request {
            Request::Command(api::Command::AddSource { path, consent_all }) => {
                self.add_source(path, consent_all)
            }
            Request::Command(api::Command::RemoveSource { id }) => {
                self.snapshot.sources.retain(|s| s.id != id);
                self.done()
            }
            Request::Command(api::Command::AddDestination { target, name: given, .. }) => {
                let id = i64::try_from(self.snapshot.destinations.len()).unwrap_or(0) + 1;
                let name = given.unwrap_or_else(|| target.file_name().to_owned());
                let is_url = target.path.contains("://");
                let url = if is_url { target.path } else { format!("file://{}", target.path) };
                self.add_destination(id, &name, &url, "ext4");
                self.recount();
                Ok(Reply::Destination { id, name, is_new: true })
            }
            Request::Command(api::Command::RemoveDestination { id }) => {
                self.snapshot.destinations.retain(|d| d.id != id);
                self.done()
            }
            Request::Command(api::Command::Consent { sources, destination }) => {
                if let Some(d) = self.snapshot.destinations.iter_mut().find(|d| d.id == destination) {
                    d.sources.extend(sources);
                }
                self.done()
            }
            Request::Command(api::Command::RenameDestination { id, name }) => {
                if let Some(d) = self.snapshot.destinations.iter_mut().find(|d| d.id == id) {
                    d.name = name;
                }
                self.done()
            }
            Request::Command(api::Command::EnableDestination { id, enabled }) => {
                if let Some(d) = self.snapshot.destinations.iter_mut().find(|d| d.id == id) {
                    d.enabled = enabled;
                }
                self.done()
            }
            Request::Command(api::Command::SetRules(rules)) => {
                self.snapshot.rules = rules;
                self.done()
            }
            Request::Command(api::Command::SetNetwork(network)) => {
                self.snapshot.network = network;
                self.done()
            }
            Request::Query(Query::Snapshot) => Ok(Reply::Snapshot(Box::new(self.snapshot.clone()))),
            Request::Query(Query::Events { .. }) => Ok(Reply::Events(Vec::new())),
            Request::Operation(Operation::Verify { .. }) => Ok(self.verified.clone()),
            Request::Command(api::Command::RaiseWindow) => Ok(Reply::Raised { was_open: true }),
            other => self.change_backup(other),
        }
    }

    fn change_backup(&mut self, request: Request) -> Outcome {
        match request {
            Request::Command(api::Command::SetBackup { on }) => {
                if on && self.snapshot.destinations.is_empty() {
                    return refused("Choose a destination first");
                }
                self.snapshot.backup = if on { BackupSwitch::On } else { BackupSwitch::Off };
                self.done()
            }
            Request::Command(api::Command::Pause { .. }) => {
                self.snapshot.backup = BackupSwitch::Paused;
                self.snapshot.wait_reason = Some(WaitText::from(&WaitReason::Paused { until: None }));
                self.snapshot.revision += 1;
                Ok(Reply::Done)
            }
            Request::Command(api::Command::Resume) => {
                self.snapshot.backup = BackupSwitch::On;
                self.snapshot.wait_reason = None;
                self.snapshot.revision += 1;
                Ok(Reply::Done)
            }
            other => self.answer_restore(other),
        }
    }

    pub(super) fn done(&mut self) -> Outcome {
        self.recount();
        Ok(Reply::Done)
    }

    fn add_source(&mut self, path: PathText, consent_all: bool) -> Outcome {
        if let Some(known) = self.snapshot.sources.iter().find(|s| s.path == path) {
            return Ok(Reply::Source { id: known.id, is_new: false });
        }
        let id = i64::try_from(self.snapshot.sources.len()).unwrap_or(0) + 1;
        let found = count(self.assets());
        let state = SourceCondition::Scanning;
        self.snapshot.sources.push(SourceState {
            id,
            path,
            state,
            found,
            scanned: found,
            note: None,
            unreadable_folders: 0,
            unreadable: Vec::new(),
        });
        if consent_all {
            self.snapshot.destinations.iter_mut().for_each(|d| d.sources.push(id));
        }
        self.recount();
        Ok(Reply::Source { id, is_new: true })
    }

    fn wait_at(&self, d: &DestinationState) -> WaitText {
        let wait = self.snapshot.wait_reason.as_ref().or(d.wait_reason.as_ref());
        wait.cloned().unwrap_or_else(|| WaitText::from(&WaitReason::Queued))
    }

    fn failure(&self, index: usize) -> FailureText {
        if let Some(failure) = &self.failure {
            return failure.clone();
        }
        let kind = if index.is_multiple_of(3) { FailureKind::Unreadable } else { FailureKind::Empty };
        let details = format!("open: Permission denied (os error 13), file {index}");
        FailureText::new(kind, Reach::Resource, details)
    }

    fn details(&self, id: i64) -> Option<Box<AssetDetails>> {
        let index = usize::try_from(id - 1).ok().filter(|&index| index < self.assets())?;
        let row = self.row(index);
        let copies = self.snapshot.destinations.iter().map(|d| {
            let bin = self.bin_at(d, index).as_str();
            let proved = (bin == "safe").then(|| UnixMillis(self.now.0 - 3 * 86_400_000).rfc3339());
            CopyDetails {
                id: format!("r{index}"),
                destination: d.name.clone(),
                bin: bin.to_owned(),
                key: proved.is_some().then(|| format!("2026/2026-11/{}", row.path.file_name())),
                proof: proved.is_some().then(|| "read back from the disk itself".to_owned()),
                proved_at: proved,
                failure: (bin == "needs_attention").then(|| self.failure(index)),
                wait_reason: (bin == "waiting").then(|| self.wait_at(d)),
                decisions: self.decisions(bin),
            }
        });
        let copies: Vec<CopyDetails> = copies.collect();
        let mut resources = vec![ResourceDetails {
            path: row.path.clone(),
            kind: if row.is_video { "video" } else { "photo" }.to_owned(),
            media_type: row.media_type.clone(),
            is_mismatch: false,
            size: FILE_BYTES,
            blake3: Some("3f1c".repeat(16)),
            copies,
        }];
        if row.is_live {
            let (stem, _) = row.path.path.rsplit_once('.')?;
            resources.push(ResourceDetails {
                path: PathText::from_bytes(format!("{stem}.MOV").as_bytes()),
                kind: "paired_video".to_owned(),
                media_type: "mov".to_owned(),
                size: FILE_BYTES / 2,
                ..resources[0].clone()
            });
        }
        Some(Box::new(AssetDetails {
            row,
            captured_from: "metadata".to_owned(),
            date_doubt: None,
            offset_minutes: Some(120),
            camera: Some("Fujifilm X-T5".to_owned()),
            resources,
        }))
    }

    fn listed(&self, query: &QueueQuery) -> Vec<(usize, i64)> {
        let of_kind = |index: usize| {
            query
                .failure_kind
                .as_ref()
                .is_none_or(|k| [self.failure(index).kind, self.failure(index).class].contains(k))
        };
        let bin = match query.list {
            QueueList::NeedsAttention => Bin::NeedsAttention,
            QueueList::Excluded => Bin::Excluded,
            QueueList::Unproven => Bin::Unproven,
            QueueList::Done => Bin::Safe,
            QueueList::Uploading => Bin::Uploading,
            QueueList::Waiting => Bin::Waiting,
        };
        let here = |d: &&DestinationState| {
            let is_asked = query.destination.map_or(d.enabled || !query.enabled_only, |id| id == d.id);
            is_asked && !d.sources.is_empty()
        };
        let at: Vec<&DestinationState> = self.snapshot.destinations.iter().filter(here).collect();
        let all = (0..self.assets()).flat_map(|index| at.iter().map(move |d| (index, *d)));
        all.filter(|(index, d)| self.bin_at(d, *index) == bin && of_kind(*index))
            .map(|(index, d)| (index, d.id))
            .collect()
    }

    fn page(&self, query: &QueueQuery) -> QueuePage {
        let listed = self.listed(query);
        let from = query.after.as_deref().and_then(|text| text.parse::<usize>().ok()).unwrap_or(0);
        let limit = usize::try_from(query.limit).unwrap_or(0);
        let shown: Vec<(usize, i64)> = listed.iter().skip(from).take(limit).copied().collect();
        let end = from + shown.len();
        let next = (end < listed.len()).then(|| end.to_string());
        QueuePage {
            revision: self.snapshot.queue_revision,
            rows: shown.into_iter().filter_map(|(index, id)| self.queue_row(index, id)).collect(),
            next,
            total: count(listed.len()),
        }
    }

    fn queue_row(&self, index: usize, destination: i64) -> Option<QueueRow> {
        let d = self.snapshot.destinations.iter().find(|d| d.id == destination)?;
        let state = self.bin_at(d, index).as_str().to_owned();
        Some(QueueRow {
            id: format!("r{index}"),
            path: self.path(index),
            destination: d.name.clone(),
            job_state: None,
            attempt: if state == "needs_attention" { 3 } else { 0 },
            bytes_sent: 0,
            bytes_total: FILE_BYTES,
            wait_reason: (state == "waiting").then(|| self.wait_at(d)),
            failure: (state == "needs_attention").then(|| self.failure(index)),
            excluded_because: (state == "excluded").then(|| ExcludeReason::ByPerson.sentence().to_owned()),
            asset: i64::try_from(index).ok().map(|i| i + 1),
            proved_at: (state == "safe").then(|| UnixMillis(self.now.0 - 86_400_000).rfc3339()),
            decisions: self.decisions(&state),
            state,
        })
    }

    fn decisions(&self, bin: &str) -> Vec<DecisionRow> {
        let tried = (bin == "needs_attention").then(|| DecisionRow {
            at: UnixMillis(self.now.0 - 3_600_000).rfc3339(),
            kind: "retry".to_owned(),
            text: "Retried at once".to_owned(),
        });
        tried.into_iter().collect()
    }

    pub(in crate::ui) fn groups(&self) -> Vec<FailureGroup> {
        let mut groups: Vec<FailureGroup> = Vec::new();
        for &index in &self.attention {
            let failure = self.failure(index);
            if let Some(group) = groups.iter_mut().find(|g| g.failure.class == failure.class) {
                group.files += 1;
            } else {
                let counted =
                    self.snapshot.destinations.iter().filter(|d| d.enabled && !d.sources.is_empty());
                let destinations = counted.map(|d| d.name.clone()).collect();
                groups.push(FailureGroup { failure, files: 1, copies: 0, destinations });
            }
        }
        for group in &mut groups {
            group.copies = group.files * count(group.destinations.len());
        }
        groups.sort_by_key(|group| std::cmp::Reverse(group.files));
        groups
    }

    fn change(&mut self, selection: &Selection, change: Change) -> Reply {
        let named = |index: usize| match selection {
            Selection::All => true,
            Selection::Kind(kind) => [self.failure(index).kind, self.failure(index).class].contains(kind),
            Selection::Items(ids) => ids.contains(&format!("r{index}")),
        };
        let chosen: Vec<usize> = match change {
            Change::Retry => self.attention.iter().copied().filter(|&i| named(i)).collect(),
            Change::Include => self.excluded.iter().copied().filter(|&i| named(i)).collect(),
            Change::Exclude if matches!(selection, Selection::Items(_)) => {
                (0..self.assets()).filter(|&i| named(i) && !self.excluded.contains(&i)).collect()
            }
            Change::Exclude => self.attention.iter().copied().filter(|&i| named(i)).collect(),
        };
        for index in &chosen {
            self.attention.remove(index);
            self.excluded.remove(index);
            if change == Change::Exclude {
                self.excluded.insert(*index);
            }
        }
        self.recount();
        Reply::Changed { items: count(chosen.len()) }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Change {
    Retry,
    Exclude,
    Include,
}
