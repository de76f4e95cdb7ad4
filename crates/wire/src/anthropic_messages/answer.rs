//! Whole answers: from the dialect, and in it.

use std::borrow::Cow;

use bytes::Bytes;
use gatewright::chat::{Answer, AnswerChoice, Part, PartKind};
use gatewright::dialect::Envelope;
use gatewright::{Failure, FailureKind, FinishReason, Side};

use super::stop::{self, Seen};
use super::{name, seal, usage, writer};
use crate::json::{Value, quote_into};

/// Reads an answer.
///
/// # Errors
/// A failure of the upstream side when it is no JSON.
pub(super) fn read(body: &[u8]) -> Result<Answer<'_>, Failure> {
    let root = Value::parse(body).map_err(|error| {
        let text = "the provider answered with something that is not an answer of its protocol";
        Failure::new(Side::Upstream, FailureKind::Malformed, text).with_detail(error.to_string())
    })?;
    let keys = ["model", "content", "stop_reason", "stop_sequence", "usage"];
    let [model, content, reason, string, figures] = root.pick(keys);
    let text = |value: Option<Value<'_>>| value.and_then(|value| value.as_str()).map(Cow::into_owned);
    let mut has_form = false;
    let blocks = content.iter().flat_map(Value::elements);
    let parts: Vec<_> = blocks.map(|block| part(&block, &mut has_form)).collect();
    let finish = text(reason).map(|reason| stop::read(&reason, text(string)));
    // The call was our way to ask for a form, and nobody else's business.
    let is_natural = has_form && finish == Some(FinishReason::ToolCalls) && !parts.iter().any(is_call);
    let finish = if is_natural { Some(FinishReason::Stop) } else { finish };
    Ok(Answer {
        model: model.and_then(|model| model.as_str()),
        choices: vec![AnswerChoice { parts, finish }],
        usage: figures.as_ref().and_then(usage::read),
    })
}

fn is_call(part: &Part<'_>) -> bool {
    matches!(part.kind, PartKind::ToolCall { .. })
}

fn part<'a>(block: &Value<'a>, has_form: &mut bool) -> Part<'a> {
    let keys = ["type", "text", "thinking", "signature", "data", "id", "name", "input"];
    let [kind, text, thinking, signature, data, id, tool, input] = block.pick(keys);
    let string = |value: Option<Value<'a>>| value.and_then(|value| value.as_str()).unwrap_or_default();
    let kind = string(kind);
    Part::new(match kind.as_ref() {
        "text" => PartKind::Text(string(text)),
        "thinking" => {
            let signature = Some(string(signature)).filter(|signature| !signature.is_empty());
            let signature = signature.map(|signature| seal::read(signature).0);
            PartKind::Reasoning { text: string(thinking), signature }
        }
        "redacted_thinking" => PartKind::SealedReasoning(seal::read(string(data)).0),
        "tool_use" if string(tool) == name::FORM => {
            *has_form = true;
            PartKind::Text(input.map_or(Cow::Borrowed("{}"), |input| input.source()))
        }
        "tool_use" => PartKind::ToolCall {
            id: string(id),
            name: name::original(string(tool)),
            arguments: input.map_or(Cow::Borrowed("{}"), |input| input.source()),
            signature: None,
        },
        _ => PartKind::Foreign(kind),
    })
}

/// Writes an answer. The dialect has one choice, and no images.
pub(super) fn write(answer: &Answer<'_>, envelope: &Envelope) -> Bytes {
    let choice = answer.choices.first();
    let parts = choice.map_or(&[][..], |choice| &choice.parts);
    let mut out = br#"{"id":"#.to_vec();
    quote_into(&mut out, &writer::id(Some(envelope)));
    out.extend_from_slice(br#","type":"message","role":"assistant","model":"#);
    quote_into(&mut out, &envelope.model);
    out.extend_from_slice(br#","content":["#);
    let mut blocks = Blocks { out, envelope, calls: 0, has_any: false, seen: Seen::default() };
    parts.iter().for_each(|part| blocks.part(part));
    let Blocks { mut out, seen, .. } = blocks;
    let (reason, string) = stop::word(choice.and_then(|choice| choice.finish.as_ref()), seen);
    out.extend_from_slice(br#"],"stop_reason":"#);
    quote_into(&mut out, reason);
    out.extend_from_slice(br#","stop_sequence":"#);
    match string {
        Some(string) => quote_into(&mut out, &string),
        None => out.extend_from_slice(b"null"),
    }
    out.extend_from_slice(br#","usage":"#);
    usage::write(&answer.usage.unwrap_or_default(), &mut out);
    out.push(b'}');
    out.into()
}

struct Blocks<'e> {
    out: Vec<u8>,
    envelope: &'e Envelope,
    /// How many calls there have been.
    calls: u32,
    has_any: bool,
    seen: Seen,
}

impl Blocks<'_> {
    fn part(&mut self, part: &Part<'_>) {
        match &part.kind {
            PartKind::Text(text) if !text.is_empty() => self.block("text", &[("text", text)]),
            PartKind::Refusal(text) if !text.is_empty() => {
                self.seen.refusal = true;
                self.block("text", &[("text", text)]);
            }
            PartKind::Reasoning { text, signature } if !text.is_empty() || signature.is_some() => {
                let signature = signature.as_ref().map(|signature| seal::write(signature, false));
                let signature = signature.unwrap_or_default();
                self.block("thinking", &[("thinking", text), ("signature", &signature)]);
            }
            PartKind::SealedReasoning(signature) => self.sealed(&seal::write(signature, false)),
            PartKind::ToolCall { id, name, arguments, signature } => {
                self.seen.calls = true;
                let id = name::id_for_client(id, Some(self.envelope), self.calls);
                self.calls = self.calls.saturating_add(1);
                self.block("tool_use", &[("id", &id), ("name", name)]);
                self.out.pop();
                self.out.extend_from_slice(br#","input":"#);
                self.out.extend_from_slice(input(arguments).as_bytes());
                self.out.push(b'}');
                if let Some(signature) = signature {
                    self.sealed(&seal::write(signature, true));
                }
            }
            _ => {}
        }
    }

    fn sealed(&mut self, data: &str) {
        self.block("redacted_thinking", &[("data", data)]);
    }

    fn block(&mut self, kind: &str, members: &[(&str, &str)]) {
        if std::mem::replace(&mut self.has_any, true) {
            self.out.push(b',');
        }
        self.out.extend_from_slice(br#"{"type":"#);
        quote_into(&mut self.out, kind);
        for (key, value) in members {
            self.out.push(b',');
            quote_into(&mut self.out, key);
            self.out.push(b':');
            quote_into(&mut self.out, value);
        }
        self.out.push(b'}');
    }
}

/// Arguments as the object that the dialect has for them. What is none comes to stand in one.
fn input(arguments: &str) -> Cow<'_, str> {
    let text = arguments.trim();
    if text.is_empty() {
        return Cow::Borrowed("{}");
    }
    match Value::parse(text.as_bytes()) {
        Ok(value) if value.kind() == crate::json::Kind::Object => Cow::Borrowed(text),
        _ => {
            let mut out = br#"{"arguments":"#.to_vec();
            quote_into(&mut out, text);
            out.push(b'}');
            Cow::Owned(String::from_utf8(out).unwrap_or_default())
        }
    }
}
