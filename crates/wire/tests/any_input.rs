//! The checks of the fuzz targets, on generated input: what must hold for any bytes in any chunking.

#[path = "../../../tests/fuzz/src/json_scan.rs"]
#[expect(unreachable_pub, reason = "the fuzz package offers it to its targets")]
mod json_scan;
#[path = "../../../tests/fuzz/src/sse_decoder.rs"]
#[expect(unreachable_pub, reason = "the fuzz package offers it to its targets")]
mod sse_decoder;
#[path = "../../../tests/fuzz/src/web_socket.rs"]
#[expect(unreachable_pub, reason = "the fuzz package offers it to its targets")]
mod web_socket;

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
            let length = u8::try_from(payload.len()).unwrap();
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
    fn sse_decoder_holds_on_nearly_a_stream(seed: u8, stream in nearly_a_stream()) {
        sse_decoder::check(&[&[seed], stream.as_bytes()].concat());
    }

    #[test]
    fn sse_decoder_holds_on_any_bytes(bytes in vec(any::<u8>(), 0..300)) {
        sse_decoder::check(&bytes);
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
