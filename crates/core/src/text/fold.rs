//! Text as it reads: what a pattern over ASCII would miss though a reader sees no difference.
//!
//! Full-width forms, the digits of other scripts, and the many hyphens and spaces become their ASCII
//! counterparts, and characters that show nothing are left out. Owns that view and the way back to the
//! places of the text. Promises that a character's view depends on it and on at most [`HIDDEN_MAX`]
//! characters before it, so that a stream reads as the whole text does, wherever it is cut.

use std::borrow::Cow;
use std::ops::Range;

use super::scan::{Hit, Span};

/// The most characters in a row that are left out; more of them stand for themselves, so that what is held
/// stays in proportion to the longest match.
const HIDDEN_MAX: usize = 8;
/// How much of the text before the place of a scan is read: more than so many hidden characters.
const BEFORE_BYTES: usize = 64;
/// The most bytes of text for one byte of its view.
pub(super) const GROWTH_MAX: usize = 4 + HIDDEN_MAX * 4;

/// The zeros of scripts with decimal digits that are ten in a row.
const ZEROS: &[char] = &[
    '\u{660}',
    '\u{6f0}',
    '\u{7c0}',
    '\u{966}',
    '\u{9e6}',
    '\u{a66}',
    '\u{ae6}',
    '\u{b66}',
    '\u{be6}',
    '\u{c66}',
    '\u{ce6}',
    '\u{d66}',
    '\u{e50}',
    '\u{ed0}',
    '\u{f20}',
    '\u{1040}',
    '\u{17e0}',
    '\u{1810}',
    '\u{1d7ce}',
    '\u{1d7d8}',
    '\u{1d7e2}',
    '\u{1d7ec}',
    '\u{1d7f6}',
];

/// How a character reads, if not as itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reading {
    Hidden,
    Ascii(u8),
}

fn reading(char: char) -> Option<Reading> {
    match char {
        '\0'..='\u{9f}' => None,
        '\u{ad}'
        | '\u{34f}'
        | '\u{61c}'
        | '\u{180b}'..='\u{180e}'
        | '\u{200b}'..='\u{200f}'
        | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}'
        | '\u{fe00}'..='\u{fe0f}'
        | '\u{feff}'
        | '\u{e0000}'..='\u{e007f}' => Some(Reading::Hidden),
        '\u{a0}' | '\u{2000}'..='\u{200a}' | '\u{202f}' | '\u{205f}' | '\u{3000}' => {
            Some(Reading::Ascii(b' '))
        }
        '\u{2010}'..='\u{2013}' | '\u{2212}' | '\u{fe63}' => Some(Reading::Ascii(b'-')),
        '\u{ff61}' | '\u{3002}' => Some(Reading::Ascii(b'.')),
        '\u{ff01}'..='\u{ff5e}' => u8::try_from(u32::from(char) - u32::from('\u{ff01}'))
            .ok()
            .map(|place| Reading::Ascii(b'!' + place)),
        _ => digit(char).map(Reading::Ascii),
    }
}

fn digit(char: char) -> Option<u8> {
    ZEROS.iter().find_map(|zero| {
        let value = u32::from(char).checked_sub(u32::from(*zero)).filter(|value| *value < 10)?;
        u8::try_from(value).ok().map(|value| b'0' + value)
    })
}

/// A text as [`TextPatterns::folding`](super::TextPatterns::folding) sees it; borrows where it reads as it
/// stands.
///
/// ```
/// assert_eq!(gatewright::text::as_read("１2\u{2011}3\u{200b}4"), "12-34");
/// ```
#[must_use]
pub fn as_read(text: &str) -> Cow<'_, str> {
    Folded::of(text, 0).map_or(Cow::Borrowed(text), |(folded, _)| Cow::Owned(folded.text))
}

/// The view of a text from some place on, and the way back.
pub(super) struct Folded {
    text: String,
    /// In order; the first begins the view.
    pieces: Vec<Piece>,
    /// The end of the text that was read.
    end: usize,
}

/// A stretch of the view and where it comes from.
struct Piece {
    view: usize,
    place: usize,
    /// The bytes of the one character that reads as one byte; none where the stretch is a copy.
    folded: Option<usize>,
}

