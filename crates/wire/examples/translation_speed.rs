//! Prints how fast a prompt of a mebibyte goes from one dialect into another, as the table of the benchmarks.
//!
//! Run with `cargo run --release -p gatewright-wire --example translation_speed`; it takes half a minute. With
//! `--quick` each case is measured for a moment.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright::chat::{Losses, Place};
use gatewright::dialect::{Abilities, Dialect};
use gatewright_wire::codec;

/// Each case is measured so often, and the best counts: what disturbs it only makes it slower.
const SAMPLES: u32 = 5;
const TIME_PER_SAMPLE: Duration = Duration::from_millis(200);
const TIME_OF_A_MOMENT: Duration = Duration::from_millis(10);

const HUB: Dialect = Dialect::OpenAiChat;
const OTHERS: [Dialect; 4] =
    [Dialect::OpenAiResponses, Dialect::AnthropicMessages, Dialect::GoogleGenerate, Dialect::BedrockConverse];

fn main() {
    let time =
        if std::env::args().any(|word| word == "--quick") { TIME_OF_A_MOMENT } else { TIME_PER_SAMPLE };
    let lines = "x".repeat(79) + "\\n";
    let prompts = [prompt(&lines, 1), prompt("plain text ", 1), prompt("hi there. ", 4_000)];
    println!("| from | to | an escape every 80 bytes | no escape | 4,000 messages |");
    println!("| --- | --- | --- | --- | --- |");
    let there = OTHERS.map(|other| (HUB, other));
    let back = OTHERS.map(|other| (other, HUB));
    for (from, to) in there.into_iter().chain(back) {
        let speeds = prompts.each_ref().map(|prompt| {
            let body = if from == HUB { prompt.clone() } else { translated(prompt, HUB, from) };
            format!("{:.0} MB/s", speed(&body, (from, to), time))
        });
        println!("| `{}` | `{}` | {} |", from.as_str(), to.as_str(), speeds.join(" | "));
    }
}

/// Megabytes of the request that is read, per second.
fn speed(body: &[u8], (from, to): (Dialect, Dialect), time: Duration) -> f64 {
    let bytes = f64::from(u32::try_from(body.len()).expect("a prompt is some mebibytes long"));
    let samples = (0..SAMPLES).map(|_| {
        let (start, begun) = (Instant::now(), cpu_time());
        let mut rounds = 0_u32;
        while start.elapsed() < time {
            black_box(translated(black_box(body), from, to));
            rounds += 1;
        }
        bytes * f64::from(rounds) / used(begun, start).as_secs_f64() / 1e6
    });
    samples.fold(0.0, f64::max)
}

/// What this thread has used of its processor, where the kernel tells: others may want it too.
fn cpu_time() -> Option<Duration> {
    let text = std::fs::read_to_string("/proc/thread-self/schedstat").ok()?;
    text.split_whitespace().next()?.parse().ok().map(Duration::from_nanos)
}

fn used(begun: Option<Duration>, start: Instant) -> Duration {
    let used = begun.and_then(|begun| cpu_time()?.checked_sub(begun));
    used.filter(|used| !used.is_zero()).unwrap_or_else(|| start.elapsed())
}

fn translated(body: &[u8], from: Dialect, to: Dialect) -> Bytes {
    let (Some(from), Some(to)) = (codec(from).chat(), codec(to).chat()) else { return Bytes::new() };
    let chat = from.read_request(body).expect("the prompt is a request");
    let name = |place: &Place<'_>| from.pointer(place);
    to.write_request(&chat, &Abilities::default(), &mut Losses::new(false, &name))
        .expect("all dialects can say it")
}

/// A prompt of a mebibyte, in so many messages of either speaker.
fn prompt(piece: &str, messages: usize) -> Bytes {
    let text = piece.repeat((1 << 20) / messages / piece.len() + 1);
    let turns: Vec<_> = (0..messages)
        .map(|at| {
            let role = if at % 2 == 0 { "user" } else { "assistant" };
            format!(r#"{{"role":"{role}","content":"{text}"}}"#)
        })
        .collect();
    let last = r#"{"role":"user","content":"go on"}"#;
    format!(r#"{{"model":"m","max_tokens":9,"messages":[{},{last}]}}"#, turns.join(",")).into()
}
