//! Prints how fast the scanner and its kin go over prompt-like text.
//!
//! Run with `cargo run --release -p gatewright-wire --example scan_speed`; it takes a few seconds.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright::dialect::Dialect;
use gatewright_wire::codec;
use gatewright_wire::json::{ObjectEdit, Value, scan_object};

/// Long enough to be calm, short enough to wait for.
const TIME_PER_CASE: Duration = Duration::from_millis(800);

fn main() {
    let lines = "x".repeat(79) + "\\n";
    let code = "let s = \\\"hi\\\";\\n    ";
    let cases = [
        ("escape every 80 bytes", prompt(&lines)),
        ("escape every 7 bytes (code)", prompt(code)),
        ("no escape", prompt("plain text and nothing else ")),
        ("two-byte letters", prompt("Grüße aus Köln, schöne Straße ")),
        ("three-byte letters", prompt("数据中心网关")),
        ("many small messages", messages()),
    ];
    for (name, text) in &cases {
        let scan = time(|| {
            scan_object(black_box(text), |member| assert!(!black_box(member).key.span().is_empty())).is_ok()
        });
        let parse = time(|| Value::parse(black_box(text)).is_ok());
        let edit = time(|| {
            let edit = ObjectEdit::new().set_str("model", "other");
            let object = Value::parse(text).expect("the text is JSON");
            black_box(edit.patches(&object).expect("an object").apply(text).expect("no overlap"));
            true
        });
        let serde = time(|| serde_json::from_slice::<serde::de::IgnoredAny>(black_box(text)).is_ok());
        let decode = time(|| codec(Dialect::OpenAiChat).decode_request(text.clone()).is_ok());
        let splice = time(|| {
            let mut request = codec(Dialect::OpenAiChat).decode_request(text.clone()).expect("a request");
            request.set_model("other");
            !black_box(request.to_body()).is_empty()
        });
        println!("{name}, {} KiB", text.len() / 1024);
        let cases = [
            ("scan", scan),
            ("parse", parse),
            ("parse, edit", edit),
            ("request", decode),
            ("request, model", splice),
            ("serde ignore", serde),
        ];
        for (what, took) in cases {
            let rate = text.len() as f64 / took.as_secs_f64() / 1e9;
            println!("    {what:15} {:8.1} us  {rate:6.2} GB/s", took.as_secs_f64() * 1e6);
        }
    }
}

fn prompt(unit: &str) -> Bytes {
    let text = unit.repeat((1 << 20) / unit.len());
    Bytes::from(format!(
        r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}],"stream":true,"max_tokens":100}}"#
    ))
}

fn messages() -> Bytes {
    let one = r#"{"role":"user","content":"What is the weather in Oslo?"},"#;
    let all = one.repeat((1 << 20) / one.len());
    Bytes::from(format!(r#"{{"model":"m","messages":[{all}{{"role":"user","content":""}}]}}"#))
}

/// Time of one call, the least of many batches.
fn time(mut call: impl FnMut() -> bool) -> Duration {
    let mut best = Duration::MAX;
    let begin = Instant::now();
    while begin.elapsed() < TIME_PER_CASE {
        let start = Instant::now();
        for _ in 0..4 {
            assert!(call(), "the text is JSON");
        }
        best = best.min(start.elapsed() / 4);
    }
    best
}
