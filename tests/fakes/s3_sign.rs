//! Signature version 4 as a server checks it, from what came over the wire.
//! Source: "Authenticating Requests: Using the Authorization Header", Amazon S3 API reference.

use hyper::HeaderMap;
use sha2::{Digest as _, Sha256};

use super::serve::field;

const BLOCK_BYTES: usize = 64;

/// Who may come in.
#[derive(Debug, Clone)]
pub struct Key {
    pub id: String,
    pub secret: String,
    /// The token of a temporary key.
    pub session: Option<String>,
    pub region: String,
}

/// The code of a refusal, and what it says besides as XML.
pub type Refusal = (u16, &'static str, String);

fn refusal(status: u16, code: &'static str) -> Refusal {
    (status, code, String::new())
}

/// Refuses what is not signed by this key as it came.
pub fn check(key: &Key, method: &str, path: &str, query: &str, headers: &HeaderMap) -> Result<(), Refusal> {
    let text = field(headers, "authorization").ok_or_else(|| refusal(403, "AccessDenied"))?;
    let malformed = || refusal(400, "AuthorizationHeaderMalformed");
    let text = text.strip_prefix("AWS4-HMAC-SHA256 ").ok_or_else(malformed)?;
    let part = |name: &str| {
        text.split(',')
            .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
            .ok_or_else(malformed)
    };
    let (credential, names, signature) = (part("Credential")?, part("SignedHeaders")?, part("Signature")?);
    let [id, day, region, service, last] = credential.split('/').collect::<Vec<_>>()[..] else {
        return Err(malformed());
    };
    if id != key.id {
        return Err(refusal(403, "InvalidAccessKeyId"));
    }
    if region != key.region {
        return Err((400, "AuthorizationHeaderMalformed", format!("<Region>{}</Region>", key.region)));
    }
    if field(headers, "x-amz-security-token") != key.session.as_deref() {
        return Err(refusal(400, "InvalidToken"));
    }
    let names: Vec<&str> = names.split(';').collect();
    let must = headers.keys().map(|name| name.as_str()).filter(|name| name.starts_with("x-amz-"));
    if must.chain(["host"]).any(|name| !names.contains(&name)) {
        return Err(refusal(403, "AccessDenied"));
    }
    let fields: String = names
        .iter()
        .map(|name| format!("{name}:{}\n", field(headers, name).unwrap_or_default().trim()))
        .collect();
    let mut pairs: Vec<String> = query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| if pair.contains('=') { pair.to_owned() } else { format!("{pair}=") })
        .collect();
    pairs.sort();
    let payload = field(headers, "x-amz-content-sha256").unwrap_or_default();
    let request = format!("{method}\n{path}\n{}\n{fields}\n{}\n{payload}", pairs.join("&"), names.join(";"));
    let scope = [day, region, service, last].join("/");
    let date = field(headers, "x-amz-date").unwrap_or_default();
    let signed = format!("AWS4-HMAC-SHA256\n{date}\n{scope}\n{}", hex(&Sha256::digest(request.as_bytes())));
    let secret = format!("AWS4{}", key.secret).into_bytes();
    let derived = [day, region, service, last].iter().fold(secret, |key, part| hmac(&key, part.as_bytes()));
    if hex(&hmac(&derived, signed.as_bytes())) == signature {
        Ok(())
    } else {
        Err(refusal(403, "SignatureDoesNotMatch"))
    }
}

/// HMAC-SHA256 (RFC 2104).
fn hmac(key: &[u8], text: &[u8]) -> Vec<u8> {
    let mut block = [0_u8; BLOCK_BYTES];
    let short = if key.len() > BLOCK_BYTES { Sha256::digest(key).to_vec() } else { key.to_vec() };
    block[..short.len()].copy_from_slice(&short);
    let inner = Sha256::new().chain_update(block.map(|byte| byte ^ 0x36)).chain_update(text).finalize();
    Sha256::new().chain_update(block.map(|byte| byte ^ 0x5c)).chain_update(inner).finalize().to_vec()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
