//! Text from outside (names, paths, a server's words) made harmless for a terminal or a log.

use std::borrow::Cow;

/// Whether a character could move the cursor, colour or hide text, start a new line or turn the
/// direction of what follows: C0, DEL and C1 controls, line and paragraph separators, and the
/// bidirectional controls of Unicode (UAX 9, UTR 36).
fn is_control(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200e}' | '\u{200f}' | '\u{2028}' | '\u{2029}'
            | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{fff9}'..='\u{fffb}')
}

/// The text with every control character spelled out: `\n`, `\t`, `\r`, others as `\u{1b}`. All other
/// characters stay as they are, so the result is one line and for people only.
pub fn escape_controls(text: &str) -> Cow<'_, str> {
    if !text.contains(is_control) {
        return Cow::Borrowed(text);
    }
    let mut escaped = String::with_capacity(text.len() + 16);
    for c in text.chars() {
        if is_control(c) {
            match c {
                '\n' | '\t' | '\r' => escaped.extend(c.escape_default()),
                other => escaped.extend(other.escape_unicode()),
            }
        } else {
            escaped.push(c);
        }
    }
    Cow::Owned(escaped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn controls_are_spelled_out_and_nothing_else_changes() {
        for (text, shown) in [
            ("Zürich 東京 \u{1f468}\u{200d}\u{1f467} a\\b", "Zürich 東京 \u{1f468}\u{200d}\u{1f467} a\\b"),
            ("esc\u{1b}[31m\u{1b}]0;title\u{7}.jpg", "esc\\u{1b}[31m\\u{1b}]0;title\\u{7}.jpg"),
            ("two\nlines\r\t", "two\\nlines\\r\\t"),
            ("\u{7f}\u{9b}31m", "\\u{7f}\\u{9b}31m"),
            ("gpj.\u{202e}exe\u{2066}\u{200f}", "gpj.\\u{202e}exe\\u{2066}\\u{200f}"),
            ("a\u{2028}b", "a\\u{2028}b"),
        ] {
            assert_eq!(escape_controls(text), shown);
            assert!(!escape_controls(text).contains(is_control));
        }
    }
}
