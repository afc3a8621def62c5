//! Makes pictures smaller.

use fast_image_resize::images::Image;
use fast_image_resize::{FilterType, PixelType, ResizeAlg, ResizeOptions, Resizer};

use super::Rgba;

/// Pixels of one to four bytes each.
pub(super) struct Raster {
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) channels: Channels,
    pub(super) data: Vec<u8>,
}

/// What a pixel's bytes are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Channels {
    Gray,
    Rgb,
    Rgba,
}

impl Channels {
    pub(super) fn count(self) -> usize {
        match self {
            Self::Gray => 1,
            Self::Rgb => 3,
            Self::Rgba => 4,
        }
    }
}

/// Width and height scaled so that the longest side is at most `side_max`; never enlarged, never 0.
pub fn fitting(width: u32, height: u32, side_max: u32) -> (u32, u32) {
    let longest = width.max(height).max(1);
    if longest <= side_max {
        return (width.max(1), height.max(1));
    }
    let scaled = |side: u32| {
        let rounded = (u64::from(side) * u64::from(side_max) + u64::from(longest) / 2) / u64::from(longest);
        u32::try_from(rounded).unwrap_or(side_max).max(1)
    };
    (scaled(width), scaled(height))
}

/// The picture with its longest side at most `side_max`.
pub fn fit(picture: Rgba, side_max: u32) -> Rgba {
    let (width, height) = (picture.width, picture.height);
    let raster = Raster { width, height, channels: Channels::Rgba, data: picture.data };
    // A raster whose bytes match its size always fits.
    fit_raster(raster, side_max).unwrap_or(Rgba { width: 0, height: 0, data: Vec::new() })
}

/// The pixels stretched to a size; only for pictures that are drawn, never for those that are shown.
#[cfg(feature = "testing")]
pub(in crate::media) fn enlarge(picture: Rgba, width: u32, height: u32) -> Vec<u8> {
    let is_same = (picture.width, picture.height) == (width, height);
    let raster =
        Raster { width: picture.width, height: picture.height, channels: Channels::Rgba, data: picture.data };
    let raster = if is_same { Some(raster) } else { resample(raster, width, height) };
    raster.map_or_else(Vec::new, |raster| raster.data)
}

/// As [`fit`], and RGBA whatever it was; `None` where the bytes do not match the size.
pub(super) fn fit_raster(raster: Raster, side_max: u32) -> Option<Rgba> {
    let (width, height) = fitting(raster.width, raster.height, side_max);
    let is_smaller = (width, height) != (raster.width, raster.height);
    let raster = if is_smaller { resample(raster, width, height)? } else { raster };
    let pixels = width as usize * height as usize;
    let data = match raster.channels {
        Channels::Rgba => raster.data,
        Channels::Rgb => raster.data.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect(),
        Channels::Gray => raster.data.iter().flat_map(|p| [*p, *p, *p, 255]).collect(),
    };
    (data.len() == pixels * 4).then_some(Rgba { width, height, data })
}

fn resample(raster: Raster, width: u32, height: u32) -> Option<Raster> {
    let kind = match raster.channels {
        Channels::Gray => PixelType::U8,
        Channels::Rgb => PixelType::U8x3,
        Channels::Rgba => PixelType::U8x4,
    };
    let from = Image::from_vec_u8(raster.width, raster.height, raster.data, kind).ok()?;
    let mut to = Image::new(width, height, kind);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3));
    Resizer::new().resize(&from, &mut to, &options).ok()?;
    Some(Raster { width, height, channels: raster.channels, data: to.into_vec() })
}

/// The picture without transparency, on a neutral grey that suits light and dark surroundings.
pub fn flatten(mut picture: Rgba) -> Rgba {
    const NEUTRAL: u16 = 0x80;
    for pixel in picture.data.chunks_exact_mut(4) {
        let alpha = u16::from(pixel[3]);
        if alpha == 255 {
            continue;
        }
        for channel in &mut pixel[..3] {
            let mixed = (u16::from(*channel) * alpha + NEUTRAL * (255 - alpha) + 127) / 255;
            *channel = u8::try_from(mixed).unwrap_or(255);
        }
        pixel[3] = 255;
    }
    picture
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_fit() {
        assert_eq!(fitting(4000, 3000, 320), (320, 240));
        assert_eq!(fitting(3000, 4000, 320), (240, 320));
        assert_eq!(fitting(100, 50, 320), (100, 50));
        assert_eq!(fitting(60_000, 1, 320), (320, 1));
        assert_eq!(fitting(u32::MAX, u32::MAX, 1), (1, 1));
    }

    #[test]
    fn bytes_that_do_not_match_are_refused() {
        let raster = |len| Raster { width: 10, height: 10, channels: Channels::Rgb, data: vec![9; len] };
        assert_eq!(fit_raster(raster(300), 5).map(|p| (p.width, p.height, p.data[0])), Some((5, 5, 9)));
        assert_eq!(fit_raster(raster(299), 5), None);
        assert_eq!(fit_raster(raster(299), 50), None);
    }

    #[test]
    fn transparency_becomes_neutral() {
        let picture = Rgba { width: 3, height: 1, data: vec![9, 9, 9, 255, 9, 9, 9, 0, 255, 255, 255, 128] };
        let flat = flatten(picture);
        assert_eq!(flat.data, [9, 9, 9, 255, 128, 128, 128, 255, 192, 192, 192, 255]);
    }
}
