//! The whole engine in front of a server behind a misbehaving proxy.
//!
//! Sockets are real and time is not: the engine's clock stands still while requests are under way, but
//! for a little, and runs ahead while nothing is. So three minutes of refusals, and hours of waiting after
//! them, take moments, and no time-out comes too early.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use bytes::Bytes;
use safelight::api::{
    Command, DestinationState, PathText, Query, QueueList, QueueQuery, QueueRow, Reply, Request, SecretText,
    Snapshot,
};
use safelight::base::clock::{Clock, RuntimeClock, SystemClock};
use safelight::base::executor::Executor;
use safelight::base::memory_files::MemoryFiles;
use safelight::base::memory_secrets::MemorySecrets;
use safelight::base::rng::SystemRng;
use safelight::destination::BoxFuture;
use safelight::destination::connect::Connector;
use safelight::destination::credentials::SecretSources;
use safelight::destination::http::{self, Client, Http, HttpError, NetworkConfig, Response, Settings};
use safelight::domain::failure::Failure;
use safelight::domain::gate::Conditions;
use safelight::engine::library::{FolderWatcher, Hints, WatchError, WatchGuard};
use safelight::engine::{Deps, Handle, start};
use safelight::extension::BuiltIns;
use safelight::platform::udisks::RemountError;
use tokio::time::Instant;

use crate::support::wait::rest;

/// How long the driver rests between two steps of the engine's clock.
const REST: Duration = Duration::from_millis(1);
/// How far the clock goes in a step while requests are under way.
const STEP_BUSY: Duration = Duration::from_millis(4);
/// How far it goes at first when none is, and at most.
const STEP_FIRST: Duration = Duration::from_millis(20);
pub const STEP_MAX: Duration = Duration::from_secs(10 * 60);

/// How far it goes at most while files are being sent: what is read and hashed for them takes a while.
pub const STEP_WORKING: Duration = Duration::from_millis(100);
/// The same while copies are read back, or wait for that.
pub const STEP_READING: Duration = Duration::from_secs(5);

/// Counts the exchanges that are under way, until their answers were read or dropped.
struct CountingClient {
    inner: Client,
    under_way: Arc<AtomicUsize>,
}

struct Exchange(Arc<AtomicUsize>);

