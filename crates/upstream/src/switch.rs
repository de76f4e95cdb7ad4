//! Connections that leave HTTP for another protocol, RFC 9110, section 7.8.
//!
//! One request is sent over a connection of its own; once the provider has switched, the connection is a bare stream of
//! bytes for whoever asked. What is spoken on it is not this crate's business.

use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONNECTION, UPGRADE};
use http::{HeaderMap, HeaderValue, Request, Response, StatusCode};
use http_body::Body;
use hyper::body::Incoming;
use hyper::client::conn::http1;
use hyper::upgrade::Upgraded;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::timeout;

use crate::call::{Call, RequestBody, strip_connection_headers};
use crate::connection::Counted;
use crate::connection::http1::BUFFER_BYTES_MAX;
use crate::connection::meter::{Metered, Traffic};
use crate::dial::socket::Socket;
use crate::error::{DialError, SendError, cause};
use crate::pool::Lease;

/// How much of the body of an answer that does not switch is read, in bytes.
const REFUSAL_BYTES_MAX: usize = 64 * 1024;

/// How a provider answered the wish to switch.
#[derive(Debug)]
pub enum Switch {
    /// It speaks the other protocol from here on. The headers are those of its answer.
    Switched(Box<Tunnel>, HeaderMap),
    /// It answered over HTTP.
    Refused(Box<Refused>),
}

/// An answer that does not switch.
#[derive(Debug)]
pub struct Refused {
    /// The status.
    pub status: StatusCode,
    /// The headers, without those that concern the connection only.
    pub headers: HeaderMap,
    /// The body, as much as came of it, up to a bound.
    pub body: Bytes,
}

/// A connection that has switched: a stream of bytes both ways.
///
/// # Cancellation
///
/// Dropping it closes the connection.
#[derive(Debug)]
pub struct Tunnel {
    /// What came with the provider's answer.
    first: Bytes,
    socket: Metered,
    // Given back after the socket is closed.
    _counted: Counted,
    _lease: Lease,
}

/// The work of a connection, up to its end or its switch.
type Connection = Pin<Box<dyn Future<Output = hyper::Result<()>> + Send>>;

/// The call as a request that asks for another protocol.
pub(crate) fn request(call: Call, protocol: HeaderValue) -> Result<Request<RequestBody>, SendError> {
    let mut request = call.into_request()?;
    request.headers_mut().insert(CONNECTION, HeaderValue::from_static("Upgrade"));
    request.headers_mut().insert(UPGRADE, protocol);
    Ok(request)
}

/// Sends the request and takes the connection over if the provider switches.
pub(crate) async fn switch(
    (socket, counted, lease): (Socket, Counted, Lease),
    host: &str,
    request: Request<RequestBody>,
    first_byte: Duration,
) -> Result<Switch, SendError> {
    let traffic = Arc::new(Traffic::default());
    let io = TokioIo::new(Metered::new(socket, Arc::clone(&traffic)));
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(BUFFER_BYTES_MAX)
        .handshake(io)
        .await
        .map_err(|_| DialError::Protocol { host: host.to_owned() })?;
    let mut connection: Option<Connection> = Some(Box::pin(connection.with_upgrades()));
    let answered = timeout(first_byte, beside(&mut connection, sender.send_request(request))).await;
    let timed_out = |_| SendError::FirstByteTimeout { waited: first_byte, sent: traffic.has_written() };
    let response =
        answered.map_err(timed_out)?.map_err(|error| cause::send_error(error, traffic.has_written()))?;
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        return Ok(Switch::Refused(Box::new(refused(&mut connection, response, first_byte).await)));
    }
    let mut response = response;
    let headers = std::mem::take(response.headers_mut());
    let upgraded = beside(&mut connection, hyper::upgrade::on(response)).await;
    let upgraded = upgraded.map_err(|error| cause::send_error(error, true))?;
    let (socket, first) = stream(upgraded)?;
    let tunnel = Tunnel { first, socket, _counted: counted, _lease: lease };
    Ok(Switch::Switched(Box::new(tunnel), headers))
}

fn stream(upgraded: Upgraded) -> Result<(Metered, Bytes), SendError> {
    let other = |_| SendError::Malformed { source: "the connection is not the one that was opened".into() };
    let parts = upgraded.downcast::<TokioIo<Metered>>().map_err(other)?;
    Ok((parts.io.into_inner(), parts.read_buf))
}

async fn refused(
    connection: &mut Option<Connection>,
    response: Response<Incoming>,
    wait: Duration,
) -> Refused {
    let (mut head, body) = response.into_parts();
    strip_connection_headers(&mut head.headers);
    let mut read = BytesMut::new();
    let mut body = pin!(body);
    while read.len() < REFUSAL_BYTES_MAX {
        let frame = timeout(wait, beside(connection, poll_fn(|cx| body.as_mut().poll_frame(cx)))).await;
        let Ok(Some(Ok(frame))) = frame else { break };
        if let Ok(data) = frame.into_data() {
            let room = REFUSAL_BYTES_MAX - read.len();
            read.extend_from_slice(data.get(..room).unwrap_or(&data));
        }
    }
    Refused { status: head.status, headers: head.headers, body: read.freeze() }
}

/// Awaits something that the connection brings, and drives the connection meanwhile.
async fn beside<T>(connection: &mut Option<Connection>, wanted: impl Future<Output = T>) -> T {
    let mut wanted = pin!(wanted);
    poll_fn(|cx| {
        // How the connection ended is told by what is awaited.
        if connection.as_mut().is_some_and(|running| running.as_mut().poll(cx).is_ready()) {
            *connection = None;
        }
        wanted.as_mut().poll(cx)
    })
    .await
}

impl AsyncRead for Tunnel {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if !self.first.is_empty() {
            let now = self.first.len().min(buffer.remaining());
            buffer.put_slice(&self.first.split_to(now));
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.socket).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Tunnel {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.socket).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.socket).poll_shutdown(cx)
    }
}
