//! Signature version 4 in a header: pure, so that the published examples check it.
//!
//! In the header and not in the URL, because what is sent beside the bytes (their digests, the
//! condition not to replace) is signed with it, and because URLs end in logs.
//! Source: "Authenticating Requests: Using the Authorization Header", Amazon S3 API reference.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

use super::address::Target;
use crate::base::secret::Secret;
use crate::domain::time::UnixMillis;

/// The digest of no bytes is not worth computing each time.
pub(super) const UNSIGNED: &str = "UNSIGNED-PAYLOAD";

/// The access key that signs requests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct AccessKey {
    /// The access key's id, which is not a secret.
    pub id: String,
    /// Its secret.
    pub secret: Secret,
    /// What a temporary key has besides.
    pub session: Option<Secret>,
}

/// `20130524T000000Z`.
pub(super) fn timestamp(now: UnixMillis) -> String {
    now.rfc3339().chars().filter(|c| !matches!(c, '-' | ':')).collect()
}

/// The value of `Authorization` for a request. `headers` are those that are signed, with names in
/// lower case: `host`, `x-amz-date` and all others that matter.
pub(super) fn authorization(
    method: &str,
    target: &Target,
    headers: &[(&str, &str)],
    payload: &str,
    timestamp: &str,
    region: &str,
    access_key: &AccessKey,
) -> Secret {
    let mut sorted: Vec<(&str, &str)> = headers.to_vec();
    sorted.sort_unstable();
    let names = sorted.iter().map(|(name, _value)| *name).collect::<Vec<_>>().join(";");
    let fields: String = sorted.iter().map(|(name, value)| format!("{name}:{}\n", value.trim())).collect();
    let request = format!("{method}\n{}\n{}\n{fields}\n{names}\n{payload}", target.path, target.query);
    let day = timestamp.get(..8).unwrap_or_default();
    let scope = format!("{day}/{region}/s3/aws4_request");
    let text =
        format!("AWS4-HMAC-SHA256\n{timestamp}\n{scope}\n{}", hex(&Sha256::digest(request.as_bytes())));
    let mut key = Secret::new(format!("AWS4{}", access_key.secret.expose()));
    let mut derived = hmac(key.expose().as_bytes(), day.as_bytes());
    for part in [region, "s3", "aws4_request"] {
        derived = hmac(&derived, part.as_bytes());
    }
    let signature = hex(&hmac(&derived, text.as_bytes()));
    key = Secret::new(format!(
        "AWS4-HMAC-SHA256 Credential={}/{scope},SignedHeaders={names},Signature={signature}",
        access_key.id
    ));
    key
}

/// The HMAC-SHA256 of `text`.
fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    // Keys of any length are valid; without a key the server refuses the signature.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(key) else { return [0; 32] };
    mac.update(text);
    mac.finalize().into_bytes().into()
}

fn hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    let mut text = String::with_capacity(bytes.len() * 2);
    for byte in bytes {
        // Writing to a String cannot fail.
        write!(text, "{byte:02x}").ok();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::destination::s3::address::BucketAddress;

    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    fn signature(
        method: &str,
        object: Option<&str>,
        query: &[(&str, &str)],
        headers: &[(&str, &str)],
        payload: &str,
    ) -> String {
        let access_key = AccessKey {
            id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: Secret::new("wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".to_owned()),
            session: None,
        };
        let place =
            BucketAddress::parse("s3://examplebucket?endpoint=https://s3.amazonaws.com&style=virtual")
                .expect("valid");
        let target = place.target(object, query).expect("a URL");
        let mut all = vec![
            ("host", target.host.as_str()),
            ("x-amz-content-sha256", payload),
            ("x-amz-date", "20130524T000000Z"),
        ];
        all.extend(headers);
        let whole =
            authorization(method, &target, &all, payload, "20130524T000000Z", "us-east-1", &access_key);
        assert!(!format!("{access_key:?} {whole:?}").contains("wJalr"));
        whole.expose().rsplit_once("Signature=").expect("signed").1.to_owned()
    }

    #[test]
    fn the_published_examples() {
        assert_eq!(
            signature("GET", Some("test.txt"), &[], &[("range", "bytes=0-9")], EMPTY),
            "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41"
        );
        assert_eq!(
            signature(
                "PUT",
                Some("test$file.text"),
                &[],
                &[("date", "Fri, 24 May 2013 00:00:00 GMT"), ("x-amz-storage-class", "REDUCED_REDUNDANCY")],
                "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"
            ),
            "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd"
        );
        assert_eq!(
            signature("GET", None, &[("lifecycle", "")], &[], EMPTY),
            "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543"
        );
        assert_eq!(
            signature("GET", None, &[("max-keys", "2"), ("prefix", "J")], &[], EMPTY),
            "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7"
        );
    }

    #[test]
    fn hmac_of_rfc_4231() {
        assert_eq!(
            hex(&hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
        let long = hmac(&[0xaa; 131], b"Test Using Larger Than Block-Size Key - Hash Key First");
        assert_eq!(hex(&long), "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
        assert_eq!(timestamp(UnixMillis(1_369_353_600_000)), "20130524T000000Z");
    }
}
