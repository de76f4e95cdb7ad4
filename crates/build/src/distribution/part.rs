//! What a distribution links: the packages of the manifest and those that come with the core.
//!
//! Finds names and folders without asking cargo, except where the core lies in git or a registry; then cargo fetches
//! it once and its own list is kept below the target folder, under the name of its revision.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::cargo::Cargo;
use super::generate::{self, Crate};
use super::graph::Graph;
use super::manifest::{self, Entry, Manifest, Source};
use super::{Distribution, lock};

/// The file that keeps the names of what comes with a core that had to be fetched.
pub(super) const BUNDLED: &str = "bundled.txt";

/// One package that the binary links for what it registers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Part {
    /// `extensions.pii`, or `core.default-extensions`.
    pub(crate) key: String,
    /// The line of the manifest.
    pub(crate) line: usize,
    pub(crate) package: String,
    pub(crate) source: Source,
    pub(crate) features: Vec<String>,
    pub(crate) allow: Option<Vec<String>>,
}

impl Part {
    /// Where the manifest names it.
    pub(crate) fn listed_in(&self) -> String {
        format!("{}:{}, {}", manifest::FILE, self.line, self.key)
    }
}

/// The packages to link, in the order of their names.
///
/// # Errors
/// A path leads to no package, two entries name one package, or something is left out that is not there.
pub(crate) fn parts(dist: &Distribution, cargo: &Cargo) -> Result<Vec<Part>> {
    let mut mistakes = Vec::new();
    let mut parts = Vec::new();
    for entry in &dist.manifest.extensions {
        match listed(dist, entry) {
            Ok(part) => parts.push(part),
            Err(cause) => mistakes.push(format!("{cause:#}")),
        }
    }
    for default in defaults(dist, cargo)? {
        if parts.iter().all(|part: &Part| part.package != default.package) {
            parts.push(default);
        }
    }
    parts.sort_by(|a, b| (&a.package, a.line).cmp(&(&b.package, b.line)));
    for pair in parts.windows(2) {
        if let [first, second] = pair
            && first.package == second.package
        {
            mistakes.push(format!(
                "{}: the package `{}` is already listed in {}; keep one of them",
                second.listed_in(),
                second.package,
                first.listed_in()
            ));
        }
    }
    if let Some(part) = parts.iter().find(|part| part.package == dist.manifest.name) {
        mistakes.push(format!(
            "{}: the package has the name of the distribution, `{}`; rename one",
            part.listed_in(),
            part.package
        ));
    }
    if !mistakes.is_empty() {
        bail!("{}", mistakes.join("\n"));
    }
    Ok(parts)
}

fn listed(dist: &Distribution, entry: &Entry) -> Result<Part> {
    let key = format!("extensions.{}", entry.key);
    let place = manifest::place(entry.line, &key);
    let package = match &entry.source {
        Source::Path(path) => {
            let folder = dist.resolve(path);
            let found = package_name(&folder)
                .with_context(|| format!("{place}: `{path}` is no package; correct the path"))?;
            if let Some(given) = entry.package.as_ref().filter(|given| **given != found) {
                bail!("{place}: the package in `{path}` is `{found}`, not `{given}`");
            }
            found
        }
        Source::Git { .. } | Source::Registry { .. } => {
            entry.package.clone().unwrap_or_else(|| entry.key.clone())
        }
    };
    Ok(Part {
        key,
        line: entry.line,
        package,
        source: entry.source.clone(),
        features: entry.features.clone(),
        allow: entry.allow.clone(),
    })
}

/// The name in the manifest of the package in `folder`.
fn package_name(folder: &Path) -> Result<String> {
    let path = folder.join("Cargo.toml");
    let text = fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let table: toml::Table = text.parse().with_context(|| format!("{} is no TOML", path.display()))?;
    let name = table.get("package").and_then(|package| package.get("name")).and_then(toml::Value::as_str);
    Ok(name.with_context(|| format!("{} has no `package.name`", path.display()))?.to_owned())
}

/// The extensions that come with the core and are not left out.
fn defaults(dist: &Distribution, cargo: &Cargo) -> Result<Vec<Part>> {
    let core = &dist.manifest.core;
    if !core.default_extensions.value {
        if let Some(without) = core.without.first() {
            bail!(
                "{}: nothing can be left out of the default extensions, as `default-extensions` is false",
                manifest::place(without.line, "core.without")
            );
        }
        return Ok(Vec::new());
    }
    let bundled = bundled(dist, cargo)?;
    let names: BTreeSet<&str> = bundled.iter().map(|(name, _)| name.as_str()).collect();
    let unknown = core.without.iter().filter(|without| !names.contains(without.value.as_str()));
    let known: Vec<&str> = names.iter().copied().collect();
    let mistakes: Vec<String> = unknown
        .map(|without| {
            format!(
                "{}: `{}` does not come with the core{}",
                manifest::place(without.line, "core.without"),
                without.value,
                manifest::hint(&without.value, &known)
            )
        })
        .collect();
    if !mistakes.is_empty() {
        bail!("{}", mistakes.join("\n"));
    }
    let is_left_out = |name: &str| core.without.iter().any(|without| without.value == name);
    let part = |(package, source)| Part {
        key: "core.default-extensions".to_owned(),
        line: core.default_extensions.line,
        package,
        source,
        features: Vec::new(),
        allow: None,
    };
    Ok(bundled.into_iter().filter(|(name, _)| !is_left_out(name)).map(part).collect())
}

