//! What the person told of the network by way of the environment.

use std::io::{self, Read as _};
use std::path::PathBuf;

/// Names a file of certificate authorities, as PEM, that are trusted besides the system's own.
pub const AUTHORITIES_VARIABLE: &str = "SAFELIGHT_CA_FILE";
/// The largest such file, in bytes.
const AUTHORITIES_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// The authorities in the file that the environment names; nothing where it names none.
///
/// # Errors
/// When the file cannot be read, or is larger than any such file.
pub fn extra_authorities() -> io::Result<Vec<u8>> {
    let Some(path) = std::env::var_os(AUTHORITIES_VARIABLE).filter(|path| !path.is_empty()) else {
        return Ok(Vec::new());
    };
    let mut pem = Vec::new();
    std::fs::File::open(PathBuf::from(path))?.take(AUTHORITIES_BYTES_MAX + 1).read_to_end(&mut pem)?;
    if pem.len() as u64 > AUTHORITIES_BYTES_MAX {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too large"));
    }
    Ok(pem)
}
