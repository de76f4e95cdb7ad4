//! A client's stream: what is left of a frame after filters, whole streams from the events of another dialect, errors.
//!
//! The dialect has whole calls only, so the arguments of a call are kept until they are complete. It has no
//! terminator; where the gateway writes the stream itself, the last element says why each candidate ended and what was
//! consumed, and is written at the end.

use std::collections::{BTreeMap, BTreeSet};

use gatewright::dialect::{ErrorBody, Frame, FrameKind, StreamEncoder, StreamSettings};
use gatewright::text::{Lane, LaneKind};
use gatewright::{EventKind, FinishReason, StreamEvent, Usage};

use super::chunk::{self, End, Head};
use super::rewrite::{self, Call};
use super::{Framing, error};
use crate::json::Patches;
use crate::sse;
use crate::stream::error_body;

/// Writes one stream.
#[derive(Debug)]
pub(super) struct Encoder {
    framing: Framing,
    head: Head,
    settings: StreamSettings,
    /// Something was written of the array that the stream is.
    is_open: bool,
    /// After an error or the end nothing follows.
    is_closed: bool,
    /// Calls that are not complete.
    calls: BTreeMap<Lane, Call>,
    /// Candidates of which a call was left out because nobody can read it.
    malformed: BTreeSet<u32>,
    /// What the last element is to say.
    ends: BTreeMap<u32, FinishReason>,
    usage: Option<Usage>,
}

impl Encoder {
    pub(super) fn new(framing: Framing, settings: StreamSettings) -> Self {
        let head = settings.envelope.as_ref().map(|envelope| Head {
            id: envelope.id.as_str().into(),
            model: envelope.model.as_str().into(),
            is_known: true,
        });
        Self {
            framing,
            head: head.unwrap_or_default(),
            settings,
            is_open: false,
            is_closed: false,
            calls: BTreeMap::new(),
            malformed: BTreeSet::new(),
            ends: BTreeMap::new(),
            usage: None,
        }
    }

    /// Whether the whole stream is written here, from the events of another dialect.
    const fn is_author(&self) -> bool {
        self.settings.envelope.is_some()
    }

    fn write_event(&mut self, event: &EventKind, out: &mut Vec<u8>) {
        if self.is_closed {
            return;
        }
        match event {
            EventKind::TextDelta { lane, text } => self.write_text(*lane, text, out),
            EventKind::ToolCallStart { lane, id, name } => {
                let call = Call { id: id.clone(), name: name.clone(), ..Call::default() };
                self.calls.insert(*lane, call);
            }
            EventKind::Signature { lane, signature } => match self.calls.get_mut(lane) {
                Some(call) => call.signature = chunk::own(signature).map(str::to_owned),
                None => self.write_part(lane.choice, chunk::signature(*lane, signature).as_deref(), out),
            },
            EventKind::SealedReasoning { choice, signature } => {
                let part = chunk::signature(Lane::content(*choice), signature);
                self.write_part(*choice, part.as_deref(), out);
            }
            EventKind::LaneEnd { lane } => self.end_call(*lane, out),
            EventKind::Media { choice, media } => {
                self.write_part(*choice, chunk::media(media).as_deref(), out);
            }
            EventKind::Finish { choice, reason } => self.write_finish(*choice, reason, out),
            EventKind::Usage(usage) if self.is_author() => self.usage = Some(*usage),
            EventKind::Usage(usage) => self.write_element(b"", Some(usage), out),
            EventKind::End => self.write_end(out),
            EventKind::Error(failure) => self.write_error(&error_body(failure), out),
            EventKind::Raw { data } if !self.is_author() => self.frame_data(data, out),
            _ => {}
        }
    }

    fn write_text(&mut self, lane: Lane, text: &str, out: &mut Vec<u8>) {
        if let LaneKind::ToolArguments { .. } = lane.kind {
            // Text of a call that never began belongs to nobody.
            let Some(call) = self.calls.get_mut(&lane) else { return };
            call.arguments.push_str(text);
            if call.is_ended {
                self.end_call(lane, out);
            }
        } else if !text.is_empty() {
            self.write_part(lane.choice, Some(&chunk::text(lane, text)), out);
        }
    }

    /// Nothing more comes of a call, unless a filter still holds a part of its arguments.
    fn end_call(&mut self, lane: Lane, out: &mut Vec<u8>) {
        let Some(call) = self.calls.get_mut(&lane) else { return };
        call.is_ended = true;
        // Without any arguments it may be that all of them are held.
        if let Some(part) = call.part().filter(|_| !call.arguments.is_empty()) {
            self.calls.remove(&lane);
            self.write_part(lane.choice, Some(&part), out);
        }
    }

    /// Writes the calls of a candidate that are still there, as it ends.
    fn end_calls(&mut self, choice: u32, out: &mut Vec<u8>) {
        let (first, last) = (Lane::tool_arguments(choice, 0), Lane::tool_arguments(choice, u32::MAX));
        let lanes: Vec<Lane> = self.calls.range(first..=last).map(|(lane, _)| *lane).collect();
        for lane in lanes {
            match self.calls.remove(&lane).and_then(|call| call.part()) {
                Some(part) => self.write_part(choice, Some(&part), out),
                None => drop(self.malformed.insert(choice)),
            }
        }
    }

    fn write_finish(&mut self, choice: u32, reason: &FinishReason, out: &mut Vec<u8>) {
        self.end_calls(choice, out);
        if self.is_author() {
            self.ends.insert(choice, reason.clone());
            return;
        }
        let end = End { reason, has_malformed_call: self.malformed.contains(&choice) };
        self.write_element(&chunk::candidate(choice, b"", Some(end)), None, out);
    }

