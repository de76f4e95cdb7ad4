//! The conversation that a request goes on from, read from what is kept for the caller's tenant and put into the
//! request, so that everything that follows, masks and limits and estimates, sees the whole of it.

use bytes::Bytes;
use gatewright::chat::{LossKind, Losses, Place};
use gatewright::dialect::{Identity, Missing, Recalled as Found, StateCodec, Wish};
use gatewright::service::keep::Keep;
use gatewright::{Failure, FailureKind, Side, TenantId};

use crate::course::Course;
use crate::failure::Refusal;
use crate::keeping::{ANSWER, ITEM, Keeping, unreadable};
use crate::state::{Admitted, Load, Recalled};

/// A conversation has at most so many turns.
const TURNS_MAX: usize = 512;

/// Makes a request that goes on from something kept one that says all of it.
pub(crate) async fn recall(course: &mut Course, admitted: Admitted) -> Result<Recalled, Refusal> {
    let mut load = admitted.0;
    let Some(state) = course.codec.state() else { return Ok(Recalled(load)) };
    let wish = state.wish(load.request.document())?;
    let Some(keep) = course.worker.keep.clone() else {
        without_state(course, state, &wish, &mut load)?;
        return Ok(Recalled(load));
    };
    let tenant = course.cx().principal().tenant.clone();
    let plan = course.snapshot.plan.tenant(&tenant);
    let bytes_max = plan.body_bytes_max.unwrap_or(course.worker.settings.body_bytes_max);
    let shelf = Shelf { keep: &*keep, state, tenant: &tenant, bytes_max };
    let turns = match &wish.previous {
        Some(id) => shelf.conversation(id).await?,
        None => Vec::new(),
    };
    let items = shelf.items(&wish).await?;
    let own = put_in(state, &mut load, Found { turns: &turns, items: &items })?;
    if !(turns.is_empty() && items.is_empty()) {
        // What the limits of arrival estimated was a part of it.
        course.estimate = None;
    }
    if wish.keeps {
        let id = state.id(keep.unguessable().map_err(|error| unreadable(&error))?);
        let identity = Identity { id, previous: wish.previous, hides_seals: !wish.shows_seals };
        course.keeping = Some(Box::new(Keeping { identity, own, is_strict: load.is_strict() }));
    }
    Ok(Recalled(load))
}

/// A gateway that keeps nothing has providers keep nothing either: a stored answer could be had by nobody.
fn without_state(
    course: &mut Course,
    state: &dyn StateCodec,
    wish: &Wish,
    load: &mut Load,
) -> Result<(), Refusal> {
    if wish.previous.is_some() || !wish.items.is_empty() {
        return Err(state.missing(Missing::Everything).into());
    }
    if wish.insists && wish.keeps {
        let whole = |_: &Place<'_>| "/store".to_owned();
        let mut losses = Losses::new(load.is_strict(), &whole);
        losses.report(&Place::Pointer("/store".into()), LossKind::Dropped)?;
        course.facts.lost_before = losses.into_found();
    }
    put_in(state, load, Found { turns: &[], items: &[] })?;
    Ok(())
}

fn put_in(state: &dyn StateCodec, load: &mut Load, found: Found<'_>) -> Result<Bytes, Failure> {
    let put = state.expand(load.request.document_mut(), found);
    put.map_err(|error| Failure::invalid("input", error.to_string()))
}

/// What is kept for one tenant.
pub(crate) struct Shelf<'s> {
    pub(crate) keep: &'s dyn Keep,
    pub(crate) state: &'s dyn StateCodec,
    pub(crate) tenant: &'s TenantId,
    /// A conversation that could not be sent whole is none that can be gone on with.
    pub(crate) bytes_max: u64,
}

