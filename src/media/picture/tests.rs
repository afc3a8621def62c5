use std::io::{Seek as _, Write as _};

use image::{DynamicImage, ImageBuffer, ImageFormat, Luma, Rgb, Rgba as Pixel};
use proptest::prelude::*;

use super::*;
use crate::media::fixture::{Photo, flat_png};

fn file_of(bytes: &[u8]) -> std::fs::File {
    let mut file = tempfile::tempfile().expect("a temporary file");
    file.write_all(bytes).expect("written");
    file.rewind().expect("rewound");
    file
}

fn shown(name: &str, bytes: &[u8], side_max: u32) -> Result<Rgba, PictureError> {
    let picture = decode(&mut file_of(bytes), name.as_bytes(), side_max)?;
    assert_eq!(picture.data.len(), picture.width as usize * picture.height as usize * 4);
    assert!(picture.width.max(picture.height) <= side_max);
    Ok(picture)
}

/// The mean difference of a channel, 0–255.
fn mean_difference(a: &Rgba, b: &Rgba) -> f64 {
    assert_eq!((a.width, a.height), (b.width, b.height));
    let sum: u64 = a.data.iter().zip(&b.data).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
    f64::from(u32::try_from(sum).expect("small")) / f64::from(u32::try_from(a.data.len()).expect("small"))
}

fn written(picture: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    picture.write_to(&mut bytes, format).expect("encodes");
    bytes.into_inner()
}

#[test]
fn every_format_shows_the_same_picture() {
    let photo = Photo { width: 300, height: 200, ..Photo::new(8) };
    let expected = resize::fit(photo.upright(), 150);
    let formats = [
        ("a.png", photo.encoded(ImageFormat::Png), 1.0),
        ("a.bmp", photo.encoded(ImageFormat::Bmp), 1.0),
        ("a.webp", photo.encoded(ImageFormat::WebP), 1.0),
        ("a.tif", photo.tiff(), 1.0),
        ("a.gif", photo.encoded(ImageFormat::Gif), 6.0),
        ("a.jpg", photo.jpeg(), 5.0),
        ("a.heic", photo.heic(), 6.0),
        ("wrong-name.png", photo.jpeg(), 5.0),
    ];
    for (name, bytes, most) in formats {
        let picture = shown(name, &bytes, 150).unwrap_or_else(|reason| panic!("{name}: {reason:?}"));
        assert!(
            mean_difference(&picture, &expected) < most,
            "{name}: {}",
            mean_difference(&picture, &expected)
        );
        let whole = shown(name, &bytes, 5000).expect("decodes");
        assert_eq!((whole.width, whole.height), (300, 200), "{name} is never enlarged");
    }
}

#[test]
fn all_orientations_come_upright() {
    for orientation in 1..=8 {
        let is_turned = orientation >= 5;
        let (width, height) = if is_turned { (120, 180) } else { (180, 120) };
        let photo = Photo { width, height, orientation, has_preview: true, quality: 95, ..Photo::new(2) };
        let expected = photo.upright();
        assert_eq!((expected.width, expected.height), (180, 120));
        for (name, bytes) in [("a.jpg", photo.jpeg()), ("a.tif", photo.tiff())] {
            let picture = shown(name, &bytes, 180).expect("decodes");
            assert!(mean_difference(&picture, &expected) < 5.0, "{name} {orientation}");
            let small = shown(name, &bytes, 90).expect("decodes");
            assert!(
                mean_difference(&small, &resize::fit(photo.upright(), 90)) < 6.0,
                "{name} {orientation} small"
            );
        }
        let preview = embedded_preview(&mut file_of(&photo.jpeg()), b"a.jpg", 500).expect("a preview");
        assert!(mean_difference(&preview, &resize::fit(photo.upright(), 160)) < 8.0, "preview {orientation}");
    }
}

#[test]
fn a_preview_serves_only_where_it_is_enough() {
    let photo = Photo { width: 1200, height: 900, has_preview: true, ..Photo::new(9) };
    let bytes = photo.jpeg();
    let size = |side| shown("a.jpg", &bytes, side).map(|p| (p.width, p.height));
    assert_eq!(size(160), Ok((160, 120)));
    assert_eq!(size(320), Ok((320, 240)));
    // A file that ends behind its preview still shows that one.
    let cut = &bytes[..bytes.len().min(20_000)];
    assert_eq!(shown("a.jpg", cut, 160).map(|p| p.width), Ok(160));
    // A preview of another shape is of another picture.
    let other = Photo { width: 1200, height: 600, ..photo };
    let mut mixed = bytes[..bytes.len() - 2].to_vec();
    let (sof, plain) = (|jpeg: &[u8]| jpeg.windows(2).rposition(|w| w == [0xff, 0xc0]), other.jpeg());
    let (at, from) = (sof(&mixed).expect("a frame"), sof(&plain).expect("a frame"));
    mixed.truncate(at);
    mixed.extend(&plain[from..]);
    assert!(embedded_preview(&mut file_of(&mixed), b"a.jpg", 160).is_none());
}

