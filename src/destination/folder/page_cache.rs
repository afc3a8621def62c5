//! How much of a file the page cache holds: the only unsafe code of the folder destination, since
//! no safe wrapper asks this.

use std::fs::File;
use std::io;
use std::os::fd::AsRawFd as _;

/// How much of a file is looked at in one call, in bytes: 64 Ki pages of 4 KiB.
const WINDOW_BYTES: u64 = 256 * 1024 * 1024;
const PAGE_BYTES_MIN: usize = 4096;

/// How many pages of the first `size` bytes of `file` are in memory.
///
/// # Errors
/// Whatever the system says.
pub(super) fn resident_pages(file: &File, size: u64) -> io::Result<usize> {
    let mut resident = 0;
    let mut offset = 0;
    while offset < size {
        let length = usize::try_from((size - offset).min(WINDOW_BYTES)).map_err(io::Error::other)?;
        resident += resident_in_window(file, offset, length)?;
        offset += WINDOW_BYTES;
    }
    Ok(resident)
}

#[expect(unsafe_code, reason = "mincore has no safe wrapper, and it needs a mapping")]
fn resident_in_window(file: &File, offset: u64, length: usize) -> io::Result<usize> {
    let offset = libc::off_t::try_from(offset).map_err(io::Error::other)?;
    let mut pages = vec![0_u8; length.div_ceil(PAGE_BYTES_MIN)];
    // SAFETY: a new mapping at an address of the system's choice, checked below, never read or
    // written, and unmapped before this function returns. `pages` has a byte for every page even
    // of the smallest size.
    let outcome = unsafe {
        let address = libc::mmap(
            std::ptr::null_mut(),
            length,
            libc::PROT_READ,
            libc::MAP_SHARED,
            file.as_raw_fd(),
            offset,
        );
        if address == libc::MAP_FAILED {
            let error = io::Error::last_os_error();
            // What cannot be mapped is not read through the page cache (FUSE with direct I/O).
            return if error.raw_os_error() == Some(libc::ENODEV) { Ok(0) } else { Err(error) };
        }
        let outcome = if libc::mincore(address, length, pages.as_mut_ptr()) == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        };
        libc::munmap(address, length);
        outcome
    };
    outcome?;
    Ok(pages.iter().filter(|page| **page & 1 == 1).count())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Seek as _, Write as _};

    #[test]
    fn written_bytes_are_resident_and_a_hole_is_not() {
        let mut file = tempfile::tempfile().expect("temp file");
        file.write_all(&[1; 10_000]).expect("write");
        assert_eq!(resident_pages(&file, 10_000).expect("mincore"), 3);
        file.set_len(WINDOW_BYTES + 5_000).expect("extend");
        file.seek(io::SeekFrom::Start(WINDOW_BYTES)).expect("seek");
        file.write_all(&[1]).expect("write");
        assert_eq!(resident_pages(&file, WINDOW_BYTES + 5_000).expect("mincore"), 4);
    }
}
