//! Commands against a scripted engine, on a clock that only the script moves.

mod backup;
mod lines;
mod shapes;
mod support;

use parking_lot::Mutex;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::output::Style;
use super::output::tests::{CapturedOutput, captured_output};
use super::{CliError, CommandContext, Exit};
use crate::api::{
    ApiError, BackupSwitch, DestinationState, ErrorKind, PairState, PathText, Query, Reply, Request,
    Snapshot, SourceCondition, SourceState, UnreadableFolder, WaitText,
};
use crate::client::conversation::{Conversation, Interrupter};
use crate::domain::folder_problem::FolderProblem;

/// Answers requests; the snapshot is the one that the script shows now.
type Answer = Box<dyn FnMut(&Request) -> Option<Result<Reply, ApiError>>>;

/// An engine of paper.
struct Script {
    now: Snapshot,
    /// What comes, and how long after what came before.
    coming: VecDeque<(Duration, Snapshot)>,
    answer: Answer,
    asked: Arc<Mutex<Vec<Request>>>,
    clock_ms: Arc<AtomicU64>,
}

impl Script {
    fn pass(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).expect("short");
        self.clock_ms.fetch_add(ms, Ordering::SeqCst);
    }
}

impl Conversation for Script {
    fn call(&mut self, request: Request) -> Result<Reply, ApiError> {
        if request == Request::Query(Query::Snapshot) {
            return Ok(Reply::Snapshot(Box::new(self.now.clone())));
        }
        self.asked.lock().push(request.clone());
        (self.answer)(&request).unwrap_or(Ok(Reply::Done))
    }

    fn call_watched(
        &mut self,
        request: Request,
        watch: &mut dyn FnMut(&Snapshot),
    ) -> Result<Reply, ApiError> {
        while let Some((in_time, next)) = self.coming.pop_front() {
            self.pass(in_time);
            watch(&next);
        }
        self.call(request)
    }

    fn wait_snapshot(
        &mut self,
        after: u64,
        within: Option<Duration>,
    ) -> Result<Option<Arc<Snapshot>>, ApiError> {
        let Some((in_time, _)) = self.coming.front_mut() else {
            let Some(within) = within else {
                return Err(ApiError::new(ErrorKind::Unavailable, "the script is over"));
            };
            self.pass(within);
            return Ok(None);
        };
        match within {
            Some(within) if within < *in_time => {
                *in_time -= within;
                self.pass(within);
                Ok(None)
            }
            _there_in_time => {
                let (in_time, mut next) = self.coming.pop_front().expect("front");
                self.pass(in_time);
                next.revision = after + 1;
                self.now = next;
                Ok(Some(Arc::new(self.now.clone())))
            }
        }
    }

    fn interrupter(&self) -> Interrupter {
        Interrupter::new(|| {})
    }
}

/// A context over a script, and all that can be seen of it.
struct Scene {
    context: CommandContext,
    stdout: CapturedOutput,
    stderr: CapturedOutput,
    asked: Arc<Mutex<Vec<Request>>>,
    clock_ms: Arc<AtomicU64>,
}

impl Scene {
    fn new(style: Style, now: Snapshot, coming: Vec<(u64, Snapshot)>, answer: Answer) -> Self {
        let (out, stdout, stderr) = captured_output(style);
        let asked = Arc::<Mutex<Vec<Request>>>::default();
        let clock_ms = Arc::<AtomicU64>::default();
        let coming = coming.into_iter().map(|(secs, next)| (Duration::from_secs(secs), next)).collect();
        let script =
            Script { now, coming, answer, asked: Arc::clone(&asked), clock_ms: Arc::clone(&clock_ms) };
        let clock = Arc::clone(&clock_ms);
        let elapsed = Box::new(move || Duration::from_millis(clock.load(Ordering::SeqCst)));
        let context = CommandContext { talk: Box::new(script), is_new_engine: false, out, elapsed };
        Self { context, stdout, stderr, asked, clock_ms }
    }

    /// A scene whose engine says yes to everything.
    fn still(style: Style, now: Snapshot) -> Self {
        Self::new(style, now, Vec::new(), Box::new(|_| None))
    }

    fn asked(&self) -> Vec<Request> {
        std::mem::take(&mut *self.asked.lock())
    }

    fn secs(&self) -> u64 {
        self.clock_ms.load(Ordering::SeqCst) / 1_000
    }
}

const JSON: Style = Style { is_json: true, is_quiet: false, is_terminal: false };
const LOG: Style = Style { is_json: false, is_quiet: false, is_terminal: false };
const TERMINAL: Style = Style { is_json: false, is_quiet: false, is_terminal: true };

fn wait_text(kind: &str, summary: &str) -> WaitText {
    WaitText { kind: kind.into(), until: Some("2024-07-01T12:00:00Z".into()), summary: summary.into() }
}

fn source(id: i64, path: &str, state: SourceCondition, found: u64) -> SourceState {
    SourceState {
        id,
        path: PathText::from_bytes(path.as_bytes()),
        state,
        found,
        scanned: 0,
        note: None,
        unreadable_folders: 0,
        unreadable: Vec::new(),
    }
}

fn unreadable(path: &str) -> UnreadableFolder {
    let problem = FolderProblem::Denied;
    UnreadableFolder {
        path: PathText::from_bytes(path.as_bytes()),
        problem: problem.as_str().into(),
        summary: problem.summary().into(),
        advice: problem.advice().into(),
        details: "Permission denied (os error 13)".into(),
    }
}

/// Bins of one pair: safe, unproven, waiting, uploading, needs attention, excluded.
fn pair(source: i64, bins: [u64; 6]) -> PairState {
    let [safe, unproven, waiting, uploading, needs_attention, excluded] = bins;
    PairState { source, safe, unproven, waiting, uploading, needs_attention, excluded }
}

fn disk(pairs: Vec<PairState>) -> DestinationState {
    let sum = |of: fn(&PairState) -> u64| pairs.iter().map(of).sum::<u64>();
    let mut disk = DestinationState {
        id: 7,
        name: "disk".into(),
        kind: "folder".into(),
        url: "/mnt/disk".into(),
        enabled: true,
        safe: sum(|p| p.safe),
        unproven: sum(|p| p.unproven),
        waiting: sum(|p| p.waiting),
        uploading: sum(|p| p.uploading),
        needs_attention: sum(|p| p.needs_attention),
        excluded: sum(|p| p.excluded),
        sources: pairs.iter().map(|p| p.source).collect(),
        ..DestinationState::default()
    };
    disk.found =
        disk.safe + disk.unproven + disk.waiting + disk.uploading + disk.needs_attention + disk.excluded;
    disk.bytes_safe = disk.safe * 1_000_000;
    disk.bytes_waiting = (disk.waiting + disk.uploading) * 1_000_000;
    disk.pairs = pairs;
    disk
}

/// One source with id 1, and the disk.
fn snapshot(bins: [u64; 6]) -> Snapshot {
    Snapshot {
        backup: BackupSwitch::On,
        sources: vec![source(1, "/photos", SourceCondition::Watching, bins.iter().sum())],
        destinations: vec![disk(vec![pair(1, bins)])],
        ..Snapshot::default()
    }
}

fn exit_of(outcome: &Result<Exit, CliError>) -> Exit {
    match outcome {
        Ok(exit) => *exit,
        Err(error) => error.exit,
    }
}
