//! Extensions, kinds and their names.

use super::*;
use crate::domain::grouping;

#[test]
fn extensions_are_sorted_and_unshared() {
    assert!(EXTENSIONS.is_sorted_by(|a, b| a.0 < b.0));
    for (extension, media_type) in EXTENSIONS {
        assert_eq!(MediaType::from_extension(&extension.to_ascii_uppercase()), Some(media_type));
        assert!(SHARED_EXTENSIONS.iter().all(|(shared, _)| *shared != extension));
    }
    for media_type in MediaType::ALL {
        let has = |list: &[(&[u8], MediaType)]| list.iter().any(|(_, known)| *known == media_type);
        assert!(has(&EXTENSIONS) || has(&SHARED_EXTENSIONS), "{media_type:?}");
        assert_eq!(MediaType::parse(media_type.as_str()), Some(media_type));
    }
}

#[test]
fn names_promise_types() {
    let check =
        |name: &str, expected| assert_eq!(grouping::type_of_name(name.as_bytes()), expected, "{name}");
    check("a.JP2", Some(MediaType::Jp2));
    check("GOPR0001.THM", Some(MediaType::Jpeg));
    check("d.jpg.pp3", Some(MediaType::Develop));
    check("a.jpg.json", Some(MediaType::Json));
    check("a.HEIC.supplemental-met.json", Some(MediaType::Json));
    check("package.json", None);
    check("main.ts", None);
    assert!(MediaType::Mpeg.may_have(b"TS") && !MediaType::Mpeg.may_have(b"txt"));
    assert!(MediaType::begins_extension(b"JP") && !MediaType::begins_extension(b"xm"));
}
