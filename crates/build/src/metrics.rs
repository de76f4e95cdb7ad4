//! `cargo xtask metrics`: the size and the habits of the code, beside the values that we aim at.
//!
//! Figures to talk about, not gates: the limits that may not be passed are in `tidy`.

use std::fmt::Write;

use crate::console::{print, table};
use crate::source::{Source, has_word};
use crate::workspace::Workspace;

/// Prints the figures of the workspace.
pub(crate) fn run(workspace: &Workspace) {
    print(&render(&figures(workspace)));
}

struct Figure {
    name: &'static str,
    value: f64,
    goal: f64,
}

fn figures(workspace: &Workspace) -> Vec<Figure> {
    let sources: Vec<&Source> = workspace.packages.iter().flat_map(|package| &package.sources).collect();
    let lengths: Vec<usize> =
        sources.iter().map(|source| source.product().count()).filter(|lines| *lines > 0).collect();
    let functions: Vec<usize> = sources
        .iter()
        .flat_map(|source| source.functions())
        .filter(|function| !function.test)
        .map(|function| function.length)
        .collect();
    let total: usize = lengths.iter().sum();
    let largest = workspace
        .packages
        .iter()
        .map(|package| package.sources.iter().map(|source| source.product().count()).sum::<usize>())
        .max()
        .unwrap_or(0);
    let per_thousand = |word: &str| ratio(count(&sources, word), total) * 1_000.0;
    vec![
        Figure { name: "lines of a file, median", value: real(percentile(lengths.clone(), 50)), goal: 150.0 },
        Figure {
            name: "lines of a file, 90th percentile",
            value: real(percentile(lengths, 90)),
            goal: 400.0,
        },
        Figure {
            name: "lines of a function, 95th percentile",
            value: real(percentile(functions, 95)),
            goal: 40.0,
        },
        Figure {
            name: "share of the largest package, percent",
            value: ratio(largest, total) * 100.0,
            goal: 25.0,
        },
        Figure { name: "`unwrap` per 1,000 lines", value: per_thousand("unwrap"), goal: 0.0 },
        Figure { name: "`expect` per 1,000 lines", value: per_thousand("expect"), goal: 2.0 },
        Figure { name: "`clone` per 1,000 lines", value: per_thousand("clone"), goal: 12.0 },
    ]
}

/// Lines outside tests that call a method of this name.
fn count(sources: &[&Source], method: &str) -> usize {
    let call = format!(".{method}(");
    let calls = |source: &&Source| {
        source.product().filter(|(_, line)| line.code.contains(&call) && has_word(&line.code, method)).count()
    };
    sources.iter().map(calls).sum()
}

fn percentile(mut values: Vec<usize>, percent: usize) -> usize {
    values.sort_unstable();
    let index = (values.len() * percent).div_ceil(100).saturating_sub(1);
    values.get(index).copied().unwrap_or(0)
}

fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { real(part) / real(whole) }
}

/// Counts of lines are far below the 2^53 at which the conversion would begin to lose.
fn real(count: usize) -> f64 {
    count as f64
}

fn render(figures: &[Figure]) -> String {
    let mut rows = vec![["figure", "value", "goal", ""].map(str::to_owned).to_vec()];
    for Figure { name, value, goal } in figures {
        let mut shown = String::new();
        write!(shown, "{value:.1}").ok();
        let verdict = if value > goal { "over" } else { "" };
        rows.push(vec![(*name).to_owned(), shown, format!("{goal:.0}"), verdict.to_owned()]);
    }
    table(&rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture::Fixture;

    #[test]
    fn counts_what_ships_and_not_what_tests() {
        let fixture = Fixture::new(&[
            ("Cargo.toml", "[workspace]\nmembers = [\"a\"]\n"),
            ("a/Cargo.toml", "[package]\nname = \"a\"\n"),
            (
                "a/src/lib.rs",
                "//! A.\nfn f() {\n    g().unwrap();\n}\n#[cfg(test)]\nmod tests { fn t() { h().unwrap() } }\n",
            ),
        ]);
        let figures = figures(&fixture.workspace());
        let value = |name: &str| figures.iter().find(|figure| figure.name.contains(name)).unwrap().value;
        assert!((value("median") - 4.0).abs() < f64::EPSILON);
        assert!((value("`unwrap`") - 250.0).abs() < f64::EPSILON);
        assert!(render(&figures).contains("`unwrap` per 1,000 lines"));
    }

    #[test]
    fn a_percentile_is_a_value_that_occurs() {
        assert_eq!(percentile(vec![5, 1, 3, 2, 4], 50), 3);
        assert_eq!(percentile(vec![7], 90), 7);
        assert_eq!(percentile(Vec::new(), 90), 0);
    }
}
