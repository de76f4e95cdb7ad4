//! The conversation as items of the input.

use gatewright::Failure;
use gatewright::chat::{
    Chat, LossKind, Media, MediaKind, MediaSource, Origin, Part, PartKind, Place, Speaker,
};
use gatewright::dialect::{Abilities, Dialect};

use super::Writing;
use crate::alias;
use crate::call::{Call, FAILED};
use crate::json::{ListWriter, ObjectWriter, quote_into};
use crate::openai_chat::chat::write::media::data_url;
use crate::openai_chat::chat::write::{ends_with_calls, said_something};
use crate::openai_responses::item;

type Calls<'i, 'c> = std::slice::Iter<'i, Call<'c>>;

/// Writes instructions and input.
pub(super) fn input(
    writing: &mut Writing<'_, '_, '_>,
    chat: &Chat<'_>,
    calls: &mut Calls<'_, '_>,
) -> Result<(), Failure> {
    let has_text = |part: &Part<'_>| part.as_text().is_some_and(|text| !text.is_empty());
    let instructions = match chat.system.as_slice() {
        [part] if has_text(part) && part.cache.is_none() => part.as_text(),
        _ => None,
    };
    if let Some(text) = instructions {
        writing.object.str("instructions", text);
    }
    let Writing { object, abilities, losses } = writing;
    let mut conversation = Conversation { list: object.list("input"), losses, abilities };
    if instructions.is_none() {
        conversation.said("developer", chat.system.iter())?;
    }
    let continues = abilities.continues_answers || ends_with_calls(chat);
    let last = chat.turns.len().saturating_sub(1);
    for (place, turn) in chat.turns.iter().enumerate() {
        match turn.speaker {
            Speaker::System => conversation.said("developer", turn.parts.iter())?,
            Speaker::Assistant if place == last && !continues => {
                let origin = turn.parts.first().map(|part| part.origin).unwrap_or_default();
                conversation.lose(origin, LossKind::Dropped)?;
            }
            Speaker::User => conversation.items("user", &turn.parts, calls)?,
            Speaker::Assistant => conversation.items("assistant", &turn.parts, calls)?,
        }
    }
    let is_empty = conversation.list.is_empty() && instructions.is_none();
    conversation.list.close();
    said_something(is_empty, losses)
}

struct Conversation<'o, 'w, 'l> {
    list: ListWriter<'o>,
    losses: &'w mut gatewright::chat::Losses<'l>,
    abilities: &'w Abilities,
}

impl Conversation<'_, '_, '_> {
    fn lose(&mut self, origin: Origin, kind: LossKind) -> Result<(), Failure> {
        self.losses.report(&Place::Part(origin), kind)
    }

    /// Writes the items of a turn: what stands together is one message, calls and results are items of their own.
    fn items(&mut self, role: &str, parts: &[Part<'_>], calls: &mut Calls<'_, '_>) -> Result<(), Failure> {
        let is_said = |part: &Part<'_>| {
            matches!(
                part.kind,
                PartKind::Text(_) | PartKind::Refusal(_) | PartKind::Media(_) | PartKind::Foreign(_)
            )
        };
        for run in parts.chunk_by(|one, two| is_said(one) && is_said(two)) {
            let [part] = run else {
                self.said(role, run.iter())?;
                continue;
            };
            match &part.kind {
                PartKind::ToolCall { name, arguments, .. } => {
                    let id = calls.next().map(|call| call.id.as_ref()).unwrap_or_default();
                    self.call(id, name, arguments);
                }
                PartKind::ToolResult { .. } => self.result(part, calls)?,
                PartKind::Reasoning { text, signature } => match signature {
                    Some(signature) if signature.from == Dialect::OpenAiResponses => {
                        item::reasoning(self.list.item(), "", text, Some(signature));
                    }
                    // Nobody but its own provider takes it back.
                    _ => self.lose(part.origin, LossKind::Dropped)?,
                },
                PartKind::SealedReasoning(signature) if signature.from == Dialect::OpenAiResponses => {
                    item::reasoning(self.list.item(), "", "", Some(signature));
                }
                PartKind::SealedReasoning(_) => self.lose(part.origin, LossKind::Dropped)?,
                _ => self.said(role, run.iter())?,
            }
        }
        Ok(())
    }

    /// Writes a message; none if nothing of it is left.
    fn said<'p>(&mut self, role: &str, parts: impl Iterator<Item = &'p Part<'p>>) -> Result<(), Failure> {
        let is_answer = role == "assistant";
        let mut kept = Vec::new();
        for part in parts {
            let loss = match &part.kind {
                PartKind::Text(text) if text.is_empty() => Some(LossKind::Dropped),
                PartKind::Refusal(_) if is_answer => None,
                PartKind::Media(media) if !is_answer => loss(media, self.abilities),
                // Providers of the dialect remember prefixes without being told.
                PartKind::Text(_) => part.cache.map(|_| LossKind::Approximated),
                _ => Some(LossKind::Dropped),
            };
            if let Some(kind) = loss {
                self.lose(part.origin, kind)?;
            }
            if loss != Some(LossKind::Dropped) {
                kept.push(part);
            }
        }
        if kept.is_empty() {
            return Ok(());
        }
        let mut message = self.list.object();
        message.str("role", role);
        content(message.key("content"), &kept, if is_answer { "output_text" } else { "input_text" });
        message.close();
        Ok(())
    }

    fn call(&mut self, id: &str, name: &str, arguments: &str) {
        let mut item = self.list.object();
        item.str("type", "function_call");
        item.str("call_id", id);
        item.str("name", &alias::name_or_own(name));
        item.str("arguments", if arguments.is_empty() { "{}" } else { arguments });
        item.close();
    }

    fn result(&mut self, result: &Part<'_>, calls: &mut Calls<'_, '_>) -> Result<(), Failure> {
        let PartKind::ToolResult { content: parts, is_error, .. } = &result.kind else { return Ok(()) };
        let id = calls.next().map(|call| call.id.as_ref()).unwrap_or_default();
        // The dialect has no other place for a failure than its words.
        let failed = Part::text(FAILED.trim_end());
        if *is_error || result.cache.is_some() {
            self.lose(result.origin, LossKind::Approximated)?;
        }
        let mut kept = Vec::new();
        for part in is_error.then_some(&failed).into_iter().chain(parts) {
            let loss = match &part.kind {
                PartKind::Text(_) => None,
                PartKind::Media(media) => loss(media, self.abilities),
                _ => Some(LossKind::Dropped),
            };
            if let Some(kind) = loss {
                self.lose(part.origin, kind)?;
            }
            if loss != Some(LossKind::Dropped) {
                kept.push(part);
            }
        }
        let mut item = self.list.object();
        item.str("type", "function_call_output");
        item.str("call_id", id);
        if kept.is_empty() {
            item.str("output", "");
        } else {
            content(item.key("output"), &kept, "input_text");
        }
        item.close();
        Ok(())
    }
}

