//! Patterns for keys: `*` any run of characters, `?` any one.

/// A pattern. It matches the whole key, or its last component where the pattern has no `/`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Glob(Vec<char>);

impl Glob {
    /// A pattern; upper and lower case are the same.
    pub fn new(pattern: &str) -> Self {
        Self(pattern.to_lowercase().chars().collect())
    }

    /// Whether a key matches.
    pub fn matches(&self, key: &str) -> bool {
        let key = if self.0.contains(&'/') { key } else { key.rsplit('/').next().unwrap_or(key) };
        let text: Vec<char> = key.to_lowercase().chars().collect();
        matches(&self.0, &text)
    }
}

/// Linear in practice: on a mismatch only the last `*` takes one character more.
fn matches(pattern: &[char], text: &[char]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some('*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(c) if *c == '?' || *c == text[t] => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, taken)) => {
                    star = Some((at, taken + 1));
                    p = at + 1;
                    t = taken + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == '*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn globs() {
        let check = |pattern: &str, key: &str| Glob::new(pattern).matches(key);
        assert!(check("*.jpg", "2019/2019-05/IMG_1.JPG"));
        assert!(check("2019/*", "2019/2019-05/IMG_1.JPG"));
        assert!(check("*IMG_?.*", "2019/2019-05/IMG_1.JPG"));
        assert!(!check("*.png", "2019/2019-05/IMG_1.JPG"));
        assert!(!check("2018/*", "2019/2019-05/IMG_1.JPG"));
        assert!(check("*", ""));
        assert!(!check("?", ""));
        assert!(!check(&"*a".repeat(50), &"b".repeat(10_000)));
    }
}
