//! One package of the workspace: its manifest and its Rust files.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::{Nested, files, module};
use crate::source::Source;

/// In which table of a manifest a dependency stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Normal,
    Build,
    Dev,
}

/// One dependency as a manifest states it.
#[derive(Debug, Clone)]
pub(crate) struct Dependency<'a> {
    /// The name of the package, also where the manifest renames it.
    pub(crate) name: &'a str,
    pub(crate) kind: Kind,
    pub(crate) value: &'a toml::Value,
}

impl Dependency<'_> {
    /// Whether the version comes from `[workspace.dependencies]`.
    pub(crate) fn is_shared(&self) -> bool {
        self.value.get("workspace").and_then(toml::Value::as_bool) == Some(true)
    }

    /// Whether the manifest switches `feature` on.
    pub(crate) fn has_feature(&self, feature: &str) -> bool {
        let features = self.value.get("features").and_then(toml::Value::as_array);
        features.is_some_and(|features| features.iter().any(|value| value.as_str() == Some(feature)))
    }
}

/// One member of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Relative to the root.
    pub(crate) folder: PathBuf,
    pub(crate) manifest: toml::Table,
    manifest_text: String,
    /// The files that a target of the package reaches, in the order of their paths.
    pub(crate) sources: Vec<Source>,
    /// The Rust files that no target reaches, relative to the root.
    pub(crate) unreached: Vec<PathBuf>,
}

impl Package {
    pub(super) fn load(root: &Path, folder: PathBuf) -> Result<Self> {
        let path = folder.join("Cargo.toml");
        let manifest_text = fs::read_to_string(root.join(&path))
            .with_context(|| format!("cannot read {}", path.display()))?;
        let manifest: toml::Table =
            manifest_text.parse().with_context(|| format!("{} is no TOML", path.display()))?;
        let name = manifest
            .get("package")
            .and_then(|package| package.get("name"))
            .and_then(toml::Value::as_str)
            .with_context(|| format!("{} has no `package.name`", path.display()))?
            .to_owned();
        let all = files(root, &folder, "rs", Nested::Skip)?;
        let sources = module::follow(root, &folder, &manifest, &all)?;
        let reached = |path: &PathBuf| sources.iter().any(|source| &source.path == path);
        let unreached = all.iter().filter(|path| !reached(path)).cloned().collect();
        Ok(Self { name, folder, manifest, manifest_text, sources, unreached })
    }

    /// Where the manifest stands, relative to the root.
    pub(crate) fn manifest_path(&self) -> PathBuf {
        self.folder.join("Cargo.toml")
    }

    /// The line of the manifest that begins with `key`; the first where none does.
    pub(crate) fn manifest_line(&self, key: &str) -> usize {
        let begins = |line: &str| {
            line.trim_start()
                .strip_prefix(key)
                .is_some_and(|rest| rest.starts_with(['.', ' ', '=']) || rest.is_empty())
        };
        self.manifest_text.lines().position(begins).map_or(1, |index| index + 1)
    }

    /// All dependencies, whatever their table, also those of single targets.
    pub(crate) fn dependencies(&self) -> Vec<Dependency<'_>> {
        let mut tables = vec![&self.manifest];
        if let Some(targets) = self.manifest.get("target").and_then(toml::Value::as_table) {
            tables.extend(targets.values().filter_map(toml::Value::as_table));
        }
        let kinds = [
            ("dependencies", Kind::Normal),
            ("build-dependencies", Kind::Build),
            ("dev-dependencies", Kind::Dev),
        ];
        let mut found = Vec::new();
        for table in tables {
            for (key, kind) in kinds {
                let entries = table.get(key).and_then(toml::Value::as_table).into_iter().flatten();
                found.extend(entries.map(|(key, value)| {
                    let name = value.get("package").and_then(toml::Value::as_str).unwrap_or(key);
                    Dependency { name, kind, value }
                }));
            }
        }
        found
    }
}
