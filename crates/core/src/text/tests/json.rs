//! The lane of a tool's arguments: JSON source in, equivalent JSON source out, no escape hides a match.

use serde_json::{Map, Value};

use super::kit::{Chance, boundaries, patterns, pieces};
use crate::text::{HoldBack, Lane, Pattern, TextPatterns, TextSession};

const LANE: Lane = Lane::tool_arguments(0, 0);

fn stream(session: &mut TextSession, pieces: &[&str]) -> String {
    let mut out = String::new();
    for (i, piece) in pieces.iter().enumerate() {
        out += &session.push(LANE, piece, i + 1 == pieces.len()).expect("nothing overflows");
    }
    out
}

fn masked(source: &str) -> String {
    stream(&mut TextSession::new().with_patterns(&patterns()), &[source])
}

/// A JSON source whose strings hold many escapes, some of them where none is needed.
fn source(chance: &mut Chance, depth: usize) -> String {
    match chance.below(if depth == 0 { 4 } else { 6 }) {
        0 => chance.pick(&["null", "true", "-12.5e3", "0", "[]", "{ }"]).to_string(),
        1..=3 => string(chance),
        4 => {
            let items: Vec<String> = (0..chance.below(4)).map(|_| source(chance, depth - 1)).collect();
            format!("[{}]", items.join(*chance.pick(&[",", " ,\n"])))
        }
        _ => {
            let items: Vec<String> = (0..chance.below(4))
                .map(|_| {
                    format!("{}{}{}", string(chance), chance.pick(&[":", " : "]), source(chance, depth - 1))
                })
                .collect();
            format!("{{{}}}", items.join(","))
        }
    }
}

fn string(chance: &mut Chance) -> String {
    let extra = ["\"", "\\", "\n", "\u{1}", "/", "\u{2028}", "\u{ffff}", "\u{fffd}", "𝄞"];
    let text: String = (0..chance.below(8))
        .map(|_| if chance.below(4) == 0 { (*chance.pick(&extra)).to_owned() } else { chance.text(1..3) })
        .collect();
    let escaped: String = text.chars().map(|char| escaped(chance, char)).collect();
    format!("\"{escaped}\"")
}

fn escaped(chance: &mut Chance, char: char) -> String {
    let units =
        |char: char| char.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04X}")).collect();
    match char {
        '"' | '\\' | '/' if chance.below(2) == 0 => format!("\\{char}"),
        '\n' if chance.below(2) == 0 => "\\n".to_owned(),
        '"' | '\\' | '\0'..='\u{1f}' => units(char),
        _ if chance.below(3) == 0 => units(char),
        _ => char.to_string(),
    }
}

fn map_strings(value: Value, edit: &dyn Fn(&str) -> String) -> Value {
    match value {
        Value::String(text) => Value::String(edit(&text)),
        Value::Array(items) => items.into_iter().map(|item| map_strings(item, edit)).collect(),
        Value::Object(fields) => Value::Object(
            fields
                .into_iter()
                .map(|(name, value)| (edit(&name), map_strings(value, edit)))
                .collect::<Map<_, _>>(),
        ),
        other => other,
    }
}

#[test]
fn the_value_stays_the_same_where_nothing_is_edited() {
    let mut chance = Chance(5);
    for _ in 0..4_000 {
        let source = source(&mut chance, 3);
        let hold = HoldBack::bytes(chance.below(20));
        let mut session = TextSession::new().with_stage(hold, |_| ()).with_stage(hold, |_| ());
        let out = stream(&mut session, &chance.split(&source, 10));
        let parse = |text: &str| serde_json::from_str::<Value>(text).expect("it is JSON");
        assert_eq!(parse(&out), parse(&source), "{source} came out as {out}");
    }
}

#[test]
fn each_string_is_masked_as_its_characters_are_whatever_the_source() {
    let patterns = patterns();
    let mut chance = Chance(6);
    for _ in 0..4_000 {
        let source = source(&mut chance, 3);
        let mut session = TextSession::new().with_patterns(&patterns).with_patterns(&patterns);
        let out = stream(&mut session, &chance.split(&source, 10));
        let value: Value = serde_json::from_str(&source).expect("it is JSON");
        let expected = map_strings(value, &|text| mask_inside_quotes(&patterns, text));
        let out: Value =
            serde_json::from_str(&out).unwrap_or_else(|error| panic!("{error}: {source} came out as {out}"));
        assert_eq!(out, expected, "{source}");
    }
}

/// Masks a string as it stands in JSON, between quotes, which are neither text nor line end.
fn mask_inside_quotes(patterns: &TextPatterns, text: &str) -> String {
    let quoted = format!("\"{text}\"");
    let masked = patterns.replace_all(&patterns.replace_all(&quoted)).into_owned();
    masked[1..masked.len() - 1].to_owned()
}

#[test]
fn no_escape_hides_a_match() {
    let cases = [
        (r#"{"to":"bob\u0040x.com"}"#, r#"{"to":"[email]"}"#),
        (r#"{"to":"\u0062\u006F\u0062@x.com"}"#, r#"{"to":"[email]"}"#),
        (r#""hi\nbob@x.com\tok""#, r#""hi\n[email]\tok""#),
        (r#""\\bob@x.com\"""#, r#""\\[email]\"""#),
        (r#""http:\/\/x""#, r#""http://x""#),
        (r#""\ud83d\ude42 é \u00e9""#, r#""🙂 é é""#),
        (r#"{"card":4111111111111111,"n":12}"#, r#"{"card":"[card]","n":12}"#),
    ];
    for (source, expected) in cases {
        assert_eq!(masked(source), expected);
        let cut = pieces(source, &boundaries(source));
        assert_eq!(
            stream(&mut TextSession::new().with_patterns(&patterns()), &cut),
            expected,
            "cut at each character"
        );
    }
}

#[test]
fn what_is_put_in_is_escaped() {
    let quote =
        TextPatterns::compile([Pattern::new("q", "secret").replace_with("a \"b\"\\\n\u{1}")]).expect("valid");
    let out = stream(&mut TextSession::new().with_patterns(&quote), &[r#"{"x":"my secret"}"#]);
    assert_eq!(out, r#"{"x":"my a \"b\"\\\n\u0001"}"#);
}

#[test]
fn what_json_cannot_hold_literally_stays_escaped() {
    let cases =
        [r#""\"\\\u0000\n\u001f\b\f\r\t""#, r#""\ud83d""#, r#""\ude42\ud83d x""#, r#""\ud83d\ud83d""#];
    for source in cases {
        assert_eq!(masked(source), source);
    }
}

#[test]
fn what_is_not_json_passes_as_it_came() {
    for source in [
        r#"{'a': \n \u0041}"#,
        r#""\x \u00zz \ud83d\u00zz""#,
        r#""\u00"#,
        r#""\ud83d\ud"#,
        r#""\"#,
        "\"\\é\"",
    ] {
        for cut in boundaries(source) {
            let mut session = TextSession::new().with_stage(HoldBack::bytes(0), |_| ());
            assert_eq!(stream(&mut session, &pieces(source, &[cut])), *source);
        }
    }
}

#[test]
fn a_cut_escape_waits_and_no_more_than_that() {
    let mut session = TextSession::new().with_stage(HoldBack::bytes(0), |_| ());
    let mut released = Vec::new();
    for piece in ["\"a\\", "ud83", "d\\ude", "4", "2b\""] {
        released.push(session.push(LANE, piece, false).expect("nothing overflows"));
    }
    assert_eq!(released, ["\"a", "", "", "", "🙂b\""]);
    assert_eq!(session.stats().held_bytes_peak, 11);
}
