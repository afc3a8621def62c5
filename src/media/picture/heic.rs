//! HEIC: the embedded thumbnail where it is enough, else the picture itself.

use heifer::heifer_hevc_dec::nal::{NalUnit, split_annex_b};
use heifer::heifer_hevc_dec::params::ParameterSets;
use heifer::heifer_isobmff::{HeifFile, ItemId};
use heifer::{Error, Image, Options};

use super::resize::{Channels, Raster, fit_raster};
use super::{HEIC_PIXELS_MAX, PictureError, Rgba, jpeg, reserve};
use crate::media::catch_panic::contain;

/// The most pixels of an embedded thumbnail.
const THUMBNAIL_PIXELS_MAX: u64 = 4_000_000;
/// Memory that the decoder takes for each pixel: planes, RGBA and a converted copy.
const BYTES_PER_PIXEL: u64 = 8;

/// The picture upright, its longest side at most `side_max`.
pub(super) fn decode(bytes: &[u8], side_max: u32) -> Result<Rgba, PictureError> {
    let raster = contain(|| {
        let file = HeifFile::parse(bytes).map_err(|_error| PictureError::Corrupt)?;
        if let Some(small) = thumbnail(&file, side_max) {
            return Ok(small);
        }
        picture(&file, bytes, side_max)
    });
    fit_raster(raster.unwrap_or(Err(PictureError::Corrupt))?, side_max).ok_or(PictureError::Corrupt)
}

fn picture(file: &HeifFile<'_>, bytes: &[u8], side_max: u32) -> Result<Raster, PictureError> {
    let primary = file.primary_id;
    if file.item(primary).is_ok_and(|item| &item.item_type.0 == b"jpeg") {
        let inner = file.item_data(primary).map_err(|_error| PictureError::Corrupt)?;
        let Rgba { width, height, data } = jpeg::decode(&inner, side_max)?;
        return Ok(Raster { width, height, channels: Channels::Rgba, data });
    }
    let (width, height) = file.image_size(primary).ok().flatten().ok_or(PictureError::Corrupt)?;
    let pixels = u64::from(width) * u64::from(height);
    if pixels > HEIC_PIXELS_MAX {
        return Err(PictureError::TooLarge);
    }
    let _turn = reserve(pixels * BYTES_PER_PIXEL)?;
    // The pool that calls this already keeps the cores busy, and a panic on a thread of the
    // decoder's own could not be kept quiet.
    let options = Options { max_threads: 1, max_pixels: HEIC_PIXELS_MAX };
    let image = heifer::decode_srgb_rgba8(bytes, &options).or_else(|error| match error {
        // Colours it cannot convert are better shown as they are than not at all.
        Error::Unsupported(_) => heifer::decode_rgba8(bytes, &options),
        other => Err(other),
    });
    image.map(raster).map_err(|error| match error {
        Error::Unsupported(_) => PictureError::Unsupported,
        _ => PictureError::Corrupt,
    })
}

fn raster(image: Image<u8>) -> Raster {
    Raster { width: image.width, height: image.height, channels: Channels::Rgba, data: image.data }
}

/// The smallest embedded thumbnail that is nearly as large as asked for.
fn thumbnail(file: &HeifFile<'_>, side_max: u32) -> Option<Raster> {
    let enough = side_max - side_max / 4;
    let mut found: Vec<(u64, ItemId)> = file
        .referencing_items(file.primary_id, b"thmb")
        .into_iter()
        .filter_map(|id| {
            let (width, height) = file.image_size(id).ok().flatten()?;
            (width.max(height) >= enough).then(|| (u64::from(width) * u64::from(height), id))
        })
        .filter(|(pixels, _)| *pixels <= THUMBNAIL_PIXELS_MAX)
        .collect();
    found.sort_unstable();
    let (_pixels, id) = found.into_iter().find(|(_, id)| is_small(file, *id))?;
    let image = heifer::decode_item(file, id, 0).ok()?;
    Some(Raster {
        width: image.width,
        height: image.height,
        channels: Channels::Rgba,
        data: image.to_rgba8(),
    })
}

/// Whether the item's own bitstream keeps the size that the container claims for it.
fn is_small(file: &HeifFile<'_>, id: ItemId) -> bool {
    let is_plain = file.item(id).is_ok_and(|item| &item.item_type.0 == b"hvc1")
        && file.referencing_items(id, b"auxl").is_empty();
    let Ok(stream) = file.hevc_bitstream(id) else { return false };
    let mut sets = ParameterSets::default();
    for unit in split_annex_b(&stream) {
        match NalUnit::parse(unit) {
            // As the decoder does: what follows the first slice is for later pictures.
            Ok(unit) if unit.header.unit_type.is_slice() => break,
            Ok(unit) if sets.add(&unit).is_ok() => {}
            _ => return false,
        }
    }
    let pixels = |width: u32, height: u32| u64::from(width) * u64::from(height);
    is_plain
        && sets.sps.iter().flatten().all(|sps| {
            pixels(sps.pic_width_in_luma_samples, sps.pic_height_in_luma_samples) <= THUMBNAIL_PIXELS_MAX
        })
}
