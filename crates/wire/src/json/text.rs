//! Strings: what a JSON string says, and how to say something as a JSON string.
//!
//! A lone surrogate escape is legal JSON and not text; it reads as U+FFFD and is passed on as it stands.

use std::borrow::Cow;

use bytes::Bytes;

use super::{Span, block};

/// A JSON string in a checked text, quotes included.
#[derive(Debug, Clone, Copy)]
pub struct JsonStr<'a> {
    /// The text between the quotes.
    inner: &'a [u8],
    span: Span,
    /// Known to have no escapes. Where nothing is known, a look will tell.
    is_plain: bool,
    /// It is no string but the source of another value.
    is_source: bool,
}

impl<'a> JsonStr<'a> {
    /// The string at `span`, which a scan has found in `text`.
    pub(super) fn new(text: &'a [u8], span: Span) -> Self {
        let inner = text.get(span.start + 1..span.end.saturating_sub(1)).unwrap_or_default();
        Self { inner, span, is_plain: false, is_source: false }
    }

    /// The source of the value at `span`, as if it were what a string says: the text of dialects that have a value
    /// where others have the text of one.
    pub(super) fn source(text: &'a [u8], span: Span) -> Self {
        Self { inner: span.of(text), span, is_plain: true, is_source: true }
    }

    /// The key at `span`, of which the scan knows whether it has escapes.
    pub(super) fn key(text: &'a [u8], span: Span, is_plain: bool) -> Self {
        Self { is_plain, ..Self::new(text, span) }
    }

    /// Whether it is the source of a value, not what a string says.
    pub(crate) const fn is_source(&self) -> bool {
        self.is_source
    }

    /// Where it stands, quotes included.
    pub const fn span(&self) -> Span {
        self.span
    }

    /// The bytes between the quotes, escapes as written.
    pub const fn escaped(&self) -> &'a [u8] {
        self.inner
    }

    /// The bytes of what it says; borrowed if it has no escapes. What keys are compared by.
    #[inline]
    pub fn bytes(&self) -> Cow<'a, [u8]> {
        if self.is_plain {
            return Cow::Borrowed(self.inner);
        }
        match self.decode() {
            Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
            Cow::Owned(text) => Cow::Owned(text.into_bytes()),
        }
    }

    /// What it says; borrowed if it has no escapes.
    pub fn decode(&self) -> Cow<'a, str> {
        if self.is_plain || block::plain_run(self.inner).len == self.inner.len() {
            return String::from_utf8_lossy(self.inner);
        }
        let mut text = String::with_capacity(self.inner.len());
        unescape_into(&mut text, self.inner);
        Cow::Owned(text)
    }

    /// What a piece of a text says whose characters may have been cut in two. `open` is the half in which the piece
    /// before it ended, and becomes the one in which this one does.
    pub(crate) fn decode_after(&self, open: &mut Option<u32>) -> Cow<'a, str> {
        let before = open.take();
        if before.is_none() && (self.is_plain || !ends_in_half(self.inner)) {
            return self.decode();
        }
        let mut text = String::with_capacity(self.inner.len() + 4);
        let mut inner = self.inner;
        if let Some(high) = before.filter(|_| !inner.is_empty()) {
            let low = hex_unit(inner);
            let is_rest = (0xdc00..0xe000).contains(&low);
            let whole = is_rest.then(|| char::from_u32(joined(high, low))).flatten();
            text.push(whole.unwrap_or(char::REPLACEMENT_CHARACTER));
            inner = inner.get(if is_rest { ESCAPE_BYTES } else { 0 }..).unwrap_or_default();
        } else {
            *open = before;
        }
        if ends_in_half(inner) {
            let (rest, half) = inner.split_at(inner.len() - ESCAPE_BYTES);
            *open = Some(hex_unit(half));
            inner = rest;
        }
        unescape_into(&mut text, inner);
        Cow::Owned(text)
    }

    /// True if it says `other`, however it is written.
    #[inline]
    pub fn is(&self, other: &str) -> bool {
        self.inner == other.as_bytes()
            || (!self.is_plain && self.inner.contains(&b'\\') && self.decode() == other)
    }
}

