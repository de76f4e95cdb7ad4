//! The checks of the fuzz targets, on generated input: what must hold for any bytes in any chunking.

#![expect(unreachable_pub, reason = "the fuzz package offers the checks to its targets")]

#[path = "../../../tests/fuzz/src/answer.rs"]
mod answer;
#[path = "../../../tests/fuzz/src/chat_dialect.rs"]
mod chat_dialect;
#[path = "../../../tests/fuzz/src/dialect.rs"]
mod dialect;
#[path = "../../../tests/fuzz/src/event_stream.rs"]
mod event_stream;
#[path = "../../../tests/fuzz/src/json_scan.rs"]
mod json_scan;
#[path = "../../../tests/fuzz/src/keepsake.rs"]
mod keepsake;
#[path = "../../../tests/fuzz/src/multipart.rs"]
mod multipart;
#[path = "../../../tests/fuzz/src/request.rs"]
mod request;
#[path = "../../../tests/fuzz/src/sse_decoder.rs"]
mod sse_decoder;
#[path = "../../../tests/fuzz/src/stream.rs"]
mod stream;
#[path = "../../../tests/fuzz/src/tool_name.rs"]
mod tool_name;
#[path = "../../../tests/fuzz/src/web_socket.rs"]
mod web_socket;

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

/// Pieces from which forms grow; the boundary is a letter.
const FORM_PIECES: &[&str] = &[
    "--b\r\n",
    "--b\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\n",
    "--b\r\nContent-Disposition: form-data; name=\"f\"; filename=\"f\"\r\n\r\n",
    "\r\n--b--\r\n",
    "\r\n--b--",
    "\r\n",
    "\r\n\r\n",
    "--b",
    "-",
    "\r",
    "\n",
    "x",
    "a: b\r\n",
    "\0\u{e9}",
];

