//! Prints how fast a prompt of a mebibyte goes from one dialect into another.
//!
//! Run with `cargo run --release -p gatewright-wire --example translation_speed`; it takes a few seconds.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright::chat::{Losses, Place};
use gatewright::dialect::{Abilities, Dialect};
use gatewright_wire::codec;

/// Long enough to be calm, short enough to wait for.
const TIME_PER_CASE: Duration = Duration::from_millis(800);

const DIALECTS: [Dialect; 5] = [
    Dialect::OpenAiChat,
    Dialect::OpenAiResponses,
    Dialect::AnthropicMessages,
    Dialect::GoogleGenerate,
    Dialect::BedrockConverse,
];

fn main() {
    let lines = "x".repeat(79) + "\\n";
    let cases = [
        ("escape every 80 bytes", lines.as_str(), 1),
        ("no escape", "plain text ", 1),
        ("many messages", "hi there. ", 4_000),
    ];
    for (name, piece, messages) in cases {
        let prompt = prompt(piece, messages);
        for to in DIALECTS.into_iter().filter(|to| *to != Dialect::OpenAiChat) {
            report(name, &prompt, Dialect::OpenAiChat, to);
        }
        for from in DIALECTS.into_iter().filter(|from| *from != Dialect::OpenAiChat) {
            report(name, &translated(&prompt, Dialect::OpenAiChat, from), from, Dialect::OpenAiChat);
        }
    }
}

fn report(name: &str, body: &[u8], from: Dialect, to: Dialect) {
    let start = Instant::now();
    let mut rounds = 0_u32;
    while start.elapsed() < TIME_PER_CASE {
        black_box(translated(black_box(body), from, to));
        rounds += 1;
    }
    let bytes = f64::from(u32::try_from(body.len()).expect("a prompt is some mebibytes long"));
    let speed = bytes * f64::from(rounds) / start.elapsed().as_secs_f64() / 1e6;
    println!("{name:24} {:20} -> {:20} {speed:8.0} MB/s", from.as_str(), to.as_str());
}

fn translated(body: &[u8], from: Dialect, to: Dialect) -> Bytes {
    let (Some(from), Some(to)) = (codec(from).chat(), codec(to).chat()) else { return Bytes::new() };
    let chat = from.read_request(body).expect("the prompt is a request");
    let name = |place: &Place<'_>| from.pointer(place);
    to.write_request(&chat, &Abilities::default(), &mut Losses::new(false, &name))
        .expect("all dialects can say it")
}

/// A prompt of a mebibyte, in so many messages of either speaker.
fn prompt(piece: &str, messages: usize) -> Vec<u8> {
    let text = piece.repeat((1 << 20) / messages / piece.len() + 1);
    let turns: Vec<_> = (0..messages)
        .map(|at| {
            let role = if at % 2 == 0 { "user" } else { "assistant" };
            format!(r#"{{"role":"{role}","content":"{text}"}}"#)
        })
        .collect();
    let last = r#"{"role":"user","content":"go on"}"#;
    format!(r#"{{"model":"m","max_tokens":9,"messages":[{},{last}]}}"#, turns.join(",")).into_bytes()
}
