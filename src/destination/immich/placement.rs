//! The address of an Immich server: `immich+https://HOST[/PATH][?albums=folders][&stacks=raw]`.

use url::Url;

use crate::domain::failure::{Failure, FailureKind, Retry};

/// The longest address in bytes.
const ADDRESS_BYTES_MAX: usize = 2048;
const SCHEME: &str = "immich+";

/// Where a server is, and what the person wants it to make of the files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Placement {
    /// The server's web address, with a slash at its end.
    pub base: Url,
    /// Each asset goes into an album that has the name of the file's folder.
    pub has_folder_albums: bool,
    /// A RAW file and its picture become a stack.
    pub has_raw_stacks: bool,
}

fn wrong(why: impl Into<String>) -> Failure {
    Failure { retry: Retry::Never, ..Failure::destination(FailureKind::BadRequest, why) }
}

impl Placement {
    /// Reads an address.
    ///
    /// # Errors
    /// `bad_request` with what is wrong with it. The address is not repeated: it may hold a secret.
    pub fn parse(text: &str) -> Result<Self, Failure> {
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(wrong("the address is too long"));
        }
        let rest =
            text.strip_prefix(SCHEME).ok_or_else(|| wrong("the address begins with immich+https://"))?;
        let url = Url::parse(rest).map_err(|error| wrong(format!("the address cannot be read: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") || url.host().is_none() {
            return Err(wrong("the address is not one of a web server"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong(
                "Immich is signed in to with an API key, which is asked for or read from the environment; \
                 leave user and password out of the address",
            ));
        }
        if url.fragment().is_some() {
            return Err(wrong("the address must not have a #"));
        }
        let (mut has_folder_albums, mut has_raw_stacks) = (false, false);
        for (name, value) in url.query_pairs() {
            match (&*name, &*value) {
                ("albums", "folders") => has_folder_albums = true,
                ("stacks", "raw") => has_raw_stacks = true,
                _ => return Err(wrong("after ? only albums=folders and stacks=raw are understood")),
            }
        }
        let place = Self { base: normalized(&url), has_folder_albums, has_raw_stacks };
        // Escapes make it longer, and what is kept must be read again.
        if place.text().len() > ADDRESS_BYTES_MAX {
            return Err(wrong("the address is too long"));
        }
        Ok(place)
    }

    /// The address as it is kept: the same for all spellings of one place.
    pub fn text(&self) -> String {
        let mut options = Vec::new();
        if self.has_folder_albums {
            options.push("albums=folders");
        }
        if self.has_raw_stacks {
            options.push("stacks=raw");
        }
        let mark = if options.is_empty() { "" } else { "?" };
        format!("{SCHEME}{}{mark}{}", self.base, options.join("&"))
    }

    /// Where the API is: below `api/`, which the person may have given already.
    pub fn api(&self) -> Url {
        let mut url = self.base.clone();
        if !url.path().ends_with("/api/") {
            url.set_path(&format!("{}api/", self.base.path()));
        }
        url
    }
}

/// The URL without query, its path with one slash between and after its parts.
fn normalized(url: &Url) -> Url {
    let parts = url.path_segments().into_iter().flatten().filter(|part| !part.is_empty());
    let path: String = parts.map(|part| format!("/{part}")).collect();
    let mut plain = url.clone();
    plain.set_path(&format!("{path}/"));
    plain.set_query(None);
    plain
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_place_has_one_spelling() {
        for (given, kept, api) in [
            (
                "immich+https://Photos.Example",
                "immich+https://photos.example/",
                "https://photos.example/api/",
            ),
            ("immich+https://h:443//api", "immich+https://h/api/", "https://h/api/"),
            (
                "immich+http://127.0.0.1:2283/sub/",
                "immich+http://127.0.0.1:2283/sub/",
                "http://127.0.0.1:2283/sub/api/",
            ),
            (
                "immich+https://h/?stacks=raw&albums=folders",
                "immich+https://h/?albums=folders&stacks=raw",
                "https://h/api/",
            ),
        ] {
            let place = Placement::parse(given).expect(given);
            assert_eq!((place.text().as_str(), place.api().as_str()), (kept, api));
            assert_eq!(Placement::parse(kept).expect(kept), place);
        }
        for bad in [
            "https://h",
            "immich+ftp://planted",
            "immich+https://",
            "immich+https://ann:planted@h",
            "immich+https://planted@h",
            "immich+https://h/?key=planted",
            "immich+https://h/#planted",
            &format!("immich+https://h/{}", "planted".repeat(400)),
        ] {
            let failure = Placement::parse(bad).expect_err(bad);
            assert!(failure.is_permanent() && !failure.details.contains("planted"), "{failure}");
        }
    }
}
