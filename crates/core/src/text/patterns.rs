//! The compiled set of patterns, and its use on whole text.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::compile::{Compiled, compile};
use super::fold::{Folded, GROWTH_MAX};
use super::hold::HELD_BYTES_MAX;
use super::scan::{Hit, Span};
use super::{HoldBack, Lane, Pattern, PatternError, TextStage};

/// A set of patterns, compiled once into one automaton; a clone shares it.
///
/// At each place the first pattern of the set that matches wins, and the leftmost place wins over the
/// rest; matches do not overlap. A stream that is edited by [`TextWindow::mask`](super::TextWindow::mask)
/// comes out as [`replace_all`](Self::replace_all) leaves the whole text, for every split.
///
/// ```
/// use gatewright::text::{Pattern, TextPatterns};
///
/// let patterns = TextPatterns::compile([
///     Pattern::new("ticket", r"\bTK-[0-9]{4,8}\b"),
///     Pattern::new("host", r"\b[a-z0-9-]{1,63}\.corp\.example\b").replace_with("[internal host]"),
/// ])?;
/// assert_eq!(patterns.replace_all("see TK-10023 on db-1.corp.example"), "see [ticket] on [internal host]");
/// # Ok::<(), gatewright::text::PatternError>(())
/// ```
#[derive(Clone)]
pub struct TextPatterns {
    set: Arc<Compiled>,
    /// Whether text is scanned as it reads.
    folds: bool,
}

/// Where a pattern matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternMatch<'p> {
    /// The matched bytes.
    pub range: Range<usize>,
    /// Name of the pattern.
    pub name: &'p str,
    /// Which pattern of the set it is, from 0, in the order in which they were given.
    pub index: usize,
}

/// What becomes of one match.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MatchEdit {
    /// It stays as it is, and nothing inside of it is looked for.
    Keep,
    /// The pattern's own replacement takes its place.
    Mask,
    /// This text takes its place.
    With(String),
}

impl TextPatterns {
    /// Compiles a set; order is preference.
    ///
    /// # Errors
    /// A pattern is not a regular expression, can match nothing or the empty text, has no longest match
    /// and no `max_bytes`, or the set is too large.
    pub fn compile(patterns: impl IntoIterator<Item = Pattern>) -> Result<Self, PatternError> {
        compile(patterns).map(|compiled| Self { set: Arc::new(compiled), folds: false })
    }

    /// Looks at text as it reads: full-width signs, the decimal digits of other scripts, and the many
    /// spaces and hyphens count as their ASCII counterparts, and characters that show nothing, such as a
    /// space of no width, do not count. What is replaced is the text as it stands.
    ///
    /// A pattern of such a set is written in ASCII; one that asks for those characters by themselves finds
    /// none. More than eight characters in a row that show nothing stand for themselves.
    ///
    /// ```
    /// # use gatewright::text::{Pattern, TextPatterns};
    /// let pins = TextPatterns::compile([Pattern::new("pin", r"\b[0-9]{2}-[0-9]{2}\b")])?.folding();
    /// assert_eq!(pins.replace_all("12\u{2011}34 or 1\u{200b}2-３４"), "[pin] or [pin]");
    /// # Ok::<(), gatewright::text::PatternError>(())
    /// ```
    #[must_use]
    pub fn folding(self) -> Self {
        Self { folds: true, ..self }
    }

