//! The runtime of extensions: where instances are created, started and stopped, where their background tasks and
//! deliveries run, and isolated hooks. A hook that blocks here delays other extensions and no exchange.
//! And the watchdog, on a thread of its own.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use gatewright_pipeline::Watchdog;
use gatewright_pipeline::watchdog::{LOOK_EVERY, Sightings};
use tokio::runtime::{Handle, Runtime};

/// Threads of the runtime. Two, so that one that is blocked leaves one.
const THREADS: usize = 2;
/// How long blocked threads may take when the process ends.
const END_WITHIN: Duration = Duration::from_millis(100);

/// The threads that extensions run on beside the workers, and the eye on all of them.
pub(crate) struct ExtensionRuntime {
    /// Taken away when it ends.
    runtime: Option<Runtime>,
    handle: Handle,
    watchdog: Watchdog,
}

impl ExtensionRuntime {
    /// Starts the threads.
    ///
    /// # Errors
    ///
    /// When the system gives none.
    pub(crate) fn start() -> anyhow::Result<Self> {
        let watchdog = Watchdog::default();
        let joining = watchdog.clone();
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(THREADS)
            .thread_name("extension")
            .on_thread_start(move || joining.join("extension"))
            .enable_all()
            .build()
            .context("cannot start the runtime of extensions")?;
        watch(&watchdog)?;
        Ok(Self { handle: runtime.handle().clone(), runtime: Some(runtime), watchdog })
    }

    /// Where to spawn.
    pub(crate) fn handle(&self) -> &Handle {
        &self.handle
    }

    /// What threads that run hooks join.
    pub(crate) fn watchdog(&self) -> &Watchdog {
        &self.watchdog
    }
}

/// Starts the watchdog's own thread. It ends with the last clone of the watchdog but its own.
fn watch(watchdog: &Watchdog) -> anyhow::Result<()> {
    let watched = watchdog.downgrade();
    std::thread::Builder::new()
        .name("watchdog".to_owned())
        .spawn(move || {
            let mut sightings = Sightings::default();
            while let Some(watchdog) = watched.upgrade() {
                watchdog.look(Instant::now(), &mut sightings);
                drop(watchdog);
                std::thread::sleep(LOOK_EVERY);
            }
        })
        .context("cannot start the watchdog")?;
    Ok(())
}

impl Drop for ExtensionRuntime {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            // A thread that never returns must not keep the process.
            std::thread::spawn(move || runtime.shutdown_timeout(END_WITHIN));
        }
    }
}

impl std::fmt::Debug for ExtensionRuntime {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ExtensionRuntime").finish_non_exhaustive()
    }
}
