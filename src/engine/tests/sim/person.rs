//! The person at the simulated computer: what they ask, and what the answers make certain.

use std::sync::Arc;
use std::time::Duration;

use super::connect::target_of;
use super::dice::Dice;
use super::world::{Gate, STOPS_WITHIN, World, count};
use crate::api::{
    ApiError, Command, ErrorKind, Operation, PathText, Query, QueueList, QueueQuery, Reply, Request,
    Selection,
};
use crate::domain::gate::{GateRules, Hours, OnBattery};
use crate::domain::ids::DestinationId;
use crate::engine::Handle;

/// An engine that says nothing for so long is stuck.
const ANSWERS_WITHIN: Duration = Duration::from_secs(60);
/// A verify or a restore may take so long.
const WORKS_WITHIN: Duration = Duration::from_secs(24 * 3600);
/// Failure kinds that are tried again as a class.
const CLASSES: [&str; 5] = ["server", "timeout", "too_large", "unreadable", "digest_mismatch"];

/// The person.
#[derive(Clone)]
pub struct Person {
    /// The world.
    pub world: Arc<World>,
    /// The running engine.
    pub handle: Handle,
}

impl Person {
    /// Asks, and has the answer in good time; none when the engine refuses.
    pub async fn ask(&self, request: impl Into<Request>) -> Option<Reply> {
        self.ask_within(request, ANSWERS_WITHIN).await
    }

    async fn ask_within(&self, request: impl Into<Request>, limit: Duration) -> Option<Reply> {
        let request = request.into();
        let what = format!("{request:?}");
        self.world.note(|| format!("person asks {what}"));
        let answer = tokio::time::timeout(limit, self.handle.call(request)).await;
        match answer {
            Ok(Ok(reply)) => Some(reply),
            Ok(Err(ApiError { kind: ErrorKind::Unavailable, .. }))
                if self.world.with(|around| around.is_stopping) =>
            {
                None
            }
            Ok(Err(ApiError { kind: ErrorKind::Internal | ErrorKind::Unavailable, message })) => {
                self.world.violate(format!("{what} failed: {message}"));
                None
            }
            Ok(Err(refused)) => {
                if refused.message.contains("database") {
                    self.world.violate(format!("{what} was refused: {refused}"));
                }
                self.world.note(|| format!("refused: {refused}"));
                None
            }
            Err(_late) => {
                self.world.violate(format!("{what} had no answer after {limit:?}"));
                None
            }
        }
    }

    /// Looks some seconds later whether everything that a closed gate forbids has stopped.
    fn look_later(&self) {
        let world = Arc::clone(&self.world);
        tokio::spawn(async move {
            tokio::time::sleep(STOPS_WITHIN + Duration::from_millis(2)).await;
            if let Some(late) = world.still_running() {
                world.violate(late);
            }
        });
    }

    /// Puts up everything: sources, destinations, consent, the toggle.
    pub async fn set_up(&self, dice: &mut Dice) {
        let mut steps: Vec<u8> = vec![0, 1, 2];
        let first = steps.remove(dice.index(3));
        steps.insert(0, first);
        for step in steps {
            match step {
                0 => self.add_sources().await,
                1 => self.add_destinations(),
                _ => self.switch(true).await,
            }
        }
    }

    async fn add_sources(&self) {
        let roots: Vec<String> = self
            .world
            .with(|around| around.photos.folders.iter().map(|folder| folder.root.clone()).collect());
        for root in roots {
            self.add_source(&root).await;
        }
    }

    async fn add_source(&self, root: &str) {
        self.ask(Command::AddSource { path: PathText::from_bytes(root.as_bytes()), consent_all: true }).await;
    }

    /// Adds whatever is missing.
    pub async fn complete(&self) {
        self.add_sources().await;
        let missing: Vec<usize> = self.world.with(|around| {
            let missing = around.remotes.iter().filter(|remote| remote.id.is_none());
            missing.map(|remote| remote.number).collect()
        });
        missing.into_iter().for_each(|number| self.add_destination(number));
    }

    fn add_destinations(&self) {
        for number in 0..self.world.with(|around| around.remotes.len()) {
            self.add_destination(number);
        }
    }

    /// Takes its time, so it is not waited for.
    fn add_destination(&self, number: usize) {
        let person = self.clone();
        let target = self.world.with(|around| target_of(&around.remotes[number]));
        let target = PathText::from_bytes(target.as_bytes());
        let (name, secret) = (None, None);
        let request = Request::Command(Command::AddDestination {
            target,
            name,
            allow_http: false,
            consent_all: true,
            secret,
            trust_checksum: false,
        });
        self.open_gate(number);
        // A place that the person adds is tried whatever the gates say.
        self.world.with(|around| around.asked += 1);
        tokio::spawn(async move {
            if let Some(Reply::Destination { id, .. }) = person.ask_within(request, WORKS_WITHIN).await {
                person.world.with(|around| around.remotes[number].id = Some(DestinationId(id)));
            }
            person.world.with(|around| around.asked = around.asked.saturating_sub(1));
        });
    }