    fn write_part(&mut self, choice: u32, part: Option<&[u8]>, out: &mut Vec<u8>) {
        if let Some(part) = part {
            self.write_element(&chunk::candidate(choice, part, None), None, out);
        }
    }

    fn write_element(&mut self, candidates: &[u8], usage: Option<&Usage>, out: &mut Vec<u8>) {
        let element = self.head.element(candidates, usage, self.settings.model.as_deref());
        self.frame_data(&element, out);
    }

    /// Writes an element in the framing of the stream.
    fn frame_data(&mut self, data: &[u8], out: &mut Vec<u8>) {
        match self.framing {
            Framing::Events => sse::write_data(out, data),
            Framing::Array => {
                out.extend_from_slice(if self.is_open { b",\r\n" } else { b"[" });
                out.extend_from_slice(data);
            }
        }
        self.is_open = true;
    }

    /// Writes a frame of the provider with patches made in its data.
    fn write_frame(&mut self, frame: &Frame, patches: &Patches, out: &mut Vec<u8>) {
        match self.framing {
            Framing::Events => sse::write_frame(frame, patches, out),
            Framing::Array => {
                // Patches of one walk touch different parts of the data.
                if let Ok(data) = patches.apply(&frame.data) {
                    self.frame_data(&data, out);
                }
            }
        }
    }

    /// Writes the frame of a kind that has nothing to edit, unless its event was dropped.
    fn write_plain(&mut self, frame: &Frame, keep: bool, out: &mut Vec<u8>) {
        match (frame.kind, self.framing) {
            (FrameKind::KeepAlive, Framing::Events) => out.extend_from_slice(&frame.raw),
            (FrameKind::KeepAlive, Framing::Array) => self.write_keep_alive(out),
            (FrameKind::Error, _) if keep => {
                self.write_frame(frame, &Patches::new(), out);
                self.close(out);
            }
            (FrameKind::End | FrameKind::Error | FrameKind::Data, _) => {}
        }
    }

    fn close(&mut self, out: &mut Vec<u8>) {
        if self.framing == Framing::Array && !self.is_closed {
            out.extend_from_slice(if self.is_open { b"]" } else { b"[]" });
        }
        self.is_closed = true;
    }
}

impl StreamEncoder for Encoder {
    fn observe(&mut self, frame: &Frame) {
        if frame.kind == FrameKind::Data {
            self.head.learn(&frame.data);
        }
    }

    /// A frame may end a candidate whose calls still wait: they go out before it.
    fn alters(&mut self, _: &Frame) -> bool {
        !self.calls.is_empty()
    }

    fn pass(&mut self, frame: &Frame, out: &mut Vec<u8>) {
        if self.is_closed {
            return;
        }
        if frame.kind != FrameKind::Data {
            return self.write_plain(frame, true, out);
        }
        if !self.calls.is_empty() {
            rewrite::finished(&frame.data).into_iter().for_each(|choice| self.end_calls(choice, out));
        }
        let patches = rewrite::rename(&frame.data, self.settings.model.as_deref());
        self.write_frame(frame, &patches, out);
    }

    fn write(&mut self, frame: Option<&Frame>, events: &[StreamEvent], out: &mut Vec<u8>) {
        let Some(frame) = frame else {
            return events.iter().for_each(|event| self.write_event(event.kind(), out));
        };
        if self.is_closed {
            return;
        }
        let plan = rewrite::Plan::new(events, &mut self.calls);
        plan.before.iter().for_each(|event| self.write_event(event, out));
        if frame.kind != FrameKind::Data {
            self.write_plain(frame, plan.keeps_any(), out);
        } else {
            let rewritten = plan.rewrite(&frame.data);
            self.calls.extend(rewritten.waiting);
            let ended: Vec<Lane> =
                self.calls.iter().filter(|(_, call)| call.is_ended).map(|(lane, _)| *lane).collect();
            ended.into_iter().for_each(|lane| self.end_call(lane, out));
            rewritten.finished.iter().for_each(|choice| self.end_calls(*choice, out));
            if let Some(mut patches) = rewritten.patches {
                patches.append(&rewrite::rename(&frame.data, self.settings.model.as_deref()));
                self.write_frame(frame, &patches, out);
            }
        }
        plan.after.iter().for_each(|event| self.write_event(event, out));
    }

    fn write_error(&mut self, error: &ErrorBody<'_>, out: &mut Vec<u8>) {
        if !self.is_closed {
            self.frame_data(&error::render(error), out);
            self.close(out);
        }
    }

    fn write_end(&mut self, out: &mut Vec<u8>) {
        if self.is_closed {
            return;
        }
        let open: BTreeSet<u32> = self.calls.keys().map(|lane| lane.choice).collect();
        open.into_iter().for_each(|choice| self.end_calls(choice, out));
        let mut candidates = Vec::new();
        for (choice, reason) in std::mem::take(&mut self.ends) {
            if !candidates.is_empty() {
                candidates.push(b',');
            }
            let end = End { reason: &reason, has_malformed_call: self.malformed.contains(&choice) };
            candidates.extend(chunk::candidate(choice, b"", Some(end)));
        }
        let usage = self.usage.take();
        if !candidates.is_empty() || usage.is_some() {
            self.write_element(&candidates, usage.as_ref(), out);
        }
        self.close(out);
    }

    fn write_keep_alive(&mut self, out: &mut Vec<u8>) {
        if self.is_closed {
            return;
        }
        match self.framing {
            // The official clients take a comment for an answer that is no JSON, so nothing keeps these alive.
            Framing::Events => {}
            // Space between the elements of an array means nothing.
            Framing::Array => out.push(b'\n'),
        }
    }
}
