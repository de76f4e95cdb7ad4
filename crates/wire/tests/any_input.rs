//! The checks of the fuzz targets, on generated input: what must hold for any bytes in any chunking.

#[path = "../../../tests/fuzz/src/chat_dialect.rs"]
#[expect(unreachable_pub, reason = "the fuzz package offers it to its targets")]
mod chat_dialect;
#[path = "../../../tests/fuzz/src/json_scan.rs"]
#[expect(unreachable_pub, reason = "the fuzz package offers it to its targets")]
mod json_scan;
#[path = "../../../tests/fuzz/src/sse_decoder.rs"]
#[expect(unreachable_pub, reason = "the fuzz package offers it to its targets")]
mod sse_decoder;

use gatewright::dialect::Dialect;
use proptest::collection::vec;
use proptest::prelude::*;

/// Pieces from which nearly valid JSON grows.
const PIECES: &[&str] = &[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "\"",
    "\\",
    "\"a\"",
    "\"b\"",
    "\"\\u0061\"",
    "1",
    "-0",
    "0.5e+7",
    "1e400",
    "true",
    "false",
    "null",
    " ",
    "\n",
    "\\n",
    "\\ud83d\\ude00",
    "\\udc00",
    "é",
    "数",
    "\u{1}",
    "\"key\":",
    "tru",
    "00",
    "-",
    "{\"a\":",
    "[[",
    "]]",
    "{}",
    "[]",
    "12345678901234567890123",
    "\"a long enough string to fill more than one block\"",
];

/// Pieces from which event streams grow, odd ones more often than in life.
const STREAM_PIECES: &[&str] = &[
    "data",
    "data: ",
    "data:",
    "event: ",
    "event",
    "id: 1",
    "retry: 1",
    ": ",
    ":",
    "\n",
    "\n",
    "\n\n",
    "\r",
    "\r\r",
    "\r\n",
    "\r\n\r\n",
    "{\"a\":1}",
    "[DONE]",
    "x",
    " ",
    "é",
    "数",
    "\u{feff}",
    "\0",
    "a text that takes some of the room there is",
];

/// Pieces from which requests, answers and streams of chats grow.
const CHAT_PIECES: &[&str] = &[
    r#"{"model":"m","messages":[{"role":"user","content":"hi"}]}"#,
    r#"{"model":"m","stream":true,"messages":["#,
    r#"{"role":"assistant","content":[{"type":"thinking","thinking":"t"}],"tool_calls":[{"id":"a","function":{"name":"f","arguments":"{}"}}]}"#,
    r#"{"role":"assistant","thinking":"t","tool_calls":[{"function":{"name":"f","arguments":{"a":1}}}]}"#,
    r#"{"role":"tool","tool_call_id":"a","tool_name":"f","content":"r"}"#,
    r#"{"role":"system","content":""}"#,
    r#"{"role":"user","content":[{"type":"image_url","image_url":{"url":"data:,x"}}],"images":["QQ==",7]}"#,
    r#"]}"#,
    r#"],"options":{"num_predict":-1,"stop":"x"},"think":true,"documents":["d"],"p":2}"#,
    ",",
    r#"data: {"type":"content-start","index":0,"delta":{"message":{"content":{"type":"thinking","thinking":"a"}}}}"#,
    r#"data: {"type":"content-delta","index":0,"delta":{"message":{"content":{"text":"\u00e9"}}}}"#,
    r#"data: {"type":"content-end","index":0}"#,
    r#"data: {"type":"tool-call-start","index":0,"delta":{"message":{"tool_calls":{"id":"a","function":{"name":"f","arguments":"{"}}}}}"#,
    r#"data: {"type":"tool-call-delta","index":4294967299,"delta":{"message":{"tool_calls":{"function":{"arguments":"}"}}}}}"#,
    r#"data: {"type":"message-end","delta":{"finish_reason":"COMPLETE","usage":{"tokens":{"input_tokens":1e3}}}}"#,
    r#"data: {"type":"message-end","delta":{"finish_reason":"ERROR"}}"#,
    "data: [DONE]",
    r#"{"message":{"role":"assistant","content":"a","thinking":"b"},"done":false}"#,
    r#"{"message":{"tool_calls":[{"function":{"name":"f","arguments":{"a":"\n"}}},{}]},"done":false}"#,
    r#"{"message":{"content":""},"done":true,"done_reason":"stop","eval_count":3}"#,
    r#"{"message":{"content":[{"type":"text","text":"a"}]},"finish_reason":"COMPLETE"}"#,
    r#"{"error":"no"}"#,
    "\n",
    "\n\n",
    "{",
];

