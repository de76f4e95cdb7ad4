//! A stream of a dialect gives the same bytes and events for any chunking, and its events go into every dialect as a
//! stream that this dialect reads.

use bytes::Bytes;
use gatewright::dialect::{Codec, Dialect, Frame, StreamSettings};
use gatewright::{Failure, StreamEvent};
use gatewright_wire::codec;

use crate::dialect::{CHATS, chosen, envelope};

/// What a chunking must not change.
#[derive(Debug, Default)]
struct Outcome {
    /// The bytes of all frames, without the line ends at their end: a cut may divide the last one, behind which nobody
    /// reads on.
    bytes: Vec<u8>,
    events: Vec<StreamEvent>,
    failed: Option<Failure>,
    is_complete: bool,
}

/// Checks all of it for one input: the first byte chooses the dialect, the second seeds the chunking, the rest is the
/// stream.
pub fn check(data: &[u8]) {
    let Some((codec_in, rest)) = chosen(data) else { return };
    let Some((&seed, stream)) = rest.split_first() else { return };
    let whole = run(codec_in, stream, |left| left);
    let mut state = u32::from(seed);
    let mixed = run(codec_in, stream, |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 28) as usize + 1
    });
    assert_eq!(format!("{whole:?}"), format!("{mixed:?}"), "in mixed chunks");
    let single = run(codec_in, stream, |_| 1);
    assert_eq!(format!("{whole:?}"), format!("{single:?}"), "byte by byte");
    for dialect in CHATS {
        write(codec(dialect), &whole.events);
    }
}

fn run(codec: &dyn Codec, stream: &[u8], mut chunk_len: impl FnMut(usize) -> usize) -> Outcome {
    let mut decoder = codec.stream_decoder();
    let mut outcome = Outcome::default();
    let mut left = stream;
    loop {
        let frame = match decoder.next_frame() {
            Ok(None) if left.is_empty() => decoder.finish(),
            other => other,
        };
        let read = frame.and_then(|frame| match frame {
            Some(frame) => decoder.events(&frame, &mut outcome.events).map(|()| Some(frame)),
            None => Ok(None),
        });
        match read {
            Ok(Some(Frame { raw, .. })) => outcome.bytes.extend_from_slice(&raw),
            Ok(None) if left.is_empty() => break,
            Ok(None) => {
                let (chunk, rest) = left.split_at(chunk_len(left.len()).min(left.len()));
                decoder.push(Bytes::copy_from_slice(chunk));
                left = rest;
            }
            Err(failure) => {
                outcome.failed = Some(failure);
                break;
            }
        }
    }
    outcome.bytes.truncate(outcome.bytes.trim_ascii_end().len());
    outcome.is_complete = decoder.is_complete();
    outcome
}

/// Writes events as a stream of a dialect, which reads it to its end.
fn write(codec: &dyn Codec, events: &[StreamEvent]) {
    let settings = StreamSettings { envelope: Some(envelope()), ..StreamSettings::default() };
    let mut encoder = codec.stream_encoder(settings);
    let mut out = Vec::new();
    for event in events {
        encoder.write(None, std::slice::from_ref(event), &mut out);
    }
    encoder.write_end(&mut out);
    let read = run(codec, &out, |left| left);
    let own_error = matches!(codec.dialect(), Dialect::AnthropicMessages) && read.failed.is_none();
    assert!(
        own_error || read.failed.is_none(),
        "{:?}: {:?}\n{:?}",
        codec.dialect(),
        read.failed,
        Bytes::from(out)
    );
}
