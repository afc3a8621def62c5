//! What Immich's answers mean. Both generations put a sentence into `message`; the second one tells
//! each field that is wrong in `message` too, the third one in `errors`.

use serde::Deserialize;
use serde_json::Value;

use crate::base::clock::Clock;
use crate::destination::http::{Answer, status};
use crate::domain::cause::Cause;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::messages::TRASHED;

/// How many sentences of one answer are repeated.
const SENTENCES_MAX: usize = 4;
const MISSING: &str = "Missing required permission: ";

#[derive(Deserialize, Default)]
#[serde(default)]
struct ErrorBody {
    message: Value,
    errors: Vec<FieldError>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct FieldError {
    path: Vec<Value>,
    message: String,
}

/// What an answer's body says of what went wrong, on one line; nothing where it is not Immich's.
pub fn message_of(body: &[u8]) -> Option<String> {
    let wrong: ErrorBody = serde_json::from_slice(body).ok()?;
    let mut sentences: Vec<String> = match wrong.message {
        Value::String(text) => vec![text],
        Value::Array(texts) => {
            texts.iter().filter_map(Value::as_str).take(SENTENCES_MAX).map(str::to_owned).collect()
        }
        _ => return None,
    };
    for field in wrong.errors.iter().take(SENTENCES_MAX) {
        let path: Vec<&str> = field.path.iter().filter_map(Value::as_str).collect();
        sentences.push(format!("{}: {}", path.join("."), field.message));
    }
    Some(status::one_line(&sentences.join("; ")))
}

/// The permission that an answer says the key lacks.
pub fn missing_permission(answer: &Answer) -> Option<String> {
    let said = message_of(&answer.body).filter(|_said| answer.status == 403)?;
    said.strip_prefix(MISSING).map(str::to_owned)
}

/// The failure that an answer which is not a success stands for.
pub fn failure(answer: &Answer, clock: &dyn Clock, what: &str) -> Failure {
    let said = message_of(&answer.body);
    let text = said.as_deref().unwrap_or_default();
    if let Some(permission) = missing_permission(answer) {
        return lacks(&[&permission]);
    }
    match answer.status {
        401 if said.is_some() => Failure::destination(
            FailureKind::Credentials,
            format!("{what}: the server does not know this API key ({text}); it may have been deleted there"),
        )
        .with_cause(Cause::KeyUnknown),
        400 if text.contains("Quota has been exceeded") => Failure::destination(
            FailureKind::Full,
            format!("{what}: the account's quota is used up; an administrator of the server can raise it"),
        )
        .with_cause(Cause::Quota),
        400 if text.starts_with("Unsupported file type") => unsupported(text),
        400 if text.starts_with("Not found or no") => {
            Failure::transient(FailureKind::NotFound, format!("{what}: {text}"))
        }
        404 if text.starts_with("Cannot ") => Failure::destination(
            FailureKind::Protocol,
            format!(
                "{what}: the server has no such function ({text}); its version may be too old or too new"
            ),
        )
        .with_cause(Cause::ServerVersion),
        _ => status::failure(answer, clock, what, said.as_deref()),
    }
}

/// The key may not do what is needed.
pub fn lacks(permissions: &[&str]) -> Failure {
    let (noun, names) =
        (if permissions.len() == 1 { "permission" } else { "permissions" }, permissions.join(", "));
    let details = format!(
        "the API key lacks the {noun} {names}; in Immich, under Account settings, API keys, edit the key and \
         tick {names}, or make a new key"
    );
    Failure::destination(FailureKind::Forbidden, details).with_cause(Cause::KeyLacks)
}

/// The key may not remove a damaged copy of ours.
pub fn may_not_remove(permissions: &[&str]) -> Failure {
    let Failure { details, .. } = lacks(permissions);
    Failure::permanent(FailureKind::DigestMismatch, details).with_cause(Cause::RemovalDenied)
}

/// The server takes no files of this type.
pub fn unsupported(why: &str) -> Failure {
    Failure::permanent(FailureKind::Unsupported, why)
}

/// Equal bytes are there, but only until the trash is emptied.
pub fn trashed() -> Failure {
    Failure::permanent(FailureKind::Conflict, TRASHED).with_cause(Cause::Trashed)
}

/// An answer that Immich does not give.
pub fn unexpected_answer(what: &str, why: &str) -> Failure {
    Failure::transient(FailureKind::Protocol, format!("{what}: {why}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::clock::SystemClock;
    use crate::destination::http::Headers;
    use crate::domain::failure::Reach;

    fn answer(status: u16, body: &str) -> Answer {
        Answer { status, body: body.to_owned().into(), ..Answer::default() }
    }

    #[test]
    fn both_generations_are_understood() {
        let map = |status, body: &str| failure(&answer(status, body), &SystemClock, "sending");
        // The older generation repeats the status in the body, the newer one does not.
        for tail in ["\"}", "\",\"error\":\"Bad Request\",\"statusCode\":400,\"correlationId\":\"x\"}"] {
            let map = |status, text: &str| map(status, &format!("{{\"message\":\"{text}{tail}"));
            let full = map(400, "Quota has been exceeded!");
            assert_eq!((full.kind, full.reach), (FailureKind::Full, Reach::Destination));
            let unknown = map(400, "Unsupported file type a.txt");
            assert_eq!(unknown.kind, FailureKind::Unsupported);
            assert!(unknown.is_permanent());
            let causes = [full.cause, map(401, "x").cause, map(404, "Cannot GET /x").cause];
            let known = [Cause::Quota, Cause::KeyUnknown, Cause::ServerVersion];
            assert_eq!(causes, known.map(Some));
            let key = map(401, "Invalid API key");
            assert_eq!((key.kind, key.reach), (FailureKind::Credentials, Reach::Destination));
            let lacks = map(403, "Missing required permission: asset.upload");
            assert_eq!((lacks.kind, lacks.reach), (FailureKind::Forbidden, Reach::Destination));
            assert!(lacks.details.contains("asset.upload"), "{lacks}");
            assert_eq!(map(400, "Not found or no asset.read access").kind, FailureKind::NotFound);
            assert_eq!(map(404, "Cannot POST /api/assets").kind, FailureKind::Protocol);
        }
        let old = map(400, r#"{"message":["deviceId must be a string","deviceId should not be empty"]}"#);
        assert!(old.details.ends_with("deviceId must be a string; deviceId should not be empty"), "{old}");
        let new = r#"{"message":"Validation failed","errors":[{"path":["fileCreatedAt"],"message":"Invalid input"}]}"#;
        let new = map(400, new);
        assert!(new.details.ends_with("Validation failed; fileCreatedAt: Invalid input"), "{new}");
        assert_eq!((new.kind, new.is_permanent()), (FailureKind::BadRequest, true));
    }

    #[test]
    fn what_stands_in_front_is_told_apart() {
        let mut page = answer(413, "<html><h1>413 Request Entity Too Large</h1></html>");
        page.headers = Headers::from([("content-type", "text/html")]);
        let large = failure(&page, &SystemClock, "sending");
        assert_eq!((large.kind, large.is_permanent()), (FailureKind::TooLarge, true));
        assert!(large.details.contains("a server in front of it"), "{large}");
        let stranger = failure(&answer(403, "<html>no</html>"), &SystemClock, "sending");
        assert_eq!((stranger.kind, stranger.reach), (FailureKind::Forbidden, Reach::Resource));
        assert_eq!(message_of(b"[1]"), None);
        assert_eq!(message_of(b"{\"message\":7}"), None);
    }
}
