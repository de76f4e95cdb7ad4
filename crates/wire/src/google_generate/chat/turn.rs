//! The conversation, written.

use std::borrow::Cow;
use std::collections::HashMap;

use gatewright::Failure;
use gatewright::chat::{Chat, LossKind, Losses, Media, MediaSource, Part, PartKind, Place, Speaker};
use gatewright::dialect::{Abilities, ReasoningForm};
use gatewright::text::Lane;

use super::super::chunk;
use super::write::cache;
use crate::call;
use crate::json::{Kind, ListWriter, ObjectWriter, Value};

/// What the provider takes in the place of a signature that it did not make, for a history that another model or
/// another dialect wrote.
const UNSIGNED: &str = "skip_thought_signature_validator";

/// Neighbouring turns of one role.
struct Round<'c, 'a> {
    is_model: bool,
    parts: Vec<(&'c Part<'a>, Speaker)>,
}

/// Writes the conversation as contents.
pub(super) fn write(
    chat: &Chat<'_>,
    abilities: &Abilities,
    losses: &mut Losses<'_>,
    contents: &mut ListWriter<'_>,
) -> Result<(), Failure> {
    let mut pairs = call::paired(chat, losses)?.into_iter();
    let mut asked: HashMap<Cow<'_, str>, usize> = HashMap::new();
    let rounds = rounds(chat);
    for (place, round) in rounds.iter().enumerate() {
        let is_last = place + 1 == rounds.len();
        let mut writer = Writer { abilities, losses: &mut *losses, parts: Vec::new() };
        if round.is_model {
            let calls = round.parts.iter().filter(|(part, _)| is_call(part));
            asked = calls.zip(&mut pairs).enumerate().map(|(place, (_, call))| (call.id, place)).collect();
            if is_last && asked.is_empty() && !abilities.continues_answers {
                writer.drop_all(round)?;
                continue;
            }
            writer.model(round)?;
            content("model", &writer.parts, contents);
        } else {
            // In the order of the calls, because that and the names are all that pairs them.
            let results = round.parts.iter().map(|(part, _)| *part).filter(|part| is_result(part));
            let mut results: Vec<_> = results.zip(&mut pairs).collect();
            results.sort_by_key(|(_, call)| asked.get(&call.id));
            results.into_iter().try_for_each(|(part, call)| writer.result(call.name, part))?;
            content("user", &writer.parts, contents);
            writer.parts.clear();
            writer.user(round)?;
            content("user", &writer.parts, contents);
        }
    }
    Ok(())
}

fn rounds<'c, 'a>(chat: &'c Chat<'a>) -> Vec<Round<'c, 'a>> {
    let mut rounds: Vec<Round<'c, 'a>> = Vec::new();
    for turn in &chat.turns {
        let is_model = turn.speaker == Speaker::Assistant;
        let parts = turn.parts.iter().map(|part| (part, turn.speaker));
        match rounds.last_mut() {
            Some(last) if last.is_model == is_model => last.parts.extend(parts),
            _ => rounds.push(Round { is_model, parts: parts.collect() }),
        }
    }
    rounds
}

fn content(role: &str, parts: &[Vec<u8>], contents: &mut ListWriter<'_>) {
    if parts.is_empty() {
        return;
    }
    let mut content = contents.object();
    content.str("role", role);
    let mut list = content.list("parts");
    parts.iter().for_each(|part| list.item().extend_from_slice(part));
    list.close();
    content.close();
}

const fn is_call(part: &Part<'_>) -> bool {
    matches!(part.kind, PartKind::ToolCall { .. })
}

const fn is_result(part: &Part<'_>) -> bool {
    matches!(part.kind, PartKind::ToolResult { .. })
}

/// Writes the parts of one content.
struct Writer<'w, 'd> {
    abilities: &'w Abilities,
    losses: &'w mut Losses<'d>,
    parts: Vec<Vec<u8>>,
}

