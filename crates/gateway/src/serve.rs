//! `serve`: start, run, drain, exit. And `check`: everything up to the first socket.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gatewright::registry::Registry;
use gatewright_config::{
    Inputs, LastGood, Loaded, ProcessEnvironment, Settings, Watch, load, load_sources, store_path,
};
use gatewright_pipeline::with_causes;
use gatewright_server::admin::{Admin, Pulse};
use gatewright_server::drain::{Drain, DrainReport, DrainTimes, Phase};
use gatewright_server::listener::Listener;
use gatewright_server::tls::Tls;
use gatewright_store::{Ledger, LedgerPlace, LedgerSettings};
use gatewright_upstream::Egress;
use tokio::sync::mpsc;

use crate::admin::{Process, ReloadRequest};
use crate::build_info::BuildInfo;
use crate::cli::say;
use crate::clock::SystemClock;
use crate::embed::Unwrapped;
use crate::ending::Endings;
use crate::engine::{Engine, Foundations};
use crate::instances::{Instances, Workshop};
use crate::limits::LimitStore;
use crate::listeners::{Sockets, open_listeners};
use crate::meters::Meters;
use crate::metrics::{InstanceFamilies, Metrics};
use crate::random::ThreadRandom;
use crate::reload::{Reloader, build};
use crate::runtime::ExtensionRuntime;
use crate::services::{Foundation, Services};
use crate::workers::{self, Shared};
use crate::{Build, Exit, logging, summary};

/// How long a worker may be silent before the process counts as not alive.
const WORKER_SILENCE_MAX: Duration = Duration::from_secs(5);
/// Wishes to reload that may wait; more come to nothing, because those that wait do the same.
const RELOADS_MAX: usize = 4;
/// How long the shared store of limits is told what was spent, at the end.
const LIMITS_WITHIN: Duration = Duration::from_secs(1);

/// Serves until the process is told to stop, then drains.
pub(crate) fn serve(build: &Build, registry: Registry, files: Vec<PathBuf>, sockets: Sockets) -> Exit {
    let last_good = LastGood::beside(&store_path(&files, &ProcessEnvironment));
    let loaded = match load_or_fall_back(&registry, &files, &last_good) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    if let Err(error) = logging::install(&loaded.settings.telemetry) {
        say(&format!("error: {error:#}"));
        return Exit::Config;
    }
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            tracing::error!(%error, "The runtime cannot be started");
            return Exit::Resource;
        }
    };
    runtime.block_on(async {
        match Running::start(build, registry, files, last_good, loaded, sockets).await {
            Ok(running) => running.run().await,
            Err((exit, why)) => {
                tracing::error!(why, "Gateway did not start");
                exit
            }
        }
    })
}

/// Loads the configuration; if it is broken, the last one that was in use.
fn load_or_fall_back(registry: &Registry, files: &[PathBuf], last_good: &LastGood) -> Result<Loaded, Exit> {
    let inputs = Inputs { environment: &ProcessEnvironment, extensions: registry, generation: 1 };
    let errors = match load(files, &inputs) {
        Ok(loaded) => return Ok(loaded),
        Err(errors) => errors,
    };
    say(&errors.to_string());
    let kept = match last_good.read() {
        Ok(Some(sources)) => load_sources(sources, &inputs).ok(),
        Ok(None) => None,
        Err(error) => {
            say(&format!("error: {error}"));
            None
        }
    };
    match kept {
        Some(loaded) => {
            say(&format!(
                "warning: the configuration is broken; serving the last good one from {}",
                last_good.path().display()
            ));
            Ok(loaded)
        }
        None => Err(Exit::Config),
    }
}

/// Builds everything that a configuration asks for, without opening a socket or a database.
///
/// # Errors
///
/// A text that says what is wrong and where.
pub(crate) fn rehearse(registry: &Registry, loaded: Loaded) -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| format!("error: the runtime cannot be started: {error}"))?;
    runtime.block_on(async {
        let workshop = rehearsal(registry).map_err(|error| format!("error: {error:#}"))?;
        let built = build(loaded, &workshop, &Instances::new(), None).await?;
        Ok(summary::of(&built.settings, &built.snapshot.plan))
    })
}

/// What instances are made with when nothing may come of it.
fn rehearsal(registry: &Registry) -> anyhow::Result<Workshop> {
    Ok(Workshop {
        registry: registry.clone(),
        services: Services::rehearsal(foundation(&LimitStore::memory(), Arc::default())),
        metrics: InstanceFamilies::default(),
        runtime: ExtensionRuntime::start()?,
        endings: Endings::default(),
        rehearses: true,
        wrap: Arc::new(Unwrapped),
    })
}

