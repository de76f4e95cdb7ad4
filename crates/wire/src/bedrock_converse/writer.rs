//! A whole stream written from the events of another dialect.
//!
//! Blocks come one after the other, each with the next index. A tool call cannot be taken up again once its block is
//! closed, so whatever comes while one is open waits until it is complete, within a bound.

use gatewright::chat::Signature;
use gatewright::dialect::{Dialect, Envelope};
use gatewright::text::{Lane, LaneKind};
use gatewright::{EventKind, FinishReason, Usage};

use super::block::{self, Delta};
use super::{event, finish};

/// How many bytes may wait for the end of a tool call.
const WAITING_BYTES_MAX: usize = 8 << 20;

/// How many texts may wait for the end of a tool call.
const WAITING_MAX: usize = 1_024;

/// The stream under way.
#[derive(Debug)]
pub(super) struct Writer {
    envelope: Envelope,
    begun: bool,
    /// The index of the next block.
    next: u64,
    open: Option<Open>,
    waiting: Vec<Waiting>,
    waiting_bytes: usize,
    has_calls: bool,
    /// Some providers say it before the last of the text.
    reason: Option<FinishReason>,
    stopped: bool,
    usage: Option<Usage>,
}

/// A block that is not closed.
#[derive(Debug, Clone, Copy)]
struct Open {
    lane: Lane,
    block: u64,
}

/// What is to become a block.
#[derive(Debug)]
struct Waiting {
    lane: Lane,
    /// The id and the name of a call.
    call: Option<(String, String)>,
    text: String,
    signature: Option<String>,
    /// The text is sealed.
    is_sealed: bool,
    is_complete: bool,
}

/// More waits than there is room for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Overflow;

impl Writer {
    pub(super) fn new(envelope: Envelope) -> Self {
        Self {
            envelope,
            begun: false,
            next: 0,
            open: None,
            waiting: Vec::new(),
            waiting_bytes: 0,
            has_calls: false,
            reason: None,
            stopped: false,
            usage: None,
        }
    }

    /// Writes an event. There is one answer only, so others are left out.
    ///
    /// # Errors
    /// [`Overflow`] if a tool call stays open for too long.
    pub(super) fn write(&mut self, event: &EventKind, out: &mut Vec<u8>) -> Result<(), Overflow> {
        self.begin(out);
        match event {
            EventKind::Usage(usage) => self.usage = Some(*usage),
            _ if self.stopped => {}
            EventKind::TextDelta { lane, text } if lane.choice == 0 && !text.is_empty() => {
                return self.text(spoken(*lane), text, out);
            }
            EventKind::ToolCallStart { lane, id, name } if lane.choice == 0 => {
                return self.call(*lane, id, name, out);
            }
            EventKind::LaneEnd { lane } if lane.choice == 0 => self.lane_end(spoken(*lane), out),
            EventKind::Signature { lane, signature } if lane.choice == 0 => {
                return self.signature(*lane, signature, out);
            }
            EventKind::SealedReasoning { choice: 0, signature }
                if signature.from == Dialect::BedrockConverse =>
            {
                let sealed =
                    Waiting { is_sealed: true, is_complete: true, ..Waiting::of(Lane::reasoning(0)) };
                return self.enter(Waiting { text: signature.data.to_string(), ..sealed }, out);
            }
            EventKind::Finish { choice: 0, reason } => self.reason = Some(reason.clone()),
            _ => {}
        }
        Ok(())
    }

    /// Ends the stream.
    pub(super) fn write_end(&mut self, out: &mut Vec<u8>) {
        self.begin(out);
        let reason = self.reason.take().unwrap_or(FinishReason::Stop);
        self.finish(&reason, out);
        event::write(out, event::METADATA, &block::metadata(&self.usage.unwrap_or_default()));
    }

    fn begin(&mut self, out: &mut Vec<u8>) {
        if !std::mem::replace(&mut self.begun, true) {
            event::write(out, event::MESSAGE_START, &block::message_start());
        }
    }

    fn finish(&mut self, reason: &FinishReason, out: &mut Vec<u8>) {
        if std::mem::replace(&mut self.stopped, true) {
            return;
        }
        self.close(out);
        for waiting in std::mem::take(&mut self.waiting) {
            self.open(&waiting, out);
            self.close(out);
        }
        let word = finish::word(reason, self.has_calls);
        event::write(out, event::MESSAGE_STOP, &block::message_stop(&word));
    }

    fn text(&mut self, lane: Lane, text: &str, out: &mut Vec<u8>) -> Result<(), Overflow> {
        if self.is_open(lane) {
            self.delta(lane, text, out);
            return Ok(());
        }
        if let Some(waiting) = self.waiting.iter_mut().rev().find(|waiting| waiting.takes(lane)) {
            waiting.text.push_str(text);
            return self.wait(text.len());
        }
        // A call that never began, or is complete, has no place for more.
        if is_call(lane) {
            return Ok(());
        }
        self.enter(Waiting { text: text.to_owned(), ..Waiting::of(lane) }, out)
    }

