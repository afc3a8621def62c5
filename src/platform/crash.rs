//! What a process leaves behind when it dies by a fault.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Keeps this process and those that it starts from leaving core files: such a file holds everything
/// that was in memory, and with it passwords and keys.
pub fn leave_no_core() {
    let maximum = getrlimit(Resource::Core).maximum;
    if let Err(error) = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum }) {
        tracing::warn!(%error, "a crash may leave a core file");
    }
}
