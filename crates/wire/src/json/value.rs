//! Checked text, read on demand.
//!
//! Invariant: a [`Value`] exists only over text that a scan has accepted, so reading it cannot fail; a walk over
//! its children scans them again, at the speed of the first scan, and keeps nothing.

use std::borrow::Cow;

use super::cursor::Cursor;
use super::{JsonError, JsonStr, Kind, Reader, Reason, Span};

/// A value inside a text that has been checked.
#[derive(Debug, Clone, Copy)]
pub struct Value<'a> {
    text: &'a [u8],
    span: Span,
    kind: Kind,
}

/// One member of an object.
#[derive(Debug, Clone, Copy)]
pub struct Member<'a> {
    /// Its name.
    pub key: JsonStr<'a>,
    /// What stands after the colon.
    pub value: Value<'a>,
}

/// Checks that `text` is one JSON object and nothing else, and shows each of its members, in order, to `visit`.
///
/// A member is shown as soon as it has been checked, that is before the rest of the text has: act on what was
/// seen only when this returns `Ok`. Repeated keys are shown as often as they stand there.
///
/// # Errors
/// The first byte at which the text is not such an object.
pub fn scan_object<'a>(text: &'a [u8], mut visit: impl FnMut(Member<'a>)) -> Result<Value<'a>, JsonError> {
    let mut cursor = Cursor::new(text, 0);
    if cursor.peek() != Some(b'{') {
        return cursor.error(Reason::ExpectedObject);
    }
    let start = cursor.place();
    let mut reader = Reader::new(text);
    reader.object(|reader, key| {
        visit(Member { key, value: reader.value()? });
        Ok::<_, JsonError>(())
    })?;
    let span = Span::new(start, reader.place());
    reader.end()?;
    Ok(Value { text, span, kind: Kind::Object })
}

impl<'a> Value<'a> {
    /// The value at `span`, which a scan has found in `text`.
    pub(super) const fn new(text: &'a [u8], span: Span, kind: Kind) -> Self {
        Self { text, span, kind }
    }

    /// The whole text and where in it the value stands.
    pub(super) const fn place(&self) -> (&'a [u8], Span) {
        (self.text, self.span)
    }

    /// Checks that `text` is one JSON value and nothing else.
    ///
    /// # Errors
    /// The first byte at which it is not.
    pub fn parse(text: &'a [u8]) -> Result<Self, JsonError> {
        let mut cursor = Cursor::new(text, 0);
        let (kind, span) = cursor.value(0)?;
        cursor.end()?;
        Ok(Self { text, span, kind })
    }

    /// The value that a text is which has been checked before; `null` at its end if it has not.
    pub(crate) fn of_checked(text: &'a [u8]) -> Self {
        let start = text.len() - text.trim_ascii_start().len();
        let end = text.trim_ascii_end().len();
        let kind = text.get(start).and_then(|&byte| Kind::beginning_with(byte));
        kind.map_or(Self::new(text, Span::new(text.len(), text.len()), Kind::Null), |kind| {
            Self::new(text, Span::new(start, end), kind)
        })
    }

    /// What it is.
    pub const fn kind(&self) -> Kind {
        self.kind
    }

    /// Where it stands in the whole text.
    pub const fn span(&self) -> Span {
        self.span
    }

    /// Its bytes as written.
    pub fn raw(&self) -> &'a [u8] {
        self.span.of(self.text)
    }

    /// Its source text. A checked text is UTF-8, so that this borrows.
    pub fn source(&self) -> Cow<'a, str> {
        String::from_utf8_lossy(self.raw())
    }

    /// The members, if it is an object; none otherwise.
    pub fn members(&self) -> Members<'a> {
        Members { children: Children::of(self, Kind::Object) }
    }

    /// The elements, if it is an array; none otherwise.
    pub fn elements(&self) -> Elements<'a> {
        Elements { children: Children::of(self, Kind::Array) }
    }

    /// True if it is an object or an array and something stands in it. Looks no further than its first byte.
    pub fn has_children(&self) -> bool {
        matches!(self.kind, Kind::Object | Kind::Array) && Children::of(self, self.kind).advance()
    }

    /// The member called `key`, the last one if it stands there more than once.
    pub fn get(&self, key: &str) -> Option<Value<'a>> {
        self.members().filter(|member| member.key.is(key)).last().map(|member| member.value)
    }

    /// The members called `keys`, in one pass; of a repeated one the last.
    pub(crate) fn pick<const N: usize>(&self, keys: [&str; N]) -> [Option<Self>; N] {
        let mut found = [None; N];
        for member in self.members() {
            let slots = found.iter_mut().zip(keys);
            slots.filter(|(_, key)| member.key.is(key)).for_each(|(slot, _)| *slot = Some(member.value));
        }
        found
    }

    /// The value at the end of a path of keys.
    pub fn at(&self, path: &[&str]) -> Option<Value<'a>> {
        path.iter().try_fold(*self, |value, key| value.get(key))
    }

    /// The string itself, if it is one.
    pub fn json_str(&self) -> Option<JsonStr<'a>> {
        (self.kind == Kind::String).then(|| JsonStr::new(self.text, self.span))
    }

    /// Its source, for those who treat the value as a text.
    pub(crate) fn source_str(&self) -> JsonStr<'a> {
        JsonStr::source(self.text, self.span)
    }

    /// What it says, if it is a string.
    pub fn as_str(&self) -> Option<Cow<'a, str>> {
        Some(self.json_str()?.decode())
    }

    /// Its value, if it is a whole number from 0 to `u64::MAX` written without fraction or exponent.
    pub fn as_u64(&self) -> Option<u64> {
        if self.kind != Kind::Number {
            return None;
        }
        std::str::from_utf8(self.raw()).ok()?.parse().ok()
    }

    /// Its value, if it is a boolean.
    pub fn as_bool(&self) -> Option<bool> {
        (self.kind == Kind::Bool).then(|| self.raw() == b"true")
    }

    /// True if it is `null`.
    pub fn is_null(&self) -> bool {
        self.kind == Kind::Null
    }
}

