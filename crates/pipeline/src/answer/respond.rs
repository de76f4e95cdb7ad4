//! The head of every answer, and the whole of those that are not streamed.

use bytes::Bytes;
use gatewright::chat::Loss;
use gatewright::dialect::{Codec, StreamSettings};
use gatewright::text::Lane;
use gatewright::{EventKind, FinishReason, LlmResponse, Outcome, RequestId, Side, StreamEvent, UsageSource};
use gatewright_policy::AnswerModel;
use http::header::{CACHE_CONTROL, CONTENT_TYPE, RETRY_AFTER};
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};

use super::body::AnswerBody;
use super::opening::{Content, Opened, Source};
use super::pump::Pump;
use super::{translate, whole};
use crate::course::Course;
use crate::direct;
use crate::failure::Refusal;
use crate::keeping;
use crate::phase::filter;
use crate::state::{Answering, Settled};

static REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Names what the translation into the provider's dialect lost.
static LOST: HeaderName = HeaderName::from_static("x-gatewright-lost");
const LOST_BYTES_MAX: usize = 1_024;
const JSON: HeaderValue = HeaderValue::from_static("application/json");

/// Answers with what the provider sends.
pub(crate) async fn answer(mut course: Box<Course>, answering: Answering) -> Response<AnswerBody> {
    let Answering { opened: Opened { status, headers, codec, content }, load, picked } = answering;
    course.facts.status = status.as_u16();
    match content {
        Content::Whole(body) => {
            match whole::shape(&mut course, &load, &picked, (status, codec), body).await {
                Ok((body, media_type)) => {
                    let (usage, source) = course.usage();
                    let outcome = Outcome::Completed { usage, reported: source == UsageSource::Provider };
                    let settled = course.settle(&outcome);
                    wait_for_record(&mut course, settled).await;
                    let own = media_type.map(HeaderValue::from_static);
                    let content_type = own.or(headers.get(CONTENT_TYPE).cloned()).unwrap_or(JSON);
                    let mut response = Response::new(AnswerBody::whole(body));
                    *response.status_mut() = status;
                    set_headers(&mut course, response.headers_mut(), content_type);
                    response
                }
                Err(refusal) => refuse(course, &refusal).await,
            }
        }
        Content::Stream(source) => {
            if let Err(failure) = filter::open(&mut course, &load, &picked, status, true) {
                return refuse(course, &failure.into()).await;
            }
            let asked = load.model.answer_model == AnswerModel::Asked;
            let translates = codec.dialect() != course.codec.dialect();
            let settings = StreamSettings {
                model: asked.then(|| load.model.name.as_str().to_owned()),
                hide_usage: !load.request.document().wants_stream_usage(),
                envelope: translates.then(|| translate::envelope(&course, &load, &picked)),
            };
            let own = headers.get(CONTENT_TYPE).filter(|_| codec.is_opaque()).cloned();
            let content_type = own.unwrap_or(HeaderValue::from_static(course.codec.stream_content_type()));
            let call = load.request.document().direct();
            let handed =
                call.map(|call| direct::homeward(&headers, call, picked.provider.destination.origin()));
            match handed {
                Some(handed) if source.is_ended && source.first.is_empty() => {
                    nothing(course, status, handed).await
                }
                handed => stream(course, *source, settings, (status, content_type, handed)),
            }
        }
    }
}

