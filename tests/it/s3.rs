//! What S3 servers answer when something is wrong: what it is taken for, and that nothing is replaced,
//! lost or written twice.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use safelight::destination::{Item, Sent};
use safelight::domain::failure::{Failure, FailureKind, Reach, Retry};
use safelight::domain::record::Evidence;

use crate::conformance::s3::{careless, fake_with, in_fake, strict};
use crate::conformance::site::{CheckpointRecorder, Site};
use crate::conformance::source::{SourceFault, bytes};
use crate::fakes::dav::Behavior;
use crate::fakes::fault_server::{Fault, FaultServer, Order};
use crate::fakes::s3::BucketBehavior;
use crate::fakes::s3_sign::Key;

const MIB: usize = 1024 * 1024;
/// Three parts: beyond what goes in one request.
const LARGE: usize = 20 * MIB + 11;
const PARTS: usize = 3;
const SMALL: usize = 100_001;
/// How often a call is tried before it is a failure.
const TRIES: usize = 3;
const EVERY_TRY: u64 = TRIES as u64;

fn said(code: &str, more: &str) -> String {
    format!("<?xml version=\"1.0\"?>\n<Error><Code>{code}</Code><Message>no</Message>{more}</Error>")
}

fn refusal(status: u16, code: &str) -> Fault {
    Fault::Answer(status, vec![("content-type", "application/xml".to_owned())], said(code, ""))
}

fn parts_sent(server: &FaultServer) -> usize {
    server.asked().iter().filter(|seen| seen.method == "PUT" && seen.query.contains("partNumber")).count()
}

/// It is there once, with its bytes, proved, and nothing unfinished is left.
async fn is_there_once(site: &Site, server: &FaultServer, item: &Item, bytes: &[u8]) {
    assert!(site.contents(&item.key).as_deref() == Some(bytes), "other bytes are there");
    assert_eq!(server.bucket().written(&in_fake(&item.key)), 1, "writes of the copy");
    assert_eq!(server.bucket().unfinished(), Vec::<String>::new());
    let proof = site.open().prove(item, "", &site.transfer()).await;
    assert!(matches!(proof, Ok(Evidence::Verified { .. })), "{proof:?}");
}

/// Nothing has its name, and nothing was written there.
fn is_nowhere(site: &Site, server: &FaultServer, item: &Item) {
    assert_eq!(site.contents(&item.key), None);
    assert_eq!(server.bucket().written(&in_fake(&item.key)), 0);
}

/// The last step of an upload in parts.
fn assembly(fault: Fault) -> Order {
    Order::new(fault).method("POST").query("uploadId")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn when_the_answer_to_the_last_step_is_lost_its_effect_is_found() {
    let forgetful = strict();
    let patient = BucketBehavior { forgets_finished: false, ..strict() };
    for behavior in [forgetful, patient, careless()] {
        let (site, server) = fake_with(behavior.clone()).await;
        let good = bytes(1, LARGE);

        // Only the answer is lost.
        let item = site.item(1, "a.mov", &good);
        server.forget();
        server.order(assembly(Fault::DropAfter));
        let transfer = site.transfer();
        assert!(matches!(site.open().send(&item, &transfer).await, Ok(Sent::AlreadyThere { .. })));
        assert!(server.is_served());
        assert_eq!(transfer.bytes_sent.load(Ordering::Relaxed), LARGE as u64);
        assert_eq!(parts_sent(&server), PARTS, "{behavior:?}");
        is_there_once(&site, &server, &item, &good).await;

        // And the server is away after it, until the next run.
        let item = site.item(2, "b.mov", &good);
        server.forget();
        server.order(assembly(Fault::DropAfter));
        server.order(assembly(Fault::DropBefore).times(EVERY_TRY - 1));
        let saver = CheckpointRecorder::default();
        let failure = site.open().send(&item, &site.transfer_with(saver.clone())).await;
        let failure = failure.expect_err("no answer");
        assert_eq!((failure.kind, failure.reach), (FailureKind::Connect, Reach::Resource), "{failure}");
        assert_eq!(failure.retry, Retry::After(Duration::ZERO));
        let sent = site.open().send(&item, &site.transfer_with(saver.restarted())).await;
        assert!(matches!(sent, Ok(Sent::AlreadyThere { .. })), "{sent:?}");
        assert_eq!(parts_sent(&server), PARTS, "{behavior:?}");
        is_there_once(&site, &server, &item, &good).await;
    }
}

/// A server that was killed in the middle knows the upload no more, and says so in its own way: another
/// one is begun, whatever was answered.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_the_server_has_lost_is_begun_again() {
    let answers =
        [(404, "NoSuchUpload"), (403, "AccessDenied"), (400, "InvalidArgument"), (500, "InternalError")];
    for behavior in [strict(), careless()] {
        for unknown_upload in answers {
            let (site, server) = fake_with(BucketBehavior { unknown_upload, ..behavior.clone() }).await;
            let good = bytes(1, LARGE);
            let item = site.item(1, "a.mov", &good);
            let saver = CheckpointRecorder::default();
            server.order(assembly(Fault::DropBefore).times(EVERY_TRY));
            site.open().send(&item, &site.transfer_with(saver.clone())).await.expect_err("no answer");
            server.heal();
            server.bucket().forget_uploads();
            // A server's own error may pass, so it is waited for a few times.
            let mut tries = 0;
            let sent = loop {
                tries += 1;
                match site.open().send(&item, &site.transfer_with(saver.clone())).await {
                    Err(failure) if failure.kind == FailureKind::Server && tries < 3 => {}
                    sent => break sent,
                }
            };
            assert!(matches!(sent, Ok(Sent::Stored { .. })), "{unknown_upload:?}: {sent:?}");
            assert_eq!(tries, if unknown_upload.0 == 500 { 3 } else { 1 }, "{unknown_upload:?}");
            is_there_once(&site, &server, &item, &good).await;
            assert!(server.bucket().unfinished().is_empty());
        }
    }
}

