//! Names to addresses, with a memory of the last good answer.
//!
//! Each dial asks anew, so that a moved provider is found. When the resolver fails, the last good
//! answer serves for some minutes. Answers are not trusted here: the dialer checks every address.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::io;
use std::net::{IpAddr, ToSocketAddrs};
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use tokio::time::Instant;

use crate::error::DialError;

/// How long the last good answer stands in for a failing resolver.
const LAST_GOOD_FOR: Duration = Duration::from_secs(5 * 60);
/// How many look-ups of one resolver may block a thread at once.
const LOOKUPS_MAX: usize = 16;
/// How many hosts are remembered.
const HOSTS_MAX: usize = 1024;

/// The answer of a resolver, to come.
pub type Resolving<'a> = Pin<Box<dyn Future<Output = io::Result<Vec<IpAddr>>> + Send + 'a>>;

/// Looks up the addresses of a host.
pub trait Resolve: Send + Sync + fmt::Debug {
    /// All addresses of `host`, in the order in which to try them.
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a>;
}

/// The resolver of the operating system.
///
/// A look-up there blocks a thread and cannot be stopped, so that their number is bounded; a
/// caller that gives up leaves its place only when the system has answered.
#[derive(Debug, Clone)]
pub struct SystemResolver {
    lookups: Arc<Semaphore>,
}

impl Default for SystemResolver {
    fn default() -> Self {
        Self { lookups: Arc::new(Semaphore::new(LOOKUPS_MAX)) }
    }
}

impl Resolve for SystemResolver {
    fn resolve<'a>(&'a self, host: &'a str) -> Resolving<'a> {
        Box::pin(async move {
            let place = Arc::clone(&self.lookups).acquire_owned().await.map_err(io::Error::other)?;
            let host = host.to_owned();
            let lookup = spawn_blocking(move || {
                let _place = place;
                Ok((host.as_str(), 0).to_socket_addrs()?.map(|found| found.ip()).collect())
            });
            lookup.await.map_err(io::Error::other)?
        })
    }
}

/// A resolver that survives short failures of the one behind it.
#[derive(Debug)]
pub(crate) struct Resolver {
    resolve: Arc<dyn Resolve>,
    last_good: Mutex<HashMap<Box<str>, LastGood>>,
}

#[derive(Debug, Clone)]
struct LastGood {
    addresses: Vec<IpAddr>,
    seen: Instant,
}

impl Resolver {
    pub(crate) fn new(resolve: Arc<dyn Resolve>) -> Self {
        Self { resolve, last_good: Mutex::default() }
    }

    /// The addresses of a host, never none.
    pub(crate) async fn resolve(&self, host: &str) -> Result<Vec<IpAddr>, DialError> {
        let failure = match self.resolve.resolve(host).await {
            Ok(addresses) if !addresses.is_empty() => {
                self.remember(host, &addresses);
                return Ok(addresses);
            }
            Ok(_) => DialError::NoAddress { host: host.to_owned() },
            Err(source) => DialError::Resolve { host: host.to_owned(), source: Arc::new(source) },
        };
        let remembered = self.recall(host).ok_or_else(|| failure.clone())?;
        tracing::warn!(host, error = %failure, "resolver failed, last good addresses serve");
        Ok(remembered)
    }

    fn remember(&self, host: &str, addresses: &[IpAddr]) {
        let now = Instant::now();
        let mut last_good = self.last_good.lock();
        if last_good.len() >= HOSTS_MAX {
            last_good.retain(|_, known| now - known.seen < LAST_GOOD_FOR);
        }
        if last_good.len() < HOSTS_MAX || last_good.contains_key(host) {
            last_good.insert(host.into(), LastGood { addresses: addresses.to_vec(), seen: now });
        }
    }

    fn recall(&self, host: &str) -> Option<Vec<IpAddr>> {
        let last_good = self.last_good.lock();
        let known = last_good.get(host)?;
        (known.seen.elapsed() < LAST_GOOD_FOR).then(|| known.addresses.clone())
    }
}

#[cfg(test)]
mod tests;
