//! `cargo xtask bench`: measures the gateway against the floor of the same run and writes the table into the docs.
//!
//! The measuring itself belongs to the test kit's `gatewright-bench`; this builds what it needs in the release profile
//! and puts what it prints between the markers of `docs/benchmarks.md`. How fast requests are translated is measured by
//! an example of the wire crate, what masking costs by the extension's own bench, and what a chain adds around an
//! extension by a program that counts its allocations.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::command;
use crate::console::{heading, print, say};
use crate::{marked, workspace};

const PAGE: &str = "docs/benchmarks.md";
const MARK: &str = "bench";
/// The row that an extension's bench measures.
const TEXT: &str = "text";
/// The row of extensions that do nothing.
const EXTENSIONS: &str = "extensions";
/// The row of requests that go from one dialect into another.
const TRANSLATION: &str = "translation";
/// Rows that another program than the report measures.
const APART: [&str; 3] = [TRANSLATION, TEXT, EXTENSIONS];

/// How much to measure.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// Measure for moments instead of minutes, and write nothing
    #[arg(long)]
    quick: bool,
    /// Measure only these rows, and write nothing: `translation`, `text`, `extensions`, and those that
    /// `gatewright-bench report --help` lists
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

/// Builds, measures, writes.
///
/// # Errors
/// Something does not build, the measurement fails, or the page has no place for the table.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    let is_all = options.only.is_empty();
    let is_wanted = |row: &str| is_all || options.only.iter().any(|only| only == row);
    let rows: Vec<&String> = options.only.iter().filter(|row| !APART.contains(&row.as_str())).collect();
    let mut table = String::new();
    if is_all || !rows.is_empty() {
        table.push_str(&against_the_floor(root, options.quick, &rows)?);
    }
    if is_wanted(TRANSLATION) {
        table.push_str(&translation(root, options.quick)?);
    }
    if is_wanted(TEXT) {
        table.push_str(&text_filters(root, options.quick)?);
    }
    if is_wanted(EXTENSIONS) {
        table.push_str(&extensions(root, options.quick)?);
    }
    print(&table);
    if options.quick || !options.only.is_empty() {
        say(format_args!("not a whole run: {PAGE} keeps the figures of the last one that was"));
        return Ok(());
    }
    let page = fs::read_to_string(root.join(PAGE)).with_context(|| format!("cannot read {PAGE}"))?;
    let page = marked::replace(&page, MARK, &table).with_context(|| format!("in {PAGE}"))?;
    fs::write(root.join(PAGE), page).with_context(|| format!("cannot write {PAGE}"))?;
    say(format_args!("wrote the table into {PAGE}"));
    Ok(())
}

/// The gateway's rows beside those of the floor.
fn against_the_floor(root: &Path, quick: bool, only: &[&String]) -> Result<String> {
    heading("build");
    let build =
        ["build", "--release", "--package", "gatewright", "--package", "gatewright-testkit", "--bins"];
    command::run(command::cargo().current_dir(root).args(build))?;
    heading("measure");
    let binaries = workspace::target(root).join("release");
    let mut report = Command::new(binaries.join("gatewright-bench"));
    report.current_dir(root).arg("report").arg("--gateway").arg(binaries.join("gatewright"));
    if quick {
        report.args(["--repeats", "1", "--seconds", "1"]);
    }
    for row in only {
        report.arg("--only").arg(row);
    }
    measured(&mut report)
}

/// How fast a long prompt goes from one dialect into another.
fn translation(root: &Path, quick: bool) -> Result<String> {
    heading("measure translation");
    let program = ["--package", "gatewright-wire", "--example", "translation_speed"];
    let mut bench = command::cargo();
    bench.current_dir(root).args(["run", "--quiet", "--release"]).args(program);
    if quick {
        bench.args(["--", "--quick"]);
    }
    Ok(format!(
        "\nA prompt of 1 MiB, read in one dialect and written in another, by CPU time of one thread (to reach: 300 MB/s):\n\n{}",
        measured(&mut bench)?
    ))
}

/// What masking costs per byte of text and per piece of a stream.
fn text_filters(root: &Path, quick: bool) -> Result<String> {
    heading("measure text filters");
    let mut bench = command::cargo();
    bench.current_dir(root).args(["bench", "--quiet", "--package", "gatewright-ext-mask", "--bench", TEXT]);
    if quick {
        bench.args(["--", "--quick"]);
    }
    Ok(format!(
        "\nMasking by the ten ready-made patterns, by CPU time of one thread:\n\n{}",
        measured(&mut bench)?
    ))
}

/// What one more extension in a chain costs that does nothing.
fn extensions(root: &Path, quick: bool) -> Result<String> {
    const PROGRAM: &str = "gatewright-bench-extensions";
    heading("measure extensions");
    let build = ["build", "--release", "--package", "gatewright-testkit", "--bin", PROGRAM];
    command::run(command::cargo().current_dir(root).args(build))?;
    let mut bench = Command::new(workspace::target(root).join("release").join(PROGRAM));
    if quick {
        bench.args(["--repeats", "1", "--seconds", "0.2"]);
    }
    Ok(format!(
        "\nOne more extension that does nothing, by CPU time of the worker and allocations of the process:\n\n{}",
        measured(&mut bench)?
    ))
}

/// Runs the measurement; its progress goes to the terminal, its table comes back.
fn measured(report: &mut Command) -> Result<String> {
    let shown = command::shown(report);
    let output = report
        .stdin(Stdio::null())
        .stderr(Stdio::inherit())
        .output()
        .with_context(|| format!("cannot start `{shown}`"))?;
    if !output.status.success() {
        bail!("`{shown}` failed: {}", output.status);
    }
    let table = String::from_utf8(output.stdout).with_context(|| format!("`{shown}` printed no UTF-8"))?;
    if !table.lines().any(|line| line.starts_with('|')) {
        bail!("`{shown}` printed no table");
    }
    Ok(table)
}
