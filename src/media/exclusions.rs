//! Files that a name alone leaves out: hidden ones and what operating systems leave behind.

use crate::domain::file::ExcludeReason;
use crate::domain::path::RelPath;

/// Folders that systems and appliances keep beside people's files. Compared without case.
const DEBRIS_FOLDERS: [&[u8]; 13] = [
    b"@eadir",
    b"@tmp",
    b"#recycle",
    b"#snapshot",
    b"$recycle.bin",
    b"recycler",
    b"system volume information",
    b"lost+found",
    b"__macosx",
    b".trashes",
    b".spotlight-v100",
    b".fseventsd",
    b".temporaryitems",
];

/// Files that systems and viewers leave behind. Compared without case.
const DEBRIS_FILES: [&[u8]; 14] = [
    b"thumbs.db",
    b"thumbs.db:encryptable",
    b"ehthumbs.db",
    b"ehthumbs_vista.db",
    b"desktop.ini",
    b".ds_store",
    b".localized",
    b".directory",
    b".nomedia",
    b"icon\r",
    b"picasa.ini",
    b".picasa.ini",
    b"zbthumbnail.info",
    b".apdisk",
];

/// Hidden folders in which a program keeps people's own pictures: Picasa moves the original there when an
/// edited one is saved. Of other programs none is known that does so in a hidden folder: digiKam's
/// `.dtrash` is a trash, gThumb's `.comments` and all `.thumbnails` hold no originals. Compared without case.
const FOLDERS_OF_ORIGINALS: [&[u8]; 1] = [b".picasaoriginals"];

/// Whether a file's path below its source leaves it out, and why.
pub fn excluded_by_name(path: &RelPath) -> Option<ExcludeReason> {
    let folders = || path.dir.split(|byte| *byte == b'/').filter(|part| !part.is_empty());
    let name = path.name.to_ascii_lowercase();
    if folders().any(is_debris_folder)
        || DEBRIS_FILES.contains(&name.as_slice())
        || name.starts_with(b"._")
        || name.starts_with(b".trash-")
    {
        return Some(ExcludeReason::Debris);
    }
    if name.starts_with(b".") || folders().any(is_hidden_folder) {
        return Some(ExcludeReason::Hidden);
    }
    None
}

fn is_hidden_folder(part: &[u8]) -> bool {
    let holds_originals = FOLDERS_OF_ORIGINALS.iter().any(|known| part.eq_ignore_ascii_case(known));
    part.starts_with(b".") && !holds_originals
}

fn is_debris_folder(part: &[u8]) -> bool {
    let part = part.to_ascii_lowercase();
    DEBRIS_FOLDERS.contains(&part.as_slice()) || part.starts_with(b".trash-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_decide() {
        let check = |path: &str, expected: Option<ExcludeReason>| {
            let path = RelPath::parse(path.as_bytes()).expect("plain path");
            assert_eq!(excluded_by_name(&path), expected, "{}", path.lossy());
        };
        for debris in [
            "Thumbs.db",
            "2019/THUMBS.DB",
            "desktop.ini",
            ".DS_Store",
            "a/._IMG_1.JPG",
            "a/@eaDir/IMG_1.JPG/SYNOPHOTO_THUMB_M.jpg",
            "$RECYCLE.BIN/S-1/IMG_1.JPG",
            ".Trash-1000/files/IMG_1.JPG",
            "Icon\r",
            "__MACOSX/a.jpg",
        ] {
            check(debris, Some(ExcludeReason::Debris));
        }
        for hidden in [
            ".hidden.jpg",
            ".cache/a.jpg",
            "a/.b/c.jpg",
            "a/.b/.picasaoriginals/c.jpg",
            ".picasaoriginals/.c.jpg",
            ".picasaoriginals.jpg",
        ] {
            check(hidden, Some(ExcludeReason::Hidden));
        }
        check("a/.picasaoriginals/.picasa.ini", Some(ExcludeReason::Debris));
        check("a/.picasaoriginals/IMG_1.JPG", None);
        check("a/.PicasaOriginals/IMG_1.JPG", None);
        for fine in ["IMG_1.JPG", "a.b/c.jpg", "_x.jpg", "a/..b", "eaDir/a.jpg", "recycle/a.jpg"] {
            check(fine, if fine == "a/..b" { Some(ExcludeReason::Hidden) } else { None });
        }
    }
}
