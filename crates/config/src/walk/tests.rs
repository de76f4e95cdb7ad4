use super::walk;
use crate::located::parse;
use crate::position::{KeyPath, Source};
use crate::problem::Problems;
use schemars::{JsonSchema, schema_for};
use serde_json::json;
use std::collections::BTreeMap;

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only the schema is of interest")]
struct Rules {
    name: String,
    #[schemars(range(min = 2, max = 9))]
    count: Option<u8>,
    #[serde(default)]
    on: bool,
    #[serde(default)]
    ratio: f64,
    #[serde(default)]
    action: Action,
    #[serde(default)]
    rules: Vec<Rule>,
    #[serde(default)]
    labels: BTreeMap<String, u32>,
    one_or_many: Option<OneOrMany>,
    key: Option<gatewright::Secret>,
    inner: Option<Inner>,
}

#[derive(JsonSchema, Default)]
#[serde(rename_all = "snake_case")]
#[expect(dead_code, reason = "only the schema is of interest")]
enum Action {
    /// One.
    #[default]
    Mask,
    /// Two.
    Cut,
}

#[derive(JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
#[expect(dead_code, reason = "only the schema is of interest")]
enum Rule {
    Pattern { pattern: String },
    Words { words: Vec<String> },
}

#[derive(JsonSchema)]
#[serde(untagged)]
#[expect(dead_code, reason = "only the schema is of interest")]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

#[derive(JsonSchema)]
#[expect(dead_code, reason = "only the schema is of interest")]
struct Inner {
    x: u32,
    #[serde(flatten)]
    rest: BTreeMap<String, String>,
}

impl serde::Serialize for Action {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str("mask")
    }
}

fn problems(schema: &serde_json::Value, text: &str) -> Vec<String> {
    let mut problems = Problems::default();
    let mut node = parse(text, 0, &mut problems).unwrap();
    walk(schema, &mut node, &KeyPath::root(), &mut problems);
    let sources = [Source { path: "f".into(), text: String::new() }];
    problems.into_sorted(&sources).iter().map(ToString::to_string).collect()
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let schema = schema_for!(Rules).to_value();
    assert_eq!(problems(&schema, text), expected, "{text}");
}

#[test]
fn what_fits_the_schema_passes() {
    check("name: a", &[]);
    check("{name: a, count: 2, on: true, ratio: 1, action: cut, labels: {any: 3, thing: 4}}", &[]);
    check("{name: a, count: ~, key: ~, one_or_many: x}", &[]);
    check(
        "{name: a, one_or_many: [x, y], rules: [{kind: pattern, pattern: p}, {kind: words, words: [w]}]}",
        &[],
    );
    check("{name: a, inner: {x: 1, y: z}}", &[]);
}

#[test]
fn a_key_left_empty_counts_as_absent() {
    check("name: a\nrules:\non:\nlabels:\n", &[]);
    check("name:\n", &["f:1:5: name: expected a text, found nothing"]);
}

#[test]
fn unknown_keys_are_errors_even_where_the_schema_is_open() {
    check("{name: a, coun: 3}", &["f:1:11: coun: unknown key; did you mean `count`?"]);
    check(
        "{name: a, rules: [{kind: words, words: [], pattern: x}]}",
        &["f:1:44: rules[0].pattern: unknown key; known keys: kind, words"],
    );
}

#[test]
fn all_violations_are_reported_at_once() {
    check(
        "{count: 1, on: yes, ratio: x, labels: {a: -1, b: c}, nme: z}",
        &[
            "f:1:1: the key `name` is missing",
            "f:1:9: count: expected at least 2, found 1",
            "f:1:16: on: expected true or false, found the text \"yes\"; write true",
            "f:1:28: ratio: expected a number, found the text \"x\"",
            "f:1:43: labels.a: expected at least 0, found -1",
            "f:1:50: labels.b: expected a whole number, found the text \"c\"",
            "f:1:54: nme: unknown key; did you mean `name`?",
        ],
    );
}

