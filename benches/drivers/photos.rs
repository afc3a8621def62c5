//! Draws photos as a camera would write them: large, fine, with metadata and a small preview.

use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

use safelight::media::fixture::Photo;

use super::Outcome;

/// Cameras' best quality.
const QUALITY: u8 = 95;

/// Writes `count` different photos of this size into `dir`.
pub fn make(dir: &str, count: &str, width: &str, height: &str) -> Outcome {
    let (count, width, height): (u64, u32, u32) = (count.parse()?, width.parse()?, height.parse()?);
    let next = AtomicU64::new(0);
    let draw = || -> std::io::Result<()> {
        loop {
            let n = next.fetch_add(1, Ordering::Relaxed);
            if n >= count {
                return Ok(());
            }
            let taken = format!("2019:05:{:02} 10:{:02}:00", 1 + n % 28, n % 60);
            let photo = Photo {
                width,
                height,
                quality: QUALITY,
                taken: Some(&taken),
                camera: Some(("Kestrel", "K-1")),
                has_preview: true,
                ..Photo::new(n)
            };
            std::fs::write(Path::new(dir).join(format!("IMG_{n:04}.jpg")), photo.jpeg())?;
        }
    };
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..cores()?).map(|_| scope.spawn(draw)).collect();
        for worker in workers {
            worker.join().map_err(|_panic| "drawing failed")??;
        }
        Ok(())
    })
}

/// How many threads run at once.
pub fn cores() -> std::io::Result<usize> {
    std::thread::available_parallelism().map(std::num::NonZero::get)
}
