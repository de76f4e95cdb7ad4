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

    /// A workspace of one package `crates/<name>` with one file, and what `check` says about it.
    pub(crate) fn in_package(check: Check, name: &str, file: &str, text: &str) -> Vec<String> {
        let manifest = format!("[package]\nname = \"gatewright-{name}\"\n");
        let folder = format!("crates/{name}");
        let root = if file == "src/lib.rs" { "" } else { "//! Table of contents.\n" };
        let module = file.trim_start_matches("src/").trim_end_matches(".rs").replace('/', "_");
        let mut files = vec![
            ("Cargo.toml".to_owned(), format!("[workspace]\nmembers = [\"{folder}\"]\n")),
            (format!("{folder}/Cargo.toml"), manifest),
        ];
        if root.is_empty() || !file.starts_with("src/") {
            files.push((format!("{folder}/src/lib.rs"), "//! Table of contents.\n".to_owned()));
        } else {
            files.push((format!("{folder}/src/lib.rs"), format!("{root}mod {module};\n")));
        }
        files.push((format!("{folder}/{file}"), text.to_owned()));
        said(check, &files)
    }

    /// What `check` says about a workspace of the given files.
    pub(crate) fn said(check: Check, files: &[(String, String)]) -> Vec<String> {
        let files: Vec<(&str, &str)> =
            files.iter().map(|(path, text)| (path.as_str(), text.as_str())).collect();
        said_of(check, &files)
    }

    /// The same for literal files.
    pub(crate) fn said_of(check: Check, files: &[(&str, &str)]) -> Vec<String> {
        let mut found = check(&Fixture::new(files).workspace());
        found.sort();
        found.iter().map(ToString::to_string).collect()
    }
}
