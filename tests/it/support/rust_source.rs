//! Just enough of Rust's grammar to tell what a file names: idents, strings, paths, test code.

/// The smallest parts that matter here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Token {
    /// An identifier, keyword or number.
    Word(String),
    /// A string of any kind, without its quotes.
    Text(String),
    /// Any other character.
    Mark(char),
}

/// A token, the line it starts on, and whether it is inside `#[cfg(test)]`.
#[derive(Debug, Clone)]
pub struct LocatedToken {
    /// The token.
    pub token: Token,
    /// Its line, from 1.
    pub line: usize,
    /// It is test code.
    pub in_test: bool,
}

/// A path that a file names, from the crate's root (`["crate", "engine", "x"]`) or from another
/// crate's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedPath {
    /// Its segments. A glob's last one is `*`.
    pub segments: Vec<String>,
    /// Its line, from 1.
    pub line: usize,
    /// It is named by test code.
    pub in_test: bool,
}

/// The tokens of a file, without comments.
pub fn tokens(source: &str) -> Vec<LocatedToken> {
    let mut lexer = Lexer { chars: source.chars().collect(), at: 0, line: 1, out: Vec::new() };
    while lexer.at < lexer.chars.len() {
        lexer.step();
    }
    mark_tests(&mut lexer.out);
    lexer.out
}

struct Lexer {
    chars: Vec<char>,
    at: usize,
    line: usize,
    out: Vec<LocatedToken>,
}

impl Lexer {
    fn peek(&self, ahead: usize) -> char {
        self.chars.get(self.at + ahead).copied().unwrap_or('\0')
    }

    fn bump(&mut self) -> char {
        let c = self.peek(0);
        self.at += 1;
        if c == '\n' {
            self.line += 1;
        }
        c
    }

    fn push(&mut self, token: Token, line: usize) {
        self.out.push(LocatedToken { token, line, in_test: false });
    }

    fn step(&mut self) {
        let line = self.line;
        match (self.peek(0), self.peek(1)) {
            ('/', '/') => {
                while self.at < self.chars.len() && self.peek(0) != '\n' {
                    self.bump();
                }
            }
            ('/', '*') => self.block_comment(),
            ('"', _) => self.string(line),
            ('\'', _) => self.quote(),
            (c, _) if c.is_alphanumeric() || c == '_' => self.word(line),
            (c, _) => {
                self.bump();
                if !c.is_whitespace() {
                    self.push(Token::Mark(c), line);
                }
            }
        }
    }

    fn block_comment(&mut self) {
        let mut depth = 0_usize;
        while self.at < self.chars.len() {
            match (self.peek(0), self.peek(1)) {
                ('/', '*') => (depth, self.at) = (depth + 1, self.at + 2),
                ('*', '/') => (depth, self.at) = (depth - 1, self.at + 2),
                _ => {
                    self.bump();
                }
            }
            if depth == 0 {
                return;
            }
        }
    }

    fn string(&mut self, line: usize) {
        self.bump();
        let mut text = String::new();
        while self.at < self.chars.len() {
            match self.bump() {
                '"' => break,
                '\\' => {
                    text.push('\\');
                    text.push(self.bump());
                }
                c => text.push(c),
            }
        }
        self.push(Token::Text(text), line);
    }

    fn raw_string(&mut self, line: usize) {
        let mut hashes = 0;
        while self.peek(0) == '#' {
            self.bump();
            hashes += 1;
        }
        self.bump();
        let mut text = String::new();
        while self.at < self.chars.len() {
            let c = self.bump();
            if c == '"' && (0..hashes).all(|ahead| self.peek(ahead) == '#') {
                self.at += hashes;
                break;
            }
            text.push(c);
        }
        self.push(Token::Text(text), line);
    }

    /// A character, which is dropped, or a lifetime, whose name is dropped too.
    fn quote(&mut self) {
        self.bump();
        if self.peek(0) == '\\' {
            self.bump();
            self.bump();
            while self.at < self.chars.len() && self.bump() != '\'' {}
        } else if self.peek(1) == '\'' {
            self.bump();
            self.bump();
        } else {
            while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
                self.bump();
            }
        }
    }

    fn word(&mut self, line: usize) {
        let mut word = String::new();
        while self.peek(0).is_alphanumeric() || self.peek(0) == '_' {
            word.push(self.bump());
        }
        let is_prefix = matches!(word.as_str(), "r" | "b" | "c" | "br" | "cr");
        let starts_raw = word.contains('r') && self.opens_raw();
        if is_prefix && starts_raw {
            self.raw_string(line);
        } else if is_prefix && self.peek(0) == '"' {
            self.string(line);
        } else if word == "b" && self.peek(0) == '\'' {
            self.quote();
        } else if word == "r" && self.peek(0) == '#' {
            self.bump();
            self.word(line);
        } else {
            self.push(Token::Word(word), line);
        }
    }

    fn opens_raw(&self) -> bool {
        let hashes = (0..).take_while(|ahead| self.peek(*ahead) == '#').count();
        self.peek(hashes) == '"'
    }
}

