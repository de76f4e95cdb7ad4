//! A request in the form that the pipeline takes, and its body under a cap.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use gatewright::dialect::Address;
use gatewright::{Failure, FailureKind, Side};
use gatewright_pipeline::Flow;
use gatewright_pipeline::state::{ReadBody, Received};
use http_body::{Body as _, Frame, SizeHint};

use crate::application::Inbound;
use crate::listener::{ClientBodyError, ConnectionInfo};

/// How much is reserved for a body whose announced length nobody has seen yet.
const RESERVED_BYTES_MAX: u64 = 4 * 1024 * 1024;

/// Takes a request apart.
pub(crate) fn receive(request: Inbound) -> Received<InboundBody> {
    let (mut head, body) = request.into_parts();
    let info = head.extensions.remove::<ConnectionInfo>();
    let nowhere = SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0));
    Received {
        peer: info.as_ref().map_or(nowhere, ConnectionInfo::peer),
        tls: info.as_ref().is_some_and(ConnectionInfo::is_tls),
        address: Address::default(),
        body: InboundBody(body),
        head,
    }
}

/// A body that is there already.
#[derive(Debug)]
pub(crate) struct ReadyBody(pub(crate) Bytes);

impl ReadBody for ReadyBody {
    async fn read(self, bytes_max: u64) -> Result<Bytes, Failure> {
        let length = u64::try_from(self.0.len()).unwrap_or(u64::MAX);
        if length > bytes_max { Err(too_large(bytes_max)) } else { Ok(self.0) }
    }

    fn flow(self, bytes_max: u64) -> Result<Flow, Failure> {
        Capped::of(self.0.into(), bytes_max).map(|capped| Box::pin(capped) as Flow)
    }
}

/// A request's body, unread.
#[derive(Debug)]
pub(crate) struct InboundBody(Body);

impl ReadBody for InboundBody {
    async fn read(self, bytes_max: u64) -> Result<Bytes, Failure> {
        let mut body = pin!(Capped::of(self.0, bytes_max)?);
        let announced = body.size_hint().lower();
        // Most bodies come in one piece, which then needs no copy.
        let mut first = Bytes::new();
        let mut joined = BytesMut::new();
        while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            let Ok(data) = frame?.into_data() else { continue };
            if first.is_empty() {
                first = data;
                continue;
            }
            if joined.is_empty() {
                let expected = usize::try_from(announced.min(RESERVED_BYTES_MAX)).unwrap_or(0);
                joined.reserve(expected.max(first.len().saturating_add(data.len())));
                joined.extend_from_slice(&first);
            }
            joined.extend_from_slice(&data);
        }
        Ok(if joined.is_empty() { first } else { joined.freeze() })
    }

    fn flow(self, bytes_max: u64) -> Result<Flow, Failure> {
        Capped::of(self.0, bytes_max).map(|capped| Box::pin(capped) as Flow)
    }
}

/// A body that fails where it exceeds its cap.
struct Capped {
    body: Body,
    bytes_max: u64,
    bytes_left: u64,
}

impl Capped {
    /// A body under a cap, unless its announced length exceeds that already.
    fn of(body: Body, bytes_max: u64) -> Result<Self, Failure> {
        let is_over = body.size_hint().lower() > bytes_max;
        if is_over { Err(too_large(bytes_max)) } else { Ok(Self { body, bytes_max, bytes_left: bytes_max }) }
    }
}

impl http_body::Body for Capped {
    type Data = Bytes;
    type Error = Failure;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Failure>>> {
        let Some(frame) = ready!(Pin::new(&mut self.body).poll_frame(cx)) else { return Poll::Ready(None) };
        let frame = match frame {
            Ok(frame) => frame,
            Err(error) => return Poll::Ready(Some(Err(broken(error)))),
        };
        let bytes = frame.data_ref().map_or(0, |data| data.len() as u64);
        match self.bytes_left.checked_sub(bytes) {
            Some(left) => self.bytes_left = left,
            None => return Poll::Ready(Some(Err(too_large(self.bytes_max)))),
        }
        Poll::Ready(Some(Ok(frame)))
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

fn too_large(bytes_max: u64) -> Failure {
    let text = format!("the request body is larger than {bytes_max} bytes; send a shorter request");
    Failure::new(Side::Client, FailureKind::TooLarge, text)
}

fn broken(error: axum::Error) -> Failure {
    let error = error.into_inner();
    let (kind, text) = match error.downcast_ref::<ClientBodyError>() {
        Some(ClientBodyError::TimedOut) => {
            (FailureKind::ClientTimeout, "the request body did not come in time; send it faster")
        }
        Some(ClientBodyError::Malformed(_)) => {
            (FailureKind::Invalid, "the framing of the request body is not valid HTTP")
        }
        _ => (FailureKind::ClientGone, "the client closed the connection"),
    };
    Failure::new(Side::Client, kind, text).with_detail(error.to_string())
}
