//! A request's body that flows: its lead is at hand, the rest goes to the provider as it comes.
//!
//! One try may take it. From then on there is no other, because nobody has the bytes any more.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use gatewright::Failure;
use gatewright::dialect::TailWatch;
use gatewright_upstream::RequestBody;
use http_body::{Body, Frame, SizeHint};
use parking_lot::Mutex;

/// A body as it comes. It fails with what the client is to be told.
pub type Flow = Pin<Box<dyn Body<Data = Bytes, Error = Failure> + Send>>;

/// A body that is at hand, as one that flows.
#[must_use]
pub fn at_hand(bytes: Bytes) -> Flow {
    Box::pin(AtHand(Some(bytes).filter(|bytes| !bytes.is_empty())))
}

struct AtHand(Option<Bytes>);

impl Body for AtHand {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        Poll::Ready(self.0.take().map(|bytes| Ok(Frame::data(bytes))))
    }

    fn is_end_stream(&self) -> bool {
        self.0.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.0.as_ref().map_or(0, |bytes| bytes.len() as u64))
    }
}

/// What follows the lead of a request, shared by the tries of its exchange.
#[derive(Clone)]
pub(crate) struct Upload(Arc<Mutex<State>>);

struct State {
    /// Gone once a try has taken it.
    rest: Option<Rest>,
    /// Why the client's side of it ended early.
    failure: Option<Failure>,
}

struct Rest {
    flow: Flow,
    watch: Option<Box<dyn TailWatch>>,
}

impl Upload {
    /// The rest of a body, and who sees it before it goes out.
    pub(crate) fn new(flow: Flow, watch: Option<Box<dyn TailWatch>>) -> Self {
        Self(Arc::new(Mutex::new(State { rest: Some(Rest { flow, watch }), failure: None })))
    }

    /// Whether a try has begun to send it.
    pub(crate) fn is_taken(&self) -> bool {
        self.0.lock().rest.is_none()
    }

    /// Why it ended early, if that was the client's doing.
    pub(crate) fn failure(&self) -> Option<Failure> {
        self.0.lock().failure.clone()
    }

    /// The body of one try, with its own lead. The rest is taken when the lead is.
    pub(crate) fn body(&self, lead: Bytes) -> RequestBody {
        let state = self.0.lock();
        let rest = state.rest.as_ref().map(|rest| rest.flow.size_hint()).unwrap_or_default();
        let mut size = SizeHint::new();
        let lead_bytes = lead.len() as u64;
        size.set_lower(rest.lower().saturating_add(lead_bytes));
        if let Some(upper) = rest.upper() {
            size.set_upper(upper.saturating_add(lead_bytes));
        }
        RequestBody::stream(Forward { upload: self.clone(), lead: Some(lead), rest: None, size })
    }
}

impl std::fmt::Debug for Upload {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Upload").field("is_taken", &self.is_taken()).finish_non_exhaustive()
    }
}

/// The body of one try. Dropping it stops the upload.
struct Forward {
    upload: Upload,
    /// There until it is sent.
    lead: Option<Bytes>,
    /// There from then until the end.
    rest: Option<Rest>,
    size: SizeHint,
}

/// The client's side of an upload failed; the exchange knows why.
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the upload was broken off")]
struct Broken;

impl Forward {
    fn begin(&mut self, lead: Bytes) -> Bytes {
        self.rest = self.upload.0.lock().rest.take();
        lead
    }

    fn poll_rest(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Failure>>> {
        let Some(Rest { flow, watch }) = &mut self.rest else { return Poll::Ready(None) };
        loop {
            let seen = match std::task::ready!(flow.as_mut().poll_frame(cx)) {
                Some(Ok(frame)) => {
                    let Ok(data) = frame.into_data() else { continue };
                    watch.as_mut().map_or(Ok(()), |watch| watch.see(&data)).map(|()| Some(data))
                }
                Some(Err(failure)) => Err(failure),
                None => watch.as_mut().map_or(Ok(()), |watch| watch.end()).map(|()| None),
            };
            return Poll::Ready(seen.transpose());
        }
    }
}

impl Body for Forward {
    type Data = Bytes;
    type Error = Broken;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Broken>>> {
        if let Some(lead) = self.lead.take() {
            let lead = self.begin(lead);
            if !lead.is_empty() {
                return Poll::Ready(Some(Ok(Frame::data(lead))));
            }
        }
        let polled = std::task::ready!(self.poll_rest(cx));
        if !matches!(polled, Some(Ok(_))) {
            self.rest = None;
        }
        Poll::Ready(polled.map(|piece| match piece {
            Ok(data) => Ok(Frame::data(data)),
            Err(failure) => {
                self.upload.0.lock().failure.get_or_insert(failure);
                Err(Broken)
            }
        }))
    }

    fn is_end_stream(&self) -> bool {
        // The end of the rest is seen by the watch, so that only a poll can tell it.
        self.lead.is_none() && self.rest.is_none()
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}
