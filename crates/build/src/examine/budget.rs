//! Figures that benches print, held against the budgets of the manifest.
//!
//! A bench prints one line for each extension: `bench acme-example event_ns=310 event_allocs=0 hold_bytes=24`.

use std::collections::BTreeMap;

use anyhow::{Result, bail};

use crate::console::say;
use crate::distribution::manifest::{Budget, FILE};

/// How a line with figures begins.
const MARK: &str = "bench ";

/// Compares.
///
/// # Errors
/// Each figure that is over its budget, and each budget without a figure.
pub(super) fn check(budgets: &[Budget], said: &str) -> Result<()> {
    let figures = figures(said);
    let mut broken = Vec::new();
    for budget in budgets {
        for (measure, bound) in &budget.bounds {
            let place = format!("{FILE}:{}, bench.budget.{}.{measure}", budget.line, budget.extension);
            match figures.get(&(budget.extension.as_str(), measure.as_str())) {
                None => broken.push(format!("{place}: no bench prints this figure")),
                Some(figure) if figure > bound => {
                    broken.push(format!("{place}: {figure} measured, {bound} allowed"));
                }
                Some(figure) => say(format_args!("{} {measure}: {figure} of {bound}", budget.extension)),
            }
        }
    }
    if broken.is_empty() { Ok(()) } else { bail!("{}", broken.join("\n")) }
}

/// The figures by extension and measure; of several runs the last.
fn figures(said: &str) -> BTreeMap<(&str, &str), u64> {
    let mut figures = BTreeMap::new();
    for line in said.lines().filter_map(|line| line.strip_prefix(MARK)) {
        let mut words = line.split_whitespace();
        let Some(extension) = words.next() else { continue };
        for (measure, figure) in words.filter_map(|word| word.split_once('=')) {
            if let Ok(figure) = figure.parse() {
                figures.insert((extension, measure), figure);
            }
        }
    }
    figures
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "running\nbench acme-example event_ns=310 event_allocs=1\nbench other event_ns=9\n";

    fn said_of(bounds: &[(&str, u64)]) -> String {
        let bounds = bounds.iter().map(|(measure, bound)| ((*measure).to_owned(), *bound)).collect();
        let budget = Budget { extension: "acme-example".to_owned(), line: 7, bounds };
        check(&[budget], SAID).map_or_else(|cause| cause.to_string(), |()| String::new())
    }

    #[test]
    fn a_figure_within_its_budget_passes() {
        assert_eq!(said_of(&[("event_ns", 310), ("event_allocs", 1)]), "");
    }

    #[test]
    fn figures_over_budget_and_missing_ones_fail_with_their_line() {
        let expected = "gatewright.toml:7, bench.budget.acme-example.event_ns: 310 measured, 309 allowed\n\
                        gatewright.toml:7, bench.budget.acme-example.hold_bytes: no bench prints this figure";
        assert_eq!(said_of(&[("event_ns", 309), ("event_allocs", 1), ("hold_bytes", 5)]), expected);
    }
}
