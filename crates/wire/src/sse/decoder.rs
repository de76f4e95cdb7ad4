//! Finds where events end, whatever the chunks.
//!
//! A chunk is searched once, line end by line end. An event inside one chunk is sliced out of it; only one that
//! a chunk border cuts is copied, and the decoder then owns no part of the chunk.

use bytes::{Bytes, BytesMut};
use memchr::memchr2;

use super::{EVENT_BYTES_MAX, SseError, SseFrame, fields};
use crate::chunk;

/// Takes chunks, gives frames.
///
/// After each [`push`](Self::push) take frames until there is none. After the last chunk call
/// [`finish`](Self::finish).
#[derive(Debug)]
pub struct SseDecoder {
    /// What has come and not gone out, from the beginning of a frame, or after `cut` from within it.
    chunk: Bytes,
    /// How much of `chunk` has been searched.
    searched: usize,
    /// The beginning of a frame that a chunk border has cut.
    cut: BytesMut,
    line: Line,
    /// Length of the frame's first line without its end, once that is known.
    first_line: Option<usize>,
    /// A byte order mark may only begin the stream.
    is_first: bool,
    failed: bool,
    bytes_max: usize,
}

/// What precedes the place of search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Line {
    /// A line end, or the beginning of the frame.
    Start,
    /// A CR: the line has ended, and an LF would still be part of its end.
    AfterCr,
    /// Something else.
    Inside,
}

impl Default for SseDecoder {
    fn default() -> Self {
        Self::new(EVENT_BYTES_MAX)
    }
}

impl SseDecoder {
    /// A decoder that refuses events larger than `bytes_max`.
    pub fn new(bytes_max: usize) -> Self {
        Self {
            chunk: Bytes::new(),
            searched: 0,
            cut: BytesMut::new(),
            line: Line::Start,
            first_line: None,
            is_first: true,
            failed: false,
            bytes_max,
        }
    }

    /// Takes the next chunk. If frames of the one before have not been taken, the two are joined by copying.
    pub fn push(&mut self, chunk: Bytes) {
        chunk::join(&mut self.chunk, chunk);
    }

    /// The next frame that is complete.
    ///
    /// # Errors
    /// [`SseError`] once, if the stream cannot be read on; after that there are no more frames.
    pub fn next_frame(&mut self) -> Result<Option<SseFrame>, SseError> {
        if self.failed {
            return Ok(None);
        }
        let complete = self.search()?;
        if !complete {
            self.cut.extend_from_slice(&self.chunk);
            self.chunk.clear();
            self.searched = 0;
            return Ok(None);
        }
        Ok(Some(self.take()))
    }

    /// Says that no chunk follows. Gives what is left as a frame, if something is, with the line ends that it lacks:
    /// whatever is written behind it must not become a part of it.
    ///
    /// # Errors
    /// As [`next_frame`](Self::next_frame).
    pub fn finish(&mut self) -> Result<Option<SseFrame>, SseError> {
        if let Some(frame) = self.next_frame()? {
            return Ok(Some(frame));
        }
        if self.failed || self.cut.is_empty() {
            return Ok(None);
        }
        // An LF behind a CR would belong to the same line end.
        let missing: &[u8] = if self.line == Line::Start { b"\n" } else { b"\n\n" };
        self.cut.extend_from_slice(missing);
        Ok(Some(self.take()))
    }

    /// Searches the chunk for the end of the frame; true if it was found, at `searched`.
    fn search(&mut self) -> Result<bool, SseError> {
        while let Some(rest) = self.chunk.get(self.searched..).filter(|rest| !rest.is_empty()) {
            if self.line == Line::AfterCr && rest.starts_with(b"\n") {
                self.line = Line::Start;
                self.searched += 1;
                continue;
            }
            let Some(place) = memchr2(b'\n', b'\r', rest) else {
                self.line = Line::Inside;
                self.searched = self.chunk.len();
                break;
            };
            let is_blank = place == 0 && self.line != Line::Inside;
            self.line = if rest.get(place) == Some(&b'\r') { Line::AfterCr } else { Line::Start };
            self.searched += place;
            self.first_line.get_or_insert(self.cut.len() + self.searched);
            self.searched += 1;
            self.check_size()?;
            if is_blank {
                self.end_frame();
                return Ok(true);
            }
        }
        self.check_size()?;
        Ok(false)
    }

    /// Takes along an LF after a final CR. If it comes in the next chunk, it is a blank line there: the frame does
    /// not wait for it.
    fn end_frame(&mut self) {
        let rest = self.chunk.get(self.searched..).unwrap_or_default();
        if self.line == Line::AfterCr && rest.starts_with(b"\n") {
            self.searched += 1;
        }
    }

    fn check_size(&mut self) -> Result<(), SseError> {
        if self.cut.len() + self.searched <= self.bytes_max {
            return Ok(());
        }
        self.failed = true;
        self.chunk.clear();
        self.cut.clear();
        Err(SseError::EventTooLarge { bytes_max: self.bytes_max })
    }

    /// Takes out all that has been searched, as one frame.
    fn take(&mut self) -> SseFrame {
        let rest = self.chunk.split_to(self.searched.min(self.chunk.len()));
        let raw = if self.cut.is_empty() {
            rest
        } else {
            self.cut.extend_from_slice(&rest);
            std::mem::take(&mut self.cut).freeze()
        };
        let frame = fields::read(raw, self.first_line.take(), self.is_first);
        self.is_first = false;
        self.searched = 0;
        self.line = Line::Start;
        frame
    }
}
