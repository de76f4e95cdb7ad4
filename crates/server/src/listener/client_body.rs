//! A request's body as the gateway reads it: bytes under a minimum of pace.
//!
//! Wraps hyper's body and gives up on a client that stops sending. How large a body may be is decided by
//! who reads it.

use std::error::Error;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;
use tokio::time::{Instant, Sleep, sleep_until};

use super::info::ConnectionInfo;
use super::limits::BodyLimits;
use super::strict::Violation;

/// The body of a client's request. Yields data only; trailers are dropped.
#[derive(Debug)]
pub struct ClientBody<B = Incoming> {
    body: B,
    limits: BodyLimits,
    pace: Option<Pace>,
}

/// Why a body ended early.
#[derive(Debug, thiserror::Error)]
pub enum ClientBodyError {
    /// The client stopped sending, or sends too slowly. Answer with 408 and close.
    #[error("the client sends its request body too slowly")]
    TimedOut,
    /// The client broke the framing of the body. Answer with 400 and close.
    #[error("the request body is malformed")]
    Malformed(#[source] Violation),
    /// The client is gone.
    #[error("the client disconnected before its request body was complete")]
    Disconnected(#[source] hyper::Error),
}

/// Measures a body that did not come all at once.
#[derive(Debug)]
struct Pace {
    began: Instant,
    received: u64,
    /// When the reader was given its last piece. Until it asks for more, the client is not waited for.
    given: Option<Instant>,
    deadline: Instant,
    sleep: Pin<Box<Sleep>>,
}

impl<B> ClientBody<B> {
    /// Reads `body`, which came by the connection of `info`, under that connection's limits.
    pub fn new(body: B, info: &ConnectionInfo) -> Self {
        Self::with_limits(body, info.body_limits())
    }

    /// Reads `body` under limits of its own.
    pub fn with_limits(body: B, limits: BodyLimits) -> Self {
        ClientBody { body, limits, pace: None }
    }

    /// Ready when the body has stayed out for too long. Called only when there is nothing to read.
    fn poll_too_slow(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limits = self.limits;
        let pace = self.pace.get_or_insert_with(|| Pace::new(limits));
        pace.ask();
        loop {
            if pace.sleep.as_mut().poll(cx).is_pending() {
                return Poll::Pending;
            }
            if pace.sleep.deadline() >= pace.deadline {
                return Poll::Ready(());
            }
            let deadline = pace.deadline;
            pace.sleep.as_mut().reset(deadline);
        }
    }
}

impl Pace {
    fn new(limits: BodyLimits) -> Self {
        let began = Instant::now();
        let deadline = began + first_deadline(limits);
        Pace { began, received: 0, given: None, deadline, sleep: Box::pin(sleep_until(deadline)) }
    }

    /// Moves the deadline on. The timer stays where it is: it may only have to be set again when it fires
    /// too early, unless the new deadline comes before it.
    fn received(&mut self, bytes: usize, limits: BodyLimits) {
        self.received = self.received.saturating_add(bytes as u64);
        let now = Instant::now();
        self.given = Some(now);
        let idle = now + limits.idle_timeout;
        self.deadline = match self.rate_deadline(limits) {
            Some(rate) => rate.min(idle),
            None => idle,
        };
        if self.deadline < self.sleep.deadline() {
            let deadline = self.deadline;
            self.sleep.as_mut().reset(deadline);
        }
    }

    /// The reader asks for more: the time that it took with what it had is not the client's.
    fn ask(&mut self) {
        if let Some(given) = self.given.take() {
            let away = given.elapsed();
            self.began += away;
            self.deadline += away;
        }
    }

    /// The moment at which what has been received falls below the least rate.
    fn rate_deadline(&self, limits: BodyLimits) -> Option<Instant> {
        let earned = self.received.checked_div(u64::from(limits.rate_min))?;
        self.began.checked_add(limits.grace)?.checked_add(Duration::from_secs(earned))
    }
}

fn first_deadline(limits: BodyLimits) -> Duration {
    if limits.rate_min == 0 { limits.idle_timeout } else { limits.idle_timeout.min(limits.grace) }
}

impl<B> Body for ClientBody<B>
where
    B: Body<Data = Bytes, Error = hyper::Error> + Unpin,
{
    type Data = Bytes;
    type Error = ClientBodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, ClientBodyError>>> {
        let this = self.get_mut();
        loop {
            match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(Some(Ok(frame))) => {
                    let Some(data) = frame.data_ref() else { continue };
                    if let Some(pace) = &mut this.pace {
                        pace.received(data.len(), this.limits);
                    }
                    return Poll::Ready(Some(Ok(frame)));
                }
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Some(Err(classify(error)))),
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Pending => {
                    return this.poll_too_slow(cx).map(|()| Some(Err(ClientBodyError::TimedOut)));
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// Finds what the strict layer said under what hyper makes of it.
fn classify(error: hyper::Error) -> ClientBodyError {
    let mut cause: Option<&(dyn Error + 'static)> = error.source();
    while let Some(inner) = cause {
        let io = inner.downcast_ref::<std::io::Error>().and_then(std::io::Error::get_ref);
        if let Some(violation) = io.and_then(|inner| inner.downcast_ref::<Violation>()) {
            return ClientBodyError::Malformed(*violation);
        }
        cause = inner.source();
    }
    ClientBodyError::Disconnected(error)
}

#[cfg(test)]
mod tests {
    use http_body_util::BodyExt;
    use tokio::time::{Interval, interval};

    use super::*;

    /// A body that comes in equal pieces, one a second.
    struct Drip {
        piece: &'static [u8],
        left: u32,
        ticks: Interval,
    }

    impl Body for Drip {
        type Data = Bytes;
        type Error = hyper::Error;

        fn poll_frame(
            mut self: Pin<&mut Self>,
            cx: &mut Context<'_>,
        ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
            if self.left == 0 {
                return Poll::Ready(None);
            }
            std::task::ready!(self.ticks.poll_tick(cx));
            self.left -= 1;
            Poll::Ready(Some(Ok(Frame::data(Bytes::from_static(self.piece)))))
        }
    }

    /// Reads a body of `seconds` pieces under `limits`. Returns after how many seconds it ended, and how.
    async fn read(
        piece: &'static [u8],
        seconds: u32,
        limits: BodyLimits,
    ) -> (u64, Result<usize, ClientBodyError>) {
        let began = Instant::now();
        let drip = Drip { piece, left: seconds, ticks: interval(Duration::from_secs(1)) };
        let body = ClientBody::with_limits(drip, limits).collect().await;
        (began.elapsed().as_secs(), body.map(|body| body.to_bytes().len()))
    }

    #[tokio::test(start_paused = true)]
    async fn a_steady_body_may_take_as_long_as_it_likes() {
        let (_, outcome) = read(&[b'x'; 1024], 1000, BodyLimits::default()).await;
        assert_eq!(outcome.unwrap(), 1024 * 1000);
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_below_the_rate_ends_when_its_grace_is_used_up() {
        // Each second earns half a second, so the grace of ten is used up after twenty.
        let (seconds, outcome) = read(&[b'x'; 512], 1000, BodyLimits::default()).await;
        assert!(matches!(outcome, Err(ClientBodyError::TimedOut)));
        assert!((19..=21).contains(&seconds), "{seconds}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_a_rate_any_byte_in_time_will_do() {
        let limits = BodyLimits { rate_min: 0, ..BodyLimits::default() };
        let (_, outcome) = read(b"x", 1000, limits).await;
        assert_eq!(outcome.unwrap(), 1000);
        let limits = BodyLimits { idle_timeout: Duration::from_millis(500), ..limits };
        let (_, outcome) = read(b"x", 1000, limits).await;
        assert!(matches!(outcome, Err(ClientBodyError::TimedOut)));
    }
}