    fn open_gate(&self, number: usize) {
        self.world.with(|around| around.remotes[number].gate = Gate::Open);
    }

    /// The main toggle.
    pub async fn switch(&self, on: bool) {
        self.world.with(|around| around.app = Gate::Open);
        if self.ask(Command::SetBackup { on }).await.is_some() && !on {
            self.close_app();
        }
    }

    fn close_app(&self) {
        let now = self.world.now();
        self.world.with(|around| around.app = Gate::Closed(now));
        self.look_later();
    }

    async fn pause(&self, dice: &mut Dice) {
        // A pause that ends by itself is certain only until then; others end by the person.
        let for_secs = dice.percent(40).then(|| dice.between(1, 600));
        self.world.with(|around| around.app = Gate::Open);
        if self.ask(Command::Pause { for_secs }).await.is_none() || for_secs.is_some() {
            return;
        }
        self.close_app();
    }

    /// Goes on after a pause.
    pub async fn resume(&self) {
        self.world.with(|around| around.app = Gate::Open);
        self.ask(Command::Resume).await;
    }

    /// Says when backup may work.
    pub async fn allow(&self, rules: GateRules) {
        let now = self.world.now();
        self.world.with(|around| (around.rules, around.changed_at) = (None, now));
        if self.ask(Command::SetRules(rules.into())).await.is_some() {
            let now = self.world.now();
            self.world.with(|around| (around.rules, around.changed_at) = (Some(rules), now));
        }
    }

    async fn change_rules(&self, dice: &mut Dice) {
        let minute = |dice: &mut Dice| u16::try_from(dice.below(1440)).expect("few");
        let hours = if dice.percent(40) { Hours::new(minute(dice), minute(dice)) } else { None };
        let on_battery = *dice.pick(&[OnBattery::Always, OnBattery::AtLeast(20), OnBattery::Never]);
        self.allow(GateRules { on_metered: dice.percent(50), on_battery, hours }).await;
    }

    async fn enable(&self, dice: &mut Dice) {
        let Some((number, id)) = self.some_destination(dice) else { return };
        let enabled = dice.percent(50);
        self.open_gate(number);
        if self.ask(Command::EnableDestination { id: id.0, enabled }).await.is_some() && !enabled {
            let now = self.world.now();
            self.world.with(|around| around.remotes[number].gate = Gate::Closed(now));
            self.look_later();
        }
    }

    async fn remove_destination(&self, dice: &mut Dice) {
        let Some((number, id)) = self.some_destination(dice) else { return };
        self.open_gate(number);
        self.world.with(|around| around.remotes[number].was_forgotten = true);
        if self.ask(Command::RemoveDestination { id: id.0 }).await.is_some() {
            let now = self.world.now();
            self.world.with(|around| {
                (around.remotes[number].gate, around.remotes[number].id) = (Gate::Closed(now), None);
            });
            self.look_later();
        }
    }

    fn some_destination(&self, dice: &mut Dice) -> Option<(usize, DestinationId)> {
        let known: Vec<(usize, DestinationId)> = self.world.with(|around| {
            around.remotes.iter().filter_map(|remote| Some((remote.number, remote.id?))).collect()
        });
        (!known.is_empty()).then(|| *dice.pick(&known))
    }

    async fn source_ids(&self) -> Vec<(i64, String)> {
        let Some(Reply::Snapshot(snapshot)) = self.ask(Query::Snapshot).await else { return Vec::new() };
        let name =
            |path: &PathText| String::from_utf8_lossy(&path.to_bytes().unwrap_or_default()).into_owned();
        snapshot.sources.iter().map(|source| (source.id, name(&source.path))).collect()
    }

    async fn change_source(&self, dice: &mut Dice) {
        let known = self.source_ids().await;
        if dice.percent(60) || known.is_empty() {
            let roots: Vec<String> = self
                .world
                .with(|around| around.photos.folders.iter().map(|folder| folder.root.clone()).collect());
            let root = dice.pick(&roots).clone();
            self.add_source(&root).await;
        } else {
            let (id, _) = *dice.pick(&known);
            self.ask(Command::RemoveSource { id }).await;
        }
    }

    /// Believes what is seen of every source.
    pub async fn rescan_each(&self) {
        for (id, _) in self.source_ids().await {
            self.ask(Command::Rescan { id: Some(id) }).await;
        }
    }

    async fn rows(&self, list: QueueList) -> Vec<String> {
        let query = QueueQuery {
            list,
            destination: None,
            enabled_only: false,
            failure_kind: None,
            after: None,
            limit: 50,
        };
        let Some(Reply::Queue(page)) = self.ask(Query::Queue(query)).await else { return Vec::new() };
        page.rows.into_iter().map(|row| row.id).collect()
    }

    async fn retry(&self, dice: &mut Dice) {
        let selection = match dice.below(3) {
            0 => Selection::All,
            1 => Selection::Kind((*dice.pick(&CLASSES)).to_owned()),
            _ => Selection::Items(self.rows(QueueList::NeedsAttention).await.into_iter().take(1).collect()),
        };
        self.ask(Command::Retry(selection)).await;
    }

