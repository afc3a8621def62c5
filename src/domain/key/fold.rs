//! When two keys are one name to some file system.

use unicode_normalization::UnicodeNormalization as _;

/// What a key looks like to the least discerning file system: keys that fold alike must not be used
/// for different bytes. Composed form, no difference of case, no characters that some file systems
/// skip, no trailing dots or spaces. It joins more than any one file system does, which costs only
/// a longer name.
pub fn fold(key: &str) -> String {
    if key.is_ascii() {
        // The same, as nothing here is composed or skipped.
        let parts: Vec<&str> = key.split('/').map(|part| part.trim_end_matches(['.', ' '])).collect();
        return parts.join("/").to_ascii_lowercase();
    }
    fold_any(key)
}

fn fold_any(key: &str) -> String {
    let mut folded = fold_once(key);
    // A few characters change case into others that fold again; two rounds settle all of them.
    for _ in 0..ROUNDS_MAX {
        let again = fold_once(&folded);
        if again == folded {
            break;
        }
        folded = again;
    }
    folded
}

const ROUNDS_MAX: usize = 4;

fn fold_once(key: &str) -> String {
    key.split('/').map(fold_component).collect::<Vec<_>>().join("/")
}

fn fold_component(part: &str) -> String {
    // Lower, upper, lower: upper case alone leaves U+1E9E apart from "ss", lower case alone U+017F
    // apart from "s".
    let folded: String = part
        .nfd()
        .filter(|c| !is_ignorable(*c))
        .flat_map(char::to_lowercase)
        .flat_map(char::to_uppercase)
        .flat_map(char::to_lowercase)
        .nfc()
        .collect();
    folded.trim_end_matches(['.', ' ']).to_owned()
}

/// Characters that a comparison of names may skip.
fn is_ignorable(c: char) -> bool {
    matches!(u32::from(c),
        0xad | 0x34f | 0x61c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f
        | 0x200b..=0x200f | 0x202a..=0x202e | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f
        | 0xfeff | 0xffa0 | 0xfff0..=0xfff8 | 0x1bca0..=0x1bca3 | 0x1d173..=0x1d17a
        | 0xe0000..=0xe0fff)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn plain_keys_fold_as_any_other(key in "[ -~\t]{0,24}") {
            prop_assert_eq!(fold(&key), fold_any(&key));
        }
    }
}
