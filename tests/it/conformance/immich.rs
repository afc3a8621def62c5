//! What only an Immich server does: each case on both generations.

mod replaced;
mod sets;

use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use safelight::base::clock::SystemClock;
use safelight::base::executor::Executor;
use safelight::base::memory_secrets::MemorySecrets;
use safelight::base::rng::SystemRng;
use safelight::base::secret::Secret;
use safelight::destination::credentials::{Credentials, Environment, SecretSources};
use safelight::destination::http::{Client, Settings};
use safelight::destination::immich::Immich;
use safelight::destination::server_parts::ServerParts;
use safelight::destination::{Companion, Destination as _, Item, Sent, SharedDestination, Transfer};
use safelight::domain::asset::ResourceKind;
use safelight::domain::cause::Cause;
use safelight::domain::failure::{Failure, FailureKind, Reach};
use safelight::domain::messages;
use safelight::domain::record::{Evidence, ProofMethod};
use safelight::domain::target::DestinationKind;
use tokio_util::sync::CancellationToken;

use super::site::CheckpointRecorder;
use super::source::{Sources, bytes};
use crate::fakes::immich::{Generation, ImmichServer, KEY};

const MIB: usize = 1024 * 1024;
const CHECKS: &str = "POST /api/assets/bulk-upload-check";
const UPLOADS: &str = "POST /api/assets";

struct Bench {
    server: ImmichServer,
    sources: Sources,
}

fn parts(address: String, key: &str) -> ServerParts {
    let environment: Environment = Arc::new(|_name| None);
    let secret_sources = SecretSources { store: Arc::new(MemorySecrets::default()), environment };
    let (kind, key) = (DestinationKind::Immich, Secret::new(key.to_owned()));
    let credentials = Credentials::new(secret_sources, kind, address.clone(), None, None, Some(key));
    ServerParts {
        kind,
        address,
        installation: super::site::INSTALLATION.to_owned(),
        uuid: None,
        capabilities: None,
        trusts_checksum: false,
        http: Arc::new(Client::new(Settings::default())),
        credentials: Arc::new(credentials),
        executor: Executor::threads("test", 4).expect("threads"),
        rng: Arc::new(SystemRng),
        clock: Arc::new(SystemClock),
    }
}

impl Bench {
    fn of(generation: Generation) -> Self {
        Self { server: ImmichServer::start(generation), sources: Sources::default() }
    }

    fn both() -> [Self; 2] {
        [Self::of(Generation::V2), Self::of(Generation::V3)]
    }

    /// The destination, set up again with this key and these options.
    async fn set_up(&self, key: &str, options: &str) -> Result<SharedDestination, Failure> {
        let made = Immich::create(parts(format!("{}/{options}", self.server.address()), key)).await?;
        Ok(Arc::new(made.0))
    }

    async fn open(&self) -> SharedDestination {
        self.set_up(KEY, "").await.expect("set up")
    }

    /// The same, where the person trusts the server's checksum.
    async fn trusting(&self) -> SharedDestination {
        let parts = ServerParts { trusts_checksum: true, ..parts(self.server.address(), KEY) };
        Arc::new(Immich::create(parts).await.expect("set up").0)
    }

