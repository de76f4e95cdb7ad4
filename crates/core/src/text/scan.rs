//! Which parts of a text are decided: where a match stands for good, and where one may still grow.
//!
//! A place is decided once the automaton that starts there is dead before the text's end, or says the
//! same whatever follows. Everything up to the first open place can be released.
//! Three ways give the same answer. `sift` asks the places that the sieve marks, which are few, in text
//! that goes on for as long as the sieve sees; `settle` asks place by place near the end; `search` runs one
//! automaton over text that has a longest match and one byte to the right of it. Text that makes asking too
//! dear goes on with the search alone; a stream then holds one longest match.

use regex_automata::hybrid::LazyStateID;
use regex_automata::hybrid::dfa::{Cache, DFA};
use regex_automata::util::alphabet::Unit;
use regex_automata::util::pool::PoolGuard;
use regex_automata::{Anchored, Input, PatternID};
use smallvec::SmallVec;

use super::compile::{Compiled, MakeCache};
use super::sieve::{Pass, Sieve};

/// The most automaton steps of one push before the text goes on with the search alone.
const STEPS_MAX: usize = 64 * 1024;
/// How many steps more there may be for each byte of a text that is sifted.
const STEPS_PER_BYTE_MAX: usize = 16;
/// From this many bytes on, a sieve or a search is cheaper than asking place by place.
const SEARCH_BYTES_MIN: usize = 64;
/// How many forms of one match are shown to its validator.
const CANDIDATES_MAX: usize = 64;

/// A text and where in it to scan.
#[derive(Clone, Copy)]
pub(super) struct Span<'t> {
    /// The text, with left context before `from`.
    pub(super) text: &'t str,
    /// Where to begin: everything before is decided.
    pub(super) from: usize,
    /// Whether nothing follows.
    pub(super) is_last: bool,
}

/// A match that stands, whatever follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Hit {
    pub(super) start: usize,
    pub(super) end: usize,
    /// Index of the rule that matched.
    pub(super) rule: usize,
}

/// What is known about one place.
enum Verdict {
    /// No match starts there, whatever follows.
    No,
    Match(Hit),
    /// It depends on what follows.
    Open,
}

/// What a sifted text left.
enum Sifted {
    /// This place depends on what follows.
    Open(usize),
    /// Everything before this place is decided.
    Until(usize),
}

/// The step budget is used up.
struct Spent;

impl Compiled {
    /// Reports every decided match and returns where the undecided part begins.
    ///
    /// `coarse` says that this text goes on with the search alone; it is set when the budget is used up.
    pub(super) fn scan(&self, span: Span<'_>, coarse: &mut bool, found: &mut dyn FnMut(Hit)) -> usize {
        match self.ask(span, *coarse, found) {
            Ok(open) => open,
            Err(at) => {
                *coarse = true;
                self.search(Span { from: at, ..span }, self.sure(span), found)
            }
        }
    }

    /// The place up to which a search can see enough.
    fn sure(&self, span: Span<'_>) -> usize {
        if span.is_last { span.text.len() } else { span.text.len().saturating_sub(self.reach) }
    }

    /// As [`scan`](Self::scan); an error is the place from which on only the search may go.
    fn ask(&self, span: Span<'_>, coarse: bool, found: &mut dyn FnMut(Hit)) -> Result<usize, usize> {
        if coarse {
            return Err(span.from);
        }
        let mut at = span.from;
        let unseen = if span.is_last { 0 } else { self.sieve.as_ref().map_or(self.reach, Sieve::span) };
        let clear = span.text.len().saturating_sub(unseen);
        let is_long = clear.saturating_sub(at) >= SEARCH_BYTES_MIN;
        match &self.sieve {
            Some(sieve) if is_long => match self.sift(sieve, span, clear, found)? {
                Sifted::Open(place) => return Ok(place),
                Sifted::Until(place) => at = place,
            },
            None if is_long || span.is_last => at = self.search(span, clear, found),
            Some(_) | None => {}
        }
        self.settle(Span { from: at, ..span }, found)
    }

    /// The next match at or after `from` in a text to which nothing is added.
    pub(super) fn find(&self, text: &str, from: usize) -> Option<Hit> {
        self.next_hit(&mut Work::new(self, usize::MAX), Span { text, from, is_last: true }, text.len())
    }

    /// Reports the matches that start before `sure` and returns where to go on.
    ///
    /// From each place before `sure` the longest match and one byte more can be seen, so the end of the
    /// text cannot be mistaken for the end of the stream.
    fn search(&self, span: Span<'_>, sure: usize, found: &mut dyn FnMut(Hit)) -> usize {
        let mut work = Work::new(self, usize::MAX);
        let mut at = span.from;
        while let Some(hit) = self.next_hit(&mut work, Span { from: at, ..span }, sure) {
            found(hit);
            at = hit.end;
        }
        span.text.ceil_char_boundary(at.max(sure))
    }

