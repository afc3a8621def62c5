//! Structured fields (RFC 9651), as far as resumable uploads use them: booleans, integers, and
//! dictionaries of these. Everything else that the grammar allows is read and let be; what breaks
//! the grammar makes the whole field nothing, as the RFC wants it.

use base64::Engine as _;

/// The longest field that is read, in bytes.
const FIELD_BYTES_MAX: usize = 4096;
/// The most members of a dictionary or inner list, and the most parameters.
const MEMBERS_MAX: usize = 64;
/// The most digits of an integer, and of a decimal before its point.
const INTEGER_DIGITS_MAX: usize = 15;
const DECIMAL_DIGITS_MAX: usize = 12;
const FRACTION_DIGITS_MAX: usize = 3;

/// A bare item.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Value {
    Integer(i64),
    Boolean(bool),
    /// A decimal, string, token, byte sequence, date, display string or inner list.
    Other,
}

/// The bare item of a field that is one item.
pub(super) fn item(field: &str) -> Option<Value> {
    let mut input = Input::new(field)?;
    input.spaces();
    let value = input.bare_item()?;
    input.parameters()?;
    input.spaces();
    input.is_at_end().then_some(value)
}

/// The members of a field that is a dictionary; of several with one key the last.
pub(super) fn dictionary(field: &str) -> Option<Vec<(String, Value)>> {
    let mut input = Input::new(field)?;
    let mut members: Vec<(String, Value)> = Vec::new();
    input.spaces();
    while !input.is_at_end() {
        let key = input.key()?;
        let value = if input.eat(b'=') { input.item_or_list()? } else { Value::Boolean(true) };
        input.parameters()?;
        members.retain(|(known, _value)| *known != key);
        if members.len() == MEMBERS_MAX {
            return None;
        }
        members.push((key, value));
        input.blanks();
        if input.is_at_end() {
            break;
        }
        if !input.eat(b',') {
            return None;
        }
        input.blanks();
        if input.is_at_end() {
            return None;
        }
    }
    Some(members)
}

/// A field that is one boolean.
pub(super) fn boolean(field: &str) -> Option<bool> {
    match item(field)? {
        Value::Boolean(value) => Some(value),
        _ => None,
    }
}

/// A field that is one integer, not negative.
pub(super) fn integer(field: &str) -> Option<u64> {
    match item(field)? {
        Value::Integer(value) => u64::try_from(value).ok(),
        _ => None,
    }
}

/// A byte sequence as it is sent.
pub(super) fn bytes(bytes: &[u8]) -> String {
    format!(":{}:", base64::engine::general_purpose::STANDARD.encode(bytes))
}

