//! Uploads by tus and by the draft "Resumable Uploads for HTTP" when things go wrong: what is sent
//! again, what is begun again, and what is said of it.

mod killed;
mod lost;

use std::time::Duration;

use safelight::base::digester::Digester;
use safelight::base::secret::Secret;
use safelight::destination::connect::{Address, Connect as _};
use safelight::destination::{Capabilities, Checkpoint, Item, Phase, Sent, SharedDestination, Transfer};
use safelight::domain::failure::{Failure, FailureKind, Reach, Retry};
use safelight::domain::hash::{DigestKind, DigestSet};
use safelight::domain::record::{Evidence, ProofMethod};
use safelight::domain::target::DestinationKind;
use tokio_util::sync::CancellationToken;

use crate::conformance::servers::connector;
use crate::conformance::site::{CheckpointRecorder, INSTALLATION};
use crate::conformance::source::{SourceFault, Sources, bytes};
use crate::fakes::uploads::{Behavior, DownloadLocation, Fault, UploadProtocol, UploadServer};

const SIZE: usize = 3 * 1024 * 1024 + 5;
const KEY: &str = "2019/2019-05/a.jpg";
/// How much may be on its way when a connection breaks: what was read and what sockets hold.
const TAIL_MAX: u64 = 8 * 1024 * 1024;

/// A destination on a fake, a file for it, and what is remembered.
struct Scene {
    server: UploadServer,
    address: Address,
    capabilities: Capabilities,
    to: SharedDestination,
    sources: Sources,
    bytes: Vec<u8>,
    item: Item,
    saver: CheckpointRecorder,
}

fn kind_of(speech: UploadProtocol) -> DestinationKind {
    if speech == UploadProtocol::Tus { DestinationKind::Tus } else { DestinationKind::Resumable }
}

pub async fn add(
    server: &UploadServer,
    speech: UploadProtocol,
    secret: Option<&str>,
) -> Result<(SharedDestination, Address), Failure> {
    let kind = kind_of(speech);
    let text = format!("{}+{}", kind.as_str(), server.url());
    let mut address = Address::new(kind, text.into_bytes());
    address.secret = secret.map(|text| Secret::new(text.to_owned()));
    let (to, capabilities) = connector().create(&address, INSTALLATION).await?;
    Ok((to, Address { capabilities: Some(capabilities), ..address }))
}

async fn scene_of(behavior: Behavior, size: usize) -> Scene {
    let speech = behavior.speech;
    let server = UploadServer::start(behavior);
    let (to, address) = add(&server, speech, None).await.expect("added");
    let (sources, bytes) = (Sources::default(), bytes(7, size));
    let mut item = sources.add(1, KEY, &bytes);
    let mut digester = Digester::new(DigestKind::ALL.into_iter().collect::<DigestSet>());
    digester.update(&bytes);
    item.digests = digester.finish().digests;
    let capabilities = address.capabilities.clone().expect("probed");
    Scene { server, address, capabilities, to, sources, bytes, item, saver: CheckpointRecorder::default() }
}

async fn scene(speech: UploadProtocol) -> Scene {
    scene_of(Behavior { speech, ..Behavior::default() }, SIZE).await
}

impl Scene {
    fn transfer(&self) -> Transfer {
        let saver = self.saver.clone();
        Transfer::new(
            self.sources.shared(),
            CancellationToken::new(),
            saver.last(),
            std::sync::Arc::new(saver),
        )
    }

    async fn send(&self) -> Result<Sent, Failure> {
        self.to.send(&self.item, &self.transfer()).await
    }

    async fn stored(&self) -> String {
        match self.send().await {
            Ok(Sent::Stored { receipt, .. }) => receipt,
            other => panic!("not stored: {other:?}"),
        }
    }

    async fn failed(&self) -> Failure {
        self.send().await.expect_err("a fault was ordered")
    }

    /// One whole upload of the right bytes, and proved.
    async fn is_safe(&self, receipt: &str) {
        let finished = self.server.finished();
        assert_eq!(finished.len(), 1, "whole uploads");
        assert!(finished[0].bytes == self.bytes, "other bytes");
        let proved = self.to.prove(&self.item, receipt, &self.transfer()).await;
        assert!(matches!(proved, Ok(Evidence::Verified { .. })), "{proved:?}");
        assert_eq!(self.server.waiting(), 0, "faults that were not met");
    }

