//! The made-up world: its library, its snapshot, and how time moves it.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};

use super::paint::dice;
use crate::api::{
    ApiError, AssetRow, BackupSwitch, Badge, DestinationState, DriveText, Event, FailureText, FileCounts,
    FileTotals, LibraryCounts, LibraryFilter, PathText, Progress, Reply, Request, RestoreFolder,
    RestoreMonth, RestoreOverview, Section, Snapshot, SourceCondition, SourceState, TestReport,
    TransferState, TransferStep,
};
use crate::client::{Connection, Picture, PictureError, PictureRequest};
use crate::domain::accounting::{Bin, Bins};
use crate::domain::format;
use crate::domain::media_type::MediaType;
use crate::domain::time::UnixMillis;

/// A day in milliseconds.
const DAY_MS: i64 = 86_400_000;
/// Bytes of every made-up file.
pub(super) const FILE_BYTES: u64 = 3_840_000;
/// Where the made-up photos are.
pub(super) const ROOT: &str = "/home/ada/Pictures";

/// A world behind the window. Its parts may be changed at will; raise the revisions when they are.
pub struct World {
    /// The time.
    pub now: UnixMillis,
    /// The line to the agent.
    pub connection: Connection,
    /// What is true.
    pub snapshot: Snapshot,
    /// Everything that was asked.
    pub requests: Vec<Request>,
    /// What happens next.
    pub events: VecDeque<Event>,
    /// What the folder dialog answers next.
    pub picks: VecDeque<Result<Option<PathText>, String>>,
    /// What the test of a destination answers.
    pub test: Result<TestReport, ApiError>,
    /// What a check of copies answers.
    pub verified: Reply,
    /// The drives that are connected.
    pub drives: Vec<DriveText>,
    /// How much room there is in every folder.
    pub free_bytes: Option<u64>,
    /// What can be restored from each destination.
    pub restorable: RestoreOverview,
    /// Files that were shown in the file manager.
    pub shown_in_folder: Vec<PathText>,
    /// Assets that need attention.
    pub attention: BTreeSet<usize>,
    /// Assets that are left out.
    pub excluded: BTreeSet<usize>,
    /// Assets from the newest on that are safe.
    pub safe: usize,
    /// Destinations where fewer are safe: so many from the newest on.
    pub behind: BTreeMap<i64, usize>,
    /// Destinations that cannot verify what they hold.
    pub unproving: BTreeSet<i64>,
    /// Why every failing file fails; a mixture where there is none.
    pub failure: Option<FailureText>,
    /// Assets whose picture is damaged.
    pub damaged: BTreeSet<usize>,
    /// Pictures are painted no larger than this.
    pub picture_side_max: u32,
    /// Requests that look are refused with this sentence.
    pub refuses: Option<String>,
    /// No request is answered, as when the agent hangs.
    pub is_mute: bool,
    days: Vec<Section>,
    starts: Vec<usize>,
    pub(super) filtered: HashMap<LibraryFilter, Vec<(i32, Vec<usize>)>>,
}

pub(super) fn count(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}

/// Two years of files from two folders.
fn restorable() -> RestoreOverview {
    let totals = |files: u64| FileTotals { files, bytes: files * FILE_BYTES };
    let month = |year, month, files| RestoreMonth { year, month, totals: totals(files) };
    let folder = |source: &str, path: &str, files| RestoreFolder {
        source: source.to_owned(),
        path: PathText::from_bytes(path.as_bytes()),
        totals: totals(files),
    };
    RestoreOverview {
        total: totals(300),
        months: vec![month(2024, 7, 120), month(2024, 1, 80), month(2023, 12, 100)],
        folders: vec![
            folder("Pictures", "", 250),
            folder("Pictures", "Norway", 120),
            folder("Phone", "", 50),
        ],
    }
}

