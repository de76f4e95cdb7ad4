//! The body of every answer.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::pump::Pump;

/// The body of an answer: bytes at hand, or a stream that polls the provider as it is polled.
///
/// What goes wrong after the head was sent is said inside the stream, in the caller's dialect. It fails only where the
/// dialect has no place for that, so that nobody takes the part for the whole.
#[derive(Debug)]
pub struct AnswerBody(Kind);

/// The answer ended before it was complete.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the answer broke off before it was complete")]
pub struct BrokeOff;

#[derive(Debug)]
enum Kind {
    Whole(Option<Bytes>),
    Stream(Box<Pump>),
}

impl AnswerBody {
    /// Bytes at hand.
    #[must_use]
    pub fn whole(bytes: Bytes) -> Self {
        Self(Kind::Whole(Some(bytes).filter(|bytes| !bytes.is_empty())))
    }

    pub(super) fn stream(pump: Pump) -> Self {
        Self(Kind::Stream(Box::new(pump)))
    }
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = BrokeOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokeOff>>> {
        match &mut self.0 {
            Kind::Whole(bytes) => Poll::Ready(bytes.take().map(|bytes| Ok(Frame::data(bytes)))),
            Kind::Stream(pump) => pump.poll(cx).map(|bytes| bytes.map(|bytes| bytes.map(Frame::data))),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Kind::Whole(bytes) => bytes.is_none(),
            Kind::Stream(pump) => pump.is_done(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Kind::Whole(bytes) => {
                let len = bytes.as_ref().map_or(0, |bytes| u64::try_from(bytes.len()).unwrap_or(u64::MAX));
                SizeHint::with_exact(len)
            }
            Kind::Stream(_) => SizeHint::default(),
        }
    }
}
