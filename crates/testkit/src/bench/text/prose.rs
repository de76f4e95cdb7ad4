//! Text to measure with, the same for the same seed: sentences as a model writes them, with and without
//! what a filter looks for, and text that has the signs of it all over.

/// Words, weighted by how often they stand here.
const WORDS: &[&str] = &[
    "the",
    "the",
    "the",
    "the",
    "of",
    "of",
    "of",
    "and",
    "and",
    "and",
    "to",
    "to",
    "to",
    "in",
    "in",
    "a",
    "a",
    "is",
    "is",
    "that",
    "that",
    "for",
    "for",
    "it",
    "with",
    "as",
    "on",
    "was",
    "be",
    "are",
    "this",
    "by",
    "from",
    "or",
    "at",
    "which",
    "have",
    "not",
    "an",
    "but",
    "they",
    "can",
    "will",
    "one",
    "more",
    "when",
    "time",
    "there",
    "their",
    "other",
    "some",
    "about",
    "into",
    "only",
    "new",
    "then",
    "first",
    "after",
    "people",
    "should",
    "system",
    "between",
    "number",
    "service",
    "request",
    "because",
    "through",
    "question",
    "different",
    "important",
    "information",
    "customer",
    "account",
    "following",
    "example",
    "available",
    "department",
    "configuration",
    "approximately",
    "recommendation",
    "café",
    "naïve",
    "résumé",
];

/// What stands in prose now and then, and is no match.
const ASIDES: &[&str] = &[
    "in 2024",
    "at 10:30",
    "about 1,250",
    "3.5 %",
    "(see below)",
    "“quoted”",
    "it’s",
    "e.g.",
    "U.S.",
    "version 2.1",
    "100 MB",
    "\"as is\"",
    "don't",
    "mid-term",
    "and/or",
    "A/B",
    "Q3",
    "ID 4711",
    "No. 12",
    "**bold**",
    "`code`",
    "https://example.com/docs",
    "€ 20",
    "24 hours",
    "1st",
    "x = y + 1",
];

/// What the standard patterns of a masking filter match.
const MATCHES: &[&str] = &[
    "ann.b+c@mail.example.co.uk",
    "bob@example.com",
    "j.doe@corp.example",
    "4111 1111 1111 1111",
    "219-09-9999",
    "+49 30 1234567",
    "(212) 555-0147",
    "192.168.0.17",
    "DE89 3704 0044 0532 0130 00",
    "sk-0123456789abcdefghij",
];

/// Lines of tables, code and records.
const DENSE: &[&str] = &[
    "| 2024-05-01 | 10:30:00 | 1,250.00 | 17 | A-100 |\n",
    "let total_4711 = items.iter().map(|x| x.price * 100).sum::<u64>();\n",
    "{\"id\": 88213, \"at\": 1714556400, \"ok\": true, \"ratio\": 0.125}\n",
    "GET /v1/items/3f2504e0-4f89-11d3-9a0c-0305e82c3301?page=2 HTTP/1.1\n",
    "0x7fff5fbff8c0: 48 89 e5 48 83 ec 10 c7 45 fc 00 00 00 00\n",
    "ERROR 500 at 12:34:56.789 worker-3 retry=2 delay=250ms\n",
    "SELECT A.ID, B.NAME FROM T1 A JOIN T2 B ON A.ID = B.T1_ID WHERE A.ID > 1000;\n",
    "aGVsbG8gd29ybGQsIHRoaXMgaXMgYSBsb25nIHRleHQgaW4gYmFzZTY0LCBhIGZpbGU\n",
];

/// A small generator of repeatable chance (SplitMix64).
#[derive(Debug)]
pub(super) struct Chance(u64);

impl Chance {
    pub(super) fn new(seed: u64) -> Self {
        Self(seed)
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound.max(1) as u64).unwrap_or(0)
    }

    fn pick<'a>(&mut self, from: &[&'a str]) -> &'a str {
        let at = self.below(from.len());
        from.get(at).copied().unwrap_or_default()
    }
}

/// Prose with a match in about 400 bytes.
#[must_use]
pub fn with_matches(bytes: usize, seed: u64) -> String {
    prose(bytes, seed, 70)
}

/// Prose in which nothing matches.
#[must_use]
pub fn without_matches(bytes: usize, seed: u64) -> String {
    prose(bytes, seed, 0)
}

/// Tables, code and records.
#[must_use]
pub fn dense(bytes: usize, seed: u64) -> String {
    let mut chance = Chance::new(seed);
    let mut text = String::with_capacity(bytes + 100);
    while text.len() < bytes {
        text.push_str(chance.pick(DENSE));
    }
    text
}

/// Sentences; one word in `words_per_match` is a match, none where that is 0.
fn prose(bytes: usize, seed: u64, words_per_match: usize) -> String {
    let mut chance = Chance::new(seed);
    let mut text = String::with_capacity(bytes + 100);
    while text.len() < bytes {
        let words = 6 + chance.below(16);
        for word in 0..words {
            if word > 0 {
                text.push_str(if chance.below(10) == 0 { ", " } else { " " });
            }
            let kind = chance.below(words_per_match.max(70));
            match kind {
                0 if words_per_match > 0 => text.push_str(chance.pick(MATCHES)),
                1..4 => text.push_str(chance.pick(ASIDES)),
                _ => text.push_str(chance.pick(WORDS)),
            }
        }
        text.push_str(if chance.below(5) == 0 { ".\n\n" } else { ". " });
    }
    text
}
