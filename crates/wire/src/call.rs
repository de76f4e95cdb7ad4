//! Tool calls of a conversation and their results, paired before a dialect writes them.
//!
//! Every provider refuses a conversation in which a call stays without its result, or a result has no call; some
//! dialects have no ids to pair them by, and then the name and the order count. Each part is looked at once.

use std::borrow::Cow;
use std::collections::{HashMap, VecDeque};

use gatewright::Failure;
use gatewright::chat::{Chat, Losses, Origin, Part, PartKind, Place, Speaker};

/// What stands before the words of a tool that failed, in dialects without another place for that.
pub(crate) const FAILED: &str = "Error: ";

/// What a dialect with ids, names or both needs of a call, and of the result that belongs to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Call<'c> {
    /// The caller's id, or, where its dialect has none, one that is the same whenever the same conversation is sent.
    pub(crate) id: Cow<'c, str>,
    /// The tool's name.
    pub(crate) name: &'c str,
}

/// A call for each tool call and each tool result of the conversation, in the order in which these stand there.
///
/// # Errors
/// A failure of the client's side if a call that is not in the last turn has no result, or a result no call.
pub(crate) fn paired<'c>(chat: &'c Chat<'_>, losses: &Losses<'_>) -> Result<Vec<Call<'c>>, Failure> {
    let mut pairs = Pairs { losses, calls: Vec::new(), open: Open::default(), made: 0 };
    for (speaker, parts) in chat.rounds() {
        match speaker {
            Speaker::System => {}
            Speaker::User => {
                parts.iter().try_for_each(|part| pairs.answer(part))?;
                pairs.close()?;
            }
            Speaker::Assistant => {
                pairs.close()?;
                parts.iter().for_each(|part| pairs.call(part));
            }
        }
    }
    Ok(pairs.calls)
}

struct Pairs<'c, 'l> {
    losses: &'l Losses<'l>,
    calls: Vec<Call<'c>>,
    open: Open<'c>,
    /// How many ids were made up.
    made: usize,
}

/// The calls of a turn that wait for their results.
#[derive(Default)]
struct Open<'c> {
    calls: Vec<Waiting<'c>>,
    /// By the caller's id; some models give several calls of a turn the same one.
    by_id: HashMap<&'c str, VecDeque<usize>>,
    by_name: HashMap<&'c str, VecDeque<usize>>,
    /// Up to here all are answered.
    front: usize,
}

struct Waiting<'c> {
    call: Call<'c>,
    origin: Origin,
    is_answered: bool,
}

impl<'c> Pairs<'c, '_> {
    fn call(&mut self, part: &'c Part<'_>) {
        let PartKind::ToolCall { id, name, .. } = &part.kind else { return };
        let place = self.open.calls.len();
        let namesakes = self.open.by_id.entry(id.as_ref()).or_default();
        namesakes.push_back(place);
        let before = namesakes.len() - 1;
        let id = if id.is_empty() {
            self.made += 1;
            Cow::Owned(format!("call_{}", self.made))
        } else if before > 0 {
            // A provider wants ids to differ; the result that comes first is the first call's.
            Cow::Owned(format!("{id}_again_{before}"))
        } else {
            Cow::Borrowed(id.as_ref())
        };
        let call = Call { id, name };
        self.open.by_name.entry(call.name).or_default().push_back(place);
        self.calls.push(call.clone());
        self.open.calls.push(Waiting { call, origin: part.origin, is_answered: false });
    }

    fn answer(&mut self, part: &'c Part<'_>) -> Result<(), Failure> {
        let PartKind::ToolResult { call, name, .. } = &part.kind else { return Ok(()) };
        let Some(call) = self.open.take(call, name.as_deref()) else {
            let why =
                "the turn before has no tool call that this result could belong to, or it has been answered";
            return Err(self.losses.refuse(&Place::Part(part.origin), why));
        };
        self.calls.push(call);
        Ok(())
    }

    /// The turn that had to bring the results is over.
    fn close(&mut self) -> Result<(), Failure> {
        let open = std::mem::take(&mut self.open);
        let Some(missing) = open.calls.iter().find(|waiting| !waiting.is_answered) else { return Ok(()) };
        let why = format!("the tool call `{}` has no result: send one right after it", missing.call.id);
        Err(self.losses.refuse(&Place::Part(missing.origin), &why))
    }
}

impl<'c> Open<'c> {
    fn take(&mut self, id: &str, name: Option<&str>) -> Option<Call<'c>> {
        let place = if !id.is_empty() {
            first_open(&self.calls, self.by_id.get_mut(id)?)?
        } else if let Some(name) = name {
            first_open(&self.calls, self.by_name.get_mut(name)?)?
        } else {
            while self.calls.get(self.front)?.is_answered {
                self.front += 1;
            }
            self.front
        };
        let waiting = self.calls.get_mut(place).filter(|waiting| !waiting.is_answered)?;
        waiting.is_answered = true;
        Some(waiting.call.clone())
    }
}

/// Takes the first call of a list that waits still.
fn first_open(calls: &[Waiting<'_>], places: &mut VecDeque<usize>) -> Option<usize> {
    loop {
        let place = places.pop_front()?;
        if calls.get(place).is_some_and(|waiting| !waiting.is_answered) {
            return Some(place);
        }
    }
}

#[cfg(test)]
mod tests;
