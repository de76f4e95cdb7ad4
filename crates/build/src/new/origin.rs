//! Where a company takes Gatewright's sources from, as its manifests write it.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::distribution::relative;

/// The packages of Gatewright that a company's workspace may name, with their folders in the clone.
const PACKAGES: [(&str, &str); 4] = [
    ("gatewright-build", "crates/build"),
    ("gatewright-core", "crates/core"),
    ("gatewright-testkit", "crates/testkit"),
    ("gatewright-wire", "crates/wire"),
];

/// The digits of a full revision.
const REVISION_DIGITS: usize = 40;

/// The source of Gatewright.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Origin {
    /// A clone on this disk, as the manifest writes its path.
    Path(PathBuf),
    /// A repository at one revision.
    Git { url: String, rev: String },
}

impl Origin {
    /// A clone, written relative to `from` where both lie below one folder other than the root of the disk.
    pub(super) fn clone_seen_from(clone: &Path, from: &Path) -> Self {
        Self::Path(relative(from, clone))
    }

    /// A repository at a revision.
    ///
    /// # Errors
    /// The revision is not a full one.
    pub(super) fn git(url: &str, rev: &str) -> Result<Self> {
        if rev.len() != REVISION_DIGITS || !rev.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            bail!(
                "`--rev {rev}` is no full revision: give all {REVISION_DIGITS} digits, as `git rev-parse HEAD` prints them"
            );
        }
        if url.contains(['"', '\\', '\n']) {
            bail!("`--git {url}` cannot be written into a manifest");
        }
        Ok(Self::Git { url: url.to_owned(), rev: rev.to_ascii_lowercase() })
    }

    /// The lines of `[core]` in `gatewright.toml`.
    ///
    /// # Errors
    /// The path is no text.
    pub(super) fn core_table(&self) -> Result<String> {
        Ok(match self {
            Self::Path(path) => format!("path = {}", quoted(path)?),
            Self::Git { url, rev } => format!("git = \"{url}\"\nrev = \"{rev}\""),
        })
    }

    /// The lines of `[patch.crates-io]` in the root manifest.
    ///
    /// # Errors
    /// The path is no text.
    pub(super) fn patches(&self) -> Result<String> {
        let lines = PACKAGES.iter().map(|(package, folder)| {
            Ok(match self {
                Self::Path(path) => format!("{package} = {{ path = {} }}", quoted(&path.join(folder))?),
                Self::Git { url, rev } => format!("{package} = {{ git = \"{url}\", rev = \"{rev}\" }}"),
            })
        });
        Ok(lines.collect::<Result<Vec<_>>>()?.join("\n"))
    }
}

/// A path as a TOML string.
fn quoted(path: &Path) -> Result<String> {
    let text = path.to_str().with_context(|| format!("the path {} is no UTF-8", path.display()))?;
    Ok(toml::Value::from(text).to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    const REV: &str = "5f0c2e8b1d6a4c3f9e7b2a1d0c8e6f4b3a291817";

    #[test]
    fn a_clone_nearby_is_named_by_the_way_to_it_and_one_elsewhere_by_its_place() {
        let written = |clone: &str, from: &str| {
            Origin::clone_seen_from(Path::new(clone), Path::new(from)).core_table().unwrap()
        };
        assert_eq!(written("/home/ann/gatewright", "/home/ann/acme"), "path = \"../gatewright\"");
        assert_eq!(written("/home/ann/src/gatewright", "/home/ann/acme"), "path = \"../src/gatewright\"");
        assert_eq!(written("/opt/gatewright", "/home/ann/acme"), "path = \"/opt/gatewright\"");
        assert_eq!(written("/home/my files/g\"w", "/home/a"), "path = '../my files/g\"w'");
    }

    #[test]
    fn every_package_is_patched_to_the_one_source() {
        let patches = Origin::Path("../gatewright".into()).patches().unwrap();
        assert!(patches.contains("gatewright-core = { path = \"../gatewright/crates/core\" }"), "{patches}");
        let patches = Origin::git("file:///srv/gatewright", REV).unwrap().patches().unwrap();
        let expected = format!("gatewright-core = {{ git = \"file:///srv/gatewright\", rev = \"{REV}\" }}");
        assert!(patches.contains(&expected), "{patches}");
        let table: toml::Table = patches.parse().unwrap();
        assert_eq!(table.len(), PACKAGES.len());
    }

    #[test]
    fn a_revision_is_a_full_one() {
        for rev in ["main", "5f0c2e8", &REV.replace('5', "g")] {
            let message = Origin::git("file:///srv/gatewright", rev).unwrap_err().to_string();
            assert!(message.contains("give all 40 digits"), "{message}");
        }
    }
}
