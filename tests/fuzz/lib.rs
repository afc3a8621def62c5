//! What each fuzz target does with its bytes, and the modules that it does it to.
//!
//! A target must never only survive: it asserts what the callers of a parser rely on.

#[path = "../../src/api/mod.rs"]
pub mod api;
#[path = "."]
pub mod base {
    //! The seams that the modules under test name.
    #[path = "../../src/base/clock.rs"]
    pub mod clock;
    #[path = "../../src/base/digester.rs"]
    pub mod digester;
    #[path = "../../src/base/files.rs"]
    pub mod files;
    #[path = "../../src/base/secret.rs"]
    pub mod secret;
}
#[path = "../../src/domain/mod.rs"]
pub mod domain;
#[path = "."]
pub mod media {
    //! Readers of pictures and clips; each module open, so that it can be called by itself.
    #[path = "../../src/media/asf.rs"]
    pub mod asf;
    #[path = "../../src/media/isobmff.rs"]
    pub mod isobmff;
    #[path = "../../src/media/bounded_reader.rs"]
    pub mod bounded_reader;
    #[path = "../../src/media/capture.rs"]
    pub mod capture;
    #[path = "../../src/media/ciff.rs"]
    pub mod ciff;
    #[path = "../../src/media/dates.rs"]
    pub mod dates;
    #[path = "../../src/media/facts.rs"]
    pub mod facts;
    #[path = "../../src/media/fixture/mod.rs"]
    pub mod fixture;
    #[path = "../../src/media/catch_panic.rs"]
    pub mod catch_panic;
    #[path = "../../src/media/hash.rs"]
    pub mod hash;
    #[path = "../../src/media/headers.rs"]
    pub mod headers;
    #[path = "../../src/media/heif.rs"]
    pub mod heif;
    #[path = "../../src/media/inflate.rs"]
    pub mod inflate;
    #[path = "../../src/media/iptc.rs"]
    pub mod iptc;
    #[path = "../../src/media/jp2.rs"]
    pub mod jp2;
    #[path = "../../src/media/jpeg.rs"]
    pub mod jpeg;
    #[path = "../../src/media/jxl.rs"]
    pub mod jxl;
    #[path = "../../src/media/matroska.rs"]
    pub mod matroska;
    #[path = "../../src/media/metadata.rs"]
    pub mod metadata;
    #[path = "../../src/media/movie.rs"]
    pub mod movie;
    #[path = "../../src/media/name_date.rs"]
    pub mod name_date;
    #[path = "../../src/media/exclusions.rs"]
    pub mod exclusions;
    #[path = "../../src/media/photoshop.rs"]
    pub mod photoshop;
    #[path = "../../src/media/picture/mod.rs"]
    pub mod picture;
    #[path = "../../src/media/png.rs"]
    pub mod png;
    #[path = "../../src/media/raw.rs"]
    pub mod raw;
    #[path = "../../src/media/riff.rs"]
    pub mod riff;
    #[path = "../../src/media/sniff.rs"]
    pub mod sniff;
    #[path = "../../src/media/takeout.rs"]
    pub mod takeout;
    #[path = "../../src/media/thumb_cache.rs"]
    pub mod thumb_cache;
    #[path = "../../src/media/tiff.rs"]
    pub mod tiff;
    #[path = "../../src/media/tiff_entry.rs"]
    pub mod tiff_entry;
    #[path = "../../src/media/transport.rs"]
    pub mod transport;
    #[path = "../../src/media/xmp.rs"]
    pub mod xmp;
}
#[path = "."]
pub mod destination {
    //! Readers of what a destination holds and answers.
    #[path = "../../src/destination/address.rs"]
    pub mod address;
    #[path = "destination/http.rs"]
    pub mod http;
    #[path = "destination/immich.rs"]
    pub mod immich;
    #[path = "../../src/destination/manifest.rs"]
    pub mod manifest;
    #[path = "../../src/destination/marker.rs"]
    pub mod marker;
    #[path = "destination/s3.rs"]
    pub mod s3;
    #[path = "destination/uploads.rs"]
    pub mod uploads;
    #[path = "destination/webdav.rs"]
    pub mod webdav;
    #[path = "../../src/destination/xml.rs"]
    pub mod xml;
}
#[path = "."]
pub mod store {
    //! Readers of what lies beside the database.
    #[path = "."]
    pub mod mirror {
        #[path = "../../src/store/mirror/document.rs"]
        pub mod document;
    }
}

pub mod checks;
