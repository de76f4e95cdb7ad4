//! The page that says what becomes of each part of a request names tests that exist.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

const PAGE: &str = include_str!("../../../docs/reference/translation.md");

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").canonicalize().unwrap()
}

/// The texts in backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.split('`').skip(1).step_by(2)
}

/// Where the page says that the tests of each place are: beginnings of paths.
fn places() -> BTreeMap<&'static str, Vec<&'static str>> {
    let table = PAGE.split("| place |").nth(1).unwrap().split("\n\n").next().unwrap();
    let rows = table.lines().filter(|line| line.starts_with("| `"));
    rows.map(|row| {
        let mut texts = quoted(row);
        (texts.next().unwrap(), texts.collect())
    })
    .collect()
}

/// The tests that the page names, each with its place.
fn named(text: &str) -> impl Iterator<Item = (&str, &str)> {
    quoted(text).filter_map(|text| text.split_once("::"))
}

/// The functions of every file of Rust or Python below `folder`, by the file's path from `root`.
fn functions(root: &Path, folder: &Path, found: &mut BTreeMap<String, BTreeSet<String>>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            functions(root, &path, found);
        } else if path.extension().is_some_and(|end| end == "rs" || end == "py") {
            let text = fs::read_to_string(&path).unwrap();
            let words = text.split_whitespace().collect::<Vec<_>>();
            let names = words.windows(2).filter(|pair| matches!(pair, ["fn" | "def", _]));
            let names = names.filter_map(|pair| pair.last()?.split(['(', '<']).next().map(str::to_owned));
            let file = path.strip_prefix(root).unwrap().to_str().unwrap().replace('\\', "/");
            found.insert(file, names.collect());
        }
    }
}

#[test]
fn every_test_that_the_page_names_is_where_it_says() {
    let (root, places) = (root(), places());
    let mut found = BTreeMap::new();
    for folder in ["crates/core", "crates/wire", "crates/pipeline", "crates/upstream"] {
        functions(&root, &root.join(folder), &mut found);
    }
    for folder in ["extensions/providers", "tests/scenarios", "tests/clients"] {
        functions(&root, &root.join(folder), &mut found);
    }
    let is_there = |place: &str, name: &str| {
        let begins = places.get(place).unwrap_or_else(|| panic!("the page has no place `{place}`"));
        let mut files = found.iter().filter(|(file, _)| begins.iter().any(|begin| file.starts_with(begin)));
        files.any(|(_, names)| names.contains(name))
    };
    let named: BTreeSet<_> = named(PAGE).filter(|test| *test != ("place", "name")).collect();
    let absent: Vec<_> = named.iter().filter(|(place, name)| !is_there(place, name)).collect();
    assert_eq!(absent, [&("", ""); 0], "name the tests as they are called now");
    assert!(named.len() > 150, "{}", named.len());
}

#[test]
fn every_row_of_the_page_names_a_test_or_says_that_there_is_none() {
    let sections = PAGE.split("\n## ").skip(1);
    for section in sections {
        let rows =
            section.split("| proved by |").nth(1).unwrap().lines().filter(|line| line.starts_with("| "));
        let rows: Vec<_> = rows.filter(|row| !row.starts_with("| ---")).collect();
        assert!(!rows.is_empty(), "{section}");
        for row in rows {
            assert!(named(row).next().is_some() || row.contains("no test"), "{row}");
        }
    }
}