    async fn exclude(&self, dice: &mut Dice) {
        if dice.percent(5) {
            self.world.with(|around| around.excluded_classes = true);
            self.ask(Command::Exclude(Selection::Kind((*dice.pick(&CLASSES)).to_owned()))).await;
            return;
        }
        let list = *dice.pick(&[QueueList::NeedsAttention, QueueList::Waiting, QueueList::Uploading]);
        let rows = self.rows(list).await;
        if rows.is_empty() {
            return;
        }
        let id = dice.pick(&rows).clone();
        self.world.with(|around| around.excluded.insert(id.clone()));
        self.ask(Command::Exclude(Selection::Items(vec![id]))).await;
    }

    async fn include(&self, dice: &mut Dice) {
        let rows = self.rows(QueueList::Excluded).await;
        if !rows.is_empty() {
            let id = dice.pick(&rows).clone();
            self.ask(Command::Include(Selection::Items(vec![id]))).await;
        }
    }

    /// Asks for something that takes its time and may ask every destination.
    fn begin_work(&self, request: impl Into<Request> + Send + 'static) {
        let person = self.clone();
        self.world.with(|around| around.asked += 1);
        tokio::spawn(async move {
            person.ask_within(request, WORKS_WITHIN).await;
            person.world.with(|around| around.asked = around.asked.saturating_sub(1));
        });
    }

    fn verify(&self, dice: &mut Dice) {
        let known = self.some_destination(dice);
        let destination = known.filter(|_| dice.percent(50)).map(|(_, id)| id.0);
        self.begin_work(Operation::Verify { destination, deep: dice.percent(50) });
    }

    async fn rescan(&self, dice: &mut Dice) -> &'static str {
        if dice.percent(50) {
            self.ask(Command::Rescan { id: None }).await;
            return "rescan";
        }
        self.rescan_each().await;
        "rescan_each"
    }

    /// Lets a photo library's checksum count as proof, or no longer.
    async fn trust(&self, dice: &mut Dice) {
        let libraries: Vec<(usize, DestinationId)> = self.world.with(|around| {
            let libraries = around.remotes.iter().filter(|remote| remote.rules.reads_later);
            libraries.filter_map(|remote| Some((remote.number, remote.id?))).collect()
        });
        if libraries.is_empty() {
            return;
        }
        let ((number, id), trusted) = (*dice.pick(&libraries), dice.percent(50));
        if trusted {
            self.world.with(|around| {
                let remote = &mut around.remotes[number];
                (remote.was_trusted, remote.is_trusted) = (true, true);
            });
        }
        let done = self.ask(Command::SetChecksumTrust { id: id.0, trusted }).await;
        if done == Some(Reply::Done) && !trusted {
            self.world.with(|around| around.remotes[number].is_trusted = false);
        }
    }

    fn test(&self, dice: &mut Dice) {
        if let Some((_, id)) = self.some_destination(dice) {
            self.begin_work(Operation::TestDestination { id: id.0 });
        }
    }

    /// What leads to the commit at which the run is to die, where the person can do that.
    fn wish(&self) -> Option<u64> {
        let kind = self
            .world
            .with(|around| around.planned_deaths.first().and_then(|planned_death| planned_death.kind))?;
        Some(match kind {
            "enable_destination" => 0,
            "exclude" => 23,
            "include" => 26,
            "consent" | "add_source" | "remove_source" => 27,
            "remove_destination" => 29,
            "save_destination" | "adopt" | "Probe" | "fill_in" => 30,
            "verify" | "verify_copy" => 33,
            "retry" => 19,
            "set_rules" => 37,
            "set_checksum_trust" => 40,
            _ => return None,
        })
    }

    /// Does something.
    pub async fn act(&self, dice: &mut Dice) {
        let by_chance = dice.below(42);
        let name = match self.wish().filter(|_| dice.percent(40)).unwrap_or(by_chance) {
            0..=4 => {
                self.enable(dice).await;
                "enable"
            }
            5..=9 => {
                self.pause(dice).await;
                "pause"
            }
            10..=15 => {
                self.resume().await;
                "resume"
            }
            16..=18 => {
                self.switch(dice.percent(60)).await;
                "switch"
            }
            19..=22 => {
                self.retry(dice).await;
                "retry"
            }
            23..=25 => {
                self.exclude(dice).await;
                "exclude"
            }
            26 => {
                self.include(dice).await;
                "include"
            }
            27..=28 => {
                self.change_source(dice).await;
                "change_source"
            }
            29 => {
                self.remove_destination(dice).await;
                "remove_destination"
            }
            30..=32 => {
                let count = self.world.with(|around| around.remotes.len());
                self.add_destination(dice.index(count));
                "add_destination"
            }
            33..=35 => {
                self.verify(dice);
                "verify"
            }
            36 => {
                self.test(dice);
                "test"
            }
            37 => {
                self.change_rules(dice).await;
                "change_rules"
            }
            40..=41 => {
                self.trust(dice).await;
                "trust"
            }
            _ => self.rescan(dice).await,
        };
        self.world.with(|around| count(&mut around.tally.actions, name));
    }
}
