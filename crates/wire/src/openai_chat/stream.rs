//! What the decoders of streams have in common: text that stands in a frame as it reads, and what is wrong with a
//! stream.

use gatewright::dialect::Frame;
use gatewright::text::Lane;
use gatewright::{EventKind, EventText, Failure, FailureKind, Side, StreamEvent};

use crate::json::{JsonError, JsonStr};
use crate::sse::SseError;

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
    let bytes = (end <= frame.data.len()).then(|| frame.data.slice(start..end))?;
    Some(StreamEvent::from_frame(
        EventKind::TextDelta { lane: place_of(lane), text: EventText::shared(bytes)? },
        0,
    ))
}

/// The end of the stream has cut an event.
pub(crate) fn broken_off(error: &JsonError) -> Failure {
    let message = "the provider's answer broke off";
    Failure::new(Side::Upstream, FailureKind::Unavailable, message).with_detail(error.to_string())
}

/// An event is larger than any can be.
pub(crate) fn too_large(error: &SseError) -> Failure {
    let message = "the provider sent an event that is too large";
    Failure::new(Side::Upstream, FailureKind::Malformed, message).with_detail(error.to_string())
}

/// An event is no JSON.
pub(crate) fn malformed(data: Option<&[u8]>, error: &JsonError) -> Failure {
    let message = "the provider sent an event that is not of its protocol";
    // The detail goes to the log, so it says where the fault is and quotes nothing of the answer.
    let detail = format!("{error}, in an event of {} bytes", data.unwrap_or_default().len());
    Failure::new(Side::Upstream, FailureKind::Malformed, message).with_detail(detail)
}
