//! The answer's body on its way out, with the mark that its request is in flight.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::info::ConnectionInfo;

/// Marks a request as in flight, from its head to the end of the answer's body.
#[derive(Debug)]
pub(super) struct InFlight {
    info: ConnectionInfo,
    complete: bool,
    frame_is_out: bool,
}

impl InFlight {
    pub(super) fn new(info: ConnectionInfo) -> Self {
        info.activity().request_began();
        InFlight { info, complete: false, frame_is_out: false }
    }

    pub(super) fn info(&self) -> &ConnectionInfo {
        &self.info
    }

    fn frame_handed_over(&mut self) {
        self.info.activity().frame_handed_over();
        self.frame_is_out = true;
    }

    fn frame_gone(&mut self) {
        if self.frame_is_out {
            self.info.activity().frame_gone();
            self.frame_is_out = false;
        }
    }
}

impl Drop for InFlight {
    fn drop(&mut self) {
        self.frame_gone();
        self.info.activity().request_ended(self.complete);
    }
}

pin_project! {
    /// An answer's body as hyper polls it.
    #[derive(Debug)]
    pub(super) struct AnswerBody<B> {
        #[pin]
        content: Content<B>,
        in_flight: InFlight,
        // On HTTP/2 hyper asks for a frame when the client has room for one, so a frame is out until the
        // next is asked for. That is how a client that takes nothing is seen.
        counts_frames: bool,
    }
}

pin_project! {
    #[project = ContentProjection]
    #[derive(Debug)]
    enum Content<B> {
        /// The service's.
        Served { #[pin] body: B },
        /// The listener's own, when it refused the request.
        Refused { body: Option<Bytes> },
    }
}

impl<B: Body> AnswerBody<B> {
    pub(super) fn served(body: B, mut in_flight: InFlight, counts_frames: bool) -> Self {
        // hyper does not poll a body that has nothing to say.
        in_flight.complete = body.is_end_stream();
        AnswerBody { content: Content::Served { body }, in_flight, counts_frames }
    }

    pub(super) fn info(&self) -> &ConnectionInfo {
        self.in_flight.info()
    }

    pub(super) fn refused(body: Bytes, in_flight: InFlight) -> Self {
        let content = Content::Refused { body: Some(body) };
        AnswerBody { content, in_flight, counts_frames: false }
    }
}

impl<B: Body<Data = Bytes>> Body for AnswerBody<B> {
    type Data = Bytes;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, B::Error>>> {
        let this = self.project();
        this.in_flight.frame_gone();
        let polled = match this.content.project() {
            ContentProjection::Served { mut body } => {
                let polled = body.as_mut().poll_frame(cx);
                if let Poll::Ready(frame) = &polled {
                    this.in_flight.complete = match frame {
                        Some(Ok(_)) => body.is_end_stream(),
                        Some(Err(_)) | None => true,
                    };
                }
                polled
            }
            ContentProjection::Refused { body } => {
                this.in_flight.complete = true;
                Poll::Ready(body.take().map(|bytes| Ok(Frame::data(bytes))))
            }
        };
        if *this.counts_frames && matches!(polled, Poll::Ready(Some(Ok(_)))) {
            this.in_flight.frame_handed_over();
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.content {
            Content::Served { body } => body.is_end_stream(),
            Content::Refused { body } => body.is_none(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.content {
            Content::Served { body } => body.size_hint(),
            Content::Refused { body } => SizeHint::with_exact(body.as_ref().map_or(0, |b| b.len() as u64)),
        }
    }
}
