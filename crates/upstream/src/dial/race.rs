//! Connects to the first of several addresses that answers.
//!
//! Addresses are tried in order; the next starts when one fails, or when it has been silent for a
//! moment. The first connection wins and the others are dropped.

use std::future::{Future, poll_fn};
use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::time::{Instant, sleep};

/// How long an address may be silent before the next is tried beside it.
const STAGGER: Duration = Duration::from_millis(250);

type Attempt = Pin<Box<dyn Future<Output = io::Result<TcpStream>> + Send>>;

/// Connects, or says which address failed last and how.
///
/// # Cancellation
///
/// Dropping the future abandons all attempts.
pub(super) async fn race(targets: &[SocketAddr]) -> Result<TcpStream, (SocketAddr, io::Error)> {
    let mut waiting = targets.iter().copied();
    let mut running: Vec<(SocketAddr, Attempt)> = Vec::with_capacity(targets.len());
    let mut failed = None;
    let mut start_next = true;
    let mut stagger = pin!(sleep(STAGGER));
    poll_fn(|cx| {
        loop {
            if std::mem::take(&mut start_next)
                && let Some(address) = waiting.next()
            {
                running.push((address, Box::pin(TcpStream::connect(address))));
                stagger.as_mut().reset(Instant::now() + STAGGER);
            }
            let mut won = None;
            running.retain_mut(|(address, attempt)| match attempt.as_mut().poll(cx) {
                Poll::Pending => true,
                Poll::Ready(Ok(stream)) => {
                    won = won.take().or(Some(stream));
                    false
                }
                Poll::Ready(Err(error)) => {
                    failed = Some((*address, error));
                    start_next = true;
                    false
                }
            });
            if let Some(stream) = won {
                return Poll::Ready(Ok(stream));
            }
            if waiting.len() > 0 && (start_next || stagger.as_mut().poll(cx).is_ready()) {
                start_next = true;
                continue;
            }
            if running.is_empty() {
                return Poll::Ready(Err(failed.take().unwrap_or_else(no_target)));
            }
            return Poll::Pending;
        }
    })
    .await
}

fn no_target() -> (SocketAddr, io::Error) {
    (SocketAddr::from(([0, 0, 0, 0], 0)), io::ErrorKind::AddrNotAvailable.into())
}
