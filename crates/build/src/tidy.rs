//! The house rules that no compiler checks, as a table of small functions over the workspace.
//!
//! Each check returns what it found and how to mend it. `cargo xtask tidy` prints the findings, and a plain test of
//! this package asserts that there are none, so that `cargo test` alone is enough.
//! Owns the layer table (`layer.rs`), which is its single source; the picture in ARCHITECTURE.md comes from it.

mod code;
mod comment;
mod deny;
mod document;
mod extension;
mod file;
pub(crate) mod graph;
mod layer;
mod link;
mod manifest;
mod vendor;

use std::fmt;
use std::path::PathBuf;

use anyhow::{Result, bail};

use crate::console::say;
use crate::workspace::Workspace;

/// One broken rule.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Finding {
    /// Relative to the root of the workspace.
    path: PathBuf,
    /// From 1; 0 for a finding about the file as a whole.
    line: usize,
    message: String,
}

impl Finding {
    fn new(path: impl Into<PathBuf>, line: usize, message: impl Into<String>) -> Self {
        Self { path: path.into(), line, message: message.into() }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path.display(), self.message),
            line => write!(f, "{}:{line}: {}", self.path.display(), self.message),
        }
    }
}

type Check = fn(&Workspace) -> Vec<Finding>;

const CHECKS: &[(&str, Check)] = &[
    ("layers", layer::check),
    ("manifests", manifest::check),
    ("deny.toml", deny::check),
    ("files", file::check),
    ("code", code::check),
    ("comments", comment::check),
    ("vendors", vendor::check),
    ("extensions", extension::check),
    ("links", link::check),
    ("documents", document::check),
];

/// Every broken rule of the workspace, in the order of the files.
pub(crate) fn findings(workspace: &Workspace) -> Vec<Finding> {
    let mut found: Vec<Finding> = CHECKS.iter().flat_map(|(_, check)| check(workspace)).collect();
    found.sort();
    found.dedup();
    found
}

/// Prints every finding.
///
/// # Errors
/// There is at least one.
pub(crate) fn run(workspace: &Workspace) -> Result<()> {
    let found = findings(workspace);
    for finding in &found {
        say(finding);
    }
    if !found.is_empty() {
        bail!("tidy found {} thing(s) to mend, listed above", found.len());
    }
    let names: Vec<&str> = CHECKS.iter().map(|(name, _)| *name).collect();
    say(format_args!("tidy: {} packages are clean ({})", workspace.packages.len(), names.join(", ")));
    Ok(())
}

#[cfg(test)]
pub(crate) mod testing {
    use super::Check;
    use crate::fixture::Fixture;

    /// What `check` says about a workspace of one package `crates/<name>` with the module `b`.
    pub(crate) fn in_package(check: Check, name: &str, text: &str) -> Vec<String> {
        let folder = format!("crates/{name}");
        let files = [
            ("Cargo.toml".to_owned(), format!("[workspace]\nmembers = [\"{folder}\"]\n")),
            (format!("{folder}/Cargo.toml"), format!("[package]\nname = \"gatewright-{name}\"\n")),
            (format!("{folder}/src/lib.rs"), "//! Table of contents.\nmod b;\n".to_owned()),
            (format!("{folder}/src/b.rs"), text.to_owned()),
        ];
        said_of(check, &files.each_ref().map(|(path, text)| (path.as_str(), text.as_str())))
    }

    /// What `check` says about a workspace of the given files, in order.
    pub(crate) fn said_of(check: Check, files: &[(&str, &str)]) -> Vec<String> {
        let mut found = check(&Fixture::new(files).workspace());
        found.sort();
        found.iter().map(ToString::to_string).collect()
    }
}
