//! The library as it should be: what people and cameras do to the sources' files, and what must
//! become of each file.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{ErrorKind, Read as _};
use std::path::Path;

use super::dice::Dice;
use super::world::{World, count};
use crate::base::clock::Clock as _;
use crate::base::files::SourceFiles as _;

/// The first bytes of a JPEG.
const JPEG: &[u8] = b"\xff\xd8\xff\xe0\0\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0";
/// A clip's first bytes: a header that says it runs for two seconds.
const CLIP: &[u8] = b"\0\0\0\x24moov\0\0\0\x1cmvhd\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x03\xe8\0\0\x07\xd0";
/// Files are stamped from here on when they are not new.
const OLD_NS: i64 = 1_500_000_000_000_000_000;
/// Folders of a source.
const DIRS: [&str; 4] = ["", "a/", "b/c/", ".cache/"];
/// Different stems: few, so that names meet.
const STEMS: u64 = 14;
/// Most files are shorter than this.
const SHORT: u64 = 120;

/// One file.
#[derive(Debug, Clone)]
pub struct Photo {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// It cannot be opened or read to its end.
    pub is_unreadable: bool,
}

/// One source's folder.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Absolute.
    pub root: String,
    /// It is there.
    pub is_plugged: bool,
}

/// What must become of a file, once all is quiet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ExpectedState {
    /// Backed up.
    Kept,
    /// Left out for this reason.
    LeftOut(&'static str),
    /// A person should look, for this reason.
    Troubled(&'static str),
    /// Either backed up or left out: what it belongs to is itself in trouble.
    Depends,
}

/// All sources and their files.
#[derive(Debug, Clone, Default)]
pub struct Photos {
    /// The folders.
    pub folders: Vec<Folder>,
    /// Files by absolute path.
    pub files: BTreeMap<String, Photo>,
    parts: BTreeSet<[u8; 32]>,
    serial: u32,
}

fn extension(path: &str) -> &str {
    path.rsplit_once('.').map_or("", |(_, extension)| extension)
}

fn is_media(path: &str) -> bool {
    matches!(extension(path), "jpg" | "heic" | "dng" | "mov")
}

/// Whether bytes show by themselves that they are a picture or a clip.
fn has_signature(bytes: &[u8]) -> bool {
    bytes.starts_with(JPEG) || bytes.starts_with(CLIP)
}

/// A stem by its number: half of them state a date, by which a clip can belong to its still.
fn stem_of(number: u64) -> String {
    if number.is_multiple_of(2) {
        format!("IMG_{number:04}")
    } else {
        format!("IMG_20190512_1015{number:02}")
    }
}

/// Folder and stem, the latter without what a sidecar's name may have in front of `.xmp`.
fn place(path: &str) -> &str {
    let stem = path.rsplit_once('.').map_or(path, |(stem, _)| stem);
    if extension(path) == "xmp" { stem.strip_suffix(".jpg").unwrap_or(stem) } else { stem }
}

impl Photos {
    /// The folder that a file is in.
    pub fn folder_of(&self, path: &str) -> Option<&Folder> {
        self.folders.iter().find(|folder| path.starts_with(&format!("{}/", folder.root)))
    }

    /// What must become of a file, where the person has left out these.
    pub fn expected_state(&self, path: &str, photo: &Photo, left_out: &BTreeSet<&str>) -> ExpectedState {
        let below = self.folder_of(path).map_or(path, |folder| &path[folder.root.len() + 1..]);
        if below.split('/').any(|part| part.starts_with('.')) {
            return ExpectedState::LeftOut("hidden");
        }
        if has_signature(&photo.bytes) && !is_media(path) {
            // Whatever its name says, it is a picture; beside another one its part may be told apart
            // by that name.
            return ExpectedState::Depends;
        }
        if extension(path) == "xmp" {
            return self.expected_state_of_sidecar(path, photo, left_out);
        }
        if !is_media(path) {
            return ExpectedState::LeftOut("not_media");
        }
        match (photo.bytes.is_empty(), photo.is_unreadable) {
            (true, false) => ExpectedState::Troubled("empty"),
            (_, true) => ExpectedState::Troubled("unreadable"),
            (false, false) => ExpectedState::Kept,
        }
    }

    fn expected_state_of_sidecar(
        &self,
        path: &str,
        photo: &Photo,
        left_out: &BTreeSet<&str>,
    ) -> ExpectedState {
        // A picture is one whatever its name says.
        let is_picture = |other: &str, photo: &Photo| is_media(other) || has_signature(&photo.bytes);
        let mut beside = self
            .files
            .iter()
            .filter(|(other, photo)| is_picture(other, photo) && place(other) == place(path));
        // What nobody can back up, or the person leaves out, stands alone.
        let is_sound = |(other, photo): (&String, &Photo)| {
            !photo.bytes.is_empty() && !photo.is_unreadable && !left_out.contains(other.as_str())
        };
        if photo.bytes.is_empty() || photo.is_unreadable || beside.clone().any(|b| !is_sound(b)) {
            return ExpectedState::Depends;
        }
        if beside.next().is_some() { ExpectedState::Kept } else { ExpectedState::LeftOut("lone_sidecar") }
    }

    /// Whether some file cannot be read.
    pub fn has_unreadable(&self) -> bool {
        self.files.values().any(|photo| photo.is_unreadable)
    }

    /// Whether some file with these bytes is or was one that may be a part of another's asset.
    pub fn is_part(&self, hash: &[u8; 32]) -> bool {
        self.parts.contains(hash)
    }

    fn note_part(&mut self, path: &str, bytes: &[u8]) {
        if !matches!(extension(path), "jpg" | "heic") {
            self.parts.insert(*blake3::hash(bytes).as_bytes());
        }
    }

    fn next_serial(&mut self) -> u32 {
        self.serial += 1;
        self.serial
    }
}

/// Hands on hints of a change, as a watch does: not always.
fn hint(world: &World, path: &str) {
    world.with(|around| {
        let Some((root, hints)) =
            around.watched.iter().find(|(root, _)| path.starts_with(&format!("{root}/")))
        else {
            return;
        };
        let below = &path.as_bytes()[root.len() + 1..];
        let dir = below.iter().rposition(|byte| *byte == b'/').map_or(&b""[..], |cut| &below[..cut]);
        if around.dice.percent(85) {
            hints.dir(dir, false);
        }
    });
}

fn put(world: &World, path: &str, bytes: Vec<u8>, is_new: bool) {
    let serial = world.with(|around| around.photos.next_serial());
    // Two versions of a file never have the same stamp: that would be no change that can be seen.
    let time = if is_new {
        world.clock.now().0 * 1_000_000 + i64::from(serial)
    } else {
        OLD_NS + i64::from(serial) * 3_600_000_000_000
    };
    world.note(|| {
        format!("file {path} has {} bytes, {}", bytes.len(), blake3::hash(&bytes).to_hex().split_at(8).0)
    });
    world.files.write_at(path, bytes.clone(), time);
    let photo = Photo { bytes, is_unreadable: false };
    world.files.refuse(path, None);
    world.files.fail_from(path, None);
    world.with(|around| {
        around.photos.note_part(path, &photo.bytes);
        around.photos.files.insert(path.to_owned(), photo);
    });
    hint(world, path);
}

/// Bytes that belong to a name; sometimes those of another file.
fn bytes_for(world: &World, dice: &mut Dice, path: &str) -> Vec<u8> {
    if dice.percent(15) {
        let known = world.with(|around| {
            let len = around.photos.files.len();
            let at = if len == 0 { 0 } else { dice.index(len) };
            around.photos.files.values().nth(at).map(|photo| photo.bytes.clone())
        });
        if let Some(bytes) = known.filter(|bytes| !bytes.is_empty()) {
            return bytes;
        }
    }
    if dice.percent(3) {
        return Vec::new();
    }
    let length = if dice.percent(5) { dice.between(SHORT, SHORT * 20) } else { dice.between(1, SHORT) };
    let head: &[u8] = match extension(path) {
        "jpg" => JPEG,
        "mov" if dice.percent(70) => CLIP,
        _ => b"",
    };
    let mut bytes = head.to_vec();
    for _ in 0..length.div_ceil(8) {
        bytes.extend_from_slice(&dice.bits().to_le_bytes());
    }
    // Nothing may look like another type by accident.
    if head.is_empty() {
        bytes.iter_mut().for_each(|byte| *byte = b'a' + *byte % 26);
        // Where a clip's first atom has its name: four letters can spell one.
        if let Some(byte) = bytes.get_mut(4) {
            *byte = b'x';
        }
    }
    bytes
}

/// New files appear: one, or several that belong together.
pub fn add(world: &World, dice: &mut Dice) {
    let roots: Vec<String> = world.with(|around| {
        around.photos.folders.iter().filter(|f| f.is_plugged).map(|f| f.root.clone()).collect()
    });
    if roots.is_empty() {
        return;
    }
    let dirs = if dice.percent(5) { 4 } else { 3 };
    let (root, dir) = (dice.pick(&roots).clone(), *dice.pick(&DIRS[..dirs]));
    let stem = format!("{root}/{dir}{}", stem_of(dice.below(STEMS)));
    let endings: &[&str] = match dice.below(20) {
        0..=9 => &["jpg"],
        10..=11 => &["heic", "mov"],
        12..=13 => &["jpg", "dng"],
        14..=15 => &["jpg", "xmp"],
        16 => &["xmp", "jpg", "jpg.xmp"],
        17 => &["mov"],
        18 => &["txt"],
        _ => &["xmp"],
    };
    for ending in endings {
        let path = format!("{stem}.{ending}");
        let bytes = bytes_for(world, dice, &path);
        let is_new = dice.percent(30);
        put(world, &path, bytes, is_new);
    }
}

/// A file that can be reached, if there is one.
fn any(world: &World, dice: &mut Dice) -> Option<String> {
    let there: Vec<String> = world.with(|around| {
        let is_there = |path: &&String| around.photos.folder_of(path).is_some_and(|f| f.is_plugged);
        around.photos.files.keys().filter(is_there).cloned().collect()
    });
    (!there.is_empty()).then(|| dice.pick(&there).clone())
}

/// Something happens to one file or one source.
pub fn disturb(world: &World, dice: &mut Dice) {
    let name = match dice.below(20) {
        0..=3 => rewrite(world, dice),
        4..=5 => grow(world, dice),
        6..=7 => rename(world, dice),
        8..=10 => delete(world, dice),
        11..=12 => spoil(world, dice),
        13..=14 => mend(world, dice),
        15..=16 => change_while_read(world, dice),
        17 => delete_dir(world, dice),
        _ => replug(world, dice),
    };
    world.with(|around| count(&mut around.tally.actions, name));
}

fn rewrite(world: &World, dice: &mut Dice) -> &'static str {
    if let Some(path) = any(world, dice) {
        let bytes = bytes_for(world, dice, &path);
        let is_new = dice.percent(50);
        put(world, &path, bytes, is_new);
    }
    "rewrite"
}

