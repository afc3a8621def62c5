//! Where a destination is, as a person says it: a path, or a server's name with what is on it.

use percent_encoding::percent_decode_str;

/// A destination's address without schemes, escapes and options: `/media/ann/Backup`,
/// `cloud.example/Photos, as ann`, `photos at nas.example:9000`.
pub(super) fn format_address(url: &str) -> String {
    if let Some(path) = url.strip_prefix("file://") {
        return decoded(path);
    }
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (place, options) = rest.split_once('?').unwrap_or((rest, ""));
    let place = place.trim_end_matches('/');
    if scheme == "s3" {
        let endpoint = options.split('&').find_map(|option| option.strip_prefix("endpoint="));
        let host = endpoint.map(decoded);
        let host = host.as_deref().map(|host| host.split_once("://").map_or(host, |(_, host)| host));
        return match host {
            Some(host) => format!("{} at {}", decoded(place), host.trim_end_matches('/')),
            None => decoded(place),
        };
    }
    let end = place.find('/').unwrap_or(place.len());
    match place[..end].rsplit_once('@') {
        Some((user, host)) => format!("{host}{}, as {}", decoded(&place[end..]), decoded(user)),
        None => decoded(place),
    }
}

fn decoded(text: &str) -> String {
    percent_decode_str(text).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::format_address;

    #[test]
    fn addresses_are_said_plainly() {
        for (url, said) in [
            ("file:///media/ann/My disk", "/media/ann/My disk"),
            ("/media/ann/My disk", "/media/ann/My disk"),
            ("nextcloud+https://ann@cloud.example/My%20photos", "cloud.example/My photos, as ann"),
            ("webdav+https://nas.example/dav/", "nas.example/dav"),
            ("s3://photos/2024?endpoint=http%3A%2F%2Fnas%3A9000&region=home", "photos/2024 at nas:9000"),
            ("s3://photos", "photos"),
            ("immich+https://photos.example/?albums=folders", "photos.example"),
            ("tus+https://a%40b@server.example/files", "server.example/files, as a@b"),
        ] {
            assert_eq!(format_address(url), said);
        }
    }
}
