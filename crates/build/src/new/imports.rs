//! The `use` lines of a generated file: those of several templates, each name once.

use std::collections::{BTreeMap, BTreeSet};

/// Names by the path that they are imported from.
#[derive(Debug, Default)]
pub(super) struct Imports<'t>(BTreeMap<&'t str, BTreeSet<&'t str>>);

impl<'t> Imports<'t> {
    /// Adds the lines of a template, each `use a::b::{c, d};` or `use a::b::c;`.
    pub(super) fn add(&mut self, lines: &'t str) {
        for line in lines.lines() {
            let line = line.trim_start_matches("use ").trim_end_matches(';');
            let Some((path, names)) = line.split_once("::{").or_else(|| line.rsplit_once("::")) else {
                continue;
            };
            let names = names.trim_end_matches('}').split(',').map(str::trim);
            self.0.entry(path).or_default().extend(names);
        }
    }

    /// The lines, the standard library's first.
    pub(super) fn to_text(&self) -> String {
        let (own, other): (Vec<_>, Vec<_>) = self.0.iter().partition(|(path, _)| path.starts_with("std"));
        let lines = |imports: Vec<(&&str, &BTreeSet<&str>)>| {
            let line = |(path, names): (&&str, &BTreeSet<&str>)| match names.first() {
                Some(name) if names.len() == 1 && *name != "self" => format!("use {path}::{name};\n"),
                Some(_) if names.len() == 1 => format!("use {path};\n"),
                _ => format!("use {path}::{{{}}};\n", sorted(names).join(", ")),
            };
            imports.into_iter().map(line).collect::<String>()
        };
        let (own, other) = (lines(own), lines(other));
        if own.is_empty() || other.is_empty() { own + &other } else { format!("{own}\n{other}") }
    }
}

/// `self` stands first, as the formatter wants it.
fn sorted<'t>(names: &BTreeSet<&'t str>) -> Vec<&'t str> {
    let (own, others): (Vec<&str>, Vec<&str>) = names.iter().partition(|name| **name == "self");
    own.into_iter().chain(others).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_name_is_imported_once_and_the_standard_library_first() {
        let mut imports = Imports::default();
        imports.add("use kit::extension::{context, principal};\nuse std::sync::Arc;\nuse kit::split;\n");
        imports.add("use kit::extension::{self, context};\nuse std::sync::Arc;\nuse other::{self};\nuse sdk::prelude::*;\n");
        let expected = "use std::sync::Arc;\n\nuse kit::split;\nuse kit::extension::{self, context, principal};\n\
                        use other;\nuse sdk::prelude::*;\n";
        assert_eq!(imports.to_text(), expected);
    }
}
