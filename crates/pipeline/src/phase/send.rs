//! The call itself, and what its failures mean.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Arc;
use std::task::Poll;

use bytes::{Bytes, BytesMut};
use gatewright::{Failure, FailureKind, ProviderTarget, Retry, Side};
use gatewright_upstream::{Answer, AnswerBody, Call, Credential, ReadError, Repeat, RequestBody, SendError};
use http::StatusCode;
use http::uri::PathAndQuery;
use http_body::Body;

use crate::course::Course;
use crate::failure::with_causes;
use crate::hook::Hook;
use crate::phase::encode::Encoded;
use crate::state::Picked;
use crate::subject::Subject;

/// How much of a provider's error answer is read.
const ERROR_BYTES_MAX: usize = 64 * 1024;

/// Sends a call and waits for the head of the answer.
///
/// # Errors
///
/// A [`Failure`] whose `retry` says whether another target may be tried.
pub(crate) async fn send(
    course: &mut Course,
    picked: &Picked,
    encoded: Encoded,
    credential: Option<Credential>,
) -> Result<Answer, Failure> {
    let operation = encoded.codec.operation();
    let target = ProviderTarget { model: &picked.target.model, operation, dialect: course.codec.dialect() };
    let is_direct = encoded.codec.is_direct();
    let call = to_call(course, picked, encoded, credential)?;
    let now = course.worker.clock.now();
    if let Some(attempt) = &mut course.attempt {
        attempt.sent = Some(now);
    }
    let worker = Arc::clone(&course.worker);
    let answer = until_cut(course, picked, worker.upstream.send(call)).await;
    let now = course.worker.clock.now();
    if let Some(attempt) = &mut course.attempt {
        attempt.answered = Some(now);
    }
    let answer = answer?;
    if answer.status.is_success() {
        return Ok(answer);
    }
    if is_direct {
        if answer.status == StatusCode::UNAUTHORIZED {
            course.forget_credential(picked);
        }
        return Ok(answer);
    }
    if let Some(attempt) = &mut course.attempt {
        attempt.is_refused = true;
    }
    let Answer { status, headers, body, .. } = answer;
    // An error answer that breaks off is classed by what came of it.
    let body = collect(body, ERROR_BYTES_MAX).await.unwrap_or_default();
    Err(class(course, picked, &target, (status, &headers, &body)))
}

/// The call as the upstream client takes it.
pub(crate) fn to_call(
    course: &Course,
    picked: &Picked,
    encoded: Encoded,
    credential: Option<Credential>,
) -> Result<Call, Failure> {
    let body = encoded.call.body;
    let body = match &course.upload {
        Some(upload) => upload.body(body),
        None => RequestBody::from(body),
    };
    let path = PathAndQuery::try_from(&*encoded.call.path)
        .map_err(|error| Failure::internal(format!("the adapter's path is not valid: {error}")))?;
    Ok(Call {
        destination: Arc::clone(&picked.provider.destination),
        method: encoded.call.method,
        path,
        headers: encoded.call.headers,
        body,
        deadlines: picked.provider.deadlines,
        credential,
        repeat: Repeat::Unsent,
    })
}

/// Waits for a provider, unless the process ends first.
pub(crate) async fn until_cut<T>(
    course: &mut Course,
    picked: &Picked,
    sending: impl Future<Output = Result<T, SendError>>,
) -> Result<T, Failure> {
    let mut cut = course.worker.cut.signal();
    let mut sending = pin!(sending);
    poll_fn(|cx| match sending.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(result.map_err(|error| send_failure(picked, &error))),
        Poll::Pending => cut.poll_cut(cx).map(|()| Err(shutdown())),
    })
    .await
}

/// The failure of an exchange that the process's end cuts off.
pub(crate) fn shutdown() -> Failure {
    let text = "the gateway is shutting down; send the request again";
    Failure::new(Side::Gateway, FailureKind::Shutdown, text)
}

