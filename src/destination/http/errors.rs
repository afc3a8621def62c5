//! The one place where a connection's errors become failures.

use std::error::Error;
use std::io;

use url::Url;

use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind};

/// How deep an error's causes are looked into.
const CAUSES_MAX: usize = 16;

/// Nothing has moved for too long.
pub(super) fn no_progress(url: &Url, is_sent: bool) -> Failure {
    let what = if is_sent { "did not answer" } else { "stopped taking bytes" };
    Failure::destination(FailureKind::Timeout, format!("{} {what}", place(url)))
}

/// What an error of the connection means. Its URL is left out: a signed one is a secret.
pub(super) fn failure_of(error: reqwest::Error, url: &Url) -> Failure {
    let error = error.without_url();
    let place = place(url);
    if let Some(tls) = find::<rustls::Error>(&error) {
        let failure = Failure::destination(FailureKind::Tls, format!("{place}: {}", explain_tls(tls)));
        return Failure { cause: cause_of_tls(tls), ..failure };
    }
    let causes = causes(&error);
    if error.is_builder() {
        return Failure::permanent(FailureKind::BadRequest, format!("{place}: {causes}"));
    }
    if error.is_dns() {
        return Failure::destination(FailureKind::Dns, format!("{place}: {causes}"));
    }
    if error.is_connect() {
        let kind = if error.is_timeout() { FailureKind::Timeout } else { FailureKind::Connect };
        let cause = cause_of_connection(&error, &causes);
        return Failure { cause, ..Failure::destination(kind, format!("{place}: {causes}")) };
    }
    if causes.contains("invalid HTTP") {
        let details = format!("{place} does not speak HTTP here: {causes}");
        return Failure::destination(FailureKind::Protocol, details);
    }
    // The connection was there: whether the destination still is, its next check will tell.
    let kind = if error.is_timeout() { FailureKind::Timeout } else { FailureKind::Connect };
    Failure::transient(kind, format!("{place}: {causes}"))
}

/// Where a URL leads, without what may be secret in it.
fn place(url: &Url) -> String {
    match url.port() {
        Some(port) => format!("{}:{port}", url.host_str().unwrap_or_default()),
        None => url.host_str().unwrap_or_default().to_owned(),
    }
}

/// What a connection that was never there comes from, where that can be told.
fn cause_of_connection(error: &reqwest::Error, causes: &str) -> Option<Cause> {
    // The connector has no type for what a proxy said; its words are all there is.
    if causes.contains("proxy authorization required") {
        return Some(Cause::ProxySignIn);
    }
    if causes.contains("tunnel error") || causes.contains("proxy") {
        return Some(Cause::Proxy);
    }
    let refused = find::<io::Error>(error).filter(|error| error.kind() == io::ErrorKind::ConnectionRefused);
    refused.map(|_error| Cause::Refused)
}

fn cause_of_tls(error: &rustls::Error) -> Option<Cause> {
    use rustls::CertificateError as C;
    let certificate = match error {
        rustls::Error::InvalidCertificate(certificate) => certificate,
        rustls::Error::InvalidMessage(_) => return Some(Cause::NotEncrypted),
        _ => return None,
    };
    match certificate {
        C::UnknownIssuer | C::BadSignature => Some(Cause::UnknownAuthority),
        C::Expired | C::ExpiredContext { .. } => Some(Cause::CertificateExpired),
        C::NotValidYet | C::NotValidYetContext { .. } => Some(Cause::CertificateNotYet),
        C::NotValidForName | C::NotValidForNameContext { .. } => Some(Cause::CertificateName),
        other if is_authority(other) => Some(Cause::CertificateKind),
        _ => None,
    }
}

/// The certificate is one that signs others, not one of a server.
pub(super) fn is_authority(error: &rustls::CertificateError) -> bool {
    format!("{error:?}").contains("CaUsedAsEndEntity")
}

fn explain_tls(error: &rustls::Error) -> String {
    use rustls::CertificateError as C;
    let rustls::Error::InvalidCertificate(certificate) = error else {
        return match error {
            rustls::Error::InvalidMessage(_) => {
                format!("what answers there does not speak TLS ({error}); it may only know http")
            }
            _ => error.to_string(),
        };
    };
    let clock = "or this computer's clock is wrong";
    match certificate {
        C::UnknownIssuer | C::BadSignature => {
            "its certificate is signed by itself, or by an authority that this computer does not know; \
             if the server is yours, add its authority's certificate"
                .to_owned()
        }
        C::Expired | C::ExpiredContext { .. } => format!("its certificate has expired, {clock}"),
        C::NotValidYet | C::NotValidYetContext { .. } => format!("its certificate is not valid yet, {clock}"),
        C::NotValidForName | C::NotValidForNameContext { .. } => {
            "its certificate is for another name".to_owned()
        }
        C::Revoked => "its certificate was revoked".to_owned(),
        other if is_authority(other) => {
            "its certificate is one that may sign others (CA:TRUE); such a one is trusted only where this very \
             certificate was chosen"
                .to_owned()
        }
        other => format!("its certificate cannot be trusted: {other:?}"),
    }
}

/// The first cause of this type, however it is wrapped.
fn find<'a, T: Error + 'static>(error: &'a (dyn Error + 'static)) -> Option<&'a T> {
    let mut next = Some(error);
    for _depth in 0..CAUSES_MAX {
        let error = next?;
        if let Some(found) = error.downcast_ref::<T>() {
            return Some(found);
        }
        // An input/output error gives what it carries as its own text, not as its cause.
        next = match error.downcast_ref::<io::Error>().and_then(io::Error::get_ref) {
            Some(inner) => Some(inner as &(dyn Error + 'static)),
            None => error.source(),
        };
    }
    None
}

/// What an error and its causes say, each once.
fn causes(error: &(dyn Error + 'static)) -> String {
    let mut said: Vec<String> = Vec::new();
    let mut next = error.source();
    for _depth in 0..CAUSES_MAX {
        let Some(error) = next else { break };
        let text = error.to_string();
        if !said.iter().any(|before| before.contains(&text)) {
            said.push(text);
        }
        next = error.source();
    }
    if said.is_empty() { error.to_string() } else { said.join(": ") }
}