    fn call(&mut self, lane: Lane, id: &str, name: &str, out: &mut Vec<u8>) -> Result<(), Overflow> {
        let is_known = self.is_open(lane) || self.waiting.iter().any(|waiting| waiting.lane == lane);
        if is_known || !is_call(lane) {
            return Ok(());
        }
        let id = match (id, lane.kind) {
            // A call must have one, so that its result can name it.
            ("", LaneKind::ToolArguments { index }) => format!("{}-{index}", self.envelope.id.as_str()),
            _ => id.to_owned(),
        };
        self.has_calls = true;
        self.enter(Waiting { call: Some((id, name.to_owned())), ..Waiting::of(lane) }, out)
    }

    fn signature(
        &mut self,
        lane: Lane,
        signature: &Signature<'_>,
        out: &mut Vec<u8>,
    ) -> Result<(), Overflow> {
        if signature.from != Dialect::BedrockConverse || lane.kind != LaneKind::Reasoning {
            return Ok(());
        }
        if let Some(Open { block, .. }) = self.open.filter(|open| open.lane == lane) {
            let delta = block::delta(block, Delta::Signature(&signature.data));
            event::write(out, event::BLOCK_DELTA, &delta);
            return Ok(());
        }
        if let Some(waiting) = self.waiting.iter_mut().rev().find(|waiting| waiting.takes(lane)) {
            waiting.signature = Some(signature.data.to_string());
            return self.wait(signature.data.len());
        }
        let signed = Some(signature.data.to_string());
        self.enter(Waiting { signature: signed, ..Waiting::of(lane) }, out)
    }

    fn lane_end(&mut self, lane: Lane, out: &mut Vec<u8>) {
        if self.is_open(lane) {
            self.close(out);
            self.open_waiting(out);
        } else if let Some(waiting) = self.waiting.iter_mut().rev().find(|waiting| waiting.takes(lane)) {
            waiting.is_complete = true;
        }
    }

    /// Begins a block, or lets it wait.
    fn enter(&mut self, waiting: Waiting, out: &mut Vec<u8>) -> Result<(), Overflow> {
        if self.open.is_some_and(|open| is_call(open.lane)) {
            let bytes = waiting.text.len();
            self.waiting.push(waiting);
            return self.wait(bytes);
        }
        self.close(out);
        self.open(&waiting, out);
        Ok(())
    }

    fn wait(&mut self, bytes: usize) -> Result<(), Overflow> {
        self.waiting_bytes = self.waiting_bytes.saturating_add(bytes);
        let fits = self.waiting_bytes <= WAITING_BYTES_MAX && self.waiting.len() <= WAITING_MAX;
        if fits { Ok(()) } else { Err(Overflow) }
    }

    /// Opens what waits, up to the first tool call that is not complete.
    fn open_waiting(&mut self, out: &mut Vec<u8>) {
        let mut waiting = std::mem::take(&mut self.waiting).into_iter();
        while let Some(next) = waiting.as_slice().first() {
            if self.open.is_some_and(|open| is_call(open.lane)) {
                break;
            }
            self.close(out);
            self.open(next, out);
            waiting.next();
        }
        self.waiting = waiting.collect();
        self.waiting_bytes = self.waiting.iter().map(|waiting| waiting.text.len()).sum();
    }

    /// Begins a block with all that is there of it.
    fn open(&mut self, waiting: &Waiting, out: &mut Vec<u8>) {
        let (lane, block) = (waiting.lane, self.next);
        self.next += 1;
        self.open = Some(Open { lane, block });
        if let Some((id, name)) = &waiting.call {
            event::write(out, event::BLOCK_START, &block::call_start(block, id, name));
        }
        if waiting.is_sealed {
            event::write(out, event::BLOCK_DELTA, &block::delta(block, Delta::Sealed(&waiting.text)));
        } else if !waiting.text.is_empty() {
            self.delta(lane, &waiting.text, out);
        }
        if let Some(signature) = &waiting.signature {
            event::write(out, event::BLOCK_DELTA, &block::delta(block, Delta::Signature(signature)));
        }
        if waiting.is_complete {
            self.close(out);
        }
    }

    fn delta(&self, lane: Lane, text: &str, out: &mut Vec<u8>) {
        let Some(Open { block, .. }) = self.open else { return };
        let delta = match lane.kind {
            LaneKind::Content | LaneKind::Refusal => Delta::Text(text),
            LaneKind::Reasoning => Delta::Reasoning(text),
            LaneKind::ToolArguments { .. } => Delta::Arguments(text),
        };
        event::write(out, event::BLOCK_DELTA, &block::delta(block, delta));
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if let Some(Open { block, .. }) = self.open.take() {
            event::write(out, event::BLOCK_STOP, &block::stop(block));
        }
    }

    fn is_open(&self, lane: Lane) -> bool {
        self.open.is_some_and(|open| open.lane == lane)
    }
}

impl Waiting {
    const fn of(lane: Lane) -> Self {
        Self { lane, call: None, text: String::new(), signature: None, is_sealed: false, is_complete: false }
    }

    /// Whether more of a lane belongs here.
    fn takes(&self, lane: Lane) -> bool {
        self.lane == lane && !self.is_complete
    }
}

/// The lane in whose form the dialect says a text: a refusal is what the model says.
pub(super) fn spoken(lane: Lane) -> Lane {
    if lane.kind == LaneKind::Refusal { Lane::content(lane.choice) } else { lane }
}

fn is_call(lane: Lane) -> bool {
    matches!(lane.kind, LaneKind::ToolArguments { .. })
}
