//! Thumbnails of a folder of photos, made as the window makes them.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use safelight::base::clock::SystemClock;
use safelight::base::files::{OsFiles, SourceFiles as _};
use safelight::client::THUMBNAIL_SIDE_MAX;
use safelight::media::picture::{decode, embedded_preview};
use safelight::media::thumb_cache::{CACHE_BYTES_MAX, ThumbCache};

use super::Outcome;
use super::photos::cores;

/// Decodes every photo and writes its thumbnail into a cache, on all cores.
pub fn decode_all(dir: &str, cache: &str) -> Outcome {
    let cache = ThumbCache::new(PathBuf::from(cache), CACHE_BYTES_MAX, Arc::new(SystemClock));
    each(dir, |n, path| {
        let mut file = OsFiles.open(path)?;
        let outcome = decode(file.as_mut(), b"photo.jpg", THUMBNAIL_SIDE_MAX);
        cache.put(&format!("{n:064x}"), THUMBNAIL_SIDE_MAX, outcome).map_err(|why| why.as_str())?;
        Ok(())
    })
}

/// Reads every photo's embedded preview, on all cores, and prints the seconds of that alone.
pub fn previews(dir: &str) -> Outcome {
    let began = Instant::now();
    each(dir, |_n, path| {
        let mut file = OsFiles.open(path)?;
        embedded_preview(file.as_mut(), b"photo.jpg", THUMBNAIL_SIDE_MAX).ok_or("a photo has no preview")?;
        Ok(())
    })?;
    println!("secs {:.6}", began.elapsed().as_secs_f64());
    Ok(())
}

fn each(dir: &str, act: impl Fn(usize, &std::path::Path) -> Outcome + Sync) -> Outcome {
    let entries = std::fs::read_dir(dir)?.map(|entry| entry.map(|entry| entry.path()));
    let paths: Vec<PathBuf> = entries.collect::<Result<_, _>>()?;
    let next = AtomicUsize::new(0);
    let work = || -> Result<(), String> {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            let Some(path) = paths.get(n) else { return Ok(()) };
            act(n, path).map_err(|error| format!("{}: {error}", path.display()))?;
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores()?).map(|_| scope.spawn(work)).collect();
        for worker in workers {
            worker.join().map_err(|_panic| "a decoder failed")??;
        }
        Ok(())
    })
}
