//! A form with files (RFC 7578), read as Immich reads it: part by part, in order.

/// One part.
pub struct Part {
    pub name: String,
    pub file_name: Option<String>,
    pub bytes: Vec<u8>,
    /// Its head has control characters, which Immich's parser refuses.
    pub has_control: bool,
}

impl Part {
    /// The value of a text part.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.bytes).into_owned()
    }
}

/// The boundary in a `Content-Type`.
pub fn boundary(content_type: &str) -> Option<&str> {
    let (kind, rest) = content_type.split_once(';')?;
    let boundary = rest.split(';').find_map(|part| part.trim().strip_prefix("boundary="))?;
    (kind.trim() == "multipart/form-data").then(|| boundary.trim_matches('"'))
}

/// The parts of a whole body; none where it does not end as it should.
pub fn parse(body: &[u8], boundary: &str) -> Option<Vec<Part>> {
    let mark = format!("--{boundary}").into_bytes();
    let mut parts = Vec::new();
    let mut rest = body.strip_prefix(mark.as_slice())?;
    let between = [b"\r\n".as_slice(), &mark].concat();
    loop {
        if rest.starts_with(b"--") {
            return Some(parts);
        }
        rest = rest.strip_prefix(b"\r\n")?;
        let end = find(rest, &between)?;
        parts.push(part(&rest[..end])?);
        rest = &rest[end + between.len()..];
    }
}

fn part(bytes: &[u8]) -> Option<Part> {
    let end = find(bytes, b"\r\n\r\n")?;
    let head = std::str::from_utf8(&bytes[..end]).ok()?;
    let disposition = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-disposition").then_some(value)
    })?;
    let value = |name: &str| {
        let start = disposition.find(&format!("; {name}=\""))? + name.len() + 4;
        let value = &disposition[start..];
        Some(value[..value.find('"')?].replace("%22", "\""))
    };
    let has_control = disposition.chars().any(char::is_control);
    Some(Part {
        has_control,
        name: value("name")?,
        file_name: value("filename"),
        bytes: bytes[end + 4..].to_vec(),
    })
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    // The first byte is looked for by itself: bodies are large.
    let mut from = 0;
    while let Some(at) = haystack[from..].iter().position(|byte| *byte == needle[0]) {
        let at = from + at;
        if haystack[at..].starts_with(needle) {
            return Some(at);
        }
        from = at + 1;
    }
    None
}