fn foundation(limits: &LimitStore, meters: Arc<Meters>) -> Foundation {
    Foundation {
        limits: limits.service(),
        clock: Arc::new(SystemClock),
        random: Arc::new(ThreadRandom),
        meters,
    }
}

/// What instances are made with in a process that serves; their state is beside the store.
fn workshop(
    registry: Registry,
    settings: &Settings,
    (limits, metrics): (&LimitStore, &Metrics),
) -> anyhow::Result<Workshop> {
    let runtime = ExtensionRuntime::start()?;
    let egress = Egress::new(runtime.handle().clone());
    let data_dir = settings.store.path.parent().unwrap_or(Path::new(".")).join("extensions");
    let base = foundation(limits, Arc::clone(metrics.meters()));
    Ok(Workshop {
        registry,
        services: Services::live(base, egress, &data_dir, durability(settings)),
        metrics: metrics.instances().clone(),
        runtime,
        endings: Endings::default(),
        rehearses: false,
        wrap: Arc::new(Unwrapped),
    })
}

/// A process that serves.
struct Running {
    drain: Drain,
    reloader: Reloader,
    reloads: mpsc::Receiver<ReloadRequest>,
    watch: Option<Watch>,
    workers: Vec<std::thread::JoinHandle<anyhow::Result<()>>>,
    certificates: Vec<Tls>,
    limits: Arc<LimitStore>,
}

/// What starting a part comes to; why not, with the exit code.
pub(crate) type Started<T> = Result<T, (Exit, String)>;

impl Running {
    async fn start(
        info: &Build,
        registry: Registry,
        files: Vec<PathBuf>,
        last_good: LastGood,
        loaded: Loaded,
        sockets: Sockets,
    ) -> Started<Self> {
        let metrics = Arc::new(Metrics::new(info));
        let store = Arc::new(open_ledger(&loaded.settings)?);
        let limits = LimitStore::open(loaded.settings.store.shared_limits.as_ref()).await;
        let limits = Arc::new(limits.map_err(|error| (Exit::Config, format!("{error:#}")))?);
        let info = BuildInfo::of(info);
        let workshop = workshop(registry, &loaded.settings, (&limits, &metrics))
            .map_err(|error| (Exit::Resource, format!("{error:#}")))?;
        let kept = crate::keeping::file(&loaded.settings);
        let foundations = Foundations { metrics, store, kept, workshop };
        let engine = Engine::start(foundations, loaded).await.map_err(|why| (Exit::Config, why))?;
        let settings = &engine.current.settings;
        let (listeners, certificates) = open_listeners(settings, sockets)?;
        let drain = Drain::new(drain_times(settings));
        let (reload_sender, reloads) = mpsc::channel(RELOADS_MAX);

        let process = Arc::new(Process {
            snapshots: Arc::clone(&engine.snapshots),
            metrics: Arc::clone(&engine.metrics),
            store: Arc::clone(&engine.store),
            limits: Arc::clone(&limits),
            registry: engine.workshop.registry.clone(),
            info,
            drain: drain.clone(),
            beside: engine.workshop.runtime.handle().clone(),
            reloads: reload_sender.clone(),
        });
        let pulse = Pulse::new(settings.workers, WORKER_SILENCE_MAX);
        let admin = serve_admin(settings, process, pulse.clone(), &drain)?;
        let shared = Shared { station: engine.station(), listeners: Arc::new(listeners), pulse };
        let workers = workers::start(settings.workers, &shared, &drain)
            .map_err(|error| (Exit::Resource, format!("{error:#}")))?;
        let watch = watch(&engine.current.files, reload_sender);
        announce(&shared.listeners, admin, settings);
        let reloader = Reloader { engine, files, last_good };
        reloader.keep();
        Ok(Self { drain, reloader, reloads, watch, workers, certificates, limits })
    }

    /// Reloads on demand until the process is told to stop, then drains.
    async fn run(mut self) -> Exit {
        let mut signals = match Signals::install() {
            Ok(signals) => signals,
            Err(error) => {
                tracing::error!(%error, "Signals cannot be received");
                return Exit::Resource;
            }
        };
        loop {
            tokio::select! {
                signal = signals.next() => match signal {
                    Signal::Stop => break,
                    Signal::Hangup => self.reload(None).await,
                },
                Some(request) = self.reloads.recv() => self.reload(request).await,
            }
            if self.workers.iter().any(std::thread::JoinHandle::is_finished) {
                tracing::error!("A worker thread ended; the process stops");
                break;
            }
        }
        self.stop(signals).await
    }

