//! Numbers, sizes and durations for people.

use std::path::Path;

use crate::api::{PathText, SourceState};
use crate::base::files::path_bytes;

/// `18204` as `18 204`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

/// `1 file`, `2 files`.
pub fn files(number: u64) -> String {
    if number == 1 { "1 file".to_owned() } else { format!("{} files", count(number)) }
}

/// Bytes in decimal units, as file managers show them.
pub fn size(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB", "PB", "EB"];
    let (mut scale, mut unit) = (1_u64, "B");
    for next in units {
        if bytes / scale < 1_000 {
            break;
        }
        scale = scale.saturating_mul(1_000);
        unit = next;
    }
    let (whole, rest) = (bytes / scale, bytes % scale);
    match whole {
        // One decimal where it says something.
        0..10 if scale > 1 => format!("{whole}.{} {unit}", rest * 10 / scale),
        _ => format!("{whole} {unit}"),
    }
}

/// A rough duration.
pub fn duration(secs: u64) -> String {
    match secs {
        0..60 => format!("{} s", secs.max(1)),
        60..5_400 => format!("{} min", secs.div_ceil(60)),
        5_400..172_800 => format!("{} h", secs.div_ceil(3_600)),
        _ => format!("{} days", secs.div_ceil(86_400)),
    }
}

/// The text with a capital at its start.
pub fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A path for the wire.
pub fn path_text(path: &Path) -> PathText {
    PathText::from_bytes(&path_bytes(path))
}

/// What is to be said of folders inside a source that cannot be looked into: which, why, what to do.
pub fn unreadable_lines(source: &SourceState) -> Vec<String> {
    let named = source.unreadable.iter().flat_map(|folder| {
        let told = format!("The folder {} is not backed up: {}", folder.path.path, folder.summary);
        [told, format!("  {}", folder.advice)]
    });
    let more = source.unreadable_folders.saturating_sub(source.unreadable.len() as u64);
    let verb = if more == 1 { "folder is" } else { "folders are" };
    let more =
        (more > 0).then(|| format!("{} more {verb} not backed up in {}", count(more), source.path.path));
    named.chain(more).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_read_well() {
        assert_eq!(
            [0, 7, 999, 1_000, 18_204, 1_234_567].map(count),
            ["0", "7", "999", "1 000", "18 204", "1 234 567"]
        );
        assert_eq!([files(1), files(0), files(2_000)], ["1 file", "0 files", "2 000 files"]);
        let sizes = [0, 999, 1_000, 9_990, 10_000, 1_500_000, 48_000_000_000, u64::MAX].map(size);
        assert_eq!(sizes, ["0 B", "999 B", "1.0 kB", "9.9 kB", "10 kB", "1.5 MB", "48 GB", "18 EB"]);
        let durations = [0, 59, 60, 61, 3_600, 5_400, 90_000, 200_000].map(duration);
        assert_eq!(durations, ["1 s", "59 s", "1 min", "2 min", "60 min", "2 h", "25 h", "3 days"]);
    }
}