    fn count(&self, method: &str) -> usize {
        self.server.asked().iter().filter(|asked| asked.method == method).count()
    }
}

const BOTH: [UploadProtocol; 2] = [UploadProtocol::Tus, UploadProtocol::Draft(9)];

#[tokio::test]
async fn a_cut_append_goes_on_to_the_byte() {
    for speech in BOTH {
        let scene = scene(speech).await;
        let before = scene.server.received();
        for at in [1_000_000, 700_000, 1] {
            scene.server.order("PATCH", Fault::CutIn(at));
        }
        let receipt = scene.stored().await;
        assert_eq!(scene.server.received() - before, SIZE as u64, "no byte came twice");
        scene.is_safe(&receipt).await;
    }
}

#[tokio::test]
async fn without_progress_it_ends_and_goes_on_later() {
    for speech in BOTH {
        let scene = scene(speech).await;
        scene.server.order("PATCH", Fault::CutIn(1_000_000));
        for _ in 0..3 {
            scene.server.order("PATCH", Fault::DropBefore);
        }
        let failure = scene.failed().await;
        assert!(!failure.is_permanent() && failure.kind == FailureKind::Connect, "{failure}");
        let (before, created) = (scene.server.received(), scene.count("POST"));
        let receipt = scene.stored().await;
        assert_eq!(scene.server.received() - before, SIZE as u64 - 1_000_000);
        assert_eq!(scene.count("POST"), created, "the same upload");
        scene.is_safe(&receipt).await;
    }
}

#[tokio::test]
async fn a_lost_answer_to_the_last_append_sends_nothing_again() {
    for speech in BOTH {
        let scene = scene(speech).await;
        let before = scene.server.received();
        scene.server.order("PATCH", Fault::DropAfter);
        let receipt = scene.stored().await;
        assert_eq!(scene.server.received() - before, SIZE as u64);
        scene.is_safe(&receipt).await;
        // And as after a kill before anything was remembered of it.
        let again = scene.send().await;
        assert_eq!(again, Ok(Sent::AlreadyThere { receipt }));
    }
}

#[tokio::test]
async fn a_lost_answer_to_a_creation_leaves_an_empty_upload_at_most() {
    for speech in BOTH {
        let scene = scene(speech).await;
        scene.server.order("POST", Fault::DropAfter);
        let failure = scene.failed().await;
        assert_eq!(failure.kind, FailureKind::Connect);
        let receipt = scene.stored().await;
        scene.is_safe(&receipt).await;
        let left = scene.server.unfinished();
        assert!(left.len() == 1 && left[0].bytes.is_empty(), "{} left", left.len());
    }
}

#[tokio::test]
async fn bytes_that_the_server_lost_are_sent_again() {
    for speech in BOTH {
        let scene = scene(speech).await;
        let before = scene.server.received();
        scene.server.order("PATCH", Fault::CutIn(1_000_000));
        scene.server.order("HEAD", Fault::Lose(300_000));
        let receipt = scene.stored().await;
        assert_eq!(scene.server.received() - before, SIZE as u64 + 300_000);
        scene.is_safe(&receipt).await;
    }
}

#[tokio::test]
async fn an_offset_that_goes_down_begins_anew() {
    for speech in BOTH {
        let scene = scene(speech).await;
        // Confirmed once, then less than that.
        scene.server.order("PATCH", Fault::CutIn(1_000_000));
        scene.server.order("PATCH", Fault::Lose(300_000));
        let (created, ended) = (scene.count("POST"), scene.count("DELETE"));
        let receipt = scene.stored().await;
        assert_eq!((scene.count("POST") - created, scene.count("DELETE") - ended), (2, 1));
        scene.is_safe(&receipt).await;
        assert!(scene.server.unfinished().is_empty());
    }
}

