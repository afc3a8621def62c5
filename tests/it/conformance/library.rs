//! The suite's places that name their copies themselves: Immich servers of both generations.

use safelight::domain::target::DestinationKind;

use super::servers;
use super::site::{ServerFiles, Site};
use super::source::Sources;
use crate::fakes::immich::{Asset, Generation, ImmichServer, KEY};

/// A library has no names that could be taken: what a copy's key is, only its bytes tell.
struct Library {
    server: ImmichServer,
    sources: Sources,
}

impl ServerFiles for Library {
    fn contents(&self, path: &str) -> Option<Vec<u8>> {
        let has_key = |asset: &&Asset| self.sources.keys_of(&asset.bytes).iter().any(|key| key == path);
        self.server.assets().iter().find(has_key).map(|asset| asset.bytes.clone())
    }

    fn put(&self, path: &str, bytes: &[u8]) {
        self.server.put(path, bytes);
    }

    fn files(&self) -> Vec<String> {
        let key = |asset: &Asset| self.sources.keys_of(&asset.bytes).into_iter().next();
        let mut keys: Vec<String> = self
            .server
            .assets()
            .iter()
            .map(|asset| key(asset).unwrap_or_else(|| asset.name.clone()))
            .collect();
        keys.sort();
        keys
    }
}

/// A server of this generation, added as a person does.
pub async fn site(generation: Generation) -> Site {
    let (server, sources) = (ImmichServer::start(generation), Sources::default());
    let address = server.address();
    let library = Box::new(Library { server, sources: sources.clone() });
    let mut site = servers::site(DestinationKind::Immich, &address, Some(KEY), library).await;
    // Two files of one name are two assets.
    site.layout.always_hash = true;
    site.sources = sources;
    site
}
