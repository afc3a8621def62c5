//! The answer to a PROPFIND (RFC 4918, section 9.1).

/// What is told of one file or folder.
pub struct ResourceProperties {
    /// Its path, as in the request's URL: percent-encoded, a folder's with a slash at its end.
    pub href: String,
    /// Its length; `None` for a folder.
    pub size: Option<u64>,
    /// Its ETag, with its quotes.
    pub etag: Option<String>,
    /// Its modification time as an HTTP date.
    pub modified: String,
    /// More properties, as XML.
    pub more: String,
}

/// A whole `multistatus`.
pub fn multistatus(told: &[ResourceProperties]) -> String {
    let mut xml = String::from(
        "<?xml version=\"1.0\" encoding=\"utf-8\"?>\n<D:multistatus xmlns:D=\"DAV:\" xmlns:oc=\"http://owncloud.org/ns\">",
    );
    for ResourceProperties { href, size, etag, modified, more } in told {
        let kind = if size.is_none() { "<D:collection/>" } else { "" };
        let length =
            size.map_or(String::new(), |size| format!("<D:getcontentlength>{size}</D:getcontentlength>"));
        let etag =
            etag.as_ref().map_or(String::new(), |etag| format!("<D:getetag>{}</D:getetag>", escape(etag)));
        xml += &format!(
            "<D:response><D:href>{}</D:href><D:propstat><D:prop><D:resourcetype>{kind}</D:resourcetype>{length}{etag}\
             <D:getlastmodified>{modified}</D:getlastmodified>{more}</D:prop><D:status>HTTP/1.1 200 OK</D:status>\
             </D:propstat></D:response>",
            escape(href)
        );
    }
    xml + "</D:multistatus>"
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