#[tokio::test]
async fn an_upload_that_expired_begins_anew() {
    for speech in BOTH {
        let scene = scene(speech).await;
        scene.server.order("PATCH", Fault::CutIn(1_000_000));
        scene.server.order("HEAD", Fault::Expire);
        let receipt = scene.stored().await;
        scene.is_safe(&receipt).await;

        // Between two runs of the program.
        let scene = self::scene(speech).await;
        let transfer = scene.transfer();
        scene.sources.fault_at(2_000_000, SourceFault::Cancel(transfer.cancel.clone()));
        assert_eq!(scene.to.send(&scene.item, &transfer).await, Ok(Sent::Cancelled));
        scene.server.order("HEAD", Fault::Expire);
        let receipt = scene.stored().await;
        scene.is_safe(&receipt).await;
    }
}

#[tokio::test]
async fn stopped_four_times_little_is_sent_twice() {
    for speech in BOTH {
        let size = 40 * 1024 * 1024;
        let scene = scene_of(Behavior { speech, ..Behavior::default() }, size).await;
        let before = scene.server.received();
        for at in [9_000_000, 18_000_000, 27_000_000, 36_000_000] {
            let transfer = scene.transfer();
            scene.sources.fault_at(at, SourceFault::Cancel(transfer.cancel.clone()));
            assert_eq!(scene.to.send(&scene.item, &transfer).await, Ok(Sent::Cancelled));
        }
        let receipt = scene.stored().await;
        let sent = scene.server.received() - before;
        // A file is read again to be compared, and no byte of it sent again that had arrived.
        assert!(sent <= size as u64 + TAIL_MAX, "{sent} bytes came");
        scene.is_safe(&receipt).await;
    }
}

#[tokio::test]
async fn limits_of_the_server_and_of_what_is_in_front_of_it_are_kept() {
    // tus has no word for it: a longer append is refused with a web page.
    let behavior = Behavior { append_max: Some(2_000_000), ..Behavior::default() };
    let scene = scene_of(behavior, 9_000_000).await;
    let receipt = scene.stored().await;
    scene.is_safe(&receipt).await;

    let behavior =
        Behavior { speech: UploadProtocol::Draft(9), append_max: Some(1_000_000), ..Behavior::default() };
    let scene = scene_of(behavior, SIZE).await;
    let receipt = scene.stored().await;
    scene.is_safe(&receipt).await;
    for asked in scene.server.asked().iter().filter(|asked| asked.method == "PATCH") {
        let length: u64 = asked.header("content-length").expect("a length").parse().expect("a number");
        assert!(length <= 1_000_000, "an append of {length} bytes");
    }

    for speech in BOTH {
        let scene =
            scene_of(Behavior { speech, size_max: Some(1_000_000), ..Behavior::default() }, SIZE).await;
        assert_eq!(scene.capabilities.size_max, Some(1_000_000));
        let asked = scene.server.asked().len();
        let failure = scene.failed().await;
        assert_eq!((failure.kind, failure.reach), (FailureKind::TooLarge, Reach::Resource));
        assert!(failure.is_permanent() && scene.server.asked().len() == asked, "{failure}");

        let scene = self::scene(speech).await;
        let page = vec![("content-type", "text/html".to_owned())];
        scene.server.order("POST", Fault::Status(413, page, "<html>too large</html>"));
        let failure = scene.failed().await;
        assert!(
            failure.kind == FailureKind::TooLarge && failure.details.contains("in front of it"),
            "{failure}"
        );
    }
}

#[tokio::test]
async fn an_upload_elsewhere_gets_nothing() {
    for speech in BOTH {
        let other = UploadServer::start(Behavior { speech, ..Behavior::default() });
        let scene = scene(speech).await;
        let beside = format!("http://{}/elsewhere/x?planted", other.host());
        for location in [beside, "https://evil.example/planted".to_owned()] {
            scene.server.order("POST", Fault::Location(location));
            let failure = scene.failed().await;
            assert_eq!((failure.kind, failure.reach), (FailureKind::Redirect, Reach::Destination));
            assert!(!failure.details.contains("planted"), "{failure}");
        }
        scene.server.order("POST", Fault::Location(scene.server.url()));
        assert_eq!(scene.failed().await.kind, FailureKind::Protocol);
        // An address that the server has for itself: what is below it is asked for where it is reached.
        scene.server.order("POST", Fault::Location(format!("{}x?planted", other.url())));
        let receipt = scene.stored().await;
        scene.is_safe(&receipt).await;
        assert!(other.asked().is_empty());
    }
}

