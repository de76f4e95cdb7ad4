//! The tries of one exchange: pick, encode, send, until a provider's answer begins or policy says
//! stop. Once a byte of an answer has gone to the client there is no other try.

use std::sync::Arc;

use gatewright::{Failure, FailureKind, Retry, TryResult};
use gatewright_policy::cost;
use gatewright_upstream::Credential;

use crate::answer::opening::{self, Opened};
use crate::course::Course;
use crate::failure::{Refusal, code_of};
use crate::phase::encode::Encoded;
use crate::phase::{credential, encode, pick, record, send};
use crate::rehearsal::ReadyCall;
use crate::state::{Answering, Picked, Reserved};
use crate::upload::Upload;

/// How a try at a target is made.
pub(crate) trait Way: Send {
    /// What a try begins.
    type Begun: Send;

    /// Makes one try.
    ///
    /// # Errors
    ///
    /// A [`Failure`] whose `retry` says whether another target may be tried.
    fn go(
        &mut self,
        course: &mut Course,
        reserved: &Reserved,
        ready: Ready,
    ) -> impl Future<Output = Result<Self::Begun, Failure>> + Send;
}

/// Sends the call, and waits until its answer begins.
struct Answered;

impl Way for Answered {
    type Begun = (Opened, Picked);

    async fn go(
        &mut self,
        course: &mut Course,
        reserved: &Reserved,
        ready: Ready,
    ) -> Result<Self::Begun, Failure> {
        let Ready { picked, encoded, credential } = ready;
        let codec = encoded.codec;
        let answer = send::send(course, &picked, encoded, credential).await?;
        Ok((opening::open(course, codec, reserved, answer).await?, picked))
    }
}

/// Calls targets until one answers.
pub(crate) async fn answer(course: &mut Course, reserved: Reserved) -> Result<Answering, Refusal> {
    let (opened, picked) = first(course, &reserved, &mut Answered).await?;
    Ok(Answering { opened, load: reserved.0, picked })
}

/// Tries targets until one of them begins.
pub(crate) async fn first<W: Way>(
    course: &mut Course,
    reserved: &Reserved,
    way: &mut W,
) -> Result<W::Begun, Refusal> {
    let mut tried = Vec::new();
    let mut last = None;
    let attempts_max = usize::try_from(course.worker.settings.attempts_max).unwrap_or(usize::MAX);
    while tried.len() < attempts_max {
        let Some(ready) = ready(course, reserved, &mut tried).await? else {
            break;
        };
        if let Some(failure) = last.take() {
            tracing::debug!(id = %course.id, provider = %ready.picked.provider.name, %failure, "Trying another target");
        }
        let picked = ready.picked.clone();
        if let Some(attempt) = &mut course.attempt {
            attempt.shown.clone_from(&ready.credential);
        }
        let failure = match way.go(course, reserved, ready).await {
            Ok(begun) => {
                pick::tell(course, &reserved.0.model, &picked, TryResult::Answered);
                return Ok(begun);
            }
            Err(failure) => failure,
        };
        let mut failure = course.blame(failure);
        course.hide_credential(&mut failure);
        learn(course, reserved, &picked, &failure);
        let has_more = tried.len() < reserved.0.model.targets.len().min(attempts_max);
        if !(has_more && may_try_elsewhere(&failure)) {
            return Err(failure.into());
        }
        if course.upload.as_ref().is_some_and(Upload::is_taken) {
            return Err(final_because_sent(failure).into());
        }
        forsake(course, &failure);
        last = Some(failure);
    }
    Err(last.unwrap_or_else(|| Failure::internal("the model has no target")).into())
}

/// A call that can be sent.
pub(crate) struct Ready {
    pub(crate) picked: Picked,
    pub(crate) encoded: Encoded,
    pub(crate) credential: Option<Credential>,
}

/// Makes the next call ready. `None` when all targets were tried.
pub(crate) async fn ready(
    course: &mut Course,
    reserved: &Reserved,
    tried: &mut Vec<usize>,
) -> Result<Option<Ready>, Refusal> {
    let Some(picked) = pick::pick(course, reserved, tried)? else { return Ok(None) };
    tried.push(picked.index);
    let encoded = encode::encode(course, reserved, &picked).await?;
    let credential = credential::find(course, &picked, &encoded).await?;
    Ok(Some(Ready { picked, encoded, credential }))
}

impl Ready {
    /// The call as a rehearsal tells it.
    pub(crate) fn into_call(self, course: &Course) -> ReadyCall {
        let Self { picked, encoded, credential } = self;
        let usage = course.estimate.map(|estimate| estimate.usage).unwrap_or_default();
        ReadyCall {
            provider: picked.provider.name.clone(),
            model: Arc::clone(&picked.target.model),
            chosen_by: course.chosen_by(picked.index),
            base_url: picked.provider.destination.origin().to_string(),
            method: encoded.call.method,
            path: encoded.call.path.into_owned(),
            headers: encoded.call.headers,
            body: encoded.call.body,
            has_credential: credential.is_some(),
            price: picked.target.price.as_deref().and_then(|price| cost(&usage, price)),
        }
    }
}

/// Tells those who choose what the try showed: the picker its failure, the source of credentials their refusal.
fn learn(course: &Course, reserved: &Reserved, picked: &Picked, failure: &Failure) {
    pick::tell(course, &reserved.0.model, picked, TryResult::Failed(failure.kind));
    if failure.kind == FailureKind::UpstreamAuth {
        course.forget_credential(picked);
    }
}

/// Whether another target may do better, and no harm comes from asking it.
fn may_try_elsewhere(failure: &Failure) -> bool {
    match failure.retry {
        Retry::Safe => true,
        Retry::Useless => false,
        Retry::Unsafe => matches!(
            failure.kind,
            FailureKind::Overloaded
                | FailureKind::RateLimited
                | FailureKind::QuotaExhausted
                | FailureKind::Unavailable
                | FailureKind::UpstreamAuth
                | FailureKind::UpstreamError
                | FailureKind::Malformed
                | FailureKind::Timeout
        ),
    }
}

/// The failure of a try that has sent some of a body that nobody holds, so that no other target can be tried.
fn final_because_sent(failure: Failure) -> Failure {
    let message =
        format!("{}; the upload had begun, so no other target was tried: send it again", failure.message);
    Failure { message: message.into(), ..failure }
}

/// Records an attempt that another one follows.
fn forsake(course: &mut Course, failure: &Failure) {
    let outcome = course.failed(failure);
    let record = record::of(course, &outcome, Some(code_of(failure)));
    course.worker.observer.attempt_failed(&record);
    // The next attempt does not wait for the record of this one.
    drop(course.worker.ledger.append(record));
}
