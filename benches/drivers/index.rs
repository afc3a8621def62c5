//! The first look at a folder: what is there, what it is, and its digests.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use safelight::base::files::path_bytes;
use safelight::engine::Deps;
use safelight::engine::library::{Library, LibraryState};
use safelight::store::{Store, StoreOptions};

use super::Outcome;

/// Indexes `photos` into a new database in `data` and prints the seconds from start to rest.
pub fn index(data: &str, photos: &str) -> Outcome {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    runtime.block_on(async {
        let deps = Deps::system(PathBuf::from(data))?;
        let options = StoreOptions {
            path: deps.data_dir.join("safelight.db"),
            clock: Arc::clone(&deps.clock),
            rng: Arc::clone(&deps.rng),
            executor: deps.store_executor.clone(),
        };
        let store = Store::open(options)?.store;
        let path = PathBuf::from(photos);
        let file_system = deps.files.file_system(&path)?;
        store.write(move |tx| tx.add_source(&path_bytes(&path), &file_system)).await?;
        let began = Instant::now();
        let library = Library::start(deps.library(store.clone()));
        let mut state = library.state();
        let has_looked =
            |state: &LibraryState| state.is_quiet() && state.sources.values().any(|source| source.looks > 0);
        state.wait_for(has_looked).await?;
        let secs = began.elapsed().as_secs_f64();
        library.stop().await;
        let to_do = store.read(|r| r.newest_token()).await?;
        store.close().await;
        println!("secs {secs:.6}\nready {to_do}");
        Ok(())
    })
}
