//! The tables of the report: medians, ratios to the yardstick, and the figures to reach.

use std::fmt::Write;

use super::ReportOptions;
use super::bed::Subject;
use super::row::{Row, Sample};

/// The head of the table whose yardstick is the gateway itself.
const TRANSLATED: &str = "
`openai_chat` asked of a provider of `anthropic_messages`, against a provider of the callers' own dialect:

| what | same dialect | translated | against it | at most |
| --- | --- | --- | --- | --- |
";

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
    /// What it is compared with.
    yardstick: Option<Subject>,
    before: String,
    after: String,
    against: String,
    at_most: &'static str,
    aim: &'static str,
}

/// How a line compares with its yardstick.
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

const fn figure(
    what: &'static str,
    unit: &'static str,
    comparison: Comparison,
    at_most: &'static str,
    aim: &'static str,
) -> Figure {
    Figure { what, unit, comparison, at_most, aim }
}

/// The figures of slow streams that are translated.
const TRANSLATED_STREAMS: &[Figure] = &[
    figure("CPU per event, 1,000 slow streams", "us", Comparison::Ratio, "2.5 x", ""),
    figure("memory per open stream at 1,000", "KiB", Comparison::Difference, "24 KiB", ""),
];

/// The figures of a row, in the order of the values of its samples.
fn figures(row: Row) -> &'static [Figure] {
    use Comparison::{Difference, Nothing, Ratio};
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
        Row::TranslatedExchange => {
            const { &[figure("CPU per exchange, 1,000-token prompt", "us", Ratio, "1.6 x", "")] }
        }
        Row::TranslatedSlowStreams => TRANSLATED_STREAMS,
        Row::TranslatedCoalescedStreams => {
            const { &[figure("CPU per event, four in one write", "us", Ratio, "2.5 x", "")] }
        }
        Row::TranslatedBigPrompt => {
            const { &[figure("CPU per exchange, 1 MiB prompt", "us", Ratio, "", "")] }
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
    /// The lines of a row from the samples of its yardstick and of the gateway.
    pub(super) fn of(row: Row, samples: anyhow::Result<[Vec<Sample>; 2]>) -> Vec<Self> {
        let figures = figures(row).iter().enumerate();
        let lines: Vec<_> = match samples {
            Ok([before, after]) => figures
                .map(|(at, figure)| Self::measured(figure, &column(&before, at), &column(&after, at)))
                .collect(),
            Err(error) => figures.take(1).map(|(_, figure)| Self::failed(figure, &error)).collect(),
        };
        lines.into_iter().map(|line| Self { yardstick: row.yardstick(), ..line }).collect()
    }

    fn measured(figure: &Figure, before: &[f64], after: &[f64]) -> Self {
        let against = match (figure.comparison, median(before), median(after)) {
            (Comparison::Ratio, Some(before), Some(after)) if before > 0.0 => {
                format!("{:.2} x", after / before)
            }
            (Comparison::Difference, Some(before), Some(after)) => {
                format!("{:+.0} {}", after - before, figure.unit)
            }
            _ => String::new(),
        };
        let (before, after) = (spread(before, figure.unit), spread(after, figure.unit));
        Self { before, after, against, ..Self::empty(figure) }
    }

    fn failed(figure: &Figure, error: &anyhow::Error) -> Self {
        Self { after: format!("{error:#}").replace('\n', " ").replace('|', "/"), ..Self::empty(figure) }
    }

    fn empty(figure: &Figure) -> Self {
        let Figure { what, at_most, aim, .. } = *figure;
        let (before, after, against) = Default::default();
        Self { what, yardstick: None, before, after, against, at_most, aim }
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
        let (translated, floored): (Vec<_>, Vec<_>) =
            self.lines.iter().partition(|line| line.yardstick == Some(Subject::Gateway));
        for Line { what, before, after, against, at_most, aim, .. } in floored {
            // Writing to a text does not fail.
            writeln!(text, "| {what} | {before} | {after} | {against} | {at_most} | {aim} |").ok();
        }
        if !translated.is_empty() {
            text.push_str(TRANSLATED);
        }
        for Line { what, before, after, against, at_most, .. } in translated {
            writeln!(text, "| {what} | {before} | {after} | {against} | {at_most} |").ok();
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
        assert_eq!(line.before, "20.0 us (10.0 to 30.0)");
        assert_eq!(line.against, "1.50 x");
    }

    #[test]
    fn a_row_that_fails_says_why_in_its_line() {
        let [line] = Line::of(Row::Start, Err(anyhow::anyhow!("no |\n gateway"))).try_into().unwrap();
        assert_eq!(line.after, "no /  gateway");
    }
}
