//! Uploads to a server that names them: what tus and the draft "Resumable Uploads for HTTP" share.
//!
//! An upload is created empty, its URL is saved, and then bytes are appended from the offset that
//! the server says it has. A protocol ([`Dialect`]) builds requests and reads answers, without input
//! or output; this decides what is asked next. It must never take an offset from its own memory,
//! send a byte twice that the server has confirmed, or send anything to an address of another
//! origin than the destination's.
//!
//! What such a server can and cannot promise:
//! - There are no names, so nothing is ever overwritten. A key goes along as metadata; the receipt
//!   is the upload's URL, and without it a copy cannot be found.
//! - When the answer to a *creation* is lost, nobody knows the upload: an empty one (where small
//!   files travel with their creation, a whole one) stays at the server, which has no listing by which it
//!   could be found. It goes when the server expires unfinished uploads (tus: the extension `expiration`);
//!   a server without that keeps it until somebody removes it there.
//! - When the answer to the *last append* is lost and the server forgets finished uploads, it cannot
//!   be told from one that never was: the file is sent again, and is there twice.
//! - An upload that is complete may still have been refused by what stands behind the server, if
//!   that answer was lost. Only bytes read back, or a digest that the server was seen to compare,
//!   are taken for proof; else the copy stays unproven.

pub(in crate::destination) mod answers;
mod calls;
mod explain;
mod location;
mod probe;
mod prove;
mod resume;
mod send;
mod state;
mod whole;

use parking_lot::Mutex;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use url::Url;

use crate::base::clock::Clock;
use crate::destination::address::ServerAddress;
use crate::destination::http::{Answer, Headers};
use crate::destination::server_parts::ServerParts;
use crate::destination::{BoxFuture, Capabilities, Checkpoint, Destination, Item, ReadBack, Sent, Transfer};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::hash::{DigestKind, Digests};
use crate::domain::record::Evidence;
use crate::domain::target::DestinationKind;
use state::ServerCapabilities;

/// What a server says of itself before anything is sent.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(in crate::destination) struct ServerOffer {
    /// It answered as one that knows the protocol.
    pub is_known: bool,
    /// The largest file it takes, in bytes.
    pub size_max: Option<u64>,
    /// The most bytes of one append.
    pub append_max: Option<u64>,
    /// The creation may carry the first bytes.
    pub takes_bytes_at_once: bool,
    /// An upload can be ended.
    pub can_end: bool,
    /// Digests that it says it compares with every append.
    pub part_kinds: Vec<DigestKind>,
    /// What a person may want to know.
    pub note: String,
    /// What the server calls itself.
    pub software: String,
}

/// What is to be created.
#[derive(Debug, Clone, Copy)]
pub(in crate::destination) struct NewUpload<'a> {
    /// The key, whose last part is the file's name as the server takes it.
    pub key: &'a str,
    /// The file's own name.
    pub original: &'a [u8],
    /// How long it is in bytes.
    pub size: u64,
    /// The original's modification time, in seconds since 1970.
    pub mtime: i64,
    /// The content's BLAKE3 in hexadecimal characters; empty where it is not known.
    pub blake3: &'a str,
    /// A digest of the whole file for the server to compare.
    pub whole: Option<(DigestKind, &'a Digests)>,
    /// The first bytes come with it.
    pub has_bytes: bool,
}

/// An upload that was created.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::destination) struct CreatedUpload {
    /// Its address as the server wrote it; `None` if the protocol was not understood.
    pub location: Option<String>,
    /// How many bytes it has.
    pub offset: u64,
    /// The most bytes of one append.
    pub append_max: Option<u64>,
}

/// Where an upload stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::destination) struct UploadStatus {
    /// How many bytes the server has.
    pub offset: u64,
    /// The upload is finished.
    pub is_complete: bool,
    /// How long it will be, where the server says so.
    pub length: Option<u64>,
    /// The BLAKE3 that its metadata name, where the server repeats them.
    pub blake3: Option<String>,
    /// The most bytes of one append.
    pub append_max: Option<u64>,
}

