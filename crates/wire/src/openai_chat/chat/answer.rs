//! Whole answers of the dialect, read and written.

use std::borrow::Cow;

use bytes::Bytes;
use gatewright::chat::{Answer, AnswerChoice, PartKind};
use gatewright::dialect::Envelope;
use gatewright::{Failure, FinishReason};

use super::super::usage;
use super::message::Message;
use super::name;
use super::write::call;
use crate::alias;
use crate::json::{JsonStr, ObjectWriter, Reader};

/// Reads an answer.
pub(super) fn read(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let mut answer = Answer::default();
    Reader::new(body).object(|reader, key| {
        match key.bytes().as_ref() {
            b"model" => answer.model = reader.string()?.map(|name| name.decode()),
            b"usage" => answer.usage = usage::read(&reader.value()?)?,
            b"choices" => {
                let mut choices = Vec::new();
                reader.array(|reader, position| {
                    choices.push(choice(reader, position)?);
                    Ok::<_, Failure>(())
                })?;
                choices.sort_by_key(|(index, _)| *index);
                answer.choices = choices.into_iter().map(|(_, choice)| choice).collect();
            }
            _ => {}
        }
        Ok::<_, Failure>(())
    })?;
    Ok(answer)
}

fn choice<'a>(reader: &mut Reader<'a>, position: usize) -> Result<(u64, AnswerChoice<'a>), Failure> {
    let mut index = u64::try_from(position).unwrap_or(u64::MAX);
    let mut choice = AnswerChoice::default();
    reader.object(|reader, key| {
        match key.bytes().as_ref() {
            b"index" => index = reader.value()?.as_u64().unwrap_or(index),
            b"message" => choice.parts = Message::read(reader, position, &mut Vec::new())?.answer(),
            b"finish_reason" => {
                choice.finish = reader.string()?.map(|word: JsonStr<'_>| finish_reason(&word.decode()));
            }
            _ => {}
        }
        Ok::<_, Failure>(())
    })?;
    alias::restore(&mut choice.parts);
    let has_calls = calls(&choice);
    choice.finish = choice.finish.map(|finish| with_calls(finish, has_calls));
    Ok((index, choice))
}

fn calls(choice: &AnswerChoice<'_>) -> bool {
    choice.parts.iter().any(|part| matches!(part.kind, PartKind::ToolCall { .. }))
}

/// Why an answer ended, by the dialect's word.
pub(in crate::openai_chat) fn finish_reason(word: &str) -> FinishReason {
    match word {
        "stop" => FinishReason::Stop,
        "length" => FinishReason::Length,
        "tool_calls" | "function_call" => FinishReason::ToolCalls,
        "content_filter" => FinishReason::ContentFilter,
        other => FinishReason::Other(other.to_owned()),
    }
}

/// Some providers say that an answer stopped of itself though it calls tools.
pub(in crate::openai_chat) fn with_calls(finish: FinishReason, calls: bool) -> FinishReason {
    match finish {
        FinishReason::Stop if calls => FinishReason::ToolCalls,
        finish => finish,
    }
}

/// The dialect's word for why an answer ended that another dialect has told.
pub(crate) const fn finish_word(finish: &FinishReason) -> &'static str {
    match finish {
        FinishReason::Length | FinishReason::ContextFull => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
        _ => "stop",
    }
}

/// Writes an answer.
pub(super) fn write(answer: &Answer<'_>, envelope: &Envelope) -> Bytes {
    let mut out = Vec::with_capacity(1_024);
    let mut object = ObjectWriter::open(&mut out);
    object.str("id", &name::answer_id(&envelope.id));
    object.str("object", "chat.completion");
    object.number("created", envelope.created);
    object.str("model", &envelope.model);
    let mut choices = object.list("choices");
    for (index, choice) in (0..).zip(&answer.choices) {
        write_choice(choices.object(), index, choice, envelope);
    }
    choices.close();
    if let Some(figures) = &answer.usage {
        usage::write(figures, object.key("usage"));
    }
    object.close();
    out.into()
}

fn write_choice(mut object: ObjectWriter<'_>, index: u32, choice: &AnswerChoice<'_>, envelope: &Envelope) {
    object.number("index", index.into());
    let mut message = object.object("message");
    message.str("role", "assistant");
    let text = joined(choice, |kind| match kind {
        PartKind::Text(text) => Some(text),
        _ => None,
    });
    let refusal = joined(choice, |kind| match kind {
        PartKind::Refusal(text) => Some(text),
        _ => None,
    });
    let reasoning = joined(choice, |kind| match kind {
        PartKind::Reasoning { text, .. } => Some(text),
        _ => None,
    });
    for (key, text) in [("content", text), ("refusal", refusal)] {
        match text {
            Some(text) => message.str(key, &text),
            None => message.raw(key, "null"),
        }
    }
    if let Some(reasoning) = reasoning.filter(|text| !text.is_empty()) {
        message.str("reasoning_content", &reasoning);
    }
    if calls(choice) {
        let mut list = message.list("tool_calls");
        let calls = choice.parts.iter().filter(|part| matches!(part.kind, PartKind::ToolCall { .. }));
        for (place, part) in (0..).zip(calls) {
            if let PartKind::ToolCall { id, name, arguments, .. } = &part.kind {
                let made = || name::call_id(&envelope.id, index, place).into();
                let id = if id.is_empty() { made() } else { Cow::Borrowed(id.as_ref()) };
                call(list.object(), &id, name, arguments);
            }
        }
        list.close();
    }
    message.close();
    object.raw("logprobs", "null");
    let finish = with_calls(choice.finish.clone().unwrap_or(FinishReason::Stop), calls(choice));
    object.str("finish_reason", finish_word(&finish));
    object.close();
}

/// The texts of one kind as one; none if there is none.
fn joined<'a>(
    choice: &'a AnswerChoice<'_>,
    text: impl Fn(&'a PartKind<'_>) -> Option<&'a Cow<'a, str>>,
) -> Option<Cow<'a, str>> {
    let mut texts = choice.parts.iter().filter_map(|part| text(&part.kind));
    let first = Cow::Borrowed(texts.next()?.as_ref());
    Some(texts.fold(first, |joined, text| joined + text.as_ref()))
}