struct Input<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Input<'a> {
    fn new(field: &'a str) -> Option<Self> {
        (field.len() <= FIELD_BYTES_MAX && field.is_ascii())
            .then_some(Self { bytes: field.as_bytes(), at: 0 })
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn next(&mut self) -> Option<u8> {
        let byte = self.peek()?;
        self.at += 1;
        Some(byte)
    }

    fn eat(&mut self, byte: u8) -> bool {
        let is_next = self.peek() == Some(byte);
        self.at += usize::from(is_next);
        is_next
    }

    fn take_while(&mut self, is_wanted: impl Fn(u8) -> bool) -> &'a [u8] {
        let rest = &self.bytes[self.at..];
        let len = rest.iter().position(|byte| !is_wanted(*byte)).unwrap_or(rest.len());
        self.at += len;
        &rest[..len]
    }

    fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }

    fn spaces(&mut self) {
        self.take_while(|byte| byte == b' ');
    }

    /// Optional white space, which may be tabs between members.
    fn blanks(&mut self) {
        self.take_while(|byte| matches!(byte, b' ' | b'\t'));
    }

    fn key(&mut self) -> Option<String> {
        if !self.peek().is_some_and(|byte| byte == b'*' || byte.is_ascii_lowercase()) {
            return None;
        }
        let key = self.take_while(|byte| {
            byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-' | b'.' | b'*')
        });
        String::from_utf8(key.to_vec()).ok()
    }

    fn parameters(&mut self) -> Option<()> {
        for _parameter in 0..MEMBERS_MAX {
            if !self.eat(b';') {
                return Some(());
            }
            self.spaces();
            self.key()?;
            if self.eat(b'=') {
                self.bare_item()?;
            }
        }
        None
    }

    fn item_or_list(&mut self) -> Option<Value> {
        if !self.eat(b'(') {
            return self.bare_item();
        }
        for _member in 0..=MEMBERS_MAX {
            self.spaces();
            if self.eat(b')') {
                return Some(Value::Other);
            }
            self.bare_item()?;
            self.parameters()?;
            if !matches!(self.peek(), Some(b' ' | b')')) {
                return None;
            }
        }
        None
    }

    fn bare_item(&mut self) -> Option<Value> {
        match self.peek()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string(),
            b'*' | b'a'..=b'z' | b'A'..=b'Z' => {
                self.take_while(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&byte));
                Some(Value::Other)
            }
            b':' => self.byte_sequence(),
            b'?' => {
                self.at += 1;
                match self.next()? {
                    b'0' => Some(Value::Boolean(false)),
                    b'1' => Some(Value::Boolean(true)),
                    _ => None,
                }
            }
            b'@' => {
                self.at += 1;
                matches!(self.number()?, Value::Integer(_)).then_some(Value::Other)
            }
            b'%' => self.display_string(),
            _ => None,
        }
    }

    fn number(&mut self) -> Option<Value> {
        let is_negative = self.eat(b'-');
        let digits = self.take_while(|byte| byte.is_ascii_digit());
        if digits.is_empty() {
            return None;
        }
        if self.eat(b'.') {
            let fraction = self.take_while(|byte| byte.is_ascii_digit());
            let is_decimal =
                digits.len() <= DECIMAL_DIGITS_MAX && (1..=FRACTION_DIGITS_MAX).contains(&fraction.len());
            return is_decimal.then_some(Value::Other);
        }
        if digits.len() > INTEGER_DIGITS_MAX {
            return None;
        }
        let value: i64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
        Some(Value::Integer(if is_negative { -value } else { value }))
    }

    fn string(&mut self) -> Option<Value> {
        self.at += 1;
        loop {
            match self.next()? {
                b'"' => return Some(Value::Other),
                b'\\' if !matches!(self.next()?, b'"' | b'\\') => return None,
                b'\\' => {}
                b' '..=b'~' => {}
                _ => return None,
            }
        }
    }

    fn byte_sequence(&mut self) -> Option<Value> {
        self.at += 1;
        let code = self.take_while(|byte| byte != b':');
        let is_code =
            code.iter().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'+' | b'/' | b'='));
        (self.eat(b':') && is_code).then_some(Value::Other)
    }

    fn display_string(&mut self) -> Option<Value> {
        self.at += 1;
        if !self.eat(b'"') {
            return None;
        }
        let is_hex = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        loop {
            match self.next()? {
                b'"' => return Some(Value::Other),
                b'%' if !(is_hex(self.next()?) && is_hex(self.next()?)) => return None,
                b'%' => {}
                b' '..=b'~' => {}
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn items() {
        assert_eq!(boolean("?1"), Some(true));
        assert_eq!(boolean(" ?0;a=1;b=\"x\" "), Some(false));
        assert_eq!(integer("100000000"), Some(100_000_000));
        assert_eq!(integer("999999999999999"), Some(999_999_999_999_999));
        assert_eq!(item("-42"), Some(Value::Integer(-42)));
        for other in ["1.5", "\"a\\\"b\"", "token/x", ":aGk=:", "@1659578233", "%\"f%c3%bc\"", "*a:b"] {
            assert_eq!(item(other), Some(Value::Other), "{other}");
        }
        for bad in [
            "",
            "?2",
            "?",
            "1 2",
            "?1, ?1",
            "1000000000000000",
            "-",
            "1.",
            "1.2345",
            "\"a",
            "\"\\x\"",
            ":aGk",
            ":a*:",
            "@1.5",
            "%\"%C3\"",
            "%x",
            "\u{e9}",
            "?1;",
            "?1;A=1",
            "\t?1",
            "--1",
            "=",
        ] {
            assert_eq!(item(bad), None, "{bad}");
        }
        assert_eq!((integer("-1"), integer("?1"), boolean("1")), (None, None, None));
    }

    #[test]
    fn dictionaries() {
        let limit = dictionary(
            "max-size=1000;x, min-size=0,max-append-size=10\t,\tunknown=(1 \"a\";b c), flag, max-size=7",
        );
        let limit = limit.expect("a dictionary");
        let get =
            |key: &str| limit.iter().find(|(known, _value)| known == key).map(|(_key, value)| value.clone());
        assert_eq!(get("max-size"), Some(Value::Integer(7)));
        assert_eq!(get("max-append-size"), Some(Value::Integer(10)));
        assert_eq!(get("unknown"), Some(Value::Other));
        assert_eq!(get("flag"), Some(Value::Boolean(true)));
        assert_eq!(dictionary(""), Some(Vec::new()));
        let many = (0..=MEMBERS_MAX).map(|n| format!("k{n}=1")).collect::<Vec<_>>().join(", ");
        let long = format!("a=\"{}\"", "x".repeat(FIELD_BYTES_MAX));
        let deep = format!("a={}1{}", "(".repeat(99), ")".repeat(99));
        let crowd = format!("a=({})", "1 ".repeat(MEMBERS_MAX + 1));
        for bad in ["a=1,", ",a=1", "a=1 b=2", "A=1", "a=", "a=(1", "a=(1\"x\")", &many, &long, &deep, &crowd]
        {
            assert_eq!(dictionary(bad), None, "{bad:.60}");
        }
    }

    proptest! {
        #[test]
        fn integers_round_trip(value in -999_999_999_999_999_i64..=999_999_999_999_999) {
            prop_assert_eq!(item(&value.to_string()), Some(Value::Integer(value)));
            prop_assert_eq!(dictionary(&format!("a={value};p=?1")), Some(vec![("a".to_owned(), Value::Integer(value))]));
        }

        #[test]
        fn sequences_of_bytes_are_items(data in proptest::collection::vec(any::<u8>(), 0..40)) {
            prop_assert_eq!(item(&bytes(&data)), Some(Value::Other));
        }

        #[test]
        fn no_field_is_too_strange(field in "[ -~\t]{0,40}|[?:@%\"();=,a-z0-9.* -]{0,40}|.{0,20}") {
            item(&field);
            dictionary(&field);
        }
    }
}
