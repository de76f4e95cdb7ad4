//! Reasoning that a provider wants back and its caller cannot carry.
//!
//! A provider that reasons signs what it thought, and refuses or forgets a turn that comes back without. Where the caller
//! speaks another dialect there is no place for that, so it is kept here, under the id of the turn's first tool call,
//! for the tenant alone, and put back into the next request that shows the call. Only the provider's own dialect gets it
//! back. What a filter has edited is not kept: a changed text has no proof.

use std::borrow::Cow;
use std::time::Duration;

use gatewright::chat::{Answer, Chat, Part, PartKind, Signature, Speaker, Turn};
use gatewright::dialect::Dialect;
use gatewright::service::cache::Cache;
use gatewright::text::{Lane, LaneKind};
use gatewright::{EventKind, StreamEvent, TenantId};
use gatewright_wire::keepsake;

/// For how long a conversation may pause.
const KEEP: Duration = Duration::from_secs(6 * 60 * 60);
/// More reasoning, proofs and ids than this in one turn are not kept.
const TURN_BYTES_MAX: usize = 256 * 1024;
/// What a call or a proof counts for at least, so that short ones are bounded too.
const PLACE_BYTES_MIN: usize = 64;

/// Collects what is to be kept of one answer.
#[derive(Debug, Default)]
pub(crate) struct Keepsake {
    parts: Vec<Part<'static>>,
    /// Reasoning whose proof has not come yet.
    open: String,
    /// Ids of the calls so far, by the index of their lane.
    calls: Vec<(u32, String)>,
    bytes: usize,
    /// Something was edited, or there is too much.
    is_void: bool,
}

impl Keepsake {
    /// Learns from an event as it goes to the caller. Only the first choice is kept: no caller sends back another.
    pub(crate) fn see(&mut self, event: &StreamEvent) {
        match event.kind() {
            EventKind::TextDelta { lane, text } if *lane == Lane::reasoning(0) => {
                self.is_void |= event.is_edited();
                if self.has_room(text.len()) {
                    self.open.push_str(text);
                }
            }
            EventKind::ToolCallStart {
                lane: Lane { choice: 0, kind: LaneKind::ToolArguments { index } },
                id,
                ..
            } if self.has_place(id.len()) => self.calls.push((*index, id.clone())),
            EventKind::Signature { lane: Lane { choice: 0, kind }, signature } => self.sign(*kind, signature),
            EventKind::SealedReasoning { choice: 0, signature } if self.has_place(signature.data.len()) => {
                self.parts.push(Part::new(PartKind::SealedReasoning(signature.clone())));
            }
            _ => {}
        }
    }

    fn sign(&mut self, kind: LaneKind, signature: &Signature<'static>) {
        if !self.has_place(signature.data.len()) {
            return;
        }
        let signature = Some(signature.clone());
        match kind {
            LaneKind::Reasoning => {
                let text = Cow::Owned(std::mem::take(&mut self.open));
                self.parts.push(Part::new(PartKind::Reasoning { text, signature }));
            }
            LaneKind::ToolArguments { index } => {
                let Some((_, id)) = self.calls.iter().find(|(known, _)| *known == index) else { return };
                self.parts.push(call(id.clone(), signature));
            }
            LaneKind::Content | LaneKind::Refusal => {}
        }
    }

    /// Whether there is room for a thing of its own, a call or a proof.
    fn has_place(&mut self, bytes: usize) -> bool {
        self.has_room(bytes.max(PLACE_BYTES_MIN))
    }

    fn has_room(&mut self, bytes: usize) -> bool {
        self.bytes = self.bytes.saturating_add(bytes);
        self.is_void |= self.bytes > TURN_BYTES_MAX;
        !self.is_void
    }

