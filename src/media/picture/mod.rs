//! From a file's bytes to pixels that can be shown.
//!
//! Sizes are checked against named limits before any memory is taken for pixels, decoders that are
//! not ours run where a panic costs one picture, and at most one large picture is decoded at a time.
//! Nothing here touches a cache or starts a thread.

mod heic;
mod jpeg;
pub mod orient;
mod other;
mod preview;
pub mod resize;

use parking_lot::{Mutex, MutexGuard};
use std::io::{Read as _, SeekFrom};

use super::bounded_reader::BoundedFile;
use super::catch_panic::contain;
use super::metadata::{self, Metadata};
use super::sniff::sniff;
use crate::base::files::SourceFile;
use crate::domain::grouping;
use crate::domain::media_type::{MediaClass, MediaType};
use crate::domain::stable_name::stable_names;

pub use jpeg::encode as encode_jpeg;

/// Changes when a decoder can show what it could not, so that remembered failures are tried again.
pub const DECODER_VERSION: u32 = 1;
/// The most pixels of a picture that is decoded.
pub const PIXELS_MAX: u64 = 200_000_000;
/// The most memory that one picture's pixels may take while it is decoded.
pub const MEMORY_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// The most pixels of a HEIC, whose decoder needs several times the memory of the others.
pub const HEIC_PIXELS_MAX: u64 = 64_000_000;
/// The largest picture file that is read into memory. RAW files may be larger: only their preview is
/// read.
pub const FILE_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// A picture that may take more memory than this waits until no other such is being decoded.
const LARGE_BYTES: u64 = 96 * 1024 * 1024;

/// Pixels: RGBA, 8 bits each, not premultiplied, rows from the top.
#[derive(Clone, PartialEq, Eq)]
pub struct Rgba {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// `width × height × 4` bytes.
    pub data: Vec<u8>,
}

impl std::fmt::Debug for Rgba {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Rgba({}×{})", self.width, self.height)
    }
}

/// Why there is nothing to show. The file itself may be fine and is backed up all the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum PictureError {
    /// Nothing here can decode this type, and it carries no preview.
    Unsupported,
    /// Decoding it could use up the memory or the day.
    TooLarge,
    /// The bytes make no picture.
    Corrupt,
    /// The file cannot be read now.
    Unreadable,
}

stable_names!(PictureError);

impl PictureError {
    /// The reason in a few words, for a file of this type where that is known.
    pub fn sentence(self, media_type: Option<MediaType>) -> String {
        match (self, media_type) {
            (Self::Unsupported, Some(known)) => format!("No preview for {}", known.label()),
            (Self::Unsupported, None) => "No preview for this type".to_owned(),
            (Self::TooLarge, _) => "Too large to show".to_owned(),
            (Self::Corrupt, _) => "This picture is damaged".to_owned(),
            (Self::Unreadable, _) => "The file cannot be read".to_owned(),
        }
    }

    /// The reason in one or two words, for a tile of the grid; `None` where the file's type says enough.
    pub fn short(self) -> Option<&'static str> {
        match self {
            Self::Unsupported => None,
            Self::TooLarge => Some("Too large to show"),
            Self::Corrupt => Some("Damaged"),
            Self::Unreadable => Some("Can't be read"),
        }
    }

    /// What that means for the file and its backup; empty where there is nothing to add.
    pub fn meaning(self) -> &'static str {
        match self {
            Self::Unsupported => "It is backed up like any other file",
            Self::TooLarge => {
                "Its size is beyond what can be shown here. It is backed up like any other file"
            }
            Self::Corrupt => {
                "Its bytes make no read_to_end picture. It is backed up as it is; read_head for a better copy of it"
            }
            Self::Unreadable => "Check that its disk is connected and that you have permission to open it",
        }
    }

    /// Whether the same bytes would fail the same way again.
    pub fn is_lasting(self) -> bool {
        match self {
            Self::Unsupported | Self::TooLarge | Self::Corrupt => true,
            Self::Unreadable => false,
        }
    }
}

/// What a file is and says of itself, from one bounded read.
struct FileHead {
    size: u64,
    media_type: MediaType,
    metadata: Metadata,
}

fn read_head(file: &mut dyn SourceFile, name: &[u8]) -> Result<FileHead, PictureError> {
    let size = file.stat().map_err(|_error| PictureError::Unreadable)?.stamp.size;
    let mut source = BoundedFile::open(file, size).map_err(|_error| PictureError::Unreadable)?;
    let sniffed = sniff(source.head(), name).ok_or(PictureError::Unsupported)?;
    let metadata = contain(|| metadata::read(&mut source, sniffed.media_type)).unwrap_or_default();
    match source.take_error() {
        Some(_error) => Err(PictureError::Unreadable),
        None => Ok(FileHead { size, media_type: sniffed.media_type, metadata }),
    }
}

