//! A chat in no dialect: what the public protocols can say to a model and hear from it, in one form.
//!
//! Where caller and provider speak the same dialect, nothing of this is built: the caller's bytes travel. Where they
//! do not, the caller's dialect reads its text into a [`Chat`], and the provider's dialect writes its own from that;
//! answers come back as an [`Answer`] or, streamed, as [`StreamEvent`](crate::StreamEvent)s. No dialect knows
//! another one. What a dialect cannot express is reported to [`Losses`] by the one who writes, never left out in
//! silence.
//!
//! Values borrow from the text that they were read from. JSON inside them, schemas and arguments say, is kept as its
//! source text, so that key order and big numbers survive.

mod answer;
mod loss;
mod media;
mod part;
mod setting;
mod tool;

use std::borrow::Cow;

pub use answer::{Answer, AnswerChoice};
pub use loss::{Loss, LossKind, Losses, Place};
pub use media::{Media, MediaKind, MediaSource};
pub use part::{CacheMark, Origin, Part, PartKind, Signature};
pub use setting::{Effort, OutputFormat, Param, Reasoning, Sampling, Setting};
pub use tool::{Tool, ToolChoice, ToolKind};

/// JSON source text inside a chat: valid, unparsed.
pub type Json<'a> = Cow<'a, str>;

/// Who speaks in a turn.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Speaker {
    /// Instructions that stand behind the first turn of somebody else. Those before it are in [`Chat::system`].
    System,
    /// The application: texts, media, results of tool calls.
    User,
    /// The model, earlier.
    Assistant,
}

/// One message of the conversation, as the caller divided it.
///
/// Neighbours may have one speaker, because some dialects send each result of a tool call as a message of its own.
/// Who writes a dialect that wants them in one goes over [`Chat::rounds`].
#[derive(Clone, Debug, PartialEq)]
pub struct Turn<'a> {
    /// Who speaks.
    pub speaker: Speaker,
    /// What is said, in order.
    pub parts: Vec<Part<'a>>,
}

/// A request for a chat.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Chat<'a> {
    /// The model to ask for, as the provider calls it.
    pub model: Cow<'a, str>,
    /// Whether the answer is wanted as a stream.
    pub streams: bool,
    /// Instructions that lead the conversation: texts, in order.
    pub system: Vec<Part<'a>>,
    /// The conversation.
    pub turns: Vec<Turn<'a>>,
    /// The tools that the model may call.
    pub tools: Vec<Tool<'a>>,
    /// Which of them it may or must call; none leaves it to the provider.
    pub tool_choice: Option<ToolChoice<'a>>,
    /// Whether it may call several at once; none leaves it to the provider.
    pub parallel_tools: Option<bool>,
    /// The cap on output tokens.
    pub output_cap: Option<u64>,
    /// How tokens are drawn.
    pub sampling: Sampling<'a>,
    /// Texts that end the answer.
    pub stop: Vec<Cow<'a, str>>,
    /// The number of alternative answers; 0 and 1 are one.
    pub choices: u32,
    /// How much the model is to reason, and whether it shows it.
    pub reasoning: Option<Reasoning>,
    /// The form of the answer.
    pub format: Option<OutputFormat<'a>>,
    /// Members that only some dialects have, each with its value.
    pub settings: Vec<Setting<'a>>,
    /// Members that no other dialect has: RFC 6901 pointers into the caller's request. Whoever writes another dialect
    /// reports each as lost.
    pub unknown: Vec<Cow<'a, str>>,
    /// Parameters that the caller's dialect has under more than one name: the pointer to each as this caller wrote it,
    /// for losses and refusals.
    pub spelled: Vec<(Param, Cow<'a, str>)>,
}

impl<'a> Chat<'a> {
    /// The conversation with neighbours of one speaker taken together.
    pub fn rounds(&self) -> impl Iterator<Item = (Speaker, Vec<&Part<'a>>)> {
        self.turns.chunk_by(|one, two| one.speaker == two.speaker).filter_map(|turns| {
            let parts = turns.iter().flat_map(|turn| &turn.parts).collect();
            Some((turns.first()?.speaker, parts))
        })
    }

    /// Notes under which of its names the caller wrote a parameter. A later note replaces an earlier one.
    pub fn spell(&mut self, param: Param, pointer: impl Into<Cow<'a, str>>) {
        self.spelled.retain(|(other, _)| *other != param);
        self.spelled.push((param, pointer.into()));
    }

    /// The pointer to a parameter as the caller wrote it, where its dialect has more than one name for it.
    #[must_use]
    pub fn spelling(&self, param: Param) -> Option<&str> {
        self.spelled.iter().find(|(other, _)| *other == param).map(|(_, pointer)| pointer.as_ref())
    }

    /// The value of a member that only some dialects have.
    #[must_use]
    pub fn setting(&self, param: Param) -> Option<&Json<'a>> {
        self.settings.iter().find(|setting| setting.param == param).map(|setting| &setting.value)
    }

    /// Whether the model was told, or the conversation shows, that tools are in use. Some dialects take no
    /// conversation with calls in it unless tools are declared.
    #[must_use]
    pub fn has_tool_parts(&self) -> bool {
        let mut parts = self.turns.iter().flat_map(|turn| &turn.parts);
        parts.any(|part| matches!(part.kind, PartKind::ToolCall { .. } | PartKind::ToolResult { .. }))
    }
}

#[cfg(test)]
mod tests;
