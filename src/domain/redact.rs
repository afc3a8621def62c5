//! Text that may leave the computer or lie in a log: without secrets, and where it is asked for
//! without paths, hosts and names.
//!
//! What is not known to be harmless is taken out; a report that says less is better than one that
//! says too much.

/// What stands where a secret was.
pub const HIDDEN: &str = "(hidden)";
/// What stands where a path was.
pub const PATH: &str = "(path)";
/// Words after which a value is a secret, with `=` or `:` between.
const SECRET_WORDS: [&str; 14] = [
    "authorization",
    "password",
    "passwd",
    "secret",
    "token",
    "api_key",
    "api-key",
    "apikey",
    "access_key",
    "access-key",
    "accesskey",
    "credential",
    "signature",
    "cookie",
];
/// Words before a secret that has only a space between.
const SCHEMES: [&str; 2] = ["bearer ", "basic "];
/// Letters in a row without which no word is a key: digests and keys are longer than names.
const KEY_LEN_MIN: usize = 32;

/// Whether a value ends before this character.
fn ends_value(c: char) -> bool {
    c.is_whitespace() || matches!(c, '"' | '\'' | ',' | ';' | '&' | ')' | '}' | ']' | '<' | '>')
}

/// `text` without what looks like a secret: names and passwords in URLs, values of URLs' questions,
/// authorisation headers, values after words for secrets.
pub fn without_secrets(text: &str) -> String {
    let text = without_url_secrets(text);
    let lower = text.to_ascii_lowercase();
    let mut out = String::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let rest = &lower[at..];
        let after_word = SECRET_WORDS.iter().find(|word| rest.starts_with(**word)).and_then(|word| {
            let gap =
                rest[word.len()..].find(|c: char| !matches!(c, '"' | '\'' | ' ' | ':' | '=')).unwrap_or(0);
            let between = &rest[word.len()..word.len() + gap];
            between.contains([':', '=']).then_some(word.len() + gap)
        });
        let value = after_word.or_else(|| SCHEMES.iter().find(|s| rest.starts_with(**s)).map(|s| s.len()));
        if let Some(start) = value.map(|len| at + len) {
            out.push_str(&text[at..start]);
            // An authorisation is a scheme and a value: the scheme may stay, the value may not.
            let scheme = SCHEMES.iter().find(|scheme| lower[start..].starts_with(**scheme));
            let value = start + scheme.map_or(0, |scheme| scheme.len());
            out.push_str(&text[start..value]);
            let start = value;
            let len = text[start..].find(ends_value).unwrap_or(text.len() - start);
            if len > 0 {
                out.push_str(HIDDEN);
            }
            at = start + len;
        } else {
            let c = text[at..].chars().next().unwrap_or(' ');
            out.push(c);
            at += c.len_utf8();
        }
    }
    out
}

/// Takes the name and the password, and the values of the question, out of every URL.
fn without_url_secrets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after
            .find(|c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | '>'))
            .unwrap_or(after.len());
        let (url, next) = after.split_at(end);
        let authority = url.find(['/', '?', '#']).unwrap_or(url.len());
        let (host, path) = url.split_at(authority);
        match host.rsplit_once('@') {
            Some((_user, host)) => out.extend([HIDDEN, "@", host]),
            None => out.push_str(host),
        }
        match path.split_once('?') {
            Some((path, _question)) => out.extend([path, "?", HIDDEN]),
            None => out.push_str(path),
        }
        rest = next;
    }
    out.push_str(rest);
    out
}

/// Takes out, beside secrets, everything that tells who or where somebody is.
#[derive(Debug, Clone, Default)]
pub struct Redactor {
    /// What is known, longest first, and what stands for it.
    known: Vec<(String, String)>,
}

impl Redactor {
    /// Has `shown` stand for `text` from now on. What is too short to be told from other words stays.
    pub fn hide(&mut self, text: &str, shown: &str) {
        let text = text.trim_end_matches('/');
        if text.chars().count() >= 3 {
            self.known.push((text.to_owned(), shown.to_owned()));
            self.known.sort_by_key(|(text, _)| std::cmp::Reverse(text.len()));
        }
    }

    /// One line without secrets, known names, addresses, paths and keys.
    pub fn line(&self, text: &str) -> String {
        let mut text = without_secrets(text);
        for (known, shown) in &self.known {
            text = replace_words(&text, known, shown);
        }
        let text = without_paths(&text);
        text.split_inclusive(' ').map(harmless_word).collect()
    }
}