fn grow(world: &World, dice: &mut Dice) -> &'static str {
    if let Some(path) = any(world, dice) {
        let mut bytes = world.with(|around| around.photos.files[&path].bytes.clone());
        bytes.extend_from_slice(&dice.bits().to_le_bytes().map(|byte| b'a' + byte % 26));
        put(world, &path, bytes, true);
    }
    "grow"
}

fn rename(world: &World, dice: &mut Dice) -> &'static str {
    if let Some(from) = any(world, dice) {
        let root = world.with(|around| around.photos.folder_of(&from).expect("a folder").root.clone());
        let to = format!("{root}/{}{}.{}", DIRS[dice.index(3)], stem_of(dice.below(STEMS)), extension(&from));
        if from != to {
            world.note(|| format!("file {from} becomes {to}"));
            world.files.remove(&to);
            world.files.rename(&from, &to);
            world.with(|around| {
                if let Some(photo) = around.photos.files.remove(&from) {
                    around.photos.files.insert(to.clone(), photo);
                }
            });
            hint(world, &from);
            hint(world, &to);
        }
    }
    "rename"
}

fn delete(world: &World, dice: &mut Dice) -> &'static str {
    if let Some(path) = any(world, dice) {
        world.note(|| format!("file {path} is deleted"));
        world.files.remove(&path);
        world.with(|around| around.photos.files.remove(&path));
        hint(world, &path);
    }
    "delete"
}

