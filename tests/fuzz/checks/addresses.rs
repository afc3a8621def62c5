//! Addresses of servers as a person types them.

use crate::destination::address::ServerAddress;
use crate::destination::s3;
use crate::domain::target::{DestinationKind, Target};

/// As `destination::connect` does, which knows every kind and so all that a destination needs.
fn canonical(kind: DestinationKind, url: &str) -> Result<String, crate::domain::failure::Failure> {
    match kind {
        DestinationKind::S3 => s3::canonical(url),
        DestinationKind::Immich => {
            crate::destination::immich::Placement::parse(url).map(|placement| placement.text())
        }
        _ => ServerAddress::parse(kind, url).map(|address| address.text()),
    }
}

/// An address that is understood is kept in one spelling, holds no secret, and leads nowhere else.
pub fn check(data: &[u8]) {
    let Ok(Target::Url { kind, url }) = Target::parse(data) else { return };
    if kind == DestinationKind::Folder {
        return;
    }
    if let Ok(kept) = canonical(kind, &url) {
        assert_eq!(canonical(kind, &kept), Ok(kept), "one spelling");
    }
    if kind == DestinationKind::S3 {
        s3::check_address(&url);
    }
    if matches!(kind, DestinationKind::S3 | DestinationKind::Immich) {
        return;
    }
    let address = match ServerAddress::parse(kind, &url) {
        Ok(address) => address,
        Err(why) => {
            assert!(!why.details.is_empty());
            return;
        }
    };
    let kept = address.text();
    let again = ServerAddress::parse(kind, &kept).expect("what is kept can be read");
    assert_eq!((&again, again.text()), (&address, kept));
    let base = &address.base;
    assert!(base.username().is_empty() && base.password().is_none() && base.fragment().is_none());
    // Whether it is agreed to or not, the world is never sent a password in the clear.
    let agreed = address.check_encryption(true).is_ok();
    assert!(agreed || address.check_encryption(false).is_err());
    // Where uploads are asked for may be any URL; nothing is looked for below it.
    if matches!(kind, DestinationKind::Tus | DestinationKind::Resumable) {
        return;
    }
    assert!(base.path().ends_with('/') && base.query().is_none());
    for path in ["2019/2019-05/a b?#%.jpg", "../../x", "%2e%2e/x", "./.safelight/x", "\\..\\x"] {
        let below = address.below(path);
        assert_eq!(below.origin(), base.origin());
        assert!(below.path().starts_with(base.path()), "{path:?} leads to {below}");
    }
}
