//! Counts instances until they have ended, so that the process can wait for the last of them.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

/// The instances that have not ended yet. Cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Endings(Arc<watch::Sender<usize>>);

/// One instance on its way to its end; dropping it is the end.
#[derive(Debug)]
pub(crate) struct Ending(Arc<watch::Sender<usize>>);

impl Default for Endings {
    fn default() -> Self {
        Self(Arc::new(watch::Sender::new(0)))
    }
}

impl Endings {
    /// One more instance lives.
    pub(crate) fn begin(&self) -> Ending {
        self.0.send_modify(|count| *count += 1);
        Ending(Arc::clone(&self.0))
    }

    /// Waits until none lives. Returns whether that came in time.
    pub(crate) async fn all(&self, within: Duration) -> bool {
        let mut count = self.0.subscribe();
        tokio::time::timeout(within, count.wait_for(|count| *count == 0)).await.is_ok_and(|seen| seen.is_ok())
    }
}

impl Drop for Ending {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}