/// What is lost of a medium; all of it, if the dialect or the target has no place for it.
fn loss(media: &Media<'_>, abilities: &Abilities) -> Option<LossKind> {
    use MediaKind::{Document, Image};
    let can_be_said = match (media.kind, &media.source) {
        // As a text, which it is.
        (Document, MediaSource::Text(_)) => return Some(LossKind::Approximated),
        (Image | Document, MediaSource::Url(_)) => abilities.fetches_urls,
        (Image | Document, MediaSource::Base64(_) | MediaSource::File(_)) => true,
        _ => false,
    };
    let is_read = can_be_said && abilities.media.contains(&media.kind);
    (!is_read).then_some(LossKind::Dropped)
}

/// Writes the content of an item: one text as it is, anything else as parts.
fn content(out: &mut Vec<u8>, parts: &[&Part<'_>], text_type: &str) {
    if let [part] = parts
        && let Some(text) = part.as_text()
    {
        return quote_into(out, text);
    }
    let mut list = ListWriter::open(out);
    for part in parts {
        let mut object = list.object();
        match &part.kind {
            PartKind::Text(text) => {
                object.str("type", text_type);
                object.str("text", text);
            }
            PartKind::Refusal(text) => {
                object.str("type", "refusal");
                object.str("refusal", text);
            }
            PartKind::Media(media) => medium(media, &mut object),
            _ => {}
        }
        object.close();
    }
    list.close();
}

fn medium(media: &Media<'_>, part: &mut ObjectWriter<'_>) {
    let mime = media.mime.as_deref();
    match (media.kind, &media.source) {
        (_, MediaSource::Text(text)) => {
            part.str("type", "input_text");
            part.str("text", text);
        }
        (MediaKind::Image, source) => {
            part.str("type", "input_image");
            part.str("detail", media.detail.as_deref().unwrap_or("auto"));
            match source {
                MediaSource::Base64(data) => data_url(part.key("image_url"), mime, "image/png", data),
                MediaSource::File(id) => part.str("file_id", id),
                MediaSource::Url(url) | MediaSource::Text(url) => part.str("image_url", url),
            }
        }
        (_, source) => {
            part.str("type", "input_file");
            match source {
                MediaSource::Base64(data) => {
                    part.str("filename", media.name.as_deref().unwrap_or("document.pdf"));
                    data_url(part.key("file_data"), mime, "application/pdf", data);
                }
                MediaSource::File(id) => part.str("file_id", id),
                MediaSource::Url(url) | MediaSource::Text(url) => part.str("file_url", url),
            }
        }
    }
}
