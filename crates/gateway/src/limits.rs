//! Where limits are counted: in this process, or in a store that replicas share.

use std::sync::Arc;

use anyhow::Context as _;
use gatewright::service::limits::Limits;
use gatewright_config::{OnLimitsLoss, SharedLimitsSettings};
use gatewright_store::{MemoryLimits, OnStoreLoss, SharedLimits, SharedSettings, SharedStats};
use tokio::runtime::Runtime;

use crate::clock::SystemClock;
use crate::random::ThreadRandom;

/// The limits of a process.
pub(crate) enum LimitStore {
    Memory(Arc<MemoryLimits>),
    Shared {
        limits: SharedLimits,
        /// Kept for as long as the limits are.
        _beside: Beside,
    },
}

/// The thread where the connection to the store lives: an answer that waits for a busy thread would count as late.
pub(crate) struct Beside(Option<Runtime>);

impl Drop for Beside {
    fn drop(&mut self) {
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

impl LimitStore {
    /// Limits that only this process knows.
    pub(crate) fn memory() -> Self {
        Self::Memory(Arc::new(MemoryLimits::new(Arc::new(SystemClock))))
    }

    /// Limits where the configuration has them.
    ///
    /// # Errors
    ///
    /// When the store's URL is none, or the system gives no thread. A store that is out of reach is no error.
    pub(crate) async fn open(settings: Option<&SharedLimitsSettings>) -> anyhow::Result<Self> {
        let Some(settings) = settings else { return Ok(Self::memory()) };
        let shared = SharedSettings {
            url: settings.url.expose().to_owned(),
            deadline: settings.deadline,
            money: policy(settings.money),
            rates: policy(settings.rates),
        };
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .thread_name("limits")
            .enable_all()
            .build()
            .context("cannot start the thread of shared limits")?;
        let limits =
            SharedLimits::open(shared, (Arc::new(SystemClock), &ThreadRandom), runtime.handle()).await;
        let limits = limits.map_err(|error| anyhow::anyhow!("store.shared_limits.url: {error}"))?;
        Ok(Self::Shared { limits, _beside: Beside(Some(runtime)) })
    }

    /// The service as extensions have it.
    pub(crate) fn service(&self) -> Arc<dyn Limits> {
        match self {
            Self::Memory(limits) => Arc::<MemoryLimits>::clone(limits),
            Self::Shared { limits, .. } => Arc::new(limits.clone()),
        }
    }

    /// Figures of the shared store, where there is one.
    pub(crate) fn shared(&self) -> Option<SharedStats> {
        match self {
            Self::Memory(_) => None,
            Self::Shared { limits, .. } => Some(limits.stats()),
        }
    }

    /// Tells the shared store what is not told yet.
    ///
    /// # Cancellation
    ///
    /// The store finds out when the tickets of this process expire.
    pub(crate) async fn flush(&self) {
        if let Self::Shared { limits, .. } = self {
            limits.flush().await;
        }
    }
}

fn policy(policy: OnLimitsLoss) -> OnStoreLoss {
    match policy {
        OnLimitsLoss::Closed => OnStoreLoss::Closed,
        OnLimitsLoss::LocalShare => OnStoreLoss::LocalShare,
    }
}
