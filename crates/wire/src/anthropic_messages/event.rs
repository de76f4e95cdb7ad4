//! One event of a stream: what it is, and the pieces of it that are events to the gateway.
//!
//! One reading serves the glance at a frame, its typed events and its rewriting, so that all three agree.

use gatewright::text::Lane;
use smallvec::{SmallVec, smallvec};

use super::name;
use crate::json::{JsonError, JsonStr, Kind, Reader, Reason, Value};
use crate::stream::PARTS_MAX;

/// What an event is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum EventType {
    MessageStart,
    BlockStart,
    BlockDelta,
    BlockStop,
    MessageDelta,
    MessageStop,
    Ping,
    Error,
    /// One that is not known; it passes.
    Other,
}

/// An event, read once over.
#[derive(Debug, Clone, Copy)]
pub(super) struct Event<'a> {
    pub(super) kind: EventType,
    /// Which block it is about.
    pub(super) index: Option<Value<'a>>,
    /// The message, the block, the delta.
    pub(super) body: Option<Value<'a>>,
    pub(super) usage: Option<Value<'a>>,
}

/// A part of an event that is an event to the gateway, or that a writer must know.
#[derive(Debug, Clone, Copy)]
pub(super) enum Piece<'a> {
    Start,
    Text { lane: Lane, text: JsonStr<'a> },
    Call { lane: Lane, id: Option<JsonStr<'a>>, name: Option<JsonStr<'a>> },
    Signature { text: JsonStr<'a> },
    Sealed { text: JsonStr<'a> },
    End { lane: Lane },
    Finish { reason: JsonStr<'a>, string: Option<JsonStr<'a>> },
    Usage,
    Raw,
}

/// The pieces of an event, in order.
pub(super) type Pieces<'a> = SmallVec<[Piece<'a>; 3]>;

/// What a block of an answer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Block {
    Text,
    Thinking,
    /// A call of a tool that the application runs, by its number among them.
    Call(u32),
    /// Anything that has no text for filters.
    Other,
}

/// The blocks of an answer by their index, as far as they have begun.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    list: Vec<(u64, Block)>,
    calls: u32,
    /// The model gives its answer in a form that we have asked for by a tool.
    has_form: bool,
    is_full: bool,
}

impl Block {
    pub(super) fn lane(self) -> Option<Lane> {
        match self {
            Self::Text => Some(Lane::content(0)),
            Self::Thinking => Some(Lane::reasoning(0)),
            Self::Call(index) => Some(Lane::tool_arguments(0, index)),
            Self::Other => None,
        }
    }
}

impl Blocks {
    /// Notes the block that an event begins, if it does.
    pub(super) fn note(&mut self, event: &Event<'_>) {
        let (EventType::BlockStart, Some(body)) = (event.kind, &event.body) else { return };
        let [kind, tool] = body.pick(["type", "name"]).map(|value| value.and_then(|value| value.json_str()));
        let is = |word| kind.is_some_and(|kind| kind.is(word));
        let is_form = is("tool_use") && tool.is_some_and(|tool| tool.is(name::FORM));
        self.has_form |= is_form;
        let block = if is("text") || is_form {
            Block::Text
        } else if is("thinking") {
            Block::Thinking
        } else if is("tool_use") {
            self.calls = self.calls.saturating_add(1);
            Block::Call(self.calls - 1)
        } else {
            Block::Other
        };
        self.is_full |= self.list.len() >= PARTS_MAX;
        if !self.is_full {
            self.list.push((event.index(), block));
        }
    }

    /// Whether more blocks have begun than an answer can have, so that some are not known.
    pub(super) const fn is_full(&self) -> bool {
        self.is_full
    }

    /// Whether the only call was our way to ask for a form, which is nobody else's business.
    pub(super) const fn has_form_only(&self) -> bool {
        self.has_form && self.calls == 0
    }

    /// What the block of an event is. Blocks come one after the other, so that it is mostly the last.
    pub(super) fn of(&self, event: &Event<'_>) -> Block {
        let index = event.index();
        self.list.iter().rev().find(|(known, _)| *known == index).map_or(Block::Other, |(_, block)| *block)
    }
}

impl<'a> Event<'a> {
    /// Reads an event.
    ///
    /// # Errors
    /// The first byte at which `data` is not a JSON object.
    pub(super) fn read(data: &'a [u8]) -> Result<Self, JsonError> {
        let mut event = Self { kind: EventType::Other, index: None, body: None, usage: None };
        let mut reader = Reader::new(data);
        let is_object = reader.object(|reader, key| {
            match key.bytes().as_ref() {
                b"type" => event.kind = reader.string()?.map_or(EventType::Other, |name| kind(&name)),
                b"index" => event.index = Some(reader.value()?),
                b"message" | b"content_block" | b"delta" => event.body = Some(reader.value()?),
                b"usage" => event.usage = Some(reader.value()?),
                _ => {}
            }
            Ok::<_, JsonError>(())
        })?;
        reader.end()?;
        if !is_object {
            return Err(JsonError { offset: 0, reason: Reason::ExpectedObject });
        }
        Ok(event)
    }

    /// The index of the block that it is about; 0 where it says none.
    fn index(&self) -> u64 {
        self.index.and_then(|index| index.as_u64()).unwrap_or(0)
    }

