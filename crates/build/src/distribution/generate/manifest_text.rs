//! `Cargo.toml` of the generated crate: what it depends on, from one core for all.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::{NOTE, quoted};
use crate::distribution::Distribution;
use crate::distribution::manifest::{Allocator, Source};
use crate::distribution::part::Part;

/// What an extension may name of the core; each is patched to the copy that the distribution is built on.
const SDK: [&str; 3] = ["gatewright-core", "gatewright-macros", "gatewright-wire"];

/// The profiles: one quick to build for daily work, one optimised, one that takes its time.
const PROFILES: &str = "\
[profile.dev]
panic = \"unwind\"
debug = \"line-tables-only\"

# Nobody steps through these; without their debug information a rebuild links in a fraction of the time.
[profile.dev.package.\"*\"]
debug = false

[profile.release]
panic = \"unwind\"
opt-level = 3
lto = \"thin\"
codegen-units = 4
strip = \"symbols\"

[profile.dist]
inherits = \"release\"
lto = \"fat\"
codegen-units = 1
";

/// A crate to write, for a distribution.
pub(crate) struct Crate<'a> {
    pub(crate) dist: &'a Distribution,
    /// The way from the crate to an absolute path.
    pub(crate) way: &'a dyn Fn(&Path) -> PathBuf,
    /// Folders inside the crate's own that hold workspaces of their own.
    pub(crate) inner: &'a [&'a str],
}

impl Crate<'_> {
    /// The text of `Cargo.toml`; `others` are the sources beside the public registry from which an extension takes
    /// the core, so that they are patched too.
    pub(crate) fn manifest_text(&self, parts: &[Part], others: &[String]) -> String {
        let mut lines: BTreeMap<&str, String> = BTreeMap::new();
        lines.insert("gatewright-gateway", self.core("gatewright-gateway"));
        for part in parts {
            lines.insert(&part.package, self.dependency(&part.source, &part.features));
        }
        if self.dist.manifest.allocator == Allocator::Mimalloc {
            lines.insert("mimalloc", "{ version = \"0.1.52\", default-features = false }".to_owned());
        }
        let lines: String = lines.iter().map(|(package, value)| format!("{package} = {value}\n")).collect();
        let own = own_profiles(parts);
        format!("{}[dependencies]\n{lines}{}\n{PROFILES}{own}", self.head(), self.patches(others))
    }

    /// The text of a `Cargo.toml` that needs the gateway alone.
    pub(crate) fn probe_text(&self) -> String {
        let gateway = self.core("gatewright-gateway");
        format!("{}[dependencies]\ngatewright-gateway = {gateway}\n", self.head())
    }

    fn head(&self) -> String {
        let manifest = &self.dist.manifest;
        let description = manifest.description.as_deref().unwrap_or("A Gatewright gateway");
        let inner: Vec<String> = self.inner.iter().map(|folder| quoted(folder)).collect();
        let exclude =
            if inner.is_empty() { String::new() } else { format!("exclude = [{}]\n", inner.join(", ")) };
        format!(
            "# {NOTE}\n[package]\nname = {}\nversion = {}\ndescription = {}\nedition = \"2024\"\npublish = false\n\n\
             # Of its own, so that no workspace around it takes it in.\n[workspace]\n{exclude}\n",
            quoted(&manifest.name),
            quoted(&manifest.version),
            quoted(description)
        )
    }

    /// A package of the core.
    fn core(&self, package: &str) -> String {
        match &self.dist.manifest.core.source.value {
            Source::Path(path) => {
                let folder = package.trim_start_matches("gatewright-");
                self.dependency(&Source::Path(format!("{path}/crates/{folder}")), &[])
            }
            Source::Registry { version, registry } => {
                let version = format!("={}", version.trim_start_matches('='));
                self.dependency(&Source::Registry { version, registry: registry.clone() }, &[])
            }
            git @ Source::Git { .. } => self.dependency(git, &[]),
        }
    }

    fn dependency(&self, source: &Source, features: &[String]) -> String {
        let mut fields = match source {
            Source::Path(path) => {
                let way = (self.way)(&self.dist.resolve(path));
                format!("path = {}", quoted(&way.to_string_lossy().replace('\\', "/")))
            }
            Source::Git { url, rev } => format!("git = {}, rev = {}", quoted(url), quoted(rev)),
            Source::Registry { version, registry: None } => format!("version = {}", quoted(version)),
            Source::Registry { version, registry: Some(registry) } => {
                format!("version = {}, registry = {}", quoted(version), quoted(registry))
            }
        };
        if !features.is_empty() {
            let features: Vec<String> = features.iter().map(|feature| quoted(feature)).collect();
            fields.push_str(&format!(", features = [{}]", features.join(", ")));
        }
        format!("{{ {fields} }}")
    }

    /// The tables that turn every request for the core into this one, and the manifest's own replacements.
    fn patches(&self, others: &[String]) -> String {
        let manifest = &self.dist.manifest;
        let core: Vec<String> =
            SDK.iter().map(|package| format!("{package} = {}\n", self.core(package))).collect();
        let mut public: Vec<String> = manifest
            .patches
            .iter()
            .map(|patch| format!("{} = {}\n", quoted(&patch.name), self.dependency(&patch.source, &[])))
            .collect();
        if !matches!(manifest.core.source.value, Source::Registry { registry: None, .. }) {
            public.extend(core.iter().cloned());
        }
        public.sort();
        let mut text = String::new();
        if !public.is_empty() {
            text.push_str(&format!("\n# One core for all.\n[patch.crates-io]\n{}", public.concat()));
        }
        for other in others {
            text.push_str(&format!("\n[patch.{}]\n{}", quoted(other), core.concat()));
        }
        text
    }
}

