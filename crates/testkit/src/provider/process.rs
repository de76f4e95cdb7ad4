//! The simulated provider as a process: for the demo, for trying things by hand, and as the far end of benches.
//!
//! A company's workspace has a binary of its own that is this one function.

use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

use super::{ProviderSettings, SimulatedProvider, keys};

/// A simulated model provider that speaks the OpenAI wire protocol.
#[derive(Debug, Parser)]
#[command(name = "gatewright-simulator", version, after_long_help = manual())]
struct Arguments {
    /// Where to listen; port 0 takes a free one, which is printed.
    #[arg(long, default_value = "127.0.0.1:9100")]
    listen: SocketAddr,
    /// Content events per second and stream, about one token each; 0 is as fast as possible.
    #[arg(long, default_value_t = 30.0)]
    rate: f64,
    /// The only API key that is accepted; without it any key will do.
    #[arg(long)]
    key: Option<String>,
    /// Render each answer once and read nothing of a request but its model name: for benches.
    #[arg(long)]
    prerender: bool,
}

/// Reads the command line and simulates a provider until Ctrl-C.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let ended =
        runtime.context("cannot start the runtime").and_then(|runtime| runtime.block_on(run(arguments)));
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(cause) => {
            // Nothing is left to do when even the terminal is gone.
            writeln!(std::io::stderr(), "error: {cause:#}").ok();
            ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> anyhow::Result<()> {
    let listen = arguments.listen;
    let provider = SimulatedProvider::start_with(ProviderSettings {
        listen,
        events_per_second: arguments.rate,
        key: arguments.key,
        record: false,
        prerender: arguments.prerender,
    })
    .await
    .with_context(|| format!("cannot listen on {listen}"))?;
    // Whoever started the process waits for this line.
    writeln!(std::io::stdout(), "simulated provider listening on {}", provider.base_url())?;
    tokio::signal::ctrl_c().await.context("cannot wait for Ctrl-C")
}

fn manual() -> String {
    let mut manual = String::from(
        "The model name of a request says how it is answered: `sim`, or `sim?key=value&key=value`.\n\
         Values are percent-encoded; times are milliseconds; `…_after` counts content events.\n\
         Any name that does not start with `sim?` gets a plain answer.\n\nKeys:\n",
    );
    for (example, meaning) in keys() {
        manual.push_str(&format!("  {example:<24} {meaning}\n"));
    }
    manual.push_str("\nExample:\n  sim?tokens=200&rate=50&reset_after=20\n");
    manual
}