#[test]
fn unusual_pixels_work() {
    let gray16 = DynamicImage::ImageLuma16(ImageBuffer::from_fn(40, 30, |x, _| {
        Luma([u16::try_from(x * 1600).expect("small")])
    }));
    let rgb16 = DynamicImage::ImageRgb16(ImageBuffer::from_fn(40, 30, |x, _| {
        Rgb([u16::try_from(x * 1600).expect("small"), 0, 65_535])
    }));
    let clear = DynamicImage::ImageRgba8(ImageBuffer::from_fn(40, 30, |x, _| {
        Pixel([200, 100, 50, if x < 20 { 0 } else { 255 }])
    }));
    for format in [ImageFormat::Png, ImageFormat::Tiff] {
        let name = if format == ImageFormat::Png { "a.png" } else { "a.tif" };
        let picture = shown(name, &written(&gray16, format), 100).expect("decodes");
        assert_eq!(picture.data[39 * 4..40 * 4], [243, 243, 243, 255], "{name}");
        let picture = shown(name, &written(&rgb16, format), 100).expect("decodes");
        assert_eq!(picture.data[39 * 4..40 * 4], [243, 0, 255, 255], "{name}");
    }
    let picture = shown("a.png", &written(&clear, ImageFormat::Png), 20).expect("decodes");
    assert_eq!((picture.data[3], picture.data[19 * 4 + 3]), (0, 255));
    assert_eq!(picture.data[19 * 4..19 * 4 + 3], [200, 100, 50]);
}

/// A JPEG of one colour in this colour space.
fn flat_jpeg(space: mozjpeg::ColorSpace, pixel: &[u8], progressive: bool) -> Vec<u8> {
    let mut encoder = mozjpeg::Compress::new(space);
    encoder.set_size(64, 48);
    encoder.set_fastest_defaults();
    if progressive {
        encoder.set_progressive_mode();
    }
    let mut started = encoder.start_compress(Vec::new()).expect("starts");
    started.write_scanlines(&pixel.repeat(64 * 48)).expect("writes");
    started.finish().expect("finishes")
}

#[test]
fn gray_and_cmyk_jpegs_work() {
    use mozjpeg::ColorSpace::{JCS_CMYK, JCS_GRAYSCALE, JCS_RGB};
    let near = |bytes: &[u8], expected: [u8; 3]| {
        let picture = shown("a.jpg", bytes, 16).expect("decodes");
        assert_eq!((picture.width, picture.height), (16, 12));
        let pixel = &picture.data[..3];
        assert!(
            pixel.iter().zip(&expected).all(|(a, b)| a.abs_diff(*b) < 6),
            "{pixel:?} is not {expected:?}"
        );
    };
    near(&flat_jpeg(JCS_GRAYSCALE, &[90], false), [90, 90, 90]);
    near(&flat_jpeg(JCS_RGB, &[200, 100, 50], true), [200, 100, 50]);
    // Without Adobe's mark, inks are inks: no cyan, some magenta, all yellow.
    let cmyk = flat_jpeg(JCS_CMYK, &[0, 128, 255, 0], false);
    let adobe = cmyk.windows(5).position(|w| w == b"Adobe").expect("the encoder's mark");
    let mut plain = cmyk.clone();
    plain[adobe] = b'X';
    near(&plain, [255, 127, 0]);
    near(&cmyk, [0, 0, 0]);
    near(&flat_jpeg(JCS_CMYK, &[255, 128, 0, 255], false), [255, 128, 0]);
}

