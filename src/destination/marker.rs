//! The file by which a file-like destination is known again, whatever its address looks like.

use serde::{Deserialize, Serialize};

use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind};

/// The destination's own folder.
pub const HOME: &str = ".safelight";
/// Scratch folders in it are named this and 16 hexadecimal digits: what a probe tries is tried there.
pub const SCRATCH_PREFIX: &str = "probe-";
/// Scratch folders where there is no folder of our own yet.
pub const TRIAL_PREFIX: &str = ".safelight-try-";
/// The marker's name in it.
pub const MARKER: &str = "destination.json";
/// The longest marker that is read, in bytes.
pub const MARKER_BYTES_MAX: usize = 4096;
const FORMAT: u32 = 1;

/// What the marker says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Marker {
    /// The destination's UUID.
    pub uuid: String,
    /// When it was added first, RFC 3339.
    pub created: String,
    /// The version of the layout below this folder.
    pub format: u32,
}

/// Two UUIDs that differ in so few characters are one that was altered: by chance it does not happen.
const ALTERED_MAX: usize = 4;

impl Marker {
    /// A marker for a destination that is new.
    pub fn new(uuid: String, created: String) -> Self {
        Self { uuid, created, format: FORMAT }
    }

    /// Reads a marker.
    ///
    /// # Errors
    /// `conflict` when it is damaged or of a later version.
    pub fn parse(bytes: &[u8]) -> Result<Self, Failure> {
        let conflict = |why: &str| Failure::destination(FailureKind::Conflict, why);
        let damaged =
            || conflict("the file that names this destination is damaged").with_cause(Cause::MarkerDamaged);
        let marker: Self = serde_json::from_slice(bytes).map_err(|_json| damaged())?;
        if marker.format > FORMAT {
            return Err(conflict("this destination was made by a later version of Safelight"));
        }
        if !is_uuid(&marker.uuid) {
            return Err(damaged());
        }
        Ok(marker)
    }

    /// The marker as it is written.
    pub fn bytes(&self) -> Vec<u8> {
        // A struct of two strings and a number always serialises.
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }

    /// Makes sure that this is the destination that was expected.
    ///
    /// # Errors
    /// `conflict` when it is another.
    pub fn expect(&self, uuid: Option<&str>) -> Result<(), Failure> {
        match uuid {
            Some(uuid) if uuid != self.uuid => {
                let details = format!("expected destination {uuid}, found {}", self.uuid);
                let failure = Failure::destination(FailureKind::Conflict, details);
                let differ = uuid.bytes().zip(self.uuid.bytes()).filter(|(a, b)| a != b).count();
                Err(if differ <= ALTERED_MAX { failure.with_cause(Cause::MarkerDamaged) } else { failure })
            }
            _ => Ok(()),
        }
    }
}

fn is_uuid(text: &str) -> bool {
    text.len() == 36 && text.bytes().all(|b| b == b'-' || b.is_ascii_hexdigit())
}
