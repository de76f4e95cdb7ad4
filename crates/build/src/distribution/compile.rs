//! From the manifest to the binary: generate, resolve, compile, verify.
//!
//! `prepare` writes the crate and asks cargo for the graph; everything that only looks stops there.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::cargo::Cargo;
use super::generate::{self, Crate};
use super::graph::Graph;
use super::manifest::Shipping;
use super::part::{self, Part};
use super::remap::Map;
use super::stage::Stage;
use super::{Distribution, explain, info, leak, lock, policy, ship, stage, unwind, vendor, verify};
use crate::command;
use crate::console::say;

/// How to build.
#[derive(Debug, Clone, Default)]
pub(crate) struct BuildOptions {
    pub(crate) profile: Profile,
    /// The system to build for, as Rust names it; this one where it is not given.
    pub(crate) target: Option<String>,
    /// Refuse to change the lock; always so in continuous integration.
    pub(crate) locked: bool,
    /// Take sources from the vendored folder, without a network.
    pub(crate) vendored: bool,
    /// Where to put what ships; `dist` in the distribution's folder where it is not given.
    pub(crate) out: Option<PathBuf>,
}

/// The profiles of the generated crate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Profile {
    /// For daily work.
    #[default]
    Dev,
    Release,
    Dist,
}

impl Profile {
    /// As cargo's `--profile` names it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Dev => "dev",
            Self::Release => "release",
            Self::Dist => "dist",
        }
    }
}

impl Profile {
    /// What the manifest wants for a binary that ships.
    pub(crate) fn of(shipping: Shipping) -> Self {
        match shipping {
            Shipping::Release => Self::Release,
            Shipping::Dist => Self::Dist,
        }
    }
}

/// What a build has made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Built {
    /// In the folder of what ships, where there is one.
    pub(crate) binary: PathBuf,
}

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

pub(super) fn build(dist: &Distribution, options: &BuildOptions) -> Result<Built> {
    let prepared = prepare(dist, options)?;
    policy::check(dist, &prepared.graph)?;
    if options.profile == Profile::Dev {
        let mut command = prepared.cargo.command("build", &dist.folder());
        command.arg("--target-dir").arg(dist.target());
        let binary = compile(dist, &prepared, options, &mut command)?;
        check(&prepared, options, &binary)?;
        return Ok(Built { binary });
    }
    let out = options.out.clone().unwrap_or_else(|| default_out(dist, options));
    let stage = stage::fill(dist, &prepared, &out)?;
    let (binary, lock) = compile_stage(dist, &prepared, options, &stage)?;
    check(&prepared, options, &binary)?;
    policy::check_size(dist, &binary)?;
    Ok(Built { binary: ship::ship(dist, &prepared, &binary, &lock, &out)? })
}

/// Lets the binary check itself, where it can run here.
fn check(prepared: &Prepared, options: &BuildOptions, binary: &Path) -> Result<()> {
    if options.target.as_ref().is_none_or(|target| *target == prepared.cargo.host) {
        return verify::verify(binary, &prepared.parts);
    }
    say("the binary is for another system, so what registered in it is checked when it starts there");
    Ok(())
}

fn default_out(dist: &Distribution, options: &BuildOptions) -> PathBuf {
    let out = dist.root.join("dist");
    match &options.target {
        Some(target) => out.join(target),
        None => out,
    }
}

/// Builds the same bytes as any other machine does, and returns the binary and the lock that it was built with.
fn compile_stage(
    dist: &Distribution,
    prepared: &Prepared,
    options: &BuildOptions,
    stage: &Stage,
) -> Result<(PathBuf, PathBuf)> {
    let target = options.target.as_deref().unwrap_or(&prepared.cargo.host);
    if dist.is_clone() {
        // The lock of a whole workspace holds more than this binary needs; cargo takes that out.
        Graph::read(prepared.cargo.relaxed().metadata(&stage.folder, target))?;
    }
    let map = Map::of(stage, &prepared.cargo, prepared.cargo.vendor())?;
    let mut command = prepared.cargo.command("build", &stage.folder);
    command.arg("--target-dir").arg(&stage.target);
    map.apply(&mut command, &dist.root, target)?;
    let binary = compile(dist, prepared, options, &mut command)?;
    let trees = [dist.root.as_path()];
    leak::check(&binary, map.folders().chain(trees))?;
    Ok((binary, stage.folder.join("Cargo.lock")))
}

