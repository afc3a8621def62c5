//! What is remembered of an upload and of a server, in words that survive a restart.
//!
//! A checkpoint and a receipt are read back from the ledger: a URL in them is checked against the
//! destination again before anything is sent to it. The offset is never kept: only the server knows
//! it.

use serde::{Deserialize, Serialize};
use url::Url;

use super::location::normalised;
use crate::destination::{Checkpoint, Item, Phase};
use crate::domain::hash::DigestKind;
use crate::domain::time::UnixMillis;

/// An upload that was begun, as a checkpoint holds it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct State {
    /// The content's BLAKE3, in hexadecimal characters.
    pub content: String,
    /// Its length in bytes.
    pub size: u64,
    /// Where the server keeps the upload; none before it said so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// In which of the protocol's forms it was created.
    #[serde(default)]
    pub form: u8,
    /// The digest of the whole file that went with the creation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<String>,
    /// The digest that goes with every append.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parts: Option<String>,
    /// How often in a row the server has answered with an error when it was gone on with.
    #[serde(default)]
    pub refusals: u32,
}

impl State {
    /// An upload of an item's content that is yet to be created.
    pub fn new(item: &Item) -> Self {
        Self {
            content: item.content.blake3.to_hex(),
            size: item.content.size,
            url: None,
            form: 0,
            whole: None,
            parts: None,
            refusals: 0,
        }
    }

    /// Reads a checkpoint's words; one that makes no sense is none.
    pub fn parse(text: &str) -> Option<Self> {
        serde_json::from_str(text).ok()
    }

    /// The words for a checkpoint.
    pub fn text(&self) -> String {
        // A struct of strings and numbers always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Whether it is an upload of this item's content.
    pub fn is_of(&self, item: &Item) -> bool {
        self.size == item.content.size && self.content == item.content.blake3.to_hex()
    }

    /// Where the upload is, if that is at this destination.
    pub fn url_at(&self, base: &Url) -> Option<Url> {
        normalised(base, self.url.as_deref()?).ok()
    }

    /// The digest that goes with every append.
    pub fn part_kind(&self) -> Option<DigestKind> {
        self.parts.as_deref().and_then(DigestKind::parse)
    }
}

/// The unfinished upload of a checkpoint, if it holds one.
pub(super) fn unfinished(checkpoint: &Checkpoint, base: &Url) -> Option<(Url, u8)> {
    if !matches!(checkpoint.phase, Phase::Creating | Phase::Sending) {
        return None;
    }
    let state = State::parse(&checkpoint.state)?;
    Some((state.url_at(base)?, state.form))
}

/// How a finished upload is known: its URL, where the file can be had if that is elsewhere, and the
/// digest that the server compared.
///
/// In writing: the URL, then ` file=URL` and ` sha256@MILLISECONDS` where they apply.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Receipt {
    /// The upload.
    pub url: Url,
    /// The file that it has become.
    pub file: Option<Url>,
    /// Which digest the server compared, and when.
    pub checked: Option<(DigestKind, UnixMillis)>,
}

impl Receipt {
    /// Reads a receipt of this destination.
    pub fn parse(text: &str, base: &Url) -> Option<Self> {
        let mut words = text.split(' ');
        let mut receipt = Self { url: normalised(base, words.next()?).ok()?, file: None, checked: None };
        for word in words {
            if let Some(file) = word.strip_prefix("file=") {
                receipt.file = Some(normalised(base, file).ok()?);
            } else {
                let (kind, at) = word.split_once('@')?;
                receipt.checked = Some((DigestKind::parse(kind)?, UnixMillis(at.parse().ok()?)));
            }
        }
        Some(receipt)
    }

    /// The receipt in writing.
    pub fn text(&self) -> String {
        let mut text = self.url.to_string();
        if let Some(file) = &self.file {
            text += &format!(" file={file}");
        }
        if let Some((kind, at)) = self.checked {
            text += &format!(" {}@{}", kind.as_str(), at.0);
        }
        text
    }
}

