//! From the manifest to a crate that cargo has resolved; everything that only looks stops here.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};

use super::cargo::Cargo;
use super::compile::BuildOptions;
use super::generate::{self, Crate};
use super::graph::Graph;
use super::part::{self, Part};
use super::{Distribution, explain, lock, own, unwind, vendor};

/// A generated crate and what cargo makes of it.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(crate) cargo: Cargo,
    pub(crate) parts: Vec<Part>,
    pub(crate) graph: Graph,
    /// The sources beside the public registry from which an extension takes the core.
    pub(crate) others: Vec<String>,
}

/// How often the crate is resolved again because an extension takes the core from yet another source.
const SOURCES_MAX: usize = 8;

/// Writes the crate where builds expect it, and resolves it.
///
/// # Errors
/// The manifest does not fit together, something asks for another panic mode, or cargo cannot resolve the crate.
pub(crate) fn prepare(dist: &Distribution, options: &BuildOptions) -> Result<Prepared> {
    prepare_in(dist, options, &dist.folder())
}

/// Writes the crate into a folder, and resolves it there.
///
/// # Errors
/// As [`prepare`].
pub(super) fn prepare_in(dist: &Distribution, options: &BuildOptions, folder: &Path) -> Result<Prepared> {
    unwind::check(&dist.root)?;
    let vendored = options.vendored.then(|| vendor::settings(&dist.root)).transpose()?;
    let cargo = Cargo::find(dist)?.locked(options.locked).vendored(vendored);
    let parts = part::parts(dist, &cargo)?;
    let target = options.target.as_deref().unwrap_or(&cargo.host);
    let (graph, others) = if dist.is_clone() && folder == dist.folder() {
        own::write_dependencies(dist, folder, &parts)?;
        let graph = Graph::read(cargo.metadata(folder, target)).context(
            "the workspace does not resolve; a new extension needs its lines in `members` and in \
             `[workspace.dependencies]` of the root Cargo.toml",
        )?;
        (graph, Vec::new())
    } else {
        Resolving { dist, cargo: &cargo, parts: &parts, folder, target }.resolve()?
    };
    let libraries = generate::libraries(&graph, &parts)?;
    let main = generate::main_text(&dist.manifest, &parts, &libraries);
    generate::write(&folder.join("src").join("main.rs"), &main)?;
    Ok(Prepared { cargo, parts, graph, others })
}

/// A crate that is to be resolved.
struct Resolving<'a> {
    dist: &'a Distribution,
    cargo: &'a Cargo,
    parts: &'a [Part],
    folder: &'a Path,
    target: &'a str,
}

impl Resolving<'_> {
    /// Writes `Cargo.toml` and lets cargo resolve it, with the committed lock. Where an extension takes the core from
    /// a source of its own, that source is replaced as well.
    fn resolve(&self) -> Result<(Graph, Vec<String>)> {
        self.write_surroundings()?;
        let way = |path: &Path| generate::relative(self.folder, path);
        let place = Crate { dist: self.dist, way: &way, inner: &[] };
        let mut others = generate::declared_sources(self.dist, self.parts);
        for _ in 0..SOURCES_MAX {
            generate::write(&self.folder.join("Cargo.toml"), &place.manifest_text(self.parts, &others))?;
            let cause = match Graph::read(self.cargo.metadata(self.folder, self.target)) {
                Ok(graph) => {
                    lock::keep(self.dist, self.folder)?;
                    return Ok((graph, others));
                }
                Err(cause) => format!("{cause:#}"),
            };
            let mut more = generate::second_sources(&cause, self.dist);
            more.retain(|source| !others.contains(source));
            if more.is_empty() {
                bail!("{}", explain::resolver(&cause, self.dist, self.parts));
            }
            others.extend(more);
            others.sort();
        }
        bail!("the extensions take the core from more than {SOURCES_MAX} sources; name it by version alone")
    }

    fn write_surroundings(&self) -> Result<()> {
        let main = self.folder.join("src").join("main.rs");
        if !main.exists() {
            // Cargo wants a target before it says how the libraries are called that the real one names.
            generate::write(&main, "fn main() {}\n")?;
        }
        if let Some(toolchain) = &self.dist.manifest.toolchain {
            let text = format!("[toolchain]\nchannel = {}\n", generate::quoted(&toolchain.value));
            generate::write(&self.folder.join("rust-toolchain.toml"), &text)?;
        }
        lock::restore(self.dist, self.folder, self.cargo)
    }
}

/// The two files of Gatewright's own `gateway-bin` as they should be, without writing them.
///
/// # Errors
/// The manifest does not fit together, or the workspace does not resolve.
#[cfg(test)]
pub(super) fn own_texts(dist: &Distribution) -> Result<(String, String)> {
    let cargo = Cargo::find(dist)?.locked(true);
    let parts = part::parts(dist, &cargo)?;
    let folder = dist.folder();
    let graph = Graph::read(cargo.metadata(&folder, &cargo.host))?;
    let main = generate::main_text(&dist.manifest, &parts, &generate::libraries(&graph, &parts)?);
    Ok((own::dependencies_text(dist, &folder, &parts)?, main))
}

/// The text of a file, or none where it is not there.
pub(super) fn text_of(path: &Path) -> Result<Option<String>> {
    if !path.exists() {
        return Ok(None);
    }
    Ok(Some(fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?))
}
