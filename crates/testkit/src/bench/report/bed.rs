//! The test bed: the simulated provider, and the two subjects, each started on demand on its core.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context;

use super::ReportOptions;
use crate::bench::process::{self, Program, Running, free_address};
use crate::bench::{measure, shot::Shot};

/// The core of the process under measurement.
const SUBJECT_CORE: usize = 0;
/// The core that the load and the simulated provider share.
const LOAD_CORE: usize = 1;

const KEY: &str = "gw-bench-0123456789abcdef0123456789abcdef";
const BUILT_IN_TEMPLATE: &str = include_str!("gateway.yaml");

/// The models are in no catalogue, so they have their price here.
const PRICE: &str = "price: { input: 0.15, output: 0.60 }";

/// The provider of the template that speaks the callers' dialect, and the one that speaks another.
const PROVIDER: &str = "simulated";
const OTHER_PROVIDER: &str = "translated";

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Subject {
    Floor,
    /// Key check, route, limiters, metrics and usage counted.
    Gateway,
    /// The same with the access line and a usage record in the store for every exchange.
    GatewayWithRecords,
    /// The gateway in front of a provider that speaks another dialect than the callers.
    Translating,
}

/// The models of the bench: their names are what the simulated provider does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum BenchModel {
    Answer,
    SlowStream,
    SlowStreamTwiceAsFast,
    CoalescedStream,
}

impl BenchModel {
    const ALL: [Self; 4] =
        [Self::Answer, Self::SlowStream, Self::SlowStreamTwiceAsFast, Self::CoalescedStream];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Answer => "sim?tokens=100&rate=0",
            Self::SlowStream => "sim?tokens=4000&rate=5&stagger=1",
            Self::SlowStreamTwiceAsFast => "sim?tokens=8000&rate=10&stagger=1",
            Self::CoalescedStream => "sim?tokens=16000&rate=20&coalesce=4&stagger=1",
        }
    }

    /// Events per second of one stream.
    pub(super) fn events_per_second(self) -> f64 {
        match self {
            Self::Answer => 0.0,
            Self::SlowStream => 5.0,
            Self::SlowStreamTwiceAsFast => 10.0,
            Self::CoalescedStream => 20.0,
        }
    }

    pub(super) fn is_streamed(self) -> bool {
        self != Self::Answer
    }
}

/// Everything but the subject.
#[derive(Debug)]
pub(super) struct Bed {
    pub(super) window: Duration,
    gateway: Option<PathBuf>,
    template: String,
    scratch: Scratch,
    own_binary: PathBuf,
    pinned: bool,
    provider: Running,
}

impl Bed {
    /// Starts the simulated provider, and ties this process, which will be the load, to the core beside it.
    pub(super) fn new(options: &ReportOptions) -> anyhow::Result<Self> {
        let template = match &options.template {
            Some(path) => {
                fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?
            }
            None => BUILT_IN_TEMPLATE.to_owned(),
        };
        let scratch = Scratch::new()?;
        let own_binary = std::env::current_exe().context("cannot find the bench binary")?;
        let pinned = measure::cores() > LOAD_CORE && process::can_pin();
        if pinned {
            process::pin_self(LOAD_CORE).context("cannot tie the load to its core")?;
        }
        let address = free_address()?;
        let provider = Running::start(&Program {
            path: &own_binary,
            arguments: vec!["simulate".to_owned(), "--listen".to_owned(), address.to_string()],
            variables: Vec::new(),
            address,
            core: pinned.then_some(LOAD_CORE),
            output: &scratch.path("provider.log"),
        })?;
        let gateway = options.gateway.clone();
        Ok(Self { window: options.window, gateway, template, scratch, own_binary, pinned, provider })
    }

    pub(super) fn is_pinned(&self) -> bool {
        self.pinned
    }

    /// The binary under measurement, if it is not the floor itself.
    pub(super) fn gateway_binary(&self) -> Option<&Path> {
        self.gateway.as_deref()
    }

    /// Starts a subject.
    pub(super) fn start(&self, subject: Subject) -> anyhow::Result<Running> {
        match (&self.gateway, subject) {
            (None, _) | (_, Subject::Floor) => self.start_floor(),
            (Some(binary), Subject::Gateway) => self.start_gateway(binary, PROVIDER, false),
            (Some(binary), Subject::GatewayWithRecords) => self.start_gateway(binary, PROVIDER, true),
            (Some(binary), Subject::Translating) => self.start_gateway(binary, OTHER_PROVIDER, false),
        }
    }

    /// A request for `model` to a subject, or to the provider itself.
    pub(super) fn shot(&self, to: Option<&Running>, model: BenchModel, prompt_bytes: usize) -> Shot {
        let target: SocketAddr = to.unwrap_or(&self.provider).address;
        Shot::new(target, model.name(), prompt_bytes, model.is_streamed(), KEY)
    }

    fn start_floor(&self) -> anyhow::Result<Running> {
        let address = free_address()?;
        let upstream = self.provider.address.to_string();
        let arguments = ["floor", "--listen", &address.to_string(), "--upstream", &upstream];
        Ok(Running::start(&Program {
            path: &self.own_binary,
            arguments: arguments.map(str::to_owned).to_vec(),
            variables: Vec::new(),
            address,
            core: self.pinned.then_some(SUBJECT_CORE),
            output: &self.scratch.path("floor.log"),
        })?)
    }

    fn start_gateway(&self, binary: &Path, provider: &str, records: bool) -> anyhow::Result<Running> {
        let address = free_address()?;
        let config = self.scratch.path("gateway.yaml");
        fs::write(&config, self.configuration(address, provider, records)?)
            .context("cannot write the configuration")?;
        let running = Running::start(&Program {
            path: binary,
            arguments: vec!["serve".to_owned(), "--config".to_owned(), config.display().to_string()],
            variables: vec![("GATEWRIGHT_BENCH_KEY", KEY.to_owned())],
            address,
            core: self.pinned.then_some(SUBJECT_CORE),
            output: &self.scratch.path("gateway.log"),
        });
        running.map_err(|error| {
            let log = fs::read_to_string(self.scratch.path("gateway.log")).unwrap_or_default();
            anyhow::Error::new(error).context(log)
        })
    }

    fn configuration(&self, address: SocketAddr, provider: &str, records: bool) -> anyhow::Result<String> {
        let target = format!("{{ provider: {provider}, {PRICE} }}");
        let models: String = BenchModel::ALL
            .iter()
            .map(|model| format!("  \"{}\":\n    targets: [{target}]\n", model.name()))
            .collect();
        let database = self.scratch.path("gateway.db");
        Ok(self
            .template
            .replace("@listen@", &address.to_string())
            .replace("@admin@", &free_address()?.to_string())
            .replace("@upstream@", &self.provider.address.to_string())
            .replace("@database@", &database.display().to_string())
            .replace("@records@", if records { "true" } else { "false" })
            .replace("@access_log@", if records { "true" } else { "false" })
            .replace("@models@", &models))
    }
}

/// A folder for configuration, database and logs, removed when dropped.
#[derive(Debug)]
struct Scratch(PathBuf);

impl Scratch {
    fn new() -> anyhow::Result<Self> {
        let path = std::env::temp_dir().join(format!("gatewright-bench-{}", std::process::id()));
        fs::create_dir_all(&path).with_context(|| format!("cannot create {}", path.display()))?;
        Ok(Self(path))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // What is left behind is in the folder for temporary files.
        fs::remove_dir_all(&self.0).ok();
    }
}
