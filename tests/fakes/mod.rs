//! Servers of our own for tests: real sockets on 127.0.0.1, everything kept in memory.
//!
//! Each runs on a thread of its own, so that tests of the real process, which do not have a runtime,
//! can use them too; each ends when it is dropped. What a server was asked, and what it holds, can
//! be looked at from the test.
//!
//! - [`serve`] runs a handler on a free port.
//! - [`dav`] is a WebDAV store whose behavior ([`dav::Behavior`]) is that of real servers.
//! - [`immich`] is an Immich server of either generation.
//! - [`nextcloud`] is a Nextcloud: chunked uploads, checksums, a quota.
//! - [`proxy`] stands in front of any server and misbehaves.
//! - [`s3`] is a bucket that checks signatures, digests and conditions, or believes everything.
//! - [`fault_server`] is that store, that Nextcloud or that bucket, with faults on order: refusals, hangs, cuts, detours.
//! - [`uploads`] takes resumable uploads, by tus 1.0 or a version of the draft, with faults on order.
//!
//! They must be as strict as the servers they stand for: what the specification refuses is refused.
#![expect(dead_code, reason = "each test uses some of a fake, and the next one needs the rest")]

pub mod dav;
pub mod dav_xml;
pub mod fault_server;
pub mod immich;
pub mod immich_answers;
pub mod immich_form;
pub mod immich_functions;
pub mod immich_uploads;
pub mod nextcloud;
pub mod proxy;
pub mod proxy_text;
pub mod s3;
pub mod s3_sign;
pub mod serve;
pub mod uploads;
pub mod uploads_speech;
