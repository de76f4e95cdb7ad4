//! Binary event streams: the messages are the stream, the same ones for any chunking, and a message that is written is
//! read as it was.

use bytes::Bytes;
use gatewright_wire::event_stream::{
    EventStreamDecoder, EventStreamError, HeaderValue, Message, write_message,
};

/// Small, so that inputs reach it.
const MESSAGE_BYTES_MAX: usize = 512;

/// Checks all of it for one input: as a stream, and as the content of a message. The first byte seeds the chunking.
pub fn check(data: &[u8]) {
    let Some((&seed, stream)) = data.split_first() else { return };
    same_for_any_chunking(seed, stream);
    let (name, payload) = stream.split_at(stream.len().min(usize::from(seed % 16)));
    let name = String::from_utf8_lossy(name);
    if name.is_empty() {
        return;
    }
    let mut out = Vec::new();
    write_message(&mut out, &[(":event-type", HeaderValue::Text(&name))], payload);
    let message = Message::parse(Bytes::from(out.clone())).expect("what is written is read");
    assert_eq!((message.text(":event-type"), &*message.payload), (Some(&*name), payload));
    // Two of them, in pieces.
    out.extend_from_within(..);
    if out.len() < MESSAGE_BYTES_MAX {
        same_for_any_chunking(seed, &out);
    }
    let damaged = usize::from(seed) % message.raw.len();
    let mut raw = message.raw.to_vec();
    raw[damaged] ^= 1;
    assert!(Message::parse(raw.into()).is_err(), "a flipped bit goes unseen");
}

fn same_for_any_chunking(seed: u8, stream: &[u8]) {
    let whole = run(stream, |left| left);
    assert_eq!(whole, run(stream, |_| 1), "byte by byte");
    let mut state = u32::from(seed);
    let mixed = run(stream, |_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 28) as usize + 1
    });
    assert_eq!(whole, mixed, "in mixed chunks");
}

type Outcome = (Vec<Message>, Option<EventStreamError>);

fn run(stream: &[u8], mut chunk_len: impl FnMut(usize) -> usize) -> Outcome {
    let mut decoder = EventStreamDecoder::new(MESSAGE_BYTES_MAX);
    let mut messages = Vec::new();
    let mut left = stream;
    let error = loop {
        let next = if left.is_empty() { decoder.finish() } else { decoder.next_message() };
        match next {
            Ok(Some(message)) => messages.push(message),
            Ok(None) if left.is_empty() => break None,
            Ok(None) => {
                let (chunk, rest) = left.split_at(chunk_len(left.len()).min(left.len()));
                decoder.push(Bytes::copy_from_slice(chunk));
                left = rest;
            }
            Err(error) => break Some(error),
        }
    };
    let together: Vec<u8> = messages.iter().flat_map(|message| message.raw.to_vec()).collect();
    assert!(stream.starts_with(&together), "the messages begin the stream");
    assert!(error.is_some() || together.len() == stream.len(), "a whole stream is its messages");
    for message in &messages {
        let texts = message.headers().filter(|(_, value)| matches!(value, HeaderValue::Text(_)));
        assert!(texts.count() <= message.raw.len(), "there are more headers than bytes");
        assert_eq!(Message::of_checked(&message.raw).as_ref(), Some(message));
    }
    (messages, error)
}