#[tokio::test]
async fn another_version_of_tus_is_explained() {
    let scene = scene(UploadProtocol::Tus).await;
    scene.server.order("POST", Fault::Status(412, vec![("tus-version", "0.2.2".to_owned())], ""));
    let failure = scene.failed().await;
    assert_eq!((failure.kind, failure.reach), (FailureKind::Unsupported, Reach::Destination));
    assert!(failure.details.contains("0.2.2") && failure.details.contains("1.0.0"), "{failure}");

    scene.server.order("OPTIONS", Fault::Status(204, vec![("tus-version", "0.2.2,2.0.0".to_owned())], ""));
    let failure = scene.to.check().await.expect_err("another version");
    assert!(failure.details.contains("2.0.0"), "{failure}");
    scene.server.order("OPTIONS", Fault::Status(200, Vec::new(), "hello"));
    let failure = scene.to.check().await.expect_err("no tus server");
    assert!(failure.details.contains("no tus server"), "{failure}");
}

#[tokio::test]
async fn every_version_of_the_draft_is_found_and_spoken() {
    for version in 3..=9 {
        for refuses_other_versions in [false, true] {
            let speech = UploadProtocol::Draft(version);
            let scene =
                scene_of(Behavior { speech, refuses_other_versions, ..Behavior::default() }, SIZE).await;
            assert!(
                scene.capabilities.note.contains(&format!("interop version {version}")),
                "{}",
                scene.capabilities.note
            );
            // What a server that takes a question of another version for a file keeps of the search.
            let strays = if refuses_other_versions { 0 } else { u64::from(9 - version) };
            assert_eq!(scene.server.strays(), strays);
            let receipt = scene.stored().await;
            scene.is_safe(&receipt).await;
            assert_eq!(scene.server.strays(), strays, "the version is remembered");
        }
    }
}

#[tokio::test]
async fn a_server_that_learned_another_version_is_followed() {
    let scene = scene(UploadProtocol::Draft(8)).await;
    let mut address = scene.address.clone();
    let capabilities = address.capabilities.as_mut().expect("probed");
    capabilities.findings = capabilities.findings.replace("\"form\":8", "\"form\":6");
    let to = connector().open(&address, INSTALLATION).expect("opened");
    let sent = to.send(&scene.item, &scene.transfer()).await;
    assert!(matches!(sent, Ok(Sent::Stored { .. })), "{sent:?}");
}

#[tokio::test]
async fn a_digest_is_proof_only_where_a_wrong_one_is_refused() {
    for speech in BOTH {
        for (compares_parts, compares_whole, method) in [
            (true, false, Some(ProofMethod::ServerDigest)),
            (false, true, Some(ProofMethod::ServerDigest)),
            (false, false, None),
        ] {
            let behavior = Behavior {
                speech,
                compares_parts,
                compares_whole,
                gives: DownloadLocation::Nowhere,
                ..Behavior::default()
            };
            let scene = scene_of(behavior, SIZE).await;
            assert_eq!(scene.capabilities.proof, method);
            assert_eq!(!scene.capabilities.trusted_digests.is_empty(), compares_whole);
            let receipt = scene.stored().await;
            let proved = scene.to.prove(&scene.item, &receipt, &scene.transfer()).await;
            match proved {
                Ok(Evidence::Verified { method: ProofMethod::ServerDigest, .. }) => {
                    assert!(compares_parts || compares_whole);
                }
                Ok(Evidence::Accepted) => assert!(!compares_parts && !compares_whole),
                other => panic!("{other:?}"),
            }
            let Err(unread) = scene.to.read(KEY, &receipt).await else { panic!("nothing is given back") };
            assert_eq!(unread.kind, FailureKind::Unsupported);
        }
    }
}

#[tokio::test]
async fn a_digest_of_the_whole_counts_only_with_its_answer() {
    let behavior = Behavior {
        speech: UploadProtocol::Draft(9),
        compares_whole: true,
        gives: DownloadLocation::Nowhere,
        ..Behavior::default()
    };
    let scene = scene_of(behavior, SIZE).await;
    scene.server.order("PATCH", Fault::DropAfter);
    let receipt = scene.stored().await;
    let proved = scene.to.prove(&scene.item, &receipt, &scene.transfer()).await;
    assert_eq!(proved, Ok(Evidence::Accepted), "what the target said was not heard");
}

