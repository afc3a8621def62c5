//! PNG, WebP, GIF, TIFF and BMP. Of an animation, the first frame.

use std::io::Cursor;

use image::{DynamicImage, ImageDecoder as _, ImageError, ImageFormat, ImageReader, Limits};

use super::resize::{Channels, Raster, fit_raster};
use super::{MEMORY_BYTES_MAX, PIXELS_MAX, PictureError, Rgba, reserve};
use crate::domain::media_type::MediaType;
use crate::media::catch_panic::contain;

/// The picture as stored, its longest side at most `side_max`.
pub(super) fn decode(bytes: &[u8], media_type: MediaType, side_max: u32) -> Result<Rgba, PictureError> {
    let format = match media_type {
        MediaType::Png => ImageFormat::Png,
        MediaType::Webp => ImageFormat::WebP,
        MediaType::Gif => ImageFormat::Gif,
        MediaType::Tiff => ImageFormat::Tiff,
        MediaType::Bmp => ImageFormat::Bmp,
        _ => return Err(PictureError::Unsupported),
    };
    let raster = contain(|| pixels(bytes, format)).unwrap_or(Err(PictureError::Corrupt))?;
    fit_raster(raster, side_max).ok_or(PictureError::Corrupt)
}

fn pixels(bytes: &[u8], format: ImageFormat) -> Result<Raster, PictureError> {
    let mut limits = Limits::default();
    limits.max_alloc = Some(MEMORY_BYTES_MAX);
    let mut reader = ImageReader::with_format(Cursor::new(bytes), format);
    reader.limits(limits);
    let decoder = reader.into_decoder().map_err(|error| reason(&error))?;
    let (width, height) = decoder.dimensions();
    if u64::from(width) * u64::from(height) > PIXELS_MAX {
        return Err(PictureError::TooLarge);
    }
    let _turn = reserve(decoder.total_bytes())?;
    let picture = DynamicImage::from_decoder(decoder).map_err(|error| reason(&error))?;
    let (channels, data) = match picture {
        DynamicImage::ImageLuma8(gray) => (Channels::Gray, gray.into_raw()),
        DynamicImage::ImageRgb8(rgb) => (Channels::Rgb, rgb.into_raw()),
        DynamicImage::ImageLuma16(_) => (Channels::Gray, picture.into_luma8().into_raw()),
        DynamicImage::ImageRgb16(_) => (Channels::Rgb, picture.into_rgb8().into_raw()),
        other => (Channels::Rgba, other.into_rgba8().into_raw()),
    };
    Ok(Raster { width, height, channels, data })
}

fn reason(error: &ImageError) -> PictureError {
    match error {
        ImageError::Unsupported(_) => PictureError::Unsupported,
        ImageError::Limits(_) => PictureError::TooLarge,
        _ => PictureError::Corrupt,
    }
}
