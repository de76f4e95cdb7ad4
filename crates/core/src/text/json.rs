//! The text of a lane whose source is JSON: escapes are resolved on the way in and written on the way out.
//!
//! A filter sees the characters that a string stands for, so no escape hides one from it. What JSON
//! cannot hold literally is remembered by place and escaped again when it is released. Promises that the
//! value stays the same where nothing is edited, and that an escape cut anywhere is put together again;
//! at most 11 bytes wait for that. Text that is not JSON passes through as it came.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::ops::Range;

use memchr::memchr2;

/// What a filter sees in place of half a surrogate pair.
const HALF: char = char::REPLACEMENT_CHARACTER;

/// Where a reader and a writer of one JSON source stand.
#[derive(Debug, Default)]
pub(super) struct JsonText {
    /// Whether what was read so far ends inside a string.
    reads_string: bool,
    /// The beginning of an escape whose end has not come yet.
    pending: String,
    /// Resolved characters that must be escaped again: offset since the lane's start, UTF-16 unit.
    escaped: VecDeque<(usize, u16)>,
    /// Whether what was written so far ends inside a string of the source.
    writes_string: bool,
}

/// What the beginning of an escape stands for.
enum Escape {
    /// More is needed.
    Partial,
    /// One character.
    Char(char),
    /// Half a surrogate pair, of which the source has only this half.
    Half(u16),
    /// No escape.
    Invalid,
}

// === reading ===

impl JsonText {
    /// How many bytes of a cut escape wait.
    pub(super) fn pending_bytes(&self) -> usize {
        self.pending.len()
    }

    /// Appends what `source` stands for to `text`; `offset` is the place of `text` since the lane's start.
    pub(super) fn read(&mut self, source: &str, text: &mut String, offset: usize) {
        let mut rest = source;
        while !rest.is_empty() {
            if self.pending.is_empty() {
                let plain = memchr2(b'"', b'\\', rest.as_bytes()).unwrap_or(rest.len());
                let (head, tail) = rest.split_at(plain);
                text.push_str(head);
                rest = tail;
            }
            let mut chars = rest.chars();
            if let Some(next) = chars.next() {
                self.read_char(next, text, offset);
            }
            rest = chars.as_str();
        }
    }

    /// Gives up waiting for the end of an escape: nothing follows.
    pub(super) fn read_end(&mut self, text: &mut String) {
        text.push_str(&self.pending);
        self.pending.clear();
    }

    fn read_char(&mut self, next: char, text: &mut String, offset: usize) {
        if self.pending.is_empty() {
            match next {
                '\\' if self.reads_string => self.pending.push(next),
                '"' => {
                    self.reads_string = !self.reads_string;
                    text.push(next);
                }
                _ => text.push(next),
            }
            return;
        }
        self.pending.push(next);
        match escape(self.pending.as_bytes()) {
            Escape::Partial => {}
            Escape::Char(char) => {
                if let Some(unit) = needs_escape(char) {
                    self.escaped.push_back((offset + text.len(), unit));
                }
                text.push(char);
                self.pending.clear();
            }
            Escape::Half(unit) => {
                self.escaped.push_back((offset + text.len(), unit));
                text.push(HALF);
                self.reread(HALF_BYTES, text, offset);
            }
            Escape::Invalid => {
                let literal = self.pending.len() - next.len_utf8();
                text.push_str(self.pending.get(..literal).unwrap_or_default());
                self.reread(literal, text, offset);
            }
        }
    }

    /// Reads again what waits, without its first `done` bytes. Never goes deeper than one pair of halves.
    fn reread(&mut self, done: usize, text: &mut String, offset: usize) {
        let pending = std::mem::take(&mut self.pending);
        for next in pending.get(done..).unwrap_or_default().chars() {
            self.read_char(next, text, offset);
        }
    }
}

/// The bytes of one `\uXXXX`.
const HALF_BYTES: usize = 6;

fn escape(source: &[u8]) -> Escape {
    match source {
        [b'\\'] => Escape::Partial,
        [b'\\', b'u', digits @ ..] if digits.len() < 4 => partial_unit(digits),
        [b'\\', b'u', a, b, c, d, low @ ..] => match unit([*a, *b, *c, *d]) {
            Some(high @ 0xD800..=0xDBFF) => pair(high, low),
            Some(half @ 0xDC00..=0xDFFF) => Escape::Half(half),
            Some(unit) => char::from_u32(u32::from(unit)).map_or(Escape::Invalid, Escape::Char),
            None => Escape::Invalid,
        },
        [b'\\', short] => match short {
            b'"' | b'\\' | b'/' => Escape::Char(char::from(*short)),
            b'b' => Escape::Char('\u{8}'),
            b'f' => Escape::Char('\u{c}'),
            b'n' => Escape::Char('\n'),
            b'r' => Escape::Char('\r'),
            b't' => Escape::Char('\t'),
            _ => Escape::Invalid,
        },
        _ => Escape::Invalid,
    }
}

