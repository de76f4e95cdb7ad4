//! Answers that are kept, looked at or deleted by their callers. The same first phases as any exchange, limits that count
//! requests among them; no provider is asked.

use std::sync::Arc;

use bytes::Bytes;
use gatewright::dialect::{Codec, Look, Missing, StateCodec};
use gatewright::{Failure, LlmRequest, ModelName, Outcome, RequestId, Usage};
use gatewright_policy::{AnswerModel, ModelPlan, Strategy};

use crate::course::Course;
use crate::failure::Refusal;
use crate::keeping::{ANSWER, ITEM, unreadable};
use crate::phase::recall::Shelf;
use crate::phase::{authenticate, identify, limit};
use crate::state::{Authenticated, Load, Received, Routed};
use crate::worker::Worker;

/// Stands for the model of a request that asks none.
const NO_MODEL: &str = "-";

/// What came of a look at an answer.
#[derive(Debug)]
pub struct KeptAnswer {
    /// The identity of the exchange, for the answer's headers.
    pub id: RequestId,
    /// What the caller reads, or the reason why there is nothing.
    pub result: Result<Bytes, Refusal>,
}

/// Shows the answer `id` to a caller of its tenant, or deletes it. `codec` is that of a dialect with state.
///
/// # Cancellation
///
/// Dropping the future means that the client left; a deletion has happened as a whole or not at all.
pub async fn kept<B: Send>(
    worker: &Arc<Worker>,
    codec: &'static dyn Codec,
    received: Received<B>,
    (id, look): (&str, Look),
) -> KeptAnswer {
    let mut course = Course::begin(worker, codec);
    let result = pursue(&mut course, received, (id, look)).await;
    course.facts.status = match &result {
        Ok(_) => 200,
        Err(refusal) => refusal.body(course.id).map_or(500, |body| body.status.as_u16()),
    };
    course.facts.code = result.as_ref().err().and_then(Refusal::code);
    let outcome = match &result {
        // Who is refused by a rule has not asked.
        Err(Refusal::Denied(_)) => Outcome::NotSent,
        // A look is a request like any other, whether it found something or not.
        _ => Outcome::Completed { usage: Usage::default(), reported: true },
    };
    // No attempt was made, so there is no record to wait for.
    drop(course.settle(&outcome));
    KeptAnswer { id: course.id, result }
}

async fn pursue<B: Send>(
    course: &mut Course,
    received: Received<B>,
    (id, look): (&str, Look),
) -> Result<Bytes, Refusal> {
    let Authenticated { head, principal, body, .. } = authenticate::authenticate(course, received).await?;
    // These endpoints take no body.
    drop(body);
    let query = head.uri.query().map(str::to_owned);
    let (request, model) = no_request(course.codec)?;
    let path = head.uri.path().to_owned();
    let chains = identify::route(course, (head, &path), &principal, (&request, model.name.clone(), None))?;
    let load = Load { request, model: Arc::new(model), chains, is_strict: false };
    limit::arrive(course, Routed(load)).await?;

    let state = course.codec.state();
    let state =
        state.ok_or_else(|| Failure::internal("a dialect without state has no answers to look at"))?;
    let look = state.look(look, query.as_deref())?;
    answer(course, state, id, &look).await
}

async fn answer(
    course: &mut Course,
    state: &dyn StateCodec,
    id: &str,
    look: &Look,
) -> Result<Bytes, Refusal> {
    let missing = || state.missing(Missing::Answer(id));
    let Some(keep) = course.worker.keep.clone() else { return Err(missing().into()) };
    let tenant = course.cx().principal().tenant.clone();
    let shelf =
        Shelf { keep: &*keep, state, tenant: &tenant, bytes_max: course.worker.settings.body_bytes_max };
    let record = shelf.answer(id).await?.ok_or_else(missing)?;
    let turns = match look {
        Look::Items { .. } => shelf.rest_of_conversation(record).await?,
        Look::Delete => {
            let items = state.items(&record);
            let keys = items.iter().map(|item| ITEM.key(&tenant, item));
            let keys: Vec<_> = std::iter::once(ANSWER.key(&tenant, id)).chain(keys).collect();
            keep.delete(&keys).await.map_err(|error| unreadable(&error))?;
            Vec::new()
        }
        Look::Answer { .. } | Look::Cancel => vec![record],
    };
    Ok(state.tell(id, look, &turns)?)
}

/// What stands for the request of an exchange that asks no model anything.
fn no_request(codec: &dyn Codec) -> Result<(LlmRequest, ModelPlan), Failure> {
    let document = codec.decode_request(format!(r#"{{"model":"{NO_MODEL}","input":[]}}"#).into())?;
    let model = ModelPlan {
        name: ModelName::new(NO_MODEL),
        targets: Vec::new(),
        strategy: Strategy::First,
        picker: None,
        estimator: None,
        answer_model: AnswerModel::Served,
        strict: false,
        description: None,
    };
    Ok((LlmRequest::new(document), model))
}
