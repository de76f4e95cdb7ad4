//! A stream of JSON texts, one a line, in any chunking: frames that keep their exact bytes.
//!
//! Every byte comes out again in the raw part of a frame, so that a line nobody edits can be passed on as it came.
//! What the lines mean is left to the dialects.

use bytes::{Bytes, BytesMut};
use memchr::memchr;

use crate::chunk;
use crate::sse::{EVENT_BYTES_MAX, SseError, SseFrame};

/// Takes chunks, gives lines as frames without a type; a blank line is a frame without data.
///
/// After each [`push`](Self::push) take frames until there is none. After the last chunk call
/// [`finish`](Self::finish).
#[derive(Debug)]
pub struct LineDecoder {
    /// What has come and was not looked at.
    chunk: Bytes,
    /// The beginning of a line that a chunk border has cut.
    cut: BytesMut,
    failed: bool,
    bytes_max: usize,
}

impl Default for LineDecoder {
    fn default() -> Self {
        Self::new(EVENT_BYTES_MAX)
    }
}

impl LineDecoder {
    /// A decoder that refuses lines longer than `bytes_max`, their end included.
    pub fn new(bytes_max: usize) -> Self {
        Self { chunk: Bytes::new(), cut: BytesMut::new(), failed: false, bytes_max }
    }

    /// Takes the next chunk. If frames of the one before have not been taken, the two are joined by copying.
    pub fn push(&mut self, chunk: Bytes) {
        chunk::join(&mut self.chunk, chunk);
    }

    /// The next line that is complete.
    ///
    /// # Errors
    /// [`SseError`] once, if the stream cannot be read on; after that there are no more lines.
    pub fn next_frame(&mut self) -> Result<Option<SseFrame>, SseError> {
        if self.failed {
            return Ok(None);
        }
        let end = memchr(b'\n', &self.chunk).map(|place| place + 1);
        let taken = self.chunk.split_to(end.unwrap_or(self.chunk.len()));
        if self.cut.len() + taken.len() > self.bytes_max {
            self.failed = true;
            self.chunk.clear();
            self.cut.clear();
            return Err(SseError::EventTooLarge { bytes_max: self.bytes_max });
        }
        if end.is_some() && self.cut.is_empty() {
            return Ok(Some(frame(taken)));
        }
        self.cut.extend_from_slice(&taken);
        Ok(end.map(|_| frame(std::mem::take(&mut self.cut).freeze())))
    }

    /// Says that no chunk follows. Gives what is left as a line, if something is, with the end that it lacks: whatever
    /// is written behind it must not become a part of it.
    ///
    /// # Errors
    /// As [`next_frame`](Self::next_frame).
    pub fn finish(&mut self) -> Result<Option<SseFrame>, SseError> {
        if let Some(frame) = self.next_frame()? {
            return Ok(Some(frame));
        }
        if self.cut.is_empty() {
            return Ok(None);
        }
        self.cut.extend_from_slice(b"\n");
        Ok(Some(frame(std::mem::take(&mut self.cut).freeze())))
    }
}

fn frame(raw: Bytes) -> SseFrame {
    let start = raw.len() - raw.trim_ascii_start().len();
    let data = raw.slice(start..start + raw.trim_ascii().len());
    SseFrame { data: (!data.is_empty()).then_some(data), raw, event: None }
}

/// Appends a line. The data must not contain a line end.
pub(crate) fn write(out: &mut Vec<u8>, data: &[u8]) {
    out.extend_from_slice(data);
    out.push(b'\n');
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;

    use super::LineDecoder;
    use crate::sse::SseError;

    /// A line as it came, and what it says.
    type Line = (String, Option<String>);

    fn lines(chunks: &[&str], bytes_max: usize) -> (Vec<Line>, Option<SseError>) {
        let text = |bytes: &Bytes| String::from_utf8(bytes.to_vec()).unwrap();
        let mut decoder = LineDecoder::new(bytes_max);
        let mut seen = Vec::new();
        let mut note = |frame: crate::sse::SseFrame| {
            seen.push((text(&frame.raw), frame.data.as_ref().map(text)));
        };
        for chunk in chunks {
            decoder.push(Bytes::copy_from_slice(chunk.as_bytes()));
            loop {
                match decoder.next_frame() {
                    Ok(Some(frame)) => note(frame),
                    Ok(None) => break,
                    Err(error) => return (seen, Some(error)),
                }
            }
        }
        while let Some(frame) = decoder.finish().unwrap() {
            note(frame);
        }
        (seen, None)
    }

    #[test]
    fn a_line_is_a_frame_whatever_its_end_and_the_last_one_gets_the_end_that_it_lacks() {
        let expected = [("{}\n", Some("{}")), (" [1]\r\n", Some("[1]")), ("\n", None), ("2\n", Some("2"))];
        let expected: Vec<_> =
            expected.map(|(raw, data)| (raw.to_owned(), data.map(str::to_owned))).into_iter().collect();
        let stream = "{}\n [1]\r\n\n2";
        for cut in 0..=stream.len() {
            let (head, tail) = stream.split_at(cut);
            assert_eq!(lines(&[head, tail], 99), (expected.clone(), None), "{cut}");
        }
    }

    #[test]
    fn a_line_over_the_bound_ends_the_stream_in_any_chunking() {
        let too_large = Some(SseError::EventTooLarge { bytes_max: 4 });
        assert_eq!(lines(&["123\n1234\n"], 4).1, too_large);
        assert_eq!(lines(&["12", "34", "5\n"], 4).1, too_large);
        assert_eq!(lines(&["123\n123\n"], 4).1, None);
    }
}
