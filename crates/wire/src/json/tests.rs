//! The scanner, its views and its edits as a specification; what must hold for any input is in
//! `tests/any_input.rs`.

use bytes::Bytes;

use super::{
    DEPTH_MAX, JsonError, Kind, ObjectEdit, Opaque, Patches, Reader, Reason, Span, Value, member_near_end,
    quote, scan_object,
};

/// The message for a text that is refused, "ok" for one that is not.
#[track_caller]
fn check(text: impl AsRef<[u8]>, expected: &str) {
    let message = Value::parse(text.as_ref()).map_or_else(|error| error.to_string(), |_| "ok".to_owned());
    assert_eq!(message, expected, "{:?}", String::from_utf8_lossy(text.as_ref()));
}

#[test]
fn accepts_what_the_grammar_allows() {
    for text in [
        "0",
        "-0",
        "1e400",
        "-12.5E+3",
        " true ",
        "null",
        "\"\"",
        "[]",
        "{}",
        "[ ]",
        "{\t}",
        "[1,[2,{}],\"\"]",
    ] {
        check(text, "ok");
    }
    check(r#"{"a":1,"a":2,"":{"b":[null]}}"#, "ok");
    check(r#""\"\\\/\b\f\n\r\t\u00e9\ud83d""#, "ok");
}

#[test]
fn says_what_is_wrong_and_where() {
    check("", "unexpected end of the text at byte 0");
    check("[1 2]", "expected `,` or `]` at byte 3");
    check(r#"{"a":1 "b":2}"#, "expected `,` or `}` at byte 7");
    check(r#"{"a" 1}"#, "expected `:` at byte 5");
    check("{a:1}", "expected a key or `}` at byte 1");
    check(r#"{"a":1,}"#, "expected `\"` and a key at byte 7");
    check("[1,]", "expected a value at byte 3");
    check(r#"{"a":1"#, "unexpected end of the text at byte 6");
    check("[1}", "expected `,` or `]` at byte 2");
    check("{} x", "unexpected text after the end of the value at byte 3");
    check("'a'", "expected a value at byte 0");
}

#[test]
fn says_what_is_wrong_inside_scalars() {
    check("tru", "unexpected end of the text at byte 3");
    check("nulL", "invalid literal, expected `true`, `false` or `null` at byte 3");
    check("01", "invalid number at byte 1");
    check("1.", "unexpected end of the text at byte 2");
    check("[1.x]", "invalid number at byte 3");
    check("[-]", "invalid number at byte 2");
    check("\"abc", "unterminated string at byte 0");
    check("\"a\nb\"", "control character in a string, write it as an escape at byte 2");
    check(r#""\x""#, "invalid escape in a string at byte 1");
    check(r#""\u12g4""#, "invalid escape in a string at byte 1");
    check(b"[\"aa\xff\"]", "invalid UTF-8 at byte 4");
    check(b"[\xff]", "expected a value at byte 1");
}

#[test]
fn nesting_is_bounded() {
    let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
    check(nested(DEPTH_MAX), "ok");
    check(nested(DEPTH_MAX + 1), "nested deeper than 128 levels at byte 128");
    let inside = |depth: usize| format!("{{\"a\":{}}}", nested(depth));
    check(inside(DEPTH_MAX - 1), "ok");
    check(inside(DEPTH_MAX), "nested deeper than 128 levels at byte 132");
    check("[".repeat(1_000_000), "nested deeper than 128 levels at byte 128");
}

#[test]
fn scan_shows_members_in_order_with_spans_and_repeats() {
    let text = br#" {"model" : "m", "n":[1, 2],"mod\u0065l":1e400} "#;
    let mut seen = Vec::new();
    scan_object(text, |member| {
        let raw = String::from_utf8_lossy(member.value.raw()).into_owned();
        seen.push((member.key.decode().into_owned(), member.value.kind(), raw));
    })
    .unwrap();
    let expected =
        [("model", Kind::String, "\"m\""), ("n", Kind::Array, "[1, 2]"), ("model", Kind::Number, "1e400")];
    let expected: Vec<_> = expected.map(|(key, kind, raw)| (key.to_owned(), kind, raw.to_owned())).into();
    assert_eq!(seen, expected);
}

#[test]
fn scan_wants_an_object() {
    let message = |text: &str| scan_object(text.as_bytes(), |_| ()).unwrap_err().to_string();
    assert_eq!(message("[1]"), "expected `{` at byte 0");
    assert_eq!(message("{} {}"), "unexpected text after the end of the value at byte 3");
    assert_eq!(message(""), "unexpected end of the text at byte 0");
}

#[test]
fn views_descend() {
    let text = br#"{"a":{"b":[10,{"c":"x\ty"},null,true,-1]},"a":{"b":[0,1]}}"#;
    let first = Value::parse(text).unwrap().members().next().unwrap().value;
    let items: Vec<_> = first.get("b").unwrap().elements().collect();
    assert_eq!(items[0].as_u64(), Some(10));
    assert_eq!(items[1].at(&["c"]).unwrap().as_str().unwrap(), "x\ty");
    assert!(items[2].is_null());
    assert_eq!(items[3].as_bool(), Some(true));
    assert_eq!((items[4].as_u64(), items[4].kind()), (None, Kind::Number));
    assert_eq!(items.len(), 5);
}

#[test]
fn of_repeated_keys_the_last_one_is_read() {
    let value = Value::parse(br#"{"a":1,"\u0061":2}"#).unwrap();
    assert_eq!(value.get("a").unwrap().as_u64(), Some(2));
}

#[test]
fn strings_decode_and_quote_back() {
    for text in ["", "plain", "a\"b\\c\nd\te\r\u{8}\u{c}\u{1}\u{1f}\u{7f}", "é数😀", "\u{2028}"] {
        let quoted = quote(text);
        assert_eq!(Value::parse(&quoted).unwrap().as_str().unwrap(), text);
        assert_eq!(serde_json::from_slice::<String>(&quoted).unwrap(), text);
    }
}

#[test]
fn escapes_without_a_character_read_as_replacement() {
    let read = |text: &str| Value::parse(text.as_bytes()).unwrap().as_str().unwrap().into_owned();
    assert_eq!(read(r#""\ud83d\ude00""#), "😀");
    assert_eq!(read(r#""\ud83dx""#), "\u{fffd}x");
    assert_eq!(read(r#""\ude00\ud83d\u0041""#), "\u{fffd}\u{fffd}A");
}

#[track_caller]
fn edited(text: &str, edit: &ObjectEdit, expected: &str) {
    let bytes = Bytes::copy_from_slice(text.as_bytes());
    let patches = edit.patches(&Value::parse(&bytes).unwrap()).unwrap();
    assert_eq!(patches.apply(&bytes).unwrap(), expected, "{text}");
}

#[test]
fn members_are_set_added_and_removed_with_their_commas() {
    let set = ObjectEdit::new().set_str("a", "é\n").set("n", "1");
    edited("{}", &set, r#"{"a":"é\n","n":1}"#);
    edited(" { } ", &set, " {\"a\":\"é\\n\",\"n\":1 } ");
    edited(r#"{"n" : 7 }"#, &set, r#"{"n" : 1,"a":"é\n" }"#);
    edited(r#"{"a":0,"b":1e400,"a":[] }"#, &set, r#"{"a":"é\n","b":1e400,"a":"é\n","n":1 }"#);
    let remove = ObjectEdit::new().remove("a");
    edited(r#"{"a":1}"#, &remove, "{}");
    edited(r#"{ "a":1, "b":2 }"#, &remove, r#"{ "b":2 }"#);
    edited(r#"{ "b":2 , "a":1 }"#, &remove, r#"{ "b":2 }"#);
    edited(r#"{"a":1,"a":2,"b":3,"a":4,"c":5,"a":6}"#, &remove, r#"{"b":3,"c":5}"#);
    edited(r#"{"b":3}"#, &remove, r#"{"b":3}"#);
}

#[test]
fn removing_all_members_makes_room_for_new_ones() {
    let edit = ObjectEdit::new().remove("a").remove("b").set("c", "3");
    edited(r#"{ "a":1, "b":2 }"#, &edit, r#"{ "c":3 }"#);
    edited(r#"{"b":2,"c":0,"a":1}"#, &edit, r#"{"c":3}"#);
}

#[test]
fn only_objects_have_members_to_edit() {
    let error = ObjectEdit::new().remove("a").patches(&Value::parse(b"[]").unwrap()).unwrap_err();
    assert_eq!(error.to_string(), "cannot edit members of an array");
}

#[test]
fn patches_apply_in_any_order_and_leave_the_rest() {
    let text = Bytes::from_static(b"0123456789");
    let mut patches = Patches::new();
    patches.insert(10, "end");
    patches.replace(Span::new(4, 6), "FOUR-FIVE");
    patches.insert(4, "a");
    patches.insert(4, "b");
    patches.remove(Span::new(0, 1));
    assert_eq!(patches.apply(&text).unwrap(), "123abFOUR-FIVE6789end");
}

#[test]
fn without_patches_the_buffer_is_the_same() {
    let text = Bytes::from_static(b"{}");
    assert_eq!(Patches::new().apply(&text).unwrap().as_ptr(), text.as_ptr());
}

#[test]
fn overlapping_patches_are_refused() {
    let text = Bytes::from_static(b"0123456789");
    let mut patches = Patches::new();
    patches.remove(Span::new(2, 5));
    patches.replace(Span::new(4, 6), "x");
    assert_eq!(patches.apply(&text).unwrap_err().offset, 4);
    let mut beyond = Patches::new();
    beyond.remove(Span::new(9, 11));
    assert!(beyond.apply(&text).is_err());
}

#[test]
fn a_reader_enters_what_it_is_told_to_and_skips_the_rest() {
    let text = br#"{"skip":[1,{"x":2}],"take":{"a":"b"},"list":[1,"two",[3]],"tail":null} "#;
    let mut reader = Reader::new(text);
    let mut seen = Vec::new();
    reader
        .object(|reader, key| {
            match key.decode().as_ref() {
                "take" => drop(reader.object(|reader, key| {
                    seen.push(format!("{}={}", key.decode(), reader.string()?.unwrap().decode()));
                    Ok::<_, JsonError>(())
                })?),
                "list" => drop(reader.array(|reader, index| {
                    if index == 1 {
                        seen.push(format!("{index}={}", reader.string()?.unwrap().decode()));
                    }
                    Ok::<_, JsonError>(())
                })?),
                _ => {}
            }
            Ok::<_, JsonError>(())
        })
        .unwrap();
    reader.end().unwrap();
    assert_eq!(seen, ["a=b", "1=two"]);
}

#[test]
fn a_reader_skips_a_value_of_another_kind() {
    let mut reader = Reader::new(b"[1] ");
    let entered = reader.object(|_, _| Err(JsonError { offset: 0, reason: Reason::ExpectedKey }));
    assert_eq!(entered, Ok(false));
    assert_eq!(reader.end(), Ok(()));
}

#[test]
fn encoded_data_are_told_from_text() {
    let data = "QUJD".repeat(1000);
    let prose = "some words ".repeat(400);
    let text = format!(r#"["{data}","{prose}","{}","data"]"#, "数".repeat(2000));
    let mut reader = Reader::new(text.as_bytes());
    reader.value().unwrap();
    assert_eq!(reader.opaque(), Opaque { count: 1, bytes: data.len() + 2 });
}

#[test]
fn a_member_near_the_end_is_found_only_if_it_is_the_one_at_the_top() {
    let found = |text: &str| {
        let span = member_near_end(text.as_bytes(), b"\"u\"")?;
        let (head, tail) = (text.get(..span.start).unwrap(), text.get(span.end..).unwrap());
        Some([head, tail].concat())
    };
    assert_eq!(found(r#"{"a":1, "u" : null}"#).as_deref(), Some(r#"{"a":1}"#));
    assert_eq!(found(r#"{"a":1 ,"u":{"x":[]},"b":"," } "#).as_deref(), Some(r#"{"a":1 ,"b":"," } "#));
    let elsewhere = [
        r#"{"u":null}"#,
        r#"{"a":{"b":1,"u":null}}"#,
        r#"{"a":[{"b":1,"u":null}],"c":1}"#,
        r#"{"a":1,"u":null,"b":"u"}"#,
        r#"{"a":1,"u":null,"u":1}"#,
        r#"{"a":"x,\"u"}"#,
        r#"{"a":1,"\"u":null}"#,
        r#"{"a":1}"#,
    ];
    for text in elsewhere {
        Value::parse(text.as_bytes()).unwrap();
        assert_eq!(found(text), None, "{text}");
    }
}
