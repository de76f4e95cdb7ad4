//! A distribution: the binary that a `gatewright.toml` describes.
//!
//! Owns the way from the manifest to the binary: `manifest` reads it, `part` finds the packages, `generate` writes the
//! crate that links them, `graph` asks cargo what that means, `compile` builds and `verify` asks the binary itself.
//! Generated files are written only where they differ, so that a build without a change is nothing for cargo to do.

mod cargo;
pub(crate) mod chore;
mod compile;
pub(crate) mod doctor;
pub(crate) mod edit;
mod explain;
mod generate;
mod graph;
mod info;
mod leak;
pub(crate) mod list;
mod lock;
pub(crate) mod manifest;
mod own;
mod part;
mod policy;
mod prepare;
mod remap;
mod sbom;
mod settings;
mod ship;
mod stage;
mod unwind;
mod vendor;
mod verify;
#[cfg(test)]
mod world;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

pub(crate) use compile::{BuildOptions, Built, Profile};
pub(crate) use generate::{lexical, relative};
pub(crate) use manifest::Manifest;
pub(crate) use verify::{Registered, registered};

use crate::workspace;

/// The manifest with the folder that it stands in.
#[derive(Debug, Clone)]
pub(crate) struct Distribution {
    /// Absolute, and nothing in it is a link.
    pub(crate) root: PathBuf,
    pub(crate) manifest: Manifest,
    /// Where cargo puts what it compiles.
    target: PathBuf,
}

impl Distribution {
    /// Finds the nearest manifest, from the current folder upwards, and reads it.
    ///
    /// # Errors
    /// There is none, or it is wrong.
    pub(crate) fn find() -> Result<Self> {
        let current = std::env::current_dir().context("the current folder is not known")?;
        let Some(root) = current.ancestors().find(|folder| folder.join(manifest::FILE).is_file()) else {
            bail!(
                "no {} in {} or above it: `cargo xtask new dist NAME` makes a distribution",
                manifest::FILE,
                current.display()
            );
        };
        Self::load(root)
    }

    /// Reads the manifest in `root`.
    ///
    /// # Errors
    /// It cannot be read, or it is wrong.
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let manifest = Manifest::load(root)?;
        let root = root.canonicalize().with_context(|| format!("cannot find {}", root.display()))?;
        Ok(Self::of(root, manifest))
    }

    /// What a manifest says, as if it stood in `root`.
    fn of(root: PathBuf, manifest: Manifest) -> Self {
        let target = workspace::target(&root);
        Self { root, manifest, target }
    }

    /// Whether this is Gatewright's own repository, whose generated crate is checked in as `gateway-bin`.
    pub(crate) fn is_clone(&self) -> bool {
        self.root.join("crates/core/Cargo.toml").is_file()
    }

    /// Where the generated crate lies.
    pub(crate) fn folder(&self) -> PathBuf {
        if self.is_clone() {
            self.root.join("gateway-bin")
        } else {
            self.root.join("target").join("gatewright").join(&self.manifest.name)
        }
    }

    /// Where cargo puts what it compiles for daily work.
    pub(crate) fn target(&self) -> &Path {
        &self.target
    }

    /// The committed lock.
    pub(crate) fn lock(&self) -> PathBuf {
        self.root.join(if self.is_clone() { "Cargo.lock" } else { "gatewright.lock" })
    }

    /// A path of the manifest, from the current folder's point of view.
    pub(crate) fn resolve(&self, path: &str) -> PathBuf {
        self.root.join(path)
    }

    /// Writes the crate that links everything, and returns its folder.
    ///
    /// # Errors
    /// The manifest does not fit together, or cargo cannot resolve it.
    pub(crate) fn generate(&self, options: &BuildOptions) -> Result<PathBuf> {
        prepare::prepare(self, options)?;
        Ok(self.folder())
    }

    /// Builds the binary and lets it check itself.
    ///
    /// # Errors
    /// The manifest does not fit together, cargo fails, or the binary does not contain what it should; the message
    /// names the line of the manifest and what to do.
    pub(crate) fn build(&self, options: &BuildOptions) -> Result<Built> {
        compile::build(self, options)
    }
}

#[cfg(test)]
mod tests;
