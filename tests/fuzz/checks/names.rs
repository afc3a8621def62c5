//! Names: of files from any source, of keys at a destination, and of destinations as typed.

use crate::api::PathText;
use crate::domain::asset::{CapturedAt, Provenance};
use crate::domain::glob::Glob;
use crate::domain::hash::Blake3;
use crate::domain::key::{
    KEY_BYTES_MAX, Layout, SetName, fold, folder, is_valid, parse_temp_name, safe_name, temp_name,
};
use crate::domain::path::{RelPath, split_extension};
use crate::domain::target::Target;
use crate::domain::time::UnixMillis;

/// One name for everything that reads names; its first ten bytes are a date and a layout.
pub fn check(data: &[u8]) {
    typed(data);
    let Some((numbers, name)) = data.split_first_chunk::<10>() else { return };
    let [millis @ .., limit, flags] = numbers;
    let layout =
        Layout { always_hash: flags & 1 == 1, name_len_max: usize::from(*limit), ..Layout::default() };
    let wall_ms = UnixMillis(i64::from_le_bytes(*millis));
    let captured = CapturedAt { wall_ms, offset_minutes: None, provenance: Provenance::Metadata };
    let hash = |bytes: &[u8]| Blake3(*blake3::hash(bytes).as_bytes());
    keys(captured, name, hash(name), layout);
    assert_eq!(fold(&fold(&safe_name(name))), fold(&safe_name(name)));
}

fn keys(captured: CapturedAt, name: &[u8], hash: Blake3, layout: Layout) {
    let folder = folder(captured);
    for suffix in ["", "~0a1b2c3d"] {
        let set = SetName { folder: &folder, suffix, original: name };
        for attempt in 0..4 {
            let key = set.key(hash, attempt, layout).expect("a name is left");
            assert_inside(&key);
            assert_eq!(folder_of(&key), folder);
        }
        // Whatever the name is cut to, other bytes get another key in the end.
        let other = Blake3([0x5a; 32]);
        let whole = |hash| set.key(hash, 2, layout).map(|key| fold(&key));
        assert!(hash == other || whole(hash) != whole(other));
    }
}

/// A key that any file system takes, below the destination and never in its own folder.
fn assert_inside(key: &str) {
    assert!(is_valid(key), "{key:?}");
    assert!(key.len() <= KEY_BYTES_MAX && !key.starts_with('/') && !key.contains('\\'));
    assert!(key.split('/').all(|part| !part.is_empty() && part.len() <= 255 && !part.starts_with('.')));
    assert!(!fold(key).split('/').any(|part| part.is_empty() || part == ".."), "{key:?}");
}

fn folder_of(key: &str) -> &str {
    key.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// What a person types or another program hands over.
fn typed(text: &[u8]) {
    match Target::parse(text) {
        Ok(Target::Folder(path)) => assert!(!path.is_empty()),
        Ok(Target::Url { kind, url }) => assert!(url.contains("://"), "{kind:?}"),
        Ok(Target::NameOrPath(name)) => assert!(name.len() <= 32),
        Err(bad) => assert!(!bad.to_string().is_empty()),
    }
    let path = PathText::from_bytes(text);
    assert_eq!(path.to_bytes().as_deref(), Some(text));
    if let Some(path) = RelPath::parse(text) {
        assert_eq!(path.to_bytes(), text);
        let parts = || text.split(|byte| *byte == b'/');
        assert!(parts().all(|part| !part.is_empty() && part != b".." && part != b"."));
        let (stem, extension) = split_extension(&path.name);
        assert!(!stem.is_empty() && stem.len() + extension.len() <= path.name.len());
    }
    if let Some(token) = parse_temp_name(text) {
        assert_eq!(temp_name(token).as_bytes(), text);
    }
    if let Ok(text) = std::str::from_utf8(text) {
        let (pattern, key) = text.split_at(text.floor_char_boundary(text.len() / 2));
        Glob::new(pattern).matches(key);
        assert!(Glob::new("*").matches(key));
    }
}
