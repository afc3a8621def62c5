//! Making destinations out of addresses: the one place that knows which kinds there are.

use std::path::Path;
use std::sync::Arc;

use super::address::{ServerAddress, check_encryption};
use super::credentials::{Credentials, SecretSources, not_saved};
use super::folder::{Folder, FolderFs, OsFs, Parts};
use super::http::SharedHttp;
use super::immich::{self, Immich};
use super::network_config;
use super::resumable::{ietf, tus};
use super::s3::{self, S3};
use super::server_parts::ServerParts;
use super::webdav::{Dialect, WebDav};
use super::{BoxFuture, Capabilities, Destination as _, SharedDestination};
use crate::base::clock::SharedClock;
use crate::base::executor::Executor;
use crate::base::files::path_from_bytes;
use crate::base::rng::SharedRng;
use crate::base::secret::Secret;
use crate::domain::failure::{Failure, FailureKind};
use crate::domain::network::{NetworkRules, ProxyAddress};
use crate::domain::target::DestinationKind;

/// Where a destination is, and what is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Address {
    /// What it speaks.
    pub kind: DestinationKind,
    /// A folder's absolute path, or a URL without secrets; as bytes.
    pub address: Vec<u8>,
    /// Its name, which says what its secret is called in the environment; none before it has one.
    pub name: Option<String>,
    /// What a probe found; none before the first.
    pub capabilities: Option<Capabilities>,
    /// The secret that the person has just entered.
    pub secret: Option<Secret>,
    /// The person has agreed to plain http in a private network.
    pub is_http_agreed: bool,
    /// The person lets the server's checksum count as proof, where that is a choice.
    pub trusts_checksum: bool,
}

impl Address {
    /// An address that nothing is known of.
    pub fn new(kind: DestinationKind, address: Vec<u8>) -> Self {
        Self {
            kind,
            address,
            name: None,
            capabilities: None,
            secret: None,
            is_http_agreed: false,
            trusts_checksum: false,
        }
    }

    /// The URL of a server.
    ///
    /// # Errors
    /// `bad_request` when it is none.
    pub fn text(&self) -> Result<&str, Failure> {
        let wrong = |_bytes| Failure::destination(FailureKind::BadRequest, "the address is not UTF-8");
        std::str::from_utf8(&self.address).map_err(wrong)
    }
}

/// A destination that was set up, and what it can do.
pub type CreatedDestination = (SharedDestination, Capabilities);

/// Makes destinations. The seam where a simulation puts its own.
pub trait Connect: Send + Sync {
    /// A destination that is known: nothing is tried or written.
    ///
    /// # Errors
    /// When this release has no such kind, or the address makes no sense.
    fn open(&self, address: &Address, installation: &str) -> Result<SharedDestination, Failure>;

    /// Sets up a destination that the person is adding, or finds it set up already, and probes it. A
    /// secret that came with it is kept in the keyring once it was seen to work.
    ///
    /// # Errors
    /// Why it cannot be used.
    fn create<'a>(
        &'a self,
        address: &'a Address,
        installation: &'a str,
    ) -> BoxFuture<'a, Result<CreatedDestination, Failure>>;

    /// Tries a destination and leaves nothing behind that was not there. Returns its free space where
    /// that is known.
    ///
    /// # Errors
    /// Why it cannot be used.
    fn test<'a>(
        &'a self,
        address: &'a Address,
    ) -> BoxFuture<'a, Result<(Capabilities, Option<u64>), Failure>>;

    /// Keeps another secret for a destination, in the keyring.
    ///
    /// # Errors
    /// `credentials` when it cannot be kept.
    fn keep_secret<'a>(&'a self, address: &'a Address, secret: Secret) -> BoxFuture<'a, Result<(), Failure>>;

    /// Reaches servers with other network settings from now on.
    ///
    /// # Errors
    /// A sentence: then everything stays as it was.
    fn set_network_config<'a>(&'a self, _network: &'a NetworkRules) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Keeps the password of a proxy, in the keyring.
    ///
    /// # Errors
    /// `credentials` when it cannot be kept.
    fn keep_proxy_secret<'a>(
        &'a self,
        _proxy: &'a ProxyAddress,
        _secret: Secret,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(std::future::ready(Ok(())))
    }

    /// Removes a destination's secret from the keyring, as far as there is one of either.
    fn forget_secret<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, ()>;
}

/// An address as it is kept: the same for all spellings of one place.
///
/// # Errors
/// `bad_request` with what is wrong with it.
pub fn canonical(kind: DestinationKind, text: &str) -> Result<String, Failure> {
    match kind {
        DestinationKind::Folder => Ok(text.to_owned()),
        DestinationKind::S3 => s3::canonical(text),
        DestinationKind::Immich => Ok(immich::Placement::parse(text)?.text()),
        _ => Ok(ServerAddress::parse(kind, text)?.text()),
    }
}

/// Who signs in, where an address says so.
///
/// # Errors
/// As [`canonical`].
fn user_of(kind: DestinationKind, text: &str) -> Result<Option<String>, Failure> {
    match kind {
        DestinationKind::Folder | DestinationKind::S3 | DestinationKind::Immich => Ok(None),
        _ => Ok(ServerAddress::parse(kind, text)?.user),
    }
}

