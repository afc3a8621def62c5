//! The one integration test binary: every further file directly under `tests/` would link the whole
//! crate again.
#![expect(
    clippy::expect_used,
    clippy::panic,
    reason = "a helper of a test fails the test by panicking, with a sentence that says why"
)]

mod circles;
mod cluster;
mod conditions;
mod conformance;
#[path = "../fakes/mod.rs"]
mod fakes;
mod faults;
mod fire;
mod immich_facts;
mod immich_read_back;
mod immich_sidecars;
mod immich_trash;
mod keyring;
mod kill;
mod layers;
mod leftovers;
mod memory;
mod names;
mod network_config;
mod nextcloud;
mod restore;
mod s3;
mod secrets;
mod sentences;
mod sign_in;
mod support;
mod support_file;
mod tidy;
mod udisks;
mod uploads;
mod vocabulary;
mod webdav;
mod wire;
