//! JPEG: decoded at an eighth, a quarter or a half of its size where that is enough.

use mozjpeg::{ColorSpace, Compress, DctMethod, Decompress};

use super::resize::{Channels, Raster, fit_raster};
use super::{MEMORY_BYTES_MAX, PIXELS_MAX, PictureError, Rgba, reserve};
use crate::media::catch_panic::contain;
use crate::media::jpeg::{self, JpegHead};

/// The most passes over one picture: a few kilobytes can ask for thousands, each as long as a whole
/// decoding.
const PASSES_MAX: usize = 256;
/// The most pixels that all passes together may touch: under a minute's work.
const PASS_PIXELS_MAX: u64 = 4_000_000_000;
/// The sizes that decode fast, in eighths.
const EIGHTHS: [u8; 4] = [1, 2, 4, 8];

/// The picture as stored, its longest side at most `side_max`.
pub(super) fn decode(bytes: &[u8], side_max: u32) -> Result<Rgba, PictureError> {
    let head = jpeg::read(&mut &*bytes).ok_or(PictureError::Corrupt)?;
    let frame = head.frame.ok_or(PictureError::Corrupt)?;
    if !frame.is_usual {
        return Err(PictureError::Unsupported);
    }
    if frame.pixels() > PIXELS_MAX {
        return Err(PictureError::TooLarge);
    }
    let held = if head.has_passes { frame.coefficient_bytes } else { 0 };
    if head.has_passes {
        let passes = passes(bytes);
        if passes > PASSES_MAX || frame.pixels() * passes as u64 > PASS_PIXELS_MAX {
            return Err(PictureError::TooLarge);
        }
    }
    let longest = frame.width.max(frame.height);
    let needed = |eighths: u8| held + scaled(frame.width, eighths) * scaled(frame.height, eighths) * 4;
    let enough = EIGHTHS.into_iter().find(|n| scaled(longest, *n) >= u64::from(side_max)).unwrap_or(8);
    // Rather a little coarse than not at all.
    let fits = |eighths: &u8| *eighths <= enough && needed(*eighths) <= MEMORY_BYTES_MAX;
    let eighths = EIGHTHS.into_iter().rev().find(fits).ok_or(PictureError::TooLarge)?;
    let _turn = reserve(needed(eighths))?;
    let raster = contain(|| decompress(bytes, &head, eighths)).ok().flatten().ok_or(PictureError::Corrupt)?;
    fit_raster(raster, side_max).ok_or(PictureError::Corrupt)
}

fn scaled(side: u32, eighths: u8) -> u64 {
    (u64::from(side) * u64::from(eighths)).div_ceil(8)
}

/// How many passes the bytes ask for, counted as a decoder would meet them.
fn passes(bytes: &[u8]) -> usize {
    bytes.windows(2).filter(|pair| *pair == [0xff, 0xda]).take(PASSES_MAX + 1).count()
}

/// Panics where the bytes make no picture, as the decoder's errors are panics.
fn decompress(bytes: &[u8], head: &JpegHead, eighths: u8) -> Option<Raster> {
    let mut decoder = Decompress::new_mem(bytes).ok()?;
    decoder.scale(eighths);
    if eighths < 8 {
        decoder.dct_method(DctMethod::IntegerFast);
        decoder.do_fancy_upsampling(false);
    }
    let is_cmyk = matches!(decoder.color_space(), ColorSpace::JCS_CMYK | ColorSpace::JCS_YCCK);
    let is_gray = decoder.color_space() == ColorSpace::JCS_GRAYSCALE;
    let (space, channels) = match (is_cmyk, is_gray) {
        (true, _) => (ColorSpace::JCS_CMYK, Channels::Rgba),
        (_, true) => (ColorSpace::JCS_GRAYSCALE, Channels::Gray),
        _ => (ColorSpace::JCS_RGB, Channels::Rgb),
    };
    let mut started = decoder.to_colorspace(space).ok()?;
    let (width, height) = (u32::try_from(started.width()).ok()?, u32::try_from(started.height()).ok()?);
    let mut data = started.read_scanlines::<u8>().ok()?;
    if data.len() != width as usize * height as usize * channels.count() {
        return None;
    }
    // The pixels are there: that rubbish may follow them does not matter.
    drop(started);
    if is_cmyk {
        to_rgb(&mut data, head.is_adobe);
    }
    Some(Raster { width, height, channels, data })
}

/// Four inks become three lights, in place. Adobe's software stores the inks inverted.
fn to_rgb(data: &mut [u8], is_inverted: bool) {
    for pixel in data.chunks_exact_mut(4) {
        let light = |ink: u8| u16::from(if is_inverted { ink } else { 255 - ink });
        let black = light(pixel[3]);
        for channel in &mut pixel[..3] {
            *channel = u8::try_from((light(*channel) * black + 127) / 255).unwrap_or(255);
        }
        pixel[3] = 255;
    }
}

/// The picture as a baseline JPEG without its transparency; `None` where the encoder refuses it.
/// `quality` is 1–100.
pub fn encode(picture: &Rgba, quality: u8) -> Option<Vec<u8>> {
    let rgb: Vec<u8> = picture.data.chunks_exact(4).flat_map(|p| [p[0], p[1], p[2]]).collect();
    contain(|| {
        let mut encoder = Compress::new(ColorSpace::JCS_RGB);
        encoder.set_size(picture.width as usize, picture.height as usize);
        // The slow search for smaller files is for pictures that are kept for ever.
        encoder.set_fastest_defaults();
        encoder.set_quality(f32::from(quality.clamp(1, 100)));
        let mut started = encoder.start_compress(Vec::new()).ok()?;
        started.write_scanlines(&rgb).ok()?;
        started.finish().ok()
    })
    .ok()
    .flatten()
}
