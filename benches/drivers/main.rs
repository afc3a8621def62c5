//! What the benches measure from inside a process. `benches/run` runs it; see `benches/README.md`.
//!
//! Each driver prints lines of `name value` for the script that compares them, and does nothing
//! that the app does not do in the same way.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "the figures go to the script that runs it")]

mod dates;
mod frames;
mod index;
mod jobs;
mod load;
mod photos;
mod start;
mod thumbs;

use std::process::ExitCode;

/// What a driver gives.
type Outcome = Result<(), Box<dyn std::error::Error>>;

fn main() -> ExitCode {
    // Whoever runs all benches of the package adds an option of the test harness.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let outcome = match *words.as_slice() {
        ["photos", dir, count, width, height] => photos::make(dir, count, width, height),
        ["thumbs", dir, cache] => thumbs::decode_all(dir, cache),
        ["previews", dir] => thumbs::previews(dir),
        ["index", data, photos] => index::index(data, photos),
        ["jobs", dir, count, turns] => jobs::life_cycles(dir, count, turns),
        ["load", dir, records] => load::medians(dir, records),
        ["frames", assets, count] => frames::scroll(assets, count),
        ["dates", dir] => dates::read_all(dir),
        ["start", data] => start::first_frames(data),
        _ => Err("which driver? benches/run knows".into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}
