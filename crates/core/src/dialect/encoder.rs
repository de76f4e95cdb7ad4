//! The way from frames and events to a client's stream.

use std::fmt;

use bytes::Bytes;

use super::{Envelope, ErrorBody, Frame};
use crate::StreamEvent;

/// What an encoder changes in every frame of a stream.
#[derive(Clone, Debug, Default)]
pub struct StreamSettings {
    /// Report this model name in place of the provider's.
    pub model: Option<String>,
    /// Take out what is there only because the gateway asked for usage figures.
    pub hide_usage: bool,
    /// There where the stream is written from the events of another dialect.
    pub envelope: Option<Envelope>,
}

/// Frames and events to the bytes of a client's stream.
pub trait StreamEncoder: Send + fmt::Debug {
    /// Learns the envelope (id, model, time) of a data frame that passes, so that frames which
    /// the gateway must invent later look alike. Cheap: it keeps a reference to the frame.
    fn observe(&mut self, frame: &Frame);
    /// Whether a frame that no extension edited must be written by [`StreamEncoder::pass`] all the same, because it
    /// repeats what was edited before. Asked of every such frame, in order, where extensions see the stream; one
    /// that need not be written goes out as it came.
    fn alters(&mut self, frame: &Frame) -> bool {
        let _ = frame;
        false
    }
    /// Writes a frame that no extension edited, with the encoder's settings applied.
    fn pass(&mut self, frame: &Frame, out: &mut Vec<u8>);
    /// Writes a frame whose events were edited, dropped or added to, with the encoder's settings
    /// applied. `events` is what is left, in order; events of the frame that are missing were
    /// dropped. Without a frame, all events are inserted ones.
    fn write(&mut self, frame: Option<&Frame>, events: &[StreamEvent], out: &mut Vec<u8>);
    /// Writes an error into the stream. Nothing but the end of the body follows.
    fn write_error(&mut self, error: &ErrorBody<'_>, out: &mut Vec<u8>);
    /// Writes the dialect's terminator.
    fn write_end(&mut self, out: &mut Vec<u8>);
    /// The whole answer that the stream has told, once its last event is written; of encoders that were made
    /// [to keep it](super::StateCodec::stream_encoder) alone.
    fn take_whole(&mut self) -> Option<Bytes> {
        None
    }
    /// Writes a comment that keeps the connection alive.
    fn write_keep_alive(&mut self, out: &mut Vec<u8>);
}
