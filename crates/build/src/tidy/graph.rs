//! The picture of the layers for ARCHITECTURE.md, drawn from the layer table.
//!
//! The page holds it between two markers; `cargo xtask graph --write` refreshes it and tidy says when it is stale.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;

use anyhow::{Context, Result};

use super::layer::{EXCLUSIVE, Layer, Row, TABLE, names};
use crate::console::{print, say};
use crate::marked;
use crate::workspace::Workspace;

/// The page that shows the picture.
pub(super) const PAGE: &str = "ARCHITECTURE.md";
/// The name of the markers in the page.
pub(super) const MARK: &str = "layers";

/// The table and the picture, as Markdown.
pub(crate) fn markdown() -> String {
    let mut text = String::from("| package | may use |\n| --- | --- |\n");
    for row in TABLE {
        line(&mut text, format_args!("| {} | {} |", row.layer.name(), dashed(row.may_use)));
    }
    text.push_str("\n| what | crates | only in |\n| --- | --- | --- |\n");
    for row in EXCLUSIVE {
        let crates: Vec<String> = row.crates.iter().map(|name| format!("`{name}`")).collect();
        let features = if row.features.is_empty() { "" } else { " (client features)" };
        line(
            &mut text,
            format_args!("| {} | {}{features} | {} |", row.what, crates.join(", "), dashed(row.only)),
        );
    }
    text.push_str("\n```mermaid\ngraph TD\n");
    for row in TABLE {
        for used in direct(row) {
            line(&mut text, format_args!("    {} --> {}", node(row.layer), node(used)));
        }
    }
    text.push_str("```\n");
    text
}

/// Prints the picture, or writes it into its page.
///
/// # Errors
/// The page cannot be read or written, or lacks the markers.
pub(crate) fn run(workspace: &Workspace, write: bool) -> Result<()> {
    if !write {
        print(&markdown());
        return Ok(());
    }
    let text = workspace.read(PAGE)?;
    let text = marked::replace(&text, MARK, &markdown()).with_context(|| format!("in {PAGE}"))?;
    fs::write(workspace.root.join(PAGE), text).with_context(|| format!("cannot write {PAGE}"))?;
    say(format_args!("wrote the layers into {PAGE}"));
    Ok(())
}

fn line(text: &mut String, line: std::fmt::Arguments<'_>) {
    writeln!(text, "{line}").ok();
}

fn dashed(layers: &[Layer]) -> String {
    if layers.is_empty() { "-".to_owned() } else { names(layers) }
}

fn node(layer: Layer) -> String {
    let id: String = layer.name().chars().filter(|c| c.is_ascii_alphabetic()).collect();
    if id == layer.name() { id } else { format!("{id}[\"{}\"]", layer.name()) }
}

/// The used layers that are not reached through another used layer: fewer arrows, the same walls.
fn direct(row: &Row) -> Vec<Layer> {
    let through: BTreeSet<&str> =
        row.may_use.iter().flat_map(|used| reachable(*used)).map(|layer| layer.name()).collect();
    row.may_use.iter().copied().filter(|layer| !through.contains(layer.name())).collect()
}

fn reachable(layer: Layer) -> Vec<Layer> {
    let below = TABLE.iter().find(|row| row.layer == layer).map_or(&[][..], |row| row.may_use);
    below.iter().flat_map(|used| std::iter::once(*used).chain(reachable(*used))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn draws_each_wall_once_and_leaves_out_what_follows() {
        let text = markdown();
        assert!(text.contains("    server --> pipeline\n"), "{text}");
        assert!(!text.contains("    server --> core\n"), "reached through the pipeline:\n{text}");
        assert!(text.contains("| server | core, wire, pipeline |"), "{text}");
        assert!(text.contains("| databases | `sqlx`"), "{text}");
    }
}
