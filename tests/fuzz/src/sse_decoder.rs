//! The decoder gives every byte back, with the line ends that the last event lacks, and the same events for any
//! chunking.

use bytes::Bytes;
use gatewright_wire::sse::{SseDecoder, SseError, SseFrame};

/// Small, so that inputs reach it.
const EVENT_BYTES_MAX: usize = 64;

/// What a chunking must not change.
#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    events: Vec<(Option<Bytes>, Bytes)>,
    error: Option<SseError>,
}

/// Checks all of it for one input: the first byte seeds the chunking, the rest is the stream.
pub fn check(data: &[u8]) {
    let Some((&seed, stream)) = data.split_first() else { return };
    let whole = run(stream, |left| left);
    let single = run(stream, |_| 1);
    let mut state = u32::from(seed);
    let mixed = run(stream, |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 28) as usize + 1
    });
    assert_eq!(whole, single, "byte by byte");
    assert_eq!(whole, mixed, "in mixed chunks");
}

fn run(stream: &[u8], mut chunk_len: impl FnMut(usize) -> usize) -> Outcome {
    let mut decoder = SseDecoder::new(EVENT_BYTES_MAX);
    let mut frames = Vec::new();
    let mut left = stream;
    let mut error = None;
    while error.is_none() && !left.is_empty() {
        let (chunk, rest) = left.split_at(chunk_len(left.len()).min(left.len()));
        decoder.push(Bytes::copy_from_slice(chunk));
        error = drain(|| decoder.next_frame(), &mut frames);
        left = rest;
    }
    error = error.or_else(|| drain(|| decoder.finish(), &mut frames));
    let together: Vec<u8> = frames.iter().flat_map(|frame| frame.raw.to_vec()).collect();
    match error {
        None => {
            let added = together.strip_prefix(stream).expect("the frames are the stream");
            assert!(matches!(added, b"" | b"\n" | b"\n\n"), "more than line ends follows: {added:?}");
        }
        Some(_) => assert!(stream.starts_with(&together), "the frames do not begin the stream"),
    }
    let events = frames.into_iter().filter_map(|frame| Some((frame.event, frame.data?)));
    Outcome { events: events.collect(), error }
}

fn drain(
    mut next: impl FnMut() -> Result<Option<SseFrame>, SseError>,
    frames: &mut Vec<SseFrame>,
) -> Option<SseError> {
    loop {
        match next() {
            Ok(Some(frame)) => frames.push(frame),
            Ok(None) => return None,
            Err(error) => return Some(error),
        }
    }
}