    async fn reload(&mut self, request: ReloadRequest) {
        for certificate in &self.certificates {
            if let Err(error) = certificate.reload() {
                tracing::error!(%error, "Certificate refused; the previous one stays in use");
            }
        }
        let result = self.reloader.reload().await;
        if let (Ok(_), Some(watch)) = (&result, &self.watch) {
            watch.set_files(self.reloader.engine.current.files.clone());
        }
        if let Some(waiting) = request {
            // Whoever asked may have gone; the log has the outcome.
            let _gone = waiting.send(result);
        }
    }

    async fn stop(mut self, mut signals: Signals) -> Exit {
        tracing::info!("Draining");
        self.drain.begin();
        let cut = self.reloader.engine.cut.clone();
        let drain = self.drain.clone();
        let cutting = tokio::spawn(async move {
            drain.reached(Phase::Cut).await;
            cut.cut();
        });
        let report = tokio::select! {
            report = self.drain.wait_idle() => report,
            // A second signal means now.
            () = signals.stop() => {
                tracing::warn!("Told to stop again: what still runs is cut off");
                self.reloader.engine.cut.cut();
                DrainReport { cut: 1, aborted: 1 }
            }
        };
        cutting.abort();
        // What did not come to its end in time is in the log.
        let _in_time = self.reloader.engine.end().await;
        // What cannot be told is given back when the store misses this process.
        let _in_time = tokio::time::timeout(LIMITS_WITHIN, self.limits.flush()).await;
        tracing::info!(cut = report.cut, aborted = report.aborted, "Stopped");
        if report.cut == 0 { Exit::Done } else { Exit::Cut }
    }
}

pub(crate) fn durability(settings: &Settings) -> gatewright_store::Durability {
    match settings.store.durability {
        gatewright_config::Durability::None => gatewright_store::Durability::None,
        gatewright_config::Durability::Crash => gatewright_store::Durability::Crash,
        gatewright_config::Durability::Power => gatewright_store::Durability::Power,
    }
}

fn open_ledger(settings: &Settings) -> Started<Ledger> {
    let place = LedgerPlace::File(settings.store.path.clone());
    Ledger::open(place, durability(settings), &LedgerSettings::default())
        .map_err(|error| (Exit::Resource, format!("store: {}", with_causes(&error))))
}

fn drain_times(settings: &Settings) -> DrainTimes {
    DrainTimes {
        unready_min: settings.drain.min,
        closing_max: settings.drain.deadline,
        ..DrainTimes::default()
    }
}

fn serve_admin(
    settings: &Settings,
    process: Arc<Process>,
    pulse: Pulse,
    drain: &Drain,
) -> Started<SocketAddr> {
    let address = settings.admin.address;
    let listener = Listener::bind(address, Admin::options())
        .map_err(|error| (Exit::Resource, format!("admin: cannot listen on {address}: {error}")))?;
    let address = listener.local_addr();
    // Operators see the process to its end, so this listener has a life of its own.
    let own = Drain::new(drain.times());
    let router = Admin::new(process, pulse);
    tokio::spawn(async move {
        if let Err(error) = listener.serve(router, own).await {
            tracing::error!(%error, "The admin listener ended");
        }
    });
    Ok(address)
}

fn watch(files: &[PathBuf], reloads: mpsc::Sender<ReloadRequest>) -> Option<Watch> {
    let changed = move || {
        // A queue that is full holds a wish that was not begun yet, which sees this change too.
        let _full = reloads.try_send(None);
    };
    match Watch::start(files.to_vec(), changed) {
        Ok(watch) => Some(watch),
        Err(error) => {
            tracing::warn!(%error, "Files are not watched; reload by SIGHUP");
            None
        }
    }
}

fn announce(listeners: &[Listener], admin: SocketAddr, settings: &Settings) {
    for (listener, settings) in listeners.iter().zip(&settings.listeners) {
        let address: SocketAddr = listener.local_addr();
        let scheme = if settings.tls.is_some() { "https" } else { "http" };
        tracing::info!(name = settings.name, url = format!("{scheme}://{address}"), "Listening");
    }
    tracing::info!(%admin, workers = settings.workers, "Ready");
}

/// The signals that the process understands.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hangup: tokio::signal::unix::Signal,
}

/// What a signal asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Signal {
    Stop,
    /// Read the configuration again.
    Hangup,
}

impl Signals {
    fn install() -> std::io::Result<Self> {
        use tokio::signal::unix::{SignalKind, signal};
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    /// Waits for the next signal.
    async fn next(&mut self) -> Signal {
        tokio::select! {
            _ = self.terminate.recv() => Signal::Stop,
            _ = self.interrupt.recv() => Signal::Stop,
            _ = self.hangup.recv() => Signal::Hangup,
        }
    }

    /// Waits for the wish to stop.
    async fn stop(&mut self) {
        while self.next().await == Signal::Hangup {}
    }
}
