//! What a frame of the grid costs before the graphics card sees it.

use std::time::Instant;

use eframe::egui::vec2;
use safelight::ui::fake::Frames;

use super::Outcome;

/// Frames before counting: the first ones ask for what is in view.
const WARM_UP: usize = 60;
/// Points scrolled in a frame: 80 rows a second.
const SCROLLED_BY: f32 = 160.0;

/// Scrolls through a library of so many photos and prints the milliseconds of its frames.
pub fn scroll(assets: &str, count: &str) -> Outcome {
    let mut frames = Frames::new(assets.parse()?, vec2(1280.0, 800.0));
    for _ in 0..WARM_UP {
        frames.frame(0.0);
    }
    let mut millis: Vec<f64> = Vec::new();
    let mut triangles = 0;
    for _ in 0..count.parse::<usize>()? {
        let began = Instant::now();
        triangles += frames.frame(SCROLLED_BY);
        millis.push(began.elapsed().as_secs_f64() * 1e3);
    }
    if triangles < millis.len() * 1_000 {
        return Err("that was no grid of photos".into());
    }
    millis.sort_by(f64::total_cmp);
    let at = |percent: usize| millis[(millis.len() - 1) * percent / 100];
    println!("p50_ms {:.3}\np99_ms {:.3}", at(50), at(99));
    Ok(())
}