#[test]
fn bombs_are_refused_before_memory_is_taken() {
    let bomb = flat_png(30_000, 30_000);
    assert!(bomb.len() < 8_000_000);
    assert_eq!(shown("a.png", &bomb, 320), Err(PictureError::TooLarge));
    // A JPEG whose frame claims more than there can be.
    let mut jpeg = Photo::new(1).jpeg();
    let sof = jpeg.windows(2).position(|w| w == [0xff, 0xc0]).expect("a frame");
    jpeg[sof + 5..sof + 9].copy_from_slice(&[0xff; 4]);
    assert_eq!(shown("a.jpg", &jpeg, 320), Err(PictureError::TooLarge));
    // A GIF and a BMP whose headers do.
    let mut gif = Photo { width: 20, height: 20, ..Photo::new(1) }.encoded(ImageFormat::Gif);
    gif[6..10].copy_from_slice(&[0xff; 4]);
    assert_eq!(shown("a.gif", &gif, 320), Err(PictureError::TooLarge));
    let mut bmp = Photo { width: 20, height: 20, ..Photo::new(1) }.encoded(ImageFormat::Bmp);
    bmp[18..26].copy_from_slice(&[0xff, 0xff, 0, 0, 0xff, 0xff, 0, 0]);
    assert_eq!(shown("a.bmp", &bmp, 320), Err(PictureError::TooLarge));
    // A progressive JPEG with passes without end.
    let mut passes = flat_jpeg(mozjpeg::ColorSpace::JCS_RGB, &[1, 2, 3], true);
    passes.extend([0xff, 0xda].repeat(1000));
    assert_eq!(shown("a.jpg", &passes, 320), Err(PictureError::TooLarge));
}

#[test]
fn what_makes_no_picture_says_why() {
    for (name, bytes, reason) in [
        ("a.jpg", &b"\xff\xd8\xff\xe0 and then nothing"[..], PictureError::Corrupt),
        ("a.jpg", b"not a picture", PictureError::Corrupt),
        ("a.png", b"\x89PNG\r\n\x1a\n", PictureError::Corrupt),
        ("a.heic", b"\0\0\0\x18ftypheic\0\0\0\0heicmif1", PictureError::Corrupt),
        ("a.mov", b"\0\0\0\x14ftypqt  \0\0\0\0qt  ", PictureError::Unsupported),
        ("a.avif", b"\0\0\0\x14ftypavif\0\0\0\0mif1", PictureError::Unsupported),
        ("a.nef", b"II*\0\x08\0\0\0\0\0\0\0\0\0", PictureError::Unsupported),
        ("a.txt", b"text", PictureError::Unsupported),
    ] {
        assert_eq!(shown(name, bytes, 320), Err(reason), "{name}");
    }
    let told: Vec<String> =
        PictureError::ALL.iter().map(|reason| reason.sentence(Some(MediaType::Raw))).collect();
    insta::assert_snapshot!(told.join("\n"));
    for reason in PictureError::ALL {
        assert_eq!(PictureError::parse(reason.as_str()), Some(reason));
    }
}

/// A RAW file: TIFF tags that lead to a preview, and some sensor data.
fn raw_with_preview(orientation: u8, is_tagged: bool) -> (Photo<'static>, Vec<u8>) {
    let photo = Photo { width: 480, height: 320, ..Photo::new(12) };
    let exif = crate::media::fixture::exif::ExifWriter {
        orientation: Some(orientation),
        thumbnail: is_tagged.then(|| photo.jpeg()),
        ..Default::default()
    };
    let mut bytes = exif.tiff();
    bytes.extend([0x55; 5000]);
    if !is_tagged {
        bytes.extend(photo.jpeg());
    }
    (photo, bytes)
}

#[test]
fn raw_shows_its_preview() {
    for is_tagged in [true, false] {
        let (photo, bytes) = raw_with_preview(1, is_tagged);
        let picture = shown("a.nef", &bytes, 240).expect("decodes");
        assert!(mean_difference(&picture, &resize::fit(photo.upright(), 240)) < 5.0);
        let (_, turned) = raw_with_preview(6, is_tagged);
        assert_eq!(shown("a.nef", &turned, 240).map(|p| (p.width, p.height)), Ok((160, 240)));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn damage_is_survived(
        which in 0_usize..8,
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..24),
        keep in any::<prop::sample::Index>(),
        cuts in any::<bool>(),
    ) {
        static FILES: std::sync::OnceLock<[(&str, Vec<u8>); 8]> = std::sync::OnceLock::new();
        let photo = Photo { width: 64, height: 48, has_preview: true, ..Photo::new(3) };
        let (name, whole) = &FILES.get_or_init(|| [
            ("a.jpg", photo.jpeg()),
            ("p.jpg", flat_jpeg(mozjpeg::ColorSpace::JCS_RGB, &[1, 2, 3], true)),
            ("a.png", photo.encoded(ImageFormat::Png)),
            ("a.webp", photo.encoded(ImageFormat::WebP)),
            ("a.gif", photo.encoded(ImageFormat::Gif)),
            ("a.tif", photo.tiff()),
            ("a.heic", photo.heic()),
            ("a.nef", raw_with_preview(6, true).1),
        ])[which];
        let mut bytes = whole.clone();
        for (index, byte) in flips {
            bytes[index.index(whole.len())] = byte;
        }
        if cuts {
            bytes.truncate(keep.index(whole.len()));
        }
        shown(name, &bytes, 40).ok();
    }
}
