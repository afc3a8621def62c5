//! The JSON that Google Takeout puts beside each picture.

use serde::Deserialize;

use super::capture::StatedDates;
use super::dates::WallTime;

/// The little that is read of it.
#[derive(Deserialize)]
struct TakeoutSidecar {
    #[serde(rename = "photoTakenTime")]
    taken: Option<TakeoutTime>,
}

#[derive(Deserialize)]
struct TakeoutTime {
    timestamp: Option<Seconds>,
}

/// Seconds since 1970 in UTC, which Google writes as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Text(String),
    Number(i64),
}

/// When the picture was taken, as Google Photos knew it: in UTC.
pub(crate) fn read(json: &[u8]) -> StatedDates {
    let created_utc = taken(json).into_iter().collect();
    StatedDates { created_utc, ..StatedDates::default() }
}

fn taken(json: &[u8]) -> Option<WallTime> {
    let json = json.strip_prefix(b"\xef\xbb\xbf").unwrap_or(json);
    let item: TakeoutSidecar = serde_json::from_slice(json).ok()?;
    let seconds = match item.taken?.timestamp? {
        Seconds::Text(text) => text.trim().parse().ok()?,
        Seconds::Number(number) => number,
    };
    WallTime::from_utc(seconds, 0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn told(json: &str) -> Option<String> {
        read(json.as_bytes()).created_utc.first().map(|time| time.local.to_string())
    }

    #[test]
    fn the_time_of_capture_is_read() {
        let json = r#"{"title":"a.jpg","creationTime":{"timestamp":"1700000000"},
            "photoTakenTime":{"timestamp":"1060699034","formatted":"Aug 12, 2003"},"geoData":{"latitude":0.0}}"#;
        assert_eq!(told(json).as_deref(), Some("2003-08-12T14:37:14"));
        assert_eq!(
            told("\u{feff}{\"photoTakenTime\":{\"timestamp\":-400000000}}").as_deref(),
            Some("1957-04-29T08:53:20")
        );
    }

    #[test]
    fn nonsense_is_no_date() {
        for json in [
            "",
            "{}",
            "[]",
            r#"{"photoTakenTime":{"timestamp":"0"}}"#,
            r#"{"photoTakenTime":{"timestamp":"soon"}}"#,
            r#"{"photoTakenTime":{"timestamp":"99999999999999"}}"#,
            r#"{"photoTakenTime":null}"#,
            r#"{"creationTime":{"timestamp":"1700000000"}}"#,
        ] {
            assert_eq!(told(json), None, "{json}");
        }
        assert_eq!(told(&"[".repeat(100_000)), None);
    }

    proptest! {
        #[test]
        fn any_text_is_survived(text in "[{}\\[\\]\",:a-z0-9]{0,80}") {
            told(&text);
            told(&format!("{{\"photoTakenTime\":{{\"timestamp\":{text}}}}}"));
        }
    }
}
