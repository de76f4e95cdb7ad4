//! The walk over the parts of an answer, whole or one event of a stream.
//!
//! One walk serves the glance at a frame, its typed events and its rewriting, so that all three agree on what the n-th
//! event of a frame is.

use gatewright::Usage;
use gatewright::text::Lane;

use super::text::{each, name};
use super::usage;
use crate::document::{CallSite, Carrier, Outline, Part};
use crate::json::{JsonError, JsonStr, Kind, Reader, Span, Value};

/// What the walk meets.
#[derive(Debug, Clone, Copy)]
pub(super) enum Item<'a> {
    /// A candidate.
    Choice { choice: u32 },
    /// A part begins; what follows is of it, up to the next one or [`Item::PartsEnd`].
    Part { span: Span },
    /// The list of parts ends.
    PartsEnd,
    /// Text of a lane; of a call's arguments it is the source of an object.
    Text { lane: Lane, text: JsonStr<'a> },
    /// A call of a tool, before its arguments. Calls are counted from 0 in each candidate.
    Call {
        lane: Lane,
        id: Option<JsonStr<'a>>,
        name: JsonStr<'a>,
        has_arguments: bool,
        /// The part.
        span: Span,
    },
    /// What proves that the part is the provider's own.
    Signature { lane: Lane, text: JsonStr<'a> },
    /// A call is complete.
    CallEnd { lane: Lane },
    /// An image, a sound, a document: the value of `inlineData` or `fileData`.
    Media { choice: u32, value: Value<'a> },
    /// A candidate has come to its end.
    Finish { choice: u32, reason: JsonStr<'a> },
    /// The prompt was refused, so that there are no candidates.
    Blocked,
    /// Usage figures.
    Usage { usage: Usage },
    /// The provider reports a failure.
    Error { value: Value<'a> },
    /// The name of the model.
    Model { name: JsonStr<'a> },
}

impl Item<'_> {
    /// Whether it is an event of the stream, and so has a number in its frame.
    pub(super) fn is_event(&self) -> bool {
        match self {
            Self::Text { text, .. } => !text.escaped().is_empty(),
            Self::Call { .. }
            | Self::Signature { .. }
            | Self::CallEnd { .. }
            | Self::Media { .. }
            | Self::Finish { .. }
            | Self::Blocked
            | Self::Usage { .. }
            | Self::Error { .. } => true,
            Self::Choice { .. } | Self::Part { .. } | Self::PartsEnd | Self::Model { .. } => false,
        }
    }
}

/// [`walk`] as documents of answers take it.
pub(super) fn whole<'a>(text: &'a [u8], visit: &mut dyn FnMut(Part<'a>)) -> Result<Outline, JsonError> {
    walk(text, &mut |item| match item {
        Item::Choice { choice } => visit(Part::Choice { choice }),
        Item::Text { lane, text } => visit(Part::Text { lane, text, carrier: Carrier::Other }),
        Item::Call { lane, id, name, span, .. } => {
            visit(Part::ToolCall { lane, id, name: Some(name), site: CallSite::Element(span) });
        }
        Item::Finish { choice, reason } => visit(Part::Finish { choice, reason }),
        Item::Usage { usage } => {
            // Only the figures are read of it.
            visit(Part::Usage { value: Value::of_checked(b"null"), usage: Some(usage) });
        }
        Item::Error { value } => visit(Part::Error { value }),
        Item::Model { name } => visit(Part::Model { name }),
        Item::Part { .. }
        | Item::PartsEnd
        | Item::Signature { .. }
        | Item::CallEnd { .. }
        | Item::Media { .. }
        | Item::Blocked => {}
    })
}

/// The parts of a count of tokens. Counting consumes none.
pub(super) fn count<'a>(text: &'a [u8], visit: &mut dyn FnMut(Part<'a>)) -> Result<Outline, JsonError> {
    let outline = whole(text, &mut |part| {
        if let Part::Error { .. } = part {
            visit(part);
        }
    })?;
    let total = Value::of_checked(text).get("totalTokens").filter(|total| total.as_u64().is_some());
    if let Some(value) = total {
        visit(Part::Usage { value, usage: Some(Usage::default()) });
    }
    Ok(Outline { choices: total.map(|_| true), ..outline })
}

/// Walks over an answer.
///
/// # Errors
/// The first byte at which `text` is not a JSON object.
pub(super) fn walk<'a>(text: &'a [u8], visit: &mut dyn FnMut(Item<'a>)) -> Result<Outline, JsonError> {
    let mut reader = Reader::new(text);
    let mut outline = Outline { object: Span::new(0, 0), choices: None };
    let is_object = reader.object(|reader, key| {
        match key.bytes().as_ref() {
            b"candidates" => {
                let mut count = 0;
                each(reader, |reader, index| {
                    count += 1;
                    candidate(reader, index, visit)
                })?;
                outline.choices = Some(count > 0);
            }
            b"promptFeedback" => {
                let feedback = reader.value()?;
                if feedback.get("blockReason").is_some_and(|reason| reason.kind() == Kind::String) {
                    outline.choices.get_or_insert(false);
                    visit(Item::Blocked);
                }
            }
            b"usageMetadata" => {
                if let Some(usage) = usage::read(&reader.value()?)? {
                    visit(Item::Usage { usage });
                }
            }
            b"modelVersion" => {
                if let Some(name) = reader.string()? {
                    visit(Item::Model { name });
                }
            }
            b"error" => {
                let value = reader.value()?;
                if !value.is_null() {
                    visit(Item::Error { value });
                }
            }
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    let end = reader.place();
    reader.end()?;
    if !is_object {
        return Err(JsonError { offset: 0, reason: crate::json::Reason::ExpectedObject });
    }
    let start = text.iter().position(|&byte| byte == b'{').unwrap_or(0);
    outline.object = Span::new(start, end);
    Ok(outline)
}

fn candidate<'a>(
    reader: &mut Reader<'a>,
    position: usize,
    visit: &mut dyn FnMut(Item<'a>),
) -> Result<(), JsonError> {
    let (mut index, mut content, mut finish) = (None, None, None);
    reader.object(|reader, key| {
        let value = reader.value()?;
        match key.bytes().as_ref() {
            b"index" => index = value.as_u64(),
            b"content" => content = Some(value),
            b"finishReason" => finish = value.json_str(),
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    let choice = index.or_else(|| u64::try_from(position).ok()).and_then(|index| u32::try_from(index).ok());
    let choice = choice.unwrap_or(u32::MAX);
    if let Some(content) = content {
        let mut calls = 0;
        Reader::of(&content).object(|reader, key| {
            if key.is("parts") {
                each(reader, |reader, _| part(reader, choice, &mut calls, visit))?;
                visit(Item::PartsEnd);
            }
            Ok::<_, JsonError>(())
        })?;
    }
    visit(Item::Choice { choice });
    if let Some(reason) = finish.filter(|reason| !reason.escaped().is_empty()) {
        visit(Item::Finish { choice, reason });
    }
    Ok(())
}

/// The members of a part that say something to us.
#[derive(Default)]
struct Members<'a> {
    is_thought: bool,
    text: Option<JsonStr<'a>>,
    call: Option<Value<'a>>,
    signature: Option<JsonStr<'a>>,
    media: Option<Value<'a>>,
}

fn part<'a>(
    reader: &mut Reader<'a>,
    choice: u32,
    calls: &mut u32,
    visit: &mut dyn FnMut(Item<'a>),
) -> Result<(), JsonError> {
    reader.kind();
    let start = reader.place();
    let mut found = Members::default();
    reader.object(|reader, key| {
        let value = reader.value()?;
        match name(&key).as_ref() {
            "thought" => found.is_thought = value.as_bool() == Some(true),
            "text" => found.text = value.json_str(),
            "functionCall" => found.call = Some(value),
            "thoughtSignature" => found.signature = value.json_str(),
            "inlineData" | "fileData" if value.kind() == Kind::Object => found.media = Some(value),
            // What a tool that the provider runs is made of is shown like text, so that no filter is passed by.
            "executableCode" => found.text = value.get("code").and_then(|code| code.json_str()),
            "codeExecutionResult" => {
                found.text = value.get("output").and_then(|output| output.json_str());
            }
            _ => {}
        }
        Ok::<_, JsonError>(())
    })?;
    let span = Span::new(start, reader.place());
    visit(Item::Part { span });
    let lane = if found.is_thought { Lane::reasoning(choice) } else { Lane::content(choice) };
    if let Some(text) = found.text {
        visit(Item::Text { lane, text });
    }
    if let Some(value) = found.media {
        visit(Item::Media { choice, value });
    }
    let signature = found.signature.filter(|signature| !signature.escaped().is_empty());
    let call = found.call.and_then(|call| Some((call, call.get("name")?.json_str()?)));
    let Some((call, name)) = call else {
        signature.into_iter().for_each(|text| visit(Item::Signature { lane, text }));
        return Ok(());
    };
    let lane = Lane::tool_arguments(choice, *calls);
    *calls = calls.saturating_add(1);
    let id = call.get("id").and_then(|id| id.json_str());
    let arguments = call.get("args").filter(|arguments| arguments.kind() == Kind::Object);
    visit(Item::Call { lane, id, name, has_arguments: arguments.is_some(), span });
    if let Some(arguments) = arguments {
        visit(Item::Text { lane, text: arguments.source_str() });
    }
    signature.into_iter().for_each(|text| visit(Item::Signature { lane, text }));
    visit(Item::CallEnd { lane });
    Ok(())
}
