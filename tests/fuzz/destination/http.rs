//! What any web server answers. The module that holds these also holds the client, with all that it
//! needs; only its readers are taken in.

#[path = "../../../src/destination/http/date.rs"]
pub mod date;

/// Stands in for the client's own, which decides nothing that is asserted here.
pub fn is_loopback(url: &url::Url) -> bool {
    url.host_str().is_some_and(|host| host == "localhost" || host.starts_with("127.") || host == "[::1]")
}
