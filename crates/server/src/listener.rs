//! Where clients come in: the listening sockets and the connections on them.
//!
//! Every worker runs the accept loop on its own clone of one listening socket and keeps the connections
//! that it accepts, so a worker that is held up keeps nobody waiting but its own. Bounds on clients are in
//! [`Limits`], strictness about HTTP/1 in `strict`, the end of the process in [`crate::drain`].
//!
//! Nothing here knows what a request is about.

mod accept;
mod body;
mod cap;
mod client_body;
mod connection;
mod flood;
mod info;
mod limits;
mod protocol;
mod service;
mod socket;
mod stream;
mod strict;
mod watchdog;

#[cfg(test)]
mod tests;

use std::convert::Infallible;
use std::error::Error;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body::Body;
use hyper::body::Incoming;
use hyper::service::Service;
use parking_lot::Mutex;
use socket2::{Domain, Protocol, Socket, Type};

pub use self::client_body::{ClientBody, ClientBodyError};
pub use self::info::ConnectionInfo;
pub use self::limits::{BodyLimits, Http2Limits, Limits};
pub(crate) use self::service::Place;
pub use self::strict::Violation;

use self::cap::Places;
use crate::drain::Drain;
use crate::tls::Tls;

/// Connections that the kernel completes and keeps until a worker accepts them.
const BACKLOG: i32 = 1024;

/// What answers the requests of a listener: cloned for each connection.
pub trait Application:
    Service<Request<Incoming>, Response = Response<Self::Body>, Error = Infallible, Future: Send + 'static>
    + Clone
    + Send
    + Sync
    + 'static
{
    /// The body of its answers.
    type Body: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static;
}

impl<S, B> Application for S
where
    S: Service<Request<Incoming>, Response = Response<B>, Error = Infallible, Future: Send + 'static>,
    S: Clone + Send + Sync + 'static,
    B: Body<Data = Bytes, Error: Into<Box<dyn Error + Send + Sync>>> + Send + 'static,
{
    type Body = B;
}

/// How a listener serves.
#[derive(Debug, Clone)]
pub struct ListenerOptions {
    /// The name by which logs and requests know it.
    pub name: Arc<str>,
    /// The bounds on its clients.
    pub limits: Limits,
    /// The certificate, where it speaks TLS. Without it, the listener speaks cleartext.
    pub tls: Option<Tls>,
    /// Whether cleartext clients may begin with HTTP/2 at once, as a mesh of sidecars does. Off by default.
    pub http2_cleartext: bool,
}

impl ListenerOptions {
    /// A cleartext HTTP/1 listener with default limits.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        ListenerOptions { name: name.into(), limits: Limits::default(), tls: None, http2_cleartext: false }
    }
}

/// One listening socket, shared by the workers that serve it. A clone is the same listener.
#[derive(Debug, Clone)]
pub struct Listener {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    /// Gone once the process closes, so that the kernel takes no connection that nobody would serve.
    socket: Mutex<Option<TcpListener>>,
    address: SocketAddr,
    options: ListenerOptions,
    places: Places,
}

/// Opens a listening socket: reusable address, non-blocking, no delay of small writes, a queue of 1,024.
///
/// # Errors
/// What the operating system says, above all that the address is in use or not ours.
pub fn bind(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_reuse_address(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// The listening socket that this process was given as its standard input, by a supervisor that keeps it open over
/// restarts, so that no connection is refused in between.
///
/// # Errors
/// Standard input is no socket.
pub fn from_standard_input() -> io::Result<TcpListener> {
    let socket = TcpListener::from(io::stdin().as_fd().try_clone_to_owned()?);
    socket.local_addr()?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

impl Listener {
    /// Takes over a bound, non-blocking socket.
    ///
    /// # Errors
    /// The socket has no address.
    pub fn new(socket: TcpListener, options: ListenerOptions) -> io::Result<Self> {
        let address = socket.local_addr()?;
        let places = Places::new(&options.limits);
        let socket = Mutex::new(Some(socket));
        Ok(Listener { shared: Arc::new(Shared { socket, address, options, places }) })
    }

    /// Opens a socket on `address` and takes it over.
    ///
    /// # Errors
    /// See [`bind`].
    pub fn bind(address: SocketAddr, options: ListenerOptions) -> io::Result<Self> {
        Listener::new(bind(address)?, options)
    }

    /// The address that it listens on, with the port that the system chose.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.shared.address
    }

    /// Accepts and serves connections on the calling worker until the drain closes.
    ///
    /// To be called once on each worker, with that worker's handle on the drain ([`Drain::fork`]).
    /// Connections run on as tasks of the worker after this returns; the worker has to stay until the drain
    /// reaches [`Ended`](crate::drain::Phase::Ended).
    ///
    /// # Errors
    /// The socket could not be registered with the worker's runtime. Errors of single connections are
    /// theirs.
    ///
    /// # Cancellation
    /// Stops accepting on this worker; connections that it accepted live on.
    pub async fn serve<A: Application>(&self, application: A, drain: Drain) -> io::Result<()> {
        accept::run(&self.shared, application, drain).await
    }
}
