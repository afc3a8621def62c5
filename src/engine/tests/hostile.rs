//! Extensions that misbehave: each costs its own destination some time, and nobody else anything.

use parking_lot::Mutex;
use std::sync::atomic::Ordering;

use super::stage::{ExtensionLog, Script, ScriptedExtensions};
use super::*;
use crate::api::{Command, WaitText};
use crate::destination::layer::faulty::{Call, Fault};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::ids::{FileId, JobId, RecordId};
use crate::domain::job::JobAction;
use crate::extension::{
    BLOCK_CHANGES_MAX, BuiltIn, Extension as _, FileChange, JobChange, JobContext, JobTarget, PortError,
    ProcessingResult,
};

const CLOUD_URL: &str = "s3://photos/?endpoint=https://cloud.example";

/// A play that is an async block over its context.
macro_rules! script {
    (|$cx:ident| $body:expr) => {{
        let script: Script = Arc::new(|$cx: &mut dyn JobContext| Box::pin(async move { $body }));
        script
    }};
    (move $($held:ident),* |$cx:ident| $body:expr) => {{
        $(let $held = $held.clone();)*
        let script: Script = Arc::new(move |$cx: &mut dyn JobContext| {
            $(let $held = $held.clone();)*
            Box::pin(async move { $body })
        });
        script
    }};
}

/// A disk with its built-in extension, and a cloud whose extension is played.
async fn world(script: Script) -> (World, Arc<ScriptedExtensions>, Arc<ExtensionLog>) {
    world_of(script, 10).await
}

async fn world_of(script: Script, files: u32) -> (World, Arc<ScriptedExtensions>, Arc<ExtensionLog>) {
    let stage = Arc::<ScriptedExtensions>::default();
    let seen = stage.script("cloud", script);
    let mut world = World::new().await;
    world.stop().await;
    world.extensions = Arc::clone(&stage) as _;
    world.start().await;
    for n in 0..files {
        world.put(&format!("/photos/{n}.jpg"), &format!("photo {n}"));
    }
    world.set_up().await;
    let read = |s: &Snapshot| s.destinations[0].found == u64::from(files) && s.indexing.to_hash == 0;
    world.until("all read", read).await;
    world.add_cloud().await;
    (world, stage, seen)
}

/// The disk has everything, soon, and the books are right.
async fn disk_is_unharmed(world: &World, files: u64) {
    let began = world.clock.now();
    world.until("on the disk", |s| s.destinations[0].safe == files).await;
    assert!(world.clock.now().since(began) < Duration::from_secs(15));
    world.check_identity().await;
}

/// The played extension is put away, and the cloud has everything.
async fn recovers(world: &World, stage: &ScriptedExtensions) {
    stage.behave("cloud");
    world.until("in the cloud", |s| s.destinations[1].safe == s.destinations[1].found).await;
    world.check_identity().await;
}

/// The outcomes of what a play tried, in order.
type PortOutcomes = Arc<Mutex<Vec<Result<u64, PortError>>>>;

async fn attempt(cx: &mut dyn JobContext, told: &PortOutcomes, block: Vec<JobChange>) {
    let outcome = cx.perform_changes(block).await;
    told.lock().push(outcome);
}

#[tokio::test(start_paused = true)]
async fn one_that_hangs_is_dropped_and_replaced() {
    let (world, stage, seen) = world(script!(|_cx| std::future::pending().await)).await;
    disk_is_unharmed(&world, 10).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!((8..=20).contains(&seen.calls()), "20 s each, and then longer and longer waits: {seen:?}");
    assert_eq!(seen.made.load(Ordering::SeqCst), seen.calls(), "what hangs is not called again");
    recovers(&world, &stage).await;
}

#[tokio::test(start_paused = true)]
async fn one_that_panics_costs_one_call() {
    let (world, stage, seen) = world(script!(|_cx| panic!("planted"))).await;
    disk_is_unharmed(&world, 10).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!((8..=25).contains(&seen.calls()), "{seen:?}");
    assert_eq!(seen.made.load(Ordering::SeqCst), seen.calls());
    recovers(&world, &stage).await;
}