/// [`ServerAddress::check_encryption`] for any kind.
///
/// # Errors
/// As [`ServerAddress::check_encryption`].
fn check_encryption_of(kind: DestinationKind, text: &str, is_http_agreed: bool) -> Result<(), Failure> {
    match kind {
        DestinationKind::Folder => Ok(()),
        DestinationKind::S3 => check_encryption(&s3::endpoint(text)?, is_http_agreed),
        DestinationKind::Immich => check_encryption(&immich::Placement::parse(text)?.base, is_http_agreed),
        _ => ServerAddress::parse(kind, text)?.check_encryption(is_http_agreed),
    }
}

/// What a server of this kind adds to WebDAV.
fn dialect_of(kind: DestinationKind) -> Dialect {
    if kind == DestinationKind::Nextcloud { Dialect::Nextcloud } else { Dialect::Plain }
}

/// Destinations of this computer and its network.
#[derive(Clone)]
pub struct Connector {
    /// What blocking work of folders runs on, each folder's on threads of its own like these; and
    /// where sources are read for servers.
    pub executor: Executor,
    /// The source of random numbers.
    pub rng: SharedRng,
    /// The clock.
    pub clock: SharedClock,
    /// The file systems that folders are on.
    pub fs: Arc<dyn FolderFs>,
    /// The HTTP client.
    pub http: SharedHttp,
    /// Where secrets are looked for.
    pub secret_sources: SecretSources,
}

impl Connector {
    /// A connector to the computer's own file systems and, through `http`, to everyone's servers.
    pub fn new(
        executor: Executor,
        rng: SharedRng,
        clock: SharedClock,
        http: SharedHttp,
        secret_sources: SecretSources,
    ) -> Self {
        Self { executor, rng, clock, fs: Arc::new(OsFs::default()), http, secret_sources }
    }

    fn parts(&self, root: &Path, capabilities: Option<Capabilities>, installation: &str) -> Parts {
        Parts {
            root: root.to_path_buf(),
            uuid: capabilities.as_ref().map(|capabilities| capabilities.uuid.clone()),
            installation: installation.to_owned(),
            capabilities,
            fs: Arc::clone(&self.fs),
            executor: self.executor.with_own_threads(),
            rng: Arc::clone(&self.rng),
            clock: Arc::clone(&self.clock),
        }
    }

    fn server_parts(&self, address: &Address, installation: &str) -> Result<ServerParts, Failure> {
        let text = canonical(address.kind, address.text()?)?;
        let credentials = Credentials::new(
            self.secret_sources.clone(),
            address.kind,
            text.clone(),
            address.name.clone(),
            user_of(address.kind, &text)?,
            address.secret.clone(),
        );
        let uuid = address.capabilities.as_ref().map(|capabilities| capabilities.uuid.clone());
        Ok(ServerParts {
            kind: address.kind,
            address: text,
            installation: installation.to_owned(),
            uuid: uuid.filter(|uuid| !uuid.is_empty()),
            capabilities: address.capabilities.clone(),
            trusts_checksum: address.trusts_checksum,
            http: Arc::clone(&self.http),
            credentials: Arc::new(credentials),
            executor: self.executor.with_own_threads(),
            rng: Arc::clone(&self.rng),
            clock: Arc::clone(&self.clock),
        })
    }

    /// The same for a destination that is being added or tried: its connection must be encrypted.
    fn new_server_parts(&self, address: &Address, installation: &str) -> Result<ServerParts, Failure> {
        let parts = self.server_parts(address, installation)?;
        check_encryption_of(address.kind, &parts.address, address.is_http_agreed)?;
        Ok(parts)
    }

    async fn set_up(&self, root: &Path, installation: &str) -> Result<(Folder, Capabilities), Failure> {
        let (folder, uuid) = Folder::create(self.parts(root, None, installation)).await?;
        let capabilities = Capabilities { uuid, ..folder.probe().await? };
        Ok((Folder::new(self.parts(root, Some(capabilities.clone()), installation)), capabilities))
    }

    async fn set_up_any(&self, address: &Address, installation: &str) -> Result<CreatedDestination, Failure> {
        match address.kind {
            DestinationKind::Folder => {
                let root = path_from_bytes(&address.address);
                let (folder, capabilities) = self.set_up(&root, installation).await?;
                Ok((Arc::new(folder), capabilities))
            }
            DestinationKind::Immich => {
                let (immich, capabilities) =
                    Immich::create(self.new_server_parts(address, installation)?).await?;
                Ok((Arc::new(immich), capabilities))
            }
            DestinationKind::WebDav | DestinationKind::Nextcloud => {
                let parts = self.new_server_parts(address, installation)?;
                let (dav, capabilities) = WebDav::create(parts, dialect_of(address.kind)).await?;
                Ok((Arc::new(dav), capabilities))
            }
            DestinationKind::S3 => {
                let (s3, capabilities) = S3::create(self.new_server_parts(address, installation)?).await?;
                Ok((Arc::new(s3), capabilities))
            }
            DestinationKind::Tus => {
                let (uploads, capabilities) =
                    tus::create(self.new_server_parts(address, installation)?).await?;
                Ok((Arc::new(uploads), capabilities))
            }
            DestinationKind::Resumable => {
                let parts = self.new_server_parts(address, installation)?;
                let (uploads, capabilities) = ietf::create(parts).await?;
                Ok((Arc::new(uploads), capabilities))
            }
        }
    }

