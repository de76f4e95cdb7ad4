//! `cargo xtask dev`: the distribution in front of a simulated provider, built and started again at every save.
//!
//! This tool owns the listening socket and hands it to each gateway as its standard input, so the port is never given
//! up: the old gateway serves until the new one is ready, then finishes its answers and ends. Where a build fails, or
//! the new gateway does not get ready, the old one stays. A change of the configuration alone is the gateway's own
//! business: it looks at its files itself.
//! `watched.rs` sees changes, `generation.rs` holds one running gateway.

mod generation;
mod watched;

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use clap::Args;
use signal_hook::iterator::Signals;

use crate::command;
use crate::console::{human, print, say};
use crate::distribution::{BuildOptions, Distribution};
use crate::service::{self, Service, Wait, simulated};
use generation::{Generation, Stage};
use watched::Watched;

/// What is said when the first gateway serves.
const WELCOME: &str = include_str!("dev/welcome.txt");
/// The binary of the simulated provider, a member of the workspace.
const SIMULATOR: &str = "gatewright-simulator";
/// The key that callers present, unless the environment has one.
const KEY: &str = "gw-dev-key";
const KEY_VARIABLE: &str = "GATEWAY_KEY";
/// A provider for who only looks at a configuration.
const NOBODY: &str = "http://127.0.0.1:9/v1";
const PROVIDER_VARIABLE: &str = "SIMULATOR_URL";
/// What the configuration is called, and what is laid over it where it is there.
const CONFIGURATION: &str = "gateway.yaml";
const OVERLAY: &str = "dev.yaml";
/// Between two looks at the files.
const PAUSE: Duration = Duration::from_millis(150);
/// The time in which a gateway that was told to end has surely stopped to take connections.
const CLOSING: Duration = Duration::from_millis(500);
/// How long a gateway that was told to end may finish its answers; above its own drain deadline.
const END_DEADLINE: Duration = Duration::from_secs(10);

/// How to run the distribution while it is written.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The configuration; given several times, later files are laid over earlier ones. Default: gateway.yaml, and
    /// dev.yaml over it
    #[arg(long, value_name = "FILE")]
    config: Vec<PathBuf>,
    /// The port to listen on; without it 8080, or a free one where that is taken
    #[arg(long)]
    port: Option<u16>,
    /// Content events per second and stream of the simulated provider
    #[arg(long, default_value_t = 30.0)]
    rate: f64,
}

/// Builds, starts, rebuilds at every save, and returns when it is told to end.
///
/// # Errors
/// There is no distribution or no configuration, the port is taken, or the simulated provider does not start.
pub(crate) fn run(options: &Options) -> Result<()> {
    let mut signals = service::take_over_signals()?;
    let dist = Distribution::find()?;
    let files = configuration(&dist, &options.config)?;
    let socket = listen(options.port)?;
    say("building the simulated provider");
    let (mut provider, url) = simulated::start(&build_simulator(&dist)?, options.rate)?;
    let setting = Setting { provider: url, ..Setting::default() };
    let folder = dist.target().join("gatewright").join("dev");
    let mut dev = Dev {
        root: dist.root.clone(),
        stage: Stage { socket, files, setting, folder },
        serving: None,
        leaving: Vec::new(),
        is_welcomed: false,
        routes: String::new(),
    };
    dev.stage.prepare()?;
    let outcome = dev.work(&mut signals, watched::places(&dist));
    say("\nending: answers under way are finished first");
    dev.end()?;
    provider.end(END_DEADLINE)?;
    outcome
}

/// The files of the configuration, in the order in which they are laid over each other.
///
/// # Errors
/// One of them is not there.
pub(crate) fn configuration(dist: &Distribution, given: &[PathBuf]) -> Result<Vec<PathBuf>> {
    if !given.is_empty() {
        let absolute = |file: &PathBuf| {
            file.canonicalize().with_context(|| format!("cannot find the configuration {}", file.display()))
        };
        return given.iter().map(absolute).collect();
    }
    let [base, overlay] = [CONFIGURATION, OVERLAY].map(|name| dist.root.join(name));
    if !base.is_file() {
        bail!("there is no {}: write one, or name another file with `--config FILE`", base.display());
    }
    Ok([base, overlay].into_iter().filter(|file| file.is_file()).collect())
}

/// Opens the port that all gateways serve, one after another.
fn listen(port: Option<u16>) -> Result<TcpListener> {
    let open = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port));
    match port {
        Some(port) => open(port).with_context(|| format!("cannot listen on port {port}")),
        None => open(8080).or_else(|_| open(0)).context("no port is free on loopback"),
    }
}

/// What a configuration finds in its environment while it is tried out.
#[derive(Debug)]
pub(crate) struct Setting {
    /// The base URL of the simulated provider.
    provider: String,
    /// The key that callers present.
    key: String,
}

impl Default for Setting {
    /// Nobody listens at the provider's address; the key may be the environment's own.
    fn default() -> Self {
        let key = command::variable(KEY_VARIABLE).and_then(|key| key.into_string().ok());
        Self { provider: NOBODY.to_owned(), key: key.unwrap_or_else(|| KEY.to_owned()) }
    }
}

