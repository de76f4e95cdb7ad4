//! Binary event streams: `application/vnd.amazon.eventstream`, in any chunking, to messages that keep their exact
//! bytes, and back.
//!
//! Follows "Event Stream Encoding" of the Amazon Transcribe and Smithy references: a prelude of two lengths with a
//! checksum, headers, a payload, a checksum over all of it, everything big-endian. What headers and payloads mean is
//! left to the dialects. A message whose checksums or lengths are wrong ends the stream, because nothing says where
//! the next one begins.

mod checksum;
mod decoder;
mod encode;
mod header;

#[cfg(test)]
mod tests;

use bytes::Bytes;

pub use checksum::crc32;
pub use decoder::EventStreamDecoder;
pub use encode::write_message;
pub use header::{HeaderValue, Headers};

/// How large one message may be, all of it together, unless a decoder is told otherwise. It has room for an image.
pub const MESSAGE_BYTES_MAX: usize = 4 << 20;

/// The two lengths and their checksum.
const PRELUDE_BYTES: usize = 12;

/// The checksum at the end of a message.
const CHECKSUM_BYTES: usize = 4;

/// One message. Its parts are slices of the chunk that it came in, unless a chunk border cut it.
///
/// Invariant: its headers can be read to their end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Message {
    /// All its bytes, checksums included. The messages of a stream, put together, are the stream.
    pub raw: Bytes,
    headers: Bytes,
    /// What stands behind the headers.
    pub payload: Bytes,
}

/// Why a stream cannot be read on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum EventStreamError {
    /// A message is larger than the decoder's bound.
    #[error("a message of {bytes} bytes is larger than {bytes_max}")]
    MessageTooLarge {
        /// What its prelude says.
        bytes: u32,
        /// The bound.
        bytes_max: usize,
    },
    /// The lengths in a prelude contradict each other.
    #[error("a message of {bytes} bytes cannot have {header_bytes} bytes of headers")]
    Lengths {
        /// What the prelude says of the message.
        bytes: u32,
        /// What it says of the headers.
        header_bytes: u32,
    },
    /// A prelude is damaged.
    #[error("the checksum of a prelude is wrong")]
    PreludeChecksum,
    /// A message is damaged.
    #[error("the checksum of a message is wrong")]
    MessageChecksum,
    /// Headers do not end where they should, or have a type that does not exist.
    #[error("the headers of a message cannot be read")]
    Headers,
    /// The stream ended inside a message.
    #[error("the stream ends after {bytes} bytes of a message")]
    Cut {
        /// How many of its bytes came.
        bytes: usize,
    },
}

impl Message {
    /// Takes a whole message apart.
    ///
    /// # Errors
    /// [`EventStreamError`] if lengths, checksums or headers are wrong.
    pub fn parse(raw: Bytes) -> Result<Self, EventStreamError> {
        let prelude = Prelude::read(&raw)?.ok_or(EventStreamError::Cut { bytes: raw.len() })?;
        let end = raw.len().saturating_sub(CHECKSUM_BYTES);
        if prelude.bytes != raw.len() {
            return Err(EventStreamError::Cut { bytes: raw.len() });
        }
        if raw.get(end..).and_then(|sum| word(sum, 0)) != raw.get(..end).map(crc32) {
            return Err(EventStreamError::MessageChecksum);
        }
        let payload = PRELUDE_BYTES + prelude.header_bytes;
        let headers = raw.slice(PRELUDE_BYTES..payload);
        Headers::check(&headers).ok_or(EventStreamError::Headers)?;
        Ok(Self { headers, payload: raw.slice(payload..end), raw })
    }

    /// A message again, from the bytes that it consists of; none if it is none. The message's own checksum is not
    /// computed again.
    pub fn of_checked(raw: &Bytes) -> Option<Self> {
        let prelude = Prelude::read(raw).ok()??;
        let (payload, end) = (PRELUDE_BYTES + prelude.header_bytes, raw.len().checked_sub(CHECKSUM_BYTES)?);
        if prelude.bytes != raw.len() {
            return None;
        }
        let headers = raw.slice(PRELUDE_BYTES..payload);
        Headers::check(&headers)?;
        Some(Self { headers, payload: raw.slice(payload..end), raw: raw.clone() })
    }

    /// Its headers, in order.
    pub fn headers(&self) -> Headers<'_> {
        Headers::new(&self.headers)
    }

    /// The text of a header, if it is there and is one.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.headers().find_map(|(known, value)| match value {
            HeaderValue::Text(text) if known == name => Some(text),
            _ => None,
        })
    }
}

/// What the beginning of a message says.
#[derive(Debug, Clone, Copy)]
struct Prelude {
    bytes: usize,
    header_bytes: usize,
}

impl Prelude {
    /// Reads it as soon as it is there.
    fn read(text: &[u8]) -> Result<Option<Self>, EventStreamError> {
        let (Some(bytes), Some(header_bytes), Some(sum)) = (word(text, 0), word(text, 4), word(text, 8))
        else {
            return Ok(None);
        };
        if text.get(..8).map(crc32) != Some(sum) {
            return Err(EventStreamError::PreludeChecksum);
        }
        let wrong = EventStreamError::Lengths { bytes, header_bytes };
        let (all, headers) = (size(bytes), size(header_bytes));
        match headers.checked_add(PRELUDE_BYTES + CHECKSUM_BYTES) {
            Some(least) if least <= all => Ok(Some(Self { bytes: all, header_bytes: headers })),
            _ => Err(wrong),
        }
    }
}

fn size(bytes: u32) -> usize {
    usize::try_from(bytes).unwrap_or(usize::MAX)
}

/// The number at a place.
fn word(text: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(*text.get(at..)?.first_chunk()?))
}