    /// A key that may do this and nothing else.
    fn key(&self, permissions: &[&str]) -> &'static str {
        const SECRET: &str = "planted-key-that-may-little";
        self.server.immich.lock().keys.retain(|key| key.secret != SECRET);
        self.server.immich.add_key(&self.server.user, SECRET, permissions);
        SECRET
    }

    fn item(&self, record: i64, bytes: &[u8]) -> Item {
        let mut item = self.sources.add(record, &format!("2019/2019-05/{record}.jpg"), bytes);
        item.digests.sha1 = Some(crate::fakes::immich::sha1_of(bytes));
        item
    }

    /// The same under another name; the bytes stay where they are.
    fn named(&self, record: i64, name: &str, kind: ResourceKind, bytes: &[u8]) -> Item {
        let mut item = self.item(record, bytes);
        item.path = self.sources.rename(&item, name);
        item.kind = kind;
        item
    }

    fn transfer(&self) -> Transfer {
        Transfer::new(
            self.sources.shared(),
            CancellationToken::new(),
            None,
            Arc::new(CheckpointRecorder::default()),
        )
    }

    async fn send(&self, to: &SharedDestination, item: &Item) -> Result<Sent, Failure> {
        to.send(item, &self.transfer()).await
    }

    /// Sends something that must end in an asset; gives the receipt.
    async fn receipt(&self, to: &SharedDestination, item: &Item) -> String {
        match self.send(to, item).await {
            Ok(Sent::Stored { receipt, .. } | Sent::AlreadyThere { receipt }) => receipt,
            other => panic!("{}: {other:?}", item.path.display()),
        }
    }

    async fn is_proved(&self, to: &SharedDestination, item: &Item, receipt: &str) -> bool {
        let proved = to.prove(item, receipt, &self.transfer()).await;
        matches!(proved, Ok(Evidence::Verified { method: ProofMethod::ReadBack, .. }))
    }
}

fn companion(item: &Item, is_primary: bool, receipt: Option<&str>) -> Companion {
    Companion {
        kind: item.kind,
        is_primary,
        is_own_sidecar: item.kind == ResourceKind::Sidecar,
        is_subject: is_primary,
        is_rival: matches!(item.kind, ResourceKind::PairedVideo | ResourceKind::Sidecar),
        content: item.content,
        digests: item.digests,
        path: item.path.clone(),
        stamp: item.stamp,
        receipt: receipt.map(str::to_owned),
    }
}

#[tokio::test]
async fn a_copy_in_the_trash_is_never_safe_and_says_how_to_get_it_out() {
    for bench in Bench::both() {
        let to = bench.open().await;
        let item = bench.item(1, &bytes(1, 5000));
        let receipt = bench.receipt(&to, &item).await;
        assert!(bench.is_proved(&to, &item, &receipt).await);
        bench.server.immich.lock().assets[0].is_trashed = true;
        let sent = bench.send(&to, &item).await.expect_err("in the trash");
        let audited = to.prove(&item, &receipt, &bench.transfer()).await.expect_err("in the trash");
        for failure in [sent, audited] {
            assert_eq!((failure.kind, failure.reach), (FailureKind::Conflict, Reach::Resource));
            assert!(failure.is_permanent());
            assert_eq!(messages::describe_failure(&failure).action.as_str(), "restore_from_trash");
        }
        bench.server.immich.lock().assets[0].is_trashed = false;
        assert!(matches!(bench.send(&to, &item).await, Ok(Sent::AlreadyThere { .. })));
        // Sent by a client that does not ask: the trash is found out afterwards.
        let other = bench.item(2, &bytes(2, 5000));
        bench.receipt(&to, &other).await;
        bench.server.immich.lock().assets[1].is_trashed = true;
        bench.server.set(|behavior| behavior.blind_checks = 1);
        let receipt = bench.receipt(&to, &other).await;
        let failure = to.prove(&other, &receipt, &bench.transfer()).await.expect_err("in the trash");
        assert_eq!(failure.cause, Some(Cause::Trashed));
    }
}

#[tokio::test]
async fn what_an_answer_leaves_out_is_asked_for_again() {
    for bench in Bench::both() {
        let to = bench.open().await;
        let items = [1_u8, 2, 3].map(|n| bench.item(n.into(), &bytes(n.into(), 3000)));
        bench.server.set(|behavior| behavior.skips_third = true);
        let [a, b, c] = items.each_ref().map(|item| bench.send(&to, item));
        let (a, b, c) = tokio::join!(a, b, c);
        for sent in [a, b, c] {
            assert!(matches!(sent, Ok(Sent::Stored { .. })), "{sent:?}");
        }
    }
}