impl Writer<'_, '_> {
    fn lose(&mut self, part: &Part<'_>, kind: LossKind) -> Result<(), Failure> {
        self.losses.report(&Place::Part(part.origin), kind)
    }

    fn drop_all(&mut self, round: &Round<'_, '_>) -> Result<(), Failure> {
        round.parts.iter().try_for_each(|(part, _)| self.lose(part, LossKind::Dropped))
    }

    fn model(&mut self, round: &Round<'_, '_>) -> Result<(), Failure> {
        let is_signed = |part: &Part<'_>| match &part.kind {
            PartKind::ToolCall { signature: Some(signature), .. } => chunk::own(signature).is_some(),
            _ => false,
        };
        let wants_signature = matches!(
            self.abilities.reasoning,
            ReasoningForm::Usual | ReasoningForm::Effort | ReasoningForm::Adaptive
        );
        // The provider looks at the first call of a turn only.
        let mut unsigned =
            (wants_signature && !round.parts.iter().any(|(part, _)| is_signed(part))).then_some(UNSIGNED);
        let mut parts = round.parts.iter().map(|(part, _)| *part).peekable();
        while let Some(part) = parts.next() {
            cache(part, self.losses)?;
            let sealed = parts.next_if(|next| seals(part, next));
            match &part.kind {
                PartKind::Text(text) => self.text(part, text, sealed)?,
                PartKind::Refusal(text) => {
                    self.lose(part, LossKind::Approximated)?;
                    self.text(part, text, sealed)?;
                }
                PartKind::Reasoning { text, signature } => match signature.as_ref().and_then(chunk::own) {
                    Some(signature) => self.parts.push(thought(text, signature)),
                    None => self.lose(part, LossKind::Dropped)?,
                },
                PartKind::SealedReasoning(signature) => match chunk::signature(Lane::content(0), signature) {
                    Some(part) => self.parts.push(part),
                    None => self.lose(part, LossKind::Dropped)?,
                },
                PartKind::ToolCall { name, arguments, signature, .. } => {
                    let Some(arguments) = chunk::arguments(arguments) else {
                        let why = "the arguments of a tool call are a JSON object at the model's provider";
                        return Err(self.losses.refuse(&Place::Part(part.origin), why));
                    };
                    let own = signature.as_ref().and_then(chunk::own);
                    if signature.is_some() && own.is_none() {
                        self.lose(part, LossKind::Dropped)?;
                    }
                    self.parts.push(chunk::call(name, arguments, own.or(unsigned.take())));
                }
                PartKind::Media(media) => self.media(part, media)?,
                _ => self.lose(part, LossKind::Dropped)?,
            }
        }
        Ok(())
    }

    fn user(&mut self, round: &Round<'_, '_>) -> Result<(), Failure> {
        for (part, speaker) in &round.parts {
            cache(part, self.losses)?;
            if *speaker == Speaker::System {
                self.lose(part, LossKind::Approximated)?;
            }
            match &part.kind {
                PartKind::Text(text) | PartKind::Refusal(text) => self.text(part, text, None)?,
                PartKind::Media(media) => self.media(part, media)?,
                PartKind::ToolResult { .. } => {}
                _ => self.lose(part, LossKind::Dropped)?,
            }
        }
        Ok(())
    }

    fn text(&mut self, part: &Part<'_>, text: &str, sealed: Option<&Part<'_>>) -> Result<(), Failure> {
        let signature = sealed.and_then(signature_of);
        if text.is_empty() && signature.is_none() {
            return self.lose(part, LossKind::Dropped);
        }
        let mut out = Vec::new();
        let mut object = ObjectWriter::open(&mut out);
        object.str("text", text);
        if let Some(signature) = signature {
            object.str("thoughtSignature", signature);
        }
        object.close();
        self.parts.push(out);
        Ok(())
    }

    /// Writes a medium, if the model reads such ones and the dialect has a form for it.
    fn media(&mut self, part: &Part<'_>, media: &Media<'_>) -> Result<(), Failure> {
        if let MediaSource::Text(text) = &media.source {
            self.lose(part, LossKind::Approximated)?;
            return self.text(part, text, None);
        }
        let Some(written) = self.medium(part, media)? else { return Ok(()) };
        self.parts.push(written);
        Ok(())
    }

    fn medium(&mut self, part: &Part<'_>, media: &Media<'_>) -> Result<Option<Vec<u8>>, Failure> {
        let is_fetched = !matches!(media.source, MediaSource::Url(_)) || self.abilities.fetches_urls;
        let is_read = self.abilities.media.contains(&media.kind) && is_fetched;
        let Some(written) = chunk::media(media).filter(|_| is_read) else {
            self.lose(part, LossKind::Dropped)?;
            return Ok(None);
        };
        if media.name.is_some() || media.detail.as_deref().is_some_and(|detail| detail != "auto") {
            self.lose(part, LossKind::Approximated)?;
        }
        Ok(Some(written))
    }

    fn result(&mut self, name: &str, part: &Part<'_>) -> Result<(), Failure> {
        let PartKind::ToolResult { content, is_error, .. } = &part.kind else { return Ok(()) };
        let mut texts: Vec<&str> = Vec::new();
        let mut media = Vec::new();
        for inner in content {
            match &inner.kind {
                PartKind::Text(text) => texts.push(text),
                PartKind::Media(Media { source: MediaSource::Text(text), .. }) => {
                    self.lose(inner, LossKind::Approximated)?;
                    texts.push(text);
                }
                PartKind::Media(medium) => media.extend(self.medium(inner, medium)?),
                _ => self.lose(inner, LossKind::Dropped)?,
            }
        }
        let text: Cow<'_, str> = match texts.as_slice() {
            [text] => Cow::Borrowed(*text),
            _ => Cow::Owned(texts.join("\n")),
        };
        let mut out = Vec::new();
        let mut object = ObjectWriter::open(&mut out);
        let mut response = object.object("functionResponse");
        response.str("name", &super::provider_name(name));
        answer(&text, *is_error, response.key("response"));
        if !media.is_empty() {
            let mut parts = response.list("parts");
            media.iter().for_each(|part| parts.item().extend_from_slice(part));
            parts.close();
        }
        response.close();
        object.close();
        self.parts.push(out);
        Ok(())
    }
}