/// An extension that lies in a folder is being written here: its author wants line numbers in a backtrace.
fn own_profiles(parts: &[Part]) -> String {
    parts
        .iter()
        .filter(|part| part.key.starts_with("extensions.") && matches!(part.source, Source::Path(_)))
        .map(|part| {
            format!("\n[profile.dev.package.{}]\ndebug = \"line-tables-only\"\n", quoted(&part.package))
        })
        .collect()
}

/// The git repositories from which extensions in folders say that they take the core: known before cargo is asked.
pub(crate) fn declared_sources(dist: &Distribution, parts: &[Part]) -> Vec<String> {
    let mut found = Vec::new();
    for part in parts {
        let Source::Path(path) = &part.source else { continue };
        let text = fs::read_to_string(dist.resolve(path).join("Cargo.toml")).unwrap_or_default();
        let table: toml::Table = text.parse().unwrap_or_default();
        let Some(uses) = table.get("dependencies").and_then(toml::Value::as_table) else { continue };
        let urls = SDK.iter().filter_map(|name| uses.get(*name)?.get("git")?.as_str());
        found.extend(urls.filter(|url| Some(*url) != own_url(dist)).map(str::to_owned));
    }
    found.sort();
    found.dedup();
    found
}

/// The repository of the core, where it comes from one.
fn own_url(dist: &Distribution) -> Option<&str> {
    match &dist.manifest.core.source.value {
        Source::Git { url, .. } => Some(url.as_str()),
        Source::Path(_) | Source::Registry { .. } => None,
    }
}

/// The sources, other than the public registry and the distribution's own, that a message of the resolver names for
/// a second copy of the core.
pub(crate) fn second_sources(said: &str, dist: &Distribution) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    for line in said.lines().filter(|line| SDK.iter().any(|package| line.contains(package))) {
        let Some((_, rest)) = line.split_once(" (") else { continue };
        let source = rest.split(')').next().unwrap_or_default();
        let url = source.split(['?', '#']).next().unwrap_or_default();
        let is_new = Some(url) != own_url(dist) && !found.iter().any(|known| known == url);
        if source.contains("://") && is_new {
            found.push(url.to_owned());
        }
    }
    found
}