#[tokio::test]
async fn a_quota_is_known_before_and_understood_after() {
    for bench in Bench::both() {
        bench.server.immich.lock().users[0].quota = Some(10_000);
        let to = bench.open().await;
        assert_eq!(to.check().await, Ok(()));
        let (small, large) = (bench.item(1, &bytes(1, 6000)), bench.item(2, &bytes(2, 6000)));
        bench.receipt(&to, &small).await;
        let failure = bench.send(&to, &large).await.expect_err("no room");
        assert_eq!((failure.kind, failure.reach), (FailureKind::Full, Reach::Destination));
        assert_eq!(bench.server.asked(UPLOADS), 1, "nothing was sent for nothing");
        // A key that cannot see the quota learns of it from the server's answer.
        let blind = bench.set_up(bench.key(&["asset.upload"]), "").await.expect("set up");
        let failure = bench.send(&blind, &large).await.expect_err("no room");
        assert_eq!((failure.kind, failure.reach), (FailureKind::Full, Reach::Destination));
        assert_eq!(bench.server.asked(UPLOADS), 2);
        bench.server.immich.lock().users[0].usage = 10_000;
        assert_eq!(to.check().await.expect_err("used up").kind, FailureKind::Full);
        bench.server.immich.lock().users[0].quota = Some(100_000);
        assert_eq!(to.check().await, Ok(()));
        bench.receipt(&to, &large).await;
    }
}

#[tokio::test]
async fn a_key_is_told_what_it_lacks() {
    for bench in Bench::both() {
        for (permissions, options, named) in [
            (vec!["asset.read"], "", "asset.upload"),
            (vec!["asset.upload", "album.read"], "?albums=folders", "album.create, albumAsset.create"),
            (vec!["asset.upload"], "?stacks=raw", "stack.create"),
        ] {
            let Err(failure) = bench.set_up(bench.key(&permissions), options).await else {
                panic!("{permissions:?} is not enough")
            };
            assert_eq!((failure.kind, failure.reach), (FailureKind::Forbidden, Reach::Destination));
            assert!(failure.is_permanent() && failure.details.contains(named), "{failure}");
        }
        let key = bench.key(&["asset.upload"]);
        let (to, capabilities) =
            Immich::create(parts(bench.server.address(), key)).await.expect("enough to send");
        assert!(
            capabilities.note.contains("asset.download (verifying copies and restoring)"),
            "{}",
            capabilities.note
        );
        let to: SharedDestination = Arc::new(to);
        let item = bench.item(1, &bytes(1, 5000));
        let receipt = bench.receipt(&to, &item).await;
        assert_eq!(capabilities.proof, None);
        let obstacle = to.proof_obstacle().expect("nothing can be read");
        assert!(obstacle.contains("asset.download"), "{obstacle}");
        let unread = to.prove(&item, &receipt, &bench.transfer()).await.expect_err("may not be read");
        assert_eq!((unread.kind, unread.cause), (FailureKind::Forbidden, Some(Cause::KeyLacks)));
        assert_eq!(to.check().await, Ok(()));
        let Err(failure) = to.read(&item.key, &receipt).await else { panic!("may not") };
        assert_eq!((failure.kind, failure.reach), (FailureKind::Forbidden, Reach::Resource));
        assert!(failure.details.contains("asset.download"), "{failure}");

        // The key is given the permission at the server: that is noticed with the next reading.
        bench.key(&["asset.upload", "asset.download"]);
        assert!(bench.is_proved(&to, &item, &receipt).await);
        assert_eq!(to.proof_obstacle(), None);

        bench.server.immich.lock().keys.retain(|known| known.secret != key);
        for failure in [to.check().await.expect_err("gone"), bench.send(&to, &item).await.expect_err("gone")]
        {
            assert_eq!((failure.kind, failure.reach), (FailureKind::Credentials, Reach::Destination));
            assert!(!failure.details.contains(key), "{failure}");
        }
    }
}

