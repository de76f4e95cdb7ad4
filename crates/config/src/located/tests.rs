use super::{Node, merge, parse};
use crate::position::{KeyPath, Source};
use crate::problem::Problems;
use serde_json::json;

fn read(text: &str) -> (Option<Node>, Vec<String>) {
    let mut problems = Problems::default();
    let node = parse(text, 0, &mut problems);
    let sources = [Source { path: "f".into(), text: String::new() }];
    let problems = problems.into_sorted(&sources).iter().map(ToString::to_string).collect();
    (node, problems)
}

#[track_caller]
#[expect(clippy::needless_pass_by_value, reason = "cases read better without a borrow")]
fn check(text: &str, expected: serde_json::Value) {
    let (node, problems) = read(text);
    assert_eq!(problems, [""; 0], "{text}");
    assert_eq!(node.unwrap().to_json(), expected, "{text}");
}

#[track_caller]
fn refused(text: &str, expected: &str) {
    let (_, problems) = read(text);
    assert_eq!(problems, [expected], "{text}");
}

#[test]
fn scalars_are_those_of_the_core_schema() {
    check(
        "a: ~\nb: null\nc:\nd: true\ne: False",
        json!({"a": null, "b": null, "c": null, "d": true, "e": false}),
    );
    check(
        "a: 12\nb: -3\nc: +4\nd: 0x1f\ne: 0o17\nf: 007",
        json!({"a": 12, "b": -3, "c": 4, "d": 31, "e": 15, "f": 7}),
    );
    check(
        "a: yes\nb: 5s\nc: 1.2.3\nd: \"12\"\ne: 'true'",
        json!({"a": "yes", "b": "5s", "c": "1.2.3", "d": "12", "e": "true"}),
    );
    check("a: !!str 12\nb: |\n  two\n  lines\n", json!({"a": "12", "b": "two\nlines\n"}));
}

#[test]
fn numbers_keep_the_text_they_were_written_in() {
    for (written, kept) in [
        ("0.15", "0.15"),
        ("0.10", "0.10"),
        (".5", "0.5"),
        ("5.", "5"),
        ("-00.5", "-0.5"),
        ("2.5e-1", "2.5e-1"),
    ] {
        let (node, _) = read(&format!("a: {written}"));
        assert_eq!(node.unwrap().to_json().to_string(), format!("{{\"a\":{kept}}}"));
    }
}

#[test]
fn an_empty_file_is_an_empty_map() {
    check("", json!({}));
    check("# only a comment\n", json!({}));
    check("\u{feff}a: 1", json!({"a": 1}));
}

#[test]
fn every_value_and_key_knows_its_place() {
    let (node, _) = read("a:\n  - b: 1\n    cé: [x, y]\n");
    let node = node.unwrap();
    let place = |path: &KeyPath| {
        let at = node.deepest(path).at;
        (at.line, at.column)
    };
    let item = KeyPath::root().key("a").item(0);
    assert_eq!(place(&item.key("b")), (2, 8));
    assert_eq!(place(&item.key("cé").item(1)), (3, 13));
    let key_at = node.deepest(&item).entry("cé").unwrap().key_at;
    assert_eq!((key_at.line, key_at.column), (3, 5));
}

#[test]
fn aliases_and_merge_keys_include_and_give_way_to_what_is_written_out() {
    check("a: &x {p: 1, q: 2}\nb: *x", json!({"a": {"p": 1, "q": 2}, "b": {"p": 1, "q": 2}}));
    check("a: &x {p: 1, q: 2}\nb: {q: 3, <<: *x}", json!({"a": {"p": 1, "q": 2}, "b": {"q": 3, "p": 1}}));
    check(
        "a: &x {p: 1}\nb: {<<: [*x, {p: 2, r: 3}], s: 4}",
        json!({"a": {"p": 1}, "b": {"s": 4, "p": 1, "r": 3}}),
    );
    refused("a: {<<: 1}", "f:1:9: a: `<<` includes a map, or a list of maps");
}

