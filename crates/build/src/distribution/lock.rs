//! `gatewright.lock`: the committed copy of the generated crate's `Cargo.lock`, and what differs between two of them.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::cargo::Cargo;
use super::generate::write;
use super::manifest::Source;
use super::prepare::text_of;
use super::{Distribution, part};
use crate::console::say;

/// The name under which the lock of a core that had to be fetched is kept.
pub(super) const SEED: &str = "core.lock";

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
        None => match text_of(&seed(dist))? {
            Some(lock) => write(&folder.join("Cargo.lock"), &lock).map(drop),
            None => Ok(()),
        },
    }
}

/// The core's own lock: the versions that it was tested with are a good start for a distribution that has none.
fn seed(dist: &Distribution) -> PathBuf {
    match &dist.manifest.core.source.value {
        Source::Path(path) => dist.resolve(path).join("Cargo.lock"),
        Source::Git { rev, .. } => part::fetched_core(dist, rev).join(SEED),
        Source::Registry { .. } => PathBuf::new(),
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

/// One package of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Locked {
    pub(super) name: String,
    pub(super) version: String,
    source: Option<String>,
    checksum: Option<String>,
}

impl Locked {
    /// The packages of a lock, in its order.
    ///
    /// # Errors
    /// The text is no TOML.
    pub(super) fn parse(text: &str) -> Result<Vec<Self>> {
        let table: toml::Table = text.parse().context("the lock is no TOML")?;
        let packages = table.get("package").and_then(toml::Value::as_array).into_iter().flatten();
        let read = |package: &toml::Value| {
            let text = |key: &str| package.get(key).and_then(toml::Value::as_str).map(str::to_owned);
            let (source, checksum) = (text("source"), text("checksum"));
            Some(Self { name: text("name")?, version: text("version")?, source, checksum })
        };
        Ok(packages.filter_map(read).collect())
    }

    /// The version, with the revision of what comes from git.
    fn shown(&self) -> String {
        let rev = self.source.as_ref().filter(|source| source.starts_with("git+"));
        let rev = rev.and_then(|source| source.rsplit('#').next());
        rev.map_or_else(|| self.version.clone(), |rev| format!("{} ({rev})", self.version))
    }
}

/// What differs between two locks, as lines for people.
pub(super) fn difference(before: &[Locked], after: &[Locked]) -> Vec<String> {
    let only = |some: &[Locked], others: &[Locked]| -> BTreeMap<String, Vec<String>> {
        let mut found: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let new = |package: &&Locked| {
            !others.iter().any(|other| other.name == package.name && other.shown() == package.shown())
        };
        for package in some.iter().filter(new) {
            found.entry(package.name.clone()).or_default().push(package.shown());
        }
        found
    };
    let (mut gone, come) = (only(before, after), only(after, before));
    let mut lines: Vec<(String, String)> = Vec::new();
    for (name, versions) in come {
        let line = match gone.remove(&name) {
            Some(old) => format!("~ {name} {} -> {}", old.join(", "), versions.join(", ")),
            None => format!("+ {name} {}", versions.join(", ")),
        };
        lines.push((name, line));
    }
    lines.extend(gone.into_iter().map(|(name, versions)| {
        let line = format!("- {name} {}", versions.join(", "));
        (name, line)
    }));
    lines.sort();
    lines.into_iter().map(|(_, line)| line).collect()
}

/// The checksums that a lock has for packages from a registry.
#[derive(Debug, Default)]
pub(super) struct Checksums(Vec<Locked>);

impl Checksums {
    /// Reads them from a lock; none where there is no such file.
    ///
    /// # Errors
    /// The file cannot be read.
    pub(super) fn read(file: &Path) -> Result<Self> {
        Ok(Self(Locked::parse(&text_of(file)?.unwrap_or_default())?))
    }

    /// The SHA-256 of a package, in hexadecimal digits.
    pub(super) fn of(&self, name: &str, version: &str) -> Option<&str> {
        let found = self.0.iter().find(|known| known.name == name && known.version == version);
        found?.checksum.as_deref()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_difference_of_two_locks_is_told_by_package() {
        let package = |name: &str, version: &str, source: &str| {
            format!("[[package]]\nname = \"{name}\"\nversion = \"{version}\"\nsource = \"{source}\"\n")
        };
        let before = [
            package("gone", "1.0.0", "registry+x"),
            package("http", "1.4.0", "registry+x"),
            package("budget", "0.1.0", "git+https://git.example/b?rev=aa#aa"),
            package("same", "1.0.0", "registry+x"),
        ];
        let after = [
            package("http", "1.5.0", "registry+x"),
            package("budget", "0.1.0", "git+https://git.example/b?rev=bb#bb"),
            package("redis", "0.27.0", "registry+x"),
            package("same", "1.0.0", "registry+x"),
        ];
        let read = |packages: &[String]| Locked::parse(&packages.concat()).unwrap();
        let expected =
            ["~ budget 0.1.0 (aa) -> 0.1.0 (bb)", "- gone 1.0.0", "~ http 1.4.0 -> 1.5.0", "+ redis 0.27.0"];
        assert_eq!(difference(&read(&before), &read(&after)), expected);
    }
}
