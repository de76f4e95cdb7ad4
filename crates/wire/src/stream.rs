//! What the decoders and encoders of streams have in common, whatever their dialect: a glance at each event of a
//! provider, text that stands in a frame as it reads, what is wrong with a stream and how that is passed on.

use std::fmt::Display;

use bytes::Bytes;
use gatewright::dialect::{ErrorBody, ErrorClass, Frame, FrameKind, UsageArtefact};
use gatewright::text::Lane;
use gatewright::{EventKind, EventText, Failure, FailureKind, Side, StreamEvent};
use http::StatusCode;

use crate::json::{JsonError, JsonStr};
use crate::lines::LineDecoder;
use crate::refusal;
use crate::sse::{SseDecoder, SseError, SseFrame};

/// How a stream is cut into the units that a dialect reads.
pub(crate) trait Framing {
    /// Takes the next chunk.
    fn take_chunk(&mut self, chunk: Bytes);
    /// The next unit that is complete.
    fn next_unit(&mut self) -> Result<Option<SseFrame>, SseError>;
    /// What is left when no chunk follows.
    fn last_unit(&mut self) -> Result<Option<SseFrame>, SseError>;
}

impl Framing for SseDecoder {
    fn take_chunk(&mut self, chunk: Bytes) {
        self.push(chunk);
    }

    fn next_unit(&mut self) -> Result<Option<SseFrame>, SseError> {
        self.next_frame()
    }

    fn last_unit(&mut self) -> Result<Option<SseFrame>, SseError> {
        self.finish()
    }
}

impl Framing for LineDecoder {
    fn take_chunk(&mut self, chunk: Bytes) {
        self.push(chunk);
    }

    fn next_unit(&mut self) -> Result<Option<SseFrame>, SseError> {
        self.next_frame()
    }

    fn last_unit(&mut self) -> Result<Option<SseFrame>, SseError> {
        self.finish()
    }
}

/// The frames of a provider's stream, server-sent events mostly, each with a dialect's glance at it.
#[derive(Debug, Default)]
pub(crate) struct Frames<F = SseDecoder> {
    framing: F,
    /// The stream cannot be read on.
    is_dead: bool,
}

impl Frames {
    /// Frames that may be as large as that.
    pub(crate) fn up_to(event_bytes_max: usize) -> Self {
        Self { framing: SseDecoder::new(event_bytes_max), is_dead: false }
    }
}

impl<F: Framing> Frames<F> {
    pub(crate) fn push(&mut self, chunk: Bytes) {
        self.framing.take_chunk(chunk);
    }

    /// The next complete frame, unless the answer has ended: what some vendors send after it is not part of it.
    pub(crate) fn next(
        &mut self,
        has_ended: bool,
        glance: impl FnOnce(SseFrame) -> Result<Frame, JsonError>,
    ) -> Result<Option<Frame>, Failure> {
        let framed = self.framing.next_unit();
        self.look_at(framed, has_ended, glance, |data, error| malformed(data, error))
    }

    /// The last frame, where the stream ends without a blank line. One that does not parse has been cut by the end.
    pub(crate) fn finish(
        &mut self,
        has_ended: bool,
        glance: impl FnOnce(SseFrame) -> Result<Frame, JsonError>,
    ) -> Result<Option<Frame>, Failure> {
        let framed = self.framing.last_unit();
        self.look_at(framed, has_ended, glance, |_, error| broken_off(error))
    }

    /// Whether the stream cannot be read on.
    pub(crate) const fn is_dead(&self) -> bool {
        self.is_dead
    }

    /// Adds the glance to what was framed; `refuse` says what it means if the data are not JSON.
    fn look_at(
        &mut self,
        framed: Result<Option<SseFrame>, SseError>,
        has_ended: bool,
        glance: impl FnOnce(SseFrame) -> Result<Frame, JsonError>,
        refuse: impl FnOnce(&[u8], &JsonError) -> Failure,
    ) -> Result<Option<Frame>, Failure> {
        if self.is_dead || has_ended {
            return Ok(None);
        }
        let looked = match framed {
            Ok(None) => return Ok(None),
            Ok(Some(frame)) => {
                let data = frame.data.clone().unwrap_or_default();
                glance(frame).map_err(|error| refuse(&data, &error))
            }
            Err(error) => Err(too_large(&error)),
        };
        self.is_dead = looked.is_err();
        looked.map(Some)
    }
}

/// An answer has so many blocks, calls or choices at most. More than that is no answer, but a provider that fills our
/// memory.
pub(crate) const PARTS_MAX: usize = 4_096;

/// So much of a stream is kept until its end, at most.
pub(crate) const KEPT_BYTES_MAX: usize = 16 << 20;

/// An answer has more parts than [`PARTS_MAX`].
pub(crate) fn too_many_parts() -> Failure {
    let message = "the provider's answer has more parts than an answer can have";
    Failure::new(Side::Upstream, FailureKind::Malformed, message)
}

