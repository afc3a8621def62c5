//! From bytes to facts, digests and pixels.
//!
//! Every byte read here is hostile until proven otherwise: reads are bounded by named limits, sizes
//! are checked before memory is taken, and decoders that are not ours run where a panic costs one
//! picture. This floor must never write to a source, open a database or a socket, or know of jobs.

mod asf;
mod bounded_reader;
mod capture;
mod catch_panic;
mod ciff;
mod dates;
pub(crate) mod exclusions;
pub mod facts;
#[cfg(feature = "testing")]
pub mod fixture;
pub(crate) mod hash;
mod headers;
mod heif;
mod inflate;
mod iptc;
mod isobmff;
mod jp2;
mod jpeg;
mod jxl;
mod matroska;
mod metadata;
mod movie;
mod name_date;
mod photoshop;
pub mod picture;
mod png;
mod raw;
mod riff;
pub(crate) mod sniff;
mod takeout;
pub mod thumb_cache;
mod tiff;
mod tiff_entry;
mod transport;
mod xmp;
