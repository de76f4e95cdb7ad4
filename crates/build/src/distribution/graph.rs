//! What cargo makes of the generated crate: every package with its source, its licence and what it uses.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::command;

/// A resolved graph.
#[derive(Debug)]
pub(crate) struct Graph {
    /// In the order of names and versions.
    pub(crate) packages: Vec<Package>,
    /// The id of the generated crate.
    pub(crate) root: String,
}

/// One package in it.
#[derive(Debug, Default)]
pub(crate) struct Package {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) version: String,
    /// None for a path.
    pub(crate) source: Option<String>,
    pub(crate) manifest_path: PathBuf,
    pub(crate) license: Option<String>,
    pub(crate) license_file: Option<String>,
    pub(crate) description: Option<String>,
    pub(crate) repository: Option<String>,
    /// Whether it has a library that others can link.
    pub(crate) has_library: bool,
    pub(crate) has_build_script: bool,
    pub(crate) is_proc_macro: bool,
    pub(crate) features: Vec<String>,
    pub(crate) uses: Vec<Edge>,
}

/// That one package uses another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edge {
    /// The id of the other one.
    pub(crate) id: String,
    /// The name under which Rust code finds it.
    pub(crate) library: String,
    /// Whether the product links it; otherwise it only helps to build.
    pub(crate) is_linked: bool,
}

impl Graph {
    /// Runs `cargo metadata`.
    ///
    /// # Errors
    /// Cargo fails; the message is what it said.
    pub(crate) fn read(mut metadata: Command) -> Result<Self> {
        Self::parse(&command::read(&mut metadata)?)
    }

    /// Reads the answer of `cargo metadata`.
    ///
    /// # Errors
    /// It is not what cargo promises.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let all: Value = serde_json::from_str(text).context("cargo metadata answered no JSON")?;
        let resolve = all.get("resolve").context("cargo metadata has no `resolve`")?;
        let root = string(resolve, "root").context("cargo metadata names no root package")?;
        let nodes: BTreeMap<&str, &Value> = list(resolve, "nodes")
            .iter()
            .filter_map(|node| Some((node.get("id").and_then(Value::as_str)?, node)))
            .collect();
        let mut packages = Vec::new();
        for value in list(&all, "packages") {
            let id = string(value, "id").context("cargo metadata lists a package without an id")?;
            if let Some(node) = nodes.get(id.as_str()) {
                packages.push(Package::read(id, value, node).context("cargo metadata misses a part")?);
            }
        }
        packages.sort_by(|a, b| (&a.name, &a.version, &a.id).cmp(&(&b.name, &b.version, &b.id)));
        Ok(Self { packages, root })
    }

    /// The package of an id.
    pub(crate) fn get(&self, id: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.id == id)
    }

    /// The first package of a name.
    pub(crate) fn named(&self, name: &str) -> Option<&Package> {
        self.packages.iter().find(|package| package.name == name)
    }

    /// What the generated crate uses, by the name of the package.
    ///
    /// # Errors
    /// It uses no package of that name.
    pub(crate) fn direct(&self, name: &str) -> Result<(&Edge, &Package)> {
        let Some(root) = self.get(&self.root) else { bail!("cargo metadata does not list its root") };
        root.uses
            .iter()
            .filter_map(|edge| Some((edge, self.get(&edge.id)?)))
            .find(|(_, package)| package.name == name)
            .with_context(|| format!("the generated crate does not use `{name}`"))
    }

    /// The ids of everything that the binary links, itself included; the rest only helps to build.
    pub(crate) fn linked(&self) -> BTreeSet<&str> {
        let mut seen = BTreeSet::from([self.root.as_str()]);
        let mut open = vec![self.root.as_str()];
        while let Some(package) = open.pop().and_then(|id| self.get(id)) {
            for edge in package.uses.iter().filter(|edge| edge.is_linked) {
                let is_macro = self.get(&edge.id).is_some_and(|package| package.is_proc_macro);
                if !is_macro && seen.insert(&edge.id) {
                    open.push(&edge.id);
                }
            }
        }
        seen
    }

    /// A package and everything that it needs, in the order of names and versions.
    pub(crate) fn closure(&self, name: &str) -> Vec<&Package> {
        let mut seen = BTreeSet::new();
        let mut open: Vec<&Package> = self.named(name).into_iter().collect();
        while let Some(package) = open.pop() {
            if seen.insert(package.id.as_str()) {
                open.extend(package.uses.iter().filter_map(|edge| self.get(&edge.id)));
            }
        }
        self.packages.iter().filter(|package| seen.contains(package.id.as_str())).collect()
    }
}

impl Package {
    /// Where it lies.
    pub(crate) fn folder(&self) -> &Path {
        self.manifest_path.parent().unwrap_or(Path::new(""))
    }

    fn read(id: String, value: &Value, node: &Value) -> Option<Self> {
        let targets = list(value, "targets");
        let has_kind = |kinds: &[&str]| {
            let of = |target: &Value| {
                list(target, "kind").iter().filter_map(Value::as_str).any(|kind| kinds.contains(&kind))
            };
            targets.iter().any(of)
        };
        let features = list(node, "features").iter().filter_map(|name| Some(name.as_str()?.to_owned()));
        Some(Self {
            id,
            name: string(value, "name")?,
            version: string(value, "version")?,
            source: string(value, "source"),
            manifest_path: string(value, "manifest_path")?.into(),
            license: string(value, "license"),
            license_file: string(value, "license_file"),
            description: string(value, "description"),
            repository: string(value, "repository"),
            has_library: has_kind(&["lib", "rlib"]),
            has_build_script: has_kind(&["custom-build"]),
            is_proc_macro: has_kind(&["proc-macro"]),
            features: features.collect(),
            uses: list(node, "deps").iter().filter_map(Edge::read).collect(),
        })
    }
}

impl Edge {
    /// None for what only tests use.
    fn read(value: &Value) -> Option<Self> {
        let kinds: Vec<Option<String>> =
            list(value, "dep_kinds").iter().map(|kind| string(kind, "kind")).collect();
        let is_linked = kinds.iter().any(Option::is_none);
        let helps = kinds.iter().any(|kind| kind.as_deref() == Some("build"));
        (is_linked || helps).then_some(())?;
        Some(Self { id: string(value, "pkg")?, library: string(value, "name")?, is_linked })
    }
}

fn string(value: &Value, key: &str) -> Option<String> {
    Some(value.get(key)?.as_str()?.to_owned())
}

fn list<'a>(value: &'a Value, key: &str) -> &'a [Value] {
    value.get(key).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}
