//! The types of file that belong in a photo library.

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaType {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    Webp,
    /// GIF.
    Gif,
    /// TIFF that is no RAW.
    Tiff,
    /// Windows bitmap.
    Bmp,
    /// HEIC or HEIF.
    Heic,
    /// AVIF.
    Avif,
    /// JPEG XL.
    Jxl,
    /// Photoshop document.
    Psd,
    /// A camera's RAW, of any maker.
    Raw,
    /// MPEG-4 video.
    Mp4,
    /// QuickTime movie.
    Mov,
    /// AVI.
    Avi,
    /// Matroska or WebM.
    Mkv,
    /// MPEG program or transport stream.
    Mpeg,
    /// 3GPP.
    ThreeGp,
    /// Windows Media.
    Wmv,
    /// XMP sidecar.
    Xmp,
    /// Apple's record of an edit.
    Aae,
}

/// The part of the library a type belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum MediaClass {
    /// A picture.
    Photo,
    /// A camera's RAW.
    Raw,
    /// A clip.
    Video,
    /// Belongs only beside another file.
    Sidecar,
}

impl MediaType {
    /// All types.
    pub const ALL: [Self; 20] = [
        Self::Jpeg,
        Self::Png,
        Self::Webp,
        Self::Gif,
        Self::Tiff,
        Self::Bmp,
        Self::Heic,
        Self::Avif,
        Self::Jxl,
        Self::Psd,
        Self::Raw,
        Self::Mp4,
        Self::Mov,
        Self::Avi,
        Self::Mkv,
        Self::Mpeg,
        Self::ThreeGp,
        Self::Wmv,
        Self::Xmp,
        Self::Aae,
    ];

    /// The type's stable name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Jpeg => "jpeg",
            Self::Png => "png",
            Self::Webp => "webp",
            Self::Gif => "gif",
            Self::Tiff => "tiff",
            Self::Bmp => "bmp",
            Self::Heic => "heic",
            Self::Avif => "avif",
            Self::Jxl => "jxl",
            Self::Psd => "psd",
            Self::Raw => "raw",
            Self::Mp4 => "mp4",
            Self::Mov => "mov",
            Self::Avi => "avi",
            Self::Mkv => "mkv",
            Self::Mpeg => "mpeg",
            Self::ThreeGp => "3gp",
            Self::Wmv => "wmv",
            Self::Xmp => "xmp",
            Self::Aae => "aae",
        }
    }

    /// The type with this stable name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|t| t.as_str() == text)
    }

    /// The type as a person says it.
    pub fn label(self) -> &'static str {
        match self {
            Self::Jpeg => "JPEG",
            Self::Png => "PNG",
            Self::Webp => "WebP",
            Self::Gif => "GIF",
            Self::Tiff => "TIFF",
            Self::Bmp => "BMP",
            Self::Heic => "HEIC",
            Self::Avif => "AVIF",
            Self::Jxl => "JPEG XL",
            Self::Psd => "PSD",
            Self::Raw => "RAW",
            Self::Mp4 => "MP4",
            Self::Mov => "MOV",
            Self::Avi => "AVI",
            Self::Mkv => "MKV",
            Self::Mpeg => "MPEG",
            Self::ThreeGp => "3GP",
            Self::Wmv => "WMV",
            Self::Xmp => "XMP",
            Self::Aae => "AAE",
        }
    }

    /// Which part of the library it belongs to.
    pub fn class(self) -> MediaClass {
        match self {
            Self::Jpeg
            | Self::Png
            | Self::Webp
            | Self::Gif
            | Self::Tiff
            | Self::Bmp
            | Self::Heic
            | Self::Avif
            | Self::Jxl
            | Self::Psd => MediaClass::Photo,
            Self::Raw => MediaClass::Raw,
            Self::Mp4 | Self::Mov | Self::Avi | Self::Mkv | Self::Mpeg | Self::ThreeGp | Self::Wmv => {
                MediaClass::Video
            }
            Self::Xmp | Self::Aae => MediaClass::Sidecar,
        }
    }

    /// The type an extension (without its dot, any case) promises.
    pub fn from_extension(extension: &[u8]) -> Option<Self> {
        let lower = extension.to_ascii_lowercase();
        Some(match lower.as_slice() {
            b"jpg" | b"jpeg" | b"jpe" | b"jfif" | b"mpo" => Self::Jpeg,
            b"png" => Self::Png,
            b"webp" => Self::Webp,
            b"gif" => Self::Gif,
            b"tif" | b"tiff" => Self::Tiff,
            b"bmp" | b"dib" => Self::Bmp,
            b"heic" | b"heif" | b"hif" | b"heics" | b"heifs" => Self::Heic,
            b"avif" => Self::Avif,
            b"jxl" => Self::Jxl,
            b"psd" | b"psb" => Self::Psd,
            b"3fr" | b"ari" | b"arw" | b"cap" | b"cin" | b"cr2" | b"cr3" | b"crw" | b"dcr" | b"dng"
            | b"erf" | b"fff" | b"gpr" | b"iiq" | b"k25" | b"kdc" | b"mef" | b"mos" | b"mrw" | b"nef"
            | b"nrw" | b"orf" | b"ori" | b"pef" | b"raf" | b"raw" | b"rw2" | b"rwl" | b"sr2" | b"srf"
            | b"srw" | b"x3f" => Self::Raw,
            b"mp4" | b"m4v" | b"insv" => Self::Mp4,
            b"mov" | b"qt" => Self::Mov,
            b"avi" => Self::Avi,
            b"mkv" | b"webm" => Self::Mkv,
            b"mpg" | b"mpeg" | b"mpe" | b"mts" | b"m2ts" | b"m2t" | b"vob" => Self::Mpeg,
            b"3gp" | b"3g2" | b"3gpp" => Self::ThreeGp,
            b"wmv" | b"asf" => Self::Wmv,
            b"xmp" => Self::Xmp,
            b"aae" => Self::Aae,
            _ => return None,
        })
    }
}
