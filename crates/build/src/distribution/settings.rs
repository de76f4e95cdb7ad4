//! The settings of cargo that apply to a build: its `config.toml` files, from the folder upwards and in its home, and
//! the variables that outrank them.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::command::variable;

/// One file of settings.
#[derive(Debug)]
pub(super) struct Settings {
    pub(super) path: PathBuf,
    pub(super) table: toml::Table,
    text: String,
}

impl Settings {
    /// Reads a file of settings, or any other TOML that says how to build.
    ///
    /// # Errors
    /// It cannot be read, or is no TOML.
    pub(super) fn read(path: PathBuf) -> Result<Self> {
        let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        let table = text.parse().with_context(|| format!("{} is no TOML", path.display()))?;
        Ok(Self { path, table, text })
    }

    /// The first line that holds all the words, as `file:line`; the file alone where none does.
    pub(super) fn place(&self, words: &[&str]) -> String {
        let holds = |line: &str| words.iter().all(|word| line.contains(word));
        match self.text.lines().position(holds) {
            Some(index) => format!("{}:{}", self.path.display(), index + 1),
            None => self.path.display().to_string(),
        }
    }

    /// The compiler flags for every system.
    pub(super) fn build_flags(&self) -> Vec<String> {
        self.table.get("build").and_then(|build| build.get("rustflags")).map(flags).unwrap_or_default()
    }

    /// The linker that it chooses for some system.
    pub(super) fn linker(&self) -> Option<String> {
        let targets = self.table.get("target").and_then(toml::Value::as_table).into_iter().flatten();
        let mut linkers = targets.filter_map(|(_, target)| target.get("linker")?.as_str());
        linkers.next().map(str::to_owned)
    }

    /// The compiler flags for single systems.
    pub(super) fn target_flags(&self) -> Vec<String> {
        let targets = self.table.get("target").and_then(toml::Value::as_table).into_iter().flatten();
        targets.filter_map(|(_, target)| target.get("rustflags")).flat_map(flags).collect()
    }
}

/// Flags in a list, or in a text with blanks between them.
fn flags(value: &toml::Value) -> Vec<String> {
    match value {
        toml::Value::Array(list) => list.iter().filter_map(|flag| Some(flag.as_str()?.to_owned())).collect(),
        value => value.as_str().unwrap_or_default().split_whitespace().map(str::to_owned).collect(),
    }
}

/// The files that cargo reads for a build in `folder`, the nearest first.
///
/// # Errors
/// One of them cannot be read.
pub(super) fn files(folder: &Path) -> Result<Vec<Settings>> {
    let above = folder.ancestors().map(|folder| folder.join(".cargo"));
    let mut found = Vec::new();
    for place in above.chain([home()]) {
        // The name without an ending is the older one; cargo takes it where both are there.
        let file =
            ["config", "config.toml"].map(|name| place.join(name)).into_iter().find(|file| file.is_file());
        if let Some(file) = file
            && found.iter().all(|known: &Settings| known.path != file)
        {
            found.push(Settings::read(file)?);
        }
    }
    Ok(found)
}

/// Cargo's own folder: registries, git checkouts, credentials.
pub(super) fn home() -> PathBuf {
    let given = variable("CARGO_HOME").map(PathBuf::from);
    given.unwrap_or_else(|| user_home().join(".cargo"))
}

/// The user's own folder.
pub(super) fn user_home() -> PathBuf {
    std::env::home_dir().unwrap_or_default()
}