impl World {
    /// Nothing chosen yet.
    pub fn new() -> Self {
        Self {
            now: UnixMillis(1_795_359_600_000),
            connection: Connection::Connected,
            snapshot: Snapshot { revision: 1, library_revision: 1, queue_revision: 1, ..Snapshot::default() },
            requests: Vec::new(),
            events: VecDeque::new(),
            picks: VecDeque::new(),
            test: Ok(TestReport {
                is_usable: true,
                summary: "Ready to use".to_owned(),
                details: vec!["Copies are read back from the disk itself (ext4, direct I/O)".to_owned()],
                free_bytes: Some(1_400_000_000_000),
                warnings: Vec::new(),
            }),
            verified: Reply::Verified { checked: 0, failed: 0, unproven: 0, reasons: Vec::new() },
            drives: Vec::new(),
            free_bytes: Some(812_000_000_000),
            restorable: restorable(),
            shown_in_folder: Vec::new(),
            attention: BTreeSet::new(),
            excluded: BTreeSet::new(),
            safe: 0,
            behind: BTreeMap::new(),
            unproving: BTreeSet::new(),
            failure: None,
            damaged: BTreeSet::new(),
            picture_side_max: u32::MAX,
            refuses: None,
            is_mute: false,
            days: Vec::new(),
            starts: Vec::new(),
            filtered: HashMap::new(),
        }
    }

    /// A library of so many photos and videos over the years before now, one source, and two
    /// destinations where everything is safe.
    pub fn with_library(assets: usize) -> Self {
        let mut world = Self::new();
        world.fill_days(assets);
        world.safe = assets;
        world.snapshot.sources.push(SourceState {
            id: 1,
            path: PathText::from_bytes(ROOT.as_bytes()),
            state: SourceCondition::Watching,
            found: count(assets),
            scanned: count(assets),
            note: None,
            unreadable_folders: 0,
            unreadable: Vec::new(),
        });
        for (id, name, url, note) in [
            (1, "Backup disk", "file:///media/ada/Backup disk", "ext4"),
            (2, "nas", "file:///mnt/nas/photos", "NFS 4.2"),
        ] {
            world.add_destination(id, name, url, note);
        }
        world.snapshot.backup = BackupSwitch::On;
        world.recount();
        world
    }

    /// The same in the middle of a backup, with some files that need attention.
    pub fn busy(assets: usize) -> Self {
        let mut world = Self::with_library(assets);
        world.safe = assets * 3 / 5;
        world.attention =
            [assets / 30, assets / 30 + 1, assets / 9].into_iter().filter(|&i| i < assets).collect();
        world.excluded = [7, 8].into_iter().filter(|&i| i < assets).collect();
        world.recount();
        world.start_transfers();
        world
    }

    /// The number of assets.
    pub fn assets(&self) -> usize {
        self.starts.last().copied().unwrap_or(0)
    }

    fn fill_days(&mut self, assets: usize) {
        let mut first = 0;
        let mut day_ms = self.now.0;
        // A quarter of a million over twenty years, a thousand over two.
        let scale = (assets / 40_000).max(1);
        let mut salt = 0;
        while first < assets {
            salt += 1;
            let gap = i64::try_from(1 + dice(salt, 1) % 5).unwrap_or(1);
            day_ms -= gap * DAY_MS / i64::try_from(scale.min(2)).unwrap_or(1);
            let many = match dice(salt, 2) % 10 {
                0..=4 => 1 + dice(salt, 3) % 4,
                5..=8 => 5 + dice(salt, 3) % 18,
                _ => 30 + dice(salt, 3) % 90,
            };
            let many = usize::try_from(many).unwrap_or(1) * scale;
            let many = many.min(assets - first);
            let day = format::day_of(day_ms).0;
            self.starts.push(first);
            if let Some(last) = self.days.last_mut().filter(|last| last.day == day) {
                last.assets += u32::try_from(many).unwrap_or(u32::MAX);
                self.starts.pop();
            } else {
                self.days.push(Section { day, assets: u32::try_from(many).unwrap_or(u32::MAX) });
            }
            first += many;
        }
        self.starts.push(first);
    }

