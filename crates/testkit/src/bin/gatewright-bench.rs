//! The bench: the yardstick, the load, the far end, and the report that puts them together.

use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::{Args, Parser};
use gatewright_testkit::bench::load::{self, Load};
use gatewright_testkit::bench::report::{self, ReportOptions};
use gatewright_testkit::bench::shot::Shot;
use gatewright_testkit::bench::streams::Streams;
use gatewright_testkit::bench::{floor, measure};
use gatewright_testkit::provider::{ProviderSettings, SimulatedProvider};
use tokio::net::TcpListener;

/// Measures a gateway against a bare pass-through proxy.
#[derive(Debug, Parser)]
#[command(name = "gatewright-bench", version)]
enum Arguments {
    /// Run every row for the floor and the gateway, and print the table.
    Report(ReportArguments),
    /// The yardstick: a bare pass-through proxy.
    Floor {
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// Where everything goes.
        #[arg(long)]
        upstream: SocketAddr,
    },
    /// The simulated provider with pre-rendered answers; the model name says what it does.
    Simulate {
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
    },
    /// Send exchanges, or hold streams open, and print what came of it as JSON.
    Load(LoadArguments),
}

#[derive(Debug, Args)]
struct LoadArguments {
    #[arg(long)]
    target: SocketAddr,
    /// Sent as `authorization: Bearer KEY`.
    #[arg(long, default_value = "none")]
    key: String,
    #[arg(long, default_value = "sim?tokens=100&rate=0")]
    model: String,
    #[arg(long, default_value_t = 4096)]
    prompt_bytes: usize,
    #[arg(long, default_value_t = 32)]
    connections: u32,
    /// Exchanges per second over all connections; without it as fast as they are answered.
    #[arg(long)]
    rate: Option<f64>,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    /// Hold so many streams open instead, and count their events.
    #[arg(long)]
    streams: Option<u32>,
    /// A process to measure meanwhile.
    #[arg(long)]
    pid: Option<u32>,
}

#[derive(Debug, Args)]
struct ReportArguments {
    /// The release binary of the gateway; without it the floor stands in for it.
    #[arg(long)]
    gateway: Option<PathBuf>,
    /// The configuration of the gateway with placeholders; without it the built-in one.
    #[arg(long)]
    template: Option<PathBuf>,
    /// A file for the table, beside standard output.
    #[arg(long)]
    output: Option<PathBuf>,
    /// Runs of each row.
    #[arg(long, default_value_t = 5)]
    repeats: u32,
    /// Seconds of one run.
    #[arg(long, default_value_t = 4.0)]
    seconds: f64,
    /// Only these rows: exchange, records, latency, syscalls, slow-streams, coalesced-streams, big-prompt,
    /// translated, translated-slow-streams, translated-coalesced-streams, translated-big-prompt, start, saturation.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    // One thread each: a process has the core that it is given.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        match arguments {
            Arguments::Floor { listen, upstream } => run_floor(listen, upstream).await,
            Arguments::Simulate { listen } => simulate(listen).await,
            Arguments::Load(arguments) => run_load(arguments).await,
            Arguments::Report(arguments) => run_report(arguments).await,
        }
    })
}

async fn run_floor(listen: SocketAddr, upstream: SocketAddr) -> anyhow::Result<()> {
    let listener = TcpListener::bind(listen).await.with_context(|| format!("cannot listen on {listen}"))?;
    say(&format!("floor listening on {}", listener.local_addr()?))?;
    floor::run(listener, upstream).await.context("the floor's listener failed")
}

async fn simulate(listen: SocketAddr) -> anyhow::Result<()> {
    let settings = ProviderSettings { listen, record: false, prerender: true, ..ProviderSettings::default() };
    let provider = SimulatedProvider::start_with(settings)
        .await
        .with_context(|| format!("cannot listen on {listen}"))?;
    say(&format!("simulated provider listening on {}", provider.address()))?;
    tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")
}

async fn run_load(arguments: LoadArguments) -> anyhow::Result<()> {
    let LoadArguments { target, key, model, prompt_bytes, connections, rate, seconds, streams, pid } =
        arguments;
    let duration = Duration::from_secs_f64(seconds);
    let shot = Shot::new(target, &model, prompt_bytes, streams.is_some(), &key);
    let cpu = || pid.map(measure::cpu_time).transpose();
    let open = match streams {
        Some(streams) => Some(Streams::open(&shot, streams, Duration::from_secs(2)).await?),
        None => None,
    };
    let before = cpu()?;
    let (mut result, done) = match open {
        Some(open) => {
            let events_before = open.so_far().events;
            tokio::time::sleep(duration).await;
            let so_far = open.so_far();
            let events = so_far.events - events_before;
            (serde_json::json!({"events": events, "opened": so_far.opened, "ended": so_far.ended}), events)
        }
        None => {
            let result = load::run(&shot, Load { connections, per_second: rate, duration }).await?;
            (result.to_json(), result.answered)
        }
    };
    if let (Some(before), Some(after), Some(pid)) = (before, cpu()?, pid) {
        let micros = (after - before).as_micros();
        result["cpu_us"] = serde_json::json!(u64::try_from(micros)?);
        result["cpu_us_each"] = serde_json::json!(u64::try_from(micros)? / done.max(1));
        result["resident_bytes"] = serde_json::json!(measure::resident_bytes(pid)?);
    }
    say(&format!("{result:#}"))
}

async fn run_report(arguments: ReportArguments) -> anyhow::Result<()> {
    let ReportArguments { gateway, template, output, repeats, seconds, only } = arguments;
    let window = Duration::from_secs_f64(seconds);
    let options = ReportOptions { gateway, template, output, repeats: repeats.max(1), window, only };
    say(&report::run(&options).await?)
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}").context("cannot write to standard output")
}
