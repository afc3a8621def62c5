//! What tus servers and servers with resumable uploads say in header fields.

use url::Url;

#[path = "../../../src/destination/resumable/core/location.rs"]
mod location;
#[path = "../../../src/destination/resumable/tus/metadata.rs"]
mod metadata;
#[path = "../../../src/destination/resumable/ietf/structured.rs"]
mod structured;

/// Integers of structured fields have at most this many digits.
const INTEGER_MAX: u64 = 999_999_999_999_999;

/// One field, as everything that it could be.
pub fn check(field: &str) {
    assert!(structured::integer(field).is_none_or(|number| number <= INTEGER_MAX));
    assert!(structured::boolean(field).is_none() || structured::integer(field).is_none());
    if let Some(members) = structured::dictionary(field) {
        let size = structured::integer_of(&members, "max-size");
        assert!(size.is_none_or(|number| number <= INTEGER_MAX));
    }
    if let Some(value) = metadata::value_of(field, "filename") {
        assert!(value.len() <= field.len());
    }
    for base in ["https://h.example/files/", "http://127.0.0.1:1080/files/"] {
        let base = Url::parse(base).expect("a URL");
        if let Ok(url) = location::normalised(&base, field) {
            assert_eq!(url.origin(), base.origin(), "never to another host");
            assert!(url.username().is_empty() && url.password().is_none() && url.fragment().is_none());
            assert_eq!(location::normalised(&base, url.as_str()), Ok(url));
        }
    }
}

/// What is written can be read.
pub fn check_written(value: &str) {
    let field = metadata::write(&[("filename", value), ("filetype", "image/jpeg")]);
    if let Some(read) = metadata::value_of(&field, "filename") {
        assert_eq!(read, value.as_bytes());
    } else {
        assert!(field.len() > 8 * 1024, "only what is too long is not read");
    }
}