/// One append that the server took.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::destination) struct AppendAnswer {
    /// How many bytes the server has now, where it says so.
    pub offset: Option<u64>,
    /// The upload is finished.
    pub is_complete: bool,
    /// The file that it has become, as the server wrote its address.
    pub file: Option<String>,
}

/// What an answer that is not a success means for the upload.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::destination) enum UploadError {
    /// The server is at another offset; which, where it says so.
    Elsewhere(Option<u64>, Failure),
    /// The server does not have the upload any more.
    Gone(Failure),
    /// Another request holds the upload, most likely one of ours that was cut.
    Busy(Failure),
    /// It failed on the way: the upload goes on where the server is.
    Broken(Failure),
    /// The append was too long for the server, or for one in front of it.
    TooMuch(Failure),
    /// The last word: this upload is not to be continued.
    Over(Failure),
    /// The upload stays as it is, and cannot go on now.
    Stopped(Failure),
}

impl UploadError {
    /// The failure in it, for who does not tell them apart.
    fn into_failure(self) -> Failure {
        match self {
            Self::Elsewhere(_, failure)
            | Self::Gone(failure)
            | Self::Busy(failure)
            | Self::Broken(failure)
            | Self::TooMuch(failure)
            | Self::Over(failure)
            | Self::Stopped(failure) => failure,
        }
    }
}

/// An append that is about to be sent.
#[derive(Debug, Clone, Copy)]
pub(in crate::destination) struct Append<'a> {
    /// Where it begins.
    pub offset: u64,
    /// Where it ends: the offset after it.
    pub end: u64,
    /// It brings the last byte.
    pub is_last: bool,
    /// The digest of its bytes for the server to compare.
    pub digest: Option<(DigestKind, &'a Digests)>,
}