    /// Replaces every match in a whole text; borrows where there is none.
    #[must_use]
    pub fn replace_all<'t>(&self, text: &'t str) -> Cow<'t, str> {
        self.replace_all_by(text, &mut |_, _| MatchEdit::Mask)
    }

    /// Lets `decide` say what becomes of each match, which it gets with its text, in a whole text; borrows
    /// where nothing is replaced.
    ///
    /// ```
    /// # use gatewright::text::{MatchEdit, Pattern, TextPatterns};
    /// let names = TextPatterns::compile([Pattern::new("name", r"\b[A-Z][a-z]{1,20}\b")])?;
    /// let mut seen = Vec::new();
    /// let text = names.replace_all_by("Ann met Bob and Ann", &mut |_, name| {
    ///     seen.push(name.to_owned());
    ///     if name == "Bob" { MatchEdit::Keep } else { MatchEdit::With("A.".into()) }
    /// });
    /// assert_eq!(text, "A. met Bob and A.");
    /// assert_eq!(seen, ["Ann", "Bob", "Ann"]);
    /// # Ok::<(), gatewright::text::PatternError>(())
    /// ```
    pub fn replace_all_by<'t>(
        &self,
        text: &'t str,
        decide: &mut dyn FnMut(&PatternMatch<'_>, &str) -> MatchEdit,
    ) -> Cow<'t, str> {
        let mut edited = String::new();
        let mut copied = 0;
        let span = Span { text, from: 0, is_last: true };
        self.scan(span, &mut false, &mut |hit| {
            let Some(with) = self.decided((text, 0), hit, decide) else { return };
            edited.push_str(text.get(copied..hit.start).unwrap_or_default());
            edited.push_str(&with);
            copied = hit.end;
        });
        if copied == 0 {
            return Cow::Borrowed(text);
        }
        edited.push_str(text.get(copied..).unwrap_or_default());
        Cow::Owned(edited)
    }

    /// Replaces every match in the strings of a JSON source, whose escapes hide none; borrows where there
    /// is none. What is put in is escaped, and outside a string becomes a string.
    ///
    /// ```
    /// # use gatewright::text::{Pattern, TextPatterns};
    /// let patterns = TextPatterns::compile([Pattern::new("pin", r"\b[0-9]{4}\b").replace_with("\"****\"")])?;
    /// assert_eq!(patterns.replace_all_json(r#"{"pin":"12\u00334"}"#), r#"{"pin":"\"****\""}"#);
    /// # Ok::<(), gatewright::text::PatternError>(())
    /// ```
    #[must_use]
    pub fn replace_all_json<'t>(&self, source: &'t str) -> Cow<'t, str> {
        self.replace_all_json_by(source, &mut |_, _| MatchEdit::Mask)
    }

    /// The same, where `decide` says what becomes of each match. It gets the match without escapes.
    pub fn replace_all_json_by<'t>(
        &self,
        source: &'t str,
        decide: &mut dyn FnMut(&PatternMatch<'_>, &str) -> MatchEdit,
    ) -> Cow<'t, str> {
        let mut edited = String::new();
        let mut stage = TextStage::new(self.hold_back());
        let lane = Lane::tool_arguments(0, 0);
        let released = stage.step(lane, source, true, &mut edited, |window| window.mask_by(self, decide));
        match released {
            Ok(released) if released.edits == 0 => Cow::Borrowed(source),
            // A lane's last piece is released whole, so it holds nothing that could be too much.
            Ok(_) | Err(_) => Cow::Owned(edited),
        }
    }

    /// The first match at or after `from` in a whole text; text before `from` is left context.
    #[must_use]
    pub fn find_at(&self, text: &str, from: usize) -> Option<PatternMatch<'_>> {
        let hit = match self.folded(text, from) {
            None => self.set.find(text, from)?,
            Some((folded, from)) => folded.hit(self.set.find(folded.span(from, true).text, from)?),
        };
        Some(self.matched(hit))
    }

    /// The longest match of any pattern, in bytes. No more is ever held, unless the set is
    /// [`folding`](Self::folding): then it is the longest match as it reads.
    #[must_use]
    pub fn longest_match(&self) -> usize {
        self.set.reach
    }

    /// What a filter that only masks by this set declares.
    #[must_use]
    pub fn hold_back(&self) -> HoldBack {
        let reach = self.set.reach;
        if !self.folds {
            return HoldBack::bytes(0).with_max_bytes(reach);
        }
        // Hidden characters may follow the last of what is held. A long match that is stuffed with them is no
        // accident: it is cut before it takes more memory than any filter gets without asking.
        let stuffed = (reach + 1) * GROWTH_MAX;
        HoldBack::bytes(0).with_max_bytes(stuffed.min(HELD_BYTES_MAX.max(reach * 4)))
    }

    /// What a filter declares that looks for the matches of several sets side by side, by
    /// [`TextWindow::mask_sets_by`](super::TextWindow::mask_sets_by).
    #[must_use]
    pub fn hold_back_of(sets: &[Self]) -> HoldBack {
        HoldBack::bytes(0).with_max_bytes(sets.iter().map(|set| set.hold_back().max_bytes).sum())
    }

    /// Lets `decide` say what becomes of each match of several sets in a whole text, as
    /// [`TextWindow::mask_sets_by`](super::TextWindow::mask_sets_by) does; borrows where nothing is replaced.
    pub fn replace_sets_by<'t>(
        sets: &[Self],
        text: &'t str,
        decide: &mut dyn FnMut(usize, &PatternMatch<'_>, &str) -> MatchEdit,
    ) -> Cow<'t, str> {
        replace_whole(Lane::content(0), sets, text, decide)
    }

    /// The same in the strings of a JSON source, whose escapes hide no match. What is put in is escaped,
    /// and outside a string becomes a string.
    pub fn replace_sets_json_by<'t>(
        sets: &[Self],
        source: &'t str,
        decide: &mut dyn FnMut(usize, &PatternMatch<'_>, &str) -> MatchEdit,
    ) -> Cow<'t, str> {
        replace_whole(Lane::tool_arguments(0, 0), sets, source, decide)
    }

    /// Reports every decided match and returns where the undecided part begins.
    pub(super) fn scan(&self, span: Span<'_>, coarse: &mut bool, found: &mut dyn FnMut(Hit)) -> usize {
        match self.folded(span.text, span.from) {
            None => self.set.scan(span, coarse, found),
            Some((folded, from)) => {
                let view = folded.span(from, span.is_last);
                let open = self.set.scan(view, coarse, &mut |hit| found(folded.hit(hit)));
                folded.place(open)
            }
        }
    }

    /// What takes the place of a match, if anything does; for `decide` the text begins at `origin`.
    pub(super) fn decided<'a>(
        &'a self,
        (text, origin): (&str, usize),
        hit: Hit,
        decide: &mut dyn FnMut(&PatternMatch<'_>, &str) -> MatchEdit,
    ) -> Option<Cow<'a, str>> {
        let matched = text.get(hit.start..hit.end).unwrap_or_default();
        let shown = Hit { start: hit.start - origin, end: hit.end - origin, ..hit };
        match decide(&self.matched(shown), matched) {
            MatchEdit::Keep => None,
            MatchEdit::Mask => Some(self.set.rules[hit.rule].replacement.render(matched)),
            MatchEdit::With(text) => Some(Cow::Owned(text)),
        }
    }

    fn matched(&self, hit: Hit) -> PatternMatch<'_> {
        let name = &self.set.rules[hit.rule].name;
        PatternMatch { range: hit.start..hit.end, name, index: hit.rule }
    }

    fn folded(&self, text: &str, from: usize) -> Option<(Folded, usize)> {
        if self.folds { Folded::of(text, from) } else { None }
    }
}

fn replace_whole<'t>(
    lane: Lane,
    sets: &[TextPatterns],
    text: &'t str,
    decide: &mut dyn FnMut(usize, &PatternMatch<'_>, &str) -> MatchEdit,
) -> Cow<'t, str> {
    let mut edited = String::new();
    let mut stage = TextStage::new(TextPatterns::hold_back_of(sets));
    match stage.step(lane, text, true, &mut edited, |window| window.mask_sets_by(sets, decide)) {
        Ok(released) if released.edits == 0 => Cow::Borrowed(text),
        // A lane's last piece is released whole, so it holds nothing that could be too much.
        Ok(_) | Err(_) => Cow::Owned(edited),
    }
}

impl fmt::Debug for TextPatterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.set.rules.iter().map(|rule| rule.name.as_str()).collect();
        f.debug_struct("TextPatterns").field("names", &names).field("longest_match", &self.set.reach).finish()
    }
}
