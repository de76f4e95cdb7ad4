//! From the generated crate to the binary: compile, let the binary check itself, and put together what ships.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::graph::Graph;
use super::manifest::Shipping;
use super::prepare::{Prepared, prepare};
use super::remap::Map;
use super::stage::Stage;
use super::{Distribution, info, leak, policy, ship, stage, verify};
use crate::command;
use crate::console::say;

/// How to build.
#[derive(Debug, Clone)]
pub(crate) struct BuildOptions {
    pub(crate) profile: Profile,
    /// The system to build for, as Rust names it; this one where it is not given.
    pub(crate) target: Option<String>,
    /// Refuse to change the lock; the default in continuous integration.
    pub(crate) locked: bool,
    /// Take sources from the vendored folder, without a network.
    pub(crate) vendored: bool,
    /// Where to put what ships; `dist` in the distribution's folder where it is not given.
    pub(crate) out: Option<PathBuf>,
}

impl Default for BuildOptions {
    fn default() -> Self {
        Self { profile: Profile::Dev, target: None, locked: command::in_ci(), vendored: false, out: None }
    }
}

/// The profiles of the generated crate.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Profile {
    /// For daily work.
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
        return verify::verify(binary, prepared);
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
    let mut executables = said.lines().filter_map(|line| {
        let message: Value = serde_json::from_str(line).ok()?;
        Some(PathBuf::from(message.get("executable")?.as_str()?))
    });
    executables.next_back().context("cargo names no binary")
}
