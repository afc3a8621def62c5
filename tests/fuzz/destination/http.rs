//! What any web server answers. The module that holds these also holds the client, with all that it
//! needs; only its readers are taken in.

#[path = "../../../src/destination/http/answer.rs"]
mod answer;
#[path = "../../../src/destination/http/date.rs"]
pub mod date;
#[path = "../../../src/destination/http/headers.rs"]
mod headers;
#[path = "../../../src/destination/http/status.rs"]
pub mod status;
#[path = "../../../src/destination/http/status_table.rs"]
mod status_table;

pub use answer::Answer;
pub use headers::Headers;
pub use url::Url;

/// Stands in for the client's own, which decides nothing that is asserted here.
pub fn is_loopback(url: &url::Url) -> bool {
    url.host_str().is_some_and(|host| host == "localhost" || host.starts_with("127.") || host == "[::1]")
}

/// A detour is refused, whatever else the answer says.
pub fn check(answer: &Answer) {
    let url = Url::parse("https://h.example/photos/").expect("a URL");
    let refused = status::refuse_detours(answer.status, &answer.headers, &url);
    let leads_away = (300..400).contains(&answer.status) && answer.status != 304;
    assert_eq!(refused.is_err(), leads_away || answer.status == 511);
    if let Err(failure) = refused {
        crate::checks::answers::tells(&failure);
    }
}
