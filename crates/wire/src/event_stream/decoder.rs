//! Finds where messages end, whatever the chunks.
//!
//! A message inside one chunk is sliced out of it; only one that a chunk border cuts is copied, and no more is kept
//! than its prelude says, within the bound.

use bytes::{Bytes, BytesMut};

use super::{EventStreamError, MESSAGE_BYTES_MAX, Message, PRELUDE_BYTES, Prelude};
use crate::chunk;

/// Takes chunks, gives messages.
///
/// After each [`push`](Self::push) take messages until there is none. After the last chunk call
/// [`finish`](Self::finish).
#[derive(Debug)]
pub struct EventStreamDecoder {
    /// What has come and not gone out, behind `cut`.
    chunk: Bytes,
    /// The beginning of a message that a chunk border has cut.
    cut: BytesMut,
    failed: bool,
    bytes_max: usize,
}

impl Default for EventStreamDecoder {
    fn default() -> Self {
        Self::new(MESSAGE_BYTES_MAX)
    }
}

impl EventStreamDecoder {
    /// A decoder that refuses messages larger than `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        Self { chunk: Bytes::new(), cut: BytesMut::new(), failed: false, bytes_max }
    }

    /// Takes the next chunk. If messages of the one before have not been taken, the two are joined by copying.
    pub fn push(&mut self, chunk: Bytes) {
        chunk::join(&mut self.chunk, chunk);
    }

    /// The next message that is complete.
    ///
    /// # Errors
    /// [`EventStreamError`] once, if the stream cannot be read on; after that there are no more messages.
    pub fn next_message(&mut self) -> Result<Option<Message>, EventStreamError> {
        if self.failed {
            return Ok(None);
        }
        let message = self.take().and_then(|raw| raw.map(Message::parse).transpose());
        if message.is_err() {
            self.failed = true;
            self.chunk.clear();
            self.cut.clear();
        }
        message
    }

    /// Says that no chunk follows.
    ///
    /// # Errors
    /// As [`next_message`](Self::next_message), and if the stream ends inside a message.
    pub fn finish(&mut self) -> Result<Option<Message>, EventStreamError> {
        if let Some(message) = self.next_message()? {
            return Ok(Some(message));
        }
        if self.failed || self.cut.is_empty() {
            return Ok(None);
        }
        self.failed = true;
        Err(EventStreamError::Cut { bytes: std::mem::take(&mut self.cut).len() })
    }

    /// The bytes of the next message, if they are all there.
    fn take(&mut self) -> Result<Option<Bytes>, EventStreamError> {
        let Some(bytes) = self.length()? else {
            self.keep(usize::MAX);
            return Ok(None);
        };
        if self.cut.is_empty() && self.chunk.len() >= bytes {
            return Ok(Some(self.chunk.split_to(bytes)));
        }
        self.keep(bytes.saturating_sub(self.cut.len()));
        Ok((self.cut.len() == bytes).then(|| std::mem::take(&mut self.cut).freeze()))
    }

    /// How long the message is, once its prelude is there.
    fn length(&mut self) -> Result<Option<usize>, EventStreamError> {
        let prelude = if self.cut.is_empty() {
            Prelude::read(&self.chunk)?
        } else {
            self.keep(PRELUDE_BYTES.saturating_sub(self.cut.len()));
            Prelude::read(&self.cut)?
        };
        match prelude {
            Some(Prelude { bytes, .. }) if bytes > self.bytes_max => {
                let bytes = u32::try_from(bytes).unwrap_or(u32::MAX);
                Err(EventStreamError::MessageTooLarge { bytes, bytes_max: self.bytes_max })
            }
            prelude => Ok(prelude.map(|prelude| prelude.bytes)),
        }
    }

    /// Moves at most `bytes` of the chunk to the beginning of the message.
    fn keep(&mut self, bytes: usize) {
        let moved = self.chunk.split_to(bytes.min(self.chunk.len()));
        self.cut.extend_from_slice(&moved);
    }
}