impl Shelf<'_> {
    /// The records of the conversation that ends with an answer, the oldest first.
    async fn conversation(&self, last: &str) -> Result<Vec<Bytes>, Refusal> {
        let mut turns = Vec::new();
        let mut bytes = 0_u64;
        let mut next = Some(Box::from(last));
        while let Some(id) = next {
            let record = self.answer(&id).await?.ok_or_else(|| self.state.missing(Missing::Previous(&id)))?;
            bytes = bytes.saturating_add(u64::try_from(record.len()).unwrap_or(u64::MAX));
            next = self.state.previous(&record);
            turns.push(record);
            if bytes > self.bytes_max || turns.len() > TURNS_MAX {
                return Err(too_long(self.bytes_max).into());
            }
        }
        turns.reverse();
        Ok(turns)
    }

    /// As far as the conversation is still there: who looks at an answer is not to miss it because an earlier one was
    /// deleted.
    pub(crate) async fn rest_of_conversation(&self, last: Bytes) -> Result<Vec<Bytes>, Refusal> {
        let mut bytes = 0_u64;
        let mut next = self.state.previous(&last);
        let mut turns = vec![last];
        while let Some(id) = next {
            let Some(record) = self.answer(&id).await? else { break };
            bytes = bytes.saturating_add(u64::try_from(record.len()).unwrap_or(u64::MAX));
            if bytes > self.bytes_max || turns.len() > TURNS_MAX {
                break;
            }
            next = self.state.previous(&record);
            turns.push(record);
        }
        turns.reverse();
        Ok(turns)
    }

    /// The record of an answer.
    pub(crate) async fn answer(&self, id: &str) -> Result<Option<Bytes>, Refusal> {
        Ok(self.keep.get(&ANSWER.key(self.tenant, id)).await.map_err(|error| unreadable(&error))?)
    }

    /// The items that a request names.
    async fn items(&self, wish: &Wish) -> Result<Vec<(Box<str>, Bytes)>, Refusal> {
        let mut records: Vec<(Bytes, Bytes)> = Vec::new();
        let mut items: Vec<(Box<str>, Bytes)> = Vec::new();
        // A name may stand there many times, and what it stands for is sent as often.
        let mut bytes = 0_u64;
        let named = wish.items.iter().map(|id| (id, true));
        for (id, is_needed) in named.chain(wish.unsealed.iter().map(|id| (id, false))) {
            let item = match items.iter().find(|(known, _)| known == id) {
                Some((_, item)) => Some(item.clone()),
                None => self.item(id, &mut records).await?,
            };
            if item.is_none() && is_needed {
                return Err(self.state.missing(Missing::Item(id)).into());
            }
            let Some(item) = item else { continue };
            bytes = bytes.saturating_add(u64::try_from(item.len()).unwrap_or(u64::MAX));
            if bytes > self.bytes_max {
                return Err(too_long(self.bytes_max).into());
            }
            items.push((id.clone(), item));
        }
        Ok(items)
    }

    /// One item; records that were read are `known` by their ids.
    async fn item(&self, id: &str, known: &mut Vec<(Bytes, Bytes)>) -> Result<Option<Bytes>, Refusal> {
        let owner = self.keep.get(&ITEM.key(self.tenant, id)).await.map_err(|error| unreadable(&error))?;
        let Some(owner) = owner else { return Ok(None) };
        if let Some((_, record)) = known.iter().find(|(known, _)| *known == owner) {
            return Ok(self.state.item(record, id));
        }
        let Ok(name) = std::str::from_utf8(&owner) else { return Ok(None) };
        let Some(record) = self.answer(name).await? else { return Ok(None) };
        let item = self.state.item(&record, id);
        let held: usize = known.iter().map(|(_, record)| record.len()).sum();
        if u64::try_from(held).unwrap_or(u64::MAX) > self.bytes_max {
            return Err(too_long(self.bytes_max).into());
        }
        known.push((owner, record));
        Ok(item)
    }
}

fn too_long(bytes_max: u64) -> Failure {
    let text = format!(
        "the stored conversation has more than {TURNS_MAX} turns or {bytes_max} bytes; begin a new one, with a summary \
         as `input`"
    );
    let failure = Failure::new(Side::Client, FailureKind::TooLarge, text).with_code("conversation_too_long");
    Failure { param: Some("previous_response_id".into()), ..failure }
}