fn nearly_a_chat() -> impl Strategy<Value = String> {
    vec(proptest::sample::select(CHAT_PIECES), 0..10).prop_map(|pieces| pieces.concat())
}

fn dialect() -> impl Strategy<Value = Dialect> {
    proptest::sample::select(vec![Dialect::CohereChat, Dialect::OllamaChat])
}

fn nearly_a_stream() -> impl Strategy<Value = String> {
    vec(proptest::sample::select(STREAM_PIECES), 0..24).prop_map(|pieces| pieces.concat())
}

fn nearly_json() -> impl Strategy<Value = String> {
    vec(proptest::sample::select(PIECES), 0..24).prop_map(|pieces| pieces.concat())
}

fn scalar() -> impl Strategy<Value = String> {
    prop_oneof![
        Just("null".to_owned()),
        Just("true".to_owned()),
        "-?(0|[1-9][0-9]{0,30})(\\.[0-9]{1,5})?([eE][+-]?[0-9]{1,4})?",
        "\\PC{0,60}".prop_map(|text| serde_json::to_string(&text).expect("text is JSON")),
        Just("\"\\ud800 \\/ \\u00e9\"".to_owned()),
    ]
}

/// Valid JSON with odd spacing, repeated keys and numbers of any size.
fn json() -> impl Strategy<Value = String> {
    let space = "[ \t\r\n]{0,2}";
    scalar().prop_recursive(5, 40, 6, move |inner| {
        let item = (space, inner, space).prop_map(|(a, b, c)| a + &b + &c);
        let member = ("[ab]{0,2}", space, item.clone()).prop_map(|(key, a, b)| format!("\"{key}\"{a}:{b}"));
        prop_oneof![
            (space, vec(item, 0..6)).prop_map(|(space, items)| format!("[{space}{}]", items.join(","))),
            (space, vec(member, 0..6))
                .prop_map(|(space, members)| format!("{{{space}{}}}", members.join(","))),
        ]
    })
}

/// Places to flip in a text, as parts of 65,536 of its length, and what to put there.
fn damage() -> impl Strategy<Value = Vec<(u16, u8)>> {
    vec((any::<u16>(), any::<u8>()), 1..4)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn json_scan_holds_on_nearly_json(text in nearly_json()) {
        json_scan::check(text.as_bytes());
    }

    #[test]
    fn json_scan_holds_on_json(text in json()) {
        json_scan::check(text.as_bytes());
    }

    #[test]
    fn json_scan_holds_on_damaged_json(text in json(), damage in damage()) {
        let mut text = text.into_bytes();
        for (place, byte) in damage {
            let at = (usize::from(place) * text.len()) >> 16;
            text[at] = byte;
        }
        json_scan::check(&text);
    }

    #[test]
    fn json_scan_holds_on_any_bytes(bytes in vec(any::<u8>(), 0..200)) {
        json_scan::check(&bytes);
    }

    #[test]
    fn sse_decoder_holds_on_nearly_a_stream(seed: u8, stream in nearly_a_stream()) {
        sse_decoder::check(&[&[seed], stream.as_bytes()].concat());
    }

    #[test]
    fn sse_decoder_holds_on_any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        sse_decoder::check(&bytes);
    }

    #[test]
    fn chats_of_new_dialects_hold_on_nearly_chats(dialect in dialect(), text in nearly_a_chat()) {
        chat_dialect::check(dialect, text.as_bytes());
    }

    #[test]
    fn chats_of_new_dialects_hold_on_any_bytes(dialect in dialect(), bytes in vec(any::<u8>(), 0..300)) {
        chat_dialect::check(dialect, &bytes);
    }
}
