//! A stream that is written from events: blocks that begin, go on and end one after the other.
//!
//! The dialect has one block open at a time. Where a provider's calls interleave, the call that is open goes on until
//! it is complete, and what belongs to others waits.

mod balance;

use std::collections::{BTreeSet, VecDeque};

use gatewright::chat::Signature;
use gatewright::dialect::Envelope;
use gatewright::text::{Lane, LaneKind};
use gatewright::{EventKind, FinishReason, Usage};

use self::balance::Balance;
use super::stop::Seen;
use super::{name, seal, stop, usage};
use crate::json::quote_into;
use crate::sse;

/// So many pieces wait at most, and so many bytes; then the block that is open ends, complete or not.
const WAITING_MAX: usize = 1_024;
const WAITING_BYTES_MAX: usize = 16 << 20;

/// Writes blocks.
#[derive(Debug, Default)]
pub(super) struct Writer {
    envelope: Option<Envelope>,
    /// The beginning of the message is out.
    pub(super) has_begun: bool,
    /// The end of the message, but for the terminator, is out.
    pub(super) has_ended: bool,
    pub(super) open: Option<Open>,
    /// The index of the next block.
    pub(super) next: u64,
    /// How many blocks were written that no frame of the provider is behind.
    pub(super) own: u64,
    /// The calls that have begun.
    calls: BTreeSet<u32>,
    waiting: VecDeque<Item>,
    waiting_bytes: usize,
    seen: Seen,
    usage: Usage,
    finish: Option<FinishReason>,
    pub(super) cuts: Cuts,
}

/// Calls whose blocks had to end before their arguments did.
#[derive(Debug, Default)]
pub(super) struct Cuts {
    calls: BTreeSet<u32>,
    /// Too much waits, and so blocks end whether their time has come or not.
    is_cutting: bool,
    /// Arguments came for one of them.
    pub(super) has_lost: bool,
}

/// The block that is open.
#[derive(Debug)]
pub(super) struct Open {
    pub(super) index: u64,
    pub(super) lane: Option<Lane>,
    /// No frame of the provider is behind it.
    pub(super) is_own: bool,
    /// What its arguments have come to, if it is a call.
    balance: Balance,
    /// It is signed: what follows is another block.
    is_signed: bool,
}

/// What goes into a block.
#[derive(Debug)]
enum Item {
    Text { lane: Lane, text: String },
    Call { lane: Lane, id: String, name: String, arguments: String, is_ended: bool },
    End { lane: Lane },
    Signature { data: String },
    Sealed { data: String },
}

impl Item {
    /// The item that an event is; none if it goes into no block.
    fn of(event: &EventKind, seen: &mut Seen) -> Option<Self> {
        let first = |lane: &Lane| lane.choice == 0;
        Some(match event {
            EventKind::TextDelta { lane, text } if first(lane) && !text.is_empty() => {
                seen.refusal |= lane.kind == LaneKind::Refusal;
                Self::Text { lane: block_lane(*lane), text: text.as_str().to_owned() }
            }
            EventKind::ToolCallStart { lane, id, name } if first(lane) => Self::Call {
                lane: *lane,
                id: id.clone(),
                name: name.clone(),
                arguments: String::new(),
                is_ended: false,
            },
            EventKind::LaneEnd { lane } if first(lane) => Self::End { lane: block_lane(*lane) },
            EventKind::Signature { lane, signature } if first(lane) => Self::seal(*lane, signature)?,
            EventKind::SealedReasoning { choice: 0, signature } => {
                Self::Sealed { data: seal::write(signature, false).into_owned() }
            }
            _ => return None,
        })
    }

    fn seal(lane: Lane, signature: &Signature<'_>) -> Option<Self> {
        match lane.kind {
            LaneKind::Reasoning => Some(Self::Signature { data: seal::write(signature, false).into_owned() }),
            LaneKind::ToolArguments { .. } => {
                Some(Self::Sealed { data: seal::write(signature, true).into_owned() })
            }
            LaneKind::Content | LaneKind::Refusal => None,
        }
    }

