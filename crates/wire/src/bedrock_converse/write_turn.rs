//! The conversation as messages of the dialect: it begins with the user, roles alternate, and every call of a tool is
//! answered in the message that follows.

use std::collections::{BTreeSet, HashMap};

use gatewright::Failure;
use gatewright::chat::{
    Chat, LossKind, Losses, Media, MediaKind, MediaSource, Origin, Part, PartKind, Place, Speaker, Turn,
};
use gatewright::dialect::{Abilities, Dialect};

use super::out::Object;
use super::{alias, format, out, tool, write};
use crate::call::{self, Call};
use crate::json::{Kind, Value};

/// What stands around a text, or between blocks, roughly.
const BLOCK_BYTES: usize = 32;

/// The name of a document may be this long.
const DOCUMENT_NAME_BYTES_MAX: usize = 200;

/// The instructions as blocks.
///
/// # Errors
/// A loss in strict mode.
pub(super) fn system(chat: &Chat<'_>, losses: &mut Losses<'_>) -> Result<Vec<Vec<u8>>, Failure> {
    let mut blocks = Vec::new();
    for part in &chat.system {
        match part.as_text() {
            Some(text) if !text.trim().is_empty() => {
                blocks.push(text_block(text));
                blocks.extend(part.cache.map(write::cache_point));
            }
            _ => losses.report(&Place::Part(part.origin), LossKind::Dropped)?,
        }
    }
    Ok(blocks)
}

/// The conversation as messages.
///
/// Instructions behind its beginning are said by the user at their place: they must not gain weight over the order
/// in which things were said.
///
/// # Errors
/// What the provider would refuse, and in strict mode a loss.
pub(super) fn messages(
    chat: &Chat<'_>,
    abilities: &Abilities,
    losses: &mut Losses<'_>,
) -> Result<Vec<Message>, Failure> {
    let calls = call::paired(chat, losses)?;
    let (turns, begun) = begun(chat);
    let turns = if begun.is_some() && !abilities.continues_answers {
        // The model begins its answer itself.
        for part in begun.iter().flat_map(|turn| &turn.parts) {
            losses.report(&Place::Part(part.origin), LossKind::Dropped)?;
        }
        turns
    } else {
        &chat.turns
    };
    let mut writer = Writer {
        abilities,
        losses,
        messages: Vec::new(),
        calls: calls.iter(),
        aliases: HashMap::new(),
        ids: BTreeSet::new(),
        names: BTreeSet::new(),
        final_part: begun.and_then(|turn| turn.parts.last()),
        unfetched: None,
    };
    for turn in turns {
        for part in &turn.parts {
            match turn.speaker {
                Speaker::Assistant => writer.assistant(part)?,
                Speaker::User => writer.user(part)?,
                Speaker::System => {
                    writer.losses.report(&Place::Part(part.origin), LossKind::Approximated)?;
                    writer.user(part)?;
                }
            }
        }
    }
    writer.finish()
}

/// The turns before the answer that the request begins, and that one, if there is one. Calls that wait for their
/// results are no such beginning.
fn begun<'c, 'a>(chat: &'c Chat<'a>) -> (&'c [Turn<'a>], Option<&'c Turn<'a>>) {
    let is_call = |part: &Part<'_>| matches!(part.kind, PartKind::ToolCall { .. });
    match chat.turns.split_last() {
        Some((last, turns)) if last.speaker == Speaker::Assistant && !last.parts.iter().any(is_call) => {
            (turns, Some(last))
        }
        _ => (&chat.turns, None),
    }
}

fn text_block(text: &str) -> Vec<u8> {
    out::sized(text.len() + text.len() / 16 + BLOCK_BYTES, |block| block.text("text", text))
}

struct Writer<'w, 'd> {
    abilities: &'w Abilities,
    losses: &'w mut Losses<'d>,
    messages: Vec<Message>,
    /// What belongs to each call and each result, in order.
    calls: std::slice::Iter<'w, Call<'w>>,
    /// The last id at the provider of each id of the caller's.
    aliases: HashMap<&'w str, String>,
    /// Ids of calls that were given out.
    ids: BTreeSet<String>,
    /// Names of documents that were given out.
    names: BTreeSet<String>,
    /// The part that the answer is to go on with.
    final_part: Option<&'w Part<'w>>,
    /// The first medium that was left out because the provider would have to fetch it.
    unfetched: Option<Origin>,
}

/// A message under way.
#[derive(Debug)]
pub(super) struct Message {
    is_users: bool,
    /// Where it began, for errors.
    origin: Origin,
    /// Results of tools, which lead.
    results: Vec<Vec<u8>>,
    blocks: Vec<Vec<u8>>,
    has_text: bool,
    document: Option<Origin>,
}

