//! Writes the seeds from which fuzzing starts, all of them from our own drawn photos:
//! `tests/fuzz/run --seeds`.

use std::path::Path;

use image::ImageFormat;
use safelight_fuzz::api::framing::encode;
use safelight_fuzz::api::{Call, Command, FRAME_LEN_MAX, Frame, Hello, PathText, Query, Reply, Request, Selection};
use safelight_fuzz::destination::manifest;
use safelight_fuzz::domain::asset::{CapturedAt, Provenance};
use safelight_fuzz::domain::hash::{Blake3, ContentHash};
use safelight_fuzz::domain::time::UnixMillis;
use safelight_fuzz::media::fixture::{Photo, flat_png};
use serde_json::json;

fn main() -> std::io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds");
    for (target, seeds) in [
        ("metadata", metadata()),
        ("pictures", pictures()),
        ("manifest", manifests()),
        ("settings", settings()),
        ("conversation", conversations()),
        ("names", names()),
        ("responses", responses()),
        ("addresses", addresses()),
        ("answers", answers()),
        ("fields", fields()),
    ] {
        let dir = root.join(target);
        std::fs::create_dir_all(&dir)?;
        for (place, seed) in seeds.iter().enumerate() {
            std::fs::write(dir.join(format!("{place:02}.bin")), seed)?;
        }
        println!("{target}: {} seeds", seeds.len());
    }
    Ok(())
}

fn photo() -> Photo<'static> {
    Photo {
        width: 48,
        height: 32,
        taken: Some("2019:05:12 10:15:00"),
        offset: Some("+02:00"),
        camera: Some(("NIKON CORPORATION", "NIKON D70")),
        orientation: 6,
        content_identifier: Some("ABC-1"),
        has_preview: true,
        ..Photo::new(1)
    }
}

/// A box of the ISO format.
fn boxed(kind: &[u8], content: &[u8]) -> Vec<u8> {
    let len = u32::try_from(content.len() + 8).unwrap_or(0);
    [&len.to_be_bytes()[..], kind, content].concat()
}

fn movie() -> Vec<u8> {
    let mvhd = [&[0; 4][..], &3_640_000_000_u32.to_be_bytes(), &[0; 92]].concat();
    let mut tkhd = vec![0; 40];
    for number in [0_i32, 0x1_0000, 0, -0x1_0000, 0, 0, 0, 0, 0x4000_0000, 1920 << 16, 1080 << 16] {
        tkhd.extend(number.to_be_bytes());
    }
    let keys = [&[0, 0, 0, 0, 0, 0, 0, 1][..], &boxed(b"mdta", b"com.apple.quicktime.creationdate")].concat();
    let data = boxed(b"data", b"\0\0\0\x01\0\0\0\x002019-05-12T10:15:00+0200");
    let meta = [boxed(b"keys", &keys), boxed(b"ilst", &boxed(&[0, 0, 0, 1], &data))].concat();
    let day = boxed(b"\xa9day", b"\0\x0a\x15\xc72008-02-03");
    let moov = [
        boxed(b"mvhd", &mvhd),
        boxed(b"trak", &boxed(b"tkhd", &tkhd)),
        boxed(b"meta", &meta),
        boxed(b"udta", &day),
    ];
    [boxed(b"ftyp", b"qt  \0\0\0\0qt  "), boxed(b"moov", &moov.concat())].concat()
}

/// A RAF: its head says where its JPEG is.
fn fuji() -> Vec<u8> {
    let jpeg = photo().jpeg();
    let mut bytes = b"FUJIFILMCCD-RAW 0201FF000000X-T1".to_vec();
    bytes.resize(84, 0);
    bytes.extend(120_u32.to_be_bytes());
    bytes.extend(u32::try_from(jpeg.len()).unwrap_or(0).to_be_bytes());
    bytes.resize(120, 0);
    bytes.extend(jpeg);
    bytes
}

