//! Answers that someone in between has compressed, although every request says that they may not be
//! (`Accept-Encoding: identity`): they are read as what they were before (RFC 9110, section 8.4).

use std::collections::VecDeque;
use std::io::Write as _;

use bytes::Bytes;
use flate2::write::MultiGzDecoder;

use super::{Headers, HttpError, ResponseBody};
use crate::destination::BoxFuture;
use crate::domain::failure::{Failure, FailureKind};

/// How many compressed bytes are read at once: gzip makes at most about 1 000 bytes of each.
const SLICE_BYTES: usize = 2048;

/// Returns `body` as it was before it was compressed, and takes out of `headers` what was said of the
/// compressed bytes. A body that is not compressed is returned unchanged.
///
/// # Errors
/// `protocol` where it is compressed in a way that is not known.
pub(super) fn decoded(
    headers: &mut Headers,
    body: Box<dyn ResponseBody>,
) -> Result<Box<dyn ResponseBody>, Failure> {
    let encoding = headers.get("content-encoding").unwrap_or_default().trim().to_ascii_lowercase();
    match encoding.as_str() {
        "" | "identity" => return Ok(body),
        "gzip" | "x-gzip" => {}
        other => {
            let details = format!("the answer is compressed ({other}), although that was not asked for");
            return Err(Failure::destination(FailureKind::Protocol, details));
        }
    }
    headers.remove("content-encoding");
    headers.remove("content-length");
    Ok(Box::new(Gunzip {
        inner: body,
        waiting: VecDeque::new(),
        decoder: Some(MultiGzDecoder::new(Vec::new())),
    }))
}

/// A gzip stream that is being read.
struct Gunzip {
    inner: Box<dyn ResponseBody>,
    /// Compressed bytes that have come and were not decoded yet.
    waiting: VecDeque<Bytes>,
    /// `None` after the end.
    decoder: Option<MultiGzDecoder<Vec<u8>>>,
}

impl Gunzip {
    /// Decodes a slice; no bytes where it has not made any yet.
    fn decode(&mut self, slice: &[u8]) -> Result<Vec<u8>, HttpError> {
        let Some(decoder) = &mut self.decoder else { return Ok(Vec::new()) };
        decoder.write_all(slice).map_err(|_garbled| broken())?;
        Ok(std::mem::take(decoder.get_mut()))
    }

    fn finish(&mut self) -> Result<Vec<u8>, HttpError> {
        let Some(decoder) = self.decoder.take() else { return Ok(Vec::new()) };
        decoder.finish().map_err(|_cut| broken())
    }

    async fn next(&mut self) -> Result<Option<Bytes>, HttpError> {
        while self.decoder.is_some() {
            let made = match self.waiting.pop_front() {
                Some(mut bytes) => {
                    let slice = bytes.split_to(bytes.len().min(SLICE_BYTES));
                    if !bytes.is_empty() {
                        self.waiting.push_front(bytes);
                    }
                    self.decode(&slice)?
                }
                None => match self.inner.chunk().await? {
                    Some(bytes) => {
                        self.waiting.push_back(bytes);
                        continue;
                    }
                    None => self.finish()?,
                },
            };
            if !made.is_empty() {
                return Ok(Some(made.into()));
            }
        }
        Ok(None)
    }
}

fn broken() -> HttpError {
    Failure::transient(FailureKind::Connect, "the compressed answer is damaged or not whole").into()
}

impl ResponseBody for Gunzip {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, HttpError>> {
        Box::pin(self.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gzip(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(bytes).expect("in memory");
        encoder.finish().expect("in memory")
    }

    async fn read(encoding: &str, bytes: Vec<u8>) -> Result<(Vec<u8>, usize), HttpError> {
        let mut headers = Headers::from([("Content-Encoding", encoding), ("Content-Length", "1")]);
        let mut body = decoded(&mut headers, Box::new(Some(Bytes::from(bytes))))?;
        let (mut read, mut longest) = (Vec::new(), 0);
        while let Some(chunk) = body.chunk().await? {
            longest = longest.max(chunk.len());
            read.extend_from_slice(&chunk);
        }
        assert!(headers.get("content-length").is_none() || encoding == "identity");
        Ok((read, longest))
    }

    #[tokio::test]
    async fn compressed_answers_are_read_as_what_they_were() {
        let text = b"<a href=\"b\"/>".repeat(100_000);
        for encoding in ["gzip", "X-GZIP"] {
            let (read, longest) = read(encoding, gzip(&text)).await.expect("read");
            assert!(read == text && longest <= SLICE_BYTES * 1100, "{longest}");
        }
        assert_eq!(read("gzip", gzip(b"")).await.expect("read").0, b"");
        assert_eq!(read("identity", text.clone()).await.expect("read").0, text);
    }

    #[tokio::test]
    async fn what_is_damaged_cut_or_unknown_is_an_error() {
        let whole = gzip(&b"0123456789".repeat(1000));
        let cut = whole[..whole.len() - 3].to_vec();
        let mut other = whole.clone();
        other[40] ^= 1;
        for (encoding, bytes) in [("gzip", cut), ("gzip", other), ("gzip", b"plain".to_vec()), ("br", whole)]
        {
            assert!(matches!(read(encoding, bytes).await, Err(HttpError::Failed(_))));
        }
    }
}
