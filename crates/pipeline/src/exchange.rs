//! The front door of the data path: it reads as the path does.

use std::sync::Arc;

use gatewright::dialect::Codec;
use gatewright::{Failure, Outcome, Principal};
use http::{Response, StatusCode};

use crate::answer::{AnswerBody, respond};
use crate::attempt;
use crate::course::Course;
use crate::failure::Refusal;
use crate::phase;
use crate::rehearsal::{ReadyCall, Recorder, Rehearsal, Script};
use crate::session::{self, Greeting, Met, Session};
use crate::state::{Answering, Authenticated, ReadBody, Received, Reserved};
use crate::worker::Worker;

/// Serves one request of a caller who speaks `codec`'s dialect.
///
/// The answer's body settles the exchange when it ends, however it ends.
///
/// # Cancellation
///
/// Dropping the future, or the body, means that the client left: the upstream call is cancelled,
/// what was reserved is settled, and what flowed is recorded.
pub async fn serve<B: ReadBody>(
    worker: &Arc<Worker>,
    codec: &'static dyn Codec,
    received: Received<B>,
) -> Response<AnswerBody> {
    let mut course = Course::begin(worker, codec);
    match pursue(&mut course, received).await {
        Ok(answering) => respond::answer(course, answering).await,
        Err(refusal) => respond::refuse(course, &refusal).await,
    }
}

/// Opens a session for a caller who speaks `codec`'s dialect: the same path, up to a provider that has switched.
///
/// Whoever serves the caller tells it that the session is open, and runs it.
///
/// # Errors
///
/// The answer to a caller who gets no session.
///
/// # Cancellation
///
/// Dropping the future, or the session, means that the client left.
pub async fn open<B: ReadBody>(
    worker: &Arc<Worker>,
    codec: &'static dyn Codec,
    received: Received<B>,
    greeting: Greeting,
) -> Result<Box<Session>, Response<AnswerBody>> {
    let mut course = Course::begin(worker, codec);
    match meet(&mut course, received, greeting).await {
        Ok(met) => Ok(Session::new(course, met)),
        Err(refusal) => Err(respond::refuse(course, &refusal).await),
    }
}

/// Refuses a request that no endpoint takes, as one on the path would be refused.
///
/// # Cancellation
///
/// Dropping the future means that the client left.
pub async fn refuse(
    worker: &Arc<Worker>,
    codec: &'static dyn Codec,
    failure: Failure,
) -> Response<AnswerBody> {
    respond::refuse(Course::begin(worker, codec), &failure.into()).await
}

/// Follows a request along the same path up to the call that would be sent, and tells every decision. No provider is
/// called, and what is claimed is given back.
///
/// # Cancellation
///
/// What was claimed is given back.
pub async fn rehearse<B: ReadBody>(
    worker: &Arc<Worker>,
    codec: &'static dyn Codec,
    received: Received<B>,
    script: Script,
) -> Rehearsal {
    let mut course = Course::begin(worker, codec);
    course.recorder = Some(Box::new(Recorder::new(script.withheld)));
    let ended = prepare(&mut course, received, script.principal).await;
    // Nothing was sent, so there is no record to wait for.
    drop(course.settle(&Outcome::NotSent));
    course.into_rehearsal(ended)
}

/// The path up to the first byte of an answer.
async fn pursue<B: ReadBody>(course: &mut Course, received: Received<B>) -> Result<Answering, Refusal> {
    let authenticated = phase::authenticate::authenticate(course, received).await?;
    let reserved = admit(course, authenticated).await?;
    attempt::answer(course, reserved).await
}

/// The path up to a provider that has switched.
async fn meet<B: ReadBody>(
    course: &mut Course,
    received: Received<B>,
    greeting: Greeting,
) -> Result<Met, Refusal> {
    let authenticated = phase::authenticate::authenticate(course, received).await?;
    let reserved = admit(course, authenticated).await.map_err(session::without_answer)?;
    let mut way = session::Switching::new(greeting);
    let (picked, line) = attempt::first(course, &reserved, &mut way).await?;
    Ok(Met { picked, line, load: reserved.0 })
}

/// The path up to the call, and what the filters make ready for its answer.
async fn prepare<B: ReadBody>(
    course: &mut Course,
    received: Received<B>,
    principal: Option<Arc<Principal>>,
) -> Result<ReadyCall, Refusal> {
    let authenticated = match principal {
        Some(principal) => phase::authenticate::vouch(course, received, principal),
        None => phase::authenticate::authenticate(course, received).await?,
    };
    let reserved = admit(course, authenticated).await?;
    let ready = attempt::ready(course, &reserved, &mut Vec::new()).await?;
    let ready = ready.ok_or_else(|| Failure::internal("the model has no target"))?;
    let streams = reserved.0.request.streams();
    phase::filter::open(course, &reserved.0, &ready.picked, StatusCode::OK, streams)?;
    Ok(ready.into_call(course))
}

/// The path from a caller who is known to a request that may be sent. Each line is a phase; the states allow no
/// other order.
async fn admit<B: ReadBody>(
    course: &mut Course,
    authenticated: Authenticated<B>,
) -> Result<Reserved, Refusal> {
    let decoded = phase::read::read(course, authenticated).await?;
    let routed = phase::identify::identify(course, decoded)?;
    session::check_chains(course, &routed)?;
    let admitted = phase::limit::arrive(course, routed).await?;
    let recalled = phase::recall::recall(course, admitted).await?;
    let shaped = phase::transform::transform(course, recalled).await?;
    phase::limit::reserve(course, shaped).await
}
