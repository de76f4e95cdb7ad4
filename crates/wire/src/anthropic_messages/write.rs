//! A chat as a request of the dialect.
//!
//! Decisions that the dialect leaves open. Instructions in the middle of a conversation go behind those that lead
//! it, because an instruction that an end user's turn could imitate is none. A budget of reasoning gives way to the
//! caller's cap, because the cap is what is paid for. A form of the answer that the provider cannot hold the model to
//! comes about by a tool that it must call.

mod form;
mod media;
mod message;
mod setting;
mod thinking;
mod tool;

use bytes::Bytes;
use gatewright::Failure;
use gatewright::chat::{CacheMark, Chat, LossKind, Losses, Param, Part, PartKind, Place, Speaker};
use gatewright::dialect::Abilities;

use self::form::Form;
use crate::json::quote_into;

/// The cap on output tokens where neither the caller nor anybody else knows one: what the smallest models make.
pub(super) const OUTPUT_TOKENS_DEFAULT: u64 = 4_096;

/// A request may mark so many places up to which the provider is to remember it.
const CACHE_MARKS_MAX: usize = 4;

/// What asks for JSON where there is no schema to hold the model to.
const JSON_INSTRUCTION: &str = "Answer with one JSON object and nothing else.";

type Result<T = ()> = std::result::Result<T, Failure>;

/// A request that is being written.
struct Writing<'w, 'c, 'd> {
    out: Vec<u8>,
    chat: &'w Chat<'c>,
    abilities: &'w Abilities,
    losses: &'w mut Losses<'d>,
    /// So many marks are left out, the first ones: a later one remembers more.
    marks_excess: usize,
}

/// Writes a request.
///
/// # Errors
/// A failure of the client's side for what every provider of the dialect refuses, and for a reported loss in strict
/// mode.
pub(super) fn request(chat: &Chat<'_>, abilities: &Abilities, losses: &mut Losses<'_>) -> Result<Bytes> {
    let texts = chat.turns.iter().flat_map(|turn| &turn.parts).chain(&chat.system);
    let capacity = 1_024 + texts.map(|part| 96 + part.as_text().map_or(256, str::len)).sum::<usize>();
    let mut writing = Writing {
        out: Vec::with_capacity(capacity),
        chat,
        abilities,
        losses,
        marks_excess: marks(chat).saturating_sub(CACHE_MARKS_MAX),
    };
    writing.request()?;
    Ok(writing.out.into())
}

fn marks(chat: &Chat<'_>) -> usize {
    let tools = chat.tools.iter().filter(|tool| tool.cache.is_some()).count();
    let parts = chat.system.iter().chain(chat.turns.iter().flat_map(|turn| &turn.parts));
    let inside = |part: &Part<'_>| match &part.kind {
        PartKind::ToolResult { content, .. } => content.iter().filter(|part| part.cache.is_some()).count(),
        _ => 0,
    };
    tools + parts.map(|part| usize::from(part.cache.is_some()) + inside(part)).sum::<usize>()
}

impl<'c> Writing<'_, 'c, '_> {
    fn request(&mut self) -> Result {
        let chat = self.chat;
        for pointer in &chat.unknown {
            self.losses.report(&Place::Pointer(pointer.as_ref().into()), LossKind::Dropped)?;
        }
        let form = self.form()?;
        let rounds = self.rounds()?;
        let choice = self.tool_choice(form)?;
        let thinking = self.thinking(&choice, &rounds)?;
        self.out.extend_from_slice(br#"{"model":"#);
        quote_into(&mut self.out, &chat.model);
        self.number("max_tokens", thinking.cap);
        // What a provider remembers of a prompt begins with the tools, then the instructions.
        self.tools(&choice, form)?;
        self.system(form)?;
        self.messages(&rounds)?;
        self.write_tool_choice(&choice)?;
        self.write_thinking(&thinking, form)?;
        self.sampling(&thinking)?;
        self.stop()?;
        self.settings()?;
        if chat.choices > 1 {
            self.drop(Param::Choices)?;
        }
        if chat.streams {
            self.out.extend_from_slice(br#","stream":true"#);
        }
        self.out.push(b'}');
        Ok(())
    }

    fn system(&mut self, form: Form<'_>) -> Result {
        let chat = self.chat;
        let later = chat.turns.iter().filter(|turn| turn.speaker == Speaker::System);
        let mut is_open = false;
        for (part, is_late) in chat
            .system
            .iter()
            .map(|part| (part, false))
            .chain(later.flat_map(|turn| &turn.parts).map(|part| (part, true)))
        {
            let place = Place::Part(part.origin);
            let (PartKind::Text(text) | PartKind::Refusal(text)) = &part.kind else {
                self.losses.report(&place, LossKind::Dropped)?;
                continue;
            };
            // The API refuses blocks of white space alone.
            if text.trim().is_empty() {
                self.losses.report(&place, LossKind::Dropped)?;
                continue;
            }
            if is_late {
                self.losses.report(&place, LossKind::Approximated)?;
            }
            self.begin_system(&mut is_open);
            self.text_block(text);
            self.mark(part.cache, &place)?;
            self.out.push(b'}');
        }
        if form == Form::Instruction {
            self.begin_system(&mut is_open);
            self.text_block(JSON_INSTRUCTION);
            self.out.push(b'}');
        }
        if is_open {
            self.out.push(b']');
        }
        Ok(())
    }

    fn begin_system(&mut self, is_open: &mut bool) {
        let before = if std::mem::replace(is_open, true) { &b","[..] } else { br#","system":["# };
        self.out.extend_from_slice(before);
    }

    /// A block of text, but for its end.
    fn text_block(&mut self, text: &str) {
        self.out.extend_from_slice(br#"{"type":"text","text":"#);
        quote_into(&mut self.out, text);
    }

    /// The mark of a block, if there is one and it is not one too many.
    fn mark(&mut self, mark: Option<CacheMark>, place: &Place<'_>) -> Result {
        let Some(mark) = mark else { return Ok(()) };
        if self.marks_excess > 0 {
            self.marks_excess -= 1;
            return self.losses.report(place, LossKind::Dropped);
        }
        self.out.extend_from_slice(match mark {
            CacheMark::Short => br#","cache_control":{"type":"ephemeral"}"#.as_slice(),
            CacheMark::Hour => br#","cache_control":{"type":"ephemeral","ttl":"1h"}"#,
        });
        Ok(())
    }

    fn number(&mut self, key: &str, number: u64) {
        self.out.extend_from_slice(format!(r#","{key}":{number}"#).as_bytes());
    }

    /// A member with the source text of its value.
    fn member(&mut self, key: &str, json: &str) {
        self.out.push(b',');
        quote_into(&mut self.out, key);
        self.out.push(b':');
        self.out.extend_from_slice(json.as_bytes());
    }

    fn drop(&mut self, param: Param) -> Result {
        self.losses.report(&Place::Param(param), LossKind::Dropped)
    }

    fn approximate(&mut self, param: Param) -> Result {
        self.losses.report(&Place::Param(param), LossKind::Approximated)
    }
}
