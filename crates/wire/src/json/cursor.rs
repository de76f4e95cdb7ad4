//! The scanner proper: a place in a text, moved over whole values while they are checked.
//!
//! It keeps no memory but its place and one bit per open container, so nothing is allocated and nothing recurses.
//! Every error names the byte at which a reader would look.

use super::block;
use super::{DEPTH_MAX, JsonError, JsonStr, Kind, Opaque, Reason, Span};

/// Strings no longer than this are never taken for encoded data.
const TEXT_BYTES_MAX: usize = 2048;

type Result<T> = std::result::Result<T, JsonError>;

/// A place in a text.
#[derive(Debug, Clone)]
pub(super) struct Cursor<'a> {
    text: &'a [u8],
    at: usize,
    opaque: Opaque,
}

/// The containers that are open between the value under scan and the cursor.
#[derive(Debug)]
struct Nest {
    /// One bit each, innermost lowest, set for an object.
    objects: u128,
    /// How many are open, those around the value under scan included.
    depth: usize,
    /// How many were open where the scan began.
    outer: usize,
}

/// What stands at the cursor inside a container.
#[derive(Debug, Clone, Copy)]
enum Next {
    /// A value begins.
    Value,
    /// A value has ended: a comma or the container's end.
    Rest,
}

impl<'a> Cursor<'a> {
    pub(super) const fn new(text: &'a [u8], at: usize) -> Self {
        Self { text, at, opaque: Opaque { count: 0, bytes: 0 } }
    }