#[test]
fn enumerations_name_their_values() {
    check(
        "{name: a, action: mas}",
        &["f:1:19: action: unknown value: the text \"mas\"; did you mean `mask`?"],
    );
    check(
        "{name: a, action: 7}",
        &["f:1:19: action: unknown value: the number 7; expected one of: mask, cut"],
    );
}

#[test]
fn tagged_alternatives_report_the_one_that_was_meant() {
    check(
        "{name: a, rules: [{kind: words, words: x}]}",
        &[
            "f:1:40: rules[0].words: expected a list, found the text \"x\"; write [ … ], or a line with `-` for each item",
        ],
    );
    check(
        "{name: a, rules: [{kind: word}]}",
        &["f:1:26: rules[0].kind: unknown value: the text \"word\"; did you mean `words`?"],
    );
    check(
        "{name: a, rules: [{pattern: x}]}",
        &["f:1:19: rules[0].kind: the key is missing; it says which kind is meant"],
    );
}

#[test]
fn alternatives_of_several_kinds_name_them_all() {
    check(
        "{name: a, one_or_many: 3}",
        &["f:1:24: one_or_many: expected a text or a list, found the number 3"],
    );
    check(
        "{name: a, one_or_many: [3]}",
        &["f:1:25: one_or_many[0]: expected a text, found the number 3; put it in quotes"],
    );
}

#[test]
fn secrets_written_out_are_warned_of() {
    check(
        "{name: a, key: sk-literal}",
        &["f:1:16: warning: key: a secret is written in the file; write ${env:NAME} or ${file:PATH} instead"],
    );
}

#[test]
fn unquoted_references_become_what_must_stand_there() {
    let schema = schema_for!(Rules).to_value();
    let walked = |text: &str| {
        let mut problems = Problems::default();
        let mut node = parse(text, 0, &mut problems).unwrap();
        crate::reference::resolve(&mut node, &[], &[("N", "7")], &mut problems);
        walk(&schema, &mut node, &KeyPath::root(), &mut problems);
        (node.to_json(), problems.into_sorted(&[]).len())
    };
    assert_eq!(walked("name: '${env:N}'\ncount: ${env:N}"), (json!({"name": "7", "count": 7}), 0));
    assert_eq!(walked("{name: a, count: '${env:N}'}").1, 1);
}

#[test]
fn keywords_of_lists_and_texts_hold() {
    let schema = json!({"type": "object", "properties": {
        "pair": {"prefixItems": [{"type": "string"}, {"type": "integer"}], "items": false},
        "few": {"type": "array", "minItems": 1, "maxItems": 2, "uniqueItems": true},
        "word": {"type": "string", "minLength": 2, "maxLength": 3},
        "fixed": {"const": 1},
        "both": {"allOf": [{"properties": {"a": {"type": "integer"}}}, {"properties": {"b": {}}}]},
        "more": {"type": "number", "exclusiveMinimum": 0, "exclusiveMaximum": 1},
    }});
    let found =
        problems(&schema, "pair: [1, 2, 3]\nfew: []\nword: a\nfixed: 2\nboth: {a: x, b: y, c: z}\nmore: 1\n");
    assert_eq!(
        found,
        [
            "f:1:8: pair[0]: expected a text, found the number 1; put it in quotes",
            "f:1:14: pair[2]: the list ends after 2 items",
            "f:2:6: few: expected at least 1 item",
            "f:3:7: word: expected at least 2 characters, found 1",
            "f:4:8: fixed: unknown value: the number 2; expected one of: 1",
            "f:5:11: both.a: expected a whole number, found the text \"x\"",
            "f:5:20: both.c: unknown key; known keys: a, b",
            "f:6:7: more: expected less than 1, found 1",
        ]
    );
    let found = problems(&schema, "few: [1, 2, 2]\nword: long\n");
    assert_eq!(
        found,
        [
            "f:1:6: few: expected at most 2 items",
            "f:1:13: few[2]: the item stands twice",
            "f:2:7: word: expected at most 3 characters, found 4",
        ]
    );
}
