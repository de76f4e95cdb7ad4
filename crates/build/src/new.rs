//! `cargo xtask new`: a company's repository, or one more extension in it.
//!
//! What is written compiles, passes its tests and does something small and correct, so that the first edit begins at
//! something that works.

mod dist;
mod extension;
mod home;
mod imports;
mod name;
mod origin;
mod point;
mod tree;

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::Result;
use clap::Subcommand;

/// What to make.
#[derive(Debug, Subcommand)]
pub(crate) enum What {
    /// A repository for a company's own gateway: manifest, one extension with tests, configuration, smoke test
    Dist(dist::Options),
    /// A crate with settings, an implementation of each point and tests, listed in the manifest
    Extension(extension::Options),
}

/// Makes it.
///
/// # Errors
/// It cannot be written, or would overwrite something.
pub(crate) fn run(what: &What) -> Result<()> {
    match what {
        What::Dist(options) => dist::run(options),
        What::Extension(options) => extension::run(options),
    }
}

/// Lets the formatter break lines where the filled-in names made them long. Without one, they stay as they are.
fn format_rust<'a>(folder: &Path, files: impl Iterator<Item = &'a Path>) {
    let mut command = Command::new("rustfmt");
    command.args(["--edition", "2024"]).args(files).current_dir(folder);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.status().ok();
}
