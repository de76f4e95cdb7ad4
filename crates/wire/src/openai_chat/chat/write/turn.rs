//! The conversation as messages of the dialect.

use gatewright::Failure;
use gatewright::chat::{Chat, LossKind, Losses, Origin, Part, PartKind, Place, Speaker, Turn};

use super::{Writing, media};
use crate::alias;
use crate::call::{Call, FAILED};
use crate::json::{ListWriter, ObjectWriter, quote_into};

/// Bytes around a part in a message, roughly.
const PART_BYTES: usize = 96;

type Calls<'i, 'c> = std::slice::Iter<'i, Call<'c>>;

/// How long the request will be, roughly, so that its buffer need not move.
pub(crate) fn size(chat: &Chat<'_>) -> usize {
    let parts = chat.turns.iter().flat_map(|turn| &turn.parts).chain(&chat.system);
    let tools = chat.tools.len() * PART_BYTES;
    parts.map(part_size).fold(1_024 + tools, usize::saturating_add)
}

fn part_size(part: &Part<'_>) -> usize {
    let bytes = match &part.kind {
        PartKind::Text(text) | PartKind::Refusal(text) => text.len() + text.len() / 16,
        PartKind::Media(media) => media::size(media),
        PartKind::ToolCall { arguments, .. } => arguments.len() + arguments.len() / 4,
        PartKind::ToolResult { content, .. } => content.iter().map(part_size).sum(),
        _ => 0,
    };
    bytes + PART_BYTES
}

/// Writes the messages.
pub(super) fn messages(
    writing: &mut Writing<'_, '_, '_>,
    chat: &Chat<'_>,
    calls: &mut Calls<'_, '_>,
) -> Result<(), Failure> {
    let Writing { object, abilities, losses } = writing;
    let mut conversation = Conversation { list: object.list("messages"), losses, abilities };
    conversation.said("system", chat.system.iter())?;
    let continues = abilities.continues_answers || ends_with_calls(chat);
    let rounds = chat.turns.chunk_by(|one, two| one.speaker == two.speaker);
    let mut rounds = rounds.peekable();
    while let Some(turns) = rounds.next() {
        match turns.first().map(|turn| turn.speaker) {
            Some(Speaker::System) => {
                turns.iter().try_for_each(|turn| conversation.said("system", turn.parts.iter()))?;
            }
            Some(Speaker::User) => conversation.user(turns, calls)?,
            Some(Speaker::Assistant) if rounds.peek().is_none() && !continues => {
                let origin = turns.first().and_then(|turn| turn.parts.first()).map(|part| part.origin);
                conversation.lose(origin.unwrap_or_default(), LossKind::Dropped)?;
            }
            Some(Speaker::Assistant) => conversation.assistant(turns, calls)?,
            None => {}
        }
    }
    let is_empty = conversation.list.is_empty();
    conversation.list.close();
    said_something(is_empty, losses)
}

/// Refuses a conversation of which nothing is left: the provider would, in words about another field.
pub(crate) fn said_something(is_empty: bool, losses: &Losses<'_>) -> Result<(), Failure> {
    let why = "nothing is left of the conversation that the model's provider could be sent: add a text";
    if is_empty { Err(losses.refuse(&Place::Part(Origin::default()), why)) } else { Ok(()) }
}

/// Whether the conversation ends with calls that wait for their results, and so does not begin the answer.
pub(crate) fn ends_with_calls(chat: &Chat<'_>) -> bool {
    let last = chat.turns.last().into_iter().flat_map(|turn| &turn.parts);
    last.into_iter().any(|part| matches!(part.kind, PartKind::ToolCall { .. }))
}

struct Conversation<'o, 'w, 'l> {
    list: ListWriter<'o>,
    losses: &'w mut Losses<'l>,
    abilities: &'w gatewright::dialect::Abilities,
}

