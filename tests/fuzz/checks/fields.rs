//! Header fields of upload protocols, one a line.

use crate::destination::uploads;

/// Each line by itself.
pub fn check(data: &[u8]) {
    for line in String::from_utf8_lossy(data).split('\n') {
        uploads::check(line);
        uploads::check_written(line);
    }
}
