//! From a pattern to the factors of which every match has one: short runs of byte sets, and how far from
//! the start of the match they stand.
//!
//! Promises that a match without a factor at a place in its range does not exist. Which factors are rare
//! is a guess about prose, and only speed depends on it.

use regex_syntax::hir::{Class, Hir, HirKind, Repetition};

/// The longest factor, in bytes.
const SETS_MAX: usize = 4;

/// A set of bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ByteSet([u64; 4]);

impl ByteSet {
    fn of(ranges: impl Iterator<Item = (u8, u8)>) -> Self {
        let mut set = Self::default();
        for byte in ranges.flat_map(|(first, last)| first..=last) {
            set.0[usize::from(byte) / 64] |= 1 << (byte % 64);
        }
        set
    }

    fn or(self, other: Self) -> Self {
        Self(std::array::from_fn(|i| self.0[i] | other.0[i]))
    }

    pub(super) fn bytes(self) -> impl Iterator<Item = u8> {
        (0..=u8::MAX).filter(move |byte| self.0[usize::from(*byte) / 64] >> (byte % 64) & 1 == 1)
    }

    /// How often one of these bytes stands in prose and code.
    fn share(self) -> f64 {
        self.bytes().map(share).sum()
    }
}

/// A rough share of a byte in prose and code.
fn share(byte: u8) -> f64 {
    match byte {
        b' ' => 0.15,
        b'a' | b'e' | b'i' | b'n' | b'o' | b'r' | b's' | b't' => 0.06,
        b'a'..=b'z' => 0.02,
        b'A'..=b'Z' => 0.003,
        b'0'..=b'9' => 0.004,
        b'.' | b',' | b'\n' => 0.01,
        b'@' => 0.0003,
        b'-' | b'"' | b'\'' | b'_' | b'(' | b')' | b':' | b'/' | b'=' | b';' => 0.004,
        _ if byte.is_ascii_graphic() => 0.001,
        _ if byte.is_ascii() => 0.0001,
        _ => 0.0005,
    }
}

/// A run of byte sets; the first of them stands between `low` and `high` bytes after the match's start.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Factor {
    pub(super) sets: Vec<ByteSet>,
    pub(super) low: usize,
    pub(super) high: usize,
}

impl Factor {
    /// The places that it gives to look at, per byte of prose.
    pub(super) fn cost(&self) -> f64 {
        let places = 1 + self.high - self.low;
        self.share() * f64::from(u32::try_from(places).unwrap_or(u32::MAX))
    }

    fn share(&self) -> f64 {
        self.sets.iter().map(|set| set.share()).product()
    }

    /// A factor that stands wherever one of the two does.
    pub(super) fn or(&self, other: &Self) -> Self {
        Self {
            sets: self.sets.iter().zip(&other.sets).map(|(a, b)| a.or(*b)).collect(),
            low: self.low.min(other.low),
            high: self.high.max(other.high),
        }
    }
}

/// The factors of which every match has at least one; none if it may have none that ends within `span`.
pub(super) fn best(hir: &Hir, span: usize) -> Option<Vec<Factor>> {
    let ways = [Copy::First, Copy::Last].map(|copy| best_by(hir, span, copy));
    ways.into_iter().flatten().min_by(|a, b| cost(a).total_cmp(&cost(b)))
}

fn best_by(hir: &Hir, span: usize, copy: Copy) -> Option<Vec<Factor>> {
    let mut walk = Walk { span, copy, low: 0, high: 0, run: Vec::new(), found: None };
    walk.visit(hir);
    walk.found
}

fn cost(factors: &[Factor]) -> f64 {
    // Of two that are equally rare, the nearer one leaves less of a stream to be asked about in detail.
    factors
        .iter()
        .map(|factor| factor.cost() + 1e-9 * f64::from(u32::try_from(factor.high).unwrap_or(u32::MAX)))
        .sum()
}

/// Which copy of something that is repeated is looked at: the one beside what stands before it, or the one
/// beside what follows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Copy {
    First,
    Last,
}

/// A walk along a pattern from its start.
struct Walk {
    span: usize,
    copy: Copy,
    /// How far from the match's start the walk is, at least and at most; a distance beyond `span` counts as
    /// just beyond.
    low: usize,
    high: usize,
    /// The byte sets that stand directly before this place.
    run: Vec<ByteSet>,
    /// The best factors so far.
    found: Option<Vec<Factor>>,
}

