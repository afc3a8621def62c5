//! Servers of our own for tests: real sockets on 127.0.0.1, everything kept in memory.
//!
//! Each runs on a thread of its own, so that tests of the real process, which do not have a runtime,
//! can use them too; each ends when it is dropped. What a server was asked, and what it holds, can
//! be looked at from the test.
//!
//! - [`serve`] runs a handler on a free port.
//! - [`dav`] is a WebDAV store whose moods ([`dav::Moods`]) are those of real servers.
//! - [`nextcloud`] is a Nextcloud: chunked uploads, checksums, a quota.
//! - [`fault_server`] is that store, or that Nextcloud, with faults on order: refusals, hangs, cuts, detours.
//! - [`uploads`] takes resumable uploads, by tus 1.0 or a version of the draft, with faults on order.
//!
//! They must be as strict as the servers they stand for: what the specification refuses is refused.
#![expect(dead_code, reason = "each test uses some of a fake, and the next one needs the rest")]

pub mod dav;
pub mod dav_xml;
pub mod fault_server;
pub mod nextcloud;
pub mod serve;
pub mod uploads;
pub mod uploads_speech;
