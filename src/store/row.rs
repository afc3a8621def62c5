//! Errors, and small helpers to read rows into domain types.

use rusqlite::types::Type;

use crate::domain::failure::{Failure, FailureKind, Reach};
use crate::domain::hash::{Blake3, Digests};

/// Why the store could not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The database was written by a newer release.
    #[error("the database was written by a newer Safelight (its format is {found}, this one knows {known})")]
    Newer {
        /// The database's format.
        found: i64,
        /// The newest format this release knows.
        known: i64,
    },
    /// The database file is damaged.
    #[error("the database is damaged: {0}")]
    Damaged(String),
    /// There is no space left for the database.
    #[error("there is no space left for the database")]
    Full,
    /// The database's folder cannot be written.
    #[error("the database cannot be written: {0}")]
    ReadOnly(String),
    /// The disk under the database failed.
    #[error("the disk under the database failed: {0}")]
    Disk(String),
    /// The job limit was reached: the whole change block was undone.
    #[error("the job limit is reached")]
    LimitExceeded,
    /// What was asked does not fit the rows: gone, or in another state.
    #[error("{0}")]
    Refused(String),
    /// The store is closed.
    #[error("the store is closed")]
    Closed,
    /// SQLite failed otherwise.
    #[error("the database failed: {0}")]
    Sql(String),
    /// A file beside the database could not be read or written.
    #[error("{what}: {error}")]
    File {
        /// What was being done.
        what: &'static str,
        /// What the system said.
        error: std::io::Error,
    },
}

/// Why nothing can be written down for now. It ends by itself when somebody makes room.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outage {
    /// The disk is full.
    Full,
    /// The folder cannot be written, or its disk fails.
    Unwritable,
}

impl StoreError {
    /// Whether this may pass without anybody touching the database.
    pub fn outage(&self) -> Option<Outage> {
        match self {
            Self::Full => Some(Outage::Full),
            Self::ReadOnly(_) | Self::Disk(_) => Some(Outage::Unwritable),
            _ => None,
        }
    }
}

impl From<&StoreError> for Failure {
    /// What it means for work at a destination that the store failed. Its reach is the run: the destination is
    /// as it was, and where the disk under the database failed, nothing can be done anywhere.
    fn from(error: &StoreError) -> Self {
        let kind = match error.outage() {
            Some(Outage::Full) => FailureKind::Full,
            Some(Outage::Unwritable) => FailureKind::Forbidden,
            None => FailureKind::Protocol,
        };
        Self { reach: Reach::Run, ..Self::transient(kind, error.to_string()) }
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(error: rusqlite::Error) -> Self {
        use rusqlite::ErrorCode as C;
        match error.sqlite_error_code() {
            Some(C::DatabaseCorrupt | C::NotADatabase) => Self::Damaged(error.to_string()),
            Some(C::DiskFull) => Self::Full,
            Some(C::SystemIoFailure) => Self::Disk(error.to_string()),
            Some(C::ReadOnly | C::CannotOpen | C::PermissionDenied) => Self::ReadOnly(error.to_string()),
            _ => Self::Sql(error.to_string()),
        }
    }
}

/// A value of a closed enum that is kept as its stable name.
pub(super) fn parse_name<T>(
    row: &rusqlite::Row<'_>,
    column: usize,
    parse: fn(&str) -> Option<T>,
) -> rusqlite::Result<T> {
    let text = row.get_ref(column)?.as_str()?;
    parse(text).ok_or_else(|| {
        rusqlite::Error::FromSqlConversionFailure(column, Type::Text, format!("unknown name {text}").into())
    })
}

/// [`parse_name`] where the column may be NULL.
pub(super) fn parse_optional_name<T>(
    row: &rusqlite::Row<'_>,
    column: usize,
    parse: fn(&str) -> Option<T>,
) -> rusqlite::Result<Option<T>> {
    match row.get_ref(column)? {
        rusqlite::types::ValueRef::Null => Ok(None),
        _ => parse_name(row, column, parse).map(Some),
    }
}

/// A count, size or other number that the schema keeps at zero or above.
pub(super) fn unsigned(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<u64> {
    let value: i64 = row.get(column)?;
    u64::try_from(value).map_err(|_negative| rusqlite::Error::IntegralValueOutOfRange(column, value))
}

/// A size or count as SQLite keeps it; what does not fit is kept as the largest that does.
pub(super) fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

/// The columns of a content's other digests, with the content as `c`.
pub(super) const DIGESTS: &str = "c.sha1, c.sha256, c.md5, c.crc64nvme";

/// The digests in four columns as [`DIGESTS`] names them.
pub(super) fn digests(row: &rusqlite::Row<'_>, first: usize) -> rusqlite::Result<Digests> {
    Ok(Digests {
        sha1: row.get(first)?,
        sha256: row.get(first + 1)?,
        md5: row.get(first + 2)?,
        crc64nvme: row.get::<_, Option<[u8; 8]>>(first + 3)?.map(u64::from_be_bytes),
    })
}

/// A BLAKE3 digest.
pub(super) fn digest(row: &rusqlite::Row<'_>, column: usize) -> rusqlite::Result<Blake3> {
    row.get::<_, [u8; 32]>(column).map(Blake3)
}
