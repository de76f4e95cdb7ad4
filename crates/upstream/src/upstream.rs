//! The front door: one value per worker, which sends calls and keeps that worker's connections.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, OnceLock, Weak};

use http::{HeaderValue, Request};
use parking_lot::Mutex;
use tokio::task::AbortHandle;
use tokio::time::{Instant, MissedTickBehavior, interval, timeout_at};

use crate::answer::{Answer, Carrier};
use crate::call::{Call, Repeat, RequestBody, copy_of, into_http2};
use crate::connection::http1::Failed;
use crate::deadline::Timing;
use crate::destination::Destination;
use crate::dial::Dialer;
use crate::dial::resolve::{Resolve, SystemResolver};
use crate::error::SendError;
use crate::pool::{Dialling, Link, Pool, SWEEP_EVERY};
use crate::stats::Stats;
use crate::switch::{self, Switch};

/// A call on its way to the head of its answer.
///
/// It is boxed so that what only this part of a call needs is freed before the answer's body,
/// which may live for minutes.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Result<Answer, SendError>> + Send + 'a>>;

/// Sends calls to providers over one worker's own connections.
///
/// It is `Sync`, but meant for one thread: connections live on the runtime that dialled them.
/// Cloning shares the connections. When the last clone is dropped, idle connections close.
///
/// # Example
///
/// ```no_run
/// # use std::sync::Arc;
/// # use gatewright_upstream::{Call, Deadlines, Destination, DestinationSettings, Origin, Repeat, Upstream};
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let origin = Arc::new(Origin::parse("https://api.example.com/v1")?);
/// let destination = Arc::new(Destination::new(DestinationSettings::new(origin))?);
/// let upstream = Upstream::new();
/// let answer = upstream
///     .send(Call {
///         destination,
///         method: http::Method::GET,
///         path: http::uri::PathAndQuery::from_static("/models"),
///         headers: http::HeaderMap::new(),
///         body: bytes::Bytes::new().into(),
///         deadlines: Deadlines::default(),
///         credential: None,
///         repeat: Repeat::Unsent,
///     })
///     .await?;
/// assert!(answer.status.is_success());
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct Upstream {
    shared: Arc<Shared>,
}

struct Shared {
    dialer: Dialer,
    pools: Mutex<Pools>,
    sweeper: OnceLock<AbortHandle>,
}

#[derive(Default)]
struct Pools {
    /// By the identity of their destination.
    live: HashMap<u64, Arc<Pool>>,
    /// What the pools did that are no more, so that sums never go back.
    past: Stats,
}

impl Default for Upstream {
    fn default() -> Self {
        Self::new()
    }
}

impl Upstream {
    /// Resolves names with the operating system.
    pub fn new() -> Self {
        Self::with_resolver(Arc::new(SystemResolver::default()))
    }

    /// Resolves names with another resolver. The dialer checks its answers like any other.
    pub fn with_resolver(resolver: Arc<dyn Resolve>) -> Self {
        let dialer = Dialer::new(resolver);
        let (pools, sweeper) = Default::default();
        Self { shared: Arc::new(Shared { dialer, pools, sweeper }) }
    }

    /// Sends a call and waits for the head of the answer.
    ///
    /// A request that met a connection which its peer had already closed is sent once more on a
    /// fresh one, when no byte of it had left; what else is sent once more, [`Call::repeat`] says.
    /// No redirect is followed.
    ///
    /// Must be called within a Tokio runtime with time and I/O.
    ///
    /// # Errors
    ///
    /// See [`SendError`]; [`SendError::is_retry_safe`] says whether the provider can have seen
    /// the request.
    ///
    /// # Cancellation
    ///
    /// Dropping the future, or later the answer, cancels the call: an HTTP/1.1 connection is
    /// closed and an HTTP/2 stream is reset at once.
    pub fn send(&self, call: Call) -> Sending<'_> {
        Box::pin(self.send_call(call))
    }

    async fn send_call(&self, call: Call) -> Result<Answer, SendError> {
        let timing = Timing::start(call.deadlines);
        let (destination, repeat) = (Arc::clone(&call.destination), call.repeat);
        let request = call.into_request()?;
        let pool = self.shared.pool(&destination);
        if let Some(link) = pool.at_hand(&destination) {
            let spare = Spare::of(&request, repeat);
            return match exchange(link, request, &destination, timing).await {
                Ok(answer) => Ok(answer),
                Err(failed) => {
                    let again = Again { request: spare.after(failed)?, spare: Spare::default(), fresh: true };
                    Box::pin(self.send_anew(&pool, &destination, again, timing)).await
                }
            };
        }
        let spare = Spare::of(&request, repeat);
        let first = Again { request: Box::new(request), spare, fresh: false };
        Box::pin(self.send_anew(&pool, &destination, first, timing)).await
    }

    /// Waits for a connection or makes one. Boxed by the caller, to keep the common future small.
    async fn send_anew(
        &self,
        pool: &Arc<Pool>,
        destination: &Arc<Destination>,
        Again { mut request, mut spare, mut fresh }: Again,
        mut timing: Timing,
    ) -> Result<Answer, SendError> {
        loop {
            let deadlines = timing.limits;
            let dialling =
                Dialling { dialer: &self.shared.dialer, destination, deadlines: &deadlines, fresh };
            let link = timeout_at(timing.total_at, pool.connect(dialling))
                .await
                .map_err(|_| SendError::TotalTimeout { after: timing.limits.total, sent: false })??;
            timing.dispatched = Instant::now();
            if !link.is_reused() {
                spare = Spare::default();
            }
            match exchange(link, *request, destination, timing).await {
                Ok(answer) => return Ok(answer),
                Err(Failed::Unsent(_)) if fresh => return Err(SendError::ClosedEarly { sent: false }),
                Err(failed) => request = std::mem::take(&mut spare).after(failed)?,
            }
            fresh = true;
        }
    }

    /// Asks a provider to switch to another protocol, on a connection of its own over HTTP/1.1.
    ///
    /// The deadlines hold up to the provider's answer. A connection that has switched counts against the destination's
    /// cap as long as it lives.
    ///
    /// # Errors
    ///
    /// See [`SendError`]. A provider that answers without switching is no error of this kind.
    ///
    /// # Cancellation
    ///
    /// Dropping the future closes the connection.
    pub async fn switch(&self, call: Call, protocol: HeaderValue) -> Result<Switch, SendError> {
        let timing = Timing::start(call.deadlines);
        let destination = Arc::clone(&call.destination);
        let request = switch::request(call, protocol)?;
        let pool = self.shared.pool(&destination);
        let deadlines = timing.limits;
        let dialling = Dialling {
            dialer: &self.shared.dialer,
            destination: &destination,
            deadlines: &deadlines,
            fresh: true,
        };
        let total = |sent| SendError::TotalTimeout { after: timing.limits.total, sent };
        let connected = timeout_at(timing.total_at, pool.connect_alone(dialling)).await;
        let (socket, counted, lease) = connected.map_err(|_| total(false))??;
        let host = destination.origin().host().to_string();
        let switching = switch::switch((socket, counted, lease), &host, request, timing.limits.first_byte);
        timeout_at(timing.total_at, Box::pin(switching)).await.map_err(|_| total(true))?
    }

    /// What all connections of this worker did and do, those to former destinations included.
    pub fn stats(&self) -> Stats {
        let pools = self.shared.pools.lock();
        let mut sum = pools.past;
        for pool in pools.live.values() {
            sum += pool.stats();
        }
        sum
    }

    /// Visits what the connections of this worker did and do, by destination.
    pub fn stats_by_destination(&self, mut visit: impl FnMut(&Destination, Stats)) {
        for pool in self.shared.pools.lock().live.values() {
            if let Some(destination) = pool.destination() {
                visit(&destination, pool.stats());
            }
        }
    }
}

