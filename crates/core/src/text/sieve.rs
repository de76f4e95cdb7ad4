//! One fast pass over text that tells where a match can start at all.
//!
//! Every match of a pattern contains a short factor, such as `@` after a sign of a name, at a known
//! distance from its start. The pass finds the factors of all patterns at once, a few steps of arithmetic
//! per byte, and marks the places from which each may have been reached. An unmarked place starts no match
//! whatever follows, provided that the text goes on for [`Sieve::span`] bytes from there or ends.
//! What a marked place is worth the automaton has to say.

mod factor;

use regex_syntax::hir::Hir;

use self::factor::Factor;

/// Factors are looked for in so many words of 64 bits side by side.
const WORDS: usize = 2;
/// How many places are looked at in one go; a multiple of 64.
const BLOCK: usize = 1024;
/// The furthest that a factor may end from the start of its match, in bytes.
const SPAN_MAX: usize = 256;
/// How much work per byte of prose is worth it: above, patterns match nearly anywhere.
const COST_MAX: f64 = 0.25;

/// The factors of a set of patterns.
pub(super) struct Sieve {
    /// For each byte, the places within factors where it may stand.
    table: Box<[[u64; WORDS]; 256]>,
    /// The first place of each factor.
    starts: [u64; WORDS],
    /// The last place of each factor.
    ends: [u64; WORDS],
    /// For each last place, how far back a match may start: at least and at most, counted from the factor's end.
    back: Box<[[(usize, usize); 64]; WORDS]>,
    span: usize,
}

/// A place for a factor, or for several that look alike.
struct Slot {
    word: usize,
    bit: usize,
    factor: Factor,
}

impl Sieve {
    /// The sieve for these patterns; none where they have no factors that are rare enough.
    pub(super) fn new(hirs: &[Hir]) -> Option<Self> {
        let mut slots: Vec<Slot> = Vec::new();
        for hir in hirs {
            for factor in factor::best(hir, SPAN_MAX)? {
                place(&mut slots, factor);
            }
        }
        let cost: f64 = slots.iter().map(|slot| slot.factor.cost()).sum();
        (cost <= COST_MAX).then(|| Self::of(&slots))
    }

    fn of(slots: &[Slot]) -> Self {
        let mut sieve = Self {
            table: Box::new([[0; WORDS]; 256]),
            starts: [0; WORDS],
            ends: [0; WORDS],
            back: Box::new([[(0, 0); 64]; WORDS]),
            span: 0,
        };
        for Slot { word, bit, factor } in slots {
            let len = factor.sets.len();
            sieve.starts[*word] |= 1 << bit;
            sieve.ends[*word] |= 1 << (bit + len - 1);
            sieve.back[*word][bit + len - 1] = (factor.low + len, factor.high + len);
            sieve.span = sieve.span.max(factor.high + len);
            for (at, set) in factor.sets.iter().enumerate() {
                for byte in set.bytes() {
                    sieve.table[usize::from(byte)][*word] |= 1 << (bit + at);
                }
            }
        }
        sieve
    }

    /// How much text has to be seen from a place on to tell that it is unmarked for good.
    pub(super) fn span(&self) -> usize {
        self.span
    }
}

/// Gives a factor bits of its own, or those of the factor that costs least to widen.
fn place(slots: &mut Vec<Slot>, factor: Factor) {
    let len = factor.sets.len();
    for word in 0..WORDS {
        let last =
            slots.iter().filter(|slot| slot.word == word).map(|slot| slot.bit + slot.factor.sets.len());
        let bit = last.max().unwrap_or(0);
        if bit + len <= 64 {
            slots.push(Slot { word, bit, factor });
            return;
        }
    }
    let widened = |slot: &Slot| slot.factor.or(&factor).cost() - slot.factor.cost();
    if let Some(slot) = slots.iter_mut().min_by(|a, b| widened(a).total_cmp(&widened(b))) {
        slot.factor = slot.factor.or(&factor);
    }
}

/// A pass through one text: the places that are marked, block by block.
pub(super) struct Pass<'s> {
    sieve: &'s Sieve,
    /// The first place of the block.
    base: usize,
    /// The first byte that was not looked at yet.
    next: usize,
    state: [u64; WORDS],
    marks: [u64; (BLOCK + SPAN_MAX) / 64 + 1],
}

impl<'s> Pass<'s> {
    /// A pass over the places from `from` on.
    pub(super) fn new(sieve: &'s Sieve, from: usize) -> Self {
        Self { sieve, base: from, next: from, state: [0; WORDS], marks: [0; (BLOCK + SPAN_MAX) / 64 + 1] }
    }

    /// The first marked place at or after `at` and before `end`; `at` never goes back.
    pub(super) fn next(&mut self, text: &[u8], at: usize, end: usize) -> Option<usize> {
        let mut at = at;
        while at < end {
            while at >= self.base + BLOCK {
                self.advance(text);
            }
            self.look(text);
            match self.marked(at) {
                Some(place) => return Some(place).filter(|place| *place < end),
                None => at = self.base + BLOCK,
            }
        }
        None
    }

    /// The first marked place of the block at or after `at`.
    fn marked(&self, at: usize) -> Option<usize> {
        let offset = at - self.base;
        let mut word = offset / 64;
        let mut bits = self.marks.get(word)? & (u64::MAX << (offset % 64));
        loop {
            if bits != 0 {
                return Some(self.base + word * 64 + bits.trailing_zeros() as usize);
            }
            word += 1;
            if word == BLOCK / 64 {
                return None;
            }
            bits = *self.marks.get(word)?;
        }
    }

    /// Goes on to the next block.
    fn advance(&mut self, text: &[u8]) {
        self.look(text);
        self.marks.copy_within(BLOCK / 64.., 0);
        self.marks[SPAN_MAX / 64 + 1..].fill(0);
        self.base += BLOCK;
    }

    /// Looks at all bytes that a match from this block may reach with a factor.
    fn look(&mut self, text: &[u8]) {
        let until = (self.base + BLOCK + self.sieve.span).min(text.len());
        let Some(bytes) = text.get(self.next..until) else { return };
        let Sieve { table, starts, ends, .. } = self.sieve;
        let mut state = self.state;
        for (i, &byte) in bytes.iter().enumerate() {
            let row = &table[usize::from(byte)];
            let mut ended = 0;
            for word in 0..WORDS {
                state[word] = (state[word] << 1 | starts[word]) & row[word];
                ended |= state[word] & ends[word];
            }
            if ended != 0 {
                mark(self.sieve, &mut self.marks, &state, (self.next + i + 1, self.base));
            }
        }
        self.state = state;
        self.next = until;
    }
}

/// Marks the places from which the factors that end at `end` may have been reached.
#[cold]
fn mark(sieve: &Sieve, marks: &mut [u64], state: &[u64; WORDS], (end, base): (usize, usize)) {
    for ((state, ends), back) in state.iter().zip(&sieve.ends).zip(sieve.back.iter()) {
        let mut ended = state & ends;
        while ended != 0 {
            let (least, most) = back[ended.trailing_zeros() as usize];
            ended &= ended - 1;
            let Some(last) = end.checked_sub(least).and_then(|last| last.checked_sub(base)) else { continue };
            let first = end.saturating_sub(most).saturating_sub(base);
            for offset in first..=last {
                if let Some(bits) = marks.get_mut(offset / 64) {
                    *bits |= 1 << (offset % 64);
                }
            }
        }
    }
}
