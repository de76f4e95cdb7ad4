//! Server-sent events: a byte stream in any chunking to frames that keep their exact bytes.
//!
//! Follows the event stream format of the HTML standard, with two differences: a last event that no blank line
//! ends is given all the same, and every byte comes out again, in [`SseFrame::raw`], so that a frame nobody
//! edits can be passed on as it came. What the data mean is left to the dialects.

mod decoder;
mod fields;
mod frame;

#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use decoder::SseDecoder;
pub(crate) use frame::write_frame;

/// How large one event may be, all its lines together, unless a decoder is told otherwise.
pub const EVENT_BYTES_MAX: usize = 1 << 20;

/// One event, or a stretch of the stream that is none.
///
/// Its parts are slices of the chunk that it came in, unless a chunk border cut it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SseFrame {
    /// All its bytes up to and including the blank line. The frames of a stream, put together, are the stream.
    pub raw: Bytes,
    /// The event's type, if it names one.
    pub event: Option<Bytes>,
    /// Its data, lines joined by a line feed. A frame without data is no event: a comment, a blank line.
    pub data: Option<Bytes>,
}

/// Why a stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum SseError {
    /// An event is larger than the decoder's bound.
    #[error("an event is larger than {bytes_max} bytes")]
    EventTooLarge {
        /// The bound.
        bytes_max: usize,
    },
}

/// Appends an event of this type with these data, which must not contain a line end.
pub(crate) fn write_event(out: &mut Vec<u8>, name: &str, data: &[u8]) {
    out.extend_from_slice(b"event: ");
    out.extend_from_slice(name.as_bytes());
    out.push(b'\n');
    write_data(out, data);
}

/// Appends an event with these data, which must not contain a line end.
pub fn write_data(out: &mut Vec<u8>, data: &[u8]) {
    out.extend_from_slice(b"data: ");
    out.extend_from_slice(data);
    out.extend_from_slice(b"\n\n");
}