/// What is true of a copy, right after it was sent and when it is read back.
async fn evidence(bench: &Bench, to: &SharedDestination, item: &Item, receipt: &str) -> [Evidence; 2] {
    let mut after_sending = bench.transfer();
    after_sending.may_defer = true;
    let deferred = to.prove(item, receipt, &after_sending).await.expect("it is there");
    [deferred, to.prove(item, receipt, &bench.transfer()).await.expect("it is sound")]
}

#[tokio::test]
async fn a_checksum_proves_only_where_the_person_said_so() {
    use ProofMethod::{ReadBack, ServerRecheck};
    for bench in Bench::both() {
        let (reading, trusting) = (bench.open().await, bench.trusting().await);
        let sound = bench.item(1, &bytes(1, 5000));
        let receipt = bench.receipt(&reading, &sound).await;
        let [deferred, read] = evidence(&bench, &reading, &sound, &receipt).await;
        assert_eq!(deferred, Evidence::Accepted, "nothing was read yet");
        assert!(matches!(read, Evidence::Verified { method: ReadBack, .. }), "{read:?}");
        for told in evidence(&bench, &trusting, &sound, &receipt).await {
            assert!(matches!(told, Evidence::Verified { method: ServerRecheck, .. }), "{told:?}");
        }

        // On the server's disk it becomes another, and the checksum stays.
        bench.server.immich.lock().assets[0].bytes[17] ^= 4;
        let failure = reading.prove(&sound, &receipt, &bench.transfer()).await.expect_err("other bytes");
        assert_eq!((failure.kind, failure.is_permanent()), (FailureKind::DigestMismatch, true));
        assert_eq!(failure.cause, Some(Cause::CopyDamaged));
        let told = trusting.prove(&sound, &receipt, &bench.transfer()).await.expect("its word");
        assert!(matches!(told, Evidence::Verified { method: ServerRecheck, .. }), "{told:?}");
        let mut deep = bench.transfer();
        deep.must_read = true;
        assert!(trusting.prove(&sound, &receipt, &deep).await.is_err(), "a deep look reads everywhere");
    }
}

#[tokio::test]
async fn names_with_control_characters_are_escaped() {
    for bench in Bench::both() {
        let to = bench.open().await;
        let names = ["a\tb.jpg", "a%09b.jpg", "a\u{7f}.jpg", "100%.jpg", "a\nb.jpg"];
        for (number, name) in (1..).zip(names) {
            let item = bench.named(number, name, ResourceKind::Photo, &bytes(number.unsigned_abs(), 900));
            bench.receipt(&to, &item).await;
        }
        let kept: Vec<String> = bench.server.assets().into_iter().map(|asset| asset.name).collect();
        assert_eq!(kept, ["a%09b.jpg", "a%2509b.jpg", "a%7F.jpg", "100%.jpg", "a%0Ab.jpg"]);
    }
}

#[tokio::test]
async fn a_large_file_without_room_lets_smaller_ones_pass() {
    for bench in Bench::both() {
        bench.server.immich.lock().users[0].quota = Some(17 << 20);
        for key in [KEY, bench.key(&["asset.upload"])] {
            let to = bench.set_up(key, "").await.expect("set up");
            let large = bench.item(1, &bytes(1, 18 * MIB));
            for _ in 0..2 {
                let failure = bench.send(&to, &large).await.expect_err("no room");
                assert_eq!((failure.kind, failure.reach), (FailureKind::Full, Reach::Resource));
                assert_eq!((failure.cause, failure.is_permanent()), (Some(Cause::Quota), false));
            }
            bench.receipt(&to, &bench.item(2, &bytes(2, 5000))).await;
            assert_eq!(to.check().await, Ok(()));
        }
        assert!(bench.server.asked(UPLOADS) <= 2, "it was sent once, by the key that cannot see the quota");
    }
}

