//! The types of file that belong in a photo library.

use super::stable_name::stable_names;

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[derive(strum::EnumCount, strum::EnumString, strum::IntoStaticStr, strum::VariantArray)]
#[strum(serialize_all = "snake_case")]
pub enum MediaType {
    /// JPEG.
    Jpeg,
    /// PNG.
    Png,
    /// WebP.
    Webp,
    /// GIF.
    Gif,
    /// TIFF that is not a RAW.
    Tiff,
    /// Windows bitmap.
    Bmp,
    /// HEIC or HEIF.
    Heic,
    /// AVIF.
    Avif,
    /// JPEG XL.
    Jxl,
    /// JPEG 2000, in its container or as a bare codestream.
    Jp2,
    /// JPEG XR, which was HD Photo before.
    Jxr,
    /// Photoshop document.
    Psd,
    /// GIMP document.
    Xcf,
    /// OpenEXR.
    Exr,
    /// Radiance HDR.
    Hdr,
    /// The Netpbm formats, as scanners and converters write them.
    Pnm,
    /// Truevision TGA.
    Tga,
    /// Kodak Photo CD.
    Pcd,
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
    #[strum(serialize = "3gp")]
    ThreeGp,
    /// Windows Media.
    Wmv,
    /// DV, as a tape was copied.
    Dv,
    /// Flash video.
    Flv,
    /// Material eXchange Format, of professional cameras.
    Mxf,
    /// Ogg with a picture track.
    Ogv,
    /// RealMedia.
    Rm,
    /// A camera's RAW video, of any maker.
    RawVideo,
    /// XMP sidecar.
    Xmp,
    /// Apple's record of an edit.
    Aae,
    /// What a service knows of a picture, as JSON: Google Takeout's.
    Json,
    /// The settings with which a program develops a picture.
    Develop,
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

/// The types that extensions promise, in the order of the extensions' bytes. Of photos, RAW files and
/// videos: what exiftool, Immich and digiKam count as such. Of develop settings, by program:
///
/// `acr` Adobe Camera Raw (masks) · `arp` ART · `comask` `cos` Capture One · `dop` DxO PhotoLab ·
/// `dr4` `vrd` Canon DPP · `exv` exiv2 · `mie` exiftool · `nksc` Nikon NX Studio · `on1` `onphoto` ON1 ·
/// `pp3` RawTherapee · `spd` SilkyPix. Previews that those programs can make again (`cop`, `cot`) are not
/// among them.
const EXTENSIONS: [(&[u8], MediaType); 160] = [
    (b"360", MediaType::Mp4),
    (b"3fr", MediaType::Raw),
    (b"3g2", MediaType::ThreeGp),
    (b"3gp", MediaType::ThreeGp),
    (b"3gp2", MediaType::ThreeGp),
    (b"3gpp", MediaType::ThreeGp),
    (b"3gpp2", MediaType::ThreeGp),
    (b"aae", MediaType::Aae),
    (b"acr", MediaType::Develop),
    (b"apng", MediaType::Png),
    (b"ari", MediaType::Raw),
    (b"arp", MediaType::Develop),
    (b"arq", MediaType::Raw),
    (b"arw", MediaType::Raw),
    (b"asf", MediaType::Wmv),
    (b"avci", MediaType::Heic),
    (b"avcs", MediaType::Heic),
    (b"avi", MediaType::Avi),
    (b"avif", MediaType::Avif),
    (b"avifs", MediaType::Avif),
    (b"bay", MediaType::Raw),
    (b"bmp", MediaType::Bmp),
    (b"braw", MediaType::RawVideo),
    (b"cap", MediaType::Raw),
    (b"cin", MediaType::Raw),
    (b"cine", MediaType::RawVideo),
    (b"comask", MediaType::Develop),
    (b"cos", MediaType::Develop),
    (b"cr2", MediaType::Raw),
    (b"cr3", MediaType::Raw),
    (b"crm", MediaType::RawVideo),
    (b"crw", MediaType::Raw),
    (b"cs1", MediaType::Raw),
    (b"dc2", MediaType::Raw),
    (b"dcr", MediaType::Raw),
    (b"dcs", MediaType::Raw),
    (b"dib", MediaType::Bmp),
    (b"divx", MediaType::Avi),
    (b"dng", MediaType::Raw),
    (b"dop", MediaType::Develop),
    (b"dr4", MediaType::Develop),
    (b"drf", MediaType::Raw),
    (b"dv", MediaType::Dv),
    (b"eip", MediaType::Raw),
    (b"erf", MediaType::Raw),
    (b"exr", MediaType::Exr),
    (b"exv", MediaType::Develop),
    (b"f4v", MediaType::Mp4),
    (b"fff", MediaType::Raw),
    (b"flv", MediaType::Flv),
    (b"gif", MediaType::Gif),
    (b"gpr", MediaType::Raw),
    (b"hdp", MediaType::Jxr),
    (b"heic", MediaType::Heic),
    (b"heics", MediaType::Heic),
    (b"heif", MediaType::Heic),
    (b"heifs", MediaType::Heic),
    (b"hif", MediaType::Heic),
    (b"iiq", MediaType::Raw),
    (b"insp", MediaType::Jpeg),
    (b"insv", MediaType::Mp4),
    (b"j2c", MediaType::Jp2),
    (b"j2k", MediaType::Jp2),
    (b"jfif", MediaType::Jpeg),
    (b"jif", MediaType::Jpeg),
    (b"jp2", MediaType::Jp2),
    (b"jpc", MediaType::Jp2),
    (b"jpe", MediaType::Jpeg),
    (b"jpeg", MediaType::Jpeg),
    (b"jpf", MediaType::Jp2),
    (b"jpg", MediaType::Jpeg),
    (b"jpm", MediaType::Jp2),
    (b"jps", MediaType::Jpeg),
    (b"jpx", MediaType::Jp2),
    (b"json", MediaType::Json),
    (b"jxl", MediaType::Jxl),
    (b"jxr", MediaType::Jxr),
    (b"k25", MediaType::Raw),
    (b"kc2", MediaType::Raw),
    (b"kdc", MediaType::Raw),
    (b"lfp", MediaType::Raw),
    (b"lrf", MediaType::Mp4),
    (b"lrv", MediaType::Mp4),
    (b"m1v", MediaType::Mpeg),
    (b"m2t", MediaType::Mpeg),
    (b"m2ts", MediaType::Mpeg),
    (b"m2v", MediaType::Mpeg),
    (b"m4v", MediaType::Mp4),
    (b"mdc", MediaType::Raw),
    (b"mef", MediaType::Raw),
    (b"mfw", MediaType::Raw),
    (b"mie", MediaType::Develop),
    (b"mk3d", MediaType::Mkv),
    (b"mkv", MediaType::Mkv),
    (b"mlv", MediaType::RawVideo),
    (b"mos", MediaType::Raw),
    (b"mov", MediaType::Mov),
    (b"mp4", MediaType::Mp4),
    (b"mpe", MediaType::Mpeg),
    (b"mpeg", MediaType::Mpeg),
    (b"mpg", MediaType::Mpeg),
    (b"mpo", MediaType::Jpeg),
    (b"mpv", MediaType::Mpeg),
    (b"mqv", MediaType::Mov),
    (b"mrw", MediaType::Raw),
    (b"mts", MediaType::Mpeg),
    (b"mxf", MediaType::Mxf),
    (b"nef", MediaType::Raw),
    (b"nksc", MediaType::Develop),
    (b"nrw", MediaType::Raw),
    (b"obm", MediaType::Raw),
    (b"ogm", MediaType::Ogv),
    (b"ogv", MediaType::Ogv),
    (b"on1", MediaType::Develop),
    (b"onphoto", MediaType::Develop),
    (b"orf", MediaType::Raw),
    (b"ori", MediaType::Raw),
    (b"pam", MediaType::Pnm),
    (b"pbm", MediaType::Pnm),
    (b"pcd", MediaType::Pcd),
    (b"pef", MediaType::Raw),
    (b"pfm", MediaType::Pnm),
    (b"pgm", MediaType::Pnm),
    (b"png", MediaType::Png),
    (b"pnm", MediaType::Pnm),
    (b"pp3", MediaType::Develop),
    (b"ppm", MediaType::Pnm),
    (b"psb", MediaType::Psd),
    (b"psd", MediaType::Psd),
    (b"ptx", MediaType::Raw),
    (b"pxn", MediaType::Raw),
    (b"qt", MediaType::Mov),
    (b"qtk", MediaType::Raw),
    (b"r3d", MediaType::RawVideo),
    (b"raf", MediaType::Raw),
    (b"raw", MediaType::Raw),
    (b"rm", MediaType::Rm),
    (b"rmvb", MediaType::Rm),
    (b"rw2", MediaType::Raw),
    (b"rwl", MediaType::Raw),
    (b"rwz", MediaType::Raw),
    (b"spd", MediaType::Develop),
    (b"sr2", MediaType::Raw),
    (b"srf", MediaType::Raw),
    (b"srw", MediaType::Raw),
    (b"sti", MediaType::Raw),
    (b"tga", MediaType::Tga),
    (b"thm", MediaType::Jpeg),
    (b"tif", MediaType::Tiff),
    (b"tiff", MediaType::Tiff),
    (b"vob", MediaType::Mpeg),
    (b"vrd", MediaType::Develop),
    (b"vro", MediaType::Mpeg),
    (b"wdp", MediaType::Jxr),
    (b"webm", MediaType::Mkv),
    (b"webp", MediaType::Webp),
    (b"wmv", MediaType::Wmv),
    (b"x3f", MediaType::Raw),
    (b"xcf", MediaType::Xcf),
    (b"xmp", MediaType::Xmp),
];

/// Extensions that other files have as well: they promise nothing, and fit the type that the bytes show.
/// TypeScript has `ts`, tracker music `mod`, any program `dat`, Vorbis sound `ogg`, maps `hdr`.
const SHARED_EXTENSIONS: [(&[u8], MediaType); 7] = [
    (b"dat", MediaType::Mpeg),
    (b"dif", MediaType::Dv),
    (b"hdr", MediaType::Hdr),
    (b"mod", MediaType::Mpeg),
    (b"ogg", MediaType::Ogv),
    (b"tod", MediaType::Mpeg),
    (b"ts", MediaType::Mpeg),
];

stable_names!(MediaType);

impl MediaType {
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
            Self::Jp2 => "JPEG 2000",
            Self::Jxr => "JPEG XR",
            Self::Psd => "PSD",
            Self::Xcf => "XCF",
            Self::Exr => "EXR",
            Self::Hdr => "HDR",
            Self::Pnm => "PNM",
            Self::Tga => "TGA",
            Self::Pcd => "Photo CD",
            Self::Raw => "RAW",
            Self::Mp4 => "MP4",
            Self::Mov => "MOV",
            Self::Avi => "AVI",
            Self::Mkv => "MKV",
            Self::Mpeg => "MPEG",
            Self::ThreeGp => "3GP",
            Self::Wmv => "WMV",
            Self::Dv => "DV",
            Self::Flv => "FLV",
            Self::Mxf => "MXF",
            Self::Ogv => "OGV",
            Self::Rm => "RM",
            Self::RawVideo => "RAW video",
            Self::Xmp => "XMP",
            Self::Aae => "AAE",
            Self::Json => "JSON",
            Self::Develop => "Edits",
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
            | Self::Jp2
            | Self::Jxr
            | Self::Psd
            | Self::Xcf
            | Self::Exr
            | Self::Hdr
            | Self::Pnm
            | Self::Tga
            | Self::Pcd => MediaClass::Photo,
            Self::Raw => MediaClass::Raw,
            Self::Mp4
            | Self::Mov
            | Self::Avi
            | Self::Mkv
            | Self::Mpeg
            | Self::ThreeGp
            | Self::Wmv
            | Self::Dv
            | Self::Flv
            | Self::Mxf
            | Self::Ogv
            | Self::Rm
            | Self::RawVideo => MediaClass::Video,
            Self::Xmp | Self::Aae | Self::Json | Self::Develop => MediaClass::Sidecar,
        }
    }

    /// The type an extension (without its dot, any case) promises.
    pub fn from_extension(extension: &[u8]) -> Option<Self> {
        let lower = extension.to_ascii_lowercase();
        let at = EXTENSIONS.binary_search_by(|(known, _)| (*known).cmp(lower.as_slice())).ok()?;
        EXTENSIONS.get(at).map(|(_, media_type)| *media_type)
    }

    /// Whether files of this type also go under an extension (without its dot, any case) that promises
    /// nothing.
    pub fn may_have(self, extension: &[u8]) -> bool {
        let shares =
            |(known, shared): &(&[u8], Self)| *shared == self && extension.eq_ignore_ascii_case(known);
        SHARED_EXTENSIONS.iter().any(shares)
    }

    /// Whether a picture's or clip's extension begins with these bytes, in any case: a name that was cut.
    pub fn begins_extension(start: &[u8]) -> bool {
        let begins = |known: &[u8]| known.get(..start.len()).is_some_and(|k| k.eq_ignore_ascii_case(start));
        EXTENSIONS.iter().any(|(known, kind)| kind.class() != MediaClass::Sidecar && begins(known))
    }
}

#[cfg(test)]
mod tests;