/// The members of an object, in order.
#[derive(Debug, Clone)]
pub struct Members<'a> {
    children: Children<'a>,
}

/// The elements of an array, in order.
#[derive(Debug, Clone)]
pub struct Elements<'a> {
    children: Children<'a>,
}

/// A walk over what stands between two brackets.
#[derive(Debug, Clone)]
struct Children<'a> {
    text: &'a [u8],
    cursor: Cursor<'a>,
    /// One past the last child's last possible byte: the closing bracket.
    end: usize,
}

impl<'a> Children<'a> {
    fn of(parent: &Value<'a>, kind: Kind) -> Self {
        let (start, end) = if parent.kind == kind {
            (parent.span.start + 1, parent.span.end.saturating_sub(1))
        } else {
            (parent.span.end, parent.span.end)
        };
        Self { text: parent.text, cursor: Cursor::new(parent.text, start), end }
    }

    /// True if a child begins at the cursor, past the comma before it.
    fn advance(&mut self) -> bool {
        if self.cursor.peek() == Some(b',') && self.cursor.place() < self.end {
            self.cursor.step();
            self.cursor.peek();
        }
        self.cursor.place() < self.end
    }

    fn value(&mut self) -> Option<Value<'a>> {
        let (kind, span) = self.cursor.value(0).ok()?;
        Some(Value { text: self.text, span, kind })
    }
}

impl<'a> Iterator for Members<'a> {
    type Item = Member<'a>;

    fn next(&mut self) -> Option<Member<'a>> {
        let children = &mut self.children;
        if !children.advance() {
            return None;
        }
        let key = children.cursor.key(Reason::ExpectedKey).ok()?;
        Some(Member { key, value: children.value()? })
    }
}

impl<'a> Iterator for Elements<'a> {
    type Item = Value<'a>;

    fn next(&mut self) -> Option<Value<'a>> {
        if self.children.advance() { self.children.value() } else { None }
    }
}
