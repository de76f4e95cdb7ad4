//! The conversation: rounds of one speaker each, results of tools before anything else that the user says.

use gatewright::chat::{LossKind, Part, PartKind, Place, Speaker};

use super::thinking::is_own_reasoning;
use super::{Result, Writing};
use crate::anthropic_messages::name;
use crate::call::{self, Call};
use crate::json::{Kind, Value, quote_into};

/// What one speaker says until another does.
#[derive(Debug)]
pub(super) struct Round<'w> {
    pub(super) speaker: Speaker,
    pub(super) parts: Vec<&'w Part<'w>>,
}

/// The calls and results of the conversation in their order, each with the id that is written for it.
type Pairs<'w> = std::vec::IntoIter<Call<'w>>;

/// Where a round begins in the caller's request.
fn origin(round: &Round<'_>) -> Place<'static> {
    Place::Part(round.parts.first().map(|part| part.origin).unwrap_or_default())
}

impl<'w> Writing<'w, '_, '_> {
    /// The rounds. Instructions between them go elsewhere.
    pub(super) fn rounds(&mut self) -> Result<Vec<Round<'w>>> {
        let chat = self.chat;
        let mut rounds: Vec<Round<'w>> = Vec::new();
        for turn in chat.turns.iter().filter(|turn| turn.speaker != Speaker::System) {
            match rounds.last_mut().filter(|round| round.speaker == turn.speaker) {
                Some(round) => round.parts.extend(&turn.parts),
                None => rounds.push(Round { speaker: turn.speaker, parts: turn.parts.iter().collect() }),
            }
        }
        if let Some(first) = rounds.first() {
            self.check_first(first)?;
        }
        let is_begun = |round: &Round<'_>| {
            let calls = round.parts.iter().any(|part| matches!(part.kind, PartKind::ToolCall { .. }));
            round.speaker == Speaker::Assistant && !calls
        };
        if !self.abilities.continues_answers
            && let Some(begun) = rounds.pop_if(|round| is_begun(round))
        {
            self.losses.report(&origin(&begun), LossKind::Dropped)?;
        }
        Ok(rounds)
    }

    /// The API takes no conversation that the model begins.
    fn check_first(&self, round: &Round<'_>) -> Result {
        if round.speaker != Speaker::Assistant {
            return Ok(());
        }
        Err(self.losses.refuse(&origin(round), "the conversation must begin with the user's turn"))
    }

    pub(super) fn messages(&mut self, rounds: &[Round<'w>]) -> Result {
        self.out.extend_from_slice(br#","messages":["#);
        let mut has_any = false;
        let mut pairs = call::paired(self.chat, self.losses)?.into_iter();
        for (index, round) in rounds.iter().enumerate() {
            let start = self.out.len();
            if has_any {
                self.out.push(b',');
            }
            let head: &[u8] = match round.speaker {
                Speaker::Assistant => br#"{"role":"assistant","content":["#,
                Speaker::User | Speaker::System => br#"{"role":"user","content":["#,
            };
            self.out.extend_from_slice(head);
            let empty = self.out.len();
            if round.speaker == Speaker::Assistant {
                self.assistant(round, index + 1 == rounds.len(), &mut pairs)?;
            } else {
                self.user(round, &mut pairs)?;
            }
            if self.out.len() == empty {
                self.out.truncate(start);
            } else {
                if !has_any {
                    // The turns before it may have had nothing that the API takes.
                    self.check_first(round)?;
                }
                self.out.extend_from_slice(b"]}");
                has_any = true;
            }
        }
        self.out.push(b']');
        if has_any {
            return Ok(());
        }
        let first = rounds.iter().flat_map(|round| &round.parts).next();
        let place = Place::Part(first.map(|part| part.origin).unwrap_or_default());
        Err(self.losses.refuse(&place, "the conversation has no message with a content"))
    }

    fn user(&mut self, round: &Round<'w>, pairs: &mut Pairs<'w>) -> Result {
        let is_result = |part: &Part<'_>| matches!(part.kind, PartKind::ToolResult { .. });
        let mut list = List::at(self.out.len());
        for part in round.parts.iter().filter(|part| is_result(part)) {
            list.next(&mut self.out);
            self.result(part, pairs)?;
        }
        for part in round.parts.iter().filter(|part| !is_result(part)) {
            list.next(&mut self.out);
            let is_written = self.said(part)?;
            list.conclude(is_written, &mut self.out);
        }
        Ok(())
    }

    /// A part of the user's turn that is no result, or of a result's content. Whether it was written.
    fn said(&mut self, part: &Part<'_>) -> Result<bool> {
        let place = Place::Part(part.origin);
        match &part.kind {
            PartKind::Text(text) | PartKind::Refusal(text) if !text.trim().is_empty() => {
                self.text_block(text);
            }
            PartKind::Media(media) => {
                if !self.media(media, &place)? {
                    return Ok(false);
                }
            }
            PartKind::ToolCall { .. } => {
                return Err(self.losses.refuse(&place, "a tool call belongs into the assistant's turn"));
            }
            _ => {
                self.losses.report(&place, LossKind::Dropped)?;
                return Ok(false);
            }
        }
        self.mark(part.cache, &place)?;
        self.out.push(b'}');
        Ok(true)
    }

    fn result(&mut self, part: &Part<'_>, pairs: &mut Pairs<'w>) -> Result {
        let (PartKind::ToolResult { content, is_error, .. }, Some(call)) = (&part.kind, pairs.next()) else {
            return Ok(());
        };
        let place = Place::Part(part.origin);
        self.out.extend_from_slice(br#"{"type":"tool_result","tool_use_id":"#);
        quote_into(&mut self.out, &name::id(&call.id));
        self.result_content(content)?;
        if *is_error {
            self.out.extend_from_slice(br#","is_error":true"#);
        }
        self.mark(part.cache, &place)?;
        self.out.push(b'}');
        Ok(())
    }

    fn result_content(&mut self, content: &[Part<'_>]) -> Result {
        if let [Part { kind: PartKind::Text(text), cache: None, .. }] = content {
            self.out.extend_from_slice(br#","content":"#);
            quote_into(&mut self.out, text);
            return Ok(());
        }
        let start = self.out.len();
        self.out.extend_from_slice(br#","content":["#);
        let empty = self.out.len();
        let mut list = List::at(empty);
        for part in content {
            list.next(&mut self.out);
            let is_written = self.said(part)?;
            list.conclude(is_written, &mut self.out);
        }
        if self.out.len() == empty {
            self.out.truncate(start);
        } else {
            self.out.push(b']');
        }
        Ok(())
    }

    fn assistant(&mut self, round: &Round<'w>, is_last: bool, pairs: &mut Pairs<'w>) -> Result {
        let mut list = List::at(self.out.len());
        for (index, part) in round.parts.iter().enumerate() {
            let place = Place::Part(part.origin);
            list.next(&mut self.out);
            let is_final = is_last && index + 1 == round.parts.len();
            let is_written = match &part.kind {
                PartKind::Text(text) | PartKind::Refusal(text) => {
                    self.assistant_text(text, is_final, &place)?
                }
                PartKind::Reasoning { .. } | PartKind::SealedReasoning(_) => self.reasoning(part)?,
                PartKind::ToolCall { arguments, .. } => {
                    let Some(call) = pairs.next() else { continue };
                    self.call(&call, arguments, &place)?;
                    true
                }
                PartKind::ToolResult { .. } => {
                    return Err(self.losses.refuse(&place, "a tool result belongs into the user's turn"));
                }
                _ => {
                    self.losses.report(&place, LossKind::Dropped)?;
                    false
                }
            };
            if is_written {
                let is_markable =
                    !matches!(part.kind, PartKind::Reasoning { .. } | PartKind::SealedReasoning(_));
                self.mark(part.cache.filter(|_| is_markable), &place)?;
                self.out.push(b'}');
            }
            list.conclude(is_written, &mut self.out);
        }
        Ok(())
    }

    fn assistant_text(&mut self, text: &str, is_final: bool, place: &Place<'_>) -> Result<bool> {
        let trimmed = if is_final { text.trim_end() } else { text };
        if trimmed.trim().is_empty() {
            self.losses.report(place, LossKind::Dropped)?;
            return Ok(false);
        }
        if trimmed.len() != text.len() {
            self.losses.report(place, LossKind::Approximated)?;
        }
        self.text_block(trimmed);
        Ok(true)
    }

    /// Reasoning, byte by byte, if the provider knows it as its own.
    fn reasoning(&mut self, part: &Part<'_>) -> Result<bool> {
        match &part.kind {
            PartKind::Reasoning { text, signature: Some(signature) } if is_own_reasoning(part) => {
                self.out.extend_from_slice(br#"{"type":"thinking","thinking":"#);
                quote_into(&mut self.out, text);
                self.out.extend_from_slice(br#","signature":"#);
                quote_into(&mut self.out, &signature.data);
            }
            PartKind::SealedReasoning(signature) if is_own_reasoning(part) => {
                self.out.extend_from_slice(br#"{"type":"redacted_thinking","data":"#);
                quote_into(&mut self.out, &signature.data);
            }
            _ => {
                self.losses.report(&Place::Part(part.origin), LossKind::Dropped)?;
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn call(&mut self, call: &Call<'_>, arguments: &str, place: &Place<'_>) -> Result {
        let arguments = if arguments.trim().is_empty() { "{}" } else { arguments };
        let is_object = Value::parse(arguments.as_bytes()).is_ok_and(|value| value.kind() == Kind::Object);
        if !is_object {
            return Err(self.losses.refuse(place, "the arguments of a tool call must be a JSON object"));
        }
        let Some(name) = name::tool(call.name) else {
            return Err(self
                .losses
                .refuse(place, "the name of the tool is empty or too long for the model's provider"));
        };
        self.out.extend_from_slice(br#"{"type":"tool_use","id":"#);
        quote_into(&mut self.out, &name::id(&call.id));
        self.out.extend_from_slice(br#","name":"#);
        quote_into(&mut self.out, &name);
        self.out.extend_from_slice(br#","input":"#);
        self.out.extend_from_slice(arguments.as_bytes());
        Ok(())
    }
}

/// Commas between the elements of a list that is being written.
struct List {
    empty: usize,
    /// Where the element that is being written begins, its comma included.
    start: usize,
}

impl List {
    fn at(empty: usize) -> Self {
        Self { empty, start: empty }
    }

    fn next(&mut self, out: &mut Vec<u8>) {
        self.start = out.len();
        if out.len() > self.empty {
            out.push(b',');
        }
    }

    /// Takes the comma back where nothing was written behind it.
    fn conclude(&self, is_written: bool, out: &mut Vec<u8>) {
        if !is_written {
            out.truncate(self.start);
        }
    }
}