/// Has the provider's adapter class an error answer.
pub(crate) fn class(
    course: &Course,
    picked: &Picked,
    target: &ProviderTarget<'_>,
    (status, headers, body): (StatusCode, &http::HeaderMap, &[u8]),
) -> Failure {
    let hooked = &picked.provider.hooked;
    let classed =
        hooked.run(Hook::Classify, || Ok(picked.provider.adapter.classify(target, status, headers, body)));
    classed.unwrap_or_else(|fault| {
        let judged = hooked.judge(Hook::Classify, &fault, &Subject::of(course));
        judged.unwrap_or_else(|| Failure::internal("a provider's error answer could not be classed"))
    })
}

/// Why a whole answer could not be collected.
#[derive(Debug)]
pub(crate) enum CollectError {
    TooLarge,
    Read(ReadError),
}

/// Collects a body under a cap.
pub(crate) async fn collect(body: AnswerBody, bytes_max: usize) -> Result<Bytes, CollectError> {
    let mut body = pin!(body);
    // Most answers come in one piece, which then needs no copy.
    let mut first = Bytes::new();
    let mut joined = BytesMut::new();
    while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
        let Ok(data) = frame.map_err(CollectError::Read)?.into_data() else { continue };
        if first.len().max(joined.len()) + data.len() > bytes_max {
            return Err(CollectError::TooLarge);
        }
        if first.is_empty() {
            first = data;
            continue;
        }
        if joined.is_empty() {
            joined.extend_from_slice(&first);
        }
        joined.extend_from_slice(&data);
    }
    Ok(if joined.is_empty() { first } else { joined.freeze() })
}

/// What the path's failures look like to a client.
pub(crate) fn send_failure(picked: &Picked, error: &SendError) -> Failure {
    let name = &picked.provider.name;
    let (kind, text) = match error {
        SendError::FirstByteTimeout { waited, .. } => {
            (FailureKind::Timeout, format!("the provider `{name}` gave no answer within {waited:?}"))
        }
        SendError::TotalTimeout { after, .. } => {
            (FailureKind::Timeout, format!("the call to the provider `{name}` took longer than {after:?}"))
        }
        SendError::PoolExhausted { .. } => {
            (FailureKind::Overloaded, format!("all connections to the provider `{name}` are in use"))
        }
        SendError::Malformed { .. } => {
            (FailureKind::Malformed, format!("the provider `{name}` did not answer with valid HTTP"))
        }
        SendError::CredentialOrigin { .. } | SendError::Request { .. } => {
            (FailureKind::Internal, "the gateway could not make the call to the provider".to_owned())
        }
        SendError::Reset { .. } | SendError::ClosedEarly { .. } => (
            FailureKind::Unavailable,
            format!("the provider `{name}` closed the connection without an answer"),
        ),
        _ => (FailureKind::Unavailable, format!("the provider `{name}` cannot be reached")),
    };
    let retry = if error.is_retry_safe() { Retry::Safe } else { Retry::Unsafe };
    Failure::new(Side::Upstream, kind, text).with_retry(retry).with_detail(with_causes(error))
}

/// What a break in the middle of an answer looks like to a client.
pub(crate) fn read_failure(error: &ReadError) -> Failure {
    let (kind, text) = match error {
        ReadError::GapTimeout { waited } => {
            (FailureKind::Timeout, format!("the provider's answer stalled for {waited:?}"))
        }
        ReadError::TotalTimeout { after } => {
            (FailureKind::Timeout, format!("the provider's answer took longer than {after:?}"))
        }
        ReadError::Malformed { .. } => {
            (FailureKind::Malformed, "the provider's answer is not valid HTTP".to_owned())
        }
        _ => (FailureKind::Unavailable, "the provider broke off its answer".to_owned()),
    };
    Failure::new(Side::Upstream, kind, text).with_detail(with_causes(error))
}
