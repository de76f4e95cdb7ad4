//! The distribution: its lock, the folders around it, what it depends on.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::Finding;
use crate::command;
use crate::distribution::Distribution;
use crate::distribution::cargo::Cargo;
use crate::distribution::graph::{Graph, Package};
use crate::distribution::prepare::Prepared;

/// How many names a finding lists.
const NAMES_MAX: usize = 12;

/// What can be seen without a graph.
pub(super) fn check(dist: &Distribution) -> Vec<Finding> {
    let mut found = vec![lock(dist)];
    found.extend(outer_workspace(&dist.root));
    found
}

/// What only the graph shows.
pub(super) fn check_graph(dist: &Distribution, prepared: &Prepared) -> Vec<Finding> {
    let mut found = vec![offline(dist, prepared), duplicates(&prepared.graph)];
    let core = ids(&prepared.graph, "gatewright-gateway");
    for part in prepared.parts.iter().filter(|part| part.key.starts_with("extensions.")) {
        found.extend(at_build_time(&prepared.graph, &part.package, &core));
    }
    found
}

/// Whether the lock is there and fits, asked of cargo without a network.
fn lock(dist: &Distribution) -> Finding {
    const TOPIC: &str = "lock";
    let file = dist.lock();
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    if !file.is_file() {
        return Finding::note(
            TOPIC,
            format!("{name} is not there yet: `cargo xtask build` makes it; commit it"),
        );
    }
    let folder = dist.folder();
    let fits = || {
        let cargo = Cargo::find(dist).ok()?.locked(true);
        let generated = if dist.is_clone() { file.clone() } else { folder.join("Cargo.lock") };
        if fs::read(&generated).ok()? != fs::read(&file).ok()? {
            return Some(false);
        }
        let mut metadata = cargo.metadata(&folder, &cargo.host);
        Some(command::read(metadata.arg("--offline")).is_ok())
    };
    match fits() {
        Some(true) => Finding::fine(TOPIC, format!("{name} fits the manifest")),
        Some(false) => Finding::note(
            TOPIC,
            format!("{name} is stale: it does not fit what was resolved last; `cargo xtask build` mends it"),
        ),
        None => Finding::note(TOPIC, format!("{name} has not been used on this machine yet")),
    }
}

/// A workspace around the distribution would take its crates in.
fn outer_workspace(root: &Path) -> Option<Finding> {
    let is_workspace = |folder: &Path| {
        let text = fs::read_to_string(folder.join("Cargo.toml")).unwrap_or_default();
        text.parse::<toml::Table>().is_ok_and(|table| table.contains_key("workspace"))
    };
    let outer = root.ancestors().skip(1).find(|folder| is_workspace(folder))?;
    if is_workspace(root) {
        return Some(Finding::fine(
            "outer workspace",
            format!("{} is a workspace too, and this folder is one of its own", outer.display()),
        ));
    }
    Some(Finding::note(
        "outer workspace",
        format!(
            "{} is a workspace and would take the extensions here in, with its lock and its profiles: add a Cargo.toml \
             with `[workspace]` here, or `exclude` this folder there; the binary itself is not affected",
            outer.display()
        ),
    ))
}

/// Whether everything has been fetched.
fn offline(dist: &Distribution, prepared: &Prepared) -> Finding {
    let mut metadata = prepared.cargo.metadata(&dist.folder(), &prepared.cargo.host);
    match command::read(metadata.arg("--offline")) {
        Ok(_) => Finding::fine("offline", "every source is on this machine: it builds without a network"),
        Err(_) => Finding::note(
            "offline",
            "some sources are not on this machine: build once with a network, or with `--vendored`",
        ),
    }
}

/// Crates that are linked in several versions.
fn duplicates(graph: &Graph) -> Finding {
    let linked = graph.linked();
    let mut seen = BTreeSet::new();
    let mut twice: BTreeSet<&str> = BTreeSet::new();
    for package in graph.packages.iter().filter(|package| linked.contains(package.id.as_str())) {
        if !seen.insert(package.name.as_str()) {
            twice.insert(&package.name);
        }
    }
    if twice.is_empty() {
        return Finding::fine("duplicates", "every crate is linked in one version");
    }
    Finding::note(
        "duplicates",
        format!(
            "linked in more than one version: {}; `policy.deny-duplicates` can forbid it",
            listed(&twice)
        ),
    )
}

