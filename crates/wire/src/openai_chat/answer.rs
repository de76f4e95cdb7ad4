//! A whole answer of the family, over the provider's own bytes.

use bytes::Bytes;
use gatewright::dialect::{AnswerDocument, Dialect};
use gatewright::text::{Lane, LaneKind};
use gatewright::{EditError, Failure, FailureKind, Side, Usage};
use http::{HeaderMap, StatusCode};
use smallvec::SmallVec;

use super::draft::{Draft, Head, Scanned};
use super::part::{self, Part};
use super::refusal;
use crate::json::{JsonError, Patches, Span, Value};

/// Bytes of generated text per token, roughly, over languages.
const BYTES_PER_TOKEN: usize = 4;

/// An answer and what the gateway has in mind for it.
#[derive(Debug)]
pub(crate) struct Answer {
    dialect: Dialect,
    draft: Draft<AnswerHead>,
    /// The name that the answer is to report, if that is another one.
    model: Option<Box<str>>,
}

/// What is known of an answer without another look at its text.
#[derive(Debug, Clone, Default)]
struct AnswerHead {
    usage: Option<Usage>,
    model: Option<Box<str>>,
    /// The values of `model`; more than one if the key is repeated.
    model_spans: SmallVec<[Span; 1]>,
    text_bytes: usize,
    /// The value of `error`.
    error: Option<Span>,
}

impl Answer {
    /// Checks `body` and reads what the gateway needs. `has_choices` says that an answer without is none.
    ///
    /// # Errors
    /// A failure of the upstream side if the body is an error or no answer of the family.
    pub(crate) fn decode(
        body: Bytes,
        dialect: Dialect,
        has_choices: bool,
    ) -> Result<Box<dyn AnswerDocument>, Failure> {
        let (head, choices) = scan(&body).map_err(|error| malformed(&body, &error.to_string()))?;
        if head.error.is_some() {
            return Err(refusal::parse(StatusCode::BAD_GATEWAY, &HeaderMap::new(), &body));
        }
        if has_choices && choices.is_none() {
            return Err(malformed(&body, "it has no `choices`"));
        }
        Ok(Box::new(Self { dialect, draft: Draft::new(Scanned { text: body, head }), model: None }))
    }

    fn splices(&self, scanned: &Scanned<AnswerHead>) -> Patches {
        let mut patches = Patches::new();
        if let Some(model) = &self.model {
            scanned.head.model_spans.iter().for_each(|&span| patches.replace_str(span, model));
        }
        patches
    }
}

fn malformed(body: &Bytes, reason: &str) -> Failure {
    let message = "the provider answered with something that is not an answer of its protocol";
    // The detail goes to the log, so it says where the fault is and quotes nothing of the answer.
    let bytes = body.len();
    Failure::new(Side::Upstream, FailureKind::Malformed, message)
        .with_detail(format!("{reason}, in an answer of {bytes} bytes"))
}

fn scan(text: &[u8]) -> Result<(AnswerHead, Option<bool>), JsonError> {
    let mut head = AnswerHead::default();
    let outline = part::walk(text, &mut |part| match part {
        Part::Usage { usage, .. } => head.usage = usage,
        Part::Model { name } => {
            head.model_spans.push(name.span());
            head.model = Some(name.decode().into());
        }
        Part::Text { text, .. } => head.text_bytes += text.escaped().len(),
        Part::Error { value } => head.error = Some(value.span()),
        Part::Choice { .. }
        | Part::Start
        | Part::Mirror { .. }
        | Part::ToolCall { .. }
        | Part::Finish { .. }
        | Part::Logprobs { .. } => {}
    })?;
    Ok((head, outline.choices))
}

impl Head for AnswerHead {
    fn rescan(&self, text: &Bytes) -> Option<Self> {
        scan(text).ok().map(|(head, _)| head)
    }
}

impl AnswerDocument for Answer {
    fn dialect(&self) -> Dialect {
        self.dialect
    }

    fn usage(&self) -> Option<Usage> {
        self.draft.current().head.usage
    }

    fn estimate_output_tokens(&self) -> u64 {
        u64::try_from(self.draft.current().head.text_bytes.div_ceil(BYTES_PER_TOKEN)).unwrap_or(u64::MAX)
    }

    fn model(&self) -> Option<&str> {
        self.model.as_deref().or(self.draft.current().head.model.as_deref())
    }

    fn set_model(&mut self, model: &str) {
        self.model = Some(model.into());
    }

    fn edit_texts(
        &mut self,
        visit: &mut dyn FnMut(Lane, &str) -> Option<String>,
    ) -> Result<usize, EditError> {
        let text = self.draft.settle().text.clone();
        let mut edits = TextEdits::default();
        part::walk(&text, &mut |part| match part {
            Part::Text { lane, text, .. } if !text.escaped().is_empty() => {
                let old = text.decode();
                let new = visit(lane, &old).filter(|new| *new != *old);
                edits.text(lane, text.span(), new);
            }
            Part::Mirror { lane, text } => edits.mirror(lane, text.span()),
            Part::Logprobs { choice, value } => edits.logprobs(choice, &value),
            _ => {}
        })?;
        let (patches, replaced) = edits.finish();
        self.draft.edit(patches);
        Ok(replaced)
    }

    fn for_each_text(&self, visit: &mut dyn FnMut(Lane, &str)) {
        let walked = part::walk(&self.draft.current().text, &mut |part| {
            if let Part::Text { lane, text, .. } = part
                && !text.escaped().is_empty()
            {
                visit(lane, &text.decode());
            }
        });
        debug_assert!(walked.is_ok(), "the text has been walked before");
    }

    fn is_edited(&self) -> bool {
        self.draft.is_edited()
    }

    fn to_body(&self) -> Bytes {
        self.draft.render(|scanned| self.splices(scanned))
    }
}

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
    pub(crate) fn text(&mut self, lane: Lane, span: Span, new: Option<String>) {
        if let Some(new) = &new {
            self.patches.replace_str(span, new);
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
