//! Assembles the crates of Gatewright into a process: command line, start, reload, drain, exit.
//!
//! A binary is a list of linked extension crates and one call of [`run`]. This crate links no
//! extension; it finds those that registered and compares them with the list of the build.

mod admin;
mod build_info;
mod cli;
mod clock;
pub mod embed;
mod ending;
mod engine;
mod exit;
mod explain;
mod instances;
mod inventory;
mod keeping;
mod ledger;
mod limits;
mod listeners;
mod logging;
mod meters;
mod metrics;
mod outbox;
mod random;
mod reload;
mod runtime;
mod serve;
mod services;
mod snapshot;
mod summary;
mod supervise;
mod table;
mod workers;

use std::process::ExitCode;

pub use exit::Exit;
pub use gatewright::point::Point;
pub use gatewright::registry::Expected;

/// What a build says of itself.
#[derive(Clone, Copy, Debug)]
pub struct Build {
    /// The binary's name.
    pub name: &'static str,
    /// The distribution's version.
    pub version: &'static str,
    /// The extension packages that the binary is to contain.
    pub expected: &'static [Expected],
    /// Whether packages that are not listed may register extensions.
    pub allow_unlisted: bool,
    /// Where everything inside comes from, as the build tool's one line of JSON: versions, sources and digests of
    /// the core and of each extension. `None` for a plain `cargo build`.
    pub info: Option<&'static str>,
}

/// Runs the command line of a gateway.
///
/// # Cancellation
///
/// Returns when the command is done; `serve` is done when the process was told to stop and has
/// drained.
#[must_use]
pub fn run(build: &Build) -> ExitCode {
    const {
        assert!(
            cfg!(panic = "unwind"),
            "build with panic = \"unwind\": an extension that panics must fail its own exchange only"
        );
    }
    cli::run(build).into()
}