#[test]
fn what_is_not_well_formed_is_refused_with_its_place() {
    refused("a: 1\nb:\n  c: 2\n  c: 3\n", "f:4:3: b.c: the key stands twice; it is first on line 3");
    refused("a:\n\tb: 1\n", "f:2:2: a tab indents this line; YAML is indented with spaces");
    refused(
        "a: {b: ${env:X}}",
        "f:1:9: not valid YAML: while parsing a flow mapping, did not find expected ',' or '}'; inside [ ] and { }, put references in quotes",
    );
    refused("a: !secret x", "f:1:4: a: unknown tag !secret; remove it");
    refused("a: !!int x", "f:1:4: a: the value is not what its tag !!int says");
    refused("? {a: 1}\n: 2", "f:1:3: a key must be a text");
    refused(
        "a: 1\n---\nb: 2",
        "f:2:1: a second document starts here; the configuration is one document a file",
    );
}

#[test]
fn bounds_hold_for_depth_size_and_alias_expansion() {
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    refused(
        &format!("a: {deep}"),
        &format!("f:1:67: a{}: maps and lists stand more than 64 deep", "[0]".repeat(63)),
    );

    let mut laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..9 {
        let aliases = vec![format!("*a{}", level - 1); 10].join(", ");
        laughs.push_str(&format!("a{level}: &a{level} [{aliases}]\n"));
    }
    let (_, problems) = read(&laughs);
    assert!(problems[0].contains("more than 100,000 values"), "{problems:?}");

    let mut chain = "a0: &a0 [[[[[[[[[[x]]]]]]]]]]\n".to_owned();
    for level in 1..10 {
        chain.push_str(&format!("a{level}: &a{level} [[[[[[[[[[*a{}]]]]]]]]]]\n", level - 1));
    }
    let (_, problems) = read(&chain);
    assert!(problems[0].contains("more than 64 deep"), "{problems:?}");

    let large = format!("a: {}", "x".repeat(5 << 20));
    refused(&large, "f:1:1: the file is larger than 4 MiB");
}

#[test]
fn later_files_add_to_and_override_earlier_ones() {
    let table = [
        ("a: 1\nb: 2", "b: 3\nc: 4", json!({"a": 1, "b": 3, "c": 4})),
        ("m: {x: {p: 1}}", "m: {x: {q: 2}, y: 3}", json!({"m": {"x": {"p": 1, "q": 2}, "y": 3}})),
        ("l: [1, 2]", "l: [3]", json!({"l": [3]})),
        (
            "l: [{id: a, v: 1}, {id: b}]",
            "l: [{id: c}, {id: a, v: 2}]",
            json!({"l": [{"id": "a", "v": 2}, {"id": "b"}, {"id": "c"}]}),
        ),
        ("l: [{name: a, v: 1}]", "l: [{name: a, w: 2}]", json!({"l": [{"name": "a", "v": 1, "w": 2}]})),
        ("l: [{name: a}]", "l: []", json!({"l": []})),
        ("a: {b: 1}", "a: ~", json!({"a": null})),
    ];
    for (base, over, expected) in table {
        let (base_node, over_node) = (read(base).0, read(over).0);
        let mut merged = base_node.unwrap();
        merge(&mut merged, over_node.unwrap());
        assert_eq!(merged.to_json(), expected, "{base} under {over}");
    }
}

proptest::proptest! {
    #[test]
    fn no_text_makes_the_reader_panic(text in "[ -~\\n\\t\u{e9}\u{1f600}]{0,200}") {
        read(&text);
    }

    #[test]
    fn no_text_of_yaml_signs_makes_the_reader_panic(text in "[a&*<:{}\\[\\]\\-?!|>'\"#%,0 \\n]{0,60}") {
        read(&text);
    }
}
