//! A destination's far side: what it holds, what it can do, and what goes wrong there.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use super::dice::Dice;
use super::world::Gate;
use crate::destination::folder::MemoryFs;
use crate::domain::failure::{Failure, FailureKind, Reach, Retry};
use crate::domain::ids::DestinationId;
use crate::domain::record::ProofMethod;

/// Troubles that wait for their request at most.
const QUEUED_MAX: usize = 8;

/// What the engine's side asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Op {
    /// Whether it is there.
    Check,
    /// What it can do.
    Probe,
    /// What is under a key.
    Look,
    /// An upload begins.
    Create,
    /// Bytes of an upload.
    Append,
    /// An upload gets its key.
    Commit,
    /// A copy is read back.
    Prove,
    /// A copy is read for a restore.
    Read,
    /// A manifest segment is written.
    Write,
    /// Manifests are read.
    List,
    /// Temp files are removed.
    Clean,
}

/// What can go wrong with one request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trouble {
    /// Nothing answers.
    Refused,
    /// The line drops before anything has happened.
    DroppedBefore,
    /// It happens, and the answer is lost.
    DroppedAfter,
    /// It hangs.
    Hung,
    /// It takes its time.
    Slow(Duration),
    /// It is answered so.
    Status(u16),
    /// Another host is named.
    Redirected,
    /// The last byte is missing in what is kept or read.
    Truncated,
    /// One byte is another in what is kept or read.
    Altered,
    /// All is well, it says, and keeps nothing.
    Forgotten,
    /// It has begun again and knows no upload any more.
    UploadsLost,
}

impl Trouble {
    /// Its name in the tally.
    pub fn name(&self) -> String {
        match self {
            Self::Slow(_) => "Slow".to_owned(),
            Self::Status(code) => format!("Status{code}"),
            other => format!("{other:?}"),
        }
    }

    /// The failure that a client makes of it; none for what it cannot see.
    pub fn failure(&self) -> Option<Failure> {
        use FailureKind as K;
        let secs = Duration::from_secs;
        let after =
            |kind, time| Failure { retry: Retry::After(time), ..Failure::destination(kind, "answered") };
        Some(match self {
            Self::Refused => Failure::destination(K::Connect, "refused"),
            Self::DroppedBefore | Self::DroppedAfter => Failure::transient(K::Timeout, "dropped"),
            Self::Redirected => Failure::destination(K::Redirect, "another host"),
            Self::Status(400) => Failure::transient(K::BadRequest, "400"),
            Self::Status(401) => Failure::destination(K::Credentials, "401"),
            Self::Status(403) => Failure::destination(K::Forbidden, "403"),
            Self::Status(404) => Failure::transient(K::NotFound, "404"),
            Self::Status(409) => Failure::transient(K::Conflict, "409"),
            Self::Status(413) => Failure::permanent(K::TooLarge, "413"),
            Self::Status(415) => Failure::permanent(K::Unsupported, "415"),
            Self::Status(429) => after(K::RateLimited, secs(90)),
            Self::Status(500) => Failure::transient(K::Server, "500"),
            Self::Status(503) => after(K::Server, secs(20)),
            Self::Status(507) => Failure::destination(K::Full, "507"),
            Self::Status(code) => panic!("{code} has no meaning here"),
            Self::Hung
            | Self::Slow(_)
            | Self::Truncated
            | Self::Altered
            | Self::Forgotten
            | Self::UploadsLost => return None,
        })
    }
}

impl Trouble {
    /// One of every kind, by name.
    pub fn all() -> Vec<Self> {
        let plain = [
            Self::Refused,
            Self::DroppedBefore,
            Self::DroppedAfter,
            Self::Hung,
            Self::Slow(Duration::ZERO),
            Self::Redirected,
            Self::Truncated,
            Self::Altered,
            Self::Forgotten,
            Self::UploadsLost,
        ];
        plain.into_iter().chain(ANSWERS_TO_FILES.map(Self::Status)).collect()
    }
}

/// Answers that may come to any request of a destination.
const ANSWERS: [u16; 6] = [401, 403, 429, 500, 503, 507];
/// Answers that may come to a request about one file.
const ANSWERS_TO_FILES: [u16; 10] = [401, 403, 404, 409, 413, 415, 429, 500, 503, 507];

