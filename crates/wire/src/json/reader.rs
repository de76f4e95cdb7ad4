//! Reading a text from front to back, each byte once.
//!
//! A [`Reader`] stands before a value. The caller enters the objects and arrays that it cares about, takes the
//! values that it wants, and everything else is checked and skipped on the way. Compare [`Value`], which looks
//! at any place again and again, and scans for it each time.

use super::cursor::Cursor;
use super::{DEPTH_MAX, JsonError, JsonStr, Kind, Opaque, Reason, Value};

/// A place in a text, before a value that has not been read.
#[derive(Debug, Clone)]
pub struct Reader<'a> {
    cursor: Cursor<'a>,
    /// How many containers are open around the value.
    depth: usize,
}

impl<'a> Reader<'a> {
    /// A reader before the value that `text` is.
    pub fn new(text: &'a [u8]) -> Self {
        Self { cursor: Cursor::new(text, 0), depth: 0 }
    }

    /// A reader before a value that was taken earlier.
    pub fn of(value: &Value<'a>) -> Self {
        let (text, span) = value.place();
        Self { cursor: Cursor::new(text, span.start), depth: 0 }
    }

    /// What the value is, judged by its first byte; none if no value begins here.
    #[inline]
    pub fn kind(&mut self) -> Option<Kind> {
        Kind::beginning_with(self.cursor.peek()?)
    }

    /// Reads the value as a whole.
    ///
    /// # Errors
    /// The first byte at which it is not JSON.
    #[inline]
    pub fn value(&mut self) -> Result<Value<'a>, JsonError> {
        let (kind, span) = self.cursor.value(self.depth)?;
        Ok(Value::new(self.cursor.text(), span, kind))
    }

    /// Reads the value if it is a string; skips it and gives none otherwise.
    ///
    /// # Errors
    /// The first byte at which it is not JSON.
    #[inline]
    pub fn string(&mut self) -> Result<Option<JsonStr<'a>>, JsonError> {
        Ok(self.value()?.json_str())
    }

    /// Reads the value member by member if it is an object; skips it and gives false otherwise.
    ///
    /// `member` gets the key and this reader, before the member's value. What it leaves is skipped.
    ///
    /// # Errors
    /// The first byte at which it is not JSON, or what `member` refuses.
    #[inline]
    pub fn object<E: From<JsonError>>(
        &mut self,
        mut member: impl FnMut(&mut Self, JsonStr<'a>) -> Result<(), E>,
    ) -> Result<bool, E> {
        if self.cursor.peek() != Some(b'{') {
            self.value()?;
            return Ok(false);
        }
        self.enter()?;
        if self.cursor.peek() == Some(b'}') {
            self.leave();
            return Ok(true);
        }
        let mut missing_key = Reason::ExpectedKeyOrEnd;
        loop {
            let key = self.cursor.key(missing_key)?;
            self.each(|reader| member(reader, key))?;
            match self.cursor.peek() {
                Some(b',') => self.cursor.step(),
                Some(b'}') => break,
                _ => self.cursor.error(Reason::ExpectedCommaOrBrace)?,
            }
            missing_key = Reason::ExpectedKey;
        }
        self.leave();
        Ok(true)
    }

    /// Reads the value item by item if it is an array; skips it and gives false otherwise.
    ///
    /// `item` gets the index and this reader, before the item. What it leaves is skipped.
    ///
    /// # Errors
    /// The first byte at which it is not JSON, or what `item` refuses.
    #[inline]
    pub fn array<E: From<JsonError>>(
        &mut self,
        mut item: impl FnMut(&mut Self, usize) -> Result<(), E>,
    ) -> Result<bool, E> {
        if self.cursor.peek() != Some(b'[') {
            self.value()?;
            return Ok(false);
        }
        self.enter()?;
        if self.cursor.peek() == Some(b']') {
            self.leave();
            return Ok(true);
        }
        for index in 0.. {
            self.each(|reader| item(reader, index))?;
            match self.cursor.peek() {
                Some(b',') => self.cursor.step(),
                Some(b']') => break,
                _ => self.cursor.error(Reason::ExpectedCommaOrBracket)?,
            }
        }
        self.leave();
        Ok(true)
    }

    /// The byte at which the reader stands; after a value has been read, the one that follows it.
    pub const fn place(&self) -> usize {
        self.cursor.place()
    }

    /// The strings read so far that look like encoded data and not like text.
    pub const fn opaque(&self) -> Opaque {
        self.cursor.opaque()
    }

    /// Checks that nothing follows the value.
    ///
    /// # Errors
    /// The place of what does.
    pub fn end(&mut self) -> Result<(), JsonError> {
        self.cursor.end()
    }

    /// Gives one child to `visit`, and skips it if that did not read it.
    #[inline]
    fn each<E: From<JsonError>>(&mut self, visit: impl FnOnce(&mut Self) -> Result<(), E>) -> Result<(), E> {
        self.cursor.peek();
        let before = self.cursor.place();
        visit(self)?;
        if self.cursor.place() == before {
            self.value()?;
        }
        Ok(())
    }

    #[inline]
    fn enter(&mut self) -> Result<(), JsonError> {
        if self.depth >= DEPTH_MAX {
            return self.cursor.error(Reason::TooDeep);
        }
        self.depth += 1;
        self.cursor.step();
        Ok(())
    }

    #[inline]
    fn leave(&mut self) {
        self.depth -= 1;
        self.cursor.step();
    }
}
