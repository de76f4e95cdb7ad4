//! The end that the process imposes: when the drain deadline has passed, every exchange that still
//! runs ends with an in-band error.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

/// Cuts all exchanges that hold a [`CutSignal`] of it. One per process.
#[derive(Clone, Debug, Default)]
pub struct CutSwitch(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    is_cut: AtomicBool,
    next: AtomicU64,
    // Bounded by the number of exchanges in flight: each signal has at most one entry and takes
    // it along when it is dropped.
    waiting: Mutex<HashMap<u64, Waker>>,
}

impl CutSwitch {
    /// Cuts everything, now and from now on.
    pub fn cut(&self) {
        self.0.is_cut.store(true, Ordering::Release);
        let waiting = std::mem::take(&mut *self.0.waiting.lock());
        waiting.into_values().for_each(Waker::wake);
    }

    /// A signal for one exchange.
    #[must_use]
    pub fn signal(&self) -> CutSignal {
        CutSignal { shared: Arc::clone(&self.0), entry: None }
    }
}

/// Tells one exchange that it must end.
#[derive(Debug)]
pub struct CutSignal {
    shared: Arc<Shared>,
    entry: Option<(u64, Waker)>,
}

impl CutSignal {
    /// Ready once the switch was thrown; until then the task is woken when it is.
    pub fn poll_cut(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.shared.is_cut.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        if self.entry.as_ref().is_some_and(|(_, waker)| waker.will_wake(cx.waker())) {
            return Poll::Pending;
        }
        let key = match &self.entry {
            Some((key, _)) => *key,
            None => self.shared.next.fetch_add(1, Ordering::Relaxed),
        };
        self.shared.waiting.lock().insert(key, cx.waker().clone());
        self.entry = Some((key, cx.waker().clone()));
        // The switch may have been thrown between the first look and the registration.
        if self.shared.is_cut.load(Ordering::Acquire) { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Drop for CutSignal {
    fn drop(&mut self) {
        if let Some((key, _)) = &self.entry {
            self.shared.waiting.lock().remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use super::CutSwitch;

    #[tokio::test]
    async fn wakes_what_waits_and_answers_at_once_afterwards() {
        let switch = CutSwitch::default();
        let mut early = switch.signal();
        let waiter = tokio::spawn(async move { poll_fn(|cx| early.poll_cut(cx)).await });
        tokio::task::yield_now().await;
        switch.cut();
        waiter.await.unwrap();
        let mut late = switch.signal();
        poll_fn(|cx| late.poll_cut(cx)).await;
    }

    #[tokio::test]
    async fn a_dropped_signal_leaves_nothing_behind() {
        let switch = CutSwitch::default();
        let mut signal = switch.signal();
        poll_fn(|cx| {
            assert!(signal.poll_cut(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        assert_eq!(switch.0.waiting.lock().len(), 1);
        drop(signal);
        assert_eq!(switch.0.waiting.lock().len(), 0);
    }
}