/// A protocol: requests built and answers read, without input or output. `form` is one of its
/// versions, where a server may speak one of several.
pub(in crate::destination) trait Dialect: Send + Sync {
    /// Which kind of destination speaks it.
    fn kind(&self) -> DestinationKind;
    /// Its forms, the best first.
    fn forms(&self) -> &'static [u8];
    /// The form in a person's words.
    fn describe(&self, form: u8) -> String;
    /// Asks the server what it can do.
    fn options(&self, form: u8) -> Headers;
    /// What it says that it can do.
    ///
    /// # Errors
    /// What the answer means for the destination.
    fn offer(&self, answer: &Answer, clock: &dyn Clock) -> Result<ServerOffer, Failure>;
    /// Creates an upload.
    fn create(&self, form: u8, new: &NewUpload<'_>) -> Headers;
    /// The upload that was created.
    ///
    /// # Errors
    /// What the answer means.
    fn created(&self, form: u8, answer: &Answer, clock: &dyn Clock) -> Result<CreatedUpload, Failure>;
    /// Asks where an upload stands.
    fn status_headers(&self, form: u8) -> Headers;
    /// Where it stands.
    ///
    /// # Errors
    /// What the answer means for the upload.
    fn read_status(&self, form: u8, answer: &Answer, clock: &dyn Clock) -> Result<UploadStatus, UploadError>;
    /// Appends bytes.
    fn append(&self, form: u8, append: &Append<'_>) -> Headers;
    /// The append that was taken.
    ///
    /// # Errors
    /// What the answer means for the upload.
    fn appended(
        &self,
        form: u8,
        append: &Append<'_>,
        answer: &Answer,
        clock: &dyn Clock,
    ) -> Result<AppendAnswer, UploadError>;
    /// What goes with every other request.
    fn base_headers(&self, form: u8) -> Headers;
    /// Bytes in no append finish an upload that has all of them.
    fn needs_closing(&self) -> bool;
    /// The digests of a whole file that may go with its creation, the best first.
    fn whole_kinds(&self) -> &'static [DigestKind];
}

/// A destination that takes uploads.
pub struct Uploads(Arc<Inner>);

pub(in crate::destination) struct Inner {
    dialect: Box<dyn Dialect>,
    parts: ServerParts,
    base: Url,
    /// What the probe found, and for this run in which form the server answers by now.
    findings: Mutex<ServerCapabilities>,
    /// The most bytes of one append that got through to the server.
    append_max: AtomicU64,
}

impl Uploads {
    pub(in crate::destination) fn new(
        dialect: Box<dyn Dialect>,
        parts: ServerParts,
    ) -> Result<Self, Failure> {
        let base = ServerAddress::parse(dialect.kind(), &parts.address)?.base;
        let findings = parts
            .capabilities
            .as_ref()
            .map(|known| ServerCapabilities::parse(&known.findings))
            .unwrap_or_default();
        let append_max = AtomicU64::new(findings.append_max.unwrap_or(u64::MAX));
        Ok(Self(Arc::new(Inner { dialect, base, findings: Mutex::new(findings), append_max, parts })))
    }

    /// Finds out what a server can do. Returns the destination with it.
    ///
    /// # Errors
    /// Why it cannot be used.
    pub(in crate::destination) async fn create(
        dialect: fn() -> Box<dyn Dialect>,
        parts: ServerParts,
    ) -> Result<(Self, Capabilities), Failure> {
        let capabilities = Self::new(dialect(), parts.clone())?.probe().await?;
        let known = ServerParts {
            uuid: Some(capabilities.uuid.clone()),
            capabilities: Some(capabilities.clone()),
            ..parts
        };
        Ok((Self::new(dialect(), known)?, capabilities))
    }
}

impl Inner {
    /// The server answers, and not in this protocol.
    fn not_understood(&self) -> Failure {
        let details = format!(
            "the server does not take uploads by this protocol at this address ({})",
            self.dialect.kind().as_str()
        );
        Failure::destination(FailureKind::Unsupported, details)
    }

    /// The most bytes of one append, where there is a limit.
    fn append_max(&self) -> Option<u64> {
        Some(self.append_max.load(Ordering::Relaxed)).filter(|max| *max < u64::MAX)
    }

    fn findings(&self) -> ServerCapabilities {
        self.findings.lock().clone()
    }

    fn learn(&self, findings: &ServerCapabilities) {
        *self.findings.lock() = findings.clone();
    }

    fn clock(&self) -> &dyn Clock {
        self.parts.clock.as_ref()
    }
}

impl Destination for Uploads {
    fn check(&self) -> BoxFuture<'_, Result<(), Failure>> {
        Box::pin(probe::check(&self.0))
    }

    fn probe(&self) -> BoxFuture<'_, Result<Capabilities, Failure>> {
        Box::pin(probe::probe(&self.0))
    }

    fn send<'a>(&'a self, item: &'a Item, transfer: &'a Transfer) -> BoxFuture<'a, Result<Sent, Failure>> {
        Box::pin(send::send(&self.0, item, transfer))
    }

    fn prove<'a>(
        &'a self,
        item: &'a Item,
        receipt: &'a str,
        transfer: &'a Transfer,
    ) -> BoxFuture<'a, Result<Evidence, Failure>> {
        Box::pin(prove::prove(&self.0, item, receipt, transfer))
    }

    fn read<'a>(&'a self, key: &'a str, receipt: &'a str) -> BoxFuture<'a, Result<ReadBack, Failure>> {
        Box::pin(prove::read(&self.0, key, receipt))
    }

    fn new_findings(&self) -> Option<String> {
        let found = ServerCapabilities { append_max: self.0.append_max(), ..self.0.findings() };
        let known = self
            .0
            .parts
            .capabilities
            .as_ref()
            .map(|capabilities| ServerCapabilities::parse(&capabilities.findings))?;
        (found.append_max != known.append_max).then(|| found.text())
    }

    fn software(&self) -> BoxFuture<'_, Result<String, Failure>> {
        Box::pin(async { Ok(self.0.options(self.0.findings().form).await?.software) })
    }

    fn abandon<'a>(&'a self, uploads: &'a [Checkpoint]) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            for (url, form) in uploads.iter().filter_map(|one| state::unfinished(one, &self.0.base)) {
                self.0.end(&url, form).await;
            }
        })
    }
}