fn stream(
    mut course: Box<Course>,
    source: Source,
    settings: StreamSettings,
    (status, content_type, handed): (StatusCode, HeaderValue, Option<HeaderMap>),
) -> Response<AnswerBody> {
    let mut headers = HeaderMap::new();
    set_headers(&mut course, &mut headers, content_type);
    match handed {
        Some(handed) => {
            headers.remove(CONTENT_TYPE);
            headers.extend(handed);
        }
        None => drop(headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"))),
    }
    let mut response = Response::new(AnswerBody::stream(Pump::new(course, source, settings)));
    *response.status_mut() = status;
    *response.headers_mut() = headers;
    response
}

/// Answers with no body at all, as the provider did.
async fn nothing(mut course: Box<Course>, status: StatusCode, handed: HeaderMap) -> Response<AnswerBody> {
    let (usage, source) = course.usage();
    let settled = course.settle(&Outcome::Completed { usage, reported: source == UsageSource::Provider });
    wait_for_record(&mut course, settled).await;
    let mut response = Response::new(AnswerBody::whole(Bytes::new()));
    *response.status_mut() = status;
    set_headers(&mut course, response.headers_mut(), JSON);
    response.headers_mut().remove(CONTENT_TYPE);
    response.headers_mut().extend(handed);
    response
}

/// Answers with a refusal in the caller's dialect, or with what an extension answered.
pub(crate) async fn refuse(mut course: Box<Course>, refusal: &Refusal) -> Response<AnswerBody> {
    let mut class = None;
    let (status, content_type, body, retry_after) = match refusal {
        Refusal::Answered(response) => {
            let (content_type, body, whole) = rendered(&course, response);
            match keeping::whole(&mut course, body, whole).await {
                Ok(body) => (StatusCode::OK, content_type, body, None),
                Err(refusal) => return Box::pin(refuse(course, &refusal)).await,
            }
        }
        Refusal::Denied(_) | Refusal::Failed(_) => {
            let error = refusal.body(course.id).unwrap_or_else(|| unreachable_error(&course));
            class = course.codec.error_header(&error);
            (error.status, JSON, course.codec.render_error(&error), error.retry_after)
        }
    };
    course.facts.status = status.as_u16();
    course.facts.code = refusal.code();
    log(&course, refusal);
    let outcome = outcome_of(&course, refusal);
    let settled = course.settle(&outcome);
    wait_for_record(&mut course, settled).await;

    let mut response = Response::new(AnswerBody::whole(body));
    *response.status_mut() = status;
    add_refusal_headers(refusal, response.headers_mut());
    response.headers_mut().extend(class);
    set_headers(&mut course, response.headers_mut(), content_type);
    if let Some(after) = retry_after {
        let seconds = after.as_secs() + u64::from(after.subsec_nanos() > 0);
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from(seconds));
    }
    response
}

fn add_refusal_headers(refusal: &Refusal, headers: &mut HeaderMap) {
    match refusal {
        Refusal::Denied(denial) => headers.extend(denial.headers.clone()),
        Refusal::Failed(failure) => headers.extend(failure.headers.iter().flat_map(|more| (**more).clone())),
        Refusal::Answered(_) => {}
    }
}

fn outcome_of(course: &Course, refusal: &Refusal) -> Outcome {
    let (seen, _) = course.usage();
    let was_sent = course.attempt.as_ref().is_some_and(|attempt| attempt.sent.is_some());
    match refusal {
        _ if !was_sent => Outcome::NotSent,
        // The client broke off its upload, and the call with it.
        _ if course.upload.as_ref().is_some_and(|upload| upload.failure().is_some()) => {
            Outcome::Cancelled { seen, by: gatewright::CancelledBy::Client, upstream_aborted: true }
        }
        Refusal::Failed(failure) if failure.side == Side::Upstream => course.failed(failure),
        Refusal::Failed(failure) if failure.kind == gatewright::FailureKind::Shutdown => {
            Outcome::Cancelled { seen, by: gatewright::CancelledBy::Shutdown, upstream_aborted: true }
        }
        _ => Outcome::Cancelled { seen, by: gatewright::CancelledBy::Filter, upstream_aborted: false },
    }
}

fn log(course: &Course, refusal: &Refusal) {
    if let Refusal::Failed(failure) = refusal
        && let Some(detail) = &failure.detail
    {
        tracing::warn!(
            id = %course.id,
            side = failure.side.as_str(),
            code = %crate::failure::code_of(failure),
            detail = &**detail,
            "Exchange failed"
        );
    }
}

/// An extension's own answer in the shape that the caller waits for.
fn rendered(course: &Course, response: &LlmResponse) -> (HeaderValue, Bytes, Option<Bytes>) {
    if !course.facts.streamed {
        return (JSON, response.to_body(), None);
    }
    let mut events = vec![StreamEvent::inserted(EventKind::Start)];
    let mut lanes: Vec<Lane> = Vec::new();
    response.for_each_text(&mut |lane, text| {
        lanes.push(lane);
        events.push(StreamEvent::inserted(EventKind::TextDelta { lane, text: text.into() }));
    });
    let mut choices: Vec<u32> = lanes.iter().map(|lane| lane.choice).collect();
    choices.dedup();
    let finish = |choice| EventKind::Finish { choice, reason: FinishReason::Stop };
    events.extend(choices.into_iter().map(|choice| StreamEvent::inserted(finish(choice))));
    let mut encoder = keeping::stream_encoder(course, StreamSettings::default());
    let mut body = Vec::new();
    encoder.write(None, &events, &mut body);
    encoder.write_end(&mut body);
    (HeaderValue::from_static(course.codec.stream_content_type()), body.into(), encoder.take_whole())
}

