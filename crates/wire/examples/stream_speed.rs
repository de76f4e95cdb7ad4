//! Prints what one event of a stream costs at each depth of handling.
//!
//! Run with `cargo run --release -p gatewright-wire --example stream_speed`; it takes a few seconds.

#![expect(clippy::print_stdout, reason = "printing is what it is for")]

use std::hint::black_box;
use std::time::{Duration, Instant};

use bytes::Bytes;
use gatewright::dialect::{Codec, Dialect, Frame, StreamSettings};
use gatewright_wire::{codec, sse::SseDecoder};

/// Long enough to be calm, short enough to wait for.
const TIME_PER_CASE: Duration = Duration::from_millis(800);

/// Events per chunk of bytes.
const EVENTS: u32 = 64;

fn main() {
    let event = concat!(
        r#"data: {"id":"chatcmpl-AbCdEfGhIjKlMnOpQrStUvWxYz012","object":"chat.completion.chunk","created":1700000000,"#,
        r#""model":"some-model-2024-07-18","service_tier":"default","system_fingerprint":"fp_0123456789","choices":"#,
        r#"[{"index":0,"delta":{"content":" a few words"},"logprobs":null,"finish_reason":null}],"usage":null}"#,
        "\n\n",
    );
    let chunk = Bytes::from(event.repeat(EVENTS as usize));
    let codec = codec(Dialect::OpenAiChat);
    let settings = StreamSettings { model: None, hide_usage: true, envelope: None };
    let mut out = Vec::new();
    println!("{} bytes per event", event.len());
    report("framing only", || {
        let mut decoder = SseDecoder::default();
        decoder.push(chunk.clone());
        while let Ok(Some(frame)) = decoder.next_frame() {
            black_box(frame);
        }
    });
    report("framing, glance", || frames(codec, &chunk, |frame| drop(black_box(frame))));
    report("framing, glance, usage hidden", || {
        let mut encoder = codec.stream_encoder(settings.clone());
        frames(codec, &chunk, |frame| {
            out.clear();
            encoder.pass(&frame, &mut out);
        });
    });
    report("framing, glance, events, text edited", || {
        let mut encoder = codec.stream_encoder(settings.clone());
        let mut decoder = codec.stream_decoder();
        let mut events = Vec::new();
        frames(codec, &chunk, |frame| {
            events.clear();
            out.clear();
            decoder.events(&frame, &mut events).expect("a frame of the dialect");
            events.iter_mut().for_each(|event| event.replace_text("other words"));
            encoder.observe(&frame);
            encoder.write(Some(&frame), &events, &mut out);
        });
    });
}

fn frames(codec: &dyn Codec, chunk: &Bytes, mut each: impl FnMut(Frame)) {
    let mut decoder = codec.stream_decoder();
    decoder.push(chunk.clone());
    while let Ok(Some(frame)) = decoder.next_frame() {
        each(frame);
    }
}

/// Prints the time of one event, the least of many batches.
fn report(what: &str, mut batch: impl FnMut()) {
    let mut best = Duration::MAX;
    let begin = Instant::now();
    while begin.elapsed() < TIME_PER_CASE {
        let start = Instant::now();
        batch();
        best = best.min(start.elapsed());
    }
    println!("    {what:40} {:6.0} ns", best.as_secs_f64() * 1e9 / f64::from(EVENTS));
}
