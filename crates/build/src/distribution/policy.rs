//! The manifest's `[policy]`, held against the resolved graph, the sources and the binary.
//!
//! Which points a package may register for is checked by the binary itself, at every start.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::graph::{Graph, Package};
use super::manifest::{Located, place};
use super::{Distribution, info};
use crate::source::{Source, has_word};
use crate::supply::licence;

/// Checks everything that can be known before a compiler runs.
///
/// # Errors
/// A rule is broken, all of them in the message, or a source cannot be read.
pub(super) fn check(dist: &Distribution, graph: &Graph) -> Result<()> {
    let policy = &dist.manifest.policy;
    let mut broken: Vec<String> =
        policy.deny_duplicates.iter().filter_map(|name| duplicate(graph, name)).collect();
    if let Some(allowed) = &policy.licenses {
        broken.extend(licences(graph, allowed));
    }
    for pattern in &policy.forbid_unsafe_in {
        broken.extend(unsafe_in(dist, graph, pattern)?);
    }
    if broken.is_empty() { Ok(()) } else { bail!("{}", broken.join("\n")) }
}

/// Checks the size of a binary that ships.
///
/// # Errors
/// It is too large, or cannot be looked at.
pub(super) fn check_size(dist: &Distribution, binary: &Path) -> Result<()> {
    let Some(bound) = &dist.manifest.policy.max_binary_mib else { return Ok(()) };
    let bytes = fs::metadata(binary).with_context(|| format!("cannot look at {}", binary.display()))?.len();
    let mib = bytes.div_ceil(1 << 20);
    if mib > bound.value {
        bail!(
            "{}: the binary has {mib} MiB, allowed are {}; raise the bound, or see with `cargo xtask list` and \
             `cargo tree` what can go",
            place(bound.line, "policy.max-binary-mib"),
            bound.value
        );
    }
    Ok(())
}

/// A crate that is linked in more than one version.
fn duplicate(graph: &Graph, name: &Located<String>) -> Option<String> {
    let linked = graph.linked();
    let mut versions: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let found = graph.packages.iter().filter(|package| package.name == name.value);
    for package in found.filter(|package| linked.contains(package.id.as_str())) {
        versions.entry(&package.version).or_default().extend(users(graph, package));
    }
    if versions.len() < 2 {
        return None;
    }
    let listed: Vec<String> = versions
        .iter()
        .map(|(version, users)| {
            format!("{version} (for {})", users.iter().copied().collect::<Vec<_>>().join(", "))
        })
        .collect();
    Some(format!(
        "{}: `{}` is linked in versions {}; bring those that use it to one version",
        place(name.line, "policy.deny-duplicates"),
        name.value,
        listed.join(" and ")
    ))
}

/// The names of the packages that use one directly.
fn users<'a>(graph: &'a Graph, package: &Package) -> Vec<&'a str> {
    let uses = |user: &&Package| user.uses.iter().any(|edge| edge.id == package.id);
    graph.packages.iter().filter(uses).map(|user| user.name.as_str()).collect()
}

/// The crates from elsewhere whose licence is not allowed. What lies in a folder is the company's own.
fn licences(graph: &Graph, allowed: &Located<Vec<String>>) -> Vec<String> {
    let is_allowed = |id: &str| allowed.value.iter().any(|known| known == id);
    let foreign = graph.packages.iter().filter(|package| package.source.is_some());
    foreign
        .filter(|package| !licence::satisfies(package.license.as_deref().unwrap_or_default(), &is_allowed))
        .map(|package| {
            let shown = package.license.as_ref().map_or_else(
                || "no licence in its manifest".to_owned(),
                |licence| format!("the licence `{licence}`"),
            );
            format!(
                "{}: {} {} has {shown} (for {}); allow it, or replace what brings it in",
                place(allowed.line, "policy.licenses"),
                package.name,
                package.version,
                users(graph, package).join(", ")
            )
        })
        .collect()
}

/// The lines of matching packages that say `unsafe`, outside tests.
fn unsafe_in(dist: &Distribution, graph: &Graph, pattern: &Located<String>) -> Result<Vec<String>> {
    let mut found = Vec::new();
    for package in graph.packages.iter().filter(|package| package.source.is_none()) {
        let folder = package.folder();
        let Ok(inner) = folder.strip_prefix(&dist.root) else { continue };
        if !matches(&pattern.value, inner) {
            continue;
        }
        for file in info::files(folder)?.iter().filter(|file| ships(file)) {
            let text = fs::read_to_string(folder.join(file))
                .with_context(|| format!("cannot read {}", file.display()))?;
            let source = Source::new(inner.join(file), &text, false);
            found.extend(source.product().filter(|(_, line)| has_word(&line.code, "unsafe")).map(
                |(number, _)| {
                    format!(
                        "{}:{number}: `unsafe` is forbidden here by {}; write it without, or take the folder out",
                        source.path.display(),
                        place(pattern.line, "policy.forbid-unsafe-in")
                    )
                },
            ));
        }
    }
    Ok(found)
}

/// Whether a file of a package ends up in the binary or runs in its build.
fn ships(file: &Path) -> bool {
    let is_test = ["tests", "benches", "examples"].iter().any(|folder| file.starts_with(folder));
    file.extension().is_some_and(|ending| ending == "rs") && !is_test
}

/// Whether a folder matches a pattern: the folder itself, or with a `*` at the end one right below it.
fn matches(pattern: &str, folder: &Path) -> bool {
    match pattern.strip_suffix("/*") {
        Some(parent) => folder.parent() == Some(Path::new(parent)),
        None => folder == Path::new(pattern.trim_end_matches('/')),
    }
}

#[cfg(test)]
mod tests;