/// Writes the crate and returns its folder.
pub(super) fn generate(dist: &Distribution, options: &BuildOptions) -> Result<PathBuf> {
    prepare(dist, options)?;
    Ok(dist.folder())
}

/// Writes the crate in its folder and resolves it.
pub(crate) fn prepare(dist: &Distribution, options: &BuildOptions) -> Result<Prepared> {
    unwind::check(&dist.root)?;
    let locked = options.locked || command::in_ci();
    let vendored = options.vendored.then(|| vendor::settings(&dist.root)).transpose()?;
    let cargo = Cargo::find(dist)?.locked(locked).vendored(vendored);
    let parts = part::parts(dist, &cargo)?;
    let folder = dist.folder();
    let target = options.target.as_deref().unwrap_or(&cargo.host);
    let (graph, others) = if dist.is_clone() {
        let graph = Graph::read(cargo.metadata(&folder, target)).context("the workspace does not resolve")?;
        (graph, Vec::new())
    } else {
        resolve(dist, &cargo, &parts, target)?
    };
    let libraries = generate::libraries(&graph, &parts)?;
    let main = generate::main_text(&dist.manifest, &parts, &libraries);
    generate::write(&folder.join("src").join("main.rs"), &main)?;
    Ok(Prepared { cargo, parts, graph, others })
}

/// Writes `Cargo.toml` and lets cargo resolve it, with the committed lock.
fn resolve(dist: &Distribution, cargo: &Cargo, parts: &[Part], target: &str) -> Result<(Graph, Vec<String>)> {
    let folder = dist.folder();
    let way = |path: &Path| generate::relative(&folder, path);
    let place = Crate { dist, way: &way, inner: &[] };
    if !folder.join("src/main.rs").exists() {
        // Cargo wants a target before it says how the libraries are called that the real one names.
        generate::write(&folder.join("src").join("main.rs"), "fn main() {}\n")?;
    }
    if let Some(toolchain) = &dist.manifest.toolchain {
        let text = format!("[toolchain]\nchannel = {}\n", generate::quoted(&toolchain.value));
        generate::write(&folder.join("rust-toolchain.toml"), &text)?;
    }
    lock::restore(dist, &folder, cargo)?;
    let mut others = Vec::new();
    for _ in 0..SOURCES_MAX {
        generate::write(&folder.join("Cargo.toml"), &place.manifest_text(parts, &others))?;
        let cause = match Graph::read(cargo.metadata(&folder, target)) {
            Ok(graph) => {
                lock::keep(dist, &folder)?;
                return Ok((graph, others));
            }
            Err(cause) => format!("{cause:#}"),
        };
        let more: Vec<String> = generate::second_sources(&cause, dist)
            .into_iter()
            .filter(|source| !others.contains(source))
            .collect();
        if more.is_empty() {
            bail!("{}", explain::resolver(&cause, dist, parts));
        }
        others.extend(more);
        others.sort();
    }
    bail!("the extensions take the core from more than {SOURCES_MAX} sources; name it by version alone")
}

fn compile(
    dist: &Distribution,
    prepared: &Prepared,
    options: &BuildOptions,
    command: &mut Command,
) -> Result<PathBuf> {
    let profile = options.profile.name();
    command.args(["--profile", profile, "--config", &format!("profile.{profile}.panic=\"unwind\"")]);
    if let Some(target) = &options.target {
        command.args(["--target", target]);
    }
    command.env(info::VARIABLE, info::text(dist, prepared, options)?);
    run(command, &dist.manifest.name)
}

/// Runs `cargo build` with its messages on the terminal, and returns the binary that it names.
pub(super) fn run(command: &mut Command, name: &str) -> Result<PathBuf> {
    command.args(["--bin", name, "--message-format=json-render-diagnostics"]);
    let output = command
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{}`", command::shown(command)))?;
    if !output.status.success() {
        bail!("the distribution does not compile: what cargo says stands above");
    }
    let said = String::from_utf8_lossy(&output.stdout);
    let executables = said.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    });
    executables.last().context("cargo names no binary")
}

/// The text of a file, or none where it is not there.
pub(super) fn text_of(path: &Path) -> Result<Option<String>> {
    if !path.exists() {
        return Ok(None);
    }
    Ok(Some(fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?))
}