/// Code of others that runs while the binary is built, where an extension brings it in.
fn at_build_time(graph: &Graph, extension: &str, core: &BTreeSet<&str>) -> Option<Finding> {
    let own = graph.closure(extension).into_iter();
    let brought: Vec<&Package> = own.filter(|package| !core.contains(package.id.as_str())).collect();
    let names = |of: fn(&Package) -> bool| -> BTreeSet<&str> {
        brought.iter().filter(|package| of(package)).map(|package| package.name.as_str()).collect()
    };
    let scripts = names(|package| package.has_build_script);
    let macros = names(|package| package.is_proc_macro);
    if scripts.is_empty() && macros.is_empty() {
        return None;
    }
    let mut parts = Vec::new();
    if !scripts.is_empty() {
        parts.push(format!("build scripts of {}", listed(&scripts)));
    }
    if !macros.is_empty() {
        parts.push(format!("procedural macros of {}", listed(&macros)));
    }
    Some(Finding::note(
        "at build time",
        format!("`{extension}` brings code that runs on the building machine: {}", parts.join("; ")),
    ))
}

/// The ids of a package and of everything that it needs.
fn ids<'a>(graph: &'a Graph, name: &str) -> BTreeSet<&'a str> {
    graph.closure(name).into_iter().map(|package| package.id.as_str()).collect()
}

fn listed(names: &BTreeSet<&str>) -> String {
    let shown: Vec<&str> = names.iter().copied().take(NAMES_MAX).collect();
    match names.len().saturating_sub(NAMES_MAX) {
        0 => shown.join(", "),
        more => format!("{} and {more} more", shown.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::distribution::doctor::Grade;
    use crate::distribution::graph::Edge;
    use crate::fixture::Fixture;

    #[test]
    fn a_workspace_around_the_distribution_is_told() {
        let outer = ("Cargo.toml", "[workspace]\nmembers = [\"acme/extensions/*\"]\n");
        let fixture = Fixture::new(&[outer, ("acme/gatewright.toml", "")]);
        let found = outer_workspace(&fixture.root().join("acme")).unwrap();
        assert_eq!(found.grade, Grade::Note);
        assert!(found.said.contains("would take the extensions here in"), "{found}");
        let own = Fixture::new(&[outer, ("acme/Cargo.toml", "[workspace]\n")]);
        assert_eq!(outer_workspace(&own.root().join("acme")).unwrap().grade, Grade::Fine);
        assert_eq!(outer_workspace(own.root()), None);
    }

    #[test]
    fn code_that_runs_at_build_time_is_told_where_an_extension_brings_it() {
        let edge = |id: &str| Edge { id: id.to_owned(), library: id.to_owned(), is_linked: true };
        let package = |name: &str, uses: &[&str]| Package {
            id: name.to_owned(),
            name: name.to_owned(),
            has_build_script: name.ends_with("-sys"),
            is_proc_macro: name.ends_with("-derive"),
            uses: uses.iter().map(|id| edge(id)).collect(),
            ..Package::default()
        };
        let packages = vec![
            package("gatewright-gateway", &["sqlite-sys"]),
            package("pii", &["sqlite-sys", "ssl-sys", "pii-derive"]),
            package("sqlite-sys", &[]),
            package("ssl-sys", &[]),
            package("pii-derive", &[]),
        ];
        let graph = Graph { packages, root: "acme".to_owned() };
        let core = ids(&graph, "gatewright-gateway");
        let found = at_build_time(&graph, "pii", &core).unwrap();
        assert!(found.said.ends_with("build scripts of ssl-sys; procedural macros of pii-derive"), "{found}");
        assert_eq!(at_build_time(&graph, "gatewright-gateway", &core), None);
    }
}