/// A high surrogate, and what has come of the low one.
fn pair(high: u16, low: &[u8]) -> Escape {
    match low {
        [] | [b'\\'] => Escape::Partial,
        [b'\\', b'u', digits @ ..] if digits.len() < 4 => match partial_unit(digits) {
            Escape::Partial => Escape::Partial,
            _ => Escape::Half(high),
        },
        [b'\\', b'u', a, b, c, d] => match unit([*a, *b, *c, *d]) {
            Some(low @ 0xDC00..=0xDFFF) => char::decode_utf16([high, low])
                .next()
                .and_then(Result::ok)
                .map_or(Escape::Half(high), Escape::Char),
            _ => Escape::Half(high),
        },
        _ => Escape::Half(high),
    }
}

fn partial_unit(digits: &[u8]) -> Escape {
    if digits.iter().all(u8::is_ascii_hexdigit) { Escape::Partial } else { Escape::Invalid }
}

fn unit(digits: [u8; 4]) -> Option<u16> {
    digits.iter().try_fold(0, |unit: u16, digit| {
        let value = char::from(*digit).to_digit(16)?;
        Some(unit << 4 | u16::try_from(value).ok()?)
    })
}

/// The UTF-16 unit of a character that a JSON string cannot hold literally.
fn needs_escape(char: char) -> Option<u16> {
    match char {
        '"' | '\\' | '\0'..='\u{1f}' => u16::try_from(u32::from(char)).ok(),
        _ => None,
    }
}

// === writing ===

impl JsonText {
    /// Writes the source of `text`, which stands at `offset` since the lane's start.
    pub(super) fn write(&mut self, text: &str, offset: usize, out: &mut String) {
        self.walk(text, offset, |literal, unit| {
            out.push_str(text.get(literal).unwrap_or_default());
            if let Some(unit) = unit {
                write_unit(unit, out);
            }
        });
    }

    /// Writes `with` in place of `removed`, which stood at `offset` since the lane's start.
    ///
    /// Inside a string the text is escaped. Outside, what replaces a number or a word becomes a string.
    pub(super) fn write_edit(&mut self, removed: &str, offset: usize, with: &str, out: &mut String) {
        let in_string = self.writes_string;
        self.walk(removed, offset, |_, _| {});
        let is_scalar = removed.bytes().any(|byte| byte.is_ascii_alphanumeric());
        match (in_string, is_scalar) {
            (true, _) => write_escaped(with, out),
            (false, false) => out.push_str(with),
            (false, true) => {
                out.push('"');
                write_escaped(with, out);
                out.push('"');
            }
        }
    }

    /// Goes through `text` by stretches of literal text, each with the escape that follows it, and keeps
    /// count of whether the place is inside a string.
    fn walk(&mut self, text: &str, offset: usize, mut visit: impl FnMut(Range<usize>, Option<u16>)) {
        let mut at = 0;
        loop {
            let next = self.escaped.front().copied().filter(|(place, _)| *place < offset + text.len());
            let end = next.map_or(text.len(), |(place, _)| place.saturating_sub(offset));
            let literal = text.as_bytes().get(at..end).unwrap_or_default();
            let quotes = memchr::memchr_iter(b'"', literal).count();
            self.writes_string ^= quotes % 2 == 1;
            visit(at..end, next.map(|(_, unit)| unit));
            let Some((_, unit)) = next else { return };
            self.escaped.pop_front();
            at = end + if matches!(unit, 0xD800..=0xDFFF) { HALF.len_utf8() } else { 1 };
        }
    }
}

/// Writes `text` as the inside of a JSON string.
fn write_escaped(text: &str, out: &mut String) {
    for char in text.chars() {
        match needs_escape(char) {
            Some(unit) => write_unit(unit, out),
            None => out.push(char),
        }
    }
}

fn write_unit(unit: u16, out: &mut String) {
    match u8::try_from(unit) {
        Ok(b'"') => out.push_str("\\\""),
        Ok(b'\\') => out.push_str("\\\\"),
        Ok(0x08) => out.push_str("\\b"),
        Ok(0x0c) => out.push_str("\\f"),
        Ok(b'\n') => out.push_str("\\n"),
        Ok(b'\r') => out.push_str("\\r"),
        Ok(b'\t') => out.push_str("\\t"),
        _ => write!(out, "\\u{unit:04x}").expect("writing to a string does not fail"),
    }
}
