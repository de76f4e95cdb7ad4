//! The accept loop of one worker.

use std::convert::Infallible;
use std::io;
use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};

use super::cap::Admission;
use super::connection::Held;
use super::info::ConnectionInfo;
use super::protocol::Protocols;
use super::stream::{self, Stream};
use super::{Application, Shared};
use crate::drain::{Drain, Phase};
use crate::tls::Tls;

/// The pause after the system refused to accept, which doubles up to the second figure.
const PAUSE_MIN: Duration = Duration::from_millis(5);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// What the connections of one listener on one worker have in common.
struct Worker<A> {
    shared: Arc<Shared>,
    application: A,
    drain: Drain,
    protocols: Arc<Protocols>,
}

/// Accepts until the drain closes, then serves what is left in the kernel's queue and returns.
pub(super) async fn run<A: Application>(
    shared: &Arc<Shared>,
    application: A,
    drain: Drain,
) -> io::Result<()> {
    let presence = drain.enter();
    let Some(socket) = shared.socket.lock().as_ref().map(StdListener::try_clone).transpose()? else {
        return Ok(());
    };
    let socket = TcpListener::from_std(socket)?;
    let worker = Worker {
        protocols: Arc::new(Protocols::new(shared.options.limits)),
        shared: Arc::clone(shared),
        application,
        drain,
    };
    tokio::select! {
        biased;
        () = worker.drain.reached(Phase::Closing) => {}
        never = worker.accept(&socket) => match never {},
    }
    worker.sweep(&socket.into_std()?);
    shared.socket.lock().take();
    drop(presence);
    Ok(())
}

impl<A: Application> Worker<A> {
    async fn accept(&self, socket: &TcpListener) -> Infallible {
        let mut pause = PAUSE_MIN;
        loop {
            match socket.accept().await {
                Ok((stream, peer)) => {
                    pause = PAUSE_MIN;
                    self.admit(stream, peer).await;
                }
                Err(error) if is_of_one_connection(&error) => {}
                Err(error) => {
                    let listener = &*self.shared.options.name;
                    tracing::error!(listener, %error, ?pause, "cannot accept connections");
                    sleep(pause).await;
                    pause = (pause * 2).min(PAUSE_MAX);
                }
            }
        }
    }

    /// Waits for a place and starts the connection. While it waits, the kernel's queue fills.
    async fn admit(&self, stream: TcpStream, peer: SocketAddr) {
        match self.shared.places.admit(peer.ip()).await {
            Some(admission) => self.start(stream, peer, admission),
            None => tracing::debug!(%peer, "address has too many connections"),
        }
    }

    /// Serves the connections that were complete before the process began to close. The runtime may not
    /// have heard of them, so the socket itself is asked.
    fn sweep(&self, socket: &StdListener) {
        while let Ok((stream, peer)) = socket.accept() {
            let stream = stream.set_nonblocking(true).and_then(|()| TcpStream::from_std(stream));
            match (stream, self.shared.places.try_admit(peer.ip())) {
                (Ok(stream), Some(admission)) => self.start(stream, peer, admission),
                _ => tracing::debug!(%peer, "connection dropped while closing"),
            }
        }
    }

    fn start(&self, stream: TcpStream, peer: SocketAddr, admission: Admission) {
        // Inherited from the listening socket on Linux, not everywhere.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%peer, %error, "connection died before it began");
            return;
        }
        let options = &self.shared.options;
        let name = Arc::clone(&options.name);
        let drain = self.drain.clone();
        let held = Held::new(admission, drain.enter());
        let info = ConnectionInfo::new(peer, options.tls.is_some(), name, options.limits.body, drain);
        let start = Start {
            protocols: Arc::clone(&self.protocols),
            application: self.application.clone(),
            info,
            held,
        };
        match &options.tls {
            Some(tls) => drop(tokio::spawn(start.after_handshake(stream, tls.clone()))),
            None if options.http2_cleartext => drop(tokio::spawn(start.after_preface(stream))),
            None => start.http1(Stream::Plain(stream)),
        }
    }
}

/// A connection that is about to begin. What it takes to find its protocol is a task of its own that ends
/// there, so that the connection's task is no larger than its protocol needs.
struct Start<A> {
    protocols: Arc<Protocols>,
    application: A,
    info: ConnectionInfo,
    held: Held,
}

impl<A: Application> Start<A> {
    fn http1(self, stream: Stream) {
        let protocols = self.protocols;
        tokio::spawn(protocols.http1(stream, self.info, self.application, self.held));
    }

    fn http2(self, stream: Stream) {
        let protocols = self.protocols;
        tokio::spawn(protocols.http2(stream, self.info, self.application, self.held));
    }

    async fn after_handshake(self, stream: TcpStream, tls: Tls) {
        let peer = self.info.peer();
        let limit = self.protocols.limits().tls_handshake_timeout;
        let handshake = timeout(limit, tls.accept(stream));
        let outcome = tokio::select! {
            outcome = handshake => outcome,
            () = self.info.drain().reached(Phase::Aborted) => return,
        };
        match outcome {
            Ok(Ok(tls)) if tls.get_ref().1.alpn_protocol() == Some(b"h2") => {
                self.http2(Stream::Tls(Box::new(tls)));
            }
            Ok(Ok(tls)) => self.http1(Stream::Tls(Box::new(tls))),
            Ok(Err(error)) => tracing::debug!(%peer, %error, "TLS handshake failed"),
            Err(_elapsed) => tracing::debug!(%peer, "TLS handshake took too long"),
        }
    }

    async fn after_preface(self, stream: TcpStream) {
        let limit = self.protocols.limits().header_timeout;
        let sniff = timeout(limit, stream::sniff_http2(stream));
        let outcome = tokio::select! {
            outcome = sniff => outcome,
            () = self.info.drain().reached(Phase::Aborted) => return,
        };
        match outcome {
            Ok(Ok((stream, true))) => self.http2(stream),
            Ok(Ok((stream, false))) => self.http1(stream),
            Ok(Err(_)) | Err(_) => {
                tracing::debug!(peer = %self.info.peer(), "connection ended before a request");
            }
        }
    }
}

/// Errors that a connection had while it waited to be accepted; the next may be well.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{
        ConnectionAborted, ConnectionRefused, ConnectionReset, HostUnreachable, Interrupted, NetworkDown,
        NetworkUnreachable, TimedOut,
    };
    matches!(
        error.kind(),
        ConnectionAborted
            | ConnectionRefused
            | ConnectionReset
            | HostUnreachable
            | Interrupted
            | NetworkDown
            | NetworkUnreachable
            | TimedOut
    )
}