fn unreachable_error(course: &Course) -> gatewright::dialect::ErrorBody<'static> {
    gatewright::dialect::ErrorBody {
        status: StatusCode::INTERNAL_SERVER_ERROR,
        class: gatewright::dialect::ErrorClass::Server,
        code: None,
        message: "the gateway failed to process the request".into(),
        param: None,
        request_id: Some(course.id),
        retry_after: None,
    }
}

/// Names the exchange, in each header in which a library of the dialect looks for its id.
pub fn set_request_id(headers: &mut HeaderMap, id: RequestId, codec: &dyn Codec) {
    if let Ok(id) = HeaderValue::from_str(id.as_str()) {
        let own = codec.request_id_header().map(|name| (name, id.clone()));
        headers.extend(own);
        headers.insert(REQUEST_ID.clone(), id);
    }
}

fn set_headers(course: &mut Course, headers: &mut HeaderMap, content_type: HeaderValue) {
    tell(course, headers);
    headers.insert(CONTENT_TYPE, content_type);
}

/// What the head of every answer says of its exchange.
pub(crate) fn tell(course: &mut Course, headers: &mut HeaderMap) {
    if let Some(cx) = course.cx.as_ref() {
        headers.extend(cx.response_headers.clone());
    }
    if let Some(value) = course.trace.as_ref().and_then(|trace| HeaderValue::from_str(trace.as_str()).ok()) {
        headers.insert(crate::trace::HEADER, value);
    }
    if let Some(value) = lost(&course.facts.losses) {
        headers.insert(LOST.clone(), value);
    }
    set_request_id(headers, course.id, course.codec);
    course.facts.hints.write(headers);
}

/// What the translation of the request lost, up to a bound: `/seed;dropped, /messages/2;approximated`. What no header
/// carries of a name that a caller invented is written as `?`.
fn lost(losses: &[Loss]) -> Option<HeaderValue> {
    let mut text = String::new();
    for Loss { field, kind } in losses {
        let field = field.replace(|letter: char| !letter.is_ascii_graphic(), "?");
        let entry = format!("{field};{}", kind.as_str());
        if text.len() + entry.len() > LOST_BYTES_MAX {
            text.push_str(", ...");
            break;
        }
        if !text.is_empty() {
            text.push_str(", ");
        }
        text.push_str(&entry);
    }
    (!text.is_empty()).then(|| HeaderValue::try_from(text).ok()).flatten()
}

/// Waits until the record is durable, within the bound of the settings.
pub(crate) async fn wait_for_record(course: &mut Course, settled: Settled) {
    let written = tokio::time::timeout(course.worker.settings.record_wait, settled.receipt).await;
    let why = match written {
        Ok(Ok(())) => return,
        Ok(Err(why)) => why,
        Err(_) => "the record was not durable in time".into(),
    };
    record_late(course, &why);
}

/// The answer goes out without waiting longer: the writer still has the record, and this is seen.
pub(crate) fn record_late(course: &Course, why: &str) {
    if let Some(principal) = &course.facts.principal {
        course.worker.observer.record_delayed(&principal.tenant);
    }
    tracing::error!(id = %course.id, why, "Usage record is late");
}

#[cfg(test)]
mod tests {
    use gatewright::chat::{Loss, LossKind};

    #[test]
    fn losses_are_named_up_to_a_bound_whatever_their_letters() {
        let loss = |field: &str| Loss { field: field.to_owned().into(), kind: LossKind::Dropped };
        let text = |losses: &[Loss]| super::lost(losses).map(|value| value.to_str().unwrap().to_owned());
        assert_eq!(text(&[]), None);
        assert_eq!(
            text(&[loss("/seed"), loss("/gr\u{fc}\u{df}e")]).as_deref(),
            Some("/seed;dropped, /gr??e;dropped")
        );
        let many: Vec<_> = (0..200).map(|index| loss(&format!("/messages/{index}"))).collect();
        let cut = text(&many).unwrap();
        assert!(cut.len() < 1_100 && cut.ends_with(", ..."), "{cut}");
    }
}
