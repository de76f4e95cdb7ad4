//! What one more extension costs that does nothing: a table on standard output. The allocator of this program counts.

use std::io::Write;
use std::process::Stdio;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use gatewright_testkit::bench::chain::{self, ChainOptions};
use gatewright_testkit::bench::extension::{COUNTED, CountingAllocator};
use gatewright_testkit::provider::{ProviderSettings, SimulatedProvider};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

#[global_allocator]
static ALLOCATOR: &CountingAllocator = &COUNTED;

/// Measures what one more instance in a chain costs.
#[derive(Debug, Parser)]
#[command(name = "gatewright-bench-extensions", version)]
struct Arguments {
    /// Runs of each figure.
    #[arg(long, default_value_t = 5)]
    repeats: usize,
    /// Seconds of one run.
    #[arg(long, default_value_t = 2.0)]
    seconds: f64,
    /// Measure nothing: send streams through so many filters, for a profiler that counts instructions.
    #[arg(long)]
    filters: Option<usize>,
    /// How many streams, with `--filters`.
    #[arg(long, default_value_t = 10)]
    streams: u64,
    /// Be the simulated provider of such a run.
    #[arg(long, hide = true)]
    simulate: bool,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async { if arguments.simulate { simulate().await } else { measure(&arguments).await } })
}

async fn measure(arguments: &Arguments) -> anyhow::Result<()> {
    let (_child, provider) = provider().await?;
    if let Some(filters) = arguments.filters {
        let events = chain::pass(provider, filters, arguments.streams).await?;
        return writeln!(std::io::stdout(), "{events} events").context("cannot write to standard output");
    }
    let window = Duration::from_secs_f64(arguments.seconds);
    let options = ChainOptions { provider, runs: arguments.repeats.max(1), window };
    let table = chain::run(&options).await?;
    write!(std::io::stdout(), "{table}").context("cannot write to standard output")
}

/// Starts the simulated provider as a process of its own, whose allocations are none of ours.
async fn provider() -> anyhow::Result<(Child, String)> {
    let own = std::env::current_exe().context("cannot find the bench's own binary")?;
    let mut child = Command::new(own)
        .arg("--simulate")
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .context("cannot start the simulated provider")?;
    let output = child.stdout.take().context("the simulated provider has no output")?;
    let line = BufReader::new(output).lines().next_line().await?;
    Ok((child, line.context("the simulated provider does not say where it listens")?))
}

async fn simulate() -> anyhow::Result<()> {
    let settings = ProviderSettings { record: false, prerender: true, ..ProviderSettings::default() };
    let provider = SimulatedProvider::start_with(settings).await.context("no loopback port is free")?;
    writeln!(std::io::stdout(), "{}", provider.base_url()).context("cannot write to standard output")?;
    tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")
}
