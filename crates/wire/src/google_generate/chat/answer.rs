//! Whole answers, read and written.

use bytes::Bytes;
use gatewright::chat::{Answer, AnswerChoice, MediaSource, Origin, Part, PartKind};
use gatewright::dialect::Envelope;
use gatewright::text::Lane;
use gatewright::{Failure, FinishReason};

use super::super::chunk::{self, End, Head};
use super::super::text::items;
use super::super::{finish, usage};
use super::name::{call_id, tool_name};
use super::part::{self, member, string};
use crate::json::Value;

/// Reads an answer. One without any candidate, because the prompt was refused, is a filtered empty one.
pub(super) fn read(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let root = Value::parse(body)?;
    let mut answer = Answer { model: string(&root, "modelVersion"), ..Answer::default() };
    if let Some(figures) = member(&root, "usageMetadata") {
        answer.usage = usage::read(&figures).unwrap_or_default();
    }
    if let Some(candidates) = member(&root, "candidates") {
        let mut choices: Vec<(u64, AnswerChoice<'_>)> = Vec::new();
        for (position, candidate) in items(&candidates).enumerate() {
            let position = u64::try_from(position).unwrap_or(u64::MAX);
            let index = member(&candidate, "index").and_then(|index| index.as_u64()).unwrap_or(position);
            choices.push((index, choice(body, &candidate, index)));
        }
        choices.sort_by_key(|(index, _)| *index);
        answer.choices = choices.into_iter().map(|(_, choice)| choice).collect();
    }
    if answer.choices.is_empty() {
        let finish = Some(FinishReason::ContentFilter);
        answer.choices.push(AnswerChoice { parts: Vec::new(), finish });
    }
    Ok(answer)
}

fn choice<'a>(body: &[u8], candidate: &Value<'a>, index: u64) -> AnswerChoice<'a> {
    let mut parts = Vec::new();
    if let Some(list) = member(candidate, "content").and_then(|content| member(&content, "parts")) {
        items(&list).for_each(|part| part::said(&part, Origin::default(), &mut parts));
    }
    let index = u32::try_from(index).unwrap_or(u32::MAX);
    let mut calls = 0;
    for part in &mut parts {
        let PartKind::ToolCall { id, name, .. } = &mut part.kind else { continue };
        if id.is_empty() {
            *id = call_id(body, index, calls).into();
        }
        *name = match std::mem::take(name) {
            std::borrow::Cow::Borrowed(name) => tool_name(name).into(),
            std::borrow::Cow::Owned(name) => tool_name(&name).to_owned().into(),
        };
        calls += 1;
    }
    let reason = string(candidate, "finishReason").filter(|reason| !reason.is_empty());
    AnswerChoice { parts, finish: reason.map(|reason| finish::read(&reason, calls > 0)) }
}

/// Writes an answer.
pub(super) fn write(answer: &Answer<'_>, envelope: &Envelope) -> Bytes {
    let mut candidates = Vec::new();
    for (index, choice) in answer.choices.iter().enumerate() {
        if index > 0 {
            candidates.push(b',');
        }
        let index = u32::try_from(index).unwrap_or(u32::MAX);
        candidates.extend(write_choice(index, choice));
    }
    let head =
        Head { id: envelope.id.as_str().into(), model: envelope.model.as_str().into(), is_known: true };
    Bytes::from(head.element(&candidates, answer.usage.as_ref(), None))
}

fn write_choice(index: u32, choice: &AnswerChoice<'_>) -> Vec<u8> {
    let mut has_malformed_call = false;
    let mut parts: Vec<Vec<u8>> = Vec::with_capacity(choice.parts.len());
    for part in &choice.parts {
        match &part.kind {
            PartKind::ToolCall { arguments, .. } if chunk::arguments(arguments).is_none() => {
                has_malformed_call = true;
            }
            _ => parts.extend(write_part(part)),
        }
    }
    let stop = FinishReason::Stop;
    let reason = choice.finish.as_ref().or_else(|| has_malformed_call.then_some(&stop));
    let end = reason.map(|reason| End { reason, has_malformed_call });
    chunk::candidate(index, &parts.join(b",".as_slice()), end)
}

/// A part as the dialect's clients read it; none where it has no place for it. Signatures of other dialects have none:
/// a client would send them to a provider that did not make them.
fn write_part(part: &Part<'_>) -> Option<Vec<u8>> {
    let (content, reasoning) = (Lane::content(0), Lane::reasoning(0));
    match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) => {
            (!text.is_empty()).then(|| chunk::text(content, text))
        }
        PartKind::Reasoning { text, signature } => {
            let text = (!text.is_empty()).then(|| chunk::text(reasoning, text));
            let signature = signature.as_ref().and_then(|own| chunk::signature(reasoning, own));
            let parts: Vec<_> = [text, signature].into_iter().flatten().collect();
            (!parts.is_empty()).then(|| parts.join(b",".as_slice()))
        }
        PartKind::SealedReasoning(signature) => chunk::signature(content, signature),
        PartKind::ToolCall { id, name, arguments, signature } => {
            let arguments = chunk::arguments(arguments)?;
            Some(chunk::client_call(id, name, arguments, signature.as_ref().and_then(chunk::own)))
        }
        PartKind::Media(media) => match &media.source {
            MediaSource::Text(text) => Some(chunk::text(content, text)),
            _ => chunk::media(media),
        },
        _ => None,
    }
}
