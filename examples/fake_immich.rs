//! The tests' Immich server by itself, to try clients on.
//!
//! ```text
//! cargo run --example fake_immich -- [--v2] [--port N] [--quota BYTES] [--key SECRET] [--may asset.upload,…]
//!     [--rate BYTES_PER_SECOND]
//! ```
//! Everything is kept in memory. `GET /fake/assets` shows what it holds, `GET /fake/requests` what it
//! was asked.
#![expect(clippy::expect_used, clippy::print_stdout, reason = "a tool for trying things out")]

#[expect(dead_code, reason = "tests use the rest of the fakes")]
#[path = "../tests/fakes"]
mod fakes {
    pub mod immich;
    pub mod immich_answers;
    pub mod immich_form;
    pub mod immich_functions;
    pub mod immich_uploads;
    pub mod serve;
}

use fakes::immich::{Generation, ImmichServer, KEY};

fn main() {
    let mut arguments = std::env::args().skip(1);
    let (mut generation, mut port, mut quota) = (Generation::V3, 2283, None);
    let (mut key, mut may, mut rate) = (None, "all".to_owned(), None);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().expect("a value after the option");
        match argument.as_str() {
            "--v2" => generation = Generation::V2,
            "--port" => port = value().parse().expect("a port"),
            "--quota" => quota = Some(value().parse().expect("a number of bytes")),
            "--key" => key = Some(value()),
            "--may" => may = value(),
            "--rate" => rate = Some(value().parse().expect("bytes a second")),
            other => {
                println!("unknown option {other}");
                std::process::exit(2);
            }
        }
    }
    let server = ImmichServer::start_at(generation, port, quota);
    server.set(|behavior| behavior.rate = rate);
    if let Some(key) = &key {
        server.immich.add_key(&server.user, key, &may.split(',').collect::<Vec<_>>());
    }
    println!("{}  {generation:?}  IMMICH_API_KEY={}", server.address(), key.as_deref().unwrap_or(KEY));
    loop {
        std::thread::park();
    }
}