impl Setting {
    /// As variables.
    pub(crate) fn variables(&self) -> [(&'static str, &str); 2] {
        [(PROVIDER_VARIABLE, &self.provider), (KEY_VARIABLE, &self.key)]
    }
}

/// Builds the simulated provider in the workspace, so that it shares what tests are compiled from.
fn build_simulator(dist: &Distribution) -> Result<PathBuf> {
    let mut cargo = command::cargo();
    cargo.args(["build", "--workspace", "--bin", SIMULATOR]).current_dir(&dist.root);
    command::run(&mut cargo).with_context(|| {
        format!(
            "the workspace has to have a binary {SIMULATOR}, as tests/Cargo.toml of a new distribution does"
        )
    })?;
    Ok(dist.target().join("debug").join(format!("{SIMULATOR}{}", std::env::consts::EXE_SUFFIX)))
}

/// The distribution under work.
struct Dev {
    root: PathBuf,
    stage: Stage,
    serving: Option<Generation>,
    /// Gateways that finish their answers, and when they were told to end.
    leaving: Vec<(Service, Instant)>,
    is_welcomed: bool,
    /// Which routes run which instances, as it was said last.
    routes: String,
}

impl Dev {
    /// Builds now and at every change, until a signal comes.
    fn work(&mut self, signals: &mut Signals, mut places: Vec<PathBuf>) -> Result<()> {
        let mut built = Watched::look(&places);
        let mut configured = Watched::look(&self.stage.files);
        self.renew(&mut places);
        loop {
            if signals.wait_up_to(PAUSE) {
                return Ok(());
            }
            self.tend()?;
            let now = Watched::look(&self.stage.files);
            if configured.difference(&now).is_some() {
                configured = settled(&self.stage.files, now);
                self.say_routes();
            }
            let now = Watched::look(&places);
            let Some(changed) = built.difference(&now) else { continue };
            say(format_args!("\n{} changed: building", self.shown(changed)));
            built = settled(&places, now);
            self.renew(&mut places);
        }
    }

    fn shown(&self, path: &Path) -> String {
        path.strip_prefix(&self.root).unwrap_or(path).display().to_string()
    }

    /// Builds, and lets the new gateway take over. What fails is said, and the old one stays.
    fn renew(&mut self, places: &mut Vec<PathBuf>) {
        let start = Instant::now();
        match self.try_renew(places) {
            Ok(true) => self.say_serving(start.elapsed()),
            Ok(false) => say("the gateway is the same; it goes on"),
            Err(cause) => {
                say(format_args!("error: {cause:#}"));
                let what =
                    if self.serving.is_some() { "the gateway of before goes on" } else { "no gateway runs" };
                say(format_args!("{what}; the next save builds again"));
            }
        }
    }

    /// Whether another gateway serves now.
    fn try_renew(&mut self, places: &mut Vec<PathBuf>) -> Result<bool> {
        let dist = Distribution::load(&self.root)?;
        *places = watched::places(&dist);
        let built = dist.build(&BuildOptions::default())?;
        if self.serving.as_ref().is_some_and(|serving| serving.is_of(&built.binary)) {
            return Ok(false);
        }
        let next = self.stage.start(&built.binary)?;
        if let Some(last) = self.serving.replace(next) {
            self.dismiss(last.service)?;
        }
        Ok(true)
    }

    /// Tells a gateway to end, and gives it the moment in which it stops to take connections; its answers may take
    /// longer.
    fn dismiss(&mut self, mut service: Service) -> Result<()> {
        let since = Instant::now();
        service.ask_to_end()?;
        while since.elapsed() < CLOSING && service.ended()?.is_none() {
            std::thread::sleep(PAUSE / 10);
        }
        if service.ended()?.is_none() {
            self.leaving.push((service, since));
        }
        Ok(())
    }

    /// Looks after the processes: those that left, and one that left by itself.
    fn tend(&mut self) -> Result<()> {
        let mut staying = Vec::new();
        for (mut service, since) in self.leaving.drain(..) {
            if service.ended()?.is_none() && since.elapsed() < END_DEADLINE {
                staying.push((service, since));
            }
        }
        self.leaving = staying;
        if let Some(serving) = &mut self.serving
            && let Some(ended) = serving.service.ended()?
        {
            say(format_args!(
                "{ended}; the next save builds and starts it again, and clients wait until then"
            ));
            self.serving = None;
        }
        Ok(())
    }

    fn say_serving(&mut self, took: Duration) {
        let Some(serving) = &self.serving else { return };
        if self.is_welcomed {
            say(format_args!("serving again after {}; metrics {}", human(took), serving.metrics()));
            self.say_routes();
        } else {
            self.routes = self.stage.routes(&serving.binary);
            print(&self.stage.welcome(WELCOME, serving, &self.routes));
            self.is_welcomed = true;
        }
    }

    /// Says which routes run which instances, where that changed. What is wrong with a configuration is said by the
    /// gateway that reads it.
    fn say_routes(&mut self) {
        let Some(serving) = &self.serving else { return };
        let routes = self.stage.routes(&serving.binary);
        if !routes.is_empty() && routes != self.routes {
            print(&format!("the chains are now:\n{routes}"));
            self.routes = routes;
        }
    }

    /// Ends every gateway, in order.
    fn end(&mut self) -> Result<()> {
        if let Some(serving) = &mut self.serving {
            serving.service.end(END_DEADLINE)?;
        }
        for (service, since) in &mut self.leaving {
            service.end(END_DEADLINE.saturating_sub(since.elapsed()))?;
        }
        Ok(())
    }
}

/// What is there once nothing changes from one look to the next: an editor may write several files.
fn settled(places: &[PathBuf], mut last: Watched) -> Watched {
    loop {
        std::thread::sleep(PAUSE);
        let now = Watched::look(places);
        if now == last {
            return now;
        }
        last = now;
    }
}