/// A CR3: Canon's boxes with a TIFF in each.
fn canon() -> Vec<u8> {
    let tiff = Photo { width: 2, height: 2, has_preview: false, ..photo() }.tiff();
    let metadata = b"\x85\xc0\xb6\x87\x82\x0f\x11\xe0\x81\x11\xf4\xce\x46\x2b\x6a\x48";
    let preview = b"\xea\xf4\x2b\x5e\x1c\x98\x4b\x88\xb9\xfb\xb7\xdc\x40\x6e\x4d\x16";
    let parts = [metadata.to_vec(), boxed(b"CMT1", &tiff), boxed(b"CMT2", &tiff)].concat();
    let shown = [preview.to_vec(), vec![0; 8], boxed(b"PRVW", &[vec![0; 16], photo().jpeg()].concat())];
    [
        boxed(b"ftyp", b"crx \0\0\0\x01crx isom"),
        boxed(b"moov", &boxed(b"uuid", &parts)),
        boxed(b"uuid", &shown.concat()),
    ]
    .concat()
}

const XMP: &[u8] = b"<x:xmpmeta xmlns:x='adobe:ns:meta/'><rdf:Description exif:DateTimeOriginal='2011-01-02T03:04:05.25+02:00'/>";

fn with(pick: u8, bytes: Vec<u8>) -> Vec<u8> {
    [vec![pick], bytes].concat()
}

