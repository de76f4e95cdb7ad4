//! Runs every row of the figures for its yardstick and for the gateway, and writes the tables.
//!
//! The yardstick is the floor; where the gateway translates, it is the gateway that does not.
//! Each sample starts its process anew, the two by turns, so that what drifts on the machine hits both.
//! The process under measurement has core 0 to itself; the load and the simulated provider share core 1.

mod bed;
mod row;
pub(super) mod table;

use std::fs;
use std::io::Write;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;

use self::bed::Bed;
use self::row::{Row, Sample};
use self::table::{Line, Table};
use super::measure;

/// What to measure, how long, and where to write it.
#[derive(Debug, Clone)]
pub struct ReportOptions {
    /// The gateway's release binary; without one the floor stands in for it, to try the bench itself.
    pub gateway: Option<PathBuf>,
    /// The gateway's configuration with placeholders; none is the built-in one.
    pub template: Option<PathBuf>,
    /// Where the Markdown goes, beside standard output.
    pub output: Option<PathBuf>,
    /// Samples of each row for each of the two.
    pub repeats: u32,
    /// How long one sample takes.
    pub window: Duration,
    /// The rows to run, by their short names; none is all.
    pub only: Vec<String>,
}

/// Runs the report and returns its Markdown.
///
/// # Errors
/// The simulated provider or the floor does not start. Rows that fail say so in the table.
///
/// # Cancellation
/// All processes end.
pub async fn run(options: &ReportOptions) -> anyhow::Result<String> {
    // The machine is looked at before this process ties itself to one of its cores.
    let machine = measure::machine();
    let bed = Bed::new(options)?;
    let mut table = Table::new(machine, options, bed.is_pinned());
    table.checks = row::validity(&bed).await.context("the load cannot reach the simulated provider")?;
    for row in
        Row::ALL.iter().filter(|row| options.only.is_empty() || options.only.contains(&row.name().to_owned()))
    {
        progress(row.name());
        let samples = sample(&bed, *row, options.repeats).await;
        table.lines.extend(Line::of(*row, samples));
    }
    let markdown = table.to_markdown();
    if let Some(path) = &options.output {
        fs::write(path, &markdown).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(markdown)
}

/// All samples of one row, the two subjects by turns.
async fn sample(bed: &Bed, row: Row, repeats: u32) -> anyhow::Result<[Vec<Sample>; 2]> {
    let (mut yardstick, mut subject) = (Vec::new(), Vec::new());
    for _ in 0..repeats {
        if let Some(other) = row.yardstick() {
            yardstick.push(row.measure(bed, other).await.with_context(|| format!("{other:?}"))?);
        }
        let measured = row.subject();
        subject.push(row.measure(bed, measured).await.with_context(|| format!("{measured:?}"))?);
    }
    Ok([yardstick, subject])
}

/// Tells who waits at a terminal what is being measured; the table alone goes to standard output.
fn progress(row: &str) {
    // Nobody may be there to read it.
    writeln!(std::io::stderr(), "measuring {row}").ok();
}
