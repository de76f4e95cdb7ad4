//! A whole answer of a dialect, over the provider's own bytes.

use bytes::Bytes;
use gatewright::dialect::{AnswerDocument, Dialect};
use gatewright::text::Lane;
use gatewright::{EditError, Failure, FailureKind, Side, Usage};
use http::{HeaderMap, StatusCode};
use smallvec::SmallVec;

use super::draft::{Draft, Head, Scanned};
use super::edits::TextEdits;
use super::part::{Part, Walk};
use crate::json::{JsonError, Patches, Span};
use crate::refusal;

/// Bytes of generated text per token, roughly, over languages.
const BYTES_PER_TOKEN: usize = 4;

/// An answer and what the gateway has in mind for it.
#[derive(Debug)]
pub(crate) struct Answer {
    shape: &'static AnswerShape,
    draft: Draft<AnswerHead>,
    /// The name that the answer is to report, if that is another one.
    model: Option<Box<str>>,
}

/// How the answers of a dialect are read.
#[derive(Debug)]
pub(crate) struct AnswerShape {
    pub(crate) dialect: Dialect,
    /// Shows the parts of a whole answer, in order.
    pub(crate) walk: Walk,
    /// The member that an answer cannot be without, if there is one; the walk's outline says whether it is there.
    pub(crate) content: Option<&'static str>,
}

/// What is known of an answer without another look at its text.
#[derive(Debug, Clone)]
struct AnswerHead {
    shape: &'static AnswerShape,
    usage: Option<Usage>,
    model: Option<Box<str>>,
    /// The values of `model`; more than one if the key is repeated.
    model_spans: SmallVec<[Span; 1]>,
    text_bytes: usize,
    /// The value of `error`.
    error: Option<Span>,
}

impl Answer {
    /// Checks `body` and reads what the gateway needs.
    ///
    /// # Errors
    /// A failure of the upstream side if the body is an error or no answer of the dialect.
    pub(crate) fn decode(
        body: Bytes,
        shape: &'static AnswerShape,
    ) -> Result<Box<dyn AnswerDocument>, Failure> {
        let (head, choices) = scan(&body, shape).map_err(|error| malformed(&body, &error.to_string()))?;
        if head.error.is_some() {
            return Err(refusal::parse(StatusCode::BAD_GATEWAY, &HeaderMap::new(), &body));
        }
        if let Some(content) = shape.content.filter(|_| choices.is_none()) {
            return Err(malformed(&body, &format!("it has no `{content}`")));
        }
        Ok(Box::new(Self { shape, draft: Draft::new(Scanned { text: body, head }), model: None }))
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

fn scan(text: &[u8], shape: &'static AnswerShape) -> Result<(AnswerHead, Option<bool>), JsonError> {
    let mut head = AnswerHead {
        shape,
        usage: None,
        model: None,
        model_spans: SmallVec::new(),
        text_bytes: 0,
        error: None,
    };
    let outline = (shape.walk)(text, &mut |part| match part {
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
        | Part::SoFar { .. }
        | Part::ToolCall { .. }
        | Part::Finish { .. }
        | Part::Logprobs { .. } => {}
    })?;
    Ok((head, outline.choices))
}

impl Head for AnswerHead {
    fn rescan(&self, text: &Bytes) -> Option<Self> {
        scan(text, self.shape).ok().map(|(head, _)| head)
    }
}

impl AnswerDocument for Answer {
    fn dialect(&self) -> Dialect {
        self.shape.dialect
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
        (self.shape.walk)(&text, &mut |part| match part {
            Part::Text { lane, text, .. } if !text.escaped().is_empty() => {
                let old = text.decode();
                let new = visit(lane, &old).filter(|new| *new != *old);
                edits.text(lane, &text, new);
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
        let walked = (self.shape.walk)(&self.draft.current().text, &mut |part| {
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