/// What it can do.
#[derive(Debug, Clone)]
pub struct Rules {
    /// How copies are proved.
    pub proof: Option<ProofMethod>,
    /// An upload goes on where it was.
    pub can_resume: bool,
    /// Existing names are left alone.
    pub no_replace: bool,
    /// An upload gets its key at once, and is proved afterwards.
    pub names_first: bool,
    /// It knows a copy by the checksum of what arrived, as a photo library does, and gives that for a proof
    /// where the person trusts it. Copies are read back in the background.
    pub reads_later: bool,
    /// How many of a hundred copies there become others on its disk, while their checksums stay.
    pub damages_percent: u64,
    /// A copy's tag is that of the upload that it was, and another's is another.
    pub keeps_tag: bool,
    /// What it answers for an upload that it does not know.
    pub unknown_upload: u16,
    /// Transfers at once.
    pub width: u32,
    /// The largest file it takes.
    pub size_max: Option<u64>,
    /// Files whose hash begins so are refused for good.
    pub refuses: Option<u8>,
    /// The time that a request takes, in milliseconds.
    pub latency: u64,
    /// Bytes of one request.
    pub chunk: usize,
}

/// One copy, or something that others put there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Object {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Says which state of it this is.
    pub tag: u64,
    /// Somebody else's.
    pub is_foreign: bool,
    /// What its bytes hashed to when they arrived, where that is what it is known by.
    pub claims: Option<[u8; 32]>,
}

/// An upload that has no key yet.
#[derive(Debug, Clone)]
pub struct Upload {
    /// Whose it is.
    pub token: u64,
    /// What has arrived.
    pub bytes: Vec<u8>,
    /// Says which state of it this is.
    pub tag: u64,
    /// It was read back, and is what was sent.
    pub is_proved: bool,
    /// Something of it did not arrive as it was sent.
    pub is_corrupt: bool,
}

/// A destination's far side.
pub struct Remote {
    /// Its number, which is in its address.
    pub number: usize,
    /// What it can do.
    pub rules: Rules,
    /// The disk, where it is a folder.
    pub disk: Option<MemoryFs>,
    /// What it holds, by key.
    pub objects: BTreeMap<String, Object>,
    /// What others had put there before.
    pub foreign: BTreeMap<String, Vec<u8>>,
    /// Uploads without a key.
    pub uploads: BTreeMap<u64, Upload>,
    next_upload: u64,
    next_tag: u64,
    /// Manifest segments.
    pub manifests: BTreeMap<(String, u64), Vec<u8>>,
    /// How many of a hundred requests meet trouble.
    pub trouble_percent: u64,
    /// What every request meets until further notice.
    pub outage: Option<Trouble>,
    /// Troubles for the next requests of a kind.
    pub queued: VecDeque<(Op, Trouble)>,
    /// Files whose hash begins so fail for as long as there is trouble at all.
    pub poison: Option<u8>,
    /// Chance.
    pub dice: Dice,
    /// Copies that it really held when it was asked to prove them: key and hash.
    pub proofs: BTreeSet<(String, [u8; 32])>,
    /// Failures that records have met, by their own account.
    pub met: BTreeMap<i64, BTreeSet<FailureKind>>,
    /// Copies that were called missing or wrong and were neither.
    pub slandered: BTreeMap<[u8; 32], u64>,
    /// Uploads that were kept with other bytes than were sent, by what was kept. Nobody has been told, so
    /// they are nobody's copies until somebody reads them.
    pub bent: BTreeMap<[u8; 32], u64>,
    /// Requests under way.
    pub active: BTreeMap<u64, Op>,
    next_request: u64,
    /// Sends under way, by token.
    pub sending: BTreeSet<u64>,
    /// Copies that a manifest listed when the ledger was lost: they are not sent again.
    pub listed: BTreeSet<[u8; 32]>,
    /// Its row, once it was added.
    pub id: Option<DestinationId>,
    /// The ledger has forgotten it once; what a manifest says twice it then learns once.
    pub was_forgotten: bool,
    /// Whether it may be asked.
    pub gate: Gate,
    /// The person has let its checksum count as proof, at some time.
    pub was_trusted: bool,
    /// The person may be letting it count now.
    pub is_trusted: bool,
}