/// What a client is told where more would have to be kept than [`KEPT_BYTES_MAX`].
pub(crate) fn too_much() -> ErrorBody<'static> {
    ErrorBody {
        status: StatusCode::BAD_GATEWAY,
        class: ErrorClass::Server,
        code: None,
        message: "the provider's answer is larger than an answer can be".into(),
        param: None,
        request_id: None,
        retry_after: None,
    }
}

/// The half of a character in which the last piece of a text ended: escapes may cut a character in two, and events
/// may part the halves.
#[derive(Debug, Default)]
pub(crate) struct Halves {
    open: Option<(Lane, u32)>,
}

impl Halves {
    /// What a piece of a lane says, with the half before it, and without the half in which it ends itself.
    pub(crate) fn text(&mut self, lane: Lane, text: &JsonStr<'_>) -> EventText {
        let mut half = self.open.filter(|(own, _)| *own == lane).map(|(_, half)| half);
        let had_half = half.is_some();
        let said = text.decode_after(&mut half).into_owned();
        if had_half || half.is_some() {
            self.open = half.map(|half| (lane, half));
        }
        said.into()
    }

    /// The text of a frame that has nothing else to say, as [`sole`] gives it, unless a half waits for its rest.
    pub(crate) fn sole(&self, frame: &Frame, place_of: impl FnOnce(Lane) -> Lane) -> Option<StreamEvent> {
        if self.open.is_some() { None } else { sole(frame, place_of) }
    }
}

/// A frame of which a glance tells no more than what it is.
pub(crate) const fn bare(kind: FrameKind, raw: Bytes, data: Bytes) -> Frame {
    Frame {
        raw,
        data,
        kind,
        usage: None,
        text_bytes: 0,
        sole_text: None,
        usage_artefact: UsageArtefact::None,
    }
}

/// The event of a frame whose kind says all there is to it.
pub(crate) fn told_by_kind(frame: &Frame) -> Option<StreamEvent> {
    let kind = match frame.kind {
        FrameKind::KeepAlive | FrameKind::Data => return None,
        FrameKind::End => EventKind::End,
        FrameKind::Error => EventKind::Error(Box::new(refusal::parse_in_stream(&frame.data))),
    };
    Some(StreamEvent::from_frame(kind, 0))
}

/// The event at a place of its frame. Who reads the frame has seen to it that it has no more events than can be counted.
pub(crate) fn numbered(kind: EventKind, ordinal: usize) -> StreamEvent {
    StreamEvent::from_frame(kind, u16::try_from(ordinal).unwrap_or(u16::MAX))
}

/// Where a text stands in the data, if it stands there as it reads.
pub(crate) fn plain(text: &JsonStr<'_>) -> Option<std::ops::Range<u32>> {
    let span = text.span();
    let is_plain = !text.is_source() && memchr::memchr(b'\\', text.escaped()).is_none();
    // The quotes around it are not part of it.
    let place = (u32::try_from(span.start + 1).ok()?, u32::try_from(span.end.saturating_sub(1)).ok()?);
    is_plain.then_some(place.0..place.1)
}

/// The text of a frame that has nothing else to say; `place_of` knows the lane of the stream that a lane of its frame
/// is.
pub(crate) fn sole(frame: &Frame, place_of: impl FnOnce(Lane) -> Lane) -> Option<StreamEvent> {
    let (lane, place) = frame.sole_text.clone()?;
    let (start, end) = (usize::try_from(place.start).ok()?, usize::try_from(place.end).ok()?);
    let bytes = (start <= end && end <= frame.data.len()).then(|| frame.data.slice(start..end))?;
    Some(StreamEvent::from_frame(
        EventKind::TextDelta { lane: place_of(lane), text: EventText::shared(bytes)? },
        0,
    ))
}

/// A failure among the events, as the stream says it. What a failure of the exchange looks like is decided
/// elsewhere; this is one that a filter has passed on.
pub(crate) fn error_body(failure: &Failure) -> ErrorBody<'_> {
    ErrorBody {
        status: failure.status.unwrap_or(StatusCode::BAD_GATEWAY),
        class: ErrorClass::Server,
        code: failure.code.as_deref().map(Into::into),
        message: failure.message.as_ref().into(),
        param: failure.param.as_deref().map(Into::into),
        request_id: None,
        retry_after: failure.retry_after,
    }
}

/// The end of the stream has cut an event.
fn broken_off(error: &JsonError) -> Failure {
    let message = "the provider's answer broke off";
    Failure::new(Side::Upstream, FailureKind::Unavailable, message).with_detail(error.to_string())
}

/// An event is larger than any can be.
fn too_large(error: &SseError) -> Failure {
    let message = "the provider sent an event that is too large";
    Failure::new(Side::Upstream, FailureKind::Malformed, message).with_detail(error.to_string())
}

/// An event is not what the dialect has.
pub(crate) fn malformed(data: &[u8], reason: &dyn Display) -> Failure {
    let message = "the provider sent an event that is not of its protocol";
    // The detail goes to the log, so it says where the fault is and quotes nothing of the answer.
    let detail = format!("{reason}, in an event of {} bytes", data.len());
    Failure::new(Side::Upstream, FailureKind::Malformed, message).with_detail(detail)
}