#[tokio::test]
async fn the_same_account_is_known_again_and_another_is_not() {
    for bench in Bench::both() {
        let (_to, capabilities) = Immich::create(parts(bench.server.address(), KEY)).await.expect("set up");
        let known = |key: &str| {
            let parts = parts(bench.server.address(), key);
            Immich::new(ServerParts {
                uuid: Some(capabilities.uuid.clone()),
                capabilities: Some(capabilities.clone()),
                ..parts
            })
        };
        let another_key = bench.key(&["all"]);
        assert_eq!(known(another_key).expect("opened").check().await, Ok(()));
        let stranger = bench.server.immich.add_user("Stranger", None);
        bench.server.immich.add_key(&stranger, "planted-stranger", &["all"]);
        let failure = known("planted-stranger").expect("opened").check().await.expect_err("another account");
        assert_eq!((failure.kind, failure.reach), (FailureKind::Conflict, Reach::Destination));
    }
}

#[tokio::test]
async fn what_is_no_immich_is_told_apart() {
    let bench = Bench::of(Generation::V3);
    // The web page of the same server, as when somebody gives a page's address.
    let address = format!("{}/photos", bench.server.address());
    let Err(failure) = Immich::create(parts(address, KEY)).await else { panic!("not the API") };
    assert_eq!((failure.kind, failure.reach), (FailureKind::Protocol, Reach::Destination));
    assert!(failure.details.contains("not Immich"), "{failure}");
    bench.server.set(|behavior| behavior.fails = Some((1, 502)));
    let Err(failure) = Immich::create(parts(bench.server.address(), KEY)).await else { panic!("it is down") };
    assert_eq!((failure.kind, failure.reach), (FailureKind::Server, Reach::Destination));
}

#[tokio::test]
async fn a_limit_in_front_and_a_type_nobody_takes_are_for_good() {
    for bench in Bench::both() {
        let to = bench.open().await;
        bench.server.set(|behavior| behavior.limit_in_front = Some(MIB as u64));
        let failure = bench.send(&to, &bench.item(1, &bytes(1, 2 * MIB))).await.expect_err("too large");
        assert_eq!((failure.kind, failure.reach), (FailureKind::TooLarge, Reach::Resource));
        assert!(failure.is_permanent() && failure.details.contains("in front of it"), "{failure}");
        bench.receipt(&to, &bench.item(2, &bytes(2, 1000))).await;
        let asked = bench.server.asked(UPLOADS);
        for (record, name) in [(3, "a.txt"), (4, "a"), (5, "a.aae")] {
            let item = bench.named(record, name, ResourceKind::Photo, &bytes(3, 1000));
            let failure = bench.send(&to, &item).await.expect_err("no such type");
            assert_eq!((failure.kind, failure.is_permanent()), (FailureKind::Unsupported, true), "{name}");
        }
        assert_eq!(bench.server.asked(UPLOADS), asked, "what is not taken is not sent");
    }
}

#[tokio::test]
async fn an_early_answer_ends_the_sending() {
    for bench in Bench::both() {
        let to = bench.open().await;
        let content = bytes(1, 24 * MIB);
        let first = bench.receipt(&to, &bench.item(1, &content)).await;
        bench.server.set(|behavior| behavior.blind_checks = 1);
        let again = bench.item(2, &content);
        let transfer = bench.transfer();
        let sent = to.send(&again, &transfer).await;
        let Ok(Sent::AlreadyThere { receipt }) = sent else { panic!("not a duplicate: {sent:?}") };
        assert_eq!(receipt, first);
        assert!(transfer.bytes_sent.load(Ordering::Relaxed) < content.len() as u64, "not all was sent");
        assert!(bench.is_proved(&to, &again, &receipt).await);
        assert_eq!(bench.server.assets().len(), 1);
    }
}

