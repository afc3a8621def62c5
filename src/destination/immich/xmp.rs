//! What a sidecar says that Immich can be told of an asset: description, rating, date and place.
//!
//! Source: the XMP specification, part 1 (properties as attributes or elements) and part 2 (`dc`,
//! `xmp`, `photoshop`, `exif`). Whatever is odd is left out: it is somebody else's file.

use quick_xml::Reader;
use quick_xml::events::Event;
use serde::Serialize;

/// The most events that are looked at.
const EVENTS_MAX: usize = 100_000;
/// How deep properties are looked into.
const DEPTH_MAX: usize = 64;
/// The longest text of a property that is read on, in bytes.
const TEXT_BYTES_MAX: usize = 100_000;
/// The longest description that is sent, in bytes.
const DESCRIPTION_BYTES_MAX: usize = 10_000;

/// What is sent; the field names are those of `PUT /assets/{id}`.
#[derive(Debug, Clone, PartialEq, Default, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct XmpFields {
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rating: Option<i8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    date_time_original: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    latitude: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    longitude: Option<f64>,
}

impl XmpFields {
    /// There is nothing to send.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn set_property(&mut self, property: &str, value: &str) {
        let value = value.trim();
        match property {
            "description" if !value.is_empty() && self.description.is_none() => {
                self.description = Some(value[..value.floor_char_boundary(DESCRIPTION_BYTES_MAX)].to_owned());
            }
            "Rating" => self.rating = value.parse().ok().filter(|rating| (-1..=5).contains(rating)),
            "DateTimeOriginal" => self.date_time_original = date(value).or(self.date_time_original.take()),
            "DateCreated" if self.date_time_original.is_none() => self.date_time_original = date(value),
            "GPSLatitude" => self.latitude = degrees(value, ['N', 'S'], 90.0),
            "GPSLongitude" => self.longitude = degrees(value, ['E', 'W'], 180.0),
            _ => {}
        }
    }
}

/// Reads a sidecar.
pub fn read(bytes: &[u8]) -> XmpFields {
    let mut fields = XmpFields::default();
    let mut reader = Reader::from_reader(bytes);
    // The properties that are open, by their local names, each with the text it has so far.
    let mut open: Vec<(String, String)> = Vec::new();
    let mut buffer = Vec::new();
    for _event in 0..EVENTS_MAX {
        buffer.clear();
        match reader.read_event_into(&mut buffer) {
            Ok(Event::Start(tag)) if open.len() < DEPTH_MAX => {
                attributes(&tag, &mut fields);
                open.push((local(tag.name().local_name().as_ref()), String::new()));
            }
            Ok(Event::Empty(tag)) => attributes(&tag, &mut fields),
            Ok(Event::Text(text)) => append(&mut open, &text.decode().unwrap_or_default()),
            Ok(Event::GeneralRef(name)) => {
                let text = name.decode().unwrap_or_default();
                let known =
                    quick_xml::escape::unescape(&format!("&{text};")).map(std::borrow::Cow::into_owned);
                append(&mut open, known.as_deref().unwrap_or_default());
            }
            Ok(Event::End(_)) => {
                let Some((name, text)) = open.pop() else { break };
                if matches!(name.as_str(), "Alt" | "Seq" | "Bag" | "li") {
                    // A list of alternatives: the property is what it is in.
                    append(&mut open, text.trim());
                } else {
                    fields.set_property(&name, &text);
                }
            }
            Ok(Event::Eof | Event::Start(_)) | Err(_) => break,
            Ok(_) => {}
        }
    }
    if fields.latitude.is_none() || fields.longitude.is_none() {
        (fields.latitude, fields.longitude) = (None, None);
    }
    fields
}

/// Adds text to the innermost property.
fn append(open: &mut [(String, String)], text: &str) {
    if let Some((_name, known)) = open.last_mut().filter(|(_name, known)| known.len() < TEXT_BYTES_MAX) {
        known.push_str(text);
    }
}

