//! The guarded dialer: the only place where the gateway connects to anything.
//!
//! A name is resolved once, every address is checked, and the connection goes to a checked
//! address, so that an answer that changes between check and use has no effect.
//! It follows no redirect and reads no proxy variable. Pools decide when to dial.

pub(crate) mod address;
mod race;
pub(crate) mod resolve;
pub(crate) mod socket;
pub(crate) mod tls;

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::net::TcpStream;
use tokio::time::timeout;

use self::address::AddressClass;
use self::race::race;
use self::resolve::{Resolve, Resolver};
use self::socket::Socket;
use crate::answer::Protocol;
use crate::deadline::Deadlines;
use crate::destination::{Destination, DestinationSettings, Http2};
use crate::error::DialError;
use crate::origin::Host;

/// How many checked addresses of one host are tried.
const ADDRESSES_MAX: usize = 8;
/// After how much silence the kernel asks whether a peer is still there.
const KEEPALIVE_IDLE: Duration = Duration::from_secs(30);
/// How often it asks.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// A connected socket, and what is spoken on it.
#[derive(Debug)]
pub(crate) struct Dialled {
    pub(crate) socket: Socket,
    pub(crate) protocol: Protocol,
}

/// Opens connections to checked addresses.
#[derive(Debug)]
pub(crate) struct Dialer {
    resolver: Resolver,
}

impl Dialer {
    pub(crate) fn new(resolve: Arc<dyn Resolve>) -> Self {
        Self { resolver: Resolver::new(resolve) }
    }

    /// Connects to a destination, handshake included.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes whatever was opened.
    pub(crate) async fn dial(
        &self,
        destination: &Destination,
        deadlines: &Deadlines,
    ) -> Result<Dialled, DialError> {
        self.dial_as(destination, deadlines, destination.settings().http2).await
    }

    /// Connects to a destination for HTTP/1.1, whatever its settings say: an upgrade is possible over nothing else.
    ///
    /// # Cancellation
    ///
    /// As that of [`Dialer::dial`].
    pub(crate) async fn dial_http1(
        &self,
        destination: &Destination,
        deadlines: &Deadlines,
    ) -> Result<Socket, DialError> {
        Ok(self.dial_as(destination, deadlines, Http2::Never).await?.socket)
    }

    async fn dial_as(
        &self,
        destination: &Destination,
        deadlines: &Deadlines,
        http2: Http2,
    ) -> Result<Dialled, DialError> {
        let tcp =
            timeout(deadlines.connect, self.connect(destination.settings())).await.map_err(|_| {
                DialError::ConnectTimeout {
                    host: destination.origin().host().to_string(),
                    after: deadlines.connect,
                }
            })??;
        let Some(tls) = destination.tls() else {
            let protocol = match http2 {
                Http2::PriorKnowledge => Protocol::Http2,
                Http2::Never | Http2::Negotiate => Protocol::Http1,
            };
            return Ok(Dialled { socket: Socket::Plain(tcp), protocol });
        };
        let host = || destination.origin().host().to_string();
        let handshake = timeout(deadlines.tls, tls.connect(tcp, http2)).await;
        let stream = handshake
            .map_err(|_| DialError::TlsTimeout { host: host(), after: deadlines.tls })?
            .map_err(|source| DialError::Tls { host: host(), source: Arc::new(source) })?;
        let protocol = tls::protocol(&stream);
        if protocol == Protocol::Http1 && http2 == Http2::PriorKnowledge {
            return Err(DialError::Protocol { host: host() });
        }
        Ok(Dialled { socket: Socket::Tls(Box::new(stream)), protocol })
    }

    async fn connect(&self, settings: &DestinationSettings) -> Result<TcpStream, DialError> {
        let origin = &settings.origin;
        let found = match origin.host() {
            Host::Address(address) => vec![*address],
            Host::Name(name) => self.resolver.resolve(name).await?,
        };
        let checked = check(&found, settings)?;
        let targets: Vec<SocketAddr> =
            checked.into_iter().map(|address| SocketAddr::new(address, origin.port())).collect();
        let stream = race(&targets).await.map_err(|(address, source)| {
            if source.kind() == io::ErrorKind::ConnectionRefused {
                DialError::Refused { address }
            } else {
                DialError::Connect { address, source: Arc::new(source) }
            }
        })?;
        tune(&stream);
        Ok(stream)
    }
}

/// Keeps the addresses that may be connected to, in canonical form and bounded number.
fn check(found: &[IpAddr], settings: &DestinationSettings) -> Result<Vec<IpAddr>, DialError> {
    let mut checked = Vec::with_capacity(found.len().min(ADDRESSES_MAX));
    let mut denied = None;
    for address in found.iter().map(IpAddr::to_canonical) {
        let class = address::classify(address);
        if !class.is_allowed(settings.allow_private, settings.allow_link_local) {
            denied = denied.or(Some((address, class)));
        } else if checked.len() < ADDRESSES_MAX && !checked.contains(&address) {
            checked.push(address);
        }
    }
    match (checked.is_empty(), denied) {
        (false, _) => Ok(checked),
        (true, Some((address, class))) => Err(denied_error(settings, address, class)),
        (true, None) => Err(DialError::NoAddress { host: settings.origin.host().to_string() }),
    }
}

fn denied_error(settings: &DestinationSettings, address: IpAddr, class: AddressClass) -> DialError {
    DialError::AddressDenied { host: settings.origin.host().to_string(), address, class }
}

/// A socket without these options still works, so that a refusal is only worth a note.
fn tune(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new().with_time(KEEPALIVE_IDLE).with_interval(KEEPALIVE_INTERVAL);
    let tuned = stream.set_nodelay(true).and_then(|()| SockRef::from(stream).set_tcp_keepalive(&keepalive));
    if let Err(error) = tuned {
        tracing::debug!(%error, "socket option refused");
    }
}

#[cfg(test)]
mod tests;