    /// The lane of the block that it goes into.
    fn lane(&self) -> Option<Lane> {
        match self {
            Self::Text { lane, .. } | Self::Call { lane, .. } | Self::End { lane } => Some(*lane),
            Self::Signature { .. } => Some(Lane::reasoning(0)),
            Self::Sealed { .. } => None,
        }
    }

    fn bytes(&self) -> usize {
        match self {
            Self::Text { text, .. } => text.len(),
            Self::Call { id, name, arguments, .. } => id.len() + name.len() + arguments.len(),
            Self::End { .. } => 0,
            Self::Signature { data } | Self::Sealed { data } => data.len(),
        }
    }
}

/// The dialect has no text of its own for refusals.
fn block_lane(lane: Lane) -> Lane {
    if lane.kind == LaneKind::Refusal { Lane::content(lane.choice) } else { lane }
}

impl Open {
    /// The block of a frame of the provider.
    pub(super) fn of_frame(index: u64, lane: Option<Lane>) -> Self {
        Self { index, lane, is_own: false, balance: Balance::default(), is_signed: false }
    }

    /// Whether it may end: anything but a call of which more is to come.
    fn may_end(&self) -> bool {
        !self.is_call() || self.balance.is_complete()
    }

    fn is_call(&self) -> bool {
        self.lane.is_some_and(|lane| matches!(lane.kind, LaneKind::ToolArguments { .. }))
    }
}

impl Writer {
    pub(super) fn new(envelope: Option<Envelope>) -> Self {
        Self { envelope, ..Self::default() }
    }

    /// Writes what an event says, now or when its turn comes.
    pub(super) fn event(&mut self, event: &EventKind, model: Option<&str>, out: &mut Vec<u8>) {
        match event {
            EventKind::Start => self.begin(model, out),
            EventKind::Usage(usage) => self.usage = *usage,
            EventKind::Finish { choice: 0, reason } => self.finish = Some(reason.clone()),
            _ => {
                let mut seen = self.seen;
                let item = Item::of(event, &mut seen);
                self.seen = seen;
                if let Some(item) = item {
                    self.begin(model, out);
                    self.put(item, out);
                }
            }
        }
    }

