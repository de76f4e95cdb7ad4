//! The yardstick: a bare pass-through proxy on hyper, HTTP/1.1 on both sides.
//!
//! Nothing is parsed but HTTP itself; heads pass as they are, bodies pass frame by frame. Connections upstream are
//! kept in a stack. One thread, and the allocator of the system, which here is leaner than those made for many
//! threads. What a gateway costs above this is the gateway's own.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::client::conn::http1::SendRequest;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use parking_lot::Mutex;
use tokio::net::{TcpListener, TcpStream};

/// More idle connections upstream than that are closed.
const IDLE_CONNECTIONS_MAX: usize = 20_000;

type Sender = SendRequest<Incoming>;

/// Connections upstream that are free, the last used on top.
#[derive(Debug)]
struct Pool {
    upstream: SocketAddr,
    idle: Mutex<Vec<Sender>>,
}

#[derive(Debug, thiserror::Error)]
enum PassError {
    #[error("cannot connect upstream")]
    Connect(#[source] io::Error),
    #[error("the exchange with the upstream failed")]
    Exchange(#[source] hyper::Error),
}

/// Passes every request on to `upstream`, until the process ends.
///
/// # Errors
/// The listener fails.
///
/// # Cancellation
/// Open connections run on in their tasks.
pub async fn run(listener: TcpListener, upstream: SocketAddr) -> io::Result<()> {
    let pool = Arc::new(Pool { upstream, idle: Mutex::default() });
    loop {
        let (stream, _) = listener.accept().await?;
        stream.set_nodelay(true)?;
        let pool = Arc::clone(&pool);
        let service = service_fn(move |request| pass(Arc::clone(&pool), request));
        tokio::spawn(
            hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service),
        );
    }
}

async fn pass(pool: Arc<Pool>, request: Request<Incoming>) -> Result<Response<PassedBody>, PassError> {
    let mut sender = pool.checkout().await?;
    let response = sender.send_request(request).await.map_err(PassError::Exchange)?;
    Ok(response.map(|body| PassedBody { body, home: Some((pool, sender)) }))
}

impl Pool {
    async fn checkout(&self) -> Result<Sender, PassError> {
        loop {
            let idle = self.idle.lock().pop();
            let Some(mut sender) = idle else { return self.connect().await };
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
    }

    async fn connect(&self) -> Result<Sender, PassError> {
        let stream = TcpStream::connect(self.upstream).await.map_err(PassError::Connect)?;
        stream.set_nodelay(true).map_err(PassError::Connect)?;
        let (sender, connection) =
            hyper::client::conn::http1::handshake(TokioIo::new(stream)).await.map_err(PassError::Exchange)?;
        tokio::spawn(connection);
        Ok(sender)
    }

    fn give_back(&self, sender: Sender) {
        let mut idle = self.idle.lock();
        if idle.len() < IDLE_CONNECTIONS_MAX {
            idle.push(sender);
        }
    }
}

/// A body on its way down; after it the connection that it came on is free again.
struct PassedBody {
    body: Incoming,
    home: Option<(Arc<Pool>, Sender)>,
}

impl Body for PassedBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

impl Drop for PassedBody {
    fn drop(&mut self) {
        // A connection whose answer was left in the middle closes, and is found so at its next use.
        if let Some((pool, sender)) = self.home.take() {
            pool.give_back(sender);
        }
    }
}
