//! Reading a copy back before it gets its name, and looking at it once more afterwards.

use std::sync::Arc;

use super::fs::{EntryFacts, FolderDir};
use super::prove::prove_file;
use super::temp_copy::{CopyOutcome, CopySend, remove_temp};
use super::{Inner, ProofSupport, split_key};
use crate::base::mutant::{self, Mutant};
use crate::destination::{Phase, Transfer};
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::record::ProofMethod;

/// What was found out of a whole temp file before it gets its name.
pub(super) struct VerifiedTemp {
    pub dir: Box<dyn FolderDir>,
    /// What it is by then; a rename changes none of it.
    pub facts: EntryFacts,
    /// How it was proved; `None` where nothing can be proved here now.
    pub method: Option<ProofMethod>,
}

/// Brings all bytes under the temp name and reads them back there. A bad copy is removed and made once
/// more. `None` when told to stop.
pub(super) async fn copy_and_check(
    inner: &Arc<Inner>,
    job: &Arc<CopySend>,
    transfer: &Transfer,
) -> Result<Option<VerifiedTemp>, Failure> {
    let mut is_last = false;
    loop {
        transfer.save(Phase::Sending, String::new()).await?;
        let copy = Arc::clone(job);
        let dir = match inner.run(move |inner| copy.copy(inner)).await? {
            CopyOutcome::Ready(dir) => dir,
            CopyOutcome::Stopped => return Ok(None),
        };
        transfer.save(Phase::Proving, String::new()).await?;
        let _housekeeping = match inner.known_proof() {
            // Finding the method out makes scratch files, which cleaning must not meet.
            ProofSupport::Unknown => Some(Arc::clone(&inner.housekeeping).lock_owned().await),
            ProofSupport::Known(_) => None,
        };
        let check = Arc::clone(job);
        match inner.run(move |inner| check.check(inner, dir)).await {
            Ok(checked) => return Ok(Some(checked)),
            Err(_stopped) if job.stop.is_cancelled() => return Ok(None),
            Err(failure) if failure.kind == FailureKind::DigestMismatch && !is_last => is_last = true,
            Err(failure) => return Err(failure),
        }
    }
}

impl CopySend {
    /// Reads the whole temp file back, past the cache where that can be done. A bad one is removed.
    fn check(&self, inner: &Inner, dir: Box<dyn FolderDir>) -> Result<VerifiedTemp, Failure> {
        let temp = self.temp();
        let facts = dir.entry(&temp).map_err(|error| inner.explain(&error, "looking at the temp file"))?;
        if mutant::is(Mutant::NamesFirst) {
            return Ok(VerifiedTemp { dir, facts, method: None });
        }
        match prove_file(inner, dir.as_ref(), &temp, self.item.content, false, &self.stop) {
            Ok(method) => Ok(VerifiedTemp { dir, facts, method }),
            Err(failure) => {
                if failure.kind == FailureKind::DigestMismatch {
                    remove_temp(inner, dir.as_ref(), &temp)?;
                }
                Err(failure)
            }
        }
    }

    /// Looks at the copy once more, under its final name. On a disk of this computer a rename keeps the
    /// file's number, length and time, so that it is the file that was read. Elsewhere, and where the
    /// rename could have replaced something, it is read again.
    pub(super) fn look_again(
        &self,
        inner: &Inner,
        dir: &dyn FolderDir,
        before: EntryFacts,
        method: ProofMethod,
        is_exclusive: bool,
    ) -> Result<Option<ProofMethod>, Failure> {
        let (_folder, name) = split_key(&self.item.key);
        let now = dir.entry(name).map_err(|error| inner.explain(&error, "looking at the copy"))?;
        if is_exclusive && now == before && method != ProofMethod::ReadBack {
            return Ok(Some(method));
        }
        prove_file(inner, dir, name, self.item.content, false, &self.stop)
    }
}
