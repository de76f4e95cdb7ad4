//! The compiled set of patterns, and its use on whole text.

use std::borrow::Cow;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use super::compile::{Compiled, compile};
use super::scan::{Hit, Span};
use super::{FoundMatch, HoldBack, Lane, Pattern, PatternError, TextStage};

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
pub struct TextPatterns(Arc<Compiled>);

/// Where a pattern matched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatternMatch<'p> {
    /// The matched bytes.
    pub range: Range<usize>,
    /// Name of the pattern.
    pub name: &'p str,
}

impl TextPatterns {
    /// Compiles a set; order is preference.
    ///
    /// # Errors
    /// A pattern is not a regular expression, can match nothing or the empty text, has no longest match
    /// and no `max_bytes`, or the set is too large.
    pub fn compile(patterns: impl IntoIterator<Item = Pattern>) -> Result<Self, PatternError> {
        compile(patterns).map(|compiled| Self(Arc::new(compiled)))
    }

    /// Replaces every match in a whole text; borrows where there is none.
    #[must_use]
    pub fn replace_all<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut edited = String::new();
        let mut copied = 0;
        let span = Span { text, from: 0, is_last: true };
        self.0.scan(span, &mut false, &mut |hit| {
            edited.push_str(text.get(copied..hit.start).unwrap_or_default());
            edited.push_str(&self.render(text, hit));
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
        let mut edited = String::new();
        let mut stage = TextStage::new(self.hold_back());
        let released =
            stage.step(Lane::tool_arguments(0, 0), source, true, &mut edited, |window| window.mask(self));
        match released {
            Ok(released) if released.edits == 0 => Cow::Borrowed(source),
            // A lane's last piece is released whole, so it holds nothing that could be too much.
            Ok(_) | Err(_) => Cow::Owned(edited),
        }
    }

    /// The first match at or after `from` in a whole text; text before `from` is left context.
    #[must_use]
    pub fn find_at(&self, text: &str, from: usize) -> Option<PatternMatch<'_>> {
        let hit = self.0.find(text, from)?;
        Some(PatternMatch { range: hit.start..hit.end, name: &self.0.rules[hit.rule].name })
    }

    /// The longest match of any pattern, in bytes: the most that is ever held.
    #[must_use]
    pub fn longest_match(&self) -> usize {
        self.0.reach
    }

    /// What a filter that only masks by this set declares.
    #[must_use]
    pub fn hold_back(&self) -> HoldBack {
        HoldBack::bytes(0).with_max_bytes(self.0.reach)
    }

    /// What a filter declares that looks for the matches of several sets side by side, by
    /// [`TextWindow::edit_matches`](super::TextWindow::edit_matches).
    #[must_use]
    pub fn hold_back_of(sets: &[Self]) -> HoldBack {
        HoldBack::bytes(0).with_max_bytes(sets.iter().map(Self::longest_match).sum())
    }

    /// Shows each match of several sets in a whole text, as
    /// [`TextWindow::edit_matches`](super::TextWindow::edit_matches) does; borrows where none is replaced.
    #[must_use]
    pub fn edit_all<'t>(
        sets: &[Self],
        text: &'t str,
        edit: impl FnMut(FoundMatch<'_>) -> Option<String>,
    ) -> Cow<'t, str> {
        edit_whole(Lane::content(0), sets, text, edit)
    }

    /// The same in the strings of a JSON source, whose escapes hide no match. What is put in is escaped,
    /// and outside a string becomes a string.
    #[must_use]
    pub fn edit_all_json<'t>(
        sets: &[Self],
        source: &'t str,
        edit: impl FnMut(FoundMatch<'_>) -> Option<String>,
    ) -> Cow<'t, str> {
        edit_whole(Lane::tool_arguments(0, 0), sets, source, edit)
    }

    /// The name of the pattern that matched, and what it matched.
    pub(super) fn describe<'a>(&'a self, text: &'a str, hit: Hit) -> (&'a str, &'a str) {
        (&self.0.rules[hit.rule].name, text.get(hit.start..hit.end).unwrap_or_default())
    }

    /// Reports every decided match and returns where the undecided part begins.
    pub(super) fn scan(&self, span: Span<'_>, coarse: &mut bool, found: &mut dyn FnMut(Hit)) -> usize {
        self.0.scan(span, coarse, found)
    }

    /// What takes the place of a match.
    pub(super) fn render<'a>(&'a self, text: &str, hit: Hit) -> Cow<'a, str> {
        let matched = text.get(hit.start..hit.end).unwrap_or_default();
        self.0.rules[hit.rule].replacement.render(matched)
    }
}

fn edit_whole<'t>(
    lane: Lane,
    sets: &[TextPatterns],
    text: &'t str,
    edit: impl FnMut(FoundMatch<'_>) -> Option<String>,
) -> Cow<'t, str> {
    let mut edited = String::new();
    let mut stage = TextStage::new(TextPatterns::hold_back_of(sets));
    match stage.step(lane, text, true, &mut edited, |window| window.edit_matches(sets, edit)) {
        Ok(released) if released.edits == 0 => Cow::Borrowed(text),
        // A lane's last piece is released whole, so it holds nothing that could be too much.
        Ok(_) | Err(_) => Cow::Owned(edited),
    }
}

impl fmt::Debug for TextPatterns {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let names: Vec<&str> = self.0.rules.iter().map(|rule| rule.name.as_str()).collect();
        f.debug_struct("TextPatterns").field("names", &names).field("longest_match", &self.0.reach).finish()
    }
}
