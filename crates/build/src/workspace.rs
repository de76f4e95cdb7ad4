//! The repository as the checks see it: manifests, Rust files, Markdown pages.
//!
//! It is read from the manifests alone, without asking cargo, so that `tidy` answers in a moment and works on a
//! workspace that does not resolve. `package.rs` holds one package, `module.rs` follows `mod` through its files.

mod module;
mod package;

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use crate::command;

pub(crate) use package::{Dependency, Kind, Package};

/// A Cargo workspace on disk.
#[derive(Debug)]
pub(crate) struct Workspace {
    pub(crate) root: PathBuf,
    /// In the order of their folders.
    pub(crate) packages: Vec<Package>,
    /// Markdown files outside hidden folders, relative to the root, in order.
    pub(crate) pages: Vec<PathBuf>,
}

impl Workspace {
    /// Finds the workspace that the current folder lies in and reads it.
    ///
    /// # Errors
    /// No folder above holds a workspace manifest, or a file of it cannot be read.
    pub(crate) fn find() -> Result<Self> {
        Self::load(&root()?)
    }

    /// Reads the workspace in `root`.
    ///
    /// # Errors
    /// A manifest is missing or is no TOML, or a file cannot be read.
    pub(crate) fn load(root: &Path) -> Result<Self> {
        let manifest = read_manifest(&root.join("Cargo.toml"))?;
        let mut folders = member_folders(root, &manifest)?;
        folders.sort();
        let packages =
            folders.into_iter().map(|folder| Package::load(root, folder)).collect::<Result<_>>()?;
        let mut pages = files(root, Path::new(""), "md", Nested::Enter)?;
        pages.sort();
        Ok(Self { root: root.to_owned(), packages, pages })
    }

    /// The text of a file, by its path relative to the root.
    ///
    /// # Errors
    /// The file cannot be read as UTF-8.
    pub(crate) fn read(&self, path: impl AsRef<Path>) -> Result<String> {
        let path = path.as_ref();
        fs::read_to_string(self.root.join(path)).with_context(|| format!("cannot read {}", path.display()))
    }
}

/// The nearest folder, from the current one upwards, whose manifest declares a workspace.
///
/// # Errors
/// There is none.
pub(crate) fn root() -> Result<PathBuf> {
    let current = std::env::current_dir().context("the current folder is not known")?;
    for folder in current.ancestors() {
        let manifest = folder.join("Cargo.toml");
        if manifest.is_file() && read_manifest(&manifest)?.contains_key("workspace") {
            return Ok(folder.to_owned());
        }
    }
    bail!("{} lies in no Cargo workspace: run this inside the repository", current.display())
}

/// Whether a folder is the root of Gatewright's own repository.
pub(crate) fn is_clone(root: &Path) -> bool {
    root.join("Cargo.toml").is_file() && root.join("crates/core/Cargo.toml").is_file()
}

/// The root of Gatewright's own repository, for chores that make sense there alone.
///
/// # Errors
/// The current folder lies in none, or in another one.
pub(crate) fn clone() -> Result<PathBuf> {
    let root = root()?;
    if !is_clone(&root) {
        bail!("this is a chore of Gatewright's own repository, and {} is another one", root.display());
    }
    Ok(root)
}

/// Where cargo writes, for this run.
pub(crate) fn target(root: &Path) -> PathBuf {
    command::variable("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), |folder| root.join(folder))
}

fn read_manifest(path: &Path) -> Result<toml::Table> {
    let text = fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    text.parse().with_context(|| format!("{} is no TOML", path.display()))
}

/// The folders of the members, relative to the root; a member may end in `*`.
fn member_folders(root: &Path, manifest: &toml::Table) -> Result<Vec<PathBuf>> {
    let members =
        manifest.get("workspace").and_then(|table| table.get("members")).and_then(toml::Value::as_array);
    let Some(members) = members else { bail!("the root manifest has no `workspace.members`") };
    let mut folders = Vec::new();
    for member in members.iter().filter_map(toml::Value::as_str) {
        match member.strip_suffix("/*") {
            None => folders.push(PathBuf::from(member)),
            Some(parent) => folders.extend(packages_below(root, Path::new(parent))?),
        }
    }
    Ok(folders)
}

fn packages_below(root: &Path, parent: &Path) -> Result<Vec<PathBuf>> {
    let entries =
        fs::read_dir(root.join(parent)).with_context(|| format!("cannot list {}", parent.display()))?;
    let mut found = Vec::new();
    for entry in entries {
        let entry = entry.with_context(|| format!("cannot list {}", parent.display()))?;
        if entry.path().join("Cargo.toml").is_file() {
            found.push(parent.join(entry.file_name()));
        }
    }
    Ok(found)
}

/// What a walk does at a folder that is a package of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Nested {
    Enter,
    Skip,
}

/// The files with `extension` below `folder`, relative to the root.
///
/// Hidden folders, build output and installed packages are passed by.
fn files(root: &Path, folder: &Path, extension: &str, nested: Nested) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut open = vec![folder.to_owned()];
    while let Some(folder) = open.pop() {
        let entries =
            fs::read_dir(root.join(&folder)).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries {
            let entry = entry.with_context(|| format!("cannot list {}", folder.display()))?;
            let path = folder.join(entry.file_name());
            let name = entry.file_name();
            if entry.file_type().with_context(|| format!("cannot look at {}", path.display()))?.is_dir() {
                let is_package = nested == Nested::Skip && entry.path().join("Cargo.toml").is_file();
                if !is_generated(&name.to_string_lossy()) && !is_package {
                    open.push(path);
                }
            } else if path.extension().is_some_and(|found| found == extension) {
                found.push(path);
            }
        }
    }
    found.sort();
    Ok(found)
}

fn is_generated(folder: &str) -> bool {
    folder.starts_with('.') || matches!(folder, "target" | "node_modules" | "corpus" | "artifacts")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    #[test]
    fn reads_members_by_name_and_by_star() {
        let fixture = Fixture::new(&[
            ("Cargo.toml", "[workspace]\nmembers = [\"crates/*\", \"app\"]\n"),
            ("crates/a/Cargo.toml", "[package]\nname = \"a\"\n"),
            ("crates/a/src/lib.rs", ""),
            ("crates/not-a-package/README.md", ""),
            ("app/Cargo.toml", "[package]\nname = \"app\"\n"),
            ("app/src/main.rs", ""),
            ("target/package/x.md", ""),
        ]);
        let workspace = fixture.workspace();
        let names: Vec<_> = workspace.packages.iter().map(|package| package.name.as_str()).collect();
        assert_eq!(names, ["app", "a"]);
        assert_eq!(workspace.pages, [Path::new("crates/not-a-package/README.md")]);
    }
}
