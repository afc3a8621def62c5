//! How often sources are looked through, and how long changes settle.

use std::time::Duration;

/// How long a file must stay the same before it is read.
pub const SETTLE: Duration = Duration::from_secs(3);
/// How long hints are collected before they are followed.
pub const DEBOUNCE: Duration = Duration::from_secs(1);
/// How often everything is looked through, whatever is hinted.
pub const RESCAN_FLOOR: Duration = Duration::from_secs(6 * 3600);
/// How often a source that cannot be watched is looked through.
pub const UNWATCHED_POLL: Duration = Duration::from_secs(10 * 60);
/// How often a source that is not there is looked for.
pub const MISSING_POLL: Duration = Duration::from_secs(30);
/// How often a source on a disk of its own is looked for: the system does not tell of every way in
/// which a disk can go.
pub const MOUNT_POLL: Duration = Duration::from_secs(60);
/// How often a source that cannot be listed, or not be written down, is tried again.
pub const UNREADABLE_POLL: Duration = Duration::from_secs(5 * 60);
/// A source of fewer files may lose most of them in earnest.
pub const GONE_FILES_MIN: u64 = 20;
