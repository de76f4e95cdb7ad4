//! Schema and decoder agree: on every case of the corpus, and on every case with one value changed.

use std::path::PathBuf;

use serde_json::Value as Json;

use super::decode;
use crate::located::{Node, Text, Value, parse};
use crate::position::KeyPath;
use crate::problem::Problems;
use crate::{schema, walk};

/// The trees of all cases that are YAML at all.
fn corpus() -> Vec<(PathBuf, Node)> {
    let mut trees = Vec::new();
    for folder in ["bad", "good", "."] {
        for entry in std::fs::read_dir(format!("tests/{folder}")).unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_none_or(|kind| kind != "yaml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).unwrap();
            if let Some(tree) = parse(&text, 0, &mut Problems::default()) {
                trees.push((path, tree));
            }
        }
    }
    assert!(trees.len() > 80);
    trees
}

/// Whether the schema's walker and the decoder take a tree.
fn verdicts(schema: &Json, tree: &Node) -> (bool, bool, String) {
    let mut tree = tree.clone();
    let mut problems = Problems::default();
    walk::walk(schema, &mut tree, &KeyPath::root(), &mut problems);
    let walked = !problems.has_errors();
    let mut problems = Problems::default();
    let decoded = decode(&tree, &mut problems).is_some();
    let why = problems.into_sorted(&[]).iter().map(ToString::to_string).collect();
    (walked, decoded, why)
}

/// What the walker takes, the decoder takes.
#[track_caller]
fn agree(schema: &Json, tree: &Node, what: &str) {
    let (walked, decoded, why) = verdicts(schema, tree);
    assert!(decoded || !walked, "{what}: the schema takes what the decoder refuses: {why}");
}

#[test]
fn pitfall_14_the_decoder_takes_whatever_the_schema_takes() {
    let schema = schema::of_shape();
    for (path, tree) in corpus() {
        agree(&schema, &tree, &path.display().to_string());
    }
}

#[test]
fn pitfall_14_what_the_decoder_refuses_the_schema_refuses_under_every_change_of_one_value() {
    let schema = schema::of_shape();
    let changed = [
        Value::Null,
        Value::Bool(true),
        Value::Number(0.into()),
        Value::Number((-1).into()),
        Value::Number(99_999_999_999_u64.into()),
        Value::Number("0.00000000001".parse().unwrap()),
        Value::Text(Text { text: String::new(), plain: false, referenced: false }),
        Value::Text(Text { text: "word".to_owned(), plain: false, referenced: false }),
        Value::List(Vec::new()),
        Value::Map(Vec::new()),
    ];
    let mut seen = 0;
    for (path, tree) in corpus()
        .into_iter()
        .filter(|(path, _)| path.ends_with("base.yaml") || path.ends_with("everything.yaml"))
    {
        for place in 0..count(&tree) {
            for value in &changed {
                let mut tree = tree.clone();
                *nth(&mut tree, &mut { place }).unwrap() = value.clone();
                agree(&schema, &tree, &format!("{} with value {place} as {value:?}", path.display()));
                seen += 1;
            }
        }
    }
    assert!(seen > 1_000, "{seen}");
}

#[test]
fn a_key_that_the_schema_does_not_know_the_decoder_refuses_too() {
    let schema = schema::of_shape();
    for (path, tree) in corpus() {
        let (walked, decoded, _) = verdicts(&schema, &tree);
        // Bounds and forms are the schema's alone; keys and kinds are held by both.
        let name = path.file_stem().unwrap().to_string_lossy().into_owned();
        if name.starts_with("unknown-in") || name.starts_with("unknown-top") {
            assert!(!walked && !decoded, "{name}");
        }
    }
}

fn children(node: &mut Node) -> Vec<&mut Node> {
    match &mut node.value {
        Value::Map(entries) => entries.iter_mut().map(|entry| &mut entry.value).collect(),
        Value::List(items) => items.iter_mut().collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Text(_) => Vec::new(),
    }
}

fn count(node: &Node) -> usize {
    1 + children(&mut node.clone()).into_iter().map(|child| count(child)).sum::<usize>()
}

/// The value at a place in the order of reading.
fn nth<'a>(node: &'a mut Node, place: &mut usize) -> Option<&'a mut Value> {
    if *place == 0 {
        return Some(&mut node.value);
    }
    *place -= 1;
    children(node).into_iter().find_map(|child| nth(child, place))
}