fn delete_dir(world: &World, dice: &mut Dice) -> &'static str {
    if let Some(path) = any(world, dice) {
        let dir = path.rsplit_once('/').expect("absolute").0.to_owned();
        let is_root = world.with(|around| around.photos.folders.iter().any(|folder| folder.root == dir));
        if !is_root {
            world.note(|| format!("folder {dir} is deleted"));
            world.files.remove(&dir);
            world.with(|around| around.photos.files.retain(|path, _| !path.starts_with(&format!("{dir}/"))));
            hint(world, &dir);
        }
    }
    "delete_dir"
}

fn spoil(world: &World, dice: &mut Dice) -> &'static str {
    if let Some(path) = any(world, dice) {
        if dice.percent(50) {
            world.files.refuse(&path, Some(ErrorKind::PermissionDenied));
        } else {
            world.files.fail_from(&path, Some(0));
        }
        world.note(|| format!("file {path} cannot be read"));
        world.with(|around| around.photos.files.get_mut(&path).expect("known").is_unreadable = true);
    }
    "spoil"
}

/// A new file that cannot be read.
pub fn add_spoiled(world: &World, dice: &mut Dice) -> &'static str {
    let plugged = |folder: &&Folder| folder.is_plugged;
    let root = world.with(|around| around.photos.folders.iter().find(plugged).map(|f| f.root.clone()));
    let Some(root) = root else { return "add_spoiled" };
    let path = format!("{root}/IMG_{:04}.jpg", dice.below(STEMS));
    put(world, &path, JPEG.to_vec(), false);
    world.files.refuse(&path, Some(ErrorKind::PermissionDenied));
    world.with(|around| around.photos.files.get_mut(&path).expect("known").is_unreadable = true);
    "add_spoiled"
}

