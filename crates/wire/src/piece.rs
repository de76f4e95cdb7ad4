//! Streams that nobody reads: every piece that comes is a frame, and goes on as it is.

use std::collections::VecDeque;

use bytes::Bytes;
use gatewright::dialect::{ErrorBody, Frame, FrameKind, StreamDecoder, StreamEncoder, UsageArtefact};
use gatewright::{Failure, StreamEvent};

/// Gives the pieces as they came.
#[derive(Debug, Default)]
pub(crate) struct Decoder {
    pieces: VecDeque<Bytes>,
    /// Whether nothing is an answer as well, or something came.
    may_end: bool,
}

impl Decoder {
    /// One that takes no bytes at all for an answer, too.
    pub(crate) fn of_any_length() -> Self {
        Self { pieces: VecDeque::new(), may_end: true }
    }
}

impl StreamDecoder for Decoder {
    fn push(&mut self, chunk: Bytes) {
        if !chunk.is_empty() {
            self.may_end = true;
            self.pieces.push_back(chunk);
        }
    }

    fn next_frame(&mut self) -> Result<Option<Frame>, Failure> {
        Ok(self.pieces.pop_front().map(|raw| Frame {
            raw,
            data: Bytes::new(),
            kind: FrameKind::Data,
            usage: None,
            text_bytes: 0,
            sole_text: None,
            usage_artefact: UsageArtefact::None,
        }))
    }

    fn finish(&mut self) -> Result<Option<Frame>, Failure> {
        self.next_frame()
    }

    fn events(&mut self, _: &Frame, _: &mut Vec<StreamEvent>) -> Result<(), Failure> {
        Ok(())
    }

    /// That a body broke off is told by its framing alone.
    fn is_complete(&self) -> bool {
        self.may_end && self.pieces.is_empty()
    }
}

/// Passes the pieces on. There is no place among them for anything else.
#[derive(Debug)]
pub(crate) struct Encoder;

impl StreamEncoder for Encoder {
    fn observe(&mut self, _: &Frame) {}

    fn pass(&mut self, frame: &Frame, out: &mut Vec<u8>) {
        out.extend_from_slice(&frame.raw);
    }

    fn write(&mut self, frame: Option<&Frame>, _: &[StreamEvent], out: &mut Vec<u8>) {
        frame.into_iter().for_each(|frame| self.pass(frame, out));
    }

    fn write_error(&mut self, _: &ErrorBody<'_>, _: &mut Vec<u8>) {}

    fn write_end(&mut self, _: &mut Vec<u8>) {}

    fn write_keep_alive(&mut self, _: &mut Vec<u8>) {}
}
