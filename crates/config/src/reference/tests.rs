use super::resolve;
use crate::located::parse;
use crate::position::Source;
use crate::problem::Problems;
use serde_json::json;

const VARIABLES: [(&str, &str); 3] = [("KEY", "sk-canary"), ("EMPTY", ""), ("NESTED", "${env:KEY}")];

fn read(text: &str, folder: &std::path::Path) -> (serde_json::Value, Vec<String>, usize) {
    let mut problems = Problems::default();
    let sources = [Source { path: folder.join("gateway.yaml"), text: String::new() }];
    let mut node = parse(text, 0, &mut problems).unwrap();
    let files = resolve(&mut node, &sources, &VARIABLES, &mut problems);
    let problems = problems.into_sorted(&sources);
    (node.to_json(), problems.into_iter().map(|problem| problem.message).collect(), files.len())
}

#[test]
fn environment_references_resolve_anywhere_in_a_text() {
    let (value, problems, _) =
        read("a: ${env:KEY}\nb: ['Bearer ${env:KEY}!', \"${env:EMPTY}\"]", "".as_ref());
    assert_eq!(problems, [""; 0]);
    assert_eq!(value, json!({"a": "sk-canary", "b": ["Bearer sk-canary!", ""]}));
}

#[test]
fn two_dollar_signs_stand_for_a_literal_reference() {
    let (value, problems, _) = read("a: $${env:KEY} and ${env:KEY}\nb: costs $5 or $$5", "".as_ref());
    assert_eq!(problems, [""; 0]);
    assert_eq!(value, json!({"a": "${env:KEY} and sk-canary", "b": "costs $5 or $$5"}));
}

#[test]
fn what_a_reference_stands_for_is_not_read_as_a_reference() {
    assert_eq!(read("a: ${env:NESTED}", "".as_ref()).0, json!({"a": "${env:KEY}"}));
}

#[test]
fn file_references_start_at_the_configuration_file_and_lose_one_line_break() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("key"), "sk-from-file\n").unwrap();
    std::fs::write(folder.path().join("windows"), "one\n\r\n").unwrap();
    let (value, problems, files) = read("a: ${file:key}\nb: ${file:windows}", folder.path());
    assert_eq!(problems, [""; 0]);
    assert_eq!(value, json!({"a": "sk-from-file", "b": "one\n"}));
    assert_eq!(files, 2);
}

#[test]
fn references_that_lead_nowhere_are_all_reported() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("binary"), [0xff, 0xfe]).unwrap();
    std::fs::write(folder.path().join("large"), vec![b'x'; 2 << 20]).unwrap();
    let text = "a: ${env:MISSING}\nb: ${file:missing}\nc: ${vault:x}\nd: ${env:KEY\ne: ${file:binary}\nf: ${file:large}\n'${env:KEY}': 1";
    let (_, problems, _) = read(text, folder.path());
    let expected = [
        "the environment variable MISSING is not set",
        "missing: No such file",
        "unknown reference ${vault:x}; write ${env:NAME} or ${file:PATH}",
        "the reference does not end",
        "UTF-8",
        "larger than 1 MiB",
        "a key cannot hold a reference",
    ];
    assert_eq!(problems.len(), expected.len(), "{problems:#?}");
    for (problem, expected) in problems.iter().zip(expected) {
        assert!(problem.contains(expected), "{problem} should say {expected}");
    }
}
