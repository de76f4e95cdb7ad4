//! The engine behind `cargo xtask`: every chore of the repository as a function.
//!
//! One file per chore (`demo`, `test`, `ci`, `tidy`, `metrics`, `bench`), over three readers of the repository:
//! `workspace` (manifests and files), `source` (a Rust file taken apart) and `command` (other programs).
//! Links nothing of the gateway itself, so that a change there never rebuilds the tool.

mod bench;
mod ci;
mod cli;
mod client;
mod command;
mod console;
mod demo;
mod describe;
mod dev;
mod distribution;
mod examine;
#[cfg(test)]
mod fixture;
mod marked;
mod metrics;
mod new;
mod service;
mod skip;
mod source;
mod supply;
mod test;
mod tidy;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::OnceLock;

use anyhow::Result;

use distribution::{BuildOptions, Distribution};

/// Reads the command line of `cargo xtask` and does what it says.
#[must_use]
pub fn main() -> ExitCode {
    cli::main()
}

/// Every broken house rule of the workspace around the current folder, as lines for people.
///
/// # Errors
/// The current folder lies in no workspace, or a file of it cannot be read.
pub fn tidy() -> Result<Vec<String>> {
    let workspace = workspace::Workspace::find()?;
    Ok(tidy::findings(&workspace).iter().map(ToString::to_string).collect())
}

/// The binary of the distribution around the current folder, for its tests: built in the debug profile if anything
/// changed, unless the variable `GATEWRIGHT_BIN` names one.
///
/// # Errors
/// There is no manifest, or it does not build.
pub fn binary() -> Result<PathBuf> {
    static BUILT: OnceLock<Result<PathBuf, String>> = OnceLock::new();
    let build = || -> Result<PathBuf> {
        match command::variable("GATEWRIGHT_BIN") {
            Some(path) => Ok(path.into()),
            None => Ok(Distribution::find()?.build(&BuildOptions::default())?.binary),
        }
    };
    // Tests of one process ask at the same time, and would write the same files.
    BUILT.get_or_init(|| build().map_err(|cause| format!("{cause:#}"))).clone().map_err(anyhow::Error::msg)
}
