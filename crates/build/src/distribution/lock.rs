//! `gatewright.lock`: the committed copy of the generated crate's `Cargo.lock`, and what differs between two of them.

use std::path::Path;

use anyhow::{Result, bail};

use super::Distribution;
use super::cargo::Cargo;
use super::compile::text_of;
use super::generate::write;
use crate::console::say;

/// Puts the committed lock beside the generated `Cargo.toml`.
///
/// # Errors
/// There is none and the lock may not change, or a file cannot be read or written.
pub(super) fn restore(dist: &Distribution, folder: &Path, cargo: &Cargo) -> Result<()> {
    match text_of(&dist.lock())? {
        Some(lock) => write(&folder.join("Cargo.lock"), &lock).map(drop),
        None if cargo.is_locked() => bail!(
            "gatewright.lock is missing, and this build may not make it (`--locked`, or CI is set): run `cargo \
             xtask build` on a developer's machine and commit the file"
        ),
        None => Ok(()),
    }
}

/// Takes over what cargo had to add to the lock.
///
/// # Errors
/// A file cannot be read or written.
pub(super) fn keep(dist: &Distribution, folder: &Path) -> Result<()> {
    if let Some(lock) = text_of(&folder.join("Cargo.lock"))?
        && write(&dist.lock(), &lock)?
    {
        say("gatewright.lock is brought up to date: commit it");
    }
    Ok(())
}

/// The checksums that a lock has for packages from a registry.
#[derive(Debug, Default)]
pub(super) struct Checksums(Vec<(String, String, String)>);

impl Checksums {
    /// Reads them from a lock; none where there is no such file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn read(file: &Path) -> Result<Self> {
        let Some(text) = text_of(file)? else { return Ok(Self::default()) };
        let table: toml::Table = text.parse()?;
        let packages = table.get("package").and_then(toml::Value::as_array).into_iter().flatten();
        let read = |package: &toml::Value| {
            let text = |key: &str| package.get(key).and_then(toml::Value::as_str).map(str::to_owned);
            Some((text("name")?, text("version")?, text("checksum")?))
        };
        Ok(Self(packages.filter_map(read).collect()))
    }

    /// The SHA-256 of a package, in hexadecimal digits.
    pub(super) fn of(&self, name: &str, version: &str) -> Option<&str> {
        let found = self.0.iter().find(|(known, of, _)| known == name && of == version);
        found.map(|(_, _, checksum)| checksum.as_str())
    }
}
