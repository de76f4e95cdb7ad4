//! `check`, `test` and `bench` of a distribution: what every change has to pass before anybody ships it.

mod budget;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};

use crate::command;
use crate::console::{heading, print, say};
use crate::dev::{self, Setting};
use crate::distribution::{BuildOptions, Distribution};

/// Options of `check`.
#[derive(Debug, clap::Args)]
pub(crate) struct Check {
    /// The configuration; given several times, later files are laid over earlier ones. Default: gateway.yaml, and
    /// dev.yaml over it
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
}

impl Check {
    /// Checks the manifest, the versions and the policy, then the configuration by the very binary that reads it.
    ///
    /// # Errors
    /// Something does not fit; the message names file and line.
    pub(crate) fn run(&self) -> Result<()> {
        let dist = Distribution::find()?;
        let files = dev::configuration(&dist, &self.config)?;
        let binary = dist.build(&BuildOptions::default())?.binary;
        say("the manifest, the versions and the policy are good");
        let mut check = Command::new(binary);
        check.arg("check");
        for file in &files {
            check.arg("--config").arg(file);
        }
        command::run(check.envs(Setting::default().variables()))
    }
}

/// Runs the tests of the company's workspace, the smoke test of the whole binary among them, and the examples in its
/// documentation.
///
/// # Errors
/// A test fails, or something does not compile.
pub(crate) fn test(filters: &[String]) -> Result<()> {
    let dist = Distribution::find()?;
    heading("build the gateway");
    let binary = dist.build(&BuildOptions::default())?.binary;
    heading("tests");
    let mut tests = command::cargo();
    if command::on_path("cargo-nextest").is_some() {
        tests.args(["nextest", "run", "--workspace"]).args(filters);
    } else {
        tests
            .args(["test", "--workspace", "--bins", "--lib", "--tests", "--no-fail-fast", "--"])
            .args(filters);
    }
    command::run(tests.current_dir(&dist.root).env("GATEWRIGHT_BIN", &binary))?;
    if filters.is_empty() {
        heading("examples in the documentation");
        let mut examples = command::cargo();
        command::run(examples.args(["test", "--workspace", "--doc", "--quiet"]).current_dir(&dist.root))?;
    }
    Ok(())
}

/// Runs the benches of the company's workspace and holds what they print against the manifest's budgets.
///
/// # Errors
/// A bench does not run, or a figure is over its budget or missing.
pub(crate) fn bench() -> Result<()> {
    let dist = Distribution::find()?;
    let mut benches = command::cargo();
    benches.args(["bench", "--workspace", "--benches", "--quiet"]).current_dir(&dist.root);
    let said = command::read(&mut benches).context("a bench failed")?;
    print(&said);
    budget::check(&dist.manifest.budgets, &said)
}