#[tokio::test]
async fn an_append_with_a_digest_is_short_and_goes_on() {
    for speech in BOTH {
        let behavior = Behavior { speech, compares_parts: true, ..Behavior::default() };
        let scene = scene_of(behavior, 20 * 1024 * 1024).await;
        scene.server.order("PATCH", Fault::CutIn(1_000_000));
        let before = scene.server.received();
        let receipt = scene.stored().await;
        assert_eq!(scene.server.received() - before, 20 * 1024 * 1024 + 1_000_000, "one cut append again");
        scene.is_safe(&receipt).await;
    }
}

#[tokio::test]
async fn the_last_word_of_the_target_is_the_end_of_an_upload() {
    let scene = scene(UploadProtocol::Draft(9)).await;
    let over = vec![("upload-complete", "?1".to_owned())];
    scene.server.order("PATCH", Fault::Status(500, over, "no"));
    let failure = scene.failed().await;
    assert_eq!((failure.kind, failure.reach), (FailureKind::Server, Reach::Resource));
    let created = scene.count("POST");
    let receipt = scene.stored().await;
    assert_eq!(scene.count("POST"), created + 1, "another upload");
    scene.is_safe(&receipt).await;
    assert!(scene.server.unfinished().is_empty(), "the first one was ended");
}

#[tokio::test]
async fn a_server_that_asks_for_time_gets_it() {
    for speech in BOTH {
        let scene = scene(speech).await;
        scene.server.order("PATCH", Fault::Status(503, vec![("retry-after", "90".to_owned())], "busy"));
        let failure = scene.failed().await;
        assert_eq!(failure.retry, Retry::After(Duration::from_secs(90)));
        let created = scene.count("POST");
        let receipt = scene.stored().await;
        assert_eq!(scene.count("POST"), created);
        scene.is_safe(&receipt).await;
    }
}

#[tokio::test]
async fn who_may_not_in_is_told_so() {
    for speech in BOTH {
        let authorization = Some("Bearer right".to_owned());
        let server = UploadServer::start(Behavior { speech, authorization, ..Behavior::default() });
        let Err(failure) = add(&server, speech, Some("wrong")).await else { panic!("let in") };
        assert_eq!((failure.kind, failure.reach), (FailureKind::Credentials, Reach::Destination));
        assert!(add(&server, speech, None).await.is_err());
        assert!(add(&server, speech, Some("right")).await.is_ok());
    }
}

#[tokio::test]
async fn what_nobody_will_finish_is_ended() {
    for speech in BOTH {
        let scene = scene(speech).await;
        let transfer = scene.transfer();
        scene.sources.fault_at(2_000_000, SourceFault::Cancel(transfer.cancel.clone()));
        assert_eq!(scene.to.send(&scene.item, &transfer).await, Ok(Sent::Cancelled));
        assert_eq!(scene.server.unfinished().len(), 1);
        let nonsense = Checkpoint { phase: Phase::Sending, state: "nonsense".to_owned() };
        scene.to.abandon(&[nonsense, scene.saver.last().expect("saved")]).await;
        assert!(scene.server.unfinished().is_empty());
        let receipt = scene.stored().await;
        // What is finished stays.
        scene.to.abandon(&[Checkpoint { phase: Phase::Proving, state: receipt.clone() }]).await;
        scene.is_safe(&receipt).await;
    }
}

#[tokio::test]
async fn metadata_name_the_file() {
    use base64::Engine as _;
    let code = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let scene = scene(UploadProtocol::Tus).await;
    scene.stored().await;
    let metadata = scene.server.finished()[0].metadata.clone();
    for (key, value) in [
        ("filename", "a.jpg"),
        ("filetype", "image/jpeg"),
        ("relativePath", KEY),
        ("mtime", "1557656100"),
        ("blake3", &scene.item.content.blake3.to_hex()),
    ] {
        assert!(
            metadata.split(',').any(|pair| pair == format!("{key} {}", code(value))),
            "{key}: {metadata}"
        );
    }
}
