//! From a file's bytes to pixels: the limits before a decoder, the guard around it, and the pixels
//! that come out.

use super::memory::Bytes;
use crate::media::picture::{PictureError, PIXELS_MAX, Rgba, decode, embedded_preview, named_type};

/// The decoders; the first byte of the input picks one, the second the size that is asked for.
const NAMES: [&str; 8] = ["a.jpg", "a.png", "a.webp", "a.gif", "a.tif", "a.bmp", "a.heic", "a.nef"];
const SIDES: [u32; 4] = [32, 160, 320, u32::MAX];

/// Decodes, as a client would for a thumbnail or the viewer.
pub fn check(data: &[u8]) {
    let [name, side, bytes @ ..] = data else { return };
    let name = NAMES[usize::from(*name) % NAMES.len()].as_bytes();
    let side = SIDES[usize::from(*side) % SIDES.len()];
    match decode(&mut Bytes::new(bytes), name, side) {
        Ok(picture) => assert_sound(&picture, side),
        Err(reason) => {
            assert_ne!(reason, PictureError::Unreadable, "memory can always be read");
            assert!(reason.sentence(named_type(name)).ends_with(|c: char| c.is_alphanumeric()));
            assert_eq!(PictureError::parse(reason.as_str()), Some(reason));
        }
    }
    if let Some(picture) = embedded_preview(&mut Bytes::new(bytes), name, side.min(160)) {
        assert_sound(&picture, side.min(160));
    }
}

fn assert_sound(picture: &Rgba, side_max: u32) {
    let pixels = u64::from(picture.width) * u64::from(picture.height);
    assert!((1..=PIXELS_MAX).contains(&pixels));
    assert_eq!(picture.data.len() as u64, pixels * 4);
    assert!(picture.width.max(picture.height) <= side_max);
}
