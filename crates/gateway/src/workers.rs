//! The worker threads. Each has a runtime of its own, accepts from the shared listening sockets,
//! and keeps its own connections to providers, so that an exchange never crosses threads.

use std::sync::Arc;
use std::thread::JoinHandle;

use anyhow::Context as _;
use gatewright_server::Application;
use gatewright_server::admin::Pulse;
use gatewright_server::drain::{Drain, Phase};
use gatewright_server::listener::Listener;
use gatewright_store::Courier;

use crate::engine::Station;

/// What all workers share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) station: Station,
    pub(crate) listeners: Arc<Vec<Listener>>,
    pub(crate) pulse: Pulse,
}

/// Starts the workers.
///
/// # Errors
///
/// When the system gives no thread.
pub(crate) fn start(
    count: usize,
    shared: &Shared,
    drain: &Drain,
) -> anyhow::Result<Vec<JoinHandle<anyhow::Result<()>>>> {
    (0..count)
        .map(|number| {
            let (shared, drain) = (shared.clone(), drain.fork());
            std::thread::Builder::new()
                .name(format!("worker-{number}"))
                .spawn(move || run(number, shared, drain))
                .context("cannot start a worker thread")
        })
        .collect()
}

/// One worker's life: from its runtime to the end of the drain.
fn run(number: usize, shared: Shared, drain: Drain) -> anyhow::Result<()> {
    shared.station.watchdog.join(&format!("worker-{number}"));
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .context("cannot start a worker's runtime")?;
    runtime.block_on(async move {
        let courier = tokio::spawn(Courier::new());
        let pulse = shared.pulse.clone();
        let beating = tokio::spawn(async move { pulse.beat(number).await });
        let application = Application::new(shared.station.worker());
        let accepting = (0..shared.listeners.len()).map(|index| {
            let (listeners, application, drain) =
                (Arc::clone(&shared.listeners), application.clone(), drain.fork());
            tokio::spawn(async move {
                match listeners.get(index) {
                    Some(listener) => listener.serve(application, drain).await,
                    None => Ok(()),
                }
            })
        });
        let accepting: Vec<_> = accepting.collect();
        for task in accepting {
            task.await.context("an accept loop panicked")?.context("a listener cannot be served")?;
        }
        drain.reached(Phase::Ended).await;
        beating.abort();
        courier.abort();
        Ok(())
    })
}