/// Replaces `known` where it is not a part of a longer word.
fn replace_words(text: &str, known: &str, shown: &str) -> String {
    let is_part = |c: char| c.is_alphanumeric();
    let (first, last) = (known.chars().next(), known.chars().last());
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find(known) {
        let (before, found) = rest.split_at(at);
        let after = &found[known.len()..];
        let joins = |a: Option<char>, b: Option<char>| a.is_some_and(is_part) && b.is_some_and(is_part);
        out.push_str(before);
        if joins(out.chars().last(), first) || joins(last, after.chars().next()) {
            out.push_str(known);
        } else {
            out.push_str(shown);
        }
        rest = after;
    }
    out.push_str(rest);
    out
}

/// Takes out paths: from a slash that begins one to the quote that ends it, and to the end of the
/// text where it is in none, because names may hold anything.
fn without_paths(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut before = ' ';
    let mut chars = text.char_indices();
    while let Some((at, c)) = chars.next() {
        let next = text[at + c.len_utf8()..].chars().next();
        let begins = c == '/'
            && !before.is_alphanumeric()
            && before != '<'
            && next.is_some_and(|next| !next.is_whitespace());
        // A known place that was replaced may still have the rest of a path behind it.
        let goes_on = c == '/' && before == ')';
        if begins || goes_on {
            out.push_str(PATH);
            let opening = text[..at].chars().rev().find(|c| matches!(c, '"' | '\''));
            let closes = opening.filter(|quote| text[..at].matches(*quote).count() % 2 == 1);
            match closes.and_then(|quote| text[at..].find(quote)) {
                Some(len) => {
                    while chars.clone().next().is_some_and(|(next, _)| next < at + len) {
                        chars.next();
                    }
                    before = ')';
                    continue;
                }
                None => return out,
            }
        }
        out.push(c);
        before = c;
    }
    out
}

/// A word with the space after it, if nothing in it can be an address, a name of a file or a key.
fn harmless_word(word: &str) -> String {
    let plain = word.trim_end();
    let inner = plain.trim_matches(|c: char| !c.is_alphanumeric());
    let dots = inner.split('.').collect::<Vec<_>>();
    let is_address = dots.len() == 4 && dots.iter().all(|part| part.parse::<u8>().is_ok());
    let is_host = dots.len() > 1
        && dots.iter().all(|part| {
            !part.is_empty() && part.chars().all(|c| c.is_alphanumeric() || matches!(c, '-' | '_'))
        })
        && dots.last().is_some_and(|last| last.len() >= 2 && last.chars().any(char::is_alphabetic));
    let is_mail = inner.contains('@');
    let is_key = inner.len() >= KEY_LEN_MIN
        && inner.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '/' | '=' | '-' | '_'));
    if is_address || is_host || is_mail || is_key {
        plain.replace(inner, HIDDEN) + &word[plain.len()..]
    } else {
        word.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_hidden_and_the_rest_stays() {
        for (text, wanted) in [
            ("GET https://ada:hunter2@host/x", "GET https://(hidden)@host/x"),
            ("PUT https://h/x?X-Amz-Signature=abc&y=1 failed", "PUT https://h/x?(hidden) failed"),
            ("Authorization: Bearer abc.def-ghi", "Authorization: Bearer (hidden)"),
            ("{\"password\": \"hunter2\", \"n\": 1}", "{\"password\": \"(hidden)\", \"n\": 1}"),
            ("IMMICH_API_KEY=k3y next", "IMMICH_API_KEY=(hidden) next"),
            ("the change token has expired", "the change token has expired"),
            ("x-api-key: abc", "x-api-key: (hidden)"),
            ("sent Basic YWRhOmh1bnRlcg==, refused", "sent Basic (hidden), refused"),
            ("café 10 % done", "café 10 % done"),
        ] {
            assert_eq!(without_secrets(text), wanted);
        }
    }

    #[test]
    fn nothing_tells_who_or_where() {
        let mut redactor = Redactor::default();
        redactor.hide("/home/ada/My Photos", "(source 1)");
        redactor.hide("/home/ada", "(home)");
        redactor.hide("photos.example", "(destination 1)");
        redactor.hide("ada", "(user)");
        for (text, wanted) in [
            ("cannot read /home/ada/My Photos/Eve at sea.jpg: denied", "cannot read (source 1)(path)"),
            ("cannot read \"/srv/Eve at sea.jpg\": denied", "cannot read \"(path)\": denied"),
            ("open /srv/secret place/a.jpg failed", "open (path)"),
            ("dns of photos.example failed", "dns of (destination 1) failed"),
            ("dns of other.example.org failed", "dns of (hidden) failed"),
            ("192.168.1.20 refused ada", "(hidden) refused (user)"),
            ("adamant and/or ready, 3.5 MB", "adamant and/or ready, 3.5 MB"),
            ("holiday.jpg is gone", "(hidden) is gone"),
            ("mail eve@example.org", "mail (hidden)"),
            ("0123456789abcdef0123456789abcdef is wrong", "(hidden) is wrong"),
        ] {
            assert_eq!(redactor.line(text), wanted, "{text}");
        }
    }
}
