//! Patterns, texts and cuts for the tests of this module.

use std::ops::Range;

use crate::text::{Lane, Pattern, TextPatterns, TextSession};

/// Texts whose matches continue, overlap, touch either end, or stand beside multi-byte characters.
pub(super) const CORPUS: &[&str] = &[
    "",
    "a",
    "plain text without anything in it",
    "bob@x.com",
    "mail bob@x.com now",
    "q-r.st@q-r.st.uv",
    "q-r.st@q-r.st.",
    "q-r.st@q-r.st.u",
    "a@b.cd.ef.gh",
    "a@b.cd. Next",
    "a@b.cd.9x",
    "a@b c@d.ee",
    "a@@b.cd",
    "@b.cd",
    "a@b.",
    "bob@x.com,amy@y.org",
    "bob@x.comamy@y.org",
    "<bob@x.com>",
    "ébob@x.comé",
    "日本bob@x.com語",
    "🙂bob@x.com🙂",
    "abc",
    "abcd",
    "abcdefgh",
    "abcdefg",
    "abcdeabcdefgh",
    "xabcx",
    "ababcabc",
    "abcabcdefghabc",
    "123-45-6789",
    "x123-45-6789",
    "é123-45-6789é",
    "123-45-67890",
    "0123-45-6789",
    "_123-45-6789",
    "123-45-6789_",
    "4111 1111 1111 1111",
    "4111111111111111",
    "4111111111111112",
    "4111-1111-1111-1111 12/27",
    "card 4111111111111111.",
    "4111 1111 1111 1111 123",
    "14111111111111111",
    "key sk-a1B2c3D4e5F6 end",
    "sk-a1B2c3D4e5F",
    "xsk-a1B2c3D4e5F6",
    "sk-sk-a1B2c3D4e5F6",
    "sk-a1B2c3D4e5F6@x.com",
    "id=sk-a1B2c3D4e5F6é",
    "line one\nbob@x.com\r\nline two",
    "end of line $\n$ end",
    "word cat concat cat",
    "cat",
    "concat",
    "\u{0}\u{7f}a@b.cd\u{0}",
    "ß@b.cd ß",
];

/// Addresses, numbers with and without a validator, a word with both borders, a line end, and two forms
/// of which the longer is preferred.
pub(super) fn patterns() -> TextPatterns {
    TextPatterns::compile([
        Pattern::new("email", r"[A-Za-z0-9.+-]{1,16}@[A-Za-z0-9-]{1,16}(?:\.[A-Za-z]{2,8}){1,3}"),
        Pattern::new("ssn", r"\b[0-9]{3}-[0-9]{2}-[0-9]{4}\b"),
        Pattern::new("card", r"\b[0-9](?:[ -]?[0-9]){12,18}\b").validate(luhn),
        Pattern::new("key", r"\bsk-[A-Za-z0-9]{12}\b"),
        Pattern::new("forms", r"abcdefgh|abc"),
        Pattern::new("cat", r"\bcat\b"),
        Pattern::new("line end", r"(?m)\$$").replace_by(|found| format!("<{found}>")),
    ])
    .expect("the patterns are valid")
}

pub(super) fn luhn(text: &str) -> bool {
    let digits = text.bytes().rev().filter(u8::is_ascii_digit).map(|digit| u32::from(digit - b'0'));
    let sum: u32 = digits
        .enumerate()
        .map(|(i, digit)| if i % 2 == 0 { digit } else { digit * 2 / 10 + digit * 2 % 10 })
        .sum();
    sum.is_multiple_of(10)
}

/// Feeds one lane piece by piece and returns what came out.
pub(super) fn stream<'t>(session: &mut TextSession, pieces: impl IntoIterator<Item = &'t str>) -> String {
    let lane = Lane::content(0);
    let mut out = String::new();
    for piece in pieces {
        out += &session.push(lane, piece, false).expect("nothing overflows");
    }
    out + &session.push(lane, "", true).expect("nothing overflows")
}

/// The places where a text can be cut.
pub(super) fn boundaries(text: &str) -> Vec<usize> {
    text.char_indices().map(|(at, _)| at).skip(1).collect()
}

/// The pieces between the cuts, which stand in order.
pub(super) fn pieces<'t>(text: &'t str, cuts: &[usize]) -> Vec<&'t str> {
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain(std::iter::once(text.len()));
    starts.zip(ends).map(|(start, end)| &text[start..end]).collect()
}

/// Every way to cut a text in up to three pieces, then one piece per character.
pub(super) fn splits(text: &str) -> Vec<Vec<&str>> {
    let places = boundaries(text);
    let mut all = vec![vec![text], pieces(text, &places)];
    for (i, &first) in places.iter().enumerate() {
        all.push(pieces(text, &[first]));
        all.extend(places[i + 1..].iter().map(|&second| pieces(text, &[first, second])));
    }
    all
}

/// A small generator of repeatable chance.
pub(super) struct Chance(pub(super) u64);

impl Chance {
    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % (bound as u64)).expect("below the bound")
    }

    pub(super) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }

    /// Between none and `most` cuts anywhere, empty pieces included.
    pub(super) fn split<'t>(&mut self, text: &'t str, most: usize) -> Vec<&'t str> {
        let mut cuts: Vec<usize> =
            (0..self.below(most + 1)).map(|_| text.floor_char_boundary(self.below(text.len() + 1))).collect();
        cuts.sort_unstable();
        pieces(text, &cuts)
    }

    /// A text of fragments that begin, continue or look like matches.
    pub(super) fn text(&mut self, parts: Range<usize>) -> String {
        const PARTS: &[&str] = &[
            "a",
            "bob",
            "@",
            "x.co",
            "m",
            ".",
            "q-r.st.",
            "uv",
            " ",
            "\n",
            "4111",
            "1111",
            "-",
            "123-45-",
            "6789",
            "sk-",
            "a1B2c3D4e5F6",
            "abc",
            "defgh",
            "cat",
            "con",
            "é",
            "🙂",
            "_",
            "$",
            "\r\n",
            "0",
            ",",
        ];
        let count = parts.start + self.below(parts.len());
        (0..count).map(|_| *self.pick(PARTS)).collect()
    }
}
