//! Going on with an upload that an earlier run began, and finding out that there is none any more.

use super::location::normalised;
use super::send::UploadRun;
use super::state::{Receipt, State};
use super::{UploadError, UploadStatus};
use crate::destination::http::HttpError;
use crate::destination::{NamedCopy, Phase};
use crate::domain::failure::{Failure, FailureKind, Reach};

/// How often in a row an upload that is gone on with may be answered with a server's error before another
/// is begun.
const REFUSALS_MAX: u32 = 3;
impl UploadRun<'_> {
    /// Finds the upload that an earlier run began. The server says how far it has come.
    pub(super) async fn resume(&mut self) -> Result<Option<UploadStatus>, HttpError> {
        let kept = self.transfer.checkpoint.as_ref().and_then(|checkpoint| State::parse(&checkpoint.state));
        let Some(state) = kept else { return Ok(None) };
        let Some(url) = state.url_at(&self.inner.base) else { return Ok(None) };
        if !state.is_of(self.item) {
            self.inner.end(&url, state.form).await;
            return Ok(None);
        }
        (self.state, self.url) = (state, Some(url));
        let failure = match self.query_status().await? {
            Ok(standing) => return Ok(Some(standing)),
            Err(UploadError::Gone(failure)) => failure,
            Err(trouble) => {
                let failure = trouble.into_failure();
                if !may_mean_unknown(&failure) && !self.is_refused_too_often(&failure).await? {
                    return Err(failure.into());
                }
                failure
            }
        };
        tracing::info!(details = %failure.details, "an unfinished upload is not known any more");
        self.give_up().await?;
        Ok(None)
    }

    /// Commits which upload the copy is, until it is verified: its address is one that the server made for
    /// this file alone.
    pub(super) async fn remember(&self, receipt: &Receipt) -> Result<(), Failure> {
        let (key, size, tag) = (self.item.key.clone(), self.item.content.size, receipt.url.to_string());
        self.transfer.save_named(NamedCopy { key, size, tag }).await
    }

    /// Ends the upload of an earlier try that was finished, and found to be another or none when it was to
    /// be proved. A copy that was ever verified is not remembered here.
    pub(super) async fn end_wrong_copy(&self) {
        let Some(copy) = self.transfer.named.as_ref().filter(|copy| copy.key == self.item.key) else {
            return;
        };
        if let Ok(url) = normalised(&self.inner.base, &copy.tag) {
            tracing::info!(record = %self.item.record, "a wrong copy that was never verified is removed");
            self.inner.end(&url, self.findings.form).await;
        }
    }

    /// Counts an error of the server's own, and says whether there were so many in a row that the upload
    /// is taken to be lost.
    async fn is_refused_too_often(&mut self, failure: &Failure) -> Result<bool, Failure> {
        if failure.kind != FailureKind::Server || failure.reach != Reach::Resource {
            return Ok(false);
        }
        self.state.refusals += 1;
        if self.state.refusals >= REFUSALS_MAX {
            return Ok(true);
        }
        self.transfer.save(Phase::Sending, self.state.text()).await?;
        Ok(false)
    }
}

/// Whether a refusal may mean that the server does not know the upload, whatever its code says elsewhere.
fn may_mean_unknown(failure: &Failure) -> bool {
    matches!(
        failure.kind,
        FailureKind::NotFound
            | FailureKind::Forbidden
            | FailureKind::BadRequest
            | FailureKind::Conflict
            | FailureKind::Unsupported
    )
}
