"""Samples for `benches/run dates`: what FFmpeg draws, with the tags that exiftool can write into it."""

import struct
import subprocess

# Name, and FFmpeg's options. What this FFmpeg cannot encode is left out and said.
PICTURES = {
    "jpg": (),
    "png": (),
    "tif": (),
    "webp": ("-c:v", "libwebp"),
    "gif": (),
    "jp2": ("-c:v", "libopenjpeg"),
    "jxl": ("-c:v", "libjxl"),
    "avif": ("-c:v", "libaom-av1", "-still-picture", "1"),
}
CLIPS = {
    "mp4": ("-c:v", "mpeg4"),
    "mov": ("-c:v", "mpeg4"),
    "3gp": ("-c:v", "h263", "-s", "176x144"),
    "m4v": ("-c:v", "mpeg4", "-f", "mp4"),
    "mkv": ("-c:v", "mpeg4"),
    "webm": ("-c:v", "libvpx"),
    "avi": ("-c:v", "mpeg4"),
    "wmv": ("-c:v", "wmv2"),
    "mts": ("-c:v", "mpeg2video", "-f", "mpegts"),
}
ORIGINAL, DIGITISED, MODIFIED = "2011:02:03 04:05:06", "2012:03:04 05:06:07", "2013:04:05 06:07:08"
# What exiftool is asked to write, each into a copy of each picture. What a format cannot hold is left out.
TAGS = {
    "exif-original": {"EXIF:DateTimeOriginal": ORIGINAL, "EXIF:CreateDate": DIGITISED, "EXIF:ModifyDate": MODIFIED},
    "exif-digitised": {"EXIF:CreateDate": DIGITISED, "EXIF:ModifyDate": MODIFIED},
    "exif-modified": {"EXIF:ModifyDate": MODIFIED},
    "exif-zone": {"EXIF:DateTimeOriginal": ORIGINAL, "EXIF:OffsetTimeOriginal": "+05:30", "EXIF:SubSecTimeOriginal": "25"},
    "iptc": {"IPTC:DateCreated": "2011:02:03", "IPTC:TimeCreated": "04:05:06+00:00"},
    "iptc-day": {"IPTC:DateCreated": "2011:02:03"},
    "iptc-digitised": {"IPTC:DigitalCreationDate": "2012:03:04", "IPTC:DigitalCreationTime": "05:06:07+01:00"},
    "xmp-original": {"XMP-exif:DateTimeOriginal": ORIGINAL, "XMP-xmp:CreateDate": DIGITISED},
    "xmp-photoshop": {"XMP-photoshop:DateCreated": ORIGINAL},
    "xmp-year": {"XMP-photoshop:DateCreated": "1957"},
    "xmp-month": {"XMP-photoshop:DateCreated": "1957:06"},
    "xmp-digitised": {"XMP-xmp:CreateDate": DIGITISED, "XMP-xmp:ModifyDate": MODIFIED},
    "xmp-modified": {"XMP-xmp:ModifyDate": MODIFIED},
    "xmp-before-digitised": {"EXIF:CreateDate": DIGITISED, "XMP-exif:DateTimeOriginal": ORIGINAL},
    "all": {
        "EXIF:DateTimeOriginal": ORIGINAL,
        "IPTC:DateCreated": "1999:02:03",
        "XMP-exif:DateTimeOriginal": "1998:02:03 04:05:06",
    },
    "quicktime": {"QuickTime:CreateDate": DIGITISED},
    "quicktime-track": {"QuickTime:TrackCreateDate": DIGITISED},
    "quicktime-media": {"QuickTime:MediaCreateDate": DIGITISED},
    "apple": {"Keys:CreationDate": ORIGINAL + "+02:00", "QuickTime:CreateDate": DIGITISED},
    "day": {"UserData:ContentCreateDate": ORIGINAL, "QuickTime:CreateDate": DIGITISED},
    "itunes-day": {"ItemList:ContentCreateDate": ORIGINAL},
    "user-data": {"UserData:DateTimeOriginal": ORIGINAL + "+00:00"},
    "png-time": {"PNG:CreationTime": ORIGINAL},
    "png-modified": {"PNG:ModifyDate": MODIFIED},
}
# What FFmpeg itself is asked to write into clips.
CREATED = "2014-05-06T07:08:09Z"


def run(*command):
    return subprocess.run([str(word) for word in command], capture_output=True, stdin=subprocess.DEVNULL).returncode == 0


def draw(path, options, seconds, *more):
    source = ("-f", "lavfi", "-i", f"testsrc=size=176x144:rate=10:duration={seconds}")
    frames = ("-frames:v", "1") if seconds < 0.2 else ()
    return run("ffmpeg", "-v", "error", "-y", *source, *frames, *options, *more, path)


def psd():
    head = b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 1, 1, 1, 8, 1)
    return head + struct.pack(">III", 0, 0, 0) + b"\0\0\x7f"


def tagged(folder, base):
    """Copies of a file, each with one set of tags, as far as exiftool can write any of them there."""
    written = 0
    for name, tags in TAGS.items():
        copy = folder / f"{base.suffix[1:]}-{name}{base.suffix}"
        words = [f"-{tag}={text}" for tag, text in tags.items()]
        done = run("exiftool", "-q", "-q", "-m", *words, "-o", copy, base)
        written += done
        if not done:
            copy.unlink(missing_ok=True)
    return written


def make(place):
    left_out = []
    bases = place / "plain"
    bases.mkdir()
    for kinds, seconds in ((PICTURES, 0.1), (CLIPS, 0.5)):
        for suffix, options in kinds.items():
            base = bases / f"plain.{suffix}"
            if not draw(base, options, seconds):
                left_out.append(suffix)
                base.unlink(missing_ok=True)
                continue
            folder = place / suffix
            folder.mkdir()
            tagged(folder, base)
            if kinds is CLIPS:
                draw(folder / f"{suffix}-ffmpeg.{suffix}", options, seconds, "-metadata", f"creation_time={CREATED}")
                draw(
                    folder / f"{suffix}-ffmpeg-date.{suffix}", options, seconds,
                    "-metadata", "date=2014-05-06", "-metadata", "DATE_RECORDED=2014-05-05 10:11:12",
                )
    (bases / "plain.psd").write_bytes(psd())
    (place / "psd").mkdir()
    tagged(place / "psd", bases / "plain.psd")
    # Sidecars, and a PNG whose packet is packed.
    (place / "xmp").mkdir()
    for name, tags in TAGS.items():
        words = [f"-{tag}={text}" for tag, text in tags.items() if tag.startswith("XMP")]
        if words:
            run("exiftool", "-q", "-q", *words, "-o", place / "xmp" / f"{name}.xmp")
    png = place / "png"
    if png.exists():
        run("exiftool", "-q", "-q", "-z", f"-XMP-exif:DateTimeOriginal={ORIGINAL}", "-o", png / "packed.png", bases / "plain.png")
    print(f"not made by this FFmpeg: {', '.join(left_out) or 'nothing'}", flush=True)