/// What a tool answered, as the object that the dialect wants: the object that it is, unless that has a member with a
/// meaning of its own there, or else one around it.
fn answer(text: &str, is_error: bool, out: &mut Vec<u8>) {
    let object = Value::parse(text.as_bytes()).ok().filter(|value| value.kind() == Kind::Object);
    let is_plain =
        |value: &Value<'_>| !value.members().any(|member| member.key.is("output") || member.key.is("error"));
    if let Some(object) = object.filter(|object| !is_error && is_plain(object)) {
        return out.extend_from_slice(object.raw());
    }
    let mut response = ObjectWriter::open(out);
    response.str(if is_error { "error" } else { "output" }, text);
    response.close();
}

/// Whether `next` is the signature that stood on `part`.
fn seals(part: &Part<'_>, next: &Part<'_>) -> bool {
    matches!(part.kind, PartKind::Text(_))
        && part.origin == next.origin
        && part.origin.part.is_some()
        && signature_of(next).is_some()
}

fn signature_of<'p>(part: &'p Part<'_>) -> Option<&'p str> {
    match &part.kind {
        PartKind::SealedReasoning(signature) => chunk::own(signature),
        _ => None,
    }
}

/// A thought with its signature.
fn thought(text: &str, signature: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + signature.len() + 64);
    let mut part = ObjectWriter::open(&mut out);
    part.str("text", text);
    part.bool("thought", true);
    part.str("thoughtSignature", signature);
    part.close();
    out
}