#[tokio::test(start_paused = true)]
async fn processing_without_change_backs_off_and_says_so() {
    let (world, stage, seen) = world(script!(|_cx| ProcessingResult::Processing)).await;
    disk_is_unharmed(&world, 10).await;
    tokio::time::sleep(Duration::from_secs(60)).await;
    let wait: WaitText = world.snapshot().await.destinations[1].wait_reason.clone().expect("a reason");
    assert_eq!(wait.kind, "back_off");
    assert!(wait.until.is_some());
    tokio::time::sleep(Duration::from_secs(3540)).await;
    assert!((12..=25).contains(&seen.calls()), "5 s doubling to 5 min: {seen:?}");
    // News about the library does not shorten the wait.
    let before = seen.calls();
    for n in 10..20 {
        world.put(&format!("/photos/{n}.jpg"), &format!("photo {n}"));
        world.ask(Command::Rescan { id: None }).await;
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    assert!(seen.calls() <= before + 1, "{seen:?}");
    stage.behave("cloud");
    // What answers is not replaced; a restart is the way to another policy.
    let mut world = world;
    world.stop().await;
    world.start().await;
    world.until("in the cloud", |s| s.destinations[1].safe == 20).await;
}

#[tokio::test(start_paused = true)]
async fn busy_work_is_not_progress() {
    // Wants what it wanted, makes jobs and takes them back: rows change, nothing gets done.
    let churn = script!(|cx| {
        let files = cx.unrecorded_files(FileId(0)).await.unwrap_or_default();
        cx.perform_changes(files.into_iter().map(JobChange::Want).collect()).await.ok();
        let wanted = cx.fetch_wanted().await.unwrap_or_default();
        cx.perform_changes(wanted.into_iter().map(JobChange::Create).collect()).await.ok();
        let jobs = cx.fetch_jobs(JobAction::Process).await.unwrap_or_default();
        cx.perform_changes(jobs.iter().map(|job| JobChange::Cancel(job.id)).collect()).await.ok();
        ProcessingResult::Processing
    });
    let (world, _stage, seen) = world(churn).await;
    disk_is_unharmed(&world, 10).await;
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert!(seen.calls() < 200, "{seen:?}");
    // Wanting again what is wanted changes nothing at all.
    let again = script!(|cx| {
        let files: Vec<JobChange> = (1..=10).map(|n| JobChange::Want(FileId(n))).collect();
        match cx.perform_changes(files).await {
            Ok(0) => ProcessingResult::Completed,
            _ => ProcessingResult::Processing,
        }
    });
    let (world, _stage, seen) = self::world(again).await;
    disk_is_unharmed(&world, 10).await;
    tokio::time::sleep(Duration::from_secs(600)).await;
    assert!(seen.calls() <= 12, "{seen:?}");
}

#[tokio::test(start_paused = true)]
async fn over_the_limit_nothing_of_the_block_is_done() {
    let told = PortOutcomes::default();
    let overfill = script!(move told |cx| {
        if !told.lock().is_empty() {
            return BuiltIn.process_jobs(cx).await;
        }
        let files = cx.unrecorded_files(FileId(0)).await.unwrap_or_default();
        attempt(cx, &told, files.into_iter().map(JobChange::Want).collect()).await;
        let mut wanted = cx.fetch_wanted().await.unwrap_or_default();
        assert_eq!(wanted.len(), 64, "no more than there is room for");
        let create = |wanted: &[RecordId]| wanted.iter().copied().map(JobChange::Create).collect();
        // Records are numbered as they are made, so the one before is one of this destination's too.
        let one_more = RecordId(wanted.iter().map(|id| id.0).min().unwrap_or(0) - 1);
        wanted.insert(0, one_more);
        attempt(cx, &told, create(&wanted)).await;
        assert_eq!(cx.fetch_jobs(JobAction::Process).await, Ok(Vec::new()));
        attempt(cx, &told, create(&wanted[..64])).await;
        attempt(cx, &told, create(&wanted[64..])).await;
        let jobs = cx.fetch_jobs(JobAction::Process).await.unwrap_or_default();
        attempt(cx, &told, vec![JobChange::Cancel(jobs[0].id), JobChange::Create(RecordId(1_000_000))]).await;
        let after = cx.fetch_jobs(JobAction::Process).await;
        assert_eq!(after.as_ref().map(Vec::len), Ok(64), "the cancel was taken back with the block");
        ProcessingResult::Completed
    });
    let (world, _stage, _seen) = world_of(overfill, 150).await;
    disk_is_unharmed(&world, 150).await;
    world.until("in the cloud", |s| s.destinations[1].safe == 150).await;
    let told = told.lock().clone();
    assert_eq!(told[..4], [Ok(150), Err(PortError::LimitExceeded), Ok(64), Err(PortError::LimitExceeded)]);
    assert!(matches!(told[4..], [Err(PortError::Refused(_))]), "{told:?}");
    world.check_identity().await;
}

#[tokio::test(start_paused = true)]
async fn other_destinations_jobs_and_illegal_blocks_are_refused_whole() {
    let told = PortOutcomes::default();
    let grab = script!(move told |cx| {
        if told.lock().is_empty() {
            let newest = cx.newest_token().await.unwrap_or(0);
            let mine = cx.unrecorded_files(FileId(0)).await.unwrap_or_default();
            let want = JobChange::Want(mine[0]);
            for change in [
                JobChange::Acknowledge(JobId(1)),
                JobChange::Cancel(JobId(1)),
                JobChange::Retry { job: JobId(1), to: None },
                JobChange::Create(RecordId(1)),
                JobChange::SaveToken(newest + 1),
            ] {
                attempt(cx, &told, vec![want.clone(), change]).await;
            }
            attempt(cx, &told, vec![want; BLOCK_CHANGES_MAX + 1]).await;
            assert_eq!(cx.unrecorded_files(FileId(0)).await, Ok(mine), "nothing was done");
            assert!(cx.fetch_jobs(JobAction::Acknowledge).await.expect("jobs").is_empty());
            assert_eq!(cx.changes_since(newest + 1).await, Err(PortError::TokenExpired));
            assert_eq!(cx.changes_since(-1).await, Err(PortError::TokenExpired));
        }
        ProcessingResult::Completed
    });
    let (world, stage, _seen) = world_with_stuck_disk(grab).await;
    world.until("tried", |_| told.lock().len() == 6).await;
    let outcomes = told.lock().clone();
    for outcome in &outcomes {
        assert!(matches!(outcome, Err(PortError::Refused(_))), "{outcomes:?}");
    }
    assert_eq!(world.snapshot().await.destinations[0].uploading, 1, "its job is still running");
    drop(stage);
}

/// As [`world`], with one job of the disk that goes on for ever.
async fn world_with_stuck_disk(script: Script) -> (World, Arc<ScriptedExtensions>, Arc<ExtensionLog>) {
    let stage = Arc::<ScriptedExtensions>::default();
    let seen = stage.script("cloud", script);
    let mut world = World::new().await;
    world.stop().await;
    world.extensions = Arc::clone(&stage) as _;
    world.start().await;
    world.add_backup().await;
    world.places.as_ref().expect("places").faults("/backup").queue(Call::Send, Fault::HangUntilCancelled);
    world.put("/photos/a.jpg", "a");
    world.set_up().await;
    world.until("it runs", |s| s.destinations[0].uploading == 1).await;
    world.add_cloud().await;
    (world, stage, seen)
}

#[tokio::test(start_paused = true)]
async fn a_retry_may_lead_elsewhere_below_the_destination_and_nowhere_else() {
    let told = PortOutcomes::default();
    let elsewhere = script!(move told |cx| {
        let failed = cx.fetch_jobs(JobAction::Retry).await.unwrap_or_default();
        for job in &failed {
            for to in [
                JobTarget::Key("../outside.jpg".to_owned()),
                JobTarget::Key(".safelight/destination.json".to_owned()),
                JobTarget::Url("https://cloud.example/photos/a.jpg".to_owned()),
            ] {
                attempt(cx, &told, vec![JobChange::Retry { job: job.id, to: Some(to) }]).await;
            }
            let to = Some(JobTarget::Key("elsewhere/second.jpg".to_owned()));
            attempt(cx, &told, vec![JobChange::Retry { job: job.id, to }]).await;
            attempt(cx, &told, vec![JobChange::Retry { job: job.id, to: None }]).await;
        }
        BuiltIn.process_jobs(cx).await
    });
    let stage = Arc::<ScriptedExtensions>::default();
    stage.script("cloud", elsewhere);
    let mut world = World::new().await;
    world.stop().await;
    world.extensions = Arc::clone(&stage) as _;
    world.start().await;
    world.ask(Command::AddSource { path: PathText::from_bytes(b"/photos"), consent_all: true }).await;
    world.add_cloud().await;
    let cloud = world.places.as_ref().expect("places").faults(CLOUD_URL);
    cloud.queue(Call::Send, Fault::FailBefore(Failure::transient(FailureKind::Server, "planted")));
    world.put("/photos/a.jpg", "a");
    world.ask(Command::SetBackup { on: true }).await;
    world.ask(Command::Rescan { id: None }).await;
    world.until("safe", |s| s.destinations[0].safe == 1).await;
    assert_eq!(world.cloud.contents("elsewhere/second.jpg"), Some(photo("a")), "{:?}", world.cloud.files());
    let told = told.lock().clone();
    assert!(told[..3].iter().all(|outcome| matches!(outcome, Err(PortError::Refused(_)))), "{told:?}");
    assert_eq!(told[3..], [Ok(1), Ok(0)], "one retry a job");
}

#[tokio::test(start_paused = true)]
async fn cancelling_stops_what_is_being_sent() {
    let cancelled = Arc::new(std::sync::atomic::AtomicBool::new(false));
    let change_of_mind = script!(move cancelled |cx| {
        if !cancelled.load(Ordering::SeqCst) {
            let jobs = cx.fetch_jobs(JobAction::Process).await.unwrap_or_default();
            let pending = jobs.iter().filter(|job| job.state == crate::domain::job::JobState::Pending);
            let block: Vec<JobChange> = pending.map(|job| JobChange::Cancel(job.id)).collect();
            if !block.is_empty() {
                cancelled.store(true, Ordering::SeqCst);
                cx.perform_changes(block).await.expect("cancelled");
                return ProcessingResult::Completed;
            }
        }
        BuiltIn.process_jobs(cx).await
    });
    let (world, _stage, _seen) = world(change_of_mind).await;
    let cloud = world.places.as_ref().expect("places").faults(CLOUD_URL);
    world.until("all there", |s| s.destinations[1].safe == 10).await;
    for _ in 0..3 {
        cloud.queue(Call::Send, Fault::HangUntilCancelled);
    }
    for n in 10..13 {
        world.put(&format!("/photos/{n}.jpg"), &format!("photo {n}"));
    }
    world.ask(Command::Rescan { id: None }).await;
    world.until("stuck", |s| s.destinations[1].uploading > 0).await;
    // The next call takes them back, the one after makes new jobs.
    world.ask(Command::SetRules(crate::api::Rules::default())).await;
    world.ask(Command::Resume).await;
    world.until("all safe", |s| s.destinations[1].safe == 13).await;
    assert!(cancelled.load(Ordering::SeqCst));
    world.check_identity().await;
}

#[tokio::test(start_paused = true)]
async fn the_notice_comes_and_one_that_ignores_it_delays_nobody() {
    let (mut world, _stage, seen) = world(script!(|_cx| ProcessingResult::Completed)).await;
    disk_is_unharmed(&world, 10).await;
    let began = world.clock.now();
    world.stop().await;
    assert_eq!(seen.notices.load(Ordering::SeqCst), 1);
    assert!(world.clock.now().since(began) <= Duration::from_secs(5), "it never answers the notice");

    // Before the computer sleeps it is told too, and goes on after.
    world.start().await;
    world.until("running", |s| s.destinations.len() == 2).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    world.sleeping.notify_one();
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(seen.notices.load(Ordering::SeqCst), 2);
    world.put("/photos/more.jpg", "more");
    world.ask(Command::Rescan { id: None }).await;
    disk_is_unharmed(&world, 11).await;

    // One that is in the middle of a call is told in the call.
    let obedient = script!(|cx| {
        while !cx.is_terminating() {
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        ProcessingResult::Processing
    });
    let (mut world, _stage, seen) = self::world(obedient).await;
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert_eq!(seen.calls(), 1);
    let began = world.clock.now();
    world.stop().await;
    assert_eq!(seen.notices.load(Ordering::SeqCst), 1, "after its call");
    assert!(world.clock.now().since(began) <= Duration::from_secs(5));
}

#[tokio::test(start_paused = true)]
async fn changes_say_what_can_be_told_of_them() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let listen = script!(move told |cx| {
        if let Ok(changes) = cx.changes_since(0).await {
            *told.lock() = changes.files;
        }
        ProcessingResult::Completed
    });
    let (world, _stage, _seen) = world(listen).await;
    disk_is_unharmed(&world, 10).await;
    world.files.remove("/photos/0.jpg");
    world.files.write_at("/photos/1.jpg", photo("new"), 1_600_000_000_000_000_000);
    world.files.refuse("/photos/1.jpg", Some(std::io::ErrorKind::PermissionDenied));
    world.ask(Command::Rescan { id: None }).await;
    world.until("noticed", |s| s.destinations[0].needs_attention == 1 && s.destinations[0].found == 9).await;
    world.ask(Command::Resume).await;
    tokio::time::sleep(Duration::from_secs(5)).await;
    let count = |test: fn(&FileChange) -> bool| told.lock().iter().filter(|c| test(c)).count();
    assert_eq!(count(|change| matches!(change, FileChange::Ready(_))), 8);
    assert_eq!(count(|change| matches!(change, FileChange::Removed(_))), 1);
    assert_eq!(count(|change| matches!(change, FileChange::DetailsUnavailable(_))), 1, "{told:?}");
}
