//! What every destination on a server is put together from.

use std::sync::Arc;

use super::Capabilities;
use super::credentials::Credentials;
use super::http::SharedHttp;
use crate::base::clock::SharedClock;
use crate::base::executor::Executor;
use crate::base::rng::SharedRng;
use crate::domain::target::DestinationKind;

/// What every destination on a server is put together from.
#[derive(Clone)]
pub struct ServerParts {
    /// What it speaks.
    pub kind: DestinationKind,
    /// Its address as it is kept.
    pub address: String,
    /// This installation's id.
    pub installation: String,
    /// The UUID that its marker must have; `None` takes any.
    pub uuid: Option<String>,
    /// What an earlier probe found.
    pub capabilities: Option<Capabilities>,
    /// The person lets the server's checksum count as proof, where that is a choice.
    pub trusts_checksum: bool,
    /// The HTTP client.
    pub http: SharedHttp,
    /// Who signs in.
    pub credentials: Arc<Credentials>,
    /// Where sources are read.
    pub executor: Executor,
    /// The source of random numbers.
    pub rng: SharedRng,
    /// The clock.
    pub clock: SharedClock,
}