/// Name and source of everything that comes with the core.
fn bundled(dist: &Distribution, cargo: &Cargo) -> Result<Vec<(String, Source)>> {
    let core = &dist.manifest.core.source;
    let Source::Path(path) = &core.value else {
        let names = fetched(dist, cargo)?;
        return Ok(names.into_iter().map(|name| (name, core.value.clone())).collect());
    };
    let own = listed_by_core(&dist.resolve(path))
        .with_context(|| format!("{}: no Gatewright there", manifest::place(core.line, "core.path")))?;
    Ok(own.into_iter().map(|(name, inner)| (name, Source::Path(joined(path, &inner)))).collect())
}

/// Name and folder of each extension that the core's own manifest lists.
fn listed_by_core(root: &Path) -> Result<Vec<(String, String)>> {
    let mut found = Vec::new();
    for entry in &Manifest::load(root)?.extensions {
        if let Source::Path(inner) = &entry.source {
            found.push((package_name(&root.join(inner))?, inner.clone()));
        }
    }
    Ok(found)
}

/// A path below another one, with `/` between them.
fn joined(outer: &str, inner: &str) -> String {
    match outer.trim_end_matches('/') {
        "." => inner.to_owned(),
        outer => format!("{outer}/{inner}"),
    }
}

/// The names that a core's own manifest lists, for a core that cargo has to fetch.
fn fetched(dist: &Distribution, cargo: &Cargo) -> Result<Vec<String>> {
    let core = &dist.manifest.core.source;
    let Source::Git { rev, .. } = &core.value else {
        bail!(
            "{}: a core from a registry comes without the list of its extensions; set `default-extensions = false` and \
             list those that you want",
            manifest::place(dist.manifest.core.default_extensions.line, "core.default-extensions")
        );
    };
    let probe = fetched_core(dist, rev);
    let kept = probe.join(BUNDLED);
    let vendored = cargo.vendor().map(|vendor| vendor.join(BUNDLED));
    for list in [Some(&kept), vendored.as_ref()].into_iter().flatten() {
        if let Ok(text) = fs::read_to_string(list) {
            return Ok(text.lines().map(str::to_owned).collect());
        }
    }
    let graph = probe_graph(dist, cargo, &probe)?;
    let gateway = graph.named("gatewright-gateway").context("the core has no package gatewright-gateway")?;
    // In a checkout the whole repository is there: the gateway lies two folders below its root.
    let root = gateway.folder().ancestors().nth(2).unwrap_or(gateway.folder());
    let names: Vec<String> = listed_by_core(root)
        .with_context(|| format!("{}: no Gatewright there", manifest::place(core.line, "core.git")))?
        .into_iter()
        .map(|(name, _)| name)
        .collect();
    if let Ok(lock) = fs::read_to_string(root.join("Cargo.lock")) {
        generate::write(&probe.join(lock::SEED), &lock)?;
    }
    generate::write(&kept, &names.join("\n"))?;
    Ok(names)
}

/// Where what is known of a core from git is kept.
pub(super) fn fetched_core(dist: &Distribution, rev: &str) -> PathBuf {
    dist.root.join("target").join("gatewright").join("core").join(rev)
}

/// The names of what comes with the core, one a line.
///
/// # Errors
/// The core cannot be read or fetched.
pub(super) fn bundled_names(dist: &Distribution, cargo: &Cargo) -> Result<String> {
    let names: Vec<String> = bundled(dist, cargo)?.into_iter().map(|(name, _)| name).collect();
    Ok(names.join("\n"))
}

/// Resolves a crate that needs the gateway alone, so that cargo fetches the core.
fn probe_graph(dist: &Distribution, cargo: &Cargo, probe: &Path) -> Result<Graph> {
    let text = Crate { dist, way: &|path| generate::relative(probe, path), inner: &[] }.probe_text();
    generate::write(&probe.join("Cargo.toml"), &text)?;
    generate::write(&probe.join("src").join("main.rs"), "fn main() {}\n")?;
    if let Ok(lock) = fs::read_to_string(dist.lock()) {
        generate::write(&probe.join("Cargo.lock"), &lock)?;
    }
    Graph::read(cargo.relaxed().metadata(probe, &cargo.host))
}