    /// Learns a whole answer.
    pub(crate) fn of(answer: &Answer<'_>) -> Self {
        let mut keepsake = Self::default();
        let parts = answer.choices.first().map(|choice| choice.parts.as_slice()).unwrap_or_default();
        for part in parts {
            let (kept, bytes) = match &part.kind {
                PartKind::Reasoning { text, signature: Some(signature) } => {
                    let text: Cow<'static, str> = Cow::Owned(text.clone().into_owned());
                    let bytes = text.len() + signature.data.len();
                    (PartKind::Reasoning { text, signature: Some(signature.clone().into_owned()) }, bytes)
                }
                PartKind::SealedReasoning(signature) => {
                    (PartKind::SealedReasoning(signature.clone().into_owned()), signature.data.len())
                }
                PartKind::ToolCall { id, signature, .. } => {
                    keepsake.calls.push((0, id.clone().into_owned()));
                    let Some(signature) = signature else { continue };
                    let bytes = signature.data.len();
                    (call(id.clone().into_owned(), Some(signature.clone().into_owned())).kind, bytes)
                }
                _ => continue,
            };
            if keepsake.has_room(bytes) {
                keepsake.parts.push(Part::new(kept));
            }
        }
        keepsake
    }

    /// Keeps it for the tenant, if the provider will want it back.
    pub(crate) fn keep(self, vault: &dyn Cache, tenant: &TenantId) {
        if let Some((_, first)) = self.calls.first()
            && !(self.is_void || first.is_empty() || self.parts.is_empty())
        {
            vault.put(tenant, first, keepsake::write(&self.parts).into(), KEEP);
        }
    }
}

fn call(id: String, signature: Option<Signature<'static>>) -> Part<'static> {
    let (name, arguments) = (Cow::Borrowed(""), Cow::Borrowed(""));
    Part::new(PartKind::ToolCall { id: Cow::Owned(id), name, arguments, signature })
}

/// Puts back what was kept of the conversation's earlier turns, for a provider of the dialect `to`.
pub(crate) fn restore(chat: &mut Chat<'_>, vault: &dyn Cache, tenant: &TenantId, to: Dialect) {
    let turns = chat.turns.iter_mut().filter(|turn| turn.speaker == Speaker::Assistant);
    for turn in turns.filter(|turn| !has_proof(turn, to)) {
        let Some(id) = first_call(turn) else { continue };
        let Some(kept) = vault.get(tenant, &id) else { continue };
        let kept: Vec<_> = keepsake::read(&kept)
            .into_iter()
            .filter(|part| proof(part).is_some_and(|proof| proof.from == to))
            .collect();
        if !kept.is_empty() {
            put_back(turn, kept);
        }
    }
}

fn first_call(turn: &Turn<'_>) -> Option<String> {
    turn.parts.iter().find_map(|part| match &part.kind {
        PartKind::ToolCall { id, .. } if !id.is_empty() => Some(id.clone().into_owned()),
        _ => None,
    })
}

fn has_proof(turn: &Turn<'_>, dialect: Dialect) -> bool {
    turn.parts.iter().filter_map(proof).any(|proof| proof.from == dialect)
}

fn proof<'p>(part: &'p Part<'_>) -> Option<&'p Signature<'p>> {
    match &part.kind {
        PartKind::SealedReasoning(signature) => Some(signature),
        PartKind::Reasoning { signature, .. } | PartKind::ToolCall { signature, .. } => signature.as_ref(),
        _ => None,
    }
}

/// The kept reasoning replaces what the caller shows of it, at the head of the turn and so before its calls.
fn put_back(turn: &mut Turn<'_>, kept: Vec<Part<'static>>) {
    turn.parts.retain(|part| !matches!(part.kind, PartKind::Reasoning { .. } | PartKind::SealedReasoning(_)));
    let (calls, reasoning): (Vec<_>, Vec<_>) =
        kept.into_iter().partition(|part| matches!(part.kind, PartKind::ToolCall { .. }));
    for part in &mut turn.parts {
        let PartKind::ToolCall { id, signature, .. } = &mut part.kind else { continue };
        let kept = calls.iter().find_map(|kept| match &kept.kind {
            PartKind::ToolCall { id: known, signature, .. } if known == id => signature.clone(),
            _ => None,
        });
        if kept.is_some() {
            *signature = kept;
        }
    }
    turn.parts.splice(0..0, reasoning);
}

#[cfg(test)]
mod tests;
