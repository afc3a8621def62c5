//! Renders a folder of made-up landscape photos with plausible dates and cameras: for trying things
//! and for screenshots. `cargo run --release --example render_photos -- DIR COUNT`.
#![expect(clippy::print_stderr, reason = "a tool at a terminal")]

use std::path::PathBuf;
use std::process::ExitCode;

use safelight::base::rng::{Rng as _, SeededRng};
use safelight::media::fixture::Photo;

const CAMERAS: [(&str, &str); 4] =
    [("Canon", "EOS R6"), ("Apple", "iPhone 15"), ("FUJIFILM", "X-T5"), ("NIKON", "Z 6")];

fn main() -> ExitCode {
    let mut arguments = std::env::args_os().skip(1);
    let count = |text: std::ffi::OsString| text.to_str()?.parse::<u64>().ok();
    let (Some(dir), Some(count)) = (arguments.next().map(PathBuf::from), arguments.next().and_then(count))
    else {
        eprintln!("usage: render_photos DIR COUNT");
        return ExitCode::from(2);
    };
    match render(&dir, count) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn render(dir: &std::path::Path, count: u64) -> std::io::Result<()> {
    let rng = SeededRng::new(7);
    std::fs::create_dir_all(dir)?;
    let below = |limit: u64| rng.next_u64() % limit;
    let (mut year, mut month, mut day) = (2026, 9, 20);
    for number in (1..=count).rev() {
        // Pictures come in outings: several a day, then days or months of none.
        if below(6) == 0 {
            day = 1 + below(27);
            month = if month > 1 + below(3) { month - 1 - below(2).min(month - 2) } else { 12 };
            year -= u64::from(month == 12);
        }
        let taken =
            format!("{year:04}:{month:02}:{day:02} {:02}:{:02}:{:02}", 7 + below(12), below(60), below(60));
        let is_upright = below(4) == 0;
        let (width, height) = if is_upright { (720, 960) } else { (960, 720) };
        let photo = Photo {
            width,
            height,
            taken: Some(&taken),
            camera: Some(CAMERAS[usize::try_from(below(4)).unwrap_or_default()]),
            ..Photo::new(number)
        };
        std::fs::write(dir.join(format!("IMG_{number:04}.JPG")), photo.jpeg())?;
    }
    Ok(())
}