    /// The next match that starts between `span.from` and `sure`.
    fn next_hit(&self, work: &mut Work<'_>, span: Span<'_>, sure: usize) -> Option<Hit> {
        let mut at = span.from;
        while at < sure {
            let found = self.search.search(&Input::new(span.text).range(at..))?;
            let hit = Hit { start: found.start(), end: found.end(), rule: found.pattern().as_usize() };
            if hit.start >= sure {
                return None;
            }
            let limit = self.rules[hit.rule].limit;
            if self.rules[hit.rule].takes(found.len()) {
                return Some(hit);
            }
            // Searching again from each place of an over-long match would read it as often as it is
            // long, so those places are asked one by one.
            let until = if found.len() > limit { hit.end.min(sure) } else { hit.start + 1 };
            for place in hit.start..until {
                match work.decide(span, place) {
                    Ok(Verdict::Match(hit)) => return Some(hit),
                    Ok(Verdict::No | Verdict::Open) => {}
                    // The automaton gave no answer: to edit too much is the safe side.
                    Err(Spent) => return Some(hit),
                }
            }
            at = span.text.ceil_char_boundary(until);
        }
        None
    }

    /// Asks the places before `clear` that the sieve marks. An error is where the budget ended.
    fn sift(
        &self,
        sieve: &Sieve,
        span: Span<'_>,
        clear: usize,
        found: &mut dyn FnMut(Hit),
    ) -> Result<Sifted, usize> {
        let text = span.text.as_bytes();
        let steps = STEPS_MAX.saturating_add(text.len().saturating_mul(STEPS_PER_BYTE_MAX));
        let mut work = Work::new(self, steps);
        let mut pass = Pass::new(sieve, span.from);
        let mut at = span.from;
        while let Some(place) = pass.next(text, at, clear) {
            at = place + 1;
            if !self.first.allows(text, place) {
                continue;
            }
            match work.decide(span, place).map_err(|Spent| place)? {
                Verdict::No => {}
                Verdict::Match(hit) => {
                    found(hit);
                    at = hit.end;
                }
                Verdict::Open => return Ok(Sifted::Open(place)),
            }
        }
        Ok(Sifted::Until(at.max(clear)))
    }

    /// Asks place by place; returns the first open one, or as an error where the budget ended.
    fn settle(&self, span: Span<'_>, found: &mut dyn FnMut(Hit)) -> Result<usize, usize> {
        let text = span.text.as_bytes();
        let Some(mut place) = self.first.next(text, span.from) else { return Ok(text.len()) };
        let mut work = Work::new(self, STEPS_MAX);
        loop {
            let at = match work.decide(span, place).map_err(|Spent| place)? {
                Verdict::No => place + 1,
                Verdict::Match(hit) => {
                    found(hit);
                    hit.end
                }
                Verdict::Open => return Ok(place),
            };
            match self.first.next(text, at) {
                Some(next) => place = next,
                None => return Ok(text.len()),
            }
        }
    }
}

/// One run through a text: the automaton's working memory and what is left of the budget.
struct Work<'c> {
    set: &'c Compiled,
    cache: PoolGuard<'c, Cache, MakeCache>,
    steps: usize,
}

impl<'c> Work<'c> {
    fn new(set: &'c Compiled, steps: usize) -> Self {
        Self { set, cache: set.caches.get(), steps }
    }

    /// Whether a match starts at `place`.
    fn decide(&mut self, span: Span<'_>, place: usize) -> Result<Verdict, Spent> {
        let mut best = None;
        let decided = self.run(span, place, (Anchored::Yes, self.set.reach), |end, rule| {
            best = Some(Hit { start: place, end, rule });
        })?;
        Ok(match best {
            _ if !decided => Verdict::Open,
            None => Verdict::No,
            Some(hit) if self.stands(span, hit) => Verdict::Match(hit),
            Some(hit) => return self.decide_each(span, place, hit.rule),
        })
    }

    /// Whether the preferred match of all is taken as it is. It is the preferred match of its own rule too.
    fn stands(&self, span: Span<'_>, hit: Hit) -> bool {
        let rule = &self.set.rules[hit.rule];
        let is_valid = |accept: fn(&str) -> bool| span.text.get(hit.start..hit.end).is_some_and(accept);
        hit.end - hit.start <= rule.limit && rule.validate.is_none_or(is_valid)
    }