impl Remote {
    /// An empty one.
    pub fn new(number: usize, dice: &mut Dice, disk: Option<MemoryFs>) -> Self {
        let mut dice = dice.fork();
        let proof = match dice.below(10) {
            0 => None,
            1..=5 => Some(ProofMethod::ReadBack),
            _ => Some(ProofMethod::ServerDigest),
        };
        let reads_later = disk.is_none() && dice.percent(30);
        let proof = if reads_later { Some(ProofMethod::ReadBack) } else { proof };
        let rules = Rules {
            proof,
            reads_later,
            damages_percent: *dice.pick(&[0, 10, 30]),
            can_resume: dice.percent(60),
            no_replace: dice.percent(80),
            names_first: dice.percent(40) || reads_later,
            keeps_tag: dice.percent(60),
            unknown_upload: *dice.pick(&[403, 404, 400]),
            width: u32::try_from(dice.between(1, 4)).expect("few"),
            size_max: dice.percent(20).then_some(400),
            refuses: dice.percent(10).then_some(3),
            latency: *dice.pick(&[0, 1, 5, 60, 2_000, 15_000]),
            chunk: *dice.pick(&[64, 256, 4096]),
        };
        Self {
            number,
            rules,
            disk,
            objects: BTreeMap::new(),
            foreign: BTreeMap::new(),
            uploads: BTreeMap::new(),
            next_upload: 1,
            next_tag: 1,
            manifests: BTreeMap::new(),
            trouble_percent: *dice.pick(&[0, 0, 2, 6, 15, 40]),
            outage: None,
            queued: VecDeque::new(),
            poison: dice.percent(15).then_some(5),
            dice,
            proofs: BTreeSet::new(),
            met: BTreeMap::new(),
            slandered: BTreeMap::new(),
            bent: BTreeMap::new(),
            active: BTreeMap::new(),
            next_request: 0,
            sending: BTreeSet::new(),
            listed: BTreeSet::new(),
            id: None,
            was_forgotten: false,
            gate: Gate::Open,
            was_trusted: false,
            is_trusted: false,
        }
    }

    /// Somebody else's file.
    pub fn put_foreign(&mut self, key: String, bytes: Vec<u8>) {
        if let Some(disk) = &self.disk {
            disk.put(&key, &bytes);
        }
        let tag = self.new_tag();
        self.objects
            .insert(key.clone(), Object { bytes: bytes.clone(), tag, is_foreign: true, claims: None });
        self.foreign.insert(key, bytes);
    }

    /// What it is called in a trace.
    pub fn name(&self) -> String {
        format!("remote {}", self.number)
    }

    /// A request begins; it has this number.
    pub fn begin(&mut self, op: Op) -> u64 {
        self.next_request += 1;
        self.active.insert(self.next_request, op);
        self.next_request
    }

    /// Requests so far.
    pub fn requests(&self) -> u64 {
        self.next_request
    }

    /// Whether it holds, by its checksum, these bytes under some key, and other bytes on its disk.
    pub fn has_damaged(&self, hash: &[u8; 32]) -> bool {
        self.objects.values().any(|object| {
            object.claims.as_ref() == Some(hash) && blake3::hash(&object.bytes).as_bytes() != hash
        })
    }

    /// A new upload.
    pub fn create_upload(&mut self, token: u64) -> u64 {
        let id = self.next_upload;
        self.next_upload += 1;
        let tag = self.new_tag();
        self.uploads
            .insert(id, Upload { token, bytes: Vec::new(), tag, is_proved: false, is_corrupt: false });
        id
    }

    /// A tag that nothing has had.
    pub fn new_tag(&mut self) -> u64 {
        self.next_tag += 1;
        self.next_tag
    }

    /// The copy under a key, wherever it is kept.
    pub fn copy(&self, key: &str) -> Option<Vec<u8>> {
        match &self.disk {
            Some(disk) => disk.contents(key),
            None => self.objects.get(key).map(|object| object.bytes.clone()),
        }
    }

    /// All copies that are ours, by key.
    pub fn copies(&self) -> Vec<(String, Vec<u8>)> {
        let Some(disk) = &self.disk else {
            let ours = self.objects.iter().filter(|(_, object)| !object.is_foreign);
            return ours.map(|(key, object)| (key.clone(), object.bytes.clone())).collect();
        };
        let is_copy = |path: &String| !path.contains(".safelight");
        let is_ours = |path: &String| self.objects.get(path).is_none_or(|object| !object.is_foreign);
        let paths = disk.files().into_iter().filter(is_copy).filter(is_ours);
        paths.filter_map(|path| Some((path.clone(), disk.contents(&path)?))).collect()
    }

