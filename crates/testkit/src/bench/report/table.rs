//! The table of the report: medians, ratios to the floor, and the figures to reach.

use std::fmt::Write;

use super::ReportOptions;
use super::row::{Row, Sample};

/// The whole report.
#[derive(Debug)]
pub(super) struct Table {
    machine: String,
    method: String,
    /// What the load reaches alone.
    pub(super) checks: Vec<String>,
    pub(super) lines: Vec<Line>,
}

/// One line of the table.
#[derive(Debug)]
pub(super) struct Line {
    what: &'static str,
    floor: String,
    gateway: String,
    against_floor: String,
    at_most: &'static str,
    aim: &'static str,
}

/// How a line compares with the floor.
#[derive(Debug, Clone, Copy)]
enum Comparison {
    Ratio,
    Difference,
    Nothing,
}

/// What a line of the table is called, its unit, and the figures to reach.
struct Figure {
    what: &'static str,
    unit: &'static str,
    comparison: Comparison,
    at_most: &'static str,
    aim: &'static str,
}

/// The figures of a row, in the order of the values of its samples.
fn figures(row: Row) -> &'static [Figure] {
    use Comparison::{Difference, Nothing, Ratio};
    const fn figure(
        what: &'static str,
        unit: &'static str,
        comparison: Comparison,
        at_most: &'static str,
        aim: &'static str,
    ) -> Figure {
        Figure { what, unit, comparison, at_most, aim }
    }
    match row {
        Row::Exchange => {
            const { &[figure("CPU per exchange, 1,000-token prompt", "us", Ratio, "2.0 x", "1.6 x")] }
        }
        Row::ExchangeWithRecords => {
            const { &[figure("the same with access line and usage record", "us", Ratio, "2.8 x", "2.2 x")] }
        }
        Row::QuietLatency => {
            const {
                &[
                    figure("latency at 200 per second, p50", "us", Difference, "60 us", "40 us"),
                    figure("latency at 200 per second, p99", "us", Difference, "", ""),
                ]
            }
        }
        Row::SystemCalls => const { &[figure("system calls per exchange", "", Nothing, "7", "6")] },
        Row::SlowStreams => {
            const {
                &[
                    figure("CPU per event, 1,000 slow streams", "us", Ratio, "1.3 x", "1.15 x"),
                    figure("memory per open stream at 1,000", "KiB", Ratio, "1.25 x", "1.0 x"),
                ]
            }
        }
        Row::CoalescedStreams => {
            const { &[figure("CPU per event, four in one write", "us", Ratio, "1.6 x", "1.2 x")] }
        }
        Row::BigPrompt => {
            const { &[figure("CPU per exchange, 1 MiB prompt", "us", Ratio, "1.8 x", "1.4 x")] }
        }
        Row::Start => {
            const {
                &[
                    figure("cold start to first answer", "ms", Nothing, "40 ms", "15 ms"),
                    figure("idle memory", "MiB", Nothing, "20 MiB", "12 MiB"),
                    figure("release binary", "MB", Nothing, "25 MB", "15 MB"),
                ]
            }
        }
        Row::Saturation => {
            const {
                &[
                    figure("exchanges per second on one core, as many as go", "", Ratio, "", ""),
                    figure(
                        "share of its core in that run (below 100 the load is the limit)",
                        "%",
                        Nothing,
                        "",
                        "",
                    ),
                ]
            }
        }
    }
}

impl Line {
    /// The lines of a row from the samples of floor and gateway.
    pub(super) fn of(row: Row, samples: anyhow::Result<[Vec<Sample>; 2]>) -> Vec<Self> {
        let figures = figures(row).iter().enumerate();
        match samples {
            Ok([floor, gateway]) => figures
                .map(|(at, figure)| Self::measured(figure, &column(&floor, at), &column(&gateway, at)))
                .collect(),
            Err(error) => figures.take(1).map(|(_, figure)| Self::failed(figure, &error)).collect(),
        }
    }