/// Where a server returns the bytes of an upload.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(rename_all = "snake_case")]
pub(super) enum ReadBackSource {
    /// It does not return them.
    #[default]
    Nowhere,
    /// At the upload itself.
    Upload,
    /// Where the final answer pointed to.
    File,
}

/// What a probe found out of a server, beyond what all destinations have.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, Default)]
#[serde(default)]
pub(super) struct ServerCapabilities {
    /// In which of the protocol's forms it answers.
    pub form: u8,
    /// Where it gives the bytes back.
    #[serde(rename = "gives_back")]
    pub read_back_source: ReadBackSource,
    /// It still knows an upload that is finished.
    pub keeps: bool,
    /// An upload can be ended.
    pub can_end: bool,
    /// The creation may carry the first bytes.
    pub takes_bytes_at_once: bool,
    /// It answers to OPTIONS.
    pub answers_options: bool,
    /// The digest of the whole file of which a wrong one was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub whole: Option<String>,
    /// The digest of an append of which a wrong one was refused.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parts: Option<String>,
    /// The most bytes of one append.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub append_max: Option<u64>,
}

impl ServerCapabilities {
    /// Reads what was kept; what makes no sense reads as nothing found.
    pub fn parse(text: &str) -> Self {
        serde_json::from_str(text).unwrap_or_default()
    }

    /// As it is kept.
    pub fn text(&self) -> String {
        // A struct of strings, numbers and flags always serialises.
        serde_json::to_string(self).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn base() -> Url {
        Url::parse("https://h.example/files/").expect("a URL")
    }

    #[test]
    fn what_an_earlier_release_kept_is_read() {
        let kept = r#"{"form":9,"gives_back":"upload","keeps":true}"#;
        let read = ServerCapabilities::parse(kept);
        assert_eq!((read.form, read.read_back_source, read.keeps), (9, ReadBackSource::Upload, true));
        assert!(read.text().contains("\"gives_back\":\"upload\""), "{}", read.text());
    }

    #[test]
    fn receipts_round_trip_and_stay_at_their_destination() {
        let url = Url::parse("https://h.example/files/a?t=1").expect("a URL");
        let file = Url::parse("https://h.example/photos/1").expect("a URL");
        let plain = Receipt { url, file: None, checked: None };
        let full = Receipt {
            file: Some(file),
            checked: Some((DigestKind::Sha256, UnixMillis(1_700_000_000_000))),
            ..plain.clone()
        };
        for receipt in [plain, full] {
            assert_eq!(Receipt::parse(&receipt.text(), &base()), Some(receipt));
        }
        for bad in [
            "",
            " ",
            "https://evil.example/files/a",
            "https://h.example/files/a file=https://evil.example/a",
            "https://h.example/files/a sha256@x",
            "https://h.example/files/a crc@1",
            "https://h.example/files/a ",
        ] {
            assert_eq!(Receipt::parse(bad, &base()), None, "{bad:?}");
        }
    }

    #[test]
    fn only_unfinished_uploads_of_this_destination_are_found() {
        let state = |url: &str| format!("{{\"content\":\"00\",\"size\":1,\"url\":\"{url}\",\"form\":6}}");
        let found = |phase, state: String| unfinished(&Checkpoint { phase, state }, &base());
        let url = Url::parse("https://h.example/files/a").expect("a URL");
        assert_eq!(found(Phase::Sending, state("https://h.example/files/a")), Some((url, 6)));
        assert_eq!(found(Phase::Proving, state("https://h.example/files/a")), None);
        assert_eq!(found(Phase::Sending, state("https://evil.example/a")), None);
        assert_eq!(found(Phase::Sending, "https://h.example/files/a".to_owned()), None);
        assert_eq!(found(Phase::Creating, "{\"content\":\"00\",\"size\":1}".to_owned()), None);
    }

    proptest! {
        #[test]
        fn no_text_is_too_strange(text in ".{0,80}") {
            Receipt::parse(&text, &base());
            State::parse(&text);
            ServerCapabilities::parse(&text);
        }
    }
}
