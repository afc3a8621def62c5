//! Forms with files (RFC 7578), built so that their exact length is known before they are sent.

use bytes::Bytes;

use crate::base::rng::Rng;
use crate::destination::http::Piece;

/// A form in the making. Parts are sent in the order in which they are added.
pub struct Form {
    boundary: String,
    pieces: Vec<Piece>,
    /// Bytes that wait for the next piece.
    pending: String,
}

impl Form {
    /// An empty form. Its boundary is random, so that no file can hold it but by chance.
    pub fn new(rng: &dyn Rng) -> Self {
        let boundary = format!("safelight-{:016x}{:016x}", rng.next_u64(), rng.next_u64());
        Self { boundary, pieces: Vec::new(), pending: String::new() }
    }

    /// The value of `Content-Type`.
    pub fn content_type(&self) -> String {
        format!("multipart/form-data; boundary={}", self.boundary)
    }

    /// Adds a text part.
    #[must_use]
    pub fn text(mut self, name: &str, value: &str) -> Self {
        self.begin(&format!("name=\"{}\"", quoted(name)), None);
        self.pending.push_str(value);
        self.pending.push_str("\r\n");
        self
    }

    /// Adds a file.
    #[must_use]
    pub fn file(mut self, name: &str, file_name: &str, content: Piece) -> Self {
        let named = format!("name=\"{}\"; filename=\"{}\"", quoted(name), quoted(file_name));
        self.begin(&named, Some("application/octet-stream"));
        self.flush();
        self.pieces.push(content);
        self.pending.push_str("\r\n");
        self
    }

    /// The whole form.
    pub fn finish(mut self) -> Vec<Piece> {
        let end = format!("--{}--\r\n", self.boundary);
        self.pending.push_str(&end);
        self.flush();
        self.pieces
    }

    fn begin(&mut self, named: &str, kind: Option<&str>) {
        let head = format!("--{}\r\nContent-Disposition: form-data; {named}\r\n", self.boundary);
        self.pending.push_str(&head);
        if let Some(kind) = kind {
            self.pending.push_str(&format!("Content-Type: {kind}\r\n"));
        }
        self.pending.push_str("\r\n");
    }

    fn flush(&mut self) {
        if !self.pending.is_empty() {
            let bytes = Bytes::from(std::mem::take(&mut self.pending).into_bytes());
            self.pieces.push(Piece::Bytes(bytes));
        }
    }
}

/// A name between quotes, as browsers escape it (HTML, "multipart form data").
fn quoted(name: &str) -> String {
    name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::rng::SeededRng;

    #[test]
    fn a_form_is_what_browsers_send() {
        let form = Form::new(&SeededRng::new(1));
        let boundary = form.boundary.clone();
        assert_eq!(form.content_type(), format!("multipart/form-data; boundary={boundary}"));
        let content = Piece::Bytes(Bytes::from_static(b"\xff\xd8bytes"));
        let pieces = form
            .text("filename", "Caf\u{e9} \"1\".jpg")
            .file("assetData", "Caf\u{e9} \"1\".jpg\r\nX: y", content)
            .finish();
        let expected = [
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"filename\"\r\n\r\nCaf\u{e9} \"1\".jpg\r\n")
                .as_bytes(),
            format!("--{boundary}\r\nContent-Disposition: form-data; name=\"assetData\"; filename=\"Caf\u{e9} %221%22.jpg%0D%0AX: y\"\r\n").as_bytes(),
            b"Content-Type: application/octet-stream\r\n\r\n\xff\xd8bytes\r\n",
            format!("--{boundary}--\r\n").as_bytes(),
        ]
        .concat();
        let sent: Vec<u8> = pieces
            .iter()
            .flat_map(|piece| match piece {
                Piece::Bytes(bytes) => bytes.to_vec(),
                Piece::Source(_) => Vec::new(),
            })
            .collect();
        assert_eq!(String::from_utf8_lossy(&sent), String::from_utf8_lossy(&expected));
    }
}
