//! What an S3 server's refusals mean. Codes: "Error responses", Amazon S3 API reference, and those
//! that other servers have added.

use std::time::Duration;

use super::xml;
use crate::base::clock::Clock;
use crate::destination::http::Answer;
use crate::destination::http::status::{self, CodeMeaning};
use crate::domain::failure::{Failure, FailureKind, Reach, Retry};

const AGAIN: Retry = Retry::After(Duration::ZERO);
/// The longest name that is taken for a region's: it is shown to be copied into an address.
const REGION_BYTES_MAX: usize = 64;

/// What a server says of an error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct ErrorBody {
    pub code: String,
    pub message: String,
    pub region: Option<String>,
}

impl ErrorBody {
    /// What the body says; nothing where it is not an error document, as after HEAD.
    pub fn of(answer: &Answer) -> Self {
        let is_region = |name: &&str| {
            let is_one = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
            (1..=REGION_BYTES_MAX).contains(&name.len()) && name.bytes().all(is_one)
        };
        let header = answer.header("x-amz-bucket-region").filter(is_region).map(str::to_owned);
        let root = match xml::parse(answer.body.trim_ascii_start()) {
            Ok(root) if root.name == "Error" => root,
            _ => return Self { region: header, ..Self::default() },
        };
        let text = |name| root.text_of(name).unwrap_or_default().to_owned();
        let region = root.text_of("Region").or_else(|| root.text_of("BucketRegion")).filter(is_region);
        Self { code: text("Code"), message: text("Message"), region: region.map(str::to_owned).or(header) }
    }

    fn shown(&self) -> String {
        match (self.code.as_str(), self.message.as_str()) {
            ("", message) => message.to_owned(),
            (code, "") => code.to_owned(),
            (code, message) if code == message => code.to_owned(),
            (code, message) => format!("{code} ({message})"),
        }
    }
}

/// What was asked for, for the words of a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct RequestPurpose {
    /// `writing a copy`.
    pub what: &'static str,
    /// The permission that a key needs for it.
    pub permission: &'static str,
}

/// The failure that an answer which is not a success stands for: what its code means by the table of codes,
/// else its status.
pub(super) fn failure(answer: &Answer, task: RequestPurpose, clock: &dyn Clock) -> Failure {
    let said = ErrorBody::of(answer);
    let plain = status::failure(answer, clock, task.what, Some(&said.shown()));
    let here = |kind| Failure { kind, reach: Reach::Destination, ..plain.clone() };
    let elsewhere = |region: &str| {
        let more = format!("the bucket is in another region: write region={region}");
        Failure { retry: AGAIN, ..with_context(here(FailureKind::BadRequest), &more) }
    };
    let Some(meaning) = status::code_meaning(&said.code) else {
        // A HEAD's answer has no words, and a redirect may have none.
        return match (&said.region, answer.status) {
            (Some(region), 301 | 307 | 308 | 400) if said.code.is_empty() => elsewhere(region),
            (_, 300..=399) if said.code.is_empty() => here(FailureKind::Redirect),
            (_, 403) => forbidden(answer, task, here(FailureKind::Forbidden)),
            _ => plain,
        };
    };
    if let Some(region) = said.region.as_deref().filter(|_region| names_region(&said.code)) {
        return elsewhere(region);
    }
    let retry = match (meaning.retry, plain.retry) {
        // The server may have said when.
        (Retry::After(_), Retry::After(wait)) => Retry::After(wait),
        (retry, _) => retry,
    };
    let CodeMeaning { kind, reach, cause, details, .. } = meaning;
    let failure = Failure { kind, reach, retry, cause, ..plain };
    match details {
        "" if kind == FailureKind::Forbidden => forbidden(answer, task, failure),
        "" => failure,
        more => with_context(failure, more),
    }
}

/// Whether a code comes with the name of the region that a bucket is in.
fn names_region(code: &str) -> bool {
    matches!(
        code,
        "AuthorizationHeaderMalformed"
            | "PermanentRedirect"
            | "TemporaryRedirect"
            | "IllegalLocationConstraintException"
            | "InvalidRegion"
    )
}

fn with_context(mut failure: Failure, more: &str) -> Failure {
    failure.details = format!("{more}; {}", failure.details);
    failure
}

/// A refusal names the permission that is missing. Where it is the clock, that is said already.
fn forbidden(answer: &Answer, task: RequestPurpose, failure: Failure) -> Failure {
    let on = if answer.body.is_empty() { "may lack" } else { "lacks" };
    with_context(failure, &format!("the key {on} the permission {}", task.permission))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::SystemClock;
    use crate::destination::http::Headers;

    const WRITE: RequestPurpose = RequestPurpose { what: "writing a copy", permission: "s3:PutObject" };

    fn of(status: u16, code: &str) -> Failure {
        let body = if code.is_empty() {
            String::new()
        } else {
            format!("\n <?xml version=\"1.0\"?><Error><Code>{code}</Code><Message>why</Message></Error>")
        };
        let body = body.trim_start().to_owned();
        failure(&Answer { status, body: body.into(), ..Answer::default() }, WRITE, &SystemClock)
    }

    #[test]
    fn every_code_has_its_meaning() {
        let mut table = String::new();
        for (status, code) in [
            (403, "AccessDenied"),
            (403, ""),
            (404, "NoSuchBucket"),
            (403, "InvalidAccessKeyId"),
            (403, "SignatureDoesNotMatch"),
            (403, "RequestTimeTooSkewed"),
            (400, "AuthorizationHeaderMalformed"),
            (503, "SlowDown"),
            (503, ""),
            (500, "InternalError"),
            (507, "XMinioStorageFull"),
            (400, "EntityTooLarge"),
            (400, "BadDigest"),
            (404, "NoSuchKey"),
            (404, "NoSuchUpload"),
            (409, "ConditionalRequestConflict"),
            (412, "PreconditionFailed"),
            (501, "NotImplemented"),
            (400, "InvalidArgument"),
            (418, "Teapot"),
        ] {
            let Failure { kind, reach, retry, details, .. } = of(status, code);
            table +=
                &format!("{status} {code}: {} {} {retry:?} | {details}\n", kind.as_str(), reach.as_str());
        }
        insta::assert_snapshot!(table);
    }

    #[test]
    fn a_wrong_region_is_named() {
        let body = "<Error><Code>AuthorizationHeaderMalformed</Code><Region>eu-west-1</Region></Error>";
        let answer = Answer { status: 400, body: body.into(), ..Answer::default() };
        assert!(failure(&answer, WRITE, &SystemClock).details.contains("region=eu-west-1"));
        let headers = Headers::from([("x-amz-bucket-region", "eu-west-3")]);
        assert_eq!(
            ErrorBody::of(&Answer { status: 400, headers, ..Answer::default() }).region.as_deref(),
            Some("eu-west-3")
        );
        let body = "<Error><Code>PermanentRedirect</Code><Region>eu&#10;west</Region></Error>";
        let answer = Answer { status: 301, body: body.into(), ..Answer::default() };
        assert_eq!(ErrorBody::of(&answer).region, None, "no name of a region");
    }
}
