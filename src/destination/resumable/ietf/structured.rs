//! Structured fields (RFC 9651) as resumable uploads use them: booleans, integers, and dictionaries of
//! these. A field that breaks the grammar is ignored as a whole, as the RFC demands.

use sfv::{BareItem, Dictionary, Item, ItemSerializer, ListEntry, Parser};

/// The longest field that is read, in bytes.
const FIELD_BYTES_MAX: usize = 4096;

fn parser(field: &str) -> Option<Parser<'_>> {
    (field.len() <= FIELD_BYTES_MAX).then(|| Parser::new(field))
}

fn item(field: &str) -> Option<BareItem> {
    let item: Item = parser(field)?.parse().ok()?;
    Some(item.bare_item)
}

/// A field that is one boolean.
pub(super) fn boolean(field: &str) -> Option<bool> {
    match item(field)? {
        BareItem::Boolean(value) => Some(value),
        _ => None,
    }
}

/// A field that is one integer, not negative.
pub(super) fn integer(field: &str) -> Option<u64> {
    unsigned(&item(field)?)
}

/// A field that is a dictionary.
pub(super) fn dictionary(field: &str) -> Option<Dictionary> {
    parser(field)?.parse().ok()
}

/// The integer, not negative, that a dictionary has under `key`.
pub(super) fn integer_of(members: &Dictionary, key: &str) -> Option<u64> {
    match members.get(key)? {
        ListEntry::Item(item) => unsigned(&item.bare_item),
        ListEntry::InnerList(_) => None,
    }
}

fn unsigned(value: &BareItem) -> Option<u64> {
    match value {
        BareItem::Integer(value) => u64::try_from(i64::from(*value)).ok(),
        _ => None,
    }
}

/// A byte sequence as it is sent.
pub(super) fn byte_sequence(bytes: &[u8]) -> String {
    ItemSerializer::new().bare_item(bytes).finish()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items() {
        assert_eq!(boolean("?1"), Some(true));
        assert_eq!(boolean(" ?0;a=1;b=\"x\" "), Some(false));
        assert_eq!(integer("100000000"), Some(100_000_000));
        assert_eq!(integer("999999999999999"), Some(999_999_999_999_999));
        for other in
            ["-1", "1.5", "\"a\"", "token/x", ":aGk=:", "", "?2", "1 2", "1000000000000000", "\u{e9}"]
        {
            assert_eq!((integer(other), boolean(other)), (None, None), "{other}");
        }
        assert_eq!((integer("?1"), boolean("1")), (None, None));
        let long = format!("?1;a=\"{}\"", "x".repeat(FIELD_BYTES_MAX));
        assert_eq!(boolean(&long), None);
        assert_eq!(byte_sequence(b"hi"), ":aGk=:");
    }

    #[test]
    fn dictionaries() {
        let field =
            "max-size=1000;x, min-size=0,max-append-size=10\t,\tunknown=(1 \"a\";b c), flag, max-size=7";
        let members = dictionary(field).expect("a dictionary");
        assert_eq!(integer_of(&members, "max-size"), Some(7), "the last of several counts");
        assert_eq!(integer_of(&members, "max-append-size"), Some(10));
        for key in ["unknown", "flag", "other"] {
            assert_eq!(integer_of(&members, key), None, "{key}");
        }
        for bad in ["a=1,", ",a=1", "a=1 b=2", "A=1", "a=", "a=(1"] {
            assert_eq!(dictionary(bad), None, "{bad}");
        }
    }
}