fn is_mark(tokens: &[LocatedToken], at: usize, mark: char) -> bool {
    tokens.get(at).is_some_and(|t| t.token == Token::Mark(mark))
}

fn word_at(tokens: &[LocatedToken], at: usize) -> Option<&str> {
    match &tokens.get(at)?.token {
        Token::Word(word) => Some(word),
        _ => None,
    }
}

/// The index after the bracket that closes the one at `open`.
fn after_group(tokens: &[LocatedToken], open: usize) -> usize {
    let mut depth = 0_usize;
    for (at, placed) in tokens.iter().enumerate().skip(open) {
        match placed.token {
            Token::Mark('(' | '[' | '{') => depth += 1,
            Token::Mark(')' | ']' | '}') => depth = depth.saturating_sub(1),
            _ => {}
        }
        if depth == 0 {
            return at + 1;
        }
    }
    tokens.len()
}

/// Marks what `#[cfg(test)]` covers: the item behind it, to its closing brace or semicolon.
fn mark_tests(tokens: &mut [LocatedToken]) {
    let mut at = 0;
    while at < tokens.len() {
        let attribute = is_mark(tokens, at, '#') && is_mark(tokens, at + 1, '[');
        let is_test = attribute
            && word_at(tokens, at + 2) == Some("cfg")
            && is_mark(tokens, at + 3, '(')
            && word_at(tokens, at + 4) == Some("test")
            && is_mark(tokens, at + 5, ')');
        if !is_test {
            at += 1;
            continue;
        }
        let mut end = after_group(tokens, at + 1);
        while is_mark(tokens, end, '#') && is_mark(tokens, end + 1, '[') {
            end = after_group(tokens, end + 1);
        }
        while end < tokens.len() && !is_mark(tokens, end, ';') && !is_mark(tokens, end, '{') {
            end = match tokens[end].token {
                Token::Mark('(' | '[') => after_group(tokens, end),
                _ => end + 1,
            };
        }
        end = if is_mark(tokens, end, '{') { after_group(tokens, end) } else { end + 1 };
        let end = end.min(tokens.len());
        for placed in &mut tokens[at..end] {
            placed.in_test = true;
        }
        at = end;
    }
}

