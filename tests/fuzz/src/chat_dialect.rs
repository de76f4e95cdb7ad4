//! Any bytes, as a request, an answer or a stream of a dialect of chats: nothing panics, a chunking changes nothing, a
//! stream that nobody edits comes out as it came, and what was read as a chat is written as one that reads alike.

use bytes::Bytes;
use gatewright::StreamEvent;
use gatewright::chat::{Losses, Place};
use gatewright::dialect::{Abilities, Codec, Dialect, FrameKind, StreamSettings};

/// Checks all of it for one input.
pub fn check(dialect: Dialect, data: &[u8]) {
    let codec = gatewright_wire::codec(dialect);
    request(codec, data);
    if let Ok(answer) = codec.decode_answer(Bytes::copy_from_slice(data)) {
        answer.for_each_text(&mut |_, _| {});
        let chat = codec.chat().expect("it is a dialect of chats");
        let _read = chat.read_answer(data);
    }
    assert_eq!(stream(codec, data, data.len().max(1)), stream(codec, data, 1), "byte by byte");
}

fn request(codec: &dyn Codec, data: &[u8]) {
    let Ok(request) = codec.decode_request(Bytes::copy_from_slice(data)) else { return };
    let _shown = request.for_each_text(&mut |_| {});
    let chat = codec.chat().expect("it is a dialect of chats");
    let name = |place: &Place<'_>| chat.pointer(place);
    let write = |body: &[u8]| {
        let read = chat.read_request(body).ok()?;
        chat.write_request(&read, &Abilities::default(), &mut Losses::new(false, &name)).ok()
    };
    if let Some(once) = write(data) {
        // Messages that one speaker got by the first translation are one in the second.
        let twice = write(&once).expect("what was written can be read");
        assert_eq!(write(&twice), Some(twice), "what was written reads as something else");
    }
}

/// What must not depend on how a stream is cut: its data, its events, and whether it is complete.
fn stream(codec: &dyn Codec, data: &[u8], size: usize) -> (Vec<String>, bool) {
    let mut decoder = codec.stream_decoder();
    let mut encoder = codec.stream_encoder(StreamSettings::default());
    let (mut seen, mut failed) = (Vec::new(), false);
    let mut chunks = data.chunks(size);
    loop {
        let chunk = chunks.next();
        let is_last = chunk.is_none();
        decoder.push(chunk.map(Bytes::copy_from_slice).unwrap_or_default());
        loop {
            let next = decoder.next_frame();
            let next = if is_last && matches!(next, Ok(None)) { decoder.finish() } else { next };
            let Ok(Some(frame)) = next else {
                failed |= next.is_err();
                break;
            };
            let mut events: Vec<StreamEvent> = Vec::new();
            if decoder.events(&frame, &mut events).is_err() {
                failed = true;
                break;
            }
            let mut out = Vec::new();
            encoder.observe(&frame);
            encoder.write(Some(&frame), &events, &mut out);
            if frame.kind == FrameKind::Data {
                assert_eq!(out, frame.raw, "a frame that nobody edits");
                seen.push(format!("{:?} {:?} {events:?}", frame.data, frame.usage));
            }
        }
        if is_last || failed {
            return (seen, !failed && decoder.is_complete());
        }
    }
}