impl<'w> Writer<'w, '_> {
    /// The message of a speaker: the last one, or a new one behind it.
    fn message(&mut self, is_users: bool, origin: Origin) -> Result<&mut Message, Failure> {
        if self.messages.last().is_none_or(|last| last.is_users != is_users) {
            let (results, blocks) = (Vec::new(), Vec::new());
            let message = Message { is_users, origin, results, blocks, has_text: false, document: None };
            self.messages.push(message);
        }
        let place = Place::Part(origin);
        self.messages.last_mut().ok_or_else(|| self.losses.refuse(&place, "it has no message"))
    }

    fn lose(&mut self, part: &Part<'_>) -> Result<(), Failure> {
        self.losses.report(&Place::Part(part.origin), LossKind::Dropped)
    }

    fn push(&mut self, is_users: bool, part: &Part<'_>, block: Vec<u8>) -> Result<(), Failure> {
        let message = self.message(is_users, part.origin)?;
        message.blocks.push(block);
        message.blocks.extend(part.cache.map(write::cache_point));
        Ok(())
    }

    fn text(&mut self, is_users: bool, part: &Part<'_>, text: &str) -> Result<(), Failure> {
        // White space alone is refused as an empty text is.
        if text.trim().is_empty() {
            return self.lose(part);
        }
        self.push(is_users, part, text_block(text))?;
        self.message(is_users, part.origin)?.has_text = true;
        Ok(())
    }

    // === The user ===

    fn user(&mut self, part: &'w Part<'_>) -> Result<(), Failure> {
        match &part.kind {
            PartKind::Text(text) | PartKind::Refusal(text) => self.text(true, part, text),
            PartKind::Media(media) => {
                let Some(block) = self.media(part, media)? else { return Ok(()) };
                self.push(true, part, block)?;
                if media.kind == MediaKind::Document {
                    self.message(true, part.origin)?.document = Some(part.origin);
                }
                Ok(())
            }
            PartKind::ToolResult { content, is_error, .. } => {
                let call = self.calls.next().map(|call| call.id.as_ref()).unwrap_or_default();
                let alias = self.aliases.get(call).cloned().unwrap_or_default();
                let content = self.result_content(part, content)?;
                let block = out::made(|block| {
                    block.object("toolResult", |result| {
                        result.text("toolUseId", &alias);
                        result.array("content", &content);
                        if *is_error {
                            result.text("status", "error");
                        }
                    });
                });
                let message = self.message(true, part.origin)?;
                message.results.push(block);
                message.results.extend(part.cache.map(write::cache_point));
                Ok(())
            }
            PartKind::ToolCall { .. } => {
                Err(self.losses.refuse(&Place::Part(part.origin), "only the assistant calls tools"))
            }
            _ => self.lose(part),
        }
    }

    fn result_content(&mut self, part: &Part<'_>, content: &[Part<'_>]) -> Result<Vec<Vec<u8>>, Failure> {
        let mut blocks = Vec::new();
        for inner in content {
            match &inner.kind {
                PartKind::Text(text) if text.is_empty() => {}
                PartKind::Text(text) => blocks.push(text_block(text)),
                PartKind::Media(media) if media.kind != MediaKind::Audio => {
                    blocks.extend(self.media(part, media)?);
                }
                _ => self.losses.report(&Place::Part(part.origin), LossKind::Approximated)?,
            }
        }
        Ok(blocks)
    }

    // === The assistant ===

    fn assistant(&mut self, part: &'w Part<'_>) -> Result<(), Failure> {
        let place = Place::Part(part.origin);
        match &part.kind {
            PartKind::Text(text) if self.final_part.is_some_and(|last| std::ptr::eq(last, part)) => {
                let trimmed = text.trim_end();
                if trimmed.len() < text.len() && !trimmed.is_empty() {
                    self.losses.report(&place, LossKind::Approximated)?;
                }
                self.text(false, part, trimmed)
            }
            PartKind::Text(text) => self.text(false, part, text),
            PartKind::Refusal(text) => {
                self.losses.report(&place, LossKind::Approximated)?;
                self.text(false, part, text)
            }
            PartKind::Reasoning { text, signature: Some(signature) }
                if signature.from == Dialect::BedrockConverse =>
            {
                self.push(false, part, write::reasoning_block(text, Some(signature)))
            }
            PartKind::SealedReasoning(signature) if signature.from == Dialect::BedrockConverse => {
                self.push(false, part, write::sealed_block(&signature.data))
            }
            PartKind::ToolCall { name, arguments, .. } => self.call(part, name, arguments),
            PartKind::ToolResult { .. } => {
                Err(self.losses.refuse(&place, "only the user answers tool calls"))
            }
            _ => self.lose(part),
        }
    }

    fn call(&mut self, part: &Part<'_>, name: &str, arguments: &str) -> Result<(), Failure> {
        let place = Place::Part(part.origin);
        let known = tool::name(name, &place, self.losses)?;
        let input = match arguments.trim() {
            "" => "{}",
            text => text,
        };
        if !Value::parse(input.as_bytes()).is_ok_and(|value| value.kind() == Kind::Object) {
            return Err(self.losses.refuse(&place, "the arguments of a tool call must be a JSON object"));
        }
        let id = self.calls.next().map(|call| call.id.as_ref()).unwrap_or_default();
        let alias = self.unused_id(id);
        let block = write::call_block(&alias, &known, input.as_bytes());
        self.aliases.insert(id, alias);
        self.push(false, part, block)
    }

    /// An id at the provider that no other call of the conversation has.
    fn unused_id(&mut self, id: &str) -> String {
        let first = alias::id(id);
        let mut alias = first.clone().into_owned();
        let mut number = self.ids.len();
        while !self.ids.insert(alias.clone()) {
            number += 1;
            alias = alias::id(&format!("{first}-{number}")).into_owned();
        }
        alias
    }

    // === Media ===

    /// A medium as a block; none if the dialect or the target has no place for it.
    fn media(&mut self, part: &Part<'_>, media: &Media<'_>) -> Result<Option<Vec<u8>>, Failure> {
        let place = Place::Part(part.origin);
        let fetches = match &media.source {
            MediaSource::Url(url) => url.starts_with(write::STORE) && self.abilities.fetches_urls,
            MediaSource::File(_) => false,
            MediaSource::Text(_) => media.kind == MediaKind::Document,
            MediaSource::Base64(data) => !data.is_empty(),
        };
        let word = format::word(media).filter(|_| fetches && self.abilities.media.contains(&media.kind));
        let Some(word) = word else {
            if matches!(media.source, MediaSource::Url(_) | MediaSource::File(_)) {
                self.unfetched.get_or_insert(part.origin);
            }
            self.losses.report(&place, LossKind::Dropped)?;
            return Ok(None);
        };
        if media.detail.as_deref().is_some_and(|detail| detail != "auto") {
            self.losses.report(&place, LossKind::Approximated)?;
        }
        let name = (media.kind == MediaKind::Document).then(|| self.document_name(media.name.as_deref()));
        Ok(write::media_block(media, word, name.as_deref()))
    }

    /// A name that the provider takes, and that no other document has.
    fn document_name(&mut self, name: Option<&str>) -> String {
        let stem = sanitised(name.unwrap_or_default());
        let stem = if stem.is_empty() { "document".to_owned() } else { stem };
        let mut name = stem.clone();
        let mut number = self.names.len();
        while !self.names.insert(name.clone()) {
            number += 1;
            name = format!("{stem} {number}");
        }
        name
    }

    // === The end ===

    fn finish(self) -> Result<Vec<Message>, Failure> {
        let refuse = |origin, why: &str| Err(self.losses.refuse(&Place::Part(origin), why));
        let is_headless = self.messages.first().is_none_or(|first| !first.is_users);
        if let Some(origin) = self.unfetched.filter(|_| is_headless) {
            let why = "the model's provider fetches nothing and has no such file, and without this part the user \
                       says nothing: send its bytes as a `data:` URL";
            return refuse(origin, why);
        }
        let Some(first) = self.messages.first() else {
            return refuse(Origin::default(), "the conversation has nothing that the user says");
        };
        if !first.is_users {
            return refuse(first.origin, "the conversation must begin with a message of the user");
        }
        for message in &self.messages {
            if let Some(origin) = message.document.filter(|_| !message.has_text) {
                return refuse(origin, "a message with a document must have a text beside it");
            }
        }
        Ok(self.messages)
    }
}

impl Message {
    /// How long it is when it is written, roughly.
    pub(super) fn bytes(&self) -> usize {
        let blocks = self.results.iter().chain(&self.blocks);
        blocks.map(|block| block.len() + 1).sum::<usize>() + BLOCK_BYTES
    }

    pub(super) fn write(&self, message: &mut Object<'_>) {
        message.text("role", if self.is_users { "user" } else { "assistant" });
        message.array("content", self.results.iter().chain(&self.blocks));
    }
}

/// What of a name the provider takes: letters, digits, hyphens, brackets, and single spaces.
fn sanitised(name: &str) -> String {
    let is_kept = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '(' | ')' | '[' | ']');
    let mut out = String::new();
    for c in name.chars() {
        match c {
            c if is_kept(c) => out.push(c),
            _ if out.is_empty() || out.ends_with(' ') => {}
            _ => out.push(' '),
        }
        // There is room for a number behind it.
        if out.len() + 12 > DOCUMENT_NAME_BYTES_MAX {
            break;
        }
    }
    out.trim_end().to_owned()
}