#[tokio::test]
async fn cut_uploads_and_lost_answers_make_no_second_asset() {
    for bench in Bench::both() {
        let to = bench.open().await;
        let item = bench.item(1, &bytes(1, 3 * MIB));
        bench.server.set(|behavior| behavior.cuts = Some((1, MIB)));
        let failure = bench.send(&to, &item).await.expect_err("cut");
        assert!(!failure.is_permanent() && failure.reach == Reach::Resource, "{failure}");
        assert!(bench.server.assets().is_empty());
        bench.server.set(|behavior| behavior.loses_answers = 1);
        let failure = bench.send(&to, &item).await.expect_err("lost");
        assert!(!failure.is_permanent() && failure.reach == Reach::Resource, "{failure}");
        assert_eq!((bench.server.assets().len(), bench.server.asked(UPLOADS)), (1, 2));
        let Ok(Sent::AlreadyThere { receipt }) = bench.send(&to, &item).await else { panic!("it is there") };
        assert!(bench.is_proved(&to, &item, &receipt).await);
        assert_eq!((bench.server.assets().len(), bench.server.asked(UPLOADS)), (1, 2));
    }
}

#[tokio::test]
async fn equal_files_at_once_make_one_asset_and_few_questions() {
    for bench in Bench::both() {
        let to = bench.open().await;
        let content = bytes(1, 400_000);
        let asked = bench.server.asked(CHECKS);
        let items: Vec<Item> = (1..=4).map(|record| bench.item(record, &content)).collect();
        let sends = items.iter().map(|item| bench.receipt(&to, item));
        let receipts = futures_util::future::join_all(sends).await;
        assert!(receipts.iter().all(|receipt| receipt == &receipts[0]), "{receipts:?}");
        let proofs = items.iter().map(|item| bench.is_proved(&to, item, &receipts[0]));
        assert_eq!(futures_util::future::join_all(proofs).await, [true; 4]);
        assert_eq!(bench.server.assets().len(), 1);
        assert!(
            bench.server.asked(CHECKS) - asked <= 4,
            "eight questions in {}",
            bench.server.asked(CHECKS) - asked
        );
    }
}

#[tokio::test]
async fn times_names_and_bytes_arrive_as_they_are() {
    for bench in Bench::both() {
        let to = bench.open().await;
        let content = bytes(1, 70_000);
        let mut item = bench.named(1, "Caf\u{e9} \"1\" \u{1f4f7}.jpg", ResourceKind::Photo, &content);
        item.captured_at.offset_minutes = Some(120);
        // A file that nobody knows the SHA-1 of yet.
        item.digests.sha1 = None;
        let receipt = bench.receipt(&to, &item).await;
        let asset = bench.server.assets().remove(0);
        assert_eq!(asset.bytes, content);
        assert_eq!(asset.name, "Caf\u{e9} \"1\" \u{1f4f7}.jpg");
        assert_eq!(
            (asset.created.as_str(), asset.modified.as_str()),
            ("2019-05-12T08:15:00.000Z", "2019-05-12T10:15:00.250Z")
        );
        assert!(!asset.device.is_empty() && !asset.device_asset.is_empty());
        let mut read = Vec::new();
        let mut copy = to.read(&item.key, &receipt).await.expect("opened");
        let read_all = move || copy.read_to_end(&mut read).map(|_count| read);
        let read = tokio::task::spawn_blocking(read_all).await.expect("no panic").expect("read");
        assert_eq!(read, content);
        // Without a SHA-1 a copy is proved by reading it back.
        let proved = to.prove(&item, &receipt, &bench.transfer()).await;
        assert!(matches!(proved, Ok(Evidence::Verified { method: ProofMethod::ReadBack, .. })), "{proved:?}");
        bench.server.immich.lock().assets[0].bytes[9] ^= 1;
        let failure = to.prove(&item, &receipt, &bench.transfer()).await.expect_err("other bytes");
        assert_eq!(failure.kind, FailureKind::DigestMismatch);
    }
}
