//! Many streams held open at once, reading their events as they come.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use http_body_util::BodyExt;
use memchr::memmem;
use parking_lot::Mutex;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep, sleep_until};

use super::shot::{Gun, Shot, ShotError};

const OPEN_POLL: Duration = Duration::from_millis(1);

/// Open streams; closed when dropped.
#[derive(Debug)]
pub struct Streams {
    readers: JoinSet<()>,
    tally: Arc<Tally>,
}

#[derive(Debug, Default)]
struct Tally {
    open: AtomicU64,
    ended: AtomicU64,
    events: AtomicU64,
    refused: Mutex<Option<ShotError>>,
}

/// What the streams have done so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StreamCount {
    /// Streams whose head has come.
    pub opened: u64,
    /// Streams that have ended, in order or not.
    pub ended: u64,
    /// Events read, over all streams.
    pub events: u64,
}

impl Streams {
    /// Opens `count` streams, spread over `ramp`, and returns when all have their head.
    ///
    /// # Errors
    /// A connection cannot be made, or a stream is refused.
    ///
    /// # Cancellation
    /// The streams opened so far are closed.
    pub async fn open(shot: &Shot, count: u32, ramp: Duration) -> Result<Self, ShotError> {
        let mut streams = Self { readers: JoinSet::new(), tally: Arc::default() };
        let start = Instant::now();
        for at in 0..count {
            sleep_until(start + ramp.mul_f64(f64::from(at) / f64::from(count))).await;
            let gun = Gun::aim(shot).await?;
            streams.readers.spawn(read(gun, shot.clone(), Arc::clone(&streams.tally)));
        }
        while streams.so_far().opened < u64::from(count) {
            if let Some(refusal) = streams.tally.refused.lock().take() {
                return Err(refusal);
            }
            sleep(OPEN_POLL).await;
        }
        Ok(streams)
    }

    /// The counts at this moment.
    pub fn so_far(&self) -> StreamCount {
        StreamCount {
            opened: self.tally.open.load(Ordering::Relaxed),
            ended: self.tally.ended.load(Ordering::Relaxed),
            events: self.tally.events.load(Ordering::Relaxed),
        }
    }
}

async fn read(mut gun: Gun, shot: Shot, tally: Arc<Tally>) {
    let mut response = match gun.fire(&shot).await {
        Ok(response) => response,
        Err(refusal) => {
            tally.refused.lock().get_or_insert(refusal);
            return;
        }
    };
    tally.open.fetch_add(1, Ordering::Relaxed);
    while let Some(Ok(frame)) = response.frame().await {
        let events = frame.data_ref().map_or(0, |bytes| memmem::find_iter(bytes, b"\n\n").count());
        tally.events.fetch_add(events as u64, Ordering::Relaxed);
    }
    tally.ended.fetch_add(1, Ordering::Relaxed);
}
