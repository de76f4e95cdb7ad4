//! What the tests of the dialect share.

use bytes::Bytes;
use gatewright::chat::{Chat, Loss, LossKind, Losses, Place};
use gatewright::dialect::{
    Abilities, ChatCodec, Codec, Dialect, Envelope, Frame, StreamDecoder, StreamSettings,
};
use gatewright::{EventKind, Failure, RequestId, StreamEvent};
use gatewright_wire::codec;
use serde_json::Value;

pub(crate) fn messages() -> &'static dyn Codec {
    codec(Dialect::AnthropicMessages)
}

pub(crate) fn chat_codec() -> &'static dyn ChatCodec {
    messages().chat().unwrap()
}

pub(crate) fn json(text: &[u8]) -> Value {
    serde_json::from_slice(text).expect("it is JSON")
}

/// The request and the losses of a translation.
pub(crate) fn write(chat: &Chat<'_>, abilities: &Abilities) -> Result<(Value, Vec<Loss>), Failure> {
    let name = |place: &Place<'_>| chat_codec().pointer(place);
    let mut losses = Losses::new(false, &name);
    let body = chat_codec().write_request(chat, abilities, &mut losses)?;
    messages().decode_request(body.clone()).expect("what is written is a request");
    Ok((json(&body), losses.into_found()))
}

/// The request that a body is read as and written from, and what that lost.
#[track_caller]
pub(crate) fn rewritten(body: &Value, abilities: &Abilities) -> (Value, Vec<(String, LossKind)>) {
    let body = body.to_string();
    let chat = chat_codec().read_request(body.as_bytes()).expect("it is a request");
    let (written, losses) = write(&chat, abilities).expect("it can be written");
    (written, losses.into_iter().map(|loss| (loss.field.into_owned(), loss.kind)).collect())
}

/// Why a request cannot be written.
#[track_caller]
pub(crate) fn refused(body: &Value) -> Failure {
    let body = body.to_string();
    let chat = chat_codec().read_request(body.as_bytes()).expect("it is a request");
    write(&chat, &Abilities::default()).expect_err("it cannot be written")
}

pub(crate) fn envelope() -> Envelope {
    Envelope { id: RequestId::new(1, 2), created: 7, model: "public".to_owned() }
}

/// The frames of a stream.
pub(crate) fn frames(decoder: &mut dyn StreamDecoder, stream: &[u8]) -> Vec<Frame> {
    decoder.push(Bytes::copy_from_slice(stream));
    let mut frames = Vec::new();
    while let Some(frame) = decoder.next_frame().unwrap() {
        frames.push(frame);
    }
    frames.extend(decoder.finish().unwrap());
    frames
}

/// The frames of a stream, each with its events.
pub(crate) fn read(stream: &[u8]) -> Vec<(Frame, Vec<StreamEvent>)> {
    let mut decoder = messages().stream_decoder();
    let frames = frames(&mut *decoder, stream);
    let mut with_events = |frame: Frame| {
        let mut events = Vec::new();
        decoder.events(&frame, &mut events).unwrap();
        (frame, events)
    };
    frames.into_iter().map(&mut with_events).collect()
}

/// A stream that is written from events alone.
pub(crate) fn written(kinds: Vec<EventKind>) -> String {
    let settings = StreamSettings { envelope: Some(envelope()), ..StreamSettings::default() };
    let mut encoder = messages().stream_encoder(settings);
    let mut out = Vec::new();
    for kind in kinds {
        encoder.write(None, &[StreamEvent::inserted(kind)], &mut out);
    }
    encoder.write_end(&mut out);
    String::from_utf8(out).unwrap()
}

/// The payloads of a stream.
pub(crate) fn payloads(stream: &str) -> Vec<Value> {
    let data = stream.lines().filter_map(|line| line.strip_prefix("data: "));
    data.map(|data| json(data.as_bytes())).collect()
}