/// All paths that a file names, those of `use` trees spelled out, `self` and `super` resolved.
///
/// `module` is the file's own place below the crate's root: `["engine", "wake"]`.
pub fn named_paths(tokens: &[LocatedToken], module: &[String]) -> Vec<NamedPath> {
    let mut found = Vec::new();
    // Inline modules, each with the brace depth it was opened at.
    let mut inner: Vec<(String, usize)> = Vec::new();
    let (mut depth, mut at) = (0_usize, 0_usize);
    while at < tokens.len() {
        match &tokens[at].token {
            Token::Mark('{') => depth += 1,
            Token::Mark('}') => {
                depth = depth.saturating_sub(1);
                inner.retain(|(_, opened)| *opened < depth);
            }
            Token::Word(word) if word == "mod" && is_mark(tokens, at + 2, '{') => {
                inner.push((word_at(tokens, at + 1).unwrap_or_default().to_owned(), depth));
                depth += 1;
                at += 2;
            }
            Token::Word(word) => {
                let mut here = module.to_vec();
                here.extend(inner.iter().map(|(name, _)| name.clone()));
                let first = found.len();
                if word == "use" && !is_mark(tokens, at + 1, '<') {
                    at = use_tree(tokens, at + 1, &[], &mut found);
                } else if !follows_path_or_dot(tokens, at) {
                    at = plain_path(tokens, at, &mut found);
                } else {
                    at += 1;
                }
                for path in &mut found[first..] {
                    path.segments = resolve(&path.segments, &here);
                }
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}

fn follows_path_or_dot(tokens: &[LocatedToken], at: usize) -> bool {
    let is_range = at.checked_sub(2).is_some_and(|before| is_mark(tokens, before, '.'));
    at.checked_sub(1).is_some_and(|before| is_mark(tokens, before, '.') && !is_range)
        || at.checked_sub(2).is_some_and(|before| {
            is_mark(tokens, before, ':')
                && is_mark(tokens, before + 1, ':')
                && before
                    .checked_sub(1)
                    .is_some_and(|prior| matches!(tokens[prior].token, Token::Word(_) | Token::Mark('>')))
        })
}

fn plain_path(tokens: &[LocatedToken], start: usize, found: &mut Vec<NamedPath>) -> usize {
    let mut segments = Vec::new();
    let mut at = start;
    while let Some(word) = word_at(tokens, at) {
        segments.push(word.to_owned());
        at += 1;
        let goes_on = is_mark(tokens, at, ':') && is_mark(tokens, at + 1, ':');
        if !goes_on || word_at(tokens, at + 2).is_none() {
            break;
        }
        at += 2;
    }
    found.push(NamedPath { segments, line: tokens[start].line, in_test: tokens[start].in_test });
    at
}

fn use_tree(tokens: &[LocatedToken], start: usize, prefix: &[String], found: &mut Vec<NamedPath>) -> usize {
    let mut segments = prefix.to_vec();
    let mut at = start;
    loop {
        while is_mark(tokens, at, ':') {
            at += 1;
        }
        if is_mark(tokens, at, '{') {
            at += 1;
            while at < tokens.len() && !is_mark(tokens, at, '}') {
                at = use_tree(tokens, at, &segments, found);
                if is_mark(tokens, at, ',') {
                    at += 1;
                }
            }
            return at + 1;
        }
        if is_mark(tokens, at, '*') {
            segments.push("*".to_owned());
            at += 1;
            break;
        }
        let Some(word) = word_at(tokens, at) else { break };
        if word == "as" {
            at += 2;
            break;
        }
        if word != "self" || segments.is_empty() {
            segments.push(word.to_owned());
        }
        at += 1;
        if !is_mark(tokens, at, ':') && word_at(tokens, at) != Some("as") {
            break;
        }
    }
    let line = tokens.get(start).map_or(0, |t| t.line);
    let in_test = tokens.get(start).is_some_and(|t| t.in_test);
    found.push(NamedPath { segments, line, in_test });
    at.max(start + 1)
}

fn resolve(segments: &[String], module: &[String]) -> Vec<String> {
    let mut base: Option<Vec<String>> = None;
    let mut rest = segments;
    while let Some((first, tail)) = rest.split_first() {
        match first.as_str() {
            "crate" | "safelight" if base.is_none() => base = Some(Vec::new()),
            "self" if base.is_none() => base = Some(module.to_vec()),
            "super" => {
                let mut up = base.take().unwrap_or_else(|| module.to_vec());
                up.pop();
                base = Some(up);
            }
            _ => break,
        }
        rest = tail;
    }
    let Some(base) = base else { return segments.to_vec() };
    let mut whole = vec!["crate".to_owned()];
    whole.extend(base);
    whole.extend(rest.iter().cloned());
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    fn paths(module: &str, source: &str) -> Vec<String> {
        let module: Vec<String> = module.split("::").filter(|s| !s.is_empty()).map(str::to_owned).collect();
        named_paths(&tokens(source), &module).into_iter().map(|path| path.segments.join("::")).collect()
    }

    #[test]
    fn use_trees_are_spelled_out() {
        assert_eq!(
            paths("ui", "use crate::{api, b::{self, c as d, e::*}, f};"),
            ["crate::api", "crate::b", "crate::b::c", "crate::b::e::*", "crate::f"]
        );
        assert_eq!(paths("", "pub use ::std::fs;"), ["pub", "std::fs"]);
        assert_eq!(paths("", "use tokio;"), ["tokio"]);
        assert_eq!(paths("", "impl Sized + use<'_>"), ["impl", "Sized", "use"]);
    }

    #[test]
    fn relative_paths_are_resolved() {
        assert_eq!(paths("engine::wake", "use super::super::ui::x;"), ["crate::ui::x"]);
        assert_eq!(paths("engine", "mod tests { use super::*; }"), ["crate::engine::*"]);
        assert_eq!(
            paths("engine", "mod tests { use super::super::ui; } use self::a;"),
            ["crate::ui", "crate::engine::a"]
        );
        assert_eq!(paths("engine", "safelight::ui::run()"), ["crate::ui::run"]);
        assert_eq!(paths("engine", "a.crate_b; 0..crate::ui::X"), ["a", "0", "crate::ui::X"]);
    }

    #[test]
    fn comments_and_strings_name_nothing() {
        let source = r##"// crate::ui
            /* crate::ui /* nested */ crate::ui */
            let a = ("crate::ui", r#"crate::"ui"#, b"crate::ui", '"', 'x', '\'', "\"crate::ui");
            let b: &'static str = crate::api::X;"##;
        let found = paths("", source);
        assert!(found.contains(&"crate::api::X".to_owned()), "{found:?}");
        assert!(!found.iter().any(|path| path.contains("ui")), "{found:?}");
        let texts: Vec<_> =
            tokens(source).into_iter().filter(|placed| matches!(placed.token, Token::Text(_))).collect();
        assert_eq!(texts.len(), 4);
    }

    #[test]
    fn test_code_is_known() {
        let source = "fn a() {}\n#[cfg(test)]\n#[x(y)]\nmod tests { fn b() { c(); } }\nfn d() {}";
        let in_test = |name: &str| {
            tokens(source)
                .into_iter()
                .find(|placed| placed.token == Token::Word(name.to_owned()))
                .is_some_and(|placed| placed.in_test)
        };
        assert!(!in_test("a") && in_test("b") && in_test("c") && !in_test("d"));
    }
}
