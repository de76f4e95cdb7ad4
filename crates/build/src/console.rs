//! What the commands print.
//!
//! One place writes to the terminal, so that a closed pipe never turns a chore into a panic.

use std::fmt::Display;
use std::io::{self, Write};
use std::time::Duration;

/// Prints one line to standard output.
pub(crate) fn say(line: impl Display) {
    writeln!(io::stdout().lock(), "{line}").ok();
}

/// Prints a heading that stands out between the outputs of child processes.
pub(crate) fn heading(title: impl Display) {
    writeln!(io::stdout().lock(), "\n==> {title}").ok();
}

/// Prints text as it is, without a line end of its own.
pub(crate) fn print(text: &str) {
    let mut out = io::stdout().lock();
    out.write_all(text.as_bytes()).and_then(|()| out.flush()).ok();
}

/// A duration for people: `0.4 s`, `12.0 s`, `3 min 07 s`.
pub(crate) fn human(duration: Duration) -> String {
    let seconds = duration.as_secs();
    if seconds < 60 {
        format!("{:.1} s", duration.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}

/// A plain table with aligned columns; the first row is the head.
pub(crate) fn table(rows: &[Vec<String>]) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            rows.iter().filter_map(|row| row.get(column)).map(|cell| cell.chars().count()).max().unwrap_or(0)
        })
        .collect();
    let mut text = String::new();
    for row in rows {
        let cells: Vec<String> =
            row.iter().zip(&widths).map(|(cell, width)| format!("{cell:<width$}")).collect();
        text.push_str(cells.join("  ").trim_end());
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_durations_for_people() {
        let cases = [(400, "0.4 s"), (59_900, "59.9 s"), (60_000, "1 min 00 s"), (187_000, "3 min 07 s")];
        for (millis, expected) in cases {
            assert_eq!(human(Duration::from_millis(millis)), expected);
        }
    }

    #[test]
    fn aligns_columns_without_trailing_blanks() {
        let rows =
            vec![vec!["stage".to_owned(), "time".to_owned()], vec!["fmt".to_owned(), "1 s".to_owned()]];
        assert_eq!(table(&rows), "stage  time\nfmt    1 s\n");
    }
}