    /// The same where the preferred match, of rule `first`, does not stand as it is: asks each rule from
    /// there on alone, and for each the preferred match, then its shorter forms.
    fn decide_each(&mut self, span: Span<'_>, place: usize, first: usize) -> Result<Verdict, Spent> {
        for (rule, spec) in self.set.rules.iter().enumerate().skip(first) {
            let mut ends: SmallVec<[usize; CANDIDATES_MAX]> = SmallVec::new();
            let alone = Anchored::Pattern(PatternID::new_unchecked(rule));
            let decided = self.run(span, place, (alone, spec.limit), |end, _| {
                if ends.len() == CANDIDATES_MAX {
                    ends.remove(0);
                }
                ends.push(end);
            })?;
            if !decided {
                return Ok(Verdict::Open);
            }
            let accept = |end: &usize| match spec.validate {
                Some(accept) => span.text.get(place..*end).is_some_and(accept),
                None => true,
            };
            if let Some(end) = ends.into_iter().rev().find(accept) {
                return Ok(Verdict::Match(Hit { start: place, end, rule }));
            }
        }
        Ok(Verdict::No)
    }

    /// Runs the automaton from `place` and reports the end of each match, the preferred one last.
    /// Returns whether that is final; `limit` is the longest match that counts.
    fn run(
        &mut self,
        span: Span<'_>,
        place: usize,
        (anchored, limit): (Anchored, usize),
        mut matched: impl FnMut(usize, usize),
    ) -> Result<bool, Spent> {
        if self.steps == 0 {
            return Err(Spent);
        }
        let (dfa, cache) = (&self.set.anchored, &mut *self.cache);
        let text = span.text.as_bytes();
        let input = Input::new(text).range(place..).anchored(anchored);
        let mut state = dfa.start_state_forward(cache, &input).map_err(|_| Spent)?;
        // A match shows one byte after its end, so the byte at `limit` is still read.
        for (read, &byte) in text.iter().skip(place).take(limit + 1).enumerate() {
            state = dfa.next_state(cache, state, byte).map_err(|_| Spent)?;
            if state.is_match() {
                matched(place + read, dfa.match_pattern(cache, state, 0).as_usize());
            } else if state.is_dead() {
                self.steps = self.steps.saturating_sub(read + 1);
                return Ok(true);
            }
        }
        let read = (text.len() - place).min(limit + 1);
        self.steps = self.steps.saturating_sub(read + 1);
        if read > limit {
            return Ok(true);
        }
        if span.is_last {
            state = dfa.next_eoi_state(cache, state).map_err(|_| Spent)?;
            if state.is_match() {
                matched(text.len(), dfa.match_pattern(cache, state, 0).as_usize());
            }
            return Ok(true);
        }
        match foregone(dfa, cache, state) {
            None => Ok(false),
            Some(Foregone::NoMatch) => Ok(true),
            Some(Foregone::Match(rule)) => {
                matched(text.len(), rule);
                Ok(true)
            }
        }
    }
}

/// What an automaton will say, whatever follows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Foregone {
    /// No further match ends anywhere.
    NoMatch,
    /// A last match, of this rule, ends right here.
    Match(usize),
}

/// What an automaton in `state` will say, where that does not depend on what follows.
///
/// A match shows one byte late, so a state may be alive for a byte or two after all is decided.
fn foregone(dfa: &DFA, cache: &mut Cache, state: LazyStateID) -> Option<Foregone> {
    let clears = cache.clear_count();
    let mut last = None;
    let mut same = None;
    for unit in dfa.byte_classes().representatives(..) {
        let next = step(dfa, cache, state, unit)?;
        let says = match next {
            _ if cache.clear_count() != clears => return None,
            dead if dead.is_dead() => Foregone::NoMatch,
            ends if ends.is_match() => Foregone::Match(dfa.match_pattern(cache, ends, 0).as_usize()),
            _ => return None,
        };
        let is_new = !next.is_dead() && !unit.is_eoi() && last != Some(next);
        if is_new && !is_exhausted(dfa, cache, next) {
            return None;
        }
        last = Some(next);
        if *same.get_or_insert(says) != says {
            return None;
        }
    }
    same
}

/// Whether nothing that follows leads to a match.
fn is_exhausted(dfa: &DFA, cache: &mut Cache, state: LazyStateID) -> bool {
    let clears = cache.clear_count();
    dfa.byte_classes().representatives(..).all(|unit| {
        step(dfa, cache, state, unit).is_some_and(|next| next.is_dead()) && cache.clear_count() == clears
    })
}

/// The state after `unit`. A cache that is cleared meanwhile makes other states invalid.
fn step(dfa: &DFA, cache: &mut Cache, state: LazyStateID, unit: Unit) -> Option<LazyStateID> {
    match unit.as_u8() {
        Some(byte) => dfa.next_state(cache, state, byte).ok(),
        None => dfa.next_eoi_state(cache, state).ok(),
    }
}
