//! Paths below a source, as the bytes the file system gave.

/// A path relative to its source's folder: `/`-separated bytes, never empty, never absolute and
/// without `.` or `..` components. Names need not be UTF-8.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RelPath {
    /// The folder below the source, empty for the source itself; no leading or trailing slash.
    pub dir: Vec<u8>,
    /// The file's own name.
    pub name: Vec<u8>,
}

impl RelPath {
    /// The whole relative path.
    pub fn to_bytes(&self) -> Vec<u8> {
        join(&self.dir, &self.name)
    }

    /// The path as text for people; bytes that are not UTF-8 are shown as `�`.
    pub fn lossy(&self) -> String {
        String::from_utf8_lossy(&self.to_bytes()).into_owned()
    }

    /// Splits a relative path into folder and name; `None` where it would leave the source.
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        let is_plain = |part: &[u8]| !part.is_empty() && part != b"." && part != b"..";
        if bytes.contains(&0) || !bytes.split(|b| *b == b'/').all(is_plain) {
            return None;
        }
        let cut = bytes.iter().rposition(|b| *b == b'/');
        Some(match cut {
            Some(at) => Self { dir: bytes[..at].to_vec(), name: bytes[at + 1..].to_vec() },
            None => Self { dir: Vec::new(), name: bytes.to_vec() },
        })
    }
}

/// `dir/name`, or `name` alone where `dir` is empty.
pub fn join(dir: &[u8], name: &[u8]) -> Vec<u8> {
    let mut path = Vec::with_capacity(dir.len() + 1 + name.len());
    if !dir.is_empty() {
        path.extend_from_slice(dir);
        path.push(b'/');
    }
    path.extend_from_slice(name);
    path
}

/// A name cut at its last dot: stem and extension (without the dot). A name that starts with its
/// only dot, or has none, is all stem.
pub fn split_extension(name: &[u8]) -> (&[u8], &[u8]) {
    match name.iter().rposition(|b| *b == b'.') {
        Some(at) if at > 0 => (&name[..at], &name[at + 1..]),
        _ => (name, b""),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parse_refuses_paths_that_leave_the_source() {
        for bad in ["", "/a", "a/", "a//b", "../a", "a/../b", "./a", "a/.", "a\0b"] {
            assert_eq!(RelPath::parse(bad.as_bytes()), None, "{bad:?}");
        }
        let path = RelPath::parse(b"2019/05/IMG_1.JPG").expect("plain path");
        assert_eq!((path.dir.as_slice(), path.name.as_slice()), (&b"2019/05"[..], &b"IMG_1.JPG"[..]));
        assert_eq!(path.to_bytes(), b"2019/05/IMG_1.JPG");
    }

    #[test]
    fn extensions() {
        assert_eq!(split_extension(b"a.b.JPG"), (&b"a.b"[..], &b"JPG"[..]));
        assert_eq!(split_extension(b".hidden"), (&b".hidden"[..], &b""[..]));
        assert_eq!(split_extension(b"noext"), (&b"noext"[..], &b""[..]));
        assert_eq!(split_extension(b"dot."), (&b"dot"[..], &b""[..]));
    }
}
