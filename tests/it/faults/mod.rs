//! One table: every fault of a misbehaving proxy at every kind of server.
//!
//! In each cell a few photos and a film are backed up by the whole engine while the fault lasts and after
//! it. Then every file is at the server exactly once, at no moment was anything said to be safe that was
//! not there, nothing is left but copies, marker and manifests, and what was said meanwhile was of the
//! right sort. What came out is written to `target/faults/`, from which `tests/faults` fills the table in
//! `tests/README.md`.

mod cells;
mod real;
mod servers;
mod world;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::OnceLock;
use std::time::Duration;

use safelight::api::{FailureText, QueueList};

use cells::{Cell, Course};
use servers::{ProxiedServer, StoredFiles};
use world::{STEP_MAX, STEP_READING, STEP_WORKING, World};

use crate::conformance::source::bytes;
use crate::fakes::proxy::{Proxy, ProxyFault};
use crate::fakes::proxy_text::Href;

/// How often the engine is looked at while a fault lasts, at even distances.
const LOOKS: u32 = 40;
/// How long everything may take after it, on the engine's clock.
const SETTLED_WITHIN: Duration = Duration::from_secs(2 * 24 * 3600);
/// After so long what is left of an upload that nobody finishes must be gone.
const TIDIED_WITHIN: Duration = Duration::from_secs(26 * 3600);
/// Long enough for parts of every kind of server.
const FILM_BYTES: usize = 17 << 20;
const MTIME_NS: i64 = 1_500_000_000_000_000_000;

/// The files of a cell: names that are hard to spell in addresses, and sizes from small to parts.
fn photos() -> &'static [(&'static str, Vec<u8>)] {
    static PHOTOS: OnceLock<Vec<(&str, Vec<u8>)>> = OnceLock::new();
    PHOTOS.get_or_init(|| {
        let jpeg = |seed, size| {
            [&b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"[..], &bytes(seed, size)].concat()
        };
        let film = [&b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2"[..], &bytes(9, FILM_BYTES)].concat();
        vec![
            ("IMG_1.jpg", jpeg(1, 3_000)),
            ("IMG 2 & \u{fc}ber.jpg", jpeg(2, 5_000)),
            ("100%25 #3+.jpg", jpeg(3, 40_000)),
            ("IMG_4.jpg", jpeg(4, 300_000)),
            ("IMG_5.jpg", jpeg(5, 4_000)),
            ("film.mp4", film),
        ]
    })
}

/// What was said while a cell ran: class of failure, or `wait` and its kind, and the sentence.
type ShownReasons = BTreeSet<(String, String)>;

/// What came of a cell.
struct Outcome {
    said: ShownReasons,
    proof: String,
    kept: StoredFiles,
    wrong: Vec<String>,
}

fn wanted() -> BTreeMap<[u8; 32], u64> {
    photos().iter().map(|(_name, bytes)| (*blake3::hash(bytes).as_bytes(), 1)).collect()
}

/// How many files are held as they should be.
fn held(kept: &StoredFiles) -> u64 {
    wanted().keys().filter(|content| kept.copies.contains_key(*content)).count() as u64
}

fn note(said: &mut ShownReasons, failure: &FailureText) {
    said.insert((failure.class.clone(), failure.summary.clone()));
}

/// Looks at everything that a person could see now.
async fn look(world: &World, server: &dyn ProxiedServer, outcome: &mut Outcome) {
    let before = world.destination().await;
    for list in [QueueList::NeedsAttention, QueueList::Waiting] {
        for row in world.queue(list).await {
            row.failure.iter().for_each(|failure| note(&mut outcome.said, failure));
        }
    }
    before.failure.iter().for_each(|failure| note(&mut outcome.said, failure));
    if let Some(wait) = &before.wait_reason {
        outcome.said.insert((format!("wait.{}", wait.kind), wait.summary.clone()));
    }
    let held = held(&server.stored_files());
    if before.safe > held {
        outcome.wrong.push(format!("{} are said to be safe, {held} are there", before.safe));
    }
    let sum = before.safe + before.unproven + before.waiting + before.uploading;
    if before.found != sum + before.needs_attention + before.excluded {
        outcome.wrong.push(format!("the identity is broken: {before:?}"));
    }
}

/// Lets the engine's clock go on for so long.
async fn pass(time: Duration, world: &World) {
    let until = World::now() + time;
    while World::now() < until {
        world.step(until - World::now()).await;
    }
}

async fn run(cell: &Cell, server: &dyn ProxiedServer) -> Outcome {
    let proxy = Proxy::start(server.port());
    let world = World::start(&servers::SECRETS, server.has_real_clock()).await;
    let mut outcome = Outcome {
        said: ShownReasons::new(),
        proof: String::new(),
        kept: StoredFiles::default(),
        wrong: Vec::new(),
    };
    if cell.course == Course::Always {
        proxy.set(Some(cell.fault));
    }
    if let Err(refused) = world.add_destination(&server.target(&proxy.host()), None).await {
        outcome.proof = "refused when it is added".to_owned();
        if cell.fault != ProxyFault::Hrefs(Href::Foreign) || !server.has_uploads_beside() {
            outcome.wrong.push(format!("it was not added: {refused}"));
        }
        return outcome;
    }
    for (name, bytes) in photos() {
        world.files.write_at(format!("/photos/{name}"), bytes.clone(), MTIME_NS);
    }
    proxy.set(Some(cell.fault));
    world.begin().await;
    for _look in 0..LOOKS {
        pass(cell.course.lasts() / LOOKS, &world).await;
        look(&world, server, &mut outcome).await;
    }
    if cell.course != Course::Always {
        proxy.set(None);
    }
    let ends = World::now() + SETTLED_WITHIN;
    loop {
        look(&world, server, &mut outcome).await;
        let now = world.destination().await;
        if now.safe == now.found && now.found == photos().len() as u64 && !now.verifying {
            outcome.proof = now.proof;
            break;
        }
        if World::now() > ends {
            outcome.wrong.push(format!("not all are safe in the end: {now:?}"));
            break;
        }
        let at_most = match (now.uploading > 0, now.verifying) {
            (true, _) => STEP_WORKING,
            (false, true) => STEP_READING,
            (false, false) => STEP_MAX,
        };
        world.step(at_most).await;
    }
    pass(TIDIED_WITHIN, &world).await;
    outcome.kept = server.stored_files();
    let may_keep_more = cell.spoils && server.keeps_spoiled();
    let files = held(&outcome.kept);
    if files != photos().len() as u64 || !may_keep_more && outcome.kept.copies != wanted() {
        let copies: Vec<u64> = outcome.kept.copies.values().copied().collect();
        outcome.wrong.push(format!("not every file once: {files} of 6 files, copies {copies:?}"));
    }
    if !outcome.kept.left.is_empty() {
        outcome.wrong.push(format!("left behind: {:?}", outcome.kept.left));
    }
    if proxy.hits() == 0 && !cell.may_miss {
        outcome.wrong.push("the fault met no request".to_owned());
    }
    if proxy.expected() > 0 {
        outcome.wrong.push("a request waited to be told to go on".to_owned());
    }
    world.end().await;
    outcome
}

/// Runs every fault at one kind of server, and writes what came of it.
fn table(label: &str, make: fn() -> Box<dyn ProxiedServer>, more: &[Cell]) {
    let (mut rows, mut wrong) = (String::new(), Vec::new());
    for cell in cells::CELLS.iter().chain(more) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().start_paused(true).build();
        let server = make();
        let outcome = runtime.expect("a runtime").block_on(run(cell, server.as_ref()));
        let unfit = outcome.said.iter().filter(|(class, _sentence)| {
            let kind = class.split('.').next().unwrap_or_default();
            kind != "wait" && !cell.kinds.iter().any(|known| known == class || *known == kind)
        });
        let told = outcome.wrong.iter().cloned().chain(unfit.map(|said| format!("said {said:?}")));
        wrong.extend(told.map(|what| format!("{label}, {}: {what}", cell.name)));
        write_row(&mut rows, label, cell, &outcome);
    }
    let folder =
        std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).parent().expect("the target folder").join("faults");
    std::fs::create_dir_all(&folder).expect("a folder");
    let file = format!("{}.tsv", label.replace('/', "-"));
    std::fs::write(folder.join(file), rows).expect("written");
    assert!(wrong.is_empty(), "{}\n{wrong:#?}", wrong.len());
}