    /// The name of a destination's entry in the keyring.
    fn account(address: &Address) -> Result<String, Failure> {
        canonical(address.kind, address.text()?)
    }
}

impl Connect for Connector {
    fn open(&self, address: &Address, installation: &str) -> Result<SharedDestination, Failure> {
        match address.kind {
            DestinationKind::Folder => {
                let root = path_from_bytes(&address.address);
                Ok(Arc::new(Folder::new(self.parts(&root, address.capabilities.clone(), installation))))
            }
            DestinationKind::Immich => Ok(Arc::new(Immich::new(self.server_parts(address, installation)?)?)),
            DestinationKind::WebDav | DestinationKind::Nextcloud => {
                let parts = self.server_parts(address, installation)?;
                Ok(Arc::new(WebDav::new(parts, dialect_of(address.kind))?))
            }
            DestinationKind::S3 => Ok(Arc::new(S3::new(self.server_parts(address, installation)?)?)),
            DestinationKind::Tus => Ok(Arc::new(tus::open(self.server_parts(address, installation)?)?)),
            DestinationKind::Resumable => {
                Ok(Arc::new(ietf::open(self.server_parts(address, installation)?)?))
            }
        }
    }

    fn create<'a>(
        &'a self,
        address: &'a Address,
        installation: &'a str,
    ) -> BoxFuture<'a, Result<CreatedDestination, Failure>> {
        Box::pin(async move {
            let set_up = self.set_up_any(address, installation).await?;
            if let Some(secret) = &address.secret {
                self.keep_secret(address, secret.clone()).await?;
            }
            Ok(set_up)
        })
    }

    fn test<'a>(
        &'a self,
        address: &'a Address,
    ) -> BoxFuture<'a, Result<(Capabilities, Option<u64>), Failure>> {
        Box::pin(async move {
            match address.kind {
                DestinationKind::Folder => {
                    let root = path_from_bytes(&address.address);
                    Folder::try_out(self.parts(&root, address.capabilities.clone(), "test")).await
                }
                DestinationKind::Immich => Immich::try_out(self.new_server_parts(address, "test")?).await,
                DestinationKind::WebDav | DestinationKind::Nextcloud => {
                    let parts = self.new_server_parts(address, "test")?;
                    WebDav::try_out(parts, dialect_of(address.kind)).await
                }
                DestinationKind::S3 => S3::try_out(self.new_server_parts(address, "test")?).await,
                DestinationKind::Tus => tus::try_out(self.new_server_parts(address, "test")?).await,
                DestinationKind::Resumable => ietf::try_out(self.new_server_parts(address, "test")?).await,
            }
        })
    }

    fn keep_secret<'a>(&'a self, address: &'a Address, secret: Secret) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move {
            let account = Self::account(address)?;
            let user = user_of(address.kind, &account)?;
            let kept = self.secret_sources.store.set(&account, secret).await;
            kept.map_err(|error| not_saved(&error, address.kind, address.name.as_deref(), user.as_deref()))
        })
    }

    fn set_network_config<'a>(&'a self, network: &'a NetworkRules) -> BoxFuture<'a, Result<(), String>> {
        Box::pin(async move {
            let config = network_config::resolve(network, &self.secret_sources, &self.executor).await?;
            self.http.set_network_config(config).map_err(|failure| failure.details)
        })
    }

    fn keep_proxy_secret<'a>(
        &'a self,
        proxy: &'a ProxyAddress,
        secret: Secret,
    ) -> BoxFuture<'a, Result<(), Failure>> {
        Box::pin(async move { network_config::keep_secret(&self.secret_sources, proxy, secret).await })
    }

    fn forget_secret<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, ()> {
        Box::pin(async move {
            let Ok(account) = Self::account(address) else { return };
            if let Err(trouble) = self.secret_sources.store.remove(&account).await {
                tracing::info!(%trouble, "a secret could not be removed from the keyring");
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_can_be_read_again_or_is_refused_at_once() {
        for spaces in [100, 600, 1_900] {
            for kind in [DestinationKind::WebDav, DestinationKind::Tus, DestinationKind::Immich] {
                let typed = format!("{}+https://host/{}", kind.as_str(), "\u{e9}".repeat(spaces));
                if let Ok(kept) = canonical(kind, &typed) {
                    assert_eq!(canonical(kind, &kept), Ok(kept));
                }
            }
        }
        assert!(
            canonical(DestinationKind::Tus, &format!("tus+https://host/{}", "\u{e9}".repeat(600))).is_err()
        );
    }
}
