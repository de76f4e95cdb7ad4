//! The front door of the data path: it reads as the path does.

use std::sync::Arc;

use gatewright::Failure;
use gatewright::dialect::Codec;
use http::Response;

use crate::answer::{AnswerBody, respond};
use crate::attempt;
use crate::course::Course;
use crate::failure::Refusal;
use crate::phase;
use crate::state::{Answering, ReadBody, Received};
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

/// The path up to the first byte of an answer. Each line is a phase; the states allow no other
/// order.
async fn pursue<B: ReadBody>(course: &mut Course, received: Received<B>) -> Result<Answering, Refusal> {
    let authenticated = phase::authenticate::authenticate(course, received).await?;
    let decoded = phase::read::read(course, authenticated).await?;
    let routed = phase::identify::identify(course, decoded)?;
    let admitted = phase::limit::arrive(course, routed).await?;
    let shaped = phase::transform::transform(course, admitted).await?;
    let reserved = phase::limit::reserve(course, shaped).await?;
    attempt::answer(course, reserved).await
}