fn metadata() -> Vec<Vec<u8>> {
    let small = Photo { width: 16, height: 16, has_preview: false, ..photo() };
    let exif = [b"\0\0\0\x08eXIf".to_vec(), b"II*\0\x08\0\0\0....".to_vec()].concat();
    let itxt = b"\0\0\0\x30iTXtXML:com.adobe.xmp\0\0\0\0\0xmp:CreateDate=\"2001-02-03\"".to_vec();
    let png = [b"\x89PNG\r\n\x1a\n".to_vec(), exif, itxt].concat();
    let psd = b"8BPS\0\x01\0\0\0\0\0\0\0\x03\0\0\0\x20\0\0\0\x30\0\x08\0\x03".to_vec();
    vec![
        with(0, photo().jpeg()),
        with(1, png),
        with(1, small.encoded(ImageFormat::Png)),
        with(2, small.encoded(ImageFormat::WebP)),
        with(
            2,
            b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0\x0f\0\0\x0f\0\0EXIF\x0a\0\0\0Exif\0\0MM\0*".to_vec(),
        ),
        with(3, small.encoded(ImageFormat::Gif)),
        with(4, small.tiff()),
        with(5, small.encoded(ImageFormat::Bmp)),
        with(6, Photo { width: 32, height: 32, has_preview: false, ..photo() }.heic()),
        with(8, small.tiff()),
        with(9, canon()),
        with(10, fuji()),
        with(11, movie()),
        with(13, psd),
        with(14, XMP.to_vec()),
        with(15, movie()),
        with(0, resources()),
        with(13, document()),
        with(16, [b"\0\0\0\x0cJXL \r\n\x87\n".to_vec(), boxed(b"Exif", &[&[0; 4][..], &small.tiff()].concat())].concat()),
        with(16, [b"\0\0\0\x0cJXL \r\n\x87\n".to_vec(), boxed(b"brob", b"xml \x8b\x01\x80text\x03")].concat()),
        with(17, [boxed(b"jP  ", b"\r\n\x87\n"), boxed(b"uuid", &[b"JpgTiffExif->JP2", small.tiff().as_slice()].concat())].concat()),
        with(19, canon_heap()),
        with(20, minolta()),
        with(22, avi()),
        with(23, matroska()),
        with(25, stream()),
        with(26, br#"{"photoTakenTime":{"timestamp":"1060699034"}}"#.to_vec()),
    ]
}

/// A JPEG with IPTC records.
fn resources() -> Vec<u8> {
    let records = b"\x1c\x02\x37\0\x0819870304\x1c\x02\x3c\0\x0b101500+0200";
    let resource = [&b"8BIM\x04\x04\0\0\0\0\0\x1d"[..], records, &[0]].concat();
    let body = [&b"Photoshop 3.0\0"[..], &resource].concat();
    let len = u16::try_from(body.len() + 2).unwrap_or(0).to_be_bytes();
    [&b"\xff\xd8\xff\xed"[..], &len, &body, b"\xff\xd9"].concat()
}

fn document() -> Vec<u8> {
    let resource = [&b"8BIM\x04\x24\0\0\0\0\0"[..], &[u8::try_from(XMP.len()).unwrap_or(0)], XMP].concat();
    let len = u32::try_from(resource.len()).unwrap_or(0).to_be_bytes();
    let head = b"8BPS\0\x01\0\0\0\0\0\0\0\x03\0\0\0\x20\0\0\0\x30\0\x08\0\x03\0\0\0\0";
    [&head[..], &len, &resource].concat()
}

/// A CRW: a heap with one entry, the time.
fn canon_heap() -> Vec<u8> {
    let mut bytes = b"II\x1a\0\0\0HEAPCCDR".to_vec();
    bytes.resize(26, 0);
    bytes.extend(1_049_522_828_u32.to_le_bytes());
    bytes.extend(b"\x01\0\x0e\x18\x04\0\0\0\0\0\0\0\x04\0\0\0");
    bytes
}

fn minolta() -> Vec<u8> {
    let tiff = Photo { width: 2, height: 2, has_preview: false, ..photo() }.tiff();
    let len = u32::try_from(tiff.len()).unwrap_or(0);
    [&b"\0MRM"[..], &(len + 8).to_be_bytes(), b"\0TTW", &len.to_be_bytes(), &tiff].concat()
}

fn avi() -> Vec<u8> {
    let idit = b"IDIT\x1a\0\0\0MON SEP 10 20:52:00 2012\n\0";
    let list = [&b"LIST\x26\0\0\0hdrl"[..], idit].concat();
    [&b"RIFF\x32\0\0\0AVI "[..], &list].concat()
}

fn matroska() -> Vec<u8> {
    let info = [&b"\x15\x49\xa9\x66\x8b\x44\x61\x88"[..], &450_000_000_000_000_000_i64.to_be_bytes()].concat();
    [&b"\x1a\x45\xdf\xa3\x8b\x42\x82\x88matroska\x18\x53\x80\x67\x90"[..], &info].concat()
}

/// A transport stream with a camera's note.
fn stream() -> Vec<u8> {
    let note = b"\x17\xee\x8c\x60\xf8\x4d\x11\xd9\x8c\xd6\x08\0\x20\x0c\x9a\x66MDPM\x02\x18\x02\x20\x14\x07\x19\x05\x16\x03\x02";
    let mut bytes = [&b"\x47\x50\x11\x10"[..], note].concat();
    for packet in 1..5 {
        bytes.resize(packet * 188, 0xff);
        bytes.extend(b"\x47\0\0\x10");
    }
    bytes
}

fn pictures() -> Vec<Vec<u8>> {
    let small = Photo { width: 24, height: 16, has_preview: false, ..photo() };
    let files = [
        photo().jpeg(),
        small.encoded(ImageFormat::Png),
        small.encoded(ImageFormat::WebP),
        small.encoded(ImageFormat::Gif),
        small.tiff(),
        small.encoded(ImageFormat::Bmp),
        Photo { width: 32, height: 32, ..small }.heic(),
        fuji(),
    ];
    let mut seeds: Vec<Vec<u8>> =
        files.iter().zip(0..).map(|(file, name)| with(name, with(0, file.clone()))).collect();
    seeds.push(with(0, with(3, small.jpeg())));
    seeds.push(with(1, with(1, flat_png(3_000, 10))));
    seeds
}

fn entry(name: &str) -> manifest::Entry {
    let captured_at = Some(CapturedAt {
        wall_ms: UnixMillis(1_557_656_100_000),
        offset_minutes: Some(120),
        provenance: Provenance::Metadata,
    });
    manifest::Entry {
        key: format!("2019/2019-05/{name}"),
        content: ContentHash { blake3: Blake3([7; 32]), size: 42 },
        captured_at,
        source: "Photos".to_owned(),
        path: name.as_bytes().to_vec(),
        mtime: UnixMillis(-5),
    }
}

fn manifests() -> Vec<Vec<u8>> {
    let odd = manifest::Entry { path: b"\xff/a.jpg".to_vec(), captured_at: None, ..entry("b.jpg") };
    let whole = manifest::encode(&[entry("IMG_1.JPG"), odd.clone()]).unwrap_or_default();
    // Without the summary, so that the target puts one that fits behind changed lines.
    let lines = manifest::encode(&[odd]).unwrap_or_default();
    let open = lines.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    vec![whole, lines[..open].to_vec(), manifest::encode(&[]).unwrap_or_default()]
}

fn settings() -> Vec<Vec<u8>> {
    let (path, odd) = (json!({"path": "/photos"}), json!({"path": "/odd?", "path_b64": "L29kZP8="}));
    let destination = |name: &str, kind: &str, address: &str| {
        json!({
            "name": name,
            "kind": kind,
            "address": {"path": address},
            "enabled": true,
            "job_limit": 64,
            "abilities": "{\"can_resume\":true}",
            "consents": [path, odd],
        })
    };
    let mirror = json!({
        "version": 1,
        "installation": "8f14e45f-ceea-467f-a0e6-1b5c2d9d3a10",
        "backup_on": true,
        "sources": [
            {"path": "/photos", "file_system": "uuid:1"},
            {"path": "/odd?", "path_b64": "L29kZP8=", "file_system": "type:ef53"},
        ],
        "destinations": [
            destination("disk", "folder", "/mnt/disk"),
            destination("cloud", "webdav", "webdav+https://host/path"),
        ],
    });
    vec![serde_json::to_vec(&mirror).unwrap_or_default()]
}

fn conversations() -> Vec<Vec<u8>> {
    let call = |id, request| encode(&Call { id, request }, FRAME_LEN_MAX).unwrap_or_default();
    let path = PathText::from_bytes(b"/photos/\xff");
    let hello = Hello { version: 1, role: "cli".to_owned(), stop: false };
    let frame = Frame::Reply { id: 7, outcome: Ok(Reply::Changed { items: 3 }) };
    let session = [
        encode(&hello, FRAME_LEN_MAX).unwrap_or_default(),
        call(1, Request::Subscribe),
        call(2, Request::Command(Command::AddSource { path, consent_all: true })),
        call(3, Request::Command(Command::Retry(Selection::Items(vec!["1".to_owned(), "f2".to_owned()])))),
        call(4, Request::Command(Command::Pause { for_secs: Some(60) })),
    ];
    let said = encode(&frame, FRAME_LEN_MAX).unwrap_or_default();
    let call = serde_json::to_vec(&Call { id: 9, request: Request::Query(Query::FailureGroups) }).unwrap_or_default();
    vec![session.concat(), said.clone(), said[4..].to_vec(), call]
}

fn names() -> Vec<Vec<u8>> {
    let numbers = [&1_557_656_100_000_i64.to_le_bytes()[..], &[255, 0]].concat();
    let name = |text: &[u8]| [numbers.as_slice(), text].concat();
    vec![
        name(b"IMG_1.JPG"),
        name(b"IMG_1.JPG.xmp"),
        name("e\u{301}\u{1e9e}\u{212a}.jpg".as_bytes()),
        name(b"con .txt"),
        name(b"..%41\xff/\\:?"),
        b"s3://bucket/a?endpoint=https%3A%2F%2Fhost&region=r".to_vec(),
        b"file:///mnt/a%20b".to_vec(),
        b"webdav+https://user@host/path".to_vec(),
        b"2019/2019-05/IMG_1.JPG".to_vec(),
        b"*IMG_?.*2019/2019-05/IMG_1.JPG".to_vec(),
        b".safelight-00000000000000ab.tmp".to_vec(),
    ]
}

fn answers() -> Vec<Vec<u8>> {
    let answer = |status: u16, rest: &str| [&status.to_le_bytes()[..], rest.as_bytes()].concat();
    let id = "8f14e45f-ceea-467f-a0e6-1b5c2d9d3a10";
    vec![
        answer(
            403,
            "Content-Type: application/xml\nDate: Sun, 06 Nov 1994 08:49:37 GMT\nx-amz-bucket-region: eu-west-1\n\n\
             <Error><Code>AccessDenied</Code><Message>no</Message><Region>us-east-1</Region></Error>",
        ),
        answer(503, "Retry-After: 120\n\n<Error><Code>SlowDown</Code><Message>wait</Message></Error>"),
        answer(307, "Location: https://ann:word@other.example/a?token=1#b\n\n"),
        answer(413, "Content-Type: text/html; charset=utf-8\n\n<html><h1>413</h1></html>"),
        answer(403, "\n\n{\"message\":\"Missing required permission: asset.upload\",\"statusCode\":403}"),
        answer(400, "\n\n{\"message\":[\"a\",\"b\"],\"errors\":[{\"path\":[\"x\",0],\"message\":\"m\"}]}"),
        answer(
            200,
            &format!(
                "\n\n{{\"results\":[{{\"id\":\"0\",\"action\":\"reject\",\"reason\":\"duplicate\",\
                 \"assetId\":\"{id}\",\"isTrashed\":true}}]}}"
            ),
        ),
        answer(201, &format!("\n\n{{\"id\":\"{id}\",\"status\":\"created\"}}")),
        answer(200, &format!("\n\n{{\"id\":\"{id}\",\"quotaSizeInBytes\":9,\"quotaUsageInBytes\":10}}")),
        answer(200, "\n\n{\"image\":[\".jpg\"],\"video\":[\".mp4\"],\"sidecar\":[\".xmp\"]}"),
    ]
}

fn fields() -> Vec<Vec<u8>> {
    [
        "?1",
        "4711",
        "max-size=1000;p=1, min-append-size=5;q, a=(1 2 \"x\"), b=:YQ==:, c=@1659578233, d=%\"f%c3%bc\"",
        "filename d29ybGRfZG9taW5hdGlvbl9wbGFuLnBkZg==,is_confidential",
        "/files/24e533e02ec3bc40c387f1a0e460e216",
        "https://h.example:443/files/../a?b=c",
        "//other.example/a\n?0\n-5\n1.5",
    ]
    .iter()
    .map(|line| line.as_bytes().to_vec())
    .collect()
}

fn responses() -> Vec<Vec<u8>> {
    let multistatus = r#"<?xml version="1.0" encoding="utf-8"?>
<D:multistatus xmlns:D="DAV:"><D:response xmlns:lp1="DAV:"><D:href>/dav/2019/</D:href><D:propstat><D:prop>
<lp1:resourcetype><D:collection/></lp1:resourcetype><D:quota-available-bytes>9</D:quota-available-bytes></D:prop>
<D:status>HTTP/1.1 200 OK</D:status></D:propstat></D:response><D:response>
<D:href>http://host/dav/a%20b&amp;&#35;.jpg</D:href><D:propstat><D:prop><lp1:resourcetype/>
<lp1:getcontentlength>42</lp1:getcontentlength><lp1:getetag>"2a-1"</lp1:getetag>
<lp1:getlastmodified>Sun, 06 Nov 1994 08:49:37 GMT</lp1:getlastmodified></D:prop>
<D:status>HTTP/1.1 200 OK</D:status></D:propstat><D:propstat><D:prop/><D:status>HTTP/1.1 404 Not Found</D:status>
</D:propstat></D:response></D:multistatus>"#;
    let parts = "<ListPartsResult><IsTruncated>false</IsTruncated><Part><PartNumber>1</PartNumber>\
        <ETag>&quot;ab&quot;</ETag><Size>5</Size></Part></ListPartsResult>";
    let marker = json!({
        "uuid": "8f14e45f-ceea-467f-a0e6-1b5c2d9d3a10", "created": "2026-01-02T03:04:05Z", "format": 1,
    });
    let texts = [multistatus, parts, "<!DOCTYPE a [<!ENTITY b \"bb\">]><a>&b;<![CDATA[x]]></a>", "120"];
    let mut seeds: Vec<Vec<u8>> = texts.iter().map(|text| text.as_bytes().to_vec()).collect();
    seeds.push(b"Sun, 06 Nov 1994 08:49:37 GMT".to_vec());
    seeds.push(marker.to_string().into_bytes());
    seeds
}

fn addresses() -> Vec<Vec<u8>> {
    let texts = [
        "webdav+https://me@host.example:8443/dav/photos/",
        "nextcloud+https://m%C3%A9@cloud.example",
        "immich+https://photos.example",
        "tus+http://127.0.0.1:1080/files/",
        "resumable+http://[fd00::1]/up//load",
        "webdav+http://me:secret@8.8.8.8/a?b#c",
        "s3://bucket/a%20b?endpoint=https://host:9000&region=eu-1&style=path",
    ];
    texts.iter().map(|text| text.as_bytes().to_vec()).collect()
}
