//! Forms with files, `multipart/form-data` (RFC 7578, RFC 2046), read in any chunking and more strictly than the
//! standards ask for.
//!
//! Two readers of one form must see the same fields: a gateway that reads another `model` than the provider does can be
//! led around. So whatever readers are known to differ in is refused: a boundary that is no line of its own, line ends
//! other than CRLF, folded or repeated headers, escapes in names, texts before the first part and behind the last.
//! Only the overlap of two pieces is held; what the fields mean is left to others.

mod head;

#[cfg(test)]
mod tests;

use bytes::{Buf as _, BytesMut};
use memchr::memmem::{self, Finder};

pub use head::{PartHead, boundary_of};

/// How long the headers of one part may be.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// How many parts a form may have.
const PARTS_MAX: usize = 1_000;

/// What stands in a form, with its places counted in bytes from the beginning of the body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// A part begins.
    Part {
        /// What its headers say.
        head: PartHead,
        /// Where its delimiter begins.
        delimiter: u64,
        /// Where its content begins.
        content: u64,
    },
    /// The content of the part that was begun last has ended.
    End {
        /// Behind its last byte.
        content: u64,
        /// Where the next delimiter begins.
        delimiter: u64,
    },
    /// The form has ended.
    Close,
}

/// What is wrong with a form.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{problem}, at byte {offset}")]
pub struct MultipartError {
    /// What is wrong, in words for the caller.
    pub problem: &'static str,
    /// Near which byte of the body.
    pub offset: u64,
}

/// Takes pieces of a body, gives what stands in it.
///
/// After each [`push`](Self::push) take what there is until there is nothing, and after the last call
/// [`finish`](Self::finish).
#[derive(Debug)]
pub struct MultipartReader {
    /// Two hyphens and the boundary.
    mark: Box<[u8]>,
    finder: Finder<'static>,
    /// What has come and is not read.
    waiting: BytesMut,
    /// The place of the first byte that waits.
    place: u64,
    state: State,
    parts: usize,
}

#[derive(Debug, Clone, Copy)]
enum State {
    /// Before the first delimiter.
    Start,
    /// Behind the boundary of the delimiter that begins there.
    Delimiter(u64),
    /// In the headers of the part whose delimiter begins there.
    Head(u64),
    /// In content that begins there.
    Content(u64),
    Closed,
}

impl MultipartReader {
    /// A reader of a form with this boundary, as [`boundary_of`] gives it.
    #[must_use]
    pub fn new(boundary: &str) -> Self {
        let mark = format!("--{boundary}").into_bytes().into_boxed_slice();
        let finder = Finder::new(&mark).into_owned();
        Self { mark, finder, waiting: BytesMut::new(), place: 0, state: State::Start, parts: 0 }
    }

    /// Takes the next piece of the body.
    pub fn push(&mut self, piece: &[u8]) {
        self.waiting.extend_from_slice(piece);
    }

    /// The next thing that stands in the form; `None` until more has come.
    ///
    /// # Errors
    ///
    /// [`MultipartError`] for what no strict reader takes.
    pub fn next_piece(&mut self) -> Result<Option<Piece>, MultipartError> {
        loop {
            let found = match self.state {
                State::Start => self.start()?,
                State::Delimiter(delimiter) => self.delimiter(delimiter)?,
                State::Head(delimiter) => self.head(delimiter)?,
                State::Content(start) => self.content(start)?,
                State::Closed => return self.closed().map(|()| None),
            };
            match found {
                Step::Found(piece) => return Ok(Some(piece)),
                Step::Next => {}
                Step::Wait => return Ok(None),
            }
        }
    }

    /// The body has ended.
    ///
    /// # Errors
    ///
    /// [`MultipartError`] if the form has not.
    pub fn finish(&self) -> Result<(), MultipartError> {
        match self.state {
            State::Closed => self.closed(),
            _ => Err(self.wrong("the form ends without its last boundary")),
        }
    }

    /// Whether a text holds the boundary of the form, so that it cannot stand in it.
    pub(crate) fn breaks(&self, text: &str) -> bool {
        self.finder.find(text.as_bytes()).is_some()
    }

    /// Two hyphens and the boundary.
    pub(crate) fn mark(&self) -> &[u8] {
        &self.mark
    }

    fn start(&mut self) -> Result<Step, MultipartError> {
        let length = self.waiting.len().min(self.mark.len());
        if self.waiting.get(..length) != self.mark.get(..length) {
            return Err(self.wrong("the form must begin with the boundary that the content type names"));
        }
        if length < self.mark.len() {
            return Ok(Step::Wait);
        }
        self.advance(length);
        self.state = State::Delimiter(0);
        Ok(Step::Next)
    }

    fn delimiter(&mut self, delimiter: u64) -> Result<Step, MultipartError> {
        let Some(end) = self.waiting.get(..2) else { return Ok(Step::Wait) };
        let (state, step) = match end {
            b"\r\n" => (State::Head(delimiter), Step::Next),
            b"--" => (State::Closed, Step::Found(Piece::Close)),
            _ => return Err(self.wrong("a boundary must be followed by a line end or two hyphens")),
        };
        self.parts += 1;
        if self.parts > PARTS_MAX {
            return Err(self.wrong("the form has too many parts"));
        }
        self.advance(2);
        self.state = state;
        Ok(step)
    }

    fn head(&mut self, delimiter: u64) -> Result<Step, MultipartError> {
        let shown = self.waiting.len().min(HEAD_BYTES_MAX);
        let head = self.waiting.get(..shown).unwrap_or_default();
        let Some(length) = memmem::find(head, b"\r\n\r\n") else {
            if shown == HEAD_BYTES_MAX {
                return Err(self.wrong("the headers of a part are too long"));
            }
            return Ok(Step::Wait);
        };
        let head = head.get(..length).unwrap_or_default();
        if self.finder.find(head).is_some() {
            return Err(self.wrong("the boundary stands in the headers of a part"));
        }
        let head = PartHead::parse(head).map_err(|problem| self.wrong(problem))?;
        self.advance(length + 4);
        self.state = State::Content(self.place);
        Ok(Step::Found(Piece::Part { head, delimiter, content: self.place }))
    }

    fn content(&mut self, start: u64) -> Result<Step, MultipartError> {
        let Some(found) = self.finder.find(&self.waiting) else {
            // The boundary may have begun, with the line end before it.
            let held = self.mark.len() + 1;
            self.advance(self.waiting.len().saturating_sub(held));
            return Ok(Step::Wait);
        };
        let delimiter = self.place.saturating_add(u64::try_from(found).unwrap_or(u64::MAX));
        let before = found.checked_sub(2).and_then(|from| self.waiting.get(from..found));
        let content = delimiter.saturating_sub(2);
        if before != Some(b"\r\n") || content < start {
            return Err(self.wrong("the boundary stands inside a part"));
        }
        self.advance(found + self.mark.len());
        self.state = State::Delimiter(delimiter);
        Ok(Step::Found(Piece::End { content, delimiter }))
    }

    fn closed(&self) -> Result<(), MultipartError> {
        match &*self.waiting {
            b"" | b"\r" | b"\r\n" => Ok(()),
            _ => Err(self.wrong("something stands behind the last boundary")),
        }
    }

    fn advance(&mut self, bytes: usize) {
        self.waiting.advance(bytes.min(self.waiting.len()));
        self.place = self.place.saturating_add(u64::try_from(bytes).unwrap_or(u64::MAX));
    }

    fn wrong(&self, problem: &'static str) -> MultipartError {
        MultipartError { problem, offset: self.place }
    }
}

enum Step {
    Found(Piece),
    Next,
    Wait,
}