    pub(super) const fn text(&self) -> &'a [u8] {
        self.text
    }

    pub(super) const fn opaque(&self) -> Opaque {
        self.opaque
    }

    pub(super) const fn place(&self) -> usize {
        self.at
    }

    /// The byte at the cursor, past any white space before it.
    #[inline]
    pub(super) fn peek(&mut self) -> Option<u8> {
        loop {
            let byte = *self.text.get(self.at)?;
            if !matches!(byte, b' ' | b'\n' | b'\r' | b'\t') {
                return Some(byte);
            }
            self.at += 1;
        }
    }

    /// Steps over the byte that [`Cursor::peek`] has shown.
    #[inline]
    pub(super) fn step(&mut self) {
        self.at += 1;
    }

    pub(super) fn error<T>(&self, reason: Reason) -> Result<T> {
        let reason = if self.at < self.text.len() { reason } else { Reason::UnexpectedEnd };
        Err(JsonError::new(self.at, reason))
    }

    /// Moves over one value, which stands inside `depth` containers.
    #[inline]
    pub(super) fn value(&mut self, depth: usize) -> Result<(Kind, Span)> {
        let first = self.peek();
        let start = self.at;
        let kind = match first {
            Some(byte @ (b'{' | b'[')) => {
                self.container(byte, depth)?;
                if byte == b'{' { Kind::Object } else { Kind::Array }
            }
            Some(byte) => self.scalar(byte)?,
            None => return self.error(Reason::ExpectedValue),
        };
        Ok((kind, Span::new(start, self.at)))
    }

    /// Moves over a member's key and colon, to its value.
    #[inline]
    pub(super) fn key(&mut self, otherwise: Reason) -> Result<JsonStr<'a>> {
        if self.peek() != Some(b'"') {
            return self.error(otherwise);
        }
        let start = self.at;
        let is_plain = self.string()?;
        let key = JsonStr::key(self.text, Span::new(start, self.at), is_plain);
        if self.peek() != Some(b':') {
            return self.error(Reason::ExpectedColon);
        }
        self.step();
        Ok(key)
    }

    /// Checks that nothing but white space is left.
    pub(super) fn end(&mut self) -> Result<()> {
        match self.peek() {
            None => Ok(()),
            Some(_) => self.error(Reason::TrailingData),
        }
    }

    /// Moves over an object or array and all that stands in it.
    fn container(&mut self, first: u8, depth: usize) -> Result<()> {
        let mut nest = Nest { objects: 0, depth, outer: depth };
        let mut next = self.enter(first, &mut nest)?;
        loop {
            next = match next {
                Next::Value => match self.peek() {
                    Some(byte @ (b'{' | b'[')) => self.enter(byte, &mut nest)?,
                    Some(byte) => {
                        self.scalar(byte)?;
                        Next::Rest
                    }
                    None => return self.error(Reason::ExpectedValue),
                },
                Next::Rest if nest.depth == nest.outer => return Ok(()),
                Next::Rest => self.after_value(&mut nest)?,
            };
        }
    }

    /// Steps into a container, up to its first value or over its end if it is empty.
    #[inline]
    fn enter(&mut self, bracket: u8, nest: &mut Nest) -> Result<Next> {
        let object = bracket == b'{';
        if !nest.push(object) {
            return self.error(Reason::TooDeep);
        }
        self.step();
        if self.peek() == Some(if object { b'}' } else { b']' }) {
            self.step();
            nest.pop();
            return Ok(Next::Rest);
        }
        if object {
            self.key(Reason::ExpectedKeyOrEnd)?;
        }
        Ok(Next::Value)
    }

    /// Steps over the comma to the next value of the innermost container, or over its end.
    #[inline]
    fn after_value(&mut self, nest: &mut Nest) -> Result<Next> {
        let object = nest.in_object();
        match (self.peek(), object) {
            (Some(b','), _) => {
                self.step();
                if object {
                    self.key(Reason::ExpectedKey)?;
                }
                Ok(Next::Value)
            }
            (Some(b'}'), true) | (Some(b']'), false) => {
                self.step();
                nest.pop();
                Ok(Next::Rest)
            }
            (_, true) => self.error(Reason::ExpectedCommaOrBrace),
            (_, false) => self.error(Reason::ExpectedCommaOrBracket),
        }
    }

    #[inline]
    fn scalar(&mut self, first: u8) -> Result<Kind> {
        match first {
            b'"' => self.string().map(|_| Kind::String),
            b'-' | b'0'..=b'9' => self.number().map(|()| Kind::Number),
            b't' => self.literal(b"true").map(|()| Kind::Bool),
            b'f' => self.literal(b"false").map(|()| Kind::Bool),
            b'n' => self.literal(b"null").map(|()| Kind::Null),
            _ => self.error(Reason::ExpectedValue),
        }
    }

    /// Moves over a string, from its opening quote past its closing one. True if it has no escapes.
    // One copy for all callers: copies of this loop in each of them are slower than the call.
    #[inline(never)]
    fn string(&mut self) -> Result<bool> {
        let open = self.at;
        let mut non_ascii = false;
        let mut is_plain = true;
        self.step();
        loop {
            let run = block::plain_run(self.text.get(self.at..).unwrap_or_default());
            self.at += run.len;
            non_ascii |= run.non_ascii;
            match self.text.get(self.at) {
                Some(b'"') => break,
                Some(b'\\') => {
                    is_plain = false;
                    self.escape()?;
                }
                Some(_) => return self.error(Reason::ControlCharacter),
                None => return Err(JsonError::new(open, Reason::UnterminatedString)),
            }
        }
        self.step();
        if non_ascii {
            self.utf8(open)?;
        } else if self.at - open > TEXT_BYTES_MAX {
            self.weigh(open);
        }
        Ok(is_plain)
    }

    /// Counts a long string that has no space where a text would have hundreds.
    #[cold]
    fn weigh(&mut self, from: usize) {
        let beginning = self.text.get(from..from + TEXT_BYTES_MAX).unwrap_or_default();
        if !beginning.contains(&b' ') {
            self.opaque.count += 1;
            self.opaque.bytes += self.at - from;
        }
    }

    #[cold]
    fn utf8(&self, from: usize) -> Result<()> {
        let string = self.text.get(from..self.at).unwrap_or_default();
        if simdutf8::basic::from_utf8(string).is_ok() {
            return Ok(());
        }
        // Only the slow check tells the place.
        let valid = std::str::from_utf8(string).map_or_else(|error| error.valid_up_to(), str::len);
        Err(JsonError::new(from + valid, Reason::InvalidUtf8))
    }

    #[inline]
    fn escape(&mut self) -> Result<()> {
        match self.text.get(self.at + 1) {
            Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.at += 2,
            Some(b'u') => {
                let digits = self.text.get(self.at + 2..self.at + 6).unwrap_or_default();
                if digits.len() < 4 || !digits.iter().all(u8::is_ascii_hexdigit) {
                    return self.error(Reason::InvalidEscape);
                }
                self.at += 6;
            }
            _ => return self.error(Reason::InvalidEscape),
        }
        Ok(())
    }

    /// Moves over a number: `-? (0 | [1-9][0-9]*) (. [0-9]+)? ([eE] [+-]? [0-9]+)?`.
    fn number(&mut self) -> Result<()> {
        self.accept(b"-");
        if !self.accept(b"0") {
            self.digits()?;
        }
        if self.accept(b".") {
            self.digits()?;
        }
        if self.accept(b"eE") {
            self.accept(b"+-");
            self.digits()?;
        }
        match self.text.get(self.at) {
            Some(b'0'..=b'9' | b'.' | b'-' | b'+' | b'e' | b'E') => self.error(Reason::InvalidNumber),
            _ => Ok(()),
        }
    }

    /// Steps over one byte if it is one of `any`.
    #[inline]
    fn accept(&mut self, any: &[u8]) -> bool {
        let found = self.text.get(self.at).is_some_and(|byte| any.contains(byte));
        self.at += usize::from(found);
        found
    }

    fn digits(&mut self) -> Result<()> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += count;
        if count == 0 { self.error(Reason::InvalidNumber) } else { Ok(()) }
    }

    fn literal(&mut self, word: &[u8]) -> Result<()> {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if rest.starts_with(word) {
            self.at += word.len();
            return Ok(());
        }
        let agree = rest.iter().zip(word).take_while(|(have, want)| have == want).count();
        self.at += agree;
        self.error(Reason::InvalidLiteral)
    }
}

// === impl Nest ===

impl Nest {
    /// False if this would be one container too many.
    #[inline]
    fn push(&mut self, object: bool) -> bool {
        self.objects = (self.objects << 1) | u128::from(object);
        self.depth += 1;
        self.depth <= DEPTH_MAX
    }

    #[inline]
    fn pop(&mut self) {
        self.objects >>= 1;
        self.depth -= 1;
    }

    #[inline]
    const fn in_object(&self) -> bool {
        self.objects & 1 == 1
    }
}