/// All files can be read again, and nothing tells of it.
pub fn mend(world: &World, _dice: &mut Dice) -> &'static str {
    let spoiled: Vec<String> = world.with(|around| {
        let folders = around.photos.folders.clone();
        let is_there = |path: &str| folders.iter().any(|f| f.is_plugged && path.starts_with(&f.root));
        let bad = around.photos.files.iter_mut().filter(|(path, p)| p.is_unreadable && is_there(path));
        bad.map(|(path, photo)| {
            photo.is_unreadable = false;
            path.clone()
        })
        .collect()
    });
    for path in spoiled {
        world.note(|| format!("file {path} can be read again"));
        world.files.refuse(&path, None);
        world.files.fail_from(&path, None);
    }
    "mend"
}

fn change_while_read(world: &World, dice: &mut Dice) -> &'static str {
    if let Some(path) = any(world, dice) {
        let bytes = bytes_for(world, dice, &path);
        world.note(|| format!("file {path} will change under the next reader"));
        world.with(|around| around.photos.note_part(&path, &bytes));
        world.files.change_while_read(&path, bytes);
    }
    "change_while_read"
}

/// A source's disk is pulled out or put back.
pub fn replug(world: &World, dice: &mut Dice) -> &'static str {
    let (root, is_plugged) = world.with(|around| {
        let at = dice.index(around.photos.folders.len());
        let folder = &mut around.photos.folders[at];
        folder.is_plugged = !folder.is_plugged;
        (folder.root.clone(), folder.is_plugged)
    });
    world.note(|| format!("source {root} is {}", if is_plugged { "plugged in" } else { "pulled out" }));
    if is_plugged {
        world.files.plug(&root);
    } else {
        world.files.unplug(&root);
        world.with(|around| {
            let hints = around.watched.remove(&root).filter(|_| around.dice.percent(85));
            hints.inspect(|hints| hints.dir(b"", false));
        });
    }
    "replug"
}

/// Everything is plugged in, and what was to change under a reader has changed. Says whether anything
/// has.
pub fn settle(world: &World) -> bool {
    let roots: Vec<String> =
        world.with(|around| around.photos.folders.iter().map(|folder| folder.root.clone()).collect());
    for root in roots {
        world.files.plug(&root);
    }
    world.with(|around| around.photos.folders.iter_mut().for_each(|folder| folder.is_plugged = true));
    let paths: Vec<String> = world.with(|around| around.photos.files.keys().cloned().collect());
    let mut has_changed = false;
    for path in paths {
        let is_unreadable = world.with(|around| around.photos.files[&path].is_unreadable);
        for _ in 0..if is_unreadable { 0 } else { 2 } {
            let mut file = world.files.open(Path::new(&path)).expect("it is there");
            file.read_to_end(&mut Vec::new()).expect("it can be read");
        }
        // What cannot be read any more may have changed under its last reader.
        let bytes = world.files.contents(&path).expect("it is there");
        let before = world.with(|around| {
            let photo = around.photos.files.get_mut(&path).expect("known");
            std::mem::replace(&mut photo.bytes, bytes.clone())
        });
        has_changed |= before != bytes;
    }
    has_changed
}
