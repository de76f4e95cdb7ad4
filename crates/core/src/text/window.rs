//! What a text filter sees of a lane, and the edits that it may ask for.

use std::borrow::Cow;
use std::ops::Range;

use super::lane_text::{CONTEXT_BYTES, LaneText};
use super::scan::Span;
use super::{Lane, MatchEdit, PatternMatch, TextPatterns};

/// The text of one lane that is not released yet: the held tail, then the text that just came.
///
/// Edits name places in [`text`](Self::text), which does not change while the window is open. They are
/// made when their part is released; text that stays held is shown again, unedited, with what follows.
/// So a filter looks at each window afresh, and needs no memory of what it asked for before.
///
/// In the lane of a tool's arguments the text is JSON source with the escapes of its strings resolved:
/// a `"` may be part of a string, and a line end may stand in one. What a filter puts in is escaped.
#[derive(Debug)]
pub struct TextWindow<'a> {
    state: &'a mut LaneText,
}

impl<'a> TextWindow<'a> {
    pub(super) fn new(state: &'a mut LaneText) -> Self {
        Self { state }
    }

    /// The lane that the text belongs to.
    #[must_use]
    pub fn lane(&self) -> Lane {
        self.state.lane()
    }

    /// The text that is not released yet.
    #[must_use]
    pub fn text(&self) -> &str {
        let (buffer, start) = self.state.parts();
        buffer.get(start..).unwrap_or_default()
    }

    /// The last 64 bytes or less that stood before [`text`](Self::text), as they came.
    #[must_use]
    pub fn before(&self) -> &str {
        let (buffer, start) = self.state.parts();
        let from = buffer.ceil_char_boundary(start.saturating_sub(CONTEXT_BYTES));
        buffer.get(from..start).unwrap_or_default()
    }

