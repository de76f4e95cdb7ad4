//! `cargo xtask test`: the one command that passes every test on a fresh machine.
//!
//! Installs the client libraries, builds the binaries that scenarios start, runs all tests and the examples in the
//! documentation, and says what it could not run. Uses nextest where it is installed and cargo's own runner elsewhere.
//! Tells the tests by environment variables where things are; see `tests/clients/README.md`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::client::Clients;
use crate::command;
use crate::console::{heading, say};
use crate::skip::{self, Skip};
use crate::source::{Function, Source};
use crate::workspace::{self, Workspace};

/// What to run.
#[derive(Debug, Default)]
pub(crate) struct Options {
    /// Leave the client libraries out.
    pub(crate) no_clients: bool,
    /// Run the long forms of property tests and scenarios.
    pub(crate) full: bool,
    /// Run only tests whose names contain one of these.
    pub(crate) filters: Vec<String>,
}

/// Runs the tests and returns what could not be run.
///
/// # Errors
/// A test fails, something does not compile, or something that must be tested cannot be.
pub(crate) fn run(root: &Path, options: &Options) -> Result<Vec<Skip>> {
    let (clients, mut skips) = if options.no_clients {
        (Clients::default(), vec![Skip::by_choice("client suites", "left out by --no-clients")])
    } else {
        Clients::install(root, options.full)?
    };
    let skip_file = fresh_skip_file(root)?;
    let with_variables = |mut command: Command| {
        command.current_dir(root).envs(clients.variables()).env(skip::FILE_VARIABLE, &skip_file);
        command.env("GATEWRIGHT_BIN", binary(root, "gatewright"));
        command.env("GATEWRIGHT_SIMULATOR", binary(root, "gatewright-simulator"));
        if options.full {
            command.env("GATEWRIGHT_FULL", "1").env("PROPTEST_CASES", "4096");
        }
        command
    };
    // Building tests and binaries in one go gives both the same features, and so one compilation of everything.
    heading("build binaries and tests");
    command::run(command::cargo().current_dir(root).args(["build", "--workspace", "--bins", "--tests"]))?;
    heading("tests");
    command::run(&mut with_variables(runner(&options.filters)))?;
    if options.filters.is_empty() {
        heading("examples in the documentation");
        command::run(&mut with_variables(doc_tests()))?;
    }
    skips.extend(skip::from_tests(&skip_file)?);
    skips.extend(ignored(&Workspace::load(root)?));
    skips.push(Skip::by_choice("linking on other systems", "this run links for the system that it runs on"));
    if !options.full {
        skips.push(Skip::by_choice("long forms of property tests and scenarios", "`--full` runs them"));
    }
    Ok(skips)
}

/// The tests that their own source switches off, with the reason that stands there.
fn ignored(workspace: &Workspace) -> Vec<Skip> {
    let sources = workspace.packages.iter().flat_map(|package| &package.sources);
    sources
        .flat_map(|source| source.functions().into_iter().filter_map(|test| ignored_test(source, &test)))
        .collect()
}

fn ignored_test(source: &Source, test: &Function) -> Option<Skip> {
    let above = source.lines.iter().take(test.line - 1).rev();
    let mut attributes = above.take_while(|line| !line.has_code() || line.code.trim_start().starts_with('#'));
    let ignore = attributes.find(|line| line.code.contains("#[ignore"))?;
    Some(Skip::by_choice(&test.name, &ignore.strings))
}

/// Where cargo puts a binary of the development profile.
pub(crate) fn binary(root: &Path, name: &str) -> PathBuf {
    workspace::target(root).join("debug").join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

fn runner(filters: &[String]) -> Command {
    let mut command = command::cargo();
    if command::on_path("cargo-nextest").is_some() {
        command.args(["nextest", "run", "--workspace"]);
        if command::in_ci() {
            command.args(["--profile", "ci"]);
        }
    } else {
        say(
            "nextest is not installed; cargo's own runner does it, with less isolation (`cargo install cargo-nextest`)",
        );
        command.args(["test", "--workspace", "--bins", "--lib", "--tests", "--no-fail-fast", "--"]);
    }
    command.args(filters);
    command
}

fn doc_tests() -> Command {
    let mut command = command::cargo();
    command.args(["test", "--workspace", "--doc", "--quiet"]);
    command
}

fn fresh_skip_file(root: &Path) -> Result<PathBuf> {
    let target = workspace::target(root);
    fs::create_dir_all(&target).with_context(|| format!("cannot make {}", target.display()))?;
    let file = target.join("test-skips.txt");
    fs::write(&file, "").with_context(|| format!("cannot write {}", file.display()))?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    #[test]
    fn names_the_tests_that_are_switched_off_with_their_reasons() {
        let text = "#[test]\n#[ignore = \"needs a printer\"]\nfn prints() {}\n#[test]\nfn reads() {}\n";
        let fixture = Fixture::new(&[
            ("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n"),
            ("a/Cargo.toml", "[package]\nname = \"a\"\n"),
            ("a/tests/it.rs", text),
        ]);
        assert_eq!(ignored(&fixture.workspace()), [Skip::by_choice("prints", "needs a printer")]);
    }
}
