//! A conversation, written as messages by dialects that have one for each turn and one for each result of a tool.
//!
//! What is the same in all of them is here: instructions lead, results stand behind their calls, empty texts and
//! signed reasoning of others are left out and reported, and a conversation that no provider takes is refused.

use std::collections::HashMap;

use gatewright::Failure;
use gatewright::chat::{Chat, LossKind, Losses, Media, Param, Part, PartKind, Place, Speaker};
use gatewright::dialect::Abilities;

use crate::call::{Call, FAILED, paired};

/// A dialect that takes the messages down.
pub(crate) trait Scribe {
    /// Whether instructions have a place behind the first message. Where not, they are said by the user.
    const HAS_LATER_INSTRUCTIONS: bool;
    /// Whether results are told apart by the order of their calls.
    const PAIRS_BY_ORDER: bool;

    /// What is lost of a medium that the user sends.
    fn loss(&self, media: &Media<'_>) -> Option<LossKind>;
    /// Instructions: texts.
    fn instruct(&mut self, texts: &[&Part<'_>]);
    /// What the user says: texts and media, at least one.
    fn ask(&mut self, parts: &[&Part<'_>]);
    /// What a tool answered to a call.
    fn answer(&mut self, call: &Call<'_>, text: &str);
    /// What the model said, texts and reasoning without a signature, and the calls that it made.
    ///
    /// # Errors
    /// For calls that the dialect cannot write.
    fn say(
        &mut self,
        said: &[&Part<'_>],
        calls: &[(Call<'_>, &Part<'_>)],
        losses: &Losses<'_>,
    ) -> Result<(), Failure>;
}

/// Writes the conversation.
///
/// # Errors
/// A failure of the client's side for a conversation without a message of the user, for calls without results and the
/// reverse, and for a reported loss in strict mode.
pub(crate) fn write(
    chat: &Chat<'_>,
    abilities: &Abilities,
    losses: &mut Losses<'_>,
    scribe: &mut impl Scribe,
) -> Result<(), Failure> {
    let calls = paired(chat, losses)?.into_iter();
    let mut writing = Writing { losses, scribe, calls, asked: HashMap::new(), has_messages: false };
    let leading = writing.kept(chat.system.iter().collect(), Who::System)?;
    if !leading.is_empty() {
        writing.scribe.instruct(&leading);
    }
    let rounds: Vec<_> = chat.rounds().collect();
    for (place, (speaker, parts)) in rounds.iter().enumerate() {
        let is_last = place + 1 == rounds.len();
        match speaker {
            Speaker::System => writing.instructions(parts)?,
            Speaker::User => writing.user(parts)?,
            Speaker::Assistant if is_last && !abilities.continues_answers && !has_calls(parts) => {
                parts.iter().try_for_each(|part| writing.lose(part, LossKind::Dropped))?;
            }
            Speaker::Assistant => writing.assistant(parts)?,
        }
    }
    if writing.has_messages {
        return Ok(());
    }
    let why = "the conversation has nothing but instructions: send at least one message of the user";
    Err(writing.losses.refuse(&Place::Param(Param::System), why))
}

fn has_calls(parts: &[&Part<'_>]) -> bool {
    parts.iter().any(|part| matches!(part.kind, PartKind::ToolCall { .. }))
}

/// Whose words a part is among.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Who {
    System,
    User,
    Assistant,
}

struct Writing<'c, 'w, 'l, S> {
    losses: &'w mut Losses<'l>,
    scribe: &'w mut S,
    /// The call of each tool call and each result, in the order of the conversation.
    calls: std::vec::IntoIter<Call<'c>>,
    /// The places of the calls of the turn before.
    asked: HashMap<String, usize>,
    /// Somebody has spoken beside the instructions.
    has_messages: bool,
}

impl<S: Scribe> Writing<'_, '_, '_, S> {
    fn lose(&mut self, part: &Part<'_>, kind: LossKind) -> Result<(), Failure> {
        self.losses.report(&Place::Part(part.origin), kind)
    }

    /// The parts that have a place; what becomes of the others is reported.
    fn kept<'p>(&mut self, parts: Vec<&'p Part<'p>>, who: Who) -> Result<Vec<&'p Part<'p>>, Failure> {
        let mut kept = Vec::with_capacity(parts.len());
        for part in parts {
            let loss = match &part.kind {
                PartKind::Text(text) | PartKind::Refusal(text) if text.is_empty() => Some(LossKind::Dropped),
                // Providers remember prefixes without being told.
                PartKind::Text(_) => part.cache.map(|_| LossKind::Approximated),
                PartKind::Refusal(_) if who == Who::Assistant => None,
                PartKind::Media(media) if who == Who::User => self.scribe.loss(media),
                // Nobody's in particular, and so the provider's own words as well as any.
                PartKind::Reasoning { text, signature: None } if who == Who::Assistant => {
                    text.is_empty().then_some(LossKind::Dropped)
                }
                _ => Some(LossKind::Dropped),
            };
            if let Some(kind) = loss {
                self.lose(part, kind)?;
            }
            if loss != Some(LossKind::Dropped) {
                kept.push(part);
            }
        }
        Ok(kept)
    }

    fn instructions(&mut self, parts: &[&Part<'_>]) -> Result<(), Failure> {
        let kept = self.kept(parts.to_vec(), Who::System)?;
        if kept.is_empty() {
            return Ok(());
        }
        if S::HAS_LATER_INSTRUCTIONS {
            self.scribe.instruct(&kept);
        } else {
            kept.iter().try_for_each(|part| self.lose(part, LossKind::Approximated))?;
            self.scribe.ask(&kept);
        }
        Ok(())
    }

    /// Writes results first, because they must follow their calls, then the media among them, then what else is said.
    fn user(&mut self, parts: &[&Part<'_>]) -> Result<(), Failure> {
        let (results, others): (Vec<_>, Vec<_>) =
            parts.iter().copied().partition(|part| matches!(part.kind, PartKind::ToolResult { .. }));
        let mut results: Vec<_> = self.calls.by_ref().take(results.len()).zip(results).collect();
        if S::PAIRS_BY_ORDER {
            results.sort_by_key(|(call, _)| self.asked.get(call.id.as_ref()).copied());
        }
        let mut shown = Vec::new();
        for (call, result) in results {
            self.result(&call, result, &mut shown)?;
        }
        shown.extend(self.kept(others, Who::User)?);
        if !shown.is_empty() {
            self.has_messages = true;
            self.scribe.ask(&shown);
        }
        Ok(())
    }

    fn result<'p>(
        &mut self,
        call: &Call<'_>,
        result: &'p Part<'p>,
        shown: &mut Vec<&'p Part<'p>>,
    ) -> Result<(), Failure> {
        let PartKind::ToolResult { content, is_error, .. } = &result.kind else { return Ok(()) };
        if *is_error || result.cache.is_some() {
            self.lose(result, LossKind::Approximated)?;
        }
        let mut text = if *is_error { FAILED.to_owned() } else { String::new() };
        let mut has_text = false;
        for part in content {
            match &part.kind {
                PartKind::Text(said) => {
                    if std::mem::replace(&mut has_text, true) {
                        text.push('\n');
                    }
                    text.push_str(said);
                }
                // A result holds texts only.
                PartKind::Media(media) => {
                    let loss = self.scribe.loss(media).unwrap_or(LossKind::Approximated);
                    self.lose(part, loss)?;
                    if loss != LossKind::Dropped {
                        shown.push(part);
                    }
                }
                _ => self.lose(part, LossKind::Dropped)?,
            }
        }
        self.has_messages = true;
        self.scribe.answer(call, &text);
        Ok(())
    }

    /// Writes what the model said as one message, because calls must stand together before their results.
    fn assistant(&mut self, parts: &[&Part<'_>]) -> Result<(), Failure> {
        let (called, said): (Vec<_>, Vec<_>) =
            parts.iter().copied().partition(|part| matches!(part.kind, PartKind::ToolCall { .. }));
        let calls: Vec<_> = self.calls.by_ref().take(called.len()).zip(called).collect();
        self.asked =
            calls.iter().enumerate().map(|(place, (call, _))| (call.id.to_string(), place)).collect();
        let said = self.kept(said, Who::Assistant)?;
        if said.is_empty() && calls.is_empty() {
            return Ok(());
        }
        self.has_messages = true;
        self.scribe.say(&said, &calls, self.losses)
    }
}