    /// Whether the lane ends with this text: everything will be released.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.state.is_last()
    }

    /// Puts `with` in place of `range`.
    ///
    /// The range is widened to whole characters. One that overlaps an earlier edit widens that edit, which
    /// keeps its text.
    pub fn replace(&mut self, range: Range<usize>, with: impl Into<String>) {
        let (_, start) = self.state.parts();
        self.state.edit(range.start.saturating_add(start), range.end.saturating_add(start), with.into());
    }

    /// Keeps everything from `at` on until more text comes, whatever the declared reach.
    pub fn hold_from(&mut self, at: usize) {
        let (_, start) = self.state.parts();
        self.state.hold_from(at.saturating_add(start));
    }

    /// Replaces what `find` finds and returns how many places that were.
    ///
    /// `find` gets the left context and the text as one, and the place where it has to begin; what it
    /// returns counts in that text. It has to find the same in a longer text, but for matches that end
    /// within the declared reach of its end: then streamed equals whole.
    ///
    /// ```
    /// use gatewright::text::{HoldBack, Lane, TextSession};
    ///
    /// let mut session = TextSession::new().with_stage(HoldBack::bytes(8), |window| {
    ///     window.redact(|text, from| {
    ///         let found = text[from..].match_indices("Falcon");
    ///         found.map(|(at, name)| (from + at..from + at + name.len(), "[project]".into())).collect()
    ///     });
    /// });
    /// let lane = Lane::content(0);
    /// let mut out = session.push(lane, "Project Fal", false)?;
    /// out += &session.push(lane, "con is late", true)?;
    /// assert_eq!(out, "Project [project] is late");
    /// # Ok::<(), gatewright::text::TextError>(())
    /// ```
    pub fn redact<F>(&mut self, find: F) -> usize
    where
        F: FnOnce(&str, usize) -> Vec<(Range<usize>, Cow<'static, str>)>,
    {
        let before = self.before().len();
        let (buffer, start) = self.state.parts();
        let from = start - before;
        let found = find(buffer.get(from..).unwrap_or_default(), before);
        let count = found.len();
        for (range, with) in found {
            self.state.edit(
                range.start.saturating_add(from),
                range.end.saturating_add(from),
                with.into_owned(),
            );
        }
        count
    }

    /// Lets `decide` say what becomes of each match of several sets, however the text is cut; returns how
    /// many were replaced. The sets are looked for side by side: a match of one hides none of another.
    ///
    /// `decide` gets which set it is, the match, whose range counts in [`text`](Self::text), and its text. It
    /// is asked once per match, when that is about to be released, the matches of the first set first. With
    /// [`TextPatterns::hold_back_of`] as the declared reach, nothing is released that could still become a
    /// match. Edits of matches that overlap become one, with the text of the first.
    ///
    /// ```
    /// use gatewright::text::{Lane, MatchEdit, Pattern, TextPatterns, TextStage};
    ///
    /// let secret = TextPatterns::compile([Pattern::new("secret", r"\bFalcon\b")])?;
    /// let noted = TextPatterns::compile([Pattern::new("noted", r"\bproject Falcon\b")])?;
    /// let sets = [secret, noted];
    /// let mut stage = TextStage::new(TextPatterns::hold_back_of(&sets));
    /// let (mut out, mut seen) = (String::new(), Vec::new());
    /// for (piece, is_last) in [("the project Fal", false), ("con.", true)] {
    ///     stage.step(Lane::content(0), piece, is_last, &mut out, |window| {
    ///         window.mask_sets_by(&sets, &mut |set, _, text| {
    ///             seen.push(text.to_owned());
    ///             if set == 0 { MatchEdit::Mask } else { MatchEdit::Keep }
    ///         })
    ///     })?;
    /// }
    /// assert_eq!(out, "the project [secret].");
    /// assert_eq!(seen, ["Falcon", "project Falcon"]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mask_sets_by(
        &mut self,
        sets: &[TextPatterns],
        decide: &mut dyn FnMut(usize, &PatternMatch<'_>, &str) -> MatchEdit,
    ) -> usize {
        let (buffer, start) = self.state.parts();
        let span = Span { text: buffer, from: start, is_last: self.is_last() };
        let mut coarse = self.state.coarse;
        let mut open = buffer.len();
        let mut hits = Vec::new();
        for (set, patterns) in sets.iter().enumerate() {
            open = open.min(patterns.scan(span, &mut coarse, &mut |hit| hits.push((set, hit))));
        }
        // A match that another set's undecided place would cut through waits as a whole.
        while let Some(start) =
            hits.iter().filter(|(_, hit)| hit.start < open && open < hit.end).map(|(_, hit)| hit.start).min()
        {
            open = start;
        }
        let mut edits = Vec::new();
        for (set, hit) in hits.into_iter().filter(|(_, hit)| hit.end <= open) {
            let mut decide = |found: &PatternMatch<'_>, text: &str| decide(set, found, text);
            if let Some(with) = sets[set].decided((buffer, start), hit, &mut decide) {
                edits.push((hit.start, hit.end, with.into_owned()));
            }
        }
        let count = edits.len();
        for (start, end, with) in edits {
            self.state.edit(start, end, with);
        }
        self.state.coarse = coarse;
        self.state.hold_from(open);
        count
    }

    /// Replaces every decided match of `patterns`, holds from the first undecided place on, and returns
    /// how many matches that were. With [`TextPatterns::hold_back`] as the declared reach, nothing is
    /// released that could still change, and nothing held that cannot.
    pub fn mask(&mut self, patterns: &TextPatterns) -> usize {
        self.mask_by(patterns, &mut |_, _| MatchEdit::Mask)
    }

    /// The same, where `decide` says what becomes of each match, which it gets with its text. It is asked
    /// for each in order; the range of a match counts in [`text`](Self::text).
    ///
    /// ```
    /// use gatewright::text::{Lane, MatchEdit, Pattern, TextPatterns, TextSession};
    ///
    /// let marks = TextPatterns::compile([Pattern::new("mark", r"\{[a-z]{1,8}\}")])?;
    /// let mut session = TextSession::new().with_stage(marks.hold_back(), move |window| {
    ///     window.mask_by(&marks, &mut |_, mark| match mark {
    ///         "{name}" => MatchEdit::With("Ann".into()),
    ///         _ => MatchEdit::Keep,
    ///     });
    /// });
    /// let mut out = session.push(Lane::content(0), "Dear {na", false)?;
    /// out += &session.push(Lane::content(0), "me}, {x}", true)?;
    /// assert_eq!(out, "Dear Ann, {x}");
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// ```
    pub fn mask_by(
        &mut self,
        patterns: &TextPatterns,
        decide: &mut dyn FnMut(&PatternMatch<'_>, &str) -> MatchEdit,
    ) -> usize {
        let (buffer, start) = self.state.parts();
        let span = Span { text: buffer, from: start, is_last: self.is_last() };
        let mut coarse = self.state.coarse;
        let mut edits = Vec::new();
        let open = patterns.scan(span, &mut coarse, &mut |hit| {
            if let Some(with) = patterns.decided((buffer, start), hit, decide) {
                edits.push((hit.start, hit.end, with.into_owned()));
            }
        });
        let count = edits.len();
        for (start, end, with) in edits {
            self.state.edit(start, end, with);
        }
        self.state.coarse = coarse;
        self.state.hold_from(open);
        count
    }
}