impl Walk {
    fn visit(&mut self, hir: &Hir) {
        match hir.kind() {
            HirKind::Empty | HirKind::Look(_) => {}
            HirKind::Literal(literal) => {
                for &byte in &literal.0 {
                    self.step(ByteSet::of(std::iter::once((byte, byte))));
                }
            }
            HirKind::Class(class) => {
                self.step(first_bytes(class));
                let (least, most) = lengths(hir);
                self.skip(least.saturating_sub(1), most.map(|most| most.saturating_sub(1)));
            }
            HirKind::Capture(capture) => self.visit(&capture.sub),
            HirKind::Concat(parts) => parts.iter().for_each(|part| self.visit(part)),
            HirKind::Repetition(repetition) => self.repeat(repetition),
            HirKind::Alternation(parts) => self.choose(hir, parts),
        }
    }

    fn repeat(&mut self, repetition: &Repetition) {
        // One copy of anything larger than a sign: the walk stays as short as the pattern.
        let is_sign = matches!(repetition.sub.kind(), HirKind::Class(_) | HirKind::Literal(_));
        let copies_max = if is_sign { SETS_MAX } else { 1 };
        let copies = usize::try_from(repetition.min).unwrap_or(usize::MAX).min(copies_max);
        let (least, most) = lengths(&repetition.sub);
        let more = usize::try_from(repetition.min).unwrap_or(usize::MAX) - copies;
        let at_most = repetition.max.and_then(|max| usize::try_from(max).ok()).map(|max| max - copies);
        let skipped = (
            least.saturating_mul(more),
            at_most.zip(most).map(|(copies, bytes)| copies.saturating_mul(bytes)),
        );
        if self.copy == Copy::Last {
            self.skip(skipped.0, skipped.1);
        }
        for _ in 0..copies {
            self.visit(&repetition.sub);
        }
        if self.copy == Copy::First {
            self.skip(skipped.0, skipped.1);
        }
    }

    /// Every match goes through one of the parts, and so has a factor of one of them.
    fn choose(&mut self, hir: &Hir, parts: &[Hir]) {
        let mut all = Vec::new();
        let mut complete = true;
        for part in parts {
            match best_by(part, self.span, self.copy) {
                Some(factors) => all.extend(factors),
                None => complete = false,
            }
        }
        if complete {
            for factor in &mut all {
                factor.low += self.low;
                factor.high += self.high;
            }
            self.offer(all);
        }
        let (least, most) = lengths(hir);
        self.skip(least, most);
    }

    /// One byte of a set.
    fn step(&mut self, set: ByteSet) {
        self.run.push(set);
        self.low = (self.low + 1).min(self.span + 1);
        self.high = (self.high + 1).min(self.span + 1);
        let len = self.run.len().min(SETS_MAX);
        self.run.drain(..self.run.len() - len);
        // Once a distance is beyond the span, it is not known any more.
        if self.high <= self.span {
            let factor = Factor { sets: self.run.clone(), low: self.low - len, high: self.high - len };
            self.offer(vec![factor]);
        }
    }

    /// Some bytes of which nothing is known.
    fn skip(&mut self, least: usize, most: Option<usize>) {
        if most == Some(0) {
            return;
        }
        self.run.clear();
        self.low = self.low.saturating_add(least).min(self.span + 1);
        self.high = self.high.saturating_add(most.unwrap_or(usize::MAX)).min(self.span + 1);
    }

    fn offer(&mut self, factors: Vec<Factor>) {
        let fit = factors.iter().all(|factor| factor.high + factor.sets.len() <= self.span);
        if fit && self.found.as_ref().is_none_or(|found| cost(&factors) < cost(found)) {
            self.found = Some(factors);
        }
    }
}

/// The bytes with which a character of a class begins.
fn first_bytes(class: &Class) -> ByteSet {
    match class {
        Class::Bytes(class) => ByteSet::of(class.iter().map(|range| (range.start(), range.end()))),
        Class::Unicode(class) => {
            ByteSet::of(class.iter().map(|range| (first_byte(range.start()), first_byte(range.end()))))
        }
    }
}

fn first_byte(char: char) -> u8 {
    char.encode_utf8(&mut [0; 4]).bytes().next().unwrap_or_default()
}

/// The shortest and the longest match, in bytes.
fn lengths(hir: &Hir) -> (usize, Option<usize>) {
    (hir.properties().minimum_len().unwrap_or(0), hir.properties().maximum_len())
}
