//! What status codes mean where a protocol has nothing better to say.

use super::date::parse_retry_after;
pub use super::status_table::{CodeMeaning, S3_CODES, STATUSES, StatusMeaning, code_meaning, meaning};
use super::{Answer, Headers, Url};
use crate::base::clock::Clock;
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind, Retry};

/// Beyond this difference a server's and our clock are told of, in seconds.
const SKEW_TOLD_FROM: i64 = 300;
/// How much of an answer's text is kept, in bytes.
const TEXT_BYTES_MAX: usize = 300;

/// Whether a body is a web page.
pub fn is_html(headers: &Headers) -> bool {
    let kind = headers.get("content-type").unwrap_or_default().trim_start();
    ["text/html", "application/xhtml"]
        .iter()
        .any(|html| kind.get(..html.len()).is_some_and(|start| start.eq_ignore_ascii_case(html)))
}

/// Refuses answers that lead elsewhere, or of a network that wants a sign-in.
pub(super) fn refuse_detours(status: u16, headers: &Headers, url: &Url) -> Result<(), Failure> {
    if (300..400).contains(&status) && status != 304 {
        let details = match headers.get("location").and_then(|to| url.join(to).ok()) {
            Some(to) => format!("it answered {status} and points to {}", shown(&to)),
            None => format!("it answered {status} and points elsewhere"),
        };
        return Err(Failure::destination(FailureKind::Redirect, details));
    }
    if status == 511 {
        let details = "this network wants you to sign in with a browser first";
        return Err(Failure::destination(FailureKind::Protocol, details).with_cause(Cause::SignInPage));
    }
    Ok(())
}

/// What it means that a web page came where none belongs.
pub(super) fn web_page() -> Failure {
    let details = "a web page answered instead of the server: this network may want you to sign in \
                   with a browser, or the address is that of a web site";
    Failure::destination(FailureKind::Protocol, details).with_cause(Cause::WebPage)
}

/// A URL without what may be secret in it.
pub fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Only URLs that cannot have them refuse, and those have none.
    url.set_username("").ok();
    url.set_password(None).ok();
    url.set_query(None);
    url.set_fragment(None);
    url.into()
}

/// The failure that an answer which is not a success stands for. `what` was being done; `said` is what
/// the protocol found in the body, if anything.
pub fn failure(answer: &Answer, clock: &dyn Clock, what: &str, said: Option<&str>) -> Failure {
    let StatusMeaning { kind, reach, retry, .. } = meaning(answer.status);
    let wait = answer.header("retry-after").and_then(|text| parse_retry_after(text, clock.now()));
    let retry = match (retry, wait) {
        (Retry::After(_), Some(wait)) => Retry::After(wait),
        (retry, _) => retry,
    };
    let mut details = format!("{what}: the server answered {}", answer.status);
    match said {
        Some(said) if !said.trim().is_empty() => {
            details.push_str(", ");
            details.push_str(&one_line(said));
        }
        _ if answer.status == 413 && is_html(&answer.headers) => {
            details.push_str(", with a web page: a server in front of it limits how large a file may be");
        }
        _ => {}
    }
    if let Some(skew) = answer.clock_skew(clock).filter(|skew| skew.abs() >= SKEW_TOLD_FROM) {
        let way = if skew > 0 { "behind" } else { "ahead of" };
        let minutes = skew.abs() / 60;
        details.push_str(&format!("; this computer's clock is {minutes} minutes {way} the server's"));
    }
    Failure { kind, retry, reach, cause: cause(answer), details }
}

/// What a status comes from, where someone other than the server itself gave it.
fn cause(answer: &Answer) -> Option<Cause> {
    match answer.status {
        407 => Some(Cause::ProxySignIn),
        409 => Some(Cause::NotReady),
        423 => Some(Cause::Locked),
        413 if is_html(&answer.headers) => {
            let who = answer.header("server").unwrap_or_default();
            let is_cloudflare = who.eq_ignore_ascii_case("cloudflare");
            Some(if is_cloudflare { Cause::CloudflareLimit } else { Cause::UploadLimit })
        }
        _ => None,
    }
}

/// A server's text on one line, cut.
pub fn one_line(text: &str) -> String {
    let words: Vec<&str> = text.split(|c: char| c.is_whitespace() || c.is_control()).collect();
    let line = words.into_iter().filter(|word| !word.is_empty()).collect::<Vec<_>>().join(" ");
    line[..line.floor_char_boundary(TEXT_BYTES_MAX)].to_owned()
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::base::clock::SystemClock;
    use crate::domain::failure::Reach;

    fn answer(status: u16, headers: Headers) -> Answer {
        Answer { status, headers, ..Answer::default() }
    }

    #[test]
    fn every_status_has_its_meaning() {
        let mut table = String::new();
        for status in [
            400, 401, 403, 404, 405, 407, 408, 409, 410, 411, 412, 413, 414, 415, 416, 417, 421, 422, 423,
            424, 425, 429, 431, 451, 500, 501, 502, 503, 504, 505, 507, 508, 999,
        ] {
            let StatusMeaning { kind, reach, retry, .. } = meaning(status);
            table += &format!("{status} {} {} {retry:?}\n", kind.as_str(), reach.as_str());
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn waits_skew_and_the_server_in_front_are_told() {
        let clock = SystemClock;
        let slow = answer(503, Headers::from([("Retry-After", "90")]));
        assert_eq!(failure(&slow, &clock, "x", None).retry, Retry::After(Duration::from_secs(90)));
        let large =
            answer(413, Headers::from([("Content-Type", "text/html; charset=utf-8"), ("Retry-After", "9")]));
        let large = failure(&large, &clock, "sending", None);
        assert!(large.is_permanent() && large.details.contains("in front of it"), "{large}");
        assert_eq!(large.cause, Some(Cause::UploadLimit));
        let headers = Headers::from([("Content-Type", "text/html"), ("Server", "cloudflare")]);
        let large = failure(&answer(413, headers), &clock, "sending", None);
        assert_eq!(large.cause, Some(Cause::CloudflareLimit));
        assert_eq!(failure(&answer(413, Headers::default()), &clock, "sending", None).cause, None);
        assert_eq!(
            failure(&answer(407, Headers::default()), &clock, "x", None).cause,
            Some(Cause::ProxySignIn)
        );
        let old = answer(403, Headers::from([("Date", "Sun, 06 Nov 1994 08:49:37 GMT")]));
        let old = failure(&old, &clock, "sending", Some("RequestTimeTooSkewed\n\u{7}  so"));
        assert!(old.details.contains("403, RequestTimeTooSkewed so; this computer's clock is"), "{old}");
        assert!(old.details.contains("ahead of the server's"), "{old}");
    }

    #[test]
    fn detours_are_refused_and_secrets_stay_out() {
        let url = Url::parse("https://photos.example/dav/").expect("a URL");
        let refuse = |status, headers| refuse_detours(status, &headers, &url);
        let to = Headers::from([("Location", "https://u:planted@evil.example/x?sig=planted#planted")]);
        let redirect = refuse(307, to).expect_err("a redirect");
        assert_eq!((redirect.kind, redirect.reach), (FailureKind::Redirect, Reach::Destination));
        assert!(
            redirect.details.ends_with("https://evil.example/x") && !redirect.details.contains("planted")
        );
        let page = || Headers::from([("Content-Type", "TEXT/HTML")]);
        assert_eq!(refuse(511, page()).expect_err("a portal").cause, Some(Cause::SignInPage));
        for status in [200, 201, 404, 304] {
            assert_eq!(refuse(status, page()), Ok(()));
        }
    }
}
