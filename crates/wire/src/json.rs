//! JSON text as spans: checked once, read lazily, edited in place.
//!
//! A gateway looks at a few members of a body that may be megabytes long, and passes the rest on untouched.
//! So nothing here builds a tree: [`scan_object`] checks a whole text against RFC 8259 and reports the
//! top-level members with their byte spans, [`Reader`] goes through a text in one pass, [`Value`] looks at any
//! place on demand, and [`Patches`] rewrites single spans while every other byte, odd spacing, huge numbers and
//! repeated keys included, stays as it came.

mod block;
mod cursor;
mod error;
mod list;
mod object;
mod patch;
mod reader;
mod text;
mod value;
mod write;

#[cfg(test)]
mod tests;

pub use error::{JsonError, Reason};
pub(crate) use list::{ListEdit, member_near_end};
pub use object::{ObjectEdit, ObjectPatchError};
pub use patch::{OverlapError, Patches};
pub use reader::Reader;
pub use text::{JsonStr, quote, quote_into};
pub use value::{Elements, Member, Members, Value, scan_object};
pub(crate) use write::{ListWriter, ObjectWriter};

/// How many arrays and objects may stand inside each other.
pub const DEPTH_MAX: usize = 128;

/// A range of bytes in a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Span {
    /// First byte.
    pub start: usize,
    /// One past the last byte.
    pub end: usize,
}

/// Strings that look like encoded data, an image say, and not like text: long, ASCII, without a space.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Opaque {
    /// How many there are.
    pub count: usize,
    /// Their bytes together.
    pub bytes: usize,
}

/// What a JSON value is, known from its first byte.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// `{…}`
    Object,
    /// `[…]`
    Array,
    /// `"…"`
    String,
    /// Any number, of any size.
    Number,
    /// `true` or `false`
    Bool,
    /// `null`
    Null,
}

impl Span {
    /// The span from `start` up to, not including, `end`.
    pub const fn new(start: usize, end: usize) -> Self {
        Self { start, end }
    }

    /// Length in bytes.
    pub const fn len(self) -> usize {
        self.end.saturating_sub(self.start)
    }

    /// True if no byte lies in it.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The bytes of `text` that lie in this span, none if it reaches beyond the text.
    pub fn of(self, text: &[u8]) -> &[u8] {
        text.get(self.start..self.end).unwrap_or_default()
    }
}

impl Kind {
    /// What a value is that begins with `byte`; none if no value does.
    #[inline]
    pub const fn beginning_with(byte: u8) -> Option<Self> {
        match byte {
            b'{' => Some(Self::Object),
            b'[' => Some(Self::Array),
            b'"' => Some(Self::String),
            b'-' | b'0'..=b'9' => Some(Self::Number),
            b't' | b'f' => Some(Self::Bool),
            b'n' => Some(Self::Null),
            _ => None,
        }
    }

    /// The word for it in a message to a client, with its article.
    pub const fn noun(self) -> &'static str {
        match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::String => "a string",
            Self::Number => "a number",
            Self::Bool => "a boolean",
            Self::Null => "null",
        }
    }
}
