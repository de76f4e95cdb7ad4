//! `cargo xtask ci`: what every change has to pass, fastest first, with the time of each stage.
//!
//! It stops at the first stage that fails. The daily tier stays under 25 minutes on two cores from nothing; `--full`
//! adds what is too long for every change and says so by name when it is left out.

use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::command::{self, cargo};
use crate::console::{heading, human, print, say, table};
use crate::skip::{self, Skip};
use crate::workspace::Workspace;
use crate::{supply, test, tidy};

/// The libraries that must compile alone at every change: those that others build on.
const ALONE: [&str; 3] = ["gatewright-core", "gatewright-wire", "gatewright-policy"];

/// The version of cargo-deny that is installed; without optimisation it compiles in about a minute on two cores.
const CARGO_DENY: &str = "0.20.2";

struct Run<'a> {
    root: &'a Path,
    full: bool,
}

type Stage = fn(&Run<'_>) -> Result<Vec<Skip>>;

const STAGES: &[(&str, Stage)] = &[
    ("format", format),
    ("tidy", tidy_stage),
    ("supply", supply_stage),
    ("clippy", clippy),
    ("doc", doc),
    ("test", test_stage),
    ("each alone", alone),
    ("cargo-deny", cargo_deny),
    ("fuzz targets", fuzz_targets),
];

/// Runs all stages.
///
/// # Errors
/// A stage fails; the table says which.
pub(crate) fn run(root: &Path, full: bool) -> Result<()> {
    let run = Run { root, full };
    let mut times: Vec<(&str, Option<Duration>)> = Vec::new();
    let mut skips = Vec::new();
    let mut failure = None;
    for (name, stage) in STAGES {
        if failure.is_some() {
            times.push((name, None));
            continue;
        }
        heading(name);
        let start = Instant::now();
        match stage(&run) {
            Ok(more) => skips.extend(more),
            Err(cause) => {
                say(format_args!("{name} failed: {cause:#}"));
                failure = Some(*name);
            }
        }
        let taken = start.elapsed();
        say(format_args!("{name}: {}", human(taken)));
        times.push((name, Some(taken)));
    }
    heading("summary");
    print(&summary(&times, &skips, failure));
    skip::close(&skips);
    match failure {
        Some(stage) => bail!("{stage} failed"),
        None => Ok(()),
    }
}

fn summary(times: &[(&str, Option<Duration>)], skips: &[Skip], failure: Option<&str>) -> String {
    let mut rows = vec![vec!["stage".to_owned(), "result".to_owned(), "time".to_owned()]];
    for (name, taken) in times {
        let result = match taken {
            _ if failure == Some(*name) => "failed",
            None => "not run",
            Some(_) if skips.iter().any(|skip| skip.name == *name) => "skipped",
            Some(_) => "passed",
        };
        rows.push(vec![(*name).to_owned(), result.to_owned(), taken.map_or_else(String::new, human)]);
    }
    let total: Duration = times.iter().filter_map(|(_, taken)| *taken).sum();
    rows.push(vec!["total".to_owned(), String::new(), human(total)]);
    table(&rows)
}

fn in_workspace(run: &Run<'_>, arguments: &[&str]) -> Command {
    let mut command = cargo();
    command.current_dir(run.root).args(arguments);
    command
}

fn format(run: &Run<'_>) -> Result<Vec<Skip>> {
    command::run(&mut in_workspace(run, &["fmt", "--all", "--check"])).map(|()| Vec::new())
}

fn tidy_stage(run: &Run<'_>) -> Result<Vec<Skip>> {
    tidy::run(&Workspace::load(run.root)?).map(|()| Vec::new())
}

fn supply_stage(run: &Run<'_>) -> Result<Vec<Skip>> {
    supply::run(run.root).map(|()| Vec::new())
}

fn clippy(run: &Run<'_>) -> Result<Vec<Skip>> {
    let arguments = ["clippy", "--workspace", "--all-targets", "--locked", "--", "--deny", "warnings"];
    command::run(&mut in_workspace(run, &arguments)).map(|()| Vec::new())
}

/// Only libraries: a binary has no readers of its pages, and one shares its name with a library.
fn doc(run: &Run<'_>) -> Result<Vec<Skip>> {
    let mut command = in_workspace(run, &["doc", "--workspace", "--lib", "--no-deps", "--locked"]);
    command::run(command.env("RUSTDOCFLAGS", "--deny warnings")).map(|()| Vec::new())
}

fn test_stage(run: &Run<'_>) -> Result<Vec<Skip>> {
    test::run(run.root, &test::Options { full: run.full, ..test::Options::default() })
}

fn alone(run: &Run<'_>) -> Result<Vec<Skip>> {
    let workspace = Workspace::load(run.root)?;
    let all = workspace.packages.iter().map(|package| package.name.as_str());
    let packages: Vec<&str> = if run.full { all.collect() } else { ALONE.to_vec() };
    for package in packages {
        command::run(&mut in_workspace(run, &["check", "--quiet", "--locked", "--package", package]))?;
    }
    if run.full {
        return Ok(Vec::new());
    }
    Ok(vec![Skip::by_choice(
        "packages above the base, each alone",
        "`ci --full` compiles every package alone",
    )])
}

/// Looks at the resolved graph where `supply` looks at the lists; kept below the target folder between runs.
fn cargo_deny(run: &Run<'_>) -> Result<Vec<Skip>> {
    let tools = crate::workspace::target(run.root).join("tools");
    let tool = tools.join("bin").join("cargo-deny");
    if !tool.exists() {
        let arguments =
            ["install", "--debug", "--locked", "--quiet", "--version", CARGO_DENY, "cargo-deny", "--root"];
        command::run(in_workspace(run, &arguments).arg(&tools).env("CARGO_PROFILE_DEV_DEBUG", "0"))?;
    }
    let mut command = Command::new(tool);
    command.current_dir(run.root).args(["check", "bans", "licenses", "sources"]);
    command::run(&mut command).map(|()| Vec::new())
}

/// The fuzz targets are a workspace of their own, so nothing above compiles them.
fn fuzz_targets(run: &Run<'_>) -> Result<Vec<Skip>> {
    let manifest = "tests/fuzz/Cargo.toml";
    if !run.full {
        let reason = "`ci --full` compiles them; the same properties ran as tests over generated input";
        return Ok(vec![Skip::by_choice("fuzz targets", reason)]);
    }
    command::run(&mut in_workspace(run, &["check", "--quiet", "--manifest-path", manifest]))
        .map(|()| Vec::new())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_closing_table_tells_passed_from_failed_skipped_and_not_run() {
        let second = Some(Duration::from_secs(1));
        let times = [("format", second), ("cargo-deny", second), ("clippy", second), ("doc", None)];
        let skips = [Skip::by_choice("cargo-deny", "later")];
        let text = summary(&times, &skips, Some("clippy"));
        let expected = "\
stage       result   time
format      passed   1.0 s
cargo-deny  skipped  1.0 s
clippy      failed   1.0 s
doc         not run
total                3.0 s
";
        assert_eq!(text, expected);
    }
}