impl fmt::Debug for Upstream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upstream").field("stats", &self.stats()).finish_non_exhaustive()
    }
}

/// A request on its way to a connection.
struct Again {
    request: Box<Request<RequestBody>>,
    spare: Spare,
    /// It must not meet a connection that has served before.
    fresh: bool,
}

/// A copy of a request, for the case that the connection ends under it.
#[derive(Default)]
struct Spare {
    request: Option<Box<Request<RequestBody>>>,
    repeat: Repeat,
}

impl Spare {
    fn of(request: &Request<RequestBody>, repeat: Repeat) -> Self {
        let wanted = repeat != Repeat::Unsent;
        Self { request: wanted.then(|| copy_of(request)).flatten().map(Box::new), repeat }
    }

    /// What is to be sent once more.
    ///
    /// # Errors
    ///
    /// The failure, where nothing is.
    fn after(self, failed: Failed) -> Result<Box<Request<RequestBody>>, SendError> {
        let (error, may_repeat) = match failed {
            Failed::Unsent(whole) => return Ok(whole),
            Failed::Unanswered(error) => (error, self.repeat == Repeat::Unanswered),
            Failed::Error(error @ SendError::StreamRefused) => (error, true),
            Failed::Error(error) => (error, false),
        };
        self.request.filter(|_| may_repeat).ok_or(error)
    }
}

/// Runs one exchange on one connection.
async fn exchange(
    link: Link,
    request: Request<RequestBody>,
    destination: &Destination,
    timing: Timing,
) -> Result<Answer, Failed> {
    match link {
        Link::Http1 { lease, mut connection, reused } => {
            let response = connection.exchange(request, &timing).await?;
            Ok(Answer::new(response, Carrier::Http1(connection, lease), timing, reused))
        }
        Link::Http2 { mut stream, reused } => {
            let request = into_http2(request, destination).map_err(Failed::Error)?;
            let response = stream.exchange(request, &timing).await?;
            Ok(Answer::new(response, Carrier::Http2(stream), timing, reused))
        }
    }
}

impl Shared {
    fn pool(self: &Arc<Self>, destination: &Arc<Destination>) -> Arc<Pool> {
        let mut pools = self.pools.lock();
        if let Some(pool) = pools.live.get(&destination.id()) {
            return Arc::clone(pool);
        }
        let pool = Pool::new(destination);
        pools.live.insert(destination.id(), Arc::clone(&pool));
        drop(pools);
        self.sweeper.get_or_init(|| tokio::spawn(sweep(Arc::downgrade(self))).abort_handle());
        pool
    }
}

impl Drop for Shared {
    fn drop(&mut self) {
        if let Some(sweeper) = self.sweeper.get() {
            sweeper.abort();
        }
        for pool in self.pools.get_mut().live.values() {
            pool.close();
        }
    }
}

/// Closes what nobody uses, until the connections' owner is gone.
async fn sweep(shared: Weak<Shared>) {
    let mut ticks = interval(SWEEP_EVERY);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(shared) = shared.upgrade() else { return };
        let Pools { live, past } = &mut *shared.pools.lock();
        live.retain(|_, pool| {
            let stays = pool.sweep();
            if !stays {
                *past += pool.stats();
            }
            stays
        });
    }
}