impl Exchange {
    fn begin(under_way: &Arc<AtomicUsize>) -> Self {
        under_way.fetch_add(1, Ordering::SeqCst);
        Self(Arc::clone(under_way))
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct CountedBody {
    response: Response,
    _exchange: Exchange,
}

impl http::ResponseBody for CountedBody {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, HttpError>> {
        Box::pin(self.response.chunk())
    }
}

impl Http for CountingClient {
    fn send(&self, request: http::Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        let exchange = Exchange::begin(&self.under_way);
        Box::pin(async move {
            let response = self.inner.send(request).await?;
            let (status, headers, is_early) = (response.status, response.headers.clone(), response.is_early);
            let body = Box::new(CountedBody { response, _exchange: exchange });
            let mut counted = Response::new(status, headers, body);
            counted.is_early = is_early;
            Ok(counted)
        })
    }

    fn set_network_config(&self, config: NetworkConfig) -> Result<(), Failure> {
        self.inner.set_network_config(config)
    }
}

/// Sources are looked at when they are added.
struct NoWatcher;

impl FolderWatcher for NoWatcher {
    fn watch(&self, _root: &Path, _hints: &Hints) -> Result<WatchGuard, WatchError> {
        Ok(Box::new(()))
    }
}

/// A computer with `/photos` and Safelight.
pub struct World {
    pub files: MemoryFiles,
    handle: Handle,
    under_way: Arc<AtomicUsize>,
    step: std::cell::Cell<Duration>,
    _dir: tempfile::TempDir,
    _conditions: tokio::sync::watch::Sender<Conditions>,
}

impl World {
    /// Starts with the environment variables in `secrets`. The clock of the requests is the computer's
    /// own with `real_clock`: a server that compares it with its own needs that.
    pub async fn start(secrets: &'static [(&'static str, &'static str)], real_clock: bool) -> Self {
        let now = SystemClock.now();
        let clock = RuntimeClock::starting_at(now);
        let files = MemoryFiles::new(Arc::new(clock));
        files.mkdir("/photos");
        let dir = tempfile::tempdir().expect("a folder");
        let under_way = Arc::<AtomicUsize>::default();
        let inner = Client::new(Settings::default());
        let environment = move |name: &str| {
            secrets.iter().find(|(known, _value)| *known == name).map(|(_name, value)| (*value).to_owned())
        };
        let wire_clock: Arc<dyn Clock> = if real_clock { Arc::new(SystemClock) } else { Arc::new(clock) };
        let connector = Connector::new(
            Executor::threads("faults", 2).expect("threads"),
            Arc::new(SystemRng),
            wire_clock,
            Arc::new(CountingClient { inner, under_way: Arc::clone(&under_way) }),
            SecretSources { store: Arc::new(MemorySecrets::default()), environment: Arc::new(environment) },
        );
        let conditions = tokio::sync::watch::Sender::<Conditions>::default();
        let deps = Deps {
            data_dir: dir.path().to_path_buf(),
            clock: Arc::new(clock),
            rng: Arc::new(SystemRng),
            files: Arc::new(files.clone()),
            connect: Arc::new(connector),
            store_executor: Executor::inline(),
            watch: Arc::new(NoWatcher),
            library_executor: Executor::inline(),
            resumed: Arc::default(),
            mounts_changed: Arc::default(),
            mount_of: Arc::new(|_path| None),
            disk_of: Arc::new(|_path| None),
            drives: Arc::new(Vec::new),
            free_bytes: Arc::new(|_| None),
            remount: Arc::new(|_path| Box::pin(std::future::ready(Err(RemountError::Unsupported)))),
            sleeping: Arc::default(),
            conditions: conditions.subscribe(),
            extensions: Arc::new(BuiltIns),
            zone: || jiff::tz::TimeZone::UTC,
        };
        let handle = start(deps).await.expect("started");
        Self { files, handle, under_way, step: STEP_FIRST.into(), _dir: dir, _conditions: conditions }
    }

    /// Moves the engine's clock on, by no more than `at_most`.
    pub async fn step(&self, at_most: Duration) {
        // A thread that rests also keeps the runtime from moving its paused clock by itself.
        tokio::task::spawn_blocking(|| rest(REST)).await.expect("it only rests");
        let next = if self.under_way.load(Ordering::SeqCst) > 0 {
            self.step.set(STEP_FIRST);
            STEP_BUSY
        } else {
            let step = self.step.get();
            self.step.set((step * 2).min(STEP_MAX));
            step
        };
        tokio::time::advance(next.min(at_most)).await;
    }

    /// Waits for something that the engine does, while its clock is moved on.
    async fn driven<T>(&self, work: impl Future<Output = T>) -> T {
        tokio::pin!(work);
        loop {
            tokio::select! {
                biased;
                done = &mut work => return done,
                () = self.step(STEP_WORKING) => {}
            }
        }
    }

    /// Asks the engine.
    pub async fn try_ask(&self, request: impl Into<Request>) -> Result<Reply, String> {
        self.driven(self.handle.call(request)).await.map_err(|error| format!("{error:?}"))
    }

    pub async fn ask(&self, request: impl Into<Request>) -> Reply {
        self.try_ask(request).await.expect("done")
    }

    /// Adds a destination, the way the window does.
    pub async fn add_destination(&self, target: &str, secret: Option<&str>) -> Result<(), String> {
        let add = Request::Command(Command::AddDestination {
            target: PathText::from_bytes(target.as_bytes()),
            name: Some("place".to_owned()),
            allow_http: false,
            consent_all: true,
            secret: secret.map(|secret| SecretText::new(secret.to_owned())),
            trust_checksum: false,
        });
        self.try_ask(add).await.map(|_added| ())
    }

    /// Adds `/photos`, agrees to its backup and switches it on.
    pub async fn begin(&self) {
        self.ask(Command::AddSource { path: PathText::from_bytes(b"/photos"), consent_all: true }).await;
        self.ask(Command::SetBackup { on: true }).await;
    }

    pub async fn snapshot(&self) -> Snapshot {
        let Reply::Snapshot(snapshot) = self.ask(Query::Snapshot).await else { panic!("a snapshot") };
        *snapshot
    }

    pub async fn destination(&self) -> DestinationState {
        self.snapshot().await.destinations.remove(0)
    }

    pub async fn queue(&self, list: QueueList) -> Vec<QueueRow> {
        let query = QueueQuery {
            list,
            destination: None,
            enabled_only: false,
            failure_kind: None,
            after: None,
            limit: 100,
        };
        let Reply::Queue(page) = self.ask(Query::Queue(query)).await else { panic!("a page") };
        page.rows
    }

    /// Ends the engine.
    pub async fn end(self) {
        self.ask(Command::Shutdown).await;
        self.driven(self.handle.stopped()).await;
    }

    /// The time on the engine's clock.
    pub fn now() -> Instant {
        Instant::now()
    }
}
