//! From patterns to automata: checks each pattern, then compiles the set once.
//!
//! Owns the bounds on a set. Promises that every rule of a compiled set has a longest match, matches no
//! empty text, and looks at no more than one byte to either side of a match.

use std::panic::{RefUnwindSafe, UnwindSafe};

use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::nfa::thompson::{self, WhichCaptures};
use regex_automata::util::pool::Pool;
use regex_automata::{Anchored, Input, MatchKind, meta};
use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Hir, HirKind, Look, Repetition};

use super::pattern::{Pattern, PatternError, Replacement};
use super::sieve::Sieve;

/// The most patterns that one set may have.
const PATTERNS_MAX: usize = 256;
/// The longest match that any pattern may have, in bytes.
const MATCH_BYTES_MAX: usize = 4096;
/// How deep a regular expression may nest.
const NEST_MAX: u32 = 100;
/// The most memory that the compiled set may take, in bytes.
const NFA_BYTES_MAX: usize = 4 * 1024 * 1024;
/// The most memory that one lazy automaton may fill while it runs, in bytes; there is one per thread.
const CACHE_BYTES_MAX: usize = 1024 * 1024;

/// Makes the working memory of one thread.
pub(super) type MakeCache = Box<dyn Fn() -> Cache + Send + Sync + UnwindSafe + RefUnwindSafe>;

/// A compiled set of patterns.
pub(super) struct Compiled {
    /// Finds the next match from a place on; the fast way through text that is all there.
    pub(super) search: meta::Regex,
    /// Tells at one place whether a match starts there, or whether that is still open.
    pub(super) anchored: DFA,
    /// Working memory for `anchored`.
    pub(super) caches: Pool<Cache, MakeCache>,
    /// The patterns, in order of preference.
    pub(super) rules: Vec<Rule>,
    /// The longest match of any pattern, in bytes.
    pub(super) reach: usize,
    /// Where a match can start, by one byte and the one before it.
    pub(super) first: FirstBytes,
    /// Where a match can start, by what must stand in it; none where that says too little.
    pub(super) sieve: Option<Sieve>,
}

/// What is left of a pattern once it is compiled.
pub(super) struct Rule {
    pub(super) name: String,
    pub(super) replacement: Replacement,
    pub(super) validate: Option<fn(&str) -> bool>,
    /// The longest match that counts, in bytes.
    pub(super) limit: usize,
}

impl Rule {
    /// Whether a preferred match of `len` bytes stands as it is.
    pub(super) fn takes(&self, len: usize) -> bool {
        self.validate.is_none() && len <= self.limit
    }
}

pub(super) fn compile(patterns: impl IntoIterator<Item = Pattern>) -> Result<Compiled, PatternError> {
    let patterns: Vec<Pattern> = patterns.into_iter().take(PATTERNS_MAX + 1).collect();
    if patterns.len() > PATTERNS_MAX {
        return Err(PatternError::TooMany { count: patterns.len(), max: PATTERNS_MAX });
    }
    let mut rules = Vec::with_capacity(patterns.len());
    let mut hirs = Vec::with_capacity(patterns.len());
    for pattern in patterns {
        let hir = parse(&pattern)?;
        rules.push(rule(pattern, &hir)?);
        hirs.push(hir);
    }
    let anchored = anchored(&hirs)?;
    let first = FirstBytes::of(&anchored);
    let template = anchored.clone();
    Ok(Compiled {
        search: search(&hirs)?,
        sieve: Sieve::new(&hirs),
        caches: Pool::new(Box::new(move || template.create_cache())),
        anchored,
        reach: rules.iter().map(|rule| rule.limit).max().unwrap_or(0),
        rules,
        first,
    })
}

fn parse(pattern: &Pattern) -> Result<Hir, PatternError> {
    ParserBuilder::new()
        .nest_limit(NEST_MAX)
        .build()
        .parse(&pattern.regex)
        .map(ascii_words)
        .map_err(|source| PatternError::Syntax { name: pattern.name.to_string(), source: Box::new(source) })
}

fn rule(pattern: Pattern, hir: &Hir) -> Result<Rule, PatternError> {
    let name = pattern.name.into_owned();
    let shortest = match hir.properties().minimum_len() {
        None => return Err(PatternError::NeverMatches { name }),
        Some(0) => return Err(PatternError::MatchesEmpty { name }),
        Some(bytes) => bytes,
    };
    let limit = match (hir.properties().maximum_len(), pattern.max_bytes) {
        (None, None) => return Err(PatternError::Unbounded { name }),
        (Some(longest), None) => longest,
        (longest, Some(cap)) => longest.unwrap_or(cap).min(cap),
    };
    if limit > MATCH_BYTES_MAX {
        return Err(PatternError::TooLong { name, bytes: limit, max: MATCH_BYTES_MAX });
    }
    if limit < shortest {
        return Err(PatternError::CapTooShort { name, needed: shortest, cap: limit });
    }
    Ok(Rule { name, replacement: pattern.replacement, validate: pattern.validate, limit })
}

