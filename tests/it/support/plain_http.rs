//! The least of an HTTP client, for looking behind a server's back: one request, one connection.

use std::io::{self, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// Sends one request of HTTP/1.0 and gives the status and the body.
pub fn ask(port: u16, method: &str, path: &str, fields: &[(&str, &str)], body: &[u8]) -> (u16, Vec<u8>) {
    try_ask(port, method, path, fields, body)
        .unwrap_or_else(|error| panic!("{method} {path} on port {port}: {error}"))
}

/// [`ask`], of a server that may not be up yet.
pub fn try_ask(
    port: u16,
    method: &str,
    path: &str,
    fields: &[(&str, &str)],
    body: &[u8],
) -> io::Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let mut head = format!("{method} {path} HTTP/1.0\r\nHost: 127.0.0.1:{port}\r\n");
    for (name, value) in fields {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    head.push_str(&format!("Content-Length: {}\r\n\r\n", body.len()));
    stream.write_all(head.as_bytes())?;
    stream.write_all(body)?;
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or(io::ErrorKind::UnexpectedEof)?;
    let head = String::from_utf8_lossy(&answer[..end]).into_owned();
    let status = head.split_whitespace().nth(1).and_then(|text| text.parse().ok());
    Ok((status.ok_or(io::ErrorKind::InvalidData)?, answer.split_off(end + 4)))
}

/// A path with everything escaped that is not plain.
pub fn escaped(path: &str) -> String {
    let mut text = String::new();
    for byte in path.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' => {
                text.push(byte.into());
            }
            other => text.push_str(&format!("%{other:02X}")),
        }
    }
    text
}
