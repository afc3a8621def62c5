//! From bytes to facts, digests and pixels.
//!
//! Every byte read here is hostile until proven otherwise: reads are bounded by named limits, sizes
//! are checked before memory is taken, and decoders that are not ours run where a panic costs one
//! picture. This floor must never write to a source, open a database or a socket, or know of jobs.

mod boxes;
mod bytes;
mod dates;
pub mod facts;
pub mod fixture;
mod guard;
pub mod hash;
mod headers;
mod heif;
mod jpeg;
mod metadata;
mod movie;
mod name_date;
pub mod names;
pub mod picture;
pub mod sniff;
pub mod thumb_cache;
mod tiff;
mod xmp;
