//! The folder `vendor`: a copy of every source of the lock, for builds without a network.

use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::compile::BuildOptions;
use super::prepare;
use super::{Distribution, generate, part};
use crate::command;
use crate::console::say;

/// The folder, relative to the manifest.
const FOLDER: &str = "vendor";

/// The settings that put the folder in the place of registries and repositories.
///
/// # Errors
/// The folder has not been filled.
pub(super) fn settings(root: &Path) -> Result<PathBuf> {
    let file = root.join(FOLDER).join("config.toml");
    if !file.is_file() {
        bail!("there are no vendored sources in {FOLDER}: `cargo xtask update --vendor` fills it");
    }
    Ok(file)
}

/// Copies every source of the lock.
///
/// # Errors
/// The distribution does not resolve, or cargo cannot fetch or write something.
pub(super) fn fill(dist: &Distribution) -> Result<()> {
    let prepared = prepare::prepare(dist, &BuildOptions::default())?;
    let mut vendor = prepared.cargo.command("vendor", &dist.folder());
    // With the version in its name a crate has the same path as in cargo's own folder.
    vendor.args(["--versioned-dirs", "--quiet"]).arg(dist.root.join(FOLDER));
    let settings = command::read(&mut vendor)?;
    // Relative to the folder that holds `vendor`, so that both can move.
    let lines = settings.lines().map(|line| {
        if line.starts_with("directory = ") { format!("directory = \"{FOLDER}\"") } else { line.to_owned() }
    });
    let text: Vec<String> = lines.collect();
    generate::write(&dist.root.join(FOLDER).join("config.toml"), &format!("{}\n", text.join("\n")))?;
    if dist.manifest.core.default_extensions.value {
        let names = part::bundled_names(dist, &prepared.cargo)?;
        generate::write(&dist.root.join(FOLDER).join(part::BUNDLED), &names)?;
    }
    say(format_args!(
        "{FOLDER} holds every source of the lock; `cargo xtask build --vendored` builds from it"
    ));
    Ok(())
}