/// Bytes that a server spoiled on their way and took all the same: the copy is ours, was never verified, and
/// goes before it is sent again, while somebody else's in its place stays.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_spoiled_copy_makes_room_for_the_next_try() {
    let believing = BucketBehavior { keeps_from_replacing: true, ..careless() };
    for (is_replaced, size) in [(false, SMALL), (true, SMALL), (false, LARGE)] {
        let (site, server) = fake_with(believing.clone()).await;
        let (good, other) = (bytes(1, size), bytes(2, size + 1));
        let item = site.item(1, "a.mov", &good);
        let saver = CheckpointRecorder::default();
        let query = if size == LARGE { "partNumber=1" } else { "" };
        server.order(Order::new(Fault::WrongBody).method("PUT").path("a").query(query));
        let to = site.open();
        let transfer = site.transfer_with(saver.clone());
        let sent = to.send(&item, &transfer).await;
        assert!(matches!(sent, Ok(Sent::Stored { evidence: None, .. })) && server.is_served(), "{sent:?}");
        let failure = to.prove(&item, "", &transfer).await.expect_err("other bytes");
        assert_eq!(failure.kind, FailureKind::DigestMismatch);
        if is_replaced {
            site.put(&item.key, &other);
        }
        let sent = to.send(&item, &site.transfer_with(saver)).await;
        if is_replaced {
            assert_eq!(sent, Ok(Sent::KeyTaken));
            assert_eq!(site.contents(&item.key), Some(other));
        } else {
            assert!(matches!(sent, Ok(Sent::Stored { .. })), "{sent:?}");
            assert!(site.contents(&item.key) == Some(good));
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_answer_to_a_small_file_is_looked_for_too() {
    for behavior in [strict(), careless()] {
        let (site, server) = fake_with(behavior.clone()).await;
        let good = bytes(1, SMALL);
        for (record, fault) in [(1, Fault::DropAfter), (2, Fault::CutIn(SMALL / 2)), (3, Fault::DropBefore)] {
            let item = site.item(record, &format!("{record}.jpg"), &good);
            server.order(Order::new(fault.clone()).method("PUT"));
            let sent = site.open().send(&item, &site.transfer()).await;
            assert!(
                matches!(sent, Ok(Sent::Stored { .. } | Sent::AlreadyThere { .. })),
                "{fault:?} {sent:?}"
            );
            assert!(server.is_served());
            is_there_once(&site, &server, &item, &good).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_error_behind_a_success_is_an_error() {
    let (site, server) = fake_with(strict()).await;
    let good = bytes(1, LARGE);

    // It passes by itself.
    let item = site.item(1, "a.mov", &good);
    server.order(assembly(refusal(200, "InternalError")).times(EVERY_TRY - 1));
    let sent = site.open().send(&item, &site.transfer()).await;
    assert!(matches!(sent, Ok(Sent::Stored { .. })), "{sent:?}");
    is_there_once(&site, &server, &item, &good).await;

    // It lasts; then the parts that are there are used again.
    for (record, code, kind, reach) in [
        (2, "InternalError", FailureKind::Server, Reach::Resource),
        (3, "SlowDown", FailureKind::RateLimited, Reach::Destination),
        (4, "AccessDenied", FailureKind::Forbidden, Reach::Resource),
    ] {
        let item = site.item(record, &format!("{record}.mov"), &good);
        server.forget();
        server.order(assembly(refusal(200, code)).times(EVERY_TRY));
        let saver = CheckpointRecorder::default();
        let failure = site.open().send(&item, &site.transfer_with(saver.clone())).await;
        let failure = failure.expect_err("an error");
        assert_eq!((failure.kind, failure.reach), (kind, reach), "{failure}");
        assert_eq!(failure.retry, Retry::After(Duration::ZERO), "{failure}");
        assert!(failure.details.contains(code), "{failure}");
        is_nowhere(&site, &server, &item);
        server.heal();
        let sent = site.open().send(&item, &site.transfer_with(saver.restarted())).await;
        assert!(matches!(sent, Ok(Sent::Stored { .. })), "{sent:?}");
        assert_eq!(parts_sent(&server), PARTS);
        is_there_once(&site, &server, &item, &good).await;
    }
}

/// What a refusal must be taken for.
struct ExpectedFailure {
    name: &'static str,
    fault: Fault,
    kind: FailureKind,
    reach: Reach,
    retry: Retry,
    /// What a person is told.
    says: &'static [&'static str],
    /// How often it is tried at once.
    tries: usize,
}

const AGAIN: Retry = Retry::After(Duration::ZERO);

#[expect(clippy::too_many_lines, reason = "a table: one row a refusal")]
fn meanings() -> Vec<ExpectedFailure> {
    use FailureKind as K;
    use Reach::{Destination, Resource};
    let row = |name, fault, kind, reach, says| ExpectedFailure {
        name,
        fault,
        kind,
        reach,
        retry: AGAIN,
        says,
        tries: 1,
    };
    let region = |status, code: &str| {
        let fields = vec![("x-amz-bucket-region", "eu-west-3".to_owned())];
        Fault::Answer(status, fields, said(code, "<Endpoint>s3.eu-west-3.example</Endpoint>"))
    };
    let late = vec![("retry-after", "90".to_owned())];
    vec![
        row(
            "a file",
            refusal(403, "AccessDenied"),
            K::Forbidden,
            Resource,
            &["lacks the permission s3:PutObject"],
        ),
        row(
            "secret",
            refusal(403, "SignatureDoesNotMatch"),
            K::Credentials,
            Destination,
            &["the secret is not that of this access key"],
        ),
        row(
            "key",
            refusal(403, "InvalidAccessKeyId"),
            K::Credentials,
            Destination,
            &["the server does not know this access key"],
        ),
        row(
            "session",
            refusal(400, "ExpiredToken"),
            K::Credentials,
            Destination,
            &["the temporary credentials have expired"],
        ),
        row(
            "clock",
            refusal(403, "RequestTimeTooSkewed"),
            K::BadRequest,
            Destination,
            &["set this computer's clock"],
        ),
        row("no bucket", refusal(404, "NoSuchBucket"), K::NotFound, Destination, &["no bucket of this name"]),
        // A small file is taken: there is no room for this one.
        row("quota", refusal(403, "QuotaExceeded"), K::Full, Resource, &["QuotaExceeded"]),
        row("moved", region(301, "PermanentRedirect"), K::BadRequest, Destination, &["region=eu-west-3"]),
        row(
            "region",
            region(400, "AuthorizationHeaderMalformed"),
            K::BadRequest,
            Destination,
            &["region=eu-west-3"],
        ),
        row("digest", refusal(400, "BadDigest"), K::DigestMismatch, Resource, &["BadDigest"]),
        ExpectedFailure {
            retry: Retry::Never,
            ..row("size", refusal(400, "EntityTooLarge"), K::TooLarge, Resource, &["EntityTooLarge"])
        },
        ExpectedFailure {
            tries: 3,
            ..row("busy", refusal(503, "SlowDown"), K::RateLimited, Destination, &["SlowDown"])
        },
        ExpectedFailure {
            retry: Retry::After(Duration::from_secs(90)),
            ..row(
                "told to wait",
                Fault::Answer(503, late, said("SlowDown", "")),
                K::RateLimited,
                Destination,
                &["SlowDown"],
            )
        },
    ]
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn refusals_are_told_apart() {
    let (site, server) = fake_with(strict()).await;
    let good = bytes(1, SMALL);
    for (record, meaning) in (1..).zip(meanings()) {
        let name = meaning.name;
        let item = site.item(record, &format!("{record}.jpg"), &good);
        server.forget();
        server.order(Order::new(meaning.fault).method("PUT").path(&item.key).always());
        let failure = site.open().send(&item, &site.transfer()).await.expect_err(name);
        let Failure { kind, reach, retry, details, .. } = failure;
        assert_eq!((kind, reach, retry), (meaning.kind, meaning.reach, meaning.retry), "{name}: {details}");
        for words in meaning.says {
            assert!(details.contains(words), "{name}: {details}");
        }
        let asked = server.asked();
        let tries = asked.iter().filter(|seen| seen.method == "PUT" && seen.path.contains(&item.key));
        assert_eq!(tries.count(), meaning.tries, "{name}");
        is_nowhere(&site, &server, &item);
        server.heal();
        let sent = site.open().send(&item, &site.transfer()).await;
        assert!(matches!(sent, Ok(Sent::Stored { .. })), "{name}: {sent:?}");
        is_there_once(&site, &server, &item, &good).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_may_not_be_done_at_all_concerns_all_files() {
    let (site, server) = fake_with(strict()).await;
    let good = bytes(1, SMALL);
    // Nothing may be written: one file is refused, and so is a test.
    let item = site.item(1, "1.jpg", &good);
    server.order(Order::new(refusal(403, "AccessDenied")).method("PUT").always());
    let failure = site.open().send(&item, &site.transfer()).await.expect_err("refused");
    assert_eq!(
        (failure.kind, failure.reach, failure.retry),
        (FailureKind::Forbidden, Reach::Destination, AGAIN)
    );
    assert!(failure.details.contains("s3:PutObject"), "{failure}");
    server.heal();
    is_nowhere(&site, &server, &item);

    // Nothing may be looked at; the answer has no words.
    let to = site.open();
    assert_eq!(to.check().await, Ok(()));
    server.order(Order::new(refusal(403, "AccessDenied")).method("HEAD").always());
    let failure = to.send(&item, &site.transfer()).await.expect_err("refused");
    assert_eq!((failure.kind, failure.retry), (FailureKind::Forbidden, AGAIN));
    let permission = "may lack the permission s3:GetObject and s3:ListBucket";
    assert!(failure.details.contains(permission), "{failure}");
    server.heal();
    is_nowhere(&site, &server, &item);

    // Another key, another secret, another region: seen by the server itself.
    let key = strict().key;
    for (key, kind, words) in [
        (Key { id: "other".to_owned(), ..key.clone() }, FailureKind::Credentials, "access key"),
        (Key { secret: "other".to_owned(), ..key.clone() }, FailureKind::Credentials, "secret"),
        (Key { region: "eu-west-3".to_owned(), ..key.clone() }, FailureKind::BadRequest, "region=eu-west-3"),
    ] {
        server.bucket().behavior.lock().key = key;
        for failure in [
            site.open().check().await.expect_err(words),
            site.open().send(&item, &site.transfer()).await.expect_err(words),
        ] {
            assert_eq!(
                (failure.kind, failure.reach, failure.retry),
                (kind, Reach::Destination, AGAIN),
                "{failure}"
            );
            assert!(failure.details.contains(words), "{failure}");
        }
    }
    server.bucket().behavior.lock().key = key;
    is_nowhere(&site, &server, &item);
    assert!(matches!(site.open().send(&item, &site.transfer()).await, Ok(Sent::Stored { .. })));
    is_there_once(&site, &server, &item, &good).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nobody_is_followed_to_another_host() {
    let (site, server) = fake_with(strict()).await;
    let elsewhere = FaultServer::start(Behavior::default());
    let to = elsewhere.url();
    let sizes = [("HEAD", SMALL), ("PUT", SMALL), ("POST", LARGE), ("PUT", LARGE), ("GET", SMALL)];
    for (record, (method, size)) in (1..).zip(sizes) {
        let item = site.item(record, &format!("{record}.jpg"), &bytes(1, size));
        for (status, body) in [
            (301, said("PermanentRedirect", "<Endpoint>elsewhere.example</Endpoint>")),
            (302, String::new()),
            (307, said("TemporaryRedirect", "")),
            (308, String::new()),
        ] {
            let fault = Fault::Answer(status, vec![("location", to.clone())], body);
            server.order(Order::new(fault).method(method).always());
            let failure = site.open().send(&item, &site.transfer()).await.expect_err("a redirect");
            assert_eq!(
                (failure.reach, failure.retry),
                (Reach::Destination, AGAIN),
                "{method} {status}: {failure}"
            );
            assert!(
                matches!(failure.kind, FailureKind::Redirect | FailureKind::BadRequest),
                "{method} {status}: {failure}"
            );
            server.heal();
            is_nowhere(&site, &server, &item);
        }
    }
    assert!(elsewhere.asked().is_empty(), "{:?}", elsewhere.asked());
}

/// Parts that broke off, were refused for a moment, or whose answers were lost: each is sent again
/// with its own bytes, also while the try before is still being read from.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parts_that_break_are_sent_again_as_they_are() {
    let faults = [
        Fault::CutIn(3 * MIB),
        Fault::DropAfter,
        Fault::Status(500),
        Fault::EarlyStatus(503),
        refusal(400, "RequestTimeout"),
    ];
    for behavior in [strict(), careless()] {
        let (site, server) = fake_with(behavior).await;
        // One process for all of it: what it keeps of a try must not disturb the next.
        let to = site.open();
        let broken = faults.iter().zip(1..).map(async |(fault, record)| {
            let good = bytes(record, LARGE);
            let item = site.item(record.try_into().expect("small"), &format!("{record}.mov"), &good);
            let part = Order::new(fault.clone()).method("PUT").path(&item.key).query("partNumber=2");
            server.order(part.times(EVERY_TRY + 1));
            let saver = CheckpointRecorder::default();
            let failure = to.send(&item, &site.transfer_with(saver.clone())).await.expect_err("broken");
            assert_ne!(failure.kind, FailureKind::Changed, "{fault:?}");
            assert!(!failure.is_permanent(), "{fault:?}: {failure}");
            is_nowhere(&site, &server, &item);
            let sent = to.send(&item, &site.transfer_with(saver)).await;
            assert!(matches!(sent, Ok(Sent::Stored { .. })), "{fault:?}: {sent:?}");
            (item, good)
        });
        let sent = futures_util::future::join_all(broken).await;
        for (item, good) in sent {
            let asked = server.asked();
            let tries =
                asked.iter().filter(|seen| seen.method == "PUT" && seen.query.contains("partNumber=2"));
            assert!(tries.filter(|seen| seen.path.contains(&item.key)).count() >= TRIES);
            is_there_once(&site, &server, &item, &good).await;
        }
    }
}

/// Of two that begin at once under one name, one gets it; the other's bytes replace nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn somebody_faster_keeps_the_name() {
    let (site, server) = fake_with(strict()).await;
    for (record, size) in [(1, SMALL), (2, LARGE)] {
        let item = site.item(record, &format!("{record}.mov"), &bytes(1, size));
        // The answer to the look comes before somebody else's write.
        let to = site.open();
        let other = Arc::clone(&server);
        let name = in_fake(&item.key);
        let write = SourceFault::Do(Arc::new(move || other.bucket().put(&name, b"faster")));
        site.sources.fault_at(size as u64 - 1, write);
        assert_eq!(to.send(&item, &site.transfer()).await, Ok(Sent::KeyTaken));
        assert_eq!(site.contents(&item.key).as_deref(), Some(&b"faster"[..]));
        assert_eq!(server.bucket().unfinished(), Vec::<String>::new());
    }
}
