//! What an S3 server's refusals mean. Codes: "Error responses", Amazon S3 API reference, and those
//! that other servers have added.

use std::time::Duration;

use super::xml;
use crate::base::clock::Clock;
use crate::destination::http::{Answer, status};
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind, Reach, Retry};

/// The longest name that is taken for a region's: it is shown to be copied into an address.
const REGION_BYTES_MAX: usize = 64;

/// What a server says of an error.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Said {
    pub code: String,
    pub message: String,
    pub region: Option<String>,
}

impl Said {
    /// What the body says; nothing where it is no error document, as after HEAD.
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
pub(super) struct Task {
    /// `writing a copy`.
    pub what: &'static str,
    /// The permission that a key needs for it.
    pub permission: &'static str,
}

/// The failure that an answer which is no success stands for.
#[expect(clippy::too_many_lines, reason = "a table: one row a code")]
pub(super) fn failure(answer: &Answer, task: Task, clock: &dyn Clock) -> Failure {
    let said = Said::of(answer);
    let plain = status::failure(answer, clock, task.what, Some(&said.shown()));
    let with = |kind, reach, retry| Failure { kind, reach, retry, ..plain.clone() };
    let waited = match plain.retry {
        Retry::After(wait) => wait,
        Retry::Never | Retry::Exhausted => Duration::ZERO,
    };
    let here = |kind| with(kind, Reach::Destination, Retry::After(waited));
    let this = |kind| with(kind, Reach::Resource, Retry::After(waited));
    let never = |kind| with(kind, Reach::Resource, Retry::Never);
    use FailureKind as K;
    match said.code.as_str() {
        "AccessDenied" | "AllAccessDisabled" | "AccountProblem" | "Forbidden" => {
            forbidden(answer, task, here(K::Forbidden))
        }
        "NoSuchBucket" => said_more(here(K::NotFound), "there is no bucket of this name"),
        "InvalidBucketName" => said_more(here(K::BadRequest), "the server takes no bucket of this name"),
        "InvalidAccessKeyId" => said_more(here(K::Credentials), "the server does not know this access key")
            .because(Cause::KeyUnknown),
        "SignatureDoesNotMatch" => {
            said_more(here(K::Credentials), "the secret is not that of this access key")
        }
        "ExpiredToken" | "TokenRefreshRequired" => {
            said_more(here(K::Credentials), "the temporary credentials have expired")
                .because(Cause::KeyExpired)
        }
        "InvalidToken" => said_more(here(K::Credentials), "the session token is not that of this access key"),
        "InvalidSecurity" | "NotSignedUp" | "UnauthorizedAccess" => here(K::Credentials),
        "AuthorizationHeaderMalformed"
        | "PermanentRedirect"
        | "TemporaryRedirect"
        | "IllegalLocationConstraintException"
        | "InvalidRegion" => match &said.region {
            Some(region) => said_more(
                here(K::BadRequest),
                &format!("the bucket is in another region: write region={region}"),
            ),
            None if said.code == "AuthorizationHeaderMalformed" => here(K::Credentials),
            None => said_more(here(K::BadRequest), "the bucket is in another region or at another endpoint"),
        },
        "RequestTimeTooSkewed" => {
            said_more(here(K::BadRequest), "set this computer's clock: it differs too much from the server's")
                .because(Cause::Clock)
        }
        "SlowDown"
        | "TooManyRequests"
        | "RequestLimitExceeded"
        | "ReduceYourRequestRate"
        | "SlowDownRead"
        | "SlowDownWrite"
        | "ThrottlingException" => here(K::RateLimited),
        "QuotaExceeded"
        | "InsufficientCapacity"
        | "XMinioStorageFull"
        | "StorageFull"
        | "NotEnoughSpace"
        | "XMinioAdminBucketQuotaExceeded"
        | "InsufficientStorage"
        | "AccountQuotaExceeded" => here(K::Full),
        "EntityTooLarge" => never(K::TooLarge),
        "KeyTooLongError" | "KeyTooLong" | "InvalidURI" | "XMinioInvalidObjectName" => never(K::Unsupported),
        "BadDigest"
        | "InvalidDigest"
        | "XAmzContentSHA256Mismatch"
        | "XAmzContentChecksumMismatch"
        | "IncompleteBody"
        | "RequestTimeout" => this(K::DigestMismatch),
        "NoSuchKey" => this(K::NotFound),
        "NoSuchUpload"
        | "InvalidPart"
        | "InvalidPartOrder"
        | "ConditionalRequestConflict"
        | "OperationAborted"
        | "PreconditionFailed" => this(K::Conflict),
        "NotImplemented" | "MethodNotAllowed" => here(K::Unsupported),
        "ServiceUnavailable" => here(K::Server),
        "InternalError" => this(K::Server),
        "InvalidObjectState" => {
            said_more(this(K::Forbidden), "the copy is in an archive and must be restored there first")
        }
        // A HEAD's answer has no words, and a redirect may have none.
        "" if matches!(answer.status, 301 | 307 | 308 | 400) && said.region.is_some() => {
            let region = said.region.as_deref().unwrap_or_default();
            said_more(here(K::BadRequest), &format!("the bucket is in another region: write region={region}"))
        }
        "" if (300..400).contains(&answer.status) => here(K::Redirect),
        _ if answer.status == 403 => forbidden(answer, task, here(K::Forbidden)),
        _ => plain,
    }
}

fn said_more(mut failure: Failure, more: &str) -> Failure {
    failure.details = format!("{more}; {}", failure.details);
    failure
}

/// A refusal names the permission that is missing. Where it is the clock, that is said already.
fn forbidden(answer: &Answer, task: Task, failure: Failure) -> Failure {
    let on = if answer.body.is_empty() { "may lack" } else { "lacks" };
    said_more(failure, &format!("the key {on} the permission {}", task.permission))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::SystemClock;
    use crate::destination::http::Headers;

    const WRITE: Task = Task { what: "writing a copy", permission: "s3:PutObject" };

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
            Said::of(&Answer { status: 400, headers, ..Answer::default() }).region.as_deref(),
            Some("eu-west-3")
        );
        let body = "<Error><Code>PermanentRedirect</Code><Region>eu&#10;west</Region></Error>";
        let answer = Answer { status: 301, body: body.into(), ..Answer::default() };
        assert_eq!(Said::of(&answer).region, None, "no name of a region");
    }
}
