//! `Upload-Metadata` of tus 1.0: pairs of a key and a value in Base64, parted by commas.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

/// The longest field that is read, in bytes.
const FIELD_BYTES_MAX: usize = 8 * 1024;
/// The most pairs that are read.
const PAIRS_MAX: usize = 64;

/// Writes pairs. Keys are ours: ASCII without spaces and commas.
pub(super) fn write(pairs: &[(&str, &str)]) -> String {
    let pair = |(key, value): &(&str, &str)| format!("{key} {}", STANDARD.encode(value));
    pairs.iter().map(pair).collect::<Vec<_>>().join(",")
}

/// The value of `key`; `None` where the field has none, is damaged, or is longer than anyone needs.
pub(super) fn value_of(field: &str, key: &str) -> Option<Vec<u8>> {
    pairs(field)?.into_iter().find(|(known, _value)| *known == key).map(|(_key, value)| value)
}

/// Reads a field; `None` when it breaks a rule of the protocol.
fn pairs(field: &str) -> Option<Vec<(&str, Vec<u8>)>> {
    if field.len() > FIELD_BYTES_MAX {
        return None;
    }
    let mut pairs: Vec<(&str, Vec<u8>)> = Vec::new();
    for pair in field.split(',') {
        let pair = pair.trim_matches([' ', '\t']);
        let (key, value) = pair.split_once(' ').unwrap_or((pair, ""));
        let is_key = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
        let is_known = pairs.iter().any(|(known, _value)| *known == key);
        if !is_key || is_known || pairs.len() == PAIRS_MAX {
            return None;
        }
        pairs.push((key, STANDARD.decode(value).ok()?));
    }
    Some(pairs)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_protocols_own_example_reads() {
        let field = "filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential";
        assert_eq!(value_of(field, "filename").as_deref(), Some(b"world_domination_plan.pdf".as_slice()));
        assert_eq!(value_of(field, "is_confidential").as_deref(), Some(b"".as_slice()));
        assert_eq!(value_of(field, "Filename"), None);
        assert_eq!(
            write(&[("filename", "world_domination_plan.pdf"), ("a", "")]),
            "filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,a "
        );
    }

    #[test]
    fn what_breaks_a_rule_is_nothing() {
        let many = (0..=PAIRS_MAX).map(|n| format!("k{n} YQ==")).collect::<Vec<_>>().join(",");
        let long = format!("a {}", "QUFB".repeat(FIELD_BYTES_MAX / 4));
        for bad in [
            "",
            "a YQ",
            "a YQ==,a YQ==",
            "a YQ==,,b YQ==",
            "a  YQ==",
            "\u{e9} YQ==",
            "a YQ== x",
            &many,
            &long,
        ] {
            assert_eq!(value_of(bad, "a"), None, "{bad:.40}");
        }
    }

    proptest! {
        #[test]
        fn pairs_round_trip(values in proptest::collection::vec(".{0,40}", 1..8)) {
            let keys: Vec<String> = (0..values.len()).map(|n| format!("key{n}")).collect();
            let given: Vec<(&str, &str)> = keys.iter().map(String::as_str).zip(values.iter().map(String::as_str)).collect();
            let field = write(&given);
            for (key, value) in given {
                prop_assert_eq!(value_of(&field, key), Some(value.as_bytes().to_vec()));
            }
        }

        #[test]
        fn no_field_is_too_strange(field in "[ -~\t]{0,60}|.{0,30}") {
            value_of(&field, "filename");
        }
    }
}