/// The picture in a file, upright and with its longest side at most `side_max` pixels. It is never
/// enlarged. `name` helps to tell RAW files apart.
///
/// # Errors
/// See [`PictureError`].
pub fn decode(file: &mut dyn SourceFile, name: &[u8], side_max: u32) -> Result<Rgba, PictureError> {
    let read_head = read_head(file, name)?;
    let side_max = side_max.max(1);
    match read_head.media_type {
        MediaType::Jpeg => {
            if let Some(picture) = preview::in_exif(file, &read_head.metadata, side_max) {
                return Ok(picture);
            }
            let bytes = read_to_end(file, read_head.size)?;
            Ok(upright(jpeg::decode(&bytes, side_max)?, &read_head.metadata))
        }
        MediaType::Heic => heic::decode(&read_to_end(file, read_head.size)?, side_max),
        MediaType::Raw => preview::in_raw(file, read_head.size, &read_head.metadata, side_max),
        MediaType::Png | MediaType::Webp | MediaType::Gif | MediaType::Tiff | MediaType::Bmp => {
            let bytes = read_to_end(file, read_head.size)?;
            Ok(upright(other::decode(&bytes, read_head.media_type, side_max)?, &read_head.metadata))
        }
        MediaType::Avif
        | MediaType::Jxl
        | MediaType::Jp2
        | MediaType::Jxr
        | MediaType::Psd
        | MediaType::Xcf
        | MediaType::Exr
        | MediaType::Hdr
        | MediaType::Pnm
        | MediaType::Tga
        | MediaType::Pcd
        | MediaType::Mp4
        | MediaType::Mov
        | MediaType::Avi
        | MediaType::Mkv
        | MediaType::Mpeg
        | MediaType::ThreeGp
        | MediaType::Wmv
        | MediaType::Dv
        | MediaType::Flv
        | MediaType::Mxf
        | MediaType::Ogv
        | MediaType::Rm
        | MediaType::RawVideo
        | MediaType::Xmp
        | MediaType::Aae
        | MediaType::Json
        | MediaType::Develop => Err(PictureError::Unsupported),
    }
}

/// The small preview that a camera put into a JPEG's EXIF block, upright: a few kilobytes to read
/// instead of the whole file. For a first impression; it may be coarser than `side_max` asks for.
///
/// `None` where there is none, or where it shows something else than the picture.
pub fn embedded_preview(file: &mut dyn SourceFile, name: &[u8], side_max: u32) -> Option<Rgba> {
    let read_head = read_head(file, name).ok().filter(|read_head| read_head.media_type == MediaType::Jpeg)?;
    preview::any_in_exif(file, &read_head.metadata, side_max.max(1))
}

/// A thumbnail as the cache stored it.
pub(super) fn decode_cached(bytes: &[u8], side_max: u32) -> Result<Rgba, PictureError> {
    jpeg::decode(bytes, side_max)
}

/// The type of a file for a sentence about it: what its name says.
pub fn named_type(name: &[u8]) -> Option<MediaType> {
    grouping::type_of_name(name).filter(|media_type| media_type.class() != MediaClass::Sidecar)
}

fn upright(picture: Rgba, metadata: &Metadata) -> Rgba {
    orient::turn(picture, metadata.orientation.unwrap_or(1))
}

/// The file's bytes, at most [`FILE_BYTES_MAX`].
fn read_to_end(file: &mut dyn SourceFile, size: u64) -> Result<Vec<u8>, PictureError> {
    if size > FILE_BYTES_MAX {
        return Err(PictureError::TooLarge);
    }
    let mut bytes = Vec::with_capacity(usize::try_from(size).unwrap_or(0));
    let read = file.seek(SeekFrom::Start(0)).and_then(|_start| {
        // What is added while reading is of no interest.
        (&mut *file).take(size).read_to_end(&mut bytes)
    });
    read.map(|_count| bytes).map_err(|_error| PictureError::Unreadable)
}

/// Waits for its turn where a picture will take much memory, so that several at once cannot use it
/// all up.
fn reserve(bytes: u64) -> Result<Option<MutexGuard<'static, ()>>, PictureError> {
    static LARGE: Mutex<()> = Mutex::new(());
    if bytes > MEMORY_BYTES_MAX {
        return Err(PictureError::TooLarge);
    }
    Ok((bytes > LARGE_BYTES).then(|| LARGE.lock()))
}

#[cfg(test)]
mod tests;
