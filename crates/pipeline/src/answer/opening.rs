//! The beginning of an answer: until its first event is there, nothing goes to the client, so a
//! failure up to then has a status of its own and another target may be tried.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use gatewright::dialect::{Codec, Frame, FrameKind, StreamDecoder};
use gatewright::{EventKind, Failure, FailureKind, Side};
use gatewright_upstream::{Answer, AnswerBody};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use http_body::Body;

use crate::course::Course;
use crate::phase::send::{CollectError, collect, read_failure, shutdown};
use crate::state::Reserved;

/// An answer that has begun.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    /// What it is written in.
    pub(crate) codec: &'static dyn Codec,
    pub(crate) content: Content,
}

/// What has come so far.
#[derive(Debug)]
pub(crate) enum Content {
    /// Everything.
    Whole(Bytes),
    /// The first event, and where the rest comes from.
    Stream(Box<Source>),
}

/// A stream that has begun.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) body: Pin<Box<AnswerBody>>,
    pub(crate) decoder: Box<dyn StreamDecoder>,
    /// The first frames, in order; empty when the head had to go out before any came.
    pub(crate) first: Vec<Frame>,
    /// Whether the body has ended already.
    pub(crate) is_ended: bool,
}

/// Waits until the answer has begun: for the whole of one that is not streamed, for the first
/// event of one that is.
pub(crate) async fn open(
    course: &mut Course,
    codec: &'static dyn Codec,
    reserved: &Reserved,
    answer: Answer,
) -> Result<Opened, Failure> {
    let Answer { status, headers, body, .. } = answer;
    let content_type = headers.get(header::CONTENT_TYPE);
    let is_stream = reserved.0.request.streams() && (codec.is_opaque() || is_stream(codec, content_type));
    let content = if is_stream {
        let source = Source {
            body: Box::pin(body),
            decoder: codec.stream_decoder(),
            first: Vec::new(),
            is_ended: false,
        };
        Content::Stream(Box::new(first_event(course, source).await?))
    } else {
        Content::Whole(whole(course, body).await?)
    };
    if let Some(attempt) = &mut course.attempt {
        attempt.answered = Some(course.worker.clock.now());
    }
    Ok(Opened { status, headers, codec, content })
}

fn is_stream(codec: &dyn Codec, content_type: Option<&HeaderValue>) -> bool {
    let expected = codec.stream_content_type().split(';').next().unwrap_or_default();
    content_type.is_some_and(|value| value.as_bytes().starts_with(expected.as_bytes()))
}

async fn whole(course: &mut Course, body: AnswerBody) -> Result<Bytes, Failure> {
    let bytes_max = course.worker.settings.answer_bytes_max;
    let mut cut = course.worker.cut.signal();
    let mut collecting = std::pin::pin!(collect(body, bytes_max));
    let collected = poll_fn(|cx| match collecting.as_mut().poll(cx) {
        Poll::Ready(result) => Poll::Ready(Some(result)),
        Poll::Pending => cut.poll_cut(cx).map(|()| None),
    })
    .await;
    match collected {
        None => Err(shutdown()),
        Some(Ok(bytes)) => Ok(bytes),
        Some(Err(CollectError::Read(error))) => Err(read_failure(&error)),
        Some(Err(CollectError::TooLarge)) => {
            let text = format!("the provider's answer is larger than {bytes_max} bytes");
            Err(Failure::new(Side::Upstream, FailureKind::Malformed, text))
        }
    }
}

/// Reads up to the first event that is part of the answer.
async fn first_event(course: &mut Course, mut source: Source) -> Result<Source, Failure> {
    let mut cut = course.worker.cut.signal();
    let mut commit = std::pin::pin!(tokio::time::sleep(course.worker.settings.commit_after));
    loop {
        while let Some(frame) = source.decoder.next_frame()? {
            match frame.kind {
                FrameKind::KeepAlive => source.first.push(frame),
                FrameKind::Error => return Err(failure_in(&mut *source.decoder, &frame)),
                FrameKind::Data | FrameKind::End => {
                    source.first.push(frame);
                    return Ok(source);
                }
            }
        }
        let chunk = poll_fn(|cx| {
            if let Poll::Ready(frame) = source.body.as_mut().poll_frame(cx) {
                return Poll::Ready(Next::Chunk(frame));
            }
            if cut.poll_cut(cx).is_ready() {
                return Poll::Ready(Next::Shutdown);
            }
            commit.as_mut().poll(cx).map(|()| Next::Commit)
        })
        .await;
        match chunk {
            Next::Chunk(Some(Ok(frame))) => {
                if let Ok(data) = frame.into_data() {
                    source.decoder.push(data);
                }
            }
            Next::Chunk(Some(Err(error))) => return Err(read_failure(&error)),
            Next::Chunk(None) => return ended_early(source),
            Next::Shutdown => return Err(shutdown()),
            Next::Commit => return Ok(source),
        }
    }
}

enum Next {
    Chunk(Option<Result<http_body::Frame<Bytes>, gatewright_upstream::ReadError>>),
    Shutdown,
    Commit,
}

/// The body ended before its first event, or with it and without a final line end.
fn ended_early(mut source: Source) -> Result<Source, Failure> {
    source.is_ended = true;
    match source.decoder.finish()? {
        Some(frame) if frame.kind == FrameKind::Error => Err(failure_in(&mut *source.decoder, &frame)),
        Some(frame) => {
            source.first.push(frame);
            Ok(source)
        }
        // In some dialects nothing is an answer, too.
        None if source.decoder.is_complete() => Ok(source),
        None => Err(broke_off()),
    }
}

/// A stream that ended without saying so.
pub(crate) fn broke_off() -> Failure {
    let text = "the provider broke off its answer before it was complete";
    Failure::new(Side::Upstream, FailureKind::Unavailable, text)
}

/// The failure that an error frame reports.
pub(crate) fn failure_in(decoder: &mut dyn StreamDecoder, frame: &Frame) -> Failure {
    let mut events = Vec::new();
    if let Err(failure) = decoder.events(frame, &mut events) {
        return failure;
    }
    let reported = events.iter().find_map(|event| match event.kind() {
        EventKind::Error(failure) => Some((**failure).clone()),
        _ => None,
    });
    reported.unwrap_or_else(broke_off)
}