    /// Writes the beginning of the message, once.
    pub(super) fn begin(&mut self, model: Option<&str>, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.has_begun, true) {
            return;
        }
        let mut data = br#"{"type":"message_start","message":{"id":"#.to_vec();
        quote_into(&mut data, &id(self.envelope.as_ref()));
        data.extend_from_slice(br#","type":"message","role":"assistant","model":"#);
        let own = self.envelope.as_ref().map(|envelope| envelope.model.as_str());
        quote_into(&mut data, model.or(own).unwrap_or_default());
        data.extend_from_slice(br#","content":[],"stop_reason":null,"stop_sequence":null,"usage":"#);
        usage::write(&self.usage, &mut data);
        data.extend_from_slice(b"}}");
        sse::write_event(out, "message_start", &data);
    }

    /// Writes everything that is left, and the end of the message but for the terminator.
    pub(super) fn end(&mut self, model: Option<&str>, out: &mut Vec<u8>) {
        self.begin(model, out);
        self.flush(out);
        if std::mem::replace(&mut self.has_ended, true) {
            return;
        }
        let (reason, string) = stop::word(self.finish.as_ref(), self.seen);
        let mut data = br#"{"type":"message_delta","delta":{"stop_reason":"#.to_vec();
        quote_into(&mut data, reason);
        data.extend_from_slice(br#","stop_sequence":"#);
        match string {
            Some(string) => quote_into(&mut data, &string),
            None => data.extend_from_slice(b"null"),
        }
        data.extend_from_slice(br#"},"usage":"#);
        usage::write_last(&self.usage, &mut data);
        data.push(b'}');
        sse::write_event(out, "message_delta", &data);
    }

    /// Keeps an event for the time when the block that is open has ended.
    pub(super) fn keep(&mut self, event: &EventKind) {
        if let Some(item) = Item::of(event, &mut self.seen) {
            self.wait(item);
        }
    }

    /// Writes all that waits, complete or not, and ends the block that is open.
    pub(super) fn flush(&mut self, out: &mut Vec<u8>) {
        loop {
            self.close(out);
            let Some(item) = self.take() else { return };
            self.apply(item, out);
        }
    }

    /// Ends the block that is open.
    pub(super) fn close(&mut self, out: &mut Vec<u8>) {
        if let Some(open) = self.open.take() {
            if let Some(LaneKind::ToolArguments { index }) = open.lane.map(|lane| lane.kind)
                && self.cuts.is_cutting
                && !open.may_end()
            {
                self.cuts.calls.insert(index);
            }
            let data = format!(r#"{{"type":"content_block_stop","index":{}}}"#, open.index);
            sse::write_event(out, "content_block_stop", data.as_bytes());
        }
    }

    fn put(&mut self, item: Item, out: &mut Vec<u8>) {
        let is_of_open =
            self.open.as_ref().is_some_and(|open| item.lane().is_some() && open.lane == item.lane());
        let must_wait = self.open.as_ref().is_some_and(|open| !open.may_end()) && !is_of_open;
        if must_wait || (!self.waiting.is_empty() && !is_of_open) {
            self.wait(item);
        } else {
            self.apply(item, out);
        }
        if self.waiting.len() > WAITING_MAX || self.waiting_bytes > WAITING_BYTES_MAX {
            self.cuts.is_cutting = true;
            self.flush(out);
            self.cuts.is_cutting = false;
        }
        self.catch_up(out);
    }

    /// Writes what waits, as long as the block that is open may end.
    fn catch_up(&mut self, out: &mut Vec<u8>) {
        while self.open.as_ref().is_none_or(Open::may_end) {
            let Some(item) = self.take() else { return };
            self.apply(item, out);
        }
    }

    fn take(&mut self) -> Option<Item> {
        let item = self.waiting.pop_front()?;
        self.waiting_bytes = self.waiting_bytes.saturating_sub(item.bytes());
        Some(item)
    }

    /// Puts an item behind the others, or joins it to the one that it belongs to.
    fn wait(&mut self, item: Item) {
        self.waiting_bytes = self.waiting_bytes.saturating_add(item.bytes());
        let lane = item.lane();
        let call =
            self.waiting.iter_mut().find(|other| matches!(other, Item::Call { .. }) && other.lane() == lane);
        match (call, item) {
            (Some(Item::Call { arguments, .. }), Item::Text { text, .. }) => arguments.push_str(&text),
            (Some(Item::Call { is_ended, .. }), Item::End { .. }) => *is_ended = true,
            (Some(Item::Call { .. }), Item::Call { .. }) => {}
            (_, item) => match (self.waiting.back_mut(), item) {
                (Some(Item::Text { lane: last, text }), Item::Text { lane, text: more }) if *last == lane => {
                    text.push_str(&more);
                }
                (_, item) => self.waiting.push_back(item),
            },
        }
    }

    fn apply(&mut self, item: Item, out: &mut Vec<u8>) {
        match item {
            Item::Text { lane, text } => self.text(lane, &text, out),
            Item::Call { lane, id, name, arguments, is_ended } => {
                self.call(lane, &id, &name, out);
                if !arguments.is_empty() {
                    self.text(lane, &arguments, out);
                }
                if is_ended && self.is_open(lane) {
                    self.close(out);
                }
            }
            Item::End { lane } if self.is_open(lane) => self.close(out),
            Item::End { .. } => {}
            Item::Signature { data } => self.signature(&data, out),
            Item::Sealed { data } => {
                let mut block = br#"{"type":"redacted_thinking","data":"#.to_vec();
                quote_into(&mut block, &data);
                block.push(b'}');
                self.open(None, &block, out);
                self.close(out);
            }
        }
    }

    fn is_open(&self, lane: Lane) -> bool {
        self.open.as_ref().is_some_and(|open| open.lane == Some(lane))
    }

    fn text(&mut self, lane: Lane, text: &str, out: &mut Vec<u8>) {
        let goes_on = self.open.as_ref().is_some_and(|open| open.lane == Some(lane) && !open.is_signed);
        match lane.kind {
            LaneKind::Content | LaneKind::Refusal if !goes_on => {
                self.open(Some(lane), br#"{"type":"text","text":""}"#, out);
            }
            LaneKind::Reasoning if !goes_on => self.open(Some(lane), EMPTY_THINKING, out),
            // Arguments of no call, or of one that is over.
            LaneKind::ToolArguments { index } if !goes_on => {
                self.cuts.has_lost |= self.cuts.calls.contains(&index);
                return;
            }
            LaneKind::Content | LaneKind::Refusal | LaneKind::Reasoning | LaneKind::ToolArguments { .. } => {}
        }
        if let Some(open) = &mut self.open {
            open.balance.read(text);
            write_text(open.index, lane, text, out);
        }
    }

    fn call(&mut self, lane: Lane, id: &str, tool: &str, out: &mut Vec<u8>) {
        let LaneKind::ToolArguments { index } = lane.kind else { return };
        // Some providers say with every piece whose it is.
        if !self.calls.insert(index) {
            return;
        }
        self.seen.calls = true;
        let mut block = br#"{"type":"tool_use","id":"#.to_vec();
        let id = name::id_for_client(id, self.envelope.as_ref(), index);
        quote_into(&mut block, &id);
        block.extend_from_slice(br#","name":"#);
        quote_into(&mut block, tool);
        block.extend_from_slice(br#","input":{}}"#);
        self.open(Some(lane), &block, out);
    }

    fn signature(&mut self, data: &str, out: &mut Vec<u8>) {
        let lane = Lane::reasoning(0);
        if self.open.as_ref().is_none_or(|open| open.lane != Some(lane) || open.is_signed) {
            self.open(Some(lane), EMPTY_THINKING, out);
        }
        let Some(open) = &mut self.open else { return };
        open.is_signed = true;
        let head = format!(
            r#"{{"type":"content_block_delta","index":{},"delta":{{"type":"signature_delta","signature":"#,
            open.index
        );
        let mut event = head.into_bytes();
        quote_into(&mut event, data);
        event.extend_from_slice(b"}}");
        sse::write_event(out, "content_block_delta", &event);
    }

    fn open(&mut self, lane: Option<Lane>, block: &[u8], out: &mut Vec<u8>) {
        self.close(out);
        let index = self.next;
        self.next = self.next.saturating_add(1);
        self.own += 1;
        let head = format!(r#"{{"type":"content_block_start","index":{index},"content_block":"#);
        let data = [head.as_bytes(), block, b"}"].concat();
        sse::write_event(out, "content_block_start", &data);
        self.open = Some(Open { is_own: true, ..Open::of_frame(index, lane) });
    }
}

const EMPTY_THINKING: &[u8] = br#"{"type":"thinking","thinking":"","signature":""}"#;

/// Appends a piece of the text of a block.
pub(super) fn write_text(index: u64, lane: Lane, text: &str, out: &mut Vec<u8>) {
    let (kind, key) = match lane.kind {
        LaneKind::Content | LaneKind::Refusal => ("text_delta", "text"),
        LaneKind::Reasoning => ("thinking_delta", "thinking"),
        LaneKind::ToolArguments { .. } => ("input_json_delta", "partial_json"),
    };
    let head =
        format!(r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"{kind}","{key}":"#);
    let mut data = head.into_bytes();
    quote_into(&mut data, text);
    data.extend_from_slice(b"}}");
    sse::write_event(out, "content_block_delta", &data);
}

/// The id of a message.
pub(super) fn id(envelope: Option<&Envelope>) -> String {
    let id = envelope.map_or("gateway", |envelope| envelope.id.as_str());
    format!("msg_{}", id.strip_prefix("req_").unwrap_or(id))
}
