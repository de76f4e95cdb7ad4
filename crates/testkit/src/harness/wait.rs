//! Waiting for what has to happen, but not for ever.

use std::time::Duration;

use tokio::time::{Instant, sleep, timeout};

/// How long a test waits for anything. Nothing takes as long on a busy machine, so that running into it is a fault.
pub const DEADLINE: Duration = Duration::from_secs(20);
const POLL: Duration = Duration::from_millis(5);

/// Asks again and again until there is an answer.
///
/// # Panics
/// At the deadline, with `what`.
///
/// # Cancellation
/// Nothing is left behind.
pub async fn eventually<T>(what: &str, mut probe: impl AsyncFnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = probe().await {
            return found;
        }
        assert!(start.elapsed() < DEADLINE, "not within {DEADLINE:?}: {what}");
        sleep(POLL).await;
    }
}

/// Waits for a future.
///
/// # Panics
/// At the deadline, with `what`.
///
/// # Cancellation
/// Drops the future.
pub async fn within<F: Future>(what: &str, future: F) -> F::Output {
    match timeout(DEADLINE, future).await {
        Ok(output) => output,
        Err(_) => panic!("not within {DEADLINE:?}: {what}"),
    }
}