    /// Adds a destination that every source goes to.
    pub fn add_destination(&mut self, id: i64, name: &str, url: &str, note: &str) {
        self.snapshot.destinations.push(DestinationState {
            id,
            name: name.to_owned(),
            kind: "folder".to_owned(),
            url: url.to_owned(),
            enabled: true,
            proof: "read back from the disk itself".to_owned(),
            note: note.to_owned(),
            sources: self.snapshot.sources.iter().map(|s| s.id).collect(),
            ..DestinationState::default()
        });
    }

    /// The bin of an asset at a destination that its source goes to.
    pub(super) fn bin_at(&self, d: &DestinationState, index: usize) -> Bin {
        let safe = self.behind.get(&d.id).copied().unwrap_or(self.safe);
        let is_on = self.snapshot.backup == BackupSwitch::On;
        // Transfers are made to the first; at the others the same files wait.
        let uploading = if is_on && d.id == 1 { self.snapshot.uploading.len() } else { 0 };
        if self.attention.contains(&index) {
            Bin::NeedsAttention
        } else if self.excluded.contains(&index) {
            Bin::Excluded
        } else if index < safe {
            if self.unproving.contains(&d.id) { Bin::Unproven } else { Bin::Safe }
        } else if index < safe + uploading {
            Bin::Uploading
        } else {
            Bin::Waiting
        }
    }

    /// The worst bin of an asset over the enabled destinations that its source goes to.
    fn worst(&self, index: usize) -> Option<Bin> {
        let worst_first = [Bin::NeedsAttention, Bin::Uploading, Bin::Waiting, Bin::Unproven, Bin::Safe];
        let counted = self.snapshot.destinations.iter().filter(|d| d.enabled && !d.sources.is_empty());
        let bins: Vec<Bin> = counted.map(|d| self.bin_at(d, index)).collect();
        let first = *bins.first()?;
        Some(worst_first.into_iter().find(|bin| bins.contains(bin)).unwrap_or(first))
    }

    fn bins_at(&self, d: &DestinationState) -> Bins {
        let mut bins = Bins::default();
        if !d.sources.is_empty() {
            (0..self.assets()).for_each(|index| *bins.get_mut(self.bin_at(d, index)) += 1);
        }
        bins
    }

    /// Brings the snapshot's numbers into line with the library.
    pub fn recount(&mut self) {
        let total = count(self.assets());
        let is_on = self.snapshot.backup == BackupSwitch::On;
        let oldest = UnixMillis(self.now.0 - 3 * DAY_MS).rfc3339();
        let all: Vec<Bins> = self.snapshot.destinations.iter().map(|d| self.bins_at(d)).collect();
        for (d, bins) in self.snapshot.destinations.iter_mut().zip(&all) {
            (d.found, d.safe, d.unproven) = (bins.found(), bins.safe, bins.unproven);
            (d.uploading, d.waiting) = (bins.uploading, bins.waiting);
            (d.needs_attention, d.excluded) = (bins.needs_attention, bins.excluded);
            d.bytes_safe = d.safe * FILE_BYTES;
            d.bytes_waiting = (d.waiting + d.uploading) * FILE_BYTES;
            d.oldest_proof_at = (d.safe > 0).then(|| oldest.clone());
        }
        let files = self.file_counts();
        let safe_at =
            |index: usize| self.snapshot.destinations.iter().any(|d| self.bin_at(d, index) == Bin::Safe);
        let somewhere = count((0..self.assets()).filter(|&index| safe_at(index)).count());
        self.snapshot.library = LibraryCounts {
            found: total,
            assets: total,
            safe_everywhere: files.safe,
            safe_somewhere: somewhere,
            files: Some(files),
        };
        let enabled = self.snapshot.destinations.iter().filter(|d| d.enabled);
        let (done, left) =
            enabled.fold((0, 0), |(done, left), d| (done + d.safe, left + d.waiting + d.uploading));
        self.snapshot.progress = (left > 0 && is_on).then(|| Progress {
            files_done: done,
            files_total: done + left,
            bytes_done: done * FILE_BYTES,
            bytes_total: (done + left) * FILE_BYTES,
            bytes_per_sec: 38_400_000,
            secs_left: Some(left / 10),
        });
        self.filtered.clear();
        self.snapshot.revision += 1;
        self.snapshot.library_revision += 1;
        self.snapshot.queue_revision += 1;
    }