impl Conversation<'_, '_, '_> {
    fn lose(&mut self, origin: Origin, kind: LossKind) -> Result<(), Failure> {
        self.losses.report(&Place::Part(origin), kind)
    }

    /// Writes a message of texts and media; none if nothing of it is left.
    fn said<'p>(&mut self, role: &str, parts: impl Iterator<Item = &'p Part<'p>>) -> Result<(), Failure> {
        let mut kept = Vec::new();
        for part in parts {
            if self.keeps(part)? {
                kept.push(part);
            }
        }
        if kept.is_empty() {
            return Ok(());
        }
        let mut message = self.list.object();
        message.str("role", role);
        content(message.key("content"), &kept);
        message.close();
        Ok(())
    }

    /// Whether a message has a place for a part; if not, that is reported.
    fn keeps(&mut self, part: &Part<'_>) -> Result<bool, Failure> {
        let kind = match &part.kind {
            PartKind::Text(text) if text.is_empty() => Some(LossKind::Dropped),
            // Providers of the dialect remember prefixes without being told.
            PartKind::Text(_) => part.cache.map(|_| LossKind::Approximated),
            PartKind::Media(medium) => media::loss(medium, self.abilities),
            // Only an answer can hold a refusal, an earlier one too.
            PartKind::Refusal(_) => None,
            _ => Some(LossKind::Dropped),
        };
        if let Some(kind) = kind {
            self.lose(part.origin, kind)?;
        }
        Ok(kind != Some(LossKind::Dropped))
    }

    /// Writes what the application says: the results of calls first, because they must follow the calls.
    fn user(&mut self, turns: &[Turn<'_>], calls: &mut Calls<'_, '_>) -> Result<(), Failure> {
        let parts = turns.iter().flat_map(|turn| &turn.parts);
        let results = parts.filter(|part| matches!(part.kind, PartKind::ToolResult { .. }));
        let mut shown = Vec::new();
        for result in results {
            self.result(result, calls, &mut shown)?;
        }
        self.said("user", shown.into_iter())?;
        for turn in turns {
            let others = turn.parts.iter().filter(|part| !matches!(part.kind, PartKind::ToolResult { .. }));
            self.said("user", others)?;
        }
        Ok(())
    }

    /// Writes the message of a result. A result holds texts only, so that media are `shown` behind the results.
    fn result<'p>(
        &mut self,
        result: &'p Part<'p>,
        calls: &mut Calls<'_, '_>,
        shown: &mut Vec<&'p Part<'p>>,
    ) -> Result<(), Failure> {
        let PartKind::ToolResult { content: parts, is_error, .. } = &result.kind else { return Ok(()) };
        let call = calls.next();
        if *is_error || result.cache.is_some() {
            self.lose(result.origin, LossKind::Approximated)?;
        }
        let mut texts = Vec::new();
        for part in parts {
            match &part.kind {
                PartKind::Text(text) => texts.push(text.as_ref()),
                PartKind::Media(_) => {
                    self.lose(part.origin, LossKind::Approximated)?;
                    shown.push(part);
                }
                _ => self.lose(part.origin, LossKind::Dropped)?,
            }
        }
        let mut message = self.list.object();
        message.str("role", "tool");
        message.str("tool_call_id", call.map(|call| call.id.as_ref()).unwrap_or_default());
        match texts.as_slice() {
            _ if *is_error => message.str("content", &format!("{FAILED}{}", texts.join("\n"))),
            [] => message.str("content", ""),
            [text] => message.str("content", text),
            texts => {
                let mut list = message.list("content");
                texts.iter().for_each(|text| text_part(list.item(), text));
                list.close();
            }
        }
        message.close();
        Ok(())
    }

    /// Writes what the model said: one message, because calls must stand together before their results.
    fn assistant(&mut self, turns: &[Turn<'_>], calls: &mut Calls<'_, '_>) -> Result<(), Failure> {
        let mut said = Vec::new();
        let mut called = Vec::new();
        for part in turns.iter().flat_map(|turn| &turn.parts) {
            match &part.kind {
                PartKind::ToolCall { .. } => called.push(part),
                // An answer cannot hold a medium.
                PartKind::Media(_) => self.lose(part.origin, LossKind::Dropped)?,
                _ if self.keeps(part)? => said.push(part),
                _ => {}
            }
        }
        if said.is_empty() && called.is_empty() {
            return Ok(());
        }
        let mut message = self.list.object();
        message.str("role", "assistant");
        match said.as_slice() {
            [] => message.raw("content", "null"),
            said => content(message.key("content"), said),
        }
        if !called.is_empty() {
            let mut list = message.list("tool_calls");
            for part in called {
                if let PartKind::ToolCall { name, arguments, .. } = &part.kind {
                    let id = calls.next().map(|call| call.id.as_ref()).unwrap_or_default();
                    call(list.object(), id, &alias::name_or_own(name), arguments);
                }
            }
            list.close();
        }
        message.close();
        Ok(())
    }
}

/// Writes a call.
pub(in crate::openai_chat::chat) fn call(mut call: ObjectWriter<'_>, id: &str, name: &str, arguments: &str) {
    call.str("id", id);
    call.str("type", "function");
    let mut function = call.object("function");
    function.str("name", name);
    function.str("arguments", if arguments.is_empty() { "{}" } else { arguments });
    function.close();
    call.close();
}

/// Writes the content of a message: one text as it is, anything else as parts.
fn content(out: &mut Vec<u8>, parts: &[&Part<'_>]) {
    if let [part] = parts
        && let Some(text) = part.as_text()
    {
        return quote_into(out, text);
    }
    let mut list = ListWriter::open(out);
    for part in parts {
        match &part.kind {
            PartKind::Text(text) => text_part(list.item(), text),
            PartKind::Refusal(text) => {
                let mut part = list.object();
                part.str("type", "refusal");
                part.str("refusal", text);
                part.close();
            }
            PartKind::Media(media) => media::write(media, list.item()),
            _ => {}
        }
    }
    list.close();
}

fn text_part(out: &mut Vec<u8>, text: &str) {
    out.extend_from_slice(br#"{"type":"text","text":"#);
    quote_into(out, text);
    out.push(b'}');
}