    fn measured(figure: &Figure, floor: &[f64], gateway: &[f64]) -> Self {
        let against_floor = match (figure.comparison, median(floor), median(gateway)) {
            (Comparison::Ratio, Some(floor), Some(gateway)) if floor > 0.0 => {
                format!("{:.2} x", gateway / floor)
            }
            (Comparison::Difference, Some(floor), Some(gateway)) => {
                format!("{:+.0} {}", gateway - floor, figure.unit)
            }
            _ => String::new(),
        };
        Self {
            what: figure.what,
            floor: spread(floor, figure.unit),
            gateway: spread(gateway, figure.unit),
            against_floor,
            at_most: figure.at_most,
            aim: figure.aim,
        }
    }

    fn failed(figure: &Figure, error: &anyhow::Error) -> Self {
        let gateway = format!("{error:#}").replace('\n', " ").replace('|', "/");
        let Figure { what, at_most, aim, .. } = figure;
        Self { what, floor: String::new(), gateway, against_floor: String::new(), at_most, aim }
    }
}

impl Table {
    pub(super) fn new(machine: String, options: &ReportOptions, pinned: bool) -> Self {
        let cores =
            if pinned { "subject on one core, load and provider on another" } else { "NOT PINNED to cores" };
        let subject = if options.gateway.is_some() { "" } else { "; the floor stands in for the gateway" };
        let method = format!(
            "{cores}; median of {} runs of {:.1} s (lowest to highest){subject}",
            options.repeats,
            options.window.as_secs_f64()
        );
        Self { machine, method, checks: Vec::new(), lines: Vec::new() }
    }

    pub(super) fn to_markdown(&self) -> String {
        let mut text = format!("{}\n{}\n\n", self.machine, self.method);
        text.push_str("| what | floor | gateway | against the floor | at most | aim |\n");
        text.push_str("| --- | --- | --- | --- | --- | --- |\n");
        for line in &self.lines {
            let Line { what, floor, gateway, against_floor, at_most, aim } = line;
            // Writing to a text does not fail.
            writeln!(text, "| {what} | {floor} | {gateway} | {against_floor} | {at_most} | {aim} |").ok();
        }
        text.push_str("\nThe load and the simulated provider alone:\n\n");
        for check in &self.checks {
            writeln!(text, "- {check}").ok();
        }
        text
    }
}

fn column(samples: &[Sample], at: usize) -> Vec<f64> {
    let mut column: Vec<f64> = samples.iter().filter_map(|sample| sample.get(at).copied()).collect();
    column.sort_by(f64::total_cmp);
    column
}

/// Of sorted values.
fn median(sorted: &[f64]) -> Option<f64> {
    sorted.get(sorted.len() / 2).copied()
}

/// Median, lowest and highest of sorted values.
pub(in crate::bench) fn spread(sorted: &[f64], unit: &str) -> String {
    let (Some(lowest), Some(middle), Some(highest)) = (sorted.first(), median(sorted), sorted.last()) else {
        return String::new();
    };
    let digits = if middle < 100.0 { 1 } else { 0 };
    let unit = if unit.is_empty() { String::new() } else { format!(" {unit}") };
    if sorted.len() == 1 {
        return format!("{middle:.digits$}{unit}");
    }
    format!("{middle:.digits$}{unit} ({lowest:.digits$} to {highest:.digits$})")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn compares_medians() {
        let samples = [vec![vec![30.0], vec![10.0], vec![20.0]], vec![vec![50.0], vec![30.0], vec![1.0]]];
        let [line] = Line::of(Row::Exchange, Ok(samples)).try_into().unwrap();
        assert_eq!(line.floor, "20.0 us (10.0 to 30.0)");
        assert_eq!(line.against_floor, "1.50 x");
    }

    #[test]
    fn a_row_that_fails_says_why_in_its_line() {
        let [line] = Line::of(Row::Start, Err(anyhow::anyhow!("no |\n gateway"))).try_into().unwrap();
        assert_eq!(line.gateway, "no /  gateway");
    }
}