fn local(name: &[u8]) -> String {
    String::from_utf8_lossy(name).into_owned()
}

fn attributes(tag: &quick_xml::events::BytesStart<'_>, fields: &mut XmpFields) {
    for attribute in tag.attributes().flatten() {
        let name = local(attribute.key.local_name().as_ref());
        let value = String::from_utf8_lossy(&attribute.value);
        if let Ok(value) = quick_xml::escape::unescape(&value) {
            // `rdf:Description` may be called by the name of a property, never hold one in `about`.
            fields.set_property(&name, &value);
        }
    }
}

/// An XMP date with a time, as the server wants it: with an offset.
fn date(value: &str) -> Option<String> {
    if let Ok(at) = value.parse::<jiff::Timestamp>() {
        return Some(at.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string());
    }
    let local: jiff::civil::DateTime = value.contains('T').then(|| value.parse().ok())??;
    (1..=9999).contains(&local.year()).then(|| local.strftime("%Y-%m-%dT%H:%M:%S.000Z").to_string())
}

/// `DD,MM,SSk` or `DD,MM.mmk` (XMP, part 2, `GPSCoordinate`).
fn degrees(value: &str, ends: [char; 2], most: f64) -> Option<f64> {
    let end = value.chars().next_back()?;
    let sign = if end == ends[0] {
        1.0
    } else if end == ends[1] {
        -1.0
    } else {
        return None;
    };
    let mut total = 0.0;
    for (part, unit) in value[..value.len() - 1].split(',').zip([1.0, 60.0, 3600.0]) {
        let part: f64 = part.trim().parse().ok().filter(|part: &f64| part.is_finite() && *part >= 0.0)?;
        total += part / unit;
    }
    (total <= most).then_some(sign * total)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn properties_are_read_as_attributes_and_as_elements() {
        let elements = r#"<x:xmpmeta xmlns:x="adobe:ns:meta/"><rdf:RDF><rdf:Description rdf:about="">
            <dc:description><rdf:Alt><rdf:li xml:lang="x-default">Tea &amp; cake</rdf:li></rdf:Alt></dc:description>
            <xmp:Rating>4</xmp:Rating><exif:DateTimeOriginal>2019-05-12T10:15:00+02:00</exif:DateTimeOriginal>
            <exif:GPSLatitude>48,8.5N</exif:GPSLatitude><exif:GPSLongitude>11,34,30W</exif:GPSLongitude>
            </rdf:Description></rdf:RDF></x:xmpmeta>"#;
        let fields = read(elements.as_bytes());
        assert_eq!(fields.description.as_deref(), Some("Tea & cake"));
        assert_eq!(
            (fields.rating, fields.date_time_original.as_deref()),
            (Some(4), Some("2019-05-12T08:15:00.000Z"))
        );
        assert!((fields.latitude.expect("north") - 48.141_666).abs() < 1e-5);
        assert!((fields.longitude.expect("west") + 11.575).abs() < 1e-5);

        let attributes = r#"<rdf:Description xmp:Rating="-1" photoshop:DateCreated="2019-05-12T10:15:00"
            exif:GPSLatitude="91,0N" exif:GPSLongitude="1,0E"/>"#;
        let fields = read(attributes.as_bytes());
        assert_eq!((fields.rating, fields.latitude, fields.longitude), (Some(-1), None, None));
        assert_eq!(fields.date_time_original.as_deref(), Some("2019-05-12T10:15:00.000Z"));
        let json = serde_json::to_string(&fields).expect("JSON");
        assert_eq!(json, r#"{"rating":-1,"dateTimeOriginal":"2019-05-12T10:15:00.000Z"}"#);
        for nothing in ["", "<a", "not XML", "<a><xmp:Rating>nine</xmp:Rating></a>", "<x:xmpmeta/>"] {
            assert!(read(nothing.as_bytes()).is_empty(), "{nothing}");
        }
    }
}