fn write_row(rows: &mut String, label: &str, cell: &Cell, outcome: &Outcome) {
    let sentences: BTreeSet<&str> = outcome.said.iter().map(|(_class, sentence)| sentence.as_str()).collect();
    let sentences: Vec<&str> = sentences.into_iter().collect();
    let mut left = outcome.kept.left.clone();
    let copies: u64 = outcome.kept.copies.values().sum();
    if copies > photos().len() as u64 {
        left.push("copies that were spoiled".to_owned());
    }
    let left = if left.is_empty() { "nothing".to_owned() } else { left.join(", ") };
    let held = format!("{} of {}", held(&outcome.kept), photos().len());
    writeln!(rows, "{label}\t{}\t{held}\t{left}\t{}\t{}", cell.name, outcome.proof, sentences.join("; "))
        .expect("in memory");
}

macro_rules! tables {
    ($($name:ident: $label:literal, $make:expr, $more:expr;)*) => {
        $(
            #[test]
            fn $name() {
                table($label, $make, $more);
            }
        )*
    };
}

tables! {
    webdav: "WebDAV", servers::webdav, &[];
    nextcloud: "Nextcloud", servers::nextcloud, &[];
    owncloud: "ownCloud", servers::owncloud, &[];
    s3: "S3", servers::s3_strict, cells::SIGNED;
    s3_careless: "S3, careless", servers::s3_careless, cells::SIGNED;
    tus: "tus", servers::tus_server, &[];
    resumable: "resumable HTTP", servers::resumable_server, &[];
    immich: "Immich", servers::immich, &[];
}