    fn file_counts(&self) -> FileCounts {
        let mut files = FileCounts::default();
        for index in 0..self.assets() {
            let Some(worst) = self.worst(index) else { continue };
            files.found += 1;
            *match worst {
                Bin::Safe => &mut files.safe,
                Bin::Unproven => &mut files.unproven,
                Bin::Waiting | Bin::Uploading => &mut files.left,
                Bin::NeedsAttention => &mut files.needs_attention,
                Bin::Excluded => &mut files.excluded,
            } += 1;
        }
        files
    }

    fn start_transfers(&mut self) {
        let first = self.safe;
        let last = self.assets().min(first + 3);
        self.snapshot.uploading = (first..last)
            .zip([(0.62, TransferStep::Copying), (0.27, TransferStep::Copying), (1.0, TransferStep::Proving)])
            .map(|(index, (part, step))| TransferState {
                id: format!("r{index}"),
                path: self.path(index),
                asset: i64::try_from(index).ok().map(|i| i + 1),
                destination: 1,
                #[expect(
                    clippy::cast_possible_truncation,
                    clippy::cast_sign_loss,
                    clippy::cast_precision_loss,
                    reason = "a made-up progress"
                )]
                bytes_sent: (FILE_BYTES as f64 * part) as u64,
                bytes_total: FILE_BYTES,
                step,
            })
            .collect();
        self.recount();
    }

    /// Some files more are safe.
    pub fn advance(&mut self, files: usize) {
        self.now = UnixMillis(self.now.0 + 250);
        if self.snapshot.backup != BackupSwitch::On || self.snapshot.destinations.is_empty() {
            return;
        }
        self.safe = (self.safe + files).min(self.assets());
        self.start_transfers();
    }

    /// How an asset stands.
    pub(super) fn badge(&self, index: usize) -> Badge {
        match self.worst(index) {
            Some(Bin::Safe) => Badge::Safe,
            Some(Bin::Unproven) => Badge::Unproven,
            Some(Bin::Uploading) => Badge::Uploading,
            Some(Bin::Waiting) => Badge::Waiting,
            Some(Bin::NeedsAttention) => Badge::Attention,
            Some(Bin::Excluded) => Badge::Excluded,
            None => Badge::None,
        }
    }

    /// The media type of an asset.
    pub(super) fn media_type(index: usize) -> MediaType {
        match dice(count(index), 7) % 40 {
            0 | 1 => MediaType::Mov,
            2 => MediaType::Mp4,
            3 => MediaType::Raw,
            4..=12 => MediaType::Heic,
            13 => MediaType::Png,
            _ => MediaType::Jpeg,
        }
    }

    pub(in crate::ui) fn path(&self, index: usize) -> PathText {
        let extension = match Self::media_type(index) {
            MediaType::Raw => "ARW",
            MediaType::Mov => "MOV",
            MediaType::Mp4 => "MP4",
            MediaType::Heic => "HEIC",
            MediaType::Png => "png",
            _ => "jpg",
        };
        let day = self.day_of(index);
        let year = day / 10_000;
        let name = format!("{ROOT}/{year}/IMG_{:04}.{extension}", index % 10_000);
        PathText::from_bytes(name.as_bytes())
    }

    fn day_of(&self, index: usize) -> i32 {
        let section = self.starts.partition_point(|&start| start <= index).saturating_sub(1);
        self.days.get(section).map_or(0, |day| day.day)
    }

    /// The cell of an asset.
    pub(super) fn row(&self, index: usize) -> AssetRow {
        let media_type = Self::media_type(index);
        let is_video = matches!(media_type, MediaType::Mov | MediaType::Mp4);
        let day = self.day_of(index);
        let tall = dice(count(index), 9).is_multiple_of(4);
        let wall_ms = wall_ms(day) + i64::try_from(dice(count(index), 5) % 50_000).unwrap_or(0) * 1000;
        AssetRow {
            id: i64::try_from(index).unwrap_or(i64::MAX) + 1,
            path: self.path(index),
            media_type: media_type.as_str().to_owned(),
            captured_wall_ms: wall_ms,
            dimensions: Some(if tall { (3024, 4032) } else { (4032, 3024) }),
            size: FILE_BYTES,
            cache_key: format!("{index:x}"),
            badge: self.badge(index),
            is_live: media_type == MediaType::Heic && dice(count(index), 8).is_multiple_of(3),
            has_raw: media_type == MediaType::Raw
                || media_type == MediaType::Jpeg && dice(count(index), 8).is_multiple_of(17),
            is_video,
        }
    }

    /// The days and their assets that a filter shows.
    pub(super) fn filtered(&mut self, filter: LibraryFilter) -> &[(i32, Vec<usize>)] {
        if !self.filtered.contains_key(&filter) {
            let days = self.days.iter().zip(&self.starts).filter_map(|(day, &start)| {
                let end = start + usize::try_from(day.assets).unwrap_or(0);
                let shown: Vec<usize> = (start..end).filter(|&i| self.shows(filter, i)).collect();
                (!shown.is_empty()).then_some((day.day, shown))
            });
            let days = days.collect();
            self.filtered.insert(filter, days);
        }
        self.filtered.get(&filter).map_or(&[], Vec::as_slice)
    }

    fn shows(&self, filter: LibraryFilter, index: usize) -> bool {
        let is_video = || matches!(Self::media_type(index), MediaType::Mov | MediaType::Mp4);
        match filter {
            LibraryFilter::All => true,
            LibraryFilter::Photos => !is_video(),
            LibraryFilter::Videos => is_video(),
            LibraryFilter::NotSafe => !matches!(self.badge(index), Badge::Safe | Badge::Excluded),
            LibraryFilter::Attention => self.badge(index) == Badge::Attention,
            LibraryFilter::DoubtfulDate => index.is_multiple_of(211),
        }
    }

    /// A painted picture.
    pub(super) fn picture(&self, wanted: &PictureRequest) -> Picture {
        let index = usize::try_from(wanted.asset - 1).unwrap_or(0);
        let has_none = Self::media_type(index) == MediaType::Raw && index.is_multiple_of(2);
        let outcome = if self.damaged.contains(&index) {
            Err(PictureError::Corrupt)
        } else if has_none {
            Err(PictureError::Unsupported)
        } else {
            let row = self.row(index);
            let tall = row.dimensions.is_some_and(|(w, h)| h > w);
            // Shots of a day look alike, as they do.
            let scene = dice(u64::from(self.day_of(index).unsigned_abs()), 3 + count(index / 5 % 3));
            Ok(super::paint::picture(scene, count(index), wanted.side_max.min(self.picture_side_max), tall))
        };
        Picture {
            asset: wanted.asset,
            cache_key: wanted.cache_key.clone(),
            side_max: wanted.side_max,
            outcome,
        }
    }
}

impl Default for World {
    fn default() -> Self {
        Self::new()
    }
}

fn wall_ms(day: i32) -> i64 {
    let (year, month, of_month) = crate::domain::time::Day(day).parts();
    let text = format!("{year:04}-{month:02}-{of_month:02}T08:00:00Z");
    format::parse_time(&text).map_or(0, |time| time.0)
}