impl Folded {
    /// The view of a text that has one of its own from a little before `from` on, and the place of `from` in it.
    pub(super) fn of(text: &str, from: usize) -> Option<(Self, usize)> {
        let begin = text.ceil_char_boundary(from.saturating_sub(BEFORE_BYTES));
        let first = next_reading(text, begin)?;
        let mut folded =
            Self { text: String::with_capacity(text.len() - begin), pieces: Vec::new(), end: text.len() };
        let view_from = folded.read(text, begin, from, first);
        Some((folded, view_from))
    }

    /// Reads the text from `begin` on, whose first character with a reading is known, and returns the place
    /// of `from` in the view.
    fn read(&mut self, text: &str, begin: usize, from: usize, first: (Range<usize>, Reading)) -> usize {
        let mut at = begin;
        let mut hidden = 0;
        let mut view_from = None;
        let mut next = Some(first);
        while at < text.len() {
            let (char, reading) = next.take().unwrap_or((text.len()..text.len(), Reading::Hidden));
            if char.start > at {
                hidden = 0;
                if (at..char.start).contains(&from) {
                    view_from = Some(self.text.len() + from - at);
                }
                self.copy(text, at..char.start);
            }
            if view_from.is_none() && char.start >= from {
                view_from = Some(self.text.len());
            }
            match reading {
                Reading::Ascii(byte) => {
                    hidden = 0;
                    self.pieces.push(Piece {
                        view: self.text.len(),
                        place: char.start,
                        folded: Some(char.len()),
                    });
                    self.text.push(char::from(byte));
                }
                Reading::Hidden if hidden < HIDDEN_MAX => hidden += 1,
                Reading::Hidden => self.copy(text, char.clone()),
            }
            at = char.end;
            next = next_reading(text, at);
        }
        view_from.unwrap_or(self.text.len())
    }

    fn copy(&mut self, text: &str, range: Range<usize>) {
        self.pieces.push(Piece { view: self.text.len(), place: range.start, folded: None });
        self.text.push_str(text.get(range).unwrap_or_default());
    }

    /// The span to scan in place of one of the text.
    pub(super) fn span(&self, from: usize, is_last: bool) -> Span<'_> {
        Span { text: &self.text, from, is_last }
    }

    /// Where in the text a place of the view is. Its end is the end of the text.
    pub(super) fn place(&self, view: usize) -> usize {
        if view >= self.text.len() {
            return self.end;
        }
        self.piece(view).map_or(self.end, |piece| match piece.folded {
            Some(_) => piece.place,
            None => piece.place + view - piece.view,
        })
    }

    /// Where in the text a match of the view stands: without hidden characters to either side of it.
    pub(super) fn hit(&self, hit: Hit) -> Hit {
        let end = self.piece(hit.end.saturating_sub(1)).map_or(self.end, |piece| match piece.folded {
            Some(bytes) => piece.place + bytes,
            None => piece.place + hit.end - piece.view,
        });
        Hit { start: self.place(hit.start), end, ..hit }
    }

    fn piece(&self, view: usize) -> Option<&Piece> {
        let after = self.pieces.partition_point(|piece| piece.view <= view);
        self.pieces.get(after.checked_sub(1)?)
    }
}

/// The first character at or after `at` that does not read as itself.
fn next_reading(text: &str, at: usize) -> Option<(Range<usize>, Reading)> {
    let mut place = at;
    loop {
        place = next_beyond_ascii(text.as_bytes(), place)?;
        let char = text.get(place..)?.chars().next()?;
        let end = place + char.len_utf8();
        if let Some(reading) = reading(char) {
            return Some((place..end, reading));
        }
        place = end;
    }
}

/// The first byte at or after `at` that is not ASCII.
fn next_beyond_ascii(text: &[u8], at: usize) -> Option<usize> {
    const STRIDE: usize = 64;
    let mut at = at;
    while text.get(at..at + STRIDE).is_some_and(<[u8]>::is_ascii) {
        at += STRIDE;
    }
    text.get(at..)?.iter().position(|byte| !byte.is_ascii()).map(|offset| at + offset)
}