fn nearly_a_form() -> impl Strategy<Value = String> {
    vec(proptest::sample::select(FORM_PIECES), 0..16).prop_map(|pieces| pieces.concat())
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

/// A document of a dialect, behind the digit that chooses it.
macro_rules! seeds {
    ($kind:literal) => {
        [
            include_str!(concat!("../../../tests/fuzz/seeds/", $kind, "/openai_chat.json")),
            include_str!(concat!("../../../tests/fuzz/seeds/", $kind, "/openai_responses.json")),
            include_str!(concat!("../../../tests/fuzz/seeds/", $kind, "/anthropic_messages.json")),
            include_str!(concat!("../../../tests/fuzz/seeds/", $kind, "/google_generate.json")),
            include_str!(concat!("../../../tests/fuzz/seeds/", $kind, "/bedrock_converse.json")),
        ]
    };
}

/// What stands where something else is expected.
const STRANGERS: &[&str] = &[
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    "1e400",
    "\"\"",
    "\"x\"",
    "\" \"",
    "\"\\u00e9\\n\\\"\"",
    "\"text\"",
    "\"{\\\"a\\\":1}\"",
    "[]",
    "{}",
    "[{}]",
    "[null]",
    "{\"type\":\"text\",\"text\":\"t\"}",
    "[\"a\",\"b\"]",
    "\"assistant\"",
    "\"user\"",
    "\"tool\"",
    "\"none\"",
];

/// What becomes of a node: a stranger, nothing, itself twice, or another node.
#[derive(Debug, Clone)]
enum Change {
    Stranger(&'static str),
    Gone,
    Twice,
    Moved(u16),
}

fn changes() -> impl Strategy<Value = Vec<(u16, Change)>> {
    let change = prop_oneof![
        3 => proptest::sample::select(STRANGERS).prop_map(Change::Stranger),
        1 => Just(Change::Gone),
        1 => Just(Change::Twice),
        1 => any::<u16>().prop_map(Change::Moved),
    ];
    vec((any::<u16>(), change), 0..4)
}

/// The pointers of all nodes below a value.
fn places(value: &serde_json::Value, at: &str, found: &mut Vec<String>) {
    let children: Vec<(String, &serde_json::Value)> = match value {
        serde_json::Value::Object(members) => {
            members.iter().map(|(key, value)| (key.replace('~', "~0").replace('/', "~1"), value)).collect()
        }
        serde_json::Value::Array(items) => {
            items.iter().enumerate().map(|(at, item)| (at.to_string(), item)).collect()
        }
        _ => return,
    };
    for (name, child) in children {
        let place = format!("{at}/{name}");
        places(child, &place, found);
        found.push(place);
    }
}

fn change(value: &mut serde_json::Value, at: u16, change: &Change) {
    let mut found = Vec::new();
    places(value, "", &mut found);
    let chosen = |at: u16| found.get((usize::from(at) * found.len()) >> 16);
    let Some(place) = chosen(at) else { return };
    let (parent, name) = place.rsplit_once('/').expect("a pointer begins with a slash");
    match change {
        // A number beyond any type is none to this library: it stays what it was.
        Change::Stranger(text) => {
            if let Ok(stranger) = serde_json::from_str(text) {
                *value.pointer_mut(place).expect("it was found") = stranger;
            }
        }
        Change::Moved(from) => {
            let moved = chosen(*from).and_then(|from| value.pointer(from)).cloned().unwrap_or_default();
            *value.pointer_mut(place).expect("it was found") = moved;
        }
        Change::Gone | Change::Twice => match value.pointer_mut(parent) {
            Some(serde_json::Value::Object(members)) if matches!(change, Change::Gone) => {
                drop(members.remove(name));
            }
            Some(serde_json::Value::Array(items)) => {
                let at = name.parse().expect("an index");
                let item = items.remove(at);
                if matches!(change, Change::Twice) {
                    items.insert(at, item.clone());
                    items.insert(at, item);
                }
            }
            _ => (),
        },
    }
}

/// A document of a dialect in which some things are otherwise.
fn odd(seeds: [&'static str; 5]) -> impl Strategy<Value = String> {
    (proptest::sample::select(seeds.to_vec()), changes()).prop_map(|(seed, changes)| {
        let (digit, text) = seed.split_at(1);
        let mut value = serde_json::from_str(text).expect("a seed is JSON");
        for (at, how) in &changes {
            change(&mut value, *at, how);
        }
        format!("{digit}{value}")
    })
}

/// The streams among the golden files, each behind the digit of its dialect and a seed.
fn streams() -> Vec<Vec<u8>> {
    let golden = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut found = Vec::new();
    let folders = [
        ("", "chat.", b'0'),
        ("openai_responses", "", b'1'),
        ("anthropic_messages", "", b'2'),
        ("", "google.", b'3'),
        ("", "bedrock.", b'4'),
    ];
    for (folder, prefix, digit) in folders {
        for entry in std::fs::read_dir(golden.join(folder)).expect("there are golden files") {
            let path = entry.expect("an entry").path();
            let name = path.file_name().expect("a name").to_string_lossy().into_owned();
            let is_stream = [".sse", ".events"].iter().any(|end| name.ends_with(end));
            if path.is_file() && name.starts_with(prefix) && is_stream {
                let stream = std::fs::read(&path).expect("it is there");
                found.push([&[digit, b'0'], stream.as_slice()].concat());
            }
        }
    }
    found
}

#[test]
fn a_stream_of_the_golden_files_holds() {
    let streams = streams();
    for digit in b'0'..=b'4' {
        assert!(streams.iter().any(|stream| stream[0] == digit), "there is one of each dialect");
    }
    streams.iter().for_each(|stream| stream::check(stream));
}

#[test]
fn the_seeds_of_documents_hold() {
    for seed in seeds!("request") {
        request::check(seed.as_bytes());
    }
    for seed in seeds!("answer") {
        answer::check(seed.as_bytes());
    }
}

/// Frames of either side, some of them wrong: heads that mean something, and short payloads.
fn nearly_frames() -> impl Strategy<Value = Vec<u8>> {
    let first = prop_oneof![
        Just(0x01_u8),
        Just(0x81),
        Just(0x80),
        Just(0x00),
        Just(0x82),
        Just(0x88),
        Just(0x89),
        Just(0x8a),
        any::<u8>()
    ];
    let frame = (first, any::<bool>(), vec(prop_oneof![Just(b'a'), Just(0x03_u8), any::<u8>()], 0..9))
        .prop_map(|(first, is_masked, payload)| {
            let length = u8::try_from(payload.len()).expect("it is short");
            let head = if is_masked { vec![first, 0x80 | length, 0, 0, 0, 0] } else { vec![first, length] };
            [head, payload].concat()
        });
    vec(frame, 0..12).prop_map(|frames| frames.concat())
}

/// Events that name models in places that count and in others.
fn events() -> impl Strategy<Value = String> {
    let key = prop_oneof![
        Just("type"),
        Just("session"),
        Just("response"),
        Just("model"),
        Just("m\\u006fdel"),
        Just("usage")
    ];
    let leaf = prop_oneof![
        Just("\"a\"".to_owned()),
        Just("\"b\"".to_owned()),
        Just("\"c\"".to_owned()),
        Just("7".to_owned()),
        Just("null".to_owned()),
        Just("\"response.done\"".to_owned())
    ];
    leaf.prop_recursive(4, 32, 4, move |inner| {
        vec((key.clone(), inner), 0..4).prop_map(|members| {
            let members: Vec<_> = members.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
            format!("{{{}}}", members.join(","))
        })
    })
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
    fn multipart_holds_on_nearly_a_form(seed: u8, form in nearly_a_form()) {
        multipart::check(&[&[seed], form.as_bytes()].concat());
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
    fn requests_hold_where_something_is_otherwise(text in odd(seeds!("request"))) {
        request::check(text.as_bytes());
    }

    #[test]
    fn answers_hold_where_something_is_otherwise(text in odd(seeds!("answer"))) {
        answer::check(text.as_bytes());
    }

    #[test]
    fn streams_hold_where_something_is_otherwise(
        stream in proptest::sample::select(streams()),
        seed: u8,
        damage in damage(),
    ) {
        let mut stream = stream;
        stream[1] = seed;
        for (place, byte) in damage {
            let at = (usize::from(place) * (stream.len() - 2)) >> 16;
            stream[at + 2] = byte;
        }
        stream::check(&stream);
    }

    #[test]
    fn binary_streams_hold_on_any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        event_stream::check(&bytes);
    }

    #[test]
    fn keepsakes_hold_on_nearly_keepsakes(text in odd([
        r#"0[{"from":"anthropic_messages","data":"c2ln","text":"hm"},{"from":"google_generate","data":"x","call":"c"}]"#; 5
    ])) {
        keepsake::check(&text.as_bytes()[1..]);
    }

    #[test]
    fn names_of_tools_hold(name in "[a-zA-Z0-9_. :/é-]{1,80}") {
        tool_name::check(name.as_bytes());
    }

    #[test]
    fn chats_of_new_dialects_hold_on_nearly_chats(dialect in dialect(), text in nearly_a_chat()) {
        chat_dialect::check(dialect, text.as_bytes());
    }

    #[test]
    fn chats_of_new_dialects_hold_on_any_bytes(dialect in dialect(), bytes in vec(any::<u8>(), 0..300)) {
        chat_dialect::check(dialect, &bytes);
    }

    #[test]
    fn web_socket_holds_on_nearly_frames(seed: u8, stream in nearly_frames()) {
        web_socket::check(&[&[seed], &*stream].concat());
    }

    #[test]
    fn web_socket_holds_on_any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        web_socket::check(&bytes);
    }

    #[test]
    fn events_of_sessions_name_no_other_model(event in events()) {
        web_socket::check(&[&[0], event.as_bytes()].concat());
    }
}
