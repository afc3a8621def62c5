//! Destinations of every kind for tests: folders on simulated disks, each behind a layer of faults.

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::sync::Arc;

use crate::base::secret::Secret;
use crate::destination::connect::canonical;
use crate::destination::connect::{Address, Connect, Connector, CreatedDestination};
use crate::destination::folder::MemoryFs;
use crate::destination::layer::faulty::Faulty;
use crate::destination::{BoxFuture, Capabilities, SharedDestination};
use crate::domain::failure::Failure;
use crate::domain::network::NetworkRules;
use crate::domain::target::DestinationKind;

/// Where a destination that is not a folder keeps its copies.
pub(super) const CLOUD: &str = "/cloud";

/// Makes the destinations of a test.
#[derive(Clone)]
pub(super) struct TestConnect {
    /// Folders.
    pub disk: Connector,
    /// Everything else, as if it were a folder at [`CLOUD`].
    pub cloud: Connector,
    faults: Arc<Mutex<BTreeMap<Vec<u8>, Arc<Faulty>>>>,
}

impl TestConnect {
    pub fn new(disk: Connector, cloud: &MemoryFs) -> Self {
        let cloud = Connector { fs: Arc::new(cloud.clone()), ..disk.clone() };
        Self { disk, cloud, faults: Arc::default() }
    }

    /// The layer of faults before the destination with this address, once it was opened.
    pub fn faults(&self, address: &str) -> Arc<Faulty> {
        let kind = if address.starts_with('/') { DestinationKind::Folder } else { DestinationKind::S3 };
        let address = canonical(kind, address).expect("an address");
        let faults = self.faults.lock();
        Arc::clone(faults.get(address.as_bytes()).expect("an open destination"))
    }

    fn wrap(&self, address: &Address, inner: SharedDestination) -> SharedDestination {
        let faulty = Arc::new(Faulty::new(inner));
        let mut faults = self.faults.lock();
        faults.insert(address.address.clone(), Arc::clone(&faulty));
        faulty
    }

    fn place(&self, address: &Address) -> (&Connector, Address) {
        match address.kind {
            DestinationKind::Folder => (&self.disk, address.clone()),
            _ => {
                let (kind, folder) = (DestinationKind::Folder, CLOUD.as_bytes().to_vec());
                (&self.cloud, Address { kind, address: folder, ..address.clone() })
            }
        }
    }
}

impl Connect for TestConnect {
    fn open(&self, address: &Address, installation: &str) -> Result<SharedDestination, Failure> {
        let (connector, place) = self.place(address);
        Ok(self.wrap(address, connector.open(&place, installation)?))
    }

    fn create<'a>(
        &'a self,
        address: &'a Address,
        installation: &'a str,
    ) -> BoxFuture<'a, Result<CreatedDestination, Failure>> {
        Box::pin(async move {
            let (connector, place) = self.place(address);
            let (destination, capabilities) = connector.create(&place, installation).await?;
            Ok((self.wrap(address, destination), capabilities))
        })
    }

    fn test<'a>(
        &'a self,
        address: &'a Address,
    ) -> BoxFuture<'a, Result<(Capabilities, Option<u64>), Failure>> {
        Box::pin(async move {
            let (connector, place) = self.place(address);
            connector.test(&place).await
        })
    }

    fn set_network_config<'a>(&'a self, network: &'a NetworkRules) -> BoxFuture<'a, Result<(), String>> {
        self.disk.set_network_config(network)
    }

    fn keep_secret<'a>(&'a self, address: &'a Address, secret: Secret) -> BoxFuture<'a, Result<(), Failure>> {
        self.disk.keep_secret(address, secret)
    }

    fn forget_secret<'a>(&'a self, address: &'a Address) -> BoxFuture<'a, ()> {
        self.disk.forget_secret(address)
    }
}
