//! A gateway whose extensions misbehave on demand, for the scenarios about the fence around extensions.
//!
//! It is assembled as any distribution is: a list of extensions and one call.

mod asker;
mod door;
mod meddler;
mod needs;
mod picky;
mod points;
mod provider;
mod trouble;
mod witness;

use std::process::ExitCode;

use gatewright_gateway::{Build, Expected};

const EXPECTED: &[Expected] =
    &[Expected { package: env!("CARGO_PKG_NAME"), listed_in: "tests/chaos/main.rs", points: None }];

fn main() -> ExitCode {
    let version = env!("CARGO_PKG_VERSION");
    gatewright_gateway::run(&Build {
        name: "gatewright-chaos",
        version,
        expected: EXPECTED,
        allow_unlisted: false,
        info: None,
    })
}