    /// Its manifest segments, whoever wrote them.
    pub fn segments(&self) -> Vec<Vec<u8>> {
        let Some(disk) = &self.disk else { return self.manifests.values().cloned().collect() };
        let is_segment = |path: &String| path.contains("/manifest/");
        disk.files().into_iter().filter(is_segment).filter_map(|path| disk.contents(&path)).collect()
    }

    /// What the next request meets.
    pub fn draw(&mut self, op: Op, hash: Option<u8>) -> Option<Trouble> {
        if let Some(at) = self.queued.iter().position(|(meant, _)| *meant == op) {
            return self.queued.remove(at).map(|(_, trouble)| trouble);
        }
        if self.outage.is_some() {
            return self.outage.clone();
        }
        let is_poison = self.trouble_percent > 0 && hash.is_some_and(|first| self.poison == Some(first % 8));
        if is_poison && op == Op::Create {
            return Some(Trouble::Status(500));
        }
        let percent = self.trouble_percent;
        (percent > 0 && self.dice.percent(percent)).then(|| self.random_trouble(op))
    }

    fn random_trouble(&mut self, op: Op) -> Trouble {
        let is_file = matches!(op, Op::Look | Op::Create | Op::Append | Op::Commit | Op::Prove);
        match self.dice.below(16) {
            0 => Trouble::Refused,
            1 => Trouble::DroppedBefore,
            2..=3 => Trouble::DroppedAfter,
            4 => Trouble::Hung,
            5 => Trouble::Slow(Duration::from_secs(self.dice.between(1, 40))),
            6 => Trouble::Redirected,
            7..=8 if matches!(op, Op::Commit | Op::Prove | Op::Append) => Trouble::Truncated,
            9..=10 if matches!(op, Op::Commit | Op::Prove) => Trouble::Altered,
            11 if op == Op::Commit => Trouble::Forgotten,
            12 if matches!(op, Op::Append | Op::Commit | Op::Prove | Op::Look) => Trouble::UploadsLost,
            _ if is_file => Trouble::Status(*self.dice.pick(&ANSWERS_TO_FILES)),
            _ => Trouble::Status(*self.dice.pick(&ANSWERS)),
        }
    }

    /// Another mood: how much trouble it makes from now on.
    pub fn change_mood(&mut self) -> String {
        self.outage = None;
        match self.dice.below(10) {
            0..=1 => self.trouble_percent = 0,
            2..=4 => self.trouble_percent = self.dice.between(1, 12),
            5..=6 => self.trouble_percent = self.dice.between(20, 60),
            7 => {
                let ops = [Op::Check, Op::Look, Op::Create, Op::Append, Op::Commit, Op::Prove, Op::Write];
                let op = *self.dice.pick(&ops);
                let trouble = self.random_trouble(op);
                if self.queued.len() < QUEUED_MAX {
                    self.queued.push_back((op, trouble));
                }
            }
            _ => {
                let all = [
                    Trouble::Refused,
                    Trouble::Status(401),
                    Trouble::Status(503),
                    Trouble::Status(507),
                    Trouble::Status(429),
                    Trouble::DroppedBefore,
                    Trouble::Redirected,
                ];
                self.outage = Some(self.dice.pick(&all).clone());
            }
        }
        format!("{}% trouble, outage {:?}, queued {:?}", self.trouble_percent, self.outage, self.queued)
    }

    /// No more trouble.
    pub fn calm(&mut self) {
        self.trouble_percent = 0;
        self.outage = None;
        self.queued.clear();
        if let Some(disk) = &self.disk {
            disk.rules(|rules| {
                (rules.is_present, rules.is_unmounted, rules.is_read_only) = (true, false, false);
                (rules.capacity, rules.lie, rules.vanish_after) = (None, None, None);
            });
        }
    }

    /// A record has met a failure of its own.
    pub fn note_failure(&mut self, record: i64, failure: &Failure) {
        if failure.reach == Reach::Resource {
            self.met.entry(record).or_default().insert(failure.kind);
        }
    }
}