/// The length of `\uXXXX`.
const ESCAPE_BYTES: usize = 6;

/// Appends what the escaped text between two quotes says.
fn unescape_into(out: &mut String, mut inner: &[u8]) {
    loop {
        let (plain, rest) = inner.split_at(block::plain_run(inner).len);
        out.push_str(&String::from_utf8_lossy(plain));
        let (char, used) = match rest {
            [] => return,
            [b'\\', b'u', ..] => unicode_escape(rest),
            [b'\\', byte, ..] => (simple_escape(*byte), 2),
            _ => (char::REPLACEMENT_CHARACTER, 1),
        };
        out.push(char);
        inner = rest.get(used..).unwrap_or_default();
    }
}

const fn simple_escape(byte: u8) -> char {
    match byte {
        b'b' => '\u{8}',
        b'f' => '\u{c}',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        other => other as char,
    }
}

/// The character that `\uXXXX`, or a pair of them, stands for, and how many bytes it takes.
fn unicode_escape(text: &[u8]) -> (char, usize) {
    let first = hex_unit(text);
    if let Some(char) = char::from_u32(first) {
        return (char, 6);
    }
    let second = text.get(6..).map_or(0, hex_unit);
    if (0xd800..0xdc00).contains(&first) && (0xdc00..0xe000).contains(&second) {
        return (char::from_u32(joined(first, second)).unwrap_or(char::REPLACEMENT_CHARACTER), 12);
    }
    (char::REPLACEMENT_CHARACTER, 6)
}

/// The code of a character that is escaped in two halves.
const fn joined(high: u32, low: u32) -> u32 {
    0x1_0000 + ((high - 0xd800) << 10) + (low - 0xdc00)
}

/// Whether the last escape is the first half of a character.
fn ends_in_half(inner: &[u8]) -> bool {
    let Some((before, last)) = inner.split_last_chunk::<ESCAPE_BYTES>() else { return false };
    // A backslash behind an odd number of others is the second one of an escape.
    let backslashes = before.iter().rev().take_while(|&&byte| byte == b'\\').count();
    (0xd800..0xdc00).contains(&hex_unit(last)) && backslashes % 2 == 0
}

/// The unit that `\uXXXX` at the beginning of `text` names, 0 if none stands there.
fn hex_unit(text: &[u8]) -> u32 {
    let Some([b'\\', b'u', digits @ ..]) = text.get(..6) else { return 0 };
    digits.iter().fold(0, |unit, &digit| unit * 16 + char::from(digit).to_digit(16).unwrap_or(0))
}

/// `text` as a JSON string with its quotes.
pub fn quote(text: &str) -> Bytes {
    let mut out = Vec::with_capacity(text.len() + text.len() / 16 + 2);
    quote_into(&mut out, text);
    Bytes::from(out)
}

/// Appends `text` as a JSON string with its quotes; only what must be escaped is.
pub fn quote_into(out: &mut Vec<u8>, text: &str) {
    out.push(b'"');
    let mut rest = text.as_bytes();
    loop {
        let (plain, tail) = rest.split_at(block::plain_run(rest).len);
        out.extend_from_slice(plain);
        let Some((&byte, tail)) = tail.split_first() else { break };
        escape_into(out, byte);
        rest = tail;
    }
    out.push(b'"');
}

fn escape_into(out: &mut Vec<u8>, byte: u8) {
    let letter = match byte {
        b'"' | b'\\' => byte,
        0x08 => b'b',
        0x0c => b'f',
        b'\n' => b'n',
        b'\r' => b'r',
        b'\t' => b't',
        control => {
            let low = b"0123456789abcdef".get(usize::from(control & 15)).copied().unwrap_or(b'0');
            out.extend_from_slice(&[b'\\', b'u', b'0', b'0', b'0' + (control >> 4), low]);
            return;
        }
    };
    out.extend_from_slice(&[b'\\', letter]);
}
