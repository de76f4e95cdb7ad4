//! Edits of the texts of an answer, and what must change along with them.

use gatewright::text::{Lane, LaneKind};
use smallvec::SmallVec;

use crate::json::{JsonStr, Patches, Span, Value};

/// Replacements of texts, and what must change along with them: a mirror says what its text says, and token
/// probabilities spell out the old text, so they go.
#[derive(Debug, Default)]
pub(crate) struct TextEdits {
    patches: Patches,
    replaced: usize,
    /// The last piece of reasoning, and what replaces it.
    reasoning: Option<(Lane, Option<String>)>,
    edited_choices: SmallVec<[u32; 2]>,
    logprobs: SmallVec<[(u32, Span); 2]>,
}

impl TextEdits {
    /// A text is met and is to become `new`, if there is one.
    pub(crate) fn text(&mut self, lane: Lane, text: &JsonStr<'_>, new: Option<String>) {
        if let Some(new) = &new {
            self.patches.replace_text(text, new);
            self.replaced += 1;
            if !self.edited_choices.contains(&lane.choice) {
                self.edited_choices.push(lane.choice);
            }
        }
        if lane.kind == LaneKind::Reasoning {
            self.reasoning = Some((lane, new));
        }
    }

    /// A mirror is met.
    pub(crate) fn mirror(&mut self, lane: Lane, span: Span) {
        if let Some((original, Some(new))) = &self.reasoning
            && *original == lane
        {
            self.patches.replace_str(span, new);
        }
    }

    /// Token probabilities are met.
    pub(crate) fn logprobs(&mut self, choice: u32, value: &Value<'_>) {
        if !value.is_null() {
            self.logprobs.push((choice, value.span()));
        }
    }

    /// The patches, and how many texts they replace.
    pub(crate) fn finish(mut self) -> (Patches, usize) {
        for (choice, span) in self.logprobs {
            if self.edited_choices.contains(&choice) {
                self.patches.replace(span, "null");
            }
        }
        (self.patches, self.replaced)
    }
}
