//! What an S3 server answers, and where it is. The module that holds these also holds the
//! destination, with all that it needs; only its readers are taken in.

use url::Url;

use crate::base::clock::Clock;
use crate::destination::http::Answer;
use crate::domain::failure::Failure;

#[path = "../../../src/destination/s3/address.rs"]
mod address;
#[path = "../../../src/destination/s3/errors.rs"]
mod errors;
#[path = "../../../src/destination/s3/xml.rs"]
mod xml;

/// Elements below elements, to the deepest.
fn depth(element: &xml::Element) -> usize {
    1 + element.children.iter().map(depth).max().unwrap_or(0)
}

/// An answer, which may come from anyone.
pub fn check(answer: &Answer, clock: &dyn Clock) {
    if let Ok(root) = xml::parse(&answer.body) {
        assert!(depth(&root) <= answer.body.len());
    }
    let said = errors::ErrorBody::of(answer);
    assert!(said.code.len() + said.message.len() <= 3 * answer.body.len());
    let task = errors::RequestPurpose { what: "sending the file", permission: "s3:PutObject" };
    crate::checks::answers::tells(&errors::failure(answer, task, clock));
}

/// As the destination's own.
pub fn canonical(text: &str) -> Result<String, Failure> {
    Ok(address::BucketAddress::parse(text)?.text())
}

/// As the destination's own.
pub fn endpoint(text: &str) -> Result<Url, Failure> {
    Ok(address::BucketAddress::parse(text)?.endpoint().clone())
}

/// An address that is understood stays where it points, whatever the key.
pub fn check_address(text: &str) {
    let Ok(place) = address::BucketAddress::parse(text) else { return };
    for key in ["2019/2019-05/a b?#%.jpg", "a/../../x", "%2e%2e/x", "./.safelight/x"] {
        let Ok(target) = place.target(Some(&place.object(key)), &[("partNumber", "1")]) else { continue };
        let (host, bucket_s) = (place.endpoint().host_str(), target.url.host_str());
        assert!(bucket_s.is_some_and(|name| host.is_some_and(|host| name == host || name.ends_with(host))));
        assert_eq!(target.url.path(), target.path, "what is signed is what is sent");
    }
}
