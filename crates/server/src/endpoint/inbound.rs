//! A request in the form that the pipeline takes, and its body under a cap.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::pin;

use axum::body::Body;
use bytes::{Bytes, BytesMut};
use gatewright::dialect::Address;
use gatewright::{Failure, FailureKind, Side};
use gatewright_pipeline::state::{ReadBody, Received};
use http_body::Body as _;

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
}

/// A request's body, unread.
#[derive(Debug)]
pub(crate) struct InboundBody(Body);

impl ReadBody for InboundBody {
    async fn read(self, bytes_max: u64) -> Result<Bytes, Failure> {
        let mut body = pin!(self.0);
        let announced = body.size_hint().lower();
        if announced > bytes_max {
            return Err(too_large(bytes_max));
        }
        // Most bodies come in one piece, which then needs no copy.
        let mut first = Bytes::new();
        let mut joined = BytesMut::new();
        while let Some(frame) = poll_fn(|cx| body.as_mut().poll_frame(cx)).await {
            let Ok(data) = frame.map_err(broken)?.into_data() else { continue };
            let so_far = first.len().max(joined.len()).saturating_add(data.len());
            if u64::try_from(so_far).unwrap_or(u64::MAX) > bytes_max {
                return Err(too_large(bytes_max));
            }
            if first.is_empty() {
                first = data;
                continue;
            }
            if joined.is_empty() {
                let expected = usize::try_from(announced.min(RESERVED_BYTES_MAX)).unwrap_or(0);
                joined.reserve(expected.max(so_far));
                joined.extend_from_slice(&first);
            }
            joined.extend_from_slice(&data);
        }
        Ok(if joined.is_empty() { first } else { joined.freeze() })
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