/// Drops capture groups, and makes word boundaries ASCII: a Unicode one would need to see a whole
/// character to each side, which an automaton over bytes cannot.
fn ascii_words(hir: Hir) -> Hir {
    match hir.into_kind() {
        HirKind::Empty => Hir::empty(),
        HirKind::Literal(literal) => Hir::literal(literal.0),
        HirKind::Class(class) => Hir::class(class),
        HirKind::Look(look) => Hir::look(match look {
            Look::WordUnicode => Look::WordAscii,
            Look::WordUnicodeNegate => Look::WordAsciiNegate,
            Look::WordStartUnicode => Look::WordStartAscii,
            Look::WordEndUnicode => Look::WordEndAscii,
            Look::WordStartHalfUnicode => Look::WordStartHalfAscii,
            Look::WordEndHalfUnicode => Look::WordEndHalfAscii,
            other => other,
        }),
        HirKind::Repetition(repetition) => {
            let sub = Box::new(ascii_words(*repetition.sub));
            Hir::repetition(Repetition { sub, ..repetition })
        }
        HirKind::Capture(capture) => ascii_words(*capture.sub),
        HirKind::Concat(parts) => Hir::concat(parts.into_iter().map(ascii_words).collect()),
        HirKind::Alternation(parts) => Hir::alternation(parts.into_iter().map(ascii_words).collect()),
    }
}

fn anchored(hirs: &[Hir]) -> Result<DFA, PatternError> {
    let config =
        thompson::Config::new().which_captures(WhichCaptures::None).nfa_size_limit(Some(NFA_BYTES_MAX));
    let nfa = thompson::Compiler::new().configure(config).build_many_from_hir(hirs).map_err(too_large)?;
    // Never giving up is right here: the steps of one push are counted, so a thrashing cache is bounded.
    let config = DFA::config()
        .match_kind(MatchKind::LeftmostFirst)
        .starts_for_each_pattern(true)
        .minimum_cache_clear_count(None)
        .cache_capacity(CACHE_BYTES_MAX)
        .skip_cache_capacity_check(true);
    DFA::builder().configure(config).build_from_nfa(nfa).map_err(too_large)
}

fn search(hirs: &[Hir]) -> Result<meta::Regex, PatternError> {
    let config = meta::Config::new()
        .match_kind(MatchKind::LeftmostFirst)
        .which_captures(WhichCaptures::Implicit)
        .nfa_size_limit(Some(NFA_BYTES_MAX))
        .hybrid_cache_capacity(CACHE_BYTES_MAX);
    meta::Builder::new().configure(config).build_many_from_hir(hirs).map_err(too_large)
}

fn too_large(source: impl std::error::Error + Send + Sync + 'static) -> PatternError {
    PatternError::TooLarge { source: Box::new(source) }
}

/// The bytes with which a match can start, after a word byte and after anything else.
pub(super) struct FirstBytes {
    after_word: [bool; 256],
    after_other: [bool; 256],
}

impl FirstBytes {
    fn of(dfa: &DFA) -> Self {
        let mut cache = dfa.create_cache();
        let mut starts = |before: &[u8], byte: u8| {
            let mut text = before.to_vec();
            text.push(byte);
            starts_after(dfa, &mut cache, &text)
        };
        let mut first = Self { after_word: [false; 256], after_other: [false; 256] };
        for byte in 0..=u8::MAX {
            first.after_word[usize::from(byte)] = starts(b"a", byte);
            // The text's start and each line end are left contexts of their own.
            first.after_other[usize::from(byte)] =
                [&b""[..], b" ", b"\n", b"\r"].iter().any(|before| starts(before, byte));
        }
        first
    }

    /// Whether a match can start at this place.
    pub(super) fn allows(&self, text: &[u8], at: usize) -> bool {
        let word = at.checked_sub(1).and_then(|i| text.get(i)).is_some_and(|b| is_word(*b));
        let first = if word { &self.after_word } else { &self.after_other };
        text.get(at).is_some_and(|byte| first[usize::from(*byte)])
    }

    /// The first place at or after `at` where a match can start.
    pub(super) fn next(&self, text: &[u8], at: usize) -> Option<usize> {
        let mut word = at.checked_sub(1).and_then(|i| text.get(i)).is_some_and(|b| is_word(*b));
        for (i, &byte) in text.iter().enumerate().skip(at) {
            let first = if word { &self.after_word } else { &self.after_other };
            if first[usize::from(byte)] {
                return Some(i);
            }
            word = is_word(byte);
        }
        None
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || byte == b'_'
}

/// Whether a match can start with the last byte of `text`, where the others stand before it.
fn starts_after(dfa: &DFA, cache: &mut Cache, text: &[u8]) -> bool {
    let Some((&byte, before)) = text.split_last() else { return true };
    let input = Input::new(text).range(before.len()..).anchored(Anchored::Yes);
    let next =
        dfa.start_state_forward(cache, &input).ok().and_then(|sid| dfa.next_state(cache, sid, byte).ok());
    // An automaton that gives no answer rules nothing out.
    next.is_none_or(|sid| !sid.is_dead())
}