    /// The object with the usage figures.
    pub(super) fn usage(&self) -> Option<Value<'a>> {
        let usage = match self.kind {
            EventType::MessageStart => self.body?.get("usage"),
            EventType::MessageDelta => self.usage,
            _ => None,
        };
        usage.filter(|usage| usage.kind() == Kind::Object)
    }

    /// Its pieces. `blocks` has noted the event itself.
    pub(super) fn pieces(&self, blocks: &Blocks) -> Pieces<'a> {
        match self.kind {
            EventType::MessageStart => self.with_usage(smallvec![Piece::Start]),
            EventType::BlockStart => self.block(blocks.of(self)),
            EventType::BlockDelta => self.delta(blocks.of(self)),
            EventType::BlockStop => match blocks.of(self) {
                Block::Thinking => smallvec![Piece::End { lane: Lane::reasoning(0) }],
                Block::Call(index) => smallvec![Piece::End { lane: Lane::tool_arguments(0, index) }],
                // Another block of text may go on where this one ends.
                Block::Text | Block::Other => Pieces::new(),
            },
            EventType::MessageDelta => self.end(),
            EventType::Other => smallvec![Piece::Raw],
            EventType::MessageStop | EventType::Ping | EventType::Error => Pieces::new(),
        }
    }

    fn with_usage(&self, mut pieces: Pieces<'a>) -> Pieces<'a> {
        if self.usage().is_some() {
            pieces.push(Piece::Usage);
        }
        pieces
    }

    fn block(&self, block: Block) -> Pieces<'a> {
        let Some(body) = self.body else { return smallvec![Piece::Raw] };
        let keys = ["type", "text", "thinking", "signature", "data", "id", "name"];
        let [kind, text, thinking, signature, data, id, name] =
            body.pick(keys).map(|value| value.and_then(|value| value.json_str()));
        let full = |text: Option<JsonStr<'a>>| text.filter(|text| !text.escaped().is_empty());
        let mut pieces = Pieces::new();
        match block {
            Block::Text | Block::Thinking => {
                let lane = block.lane().unwrap_or(Lane::content(0));
                let text = if block == Block::Text { text } else { thinking };
                let input = body.get("input").filter(Value::has_children);
                let text = full(text).or(input.map(|input| input.source_str()));
                pieces.extend(text.map(|text| Piece::Text { lane, text }));
                pieces.extend(full(signature).map(|text| Piece::Signature { text }));
            }
            Block::Call(index) => {
                let lane = Lane::tool_arguments(0, index);
                pieces.push(Piece::Call { lane, id, name });
                // Mostly empty here, and told in pieces; some say it at once.
                let input = body.get("input").filter(Value::has_children);
                pieces.extend(input.map(|input| Piece::Text { lane, text: input.source_str() }));
            }
            Block::Other => match (kind.is_some_and(|kind| kind.is("redacted_thinking")), data) {
                (true, Some(text)) => pieces.push(Piece::Sealed { text }),
                _ => pieces.push(Piece::Raw),
            },
        }
        pieces
    }

    fn delta(&self, block: Block) -> Pieces<'a> {
        let Some(body) = self.body else { return smallvec![Piece::Raw] };
        let mut found = None;
        let mut is_known = false;
        // The text mostly stands behind the type, and there is nothing else.
        for member in body.members() {
            let lane = match member.key.bytes().as_ref() {
                b"text" => Some(Lane::content(0)),
                b"thinking" => Some(Lane::reasoning(0)),
                b"partial_json" => block.lane(),
                b"signature" => {
                    found = member.value.json_str().map(|text| Piece::Signature { text });
                    is_known = true;
                    continue;
                }
                _ => continue,
            };
            if let (Some(lane), Some(text)) = (lane, member.value.json_str()) {
                found = Some(Piece::Text { lane, text });
                is_known = true;
            }
        }
        // An empty text is no event.
        let is_empty = |piece: &Piece<'_>| match piece {
            Piece::Text { text, .. } | Piece::Signature { text } => text.escaped().is_empty(),
            _ => false,
        };
        match found.filter(|piece| !is_empty(piece)) {
            Some(piece) => smallvec![piece],
            None if is_known => Pieces::new(),
            None => smallvec![Piece::Raw],
        }
    }

    fn end(&self) -> Pieces<'a> {
        let mut pieces = Pieces::new();
        if let Some(body) = self.body {
            let [reason, string] = body
                .pick(["stop_reason", "stop_sequence"])
                .map(|value| value.and_then(|value| value.json_str()));
            pieces.extend(reason.map(|reason| Piece::Finish { reason, string }));
        }
        self.with_usage(pieces)
    }
}

fn kind(name: &JsonStr<'_>) -> EventType {
    match name.bytes().as_ref() {
        b"content_block_delta" => EventType::BlockDelta,
        b"content_block_start" => EventType::BlockStart,
        b"content_block_stop" => EventType::BlockStop,
        b"message_start" => EventType::MessageStart,
        b"message_delta" => EventType::MessageDelta,
        b"message_stop" => EventType::MessageStop,
        b"ping" => EventType::Ping,
        b"error" => EventType::Error,
        _ => EventType::Other,
    }
}
