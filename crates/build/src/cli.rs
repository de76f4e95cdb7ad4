//! The commands of `cargo xtask`, and which function each one is.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::client::Clients;
use crate::console::say;
use crate::distribution::{chore, doctor, edit, list};
use crate::workspace::{self, Workspace};
use crate::{bench, ci, demo, describe, dev, examine, metrics, new, skip, supply, test, tidy};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    about = "Every chore of a distribution, and of Gatewright itself, behind one door",
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    #[command(flatten)]
    Distribution(Command),
    /// Run every test: of a distribution with its smoke test, of Gatewright with what it installs for that
    Test {
        /// Leave out the suites that use client libraries in other languages (Gatewright's own)
        #[arg(long)]
        no_clients: bool,
        /// Run the long forms of property tests and scenarios (Gatewright's own)
        #[arg(long)]
        full: bool,
        /// Run only tests whose names contain one of these
        filters: Vec<String>,
    },
    /// Hold the benches of a distribution against its budgets; measure Gatewright against a bare proxy
    Bench(bench::Options),
    /// Gatewright's own: build and start a gateway with a simulated provider, and say what to try
    Demo(demo::Options),
    /// Gatewright's own: run what every change has to pass, fastest first
    Ci {
        /// Add what takes too long for every change
        #[arg(long)]
        full: bool,
    },
    /// Gatewright's own: check the house rules that no compiler checks
    Tidy {
        /// Print the layers instead
        #[arg(long)]
        graph: bool,
    },
    /// Gatewright's own: install the client libraries of tests, and print the variables by which tests find them
    Clients,
    /// Gatewright's own: check licences, bans and sources of what comes from outside, by deny.toml
    Supply,
    /// Gatewright's own: print the layers, as a table and a picture
    Graph {
        /// Write them into ARCHITECTURE.md
        #[arg(long)]
        write: bool,
    },
    /// Gatewright's own: print the size and the habits of the code beside the values aimed at
    Metrics,
}

/// What can be done with a distribution.
#[derive(Debug, Subcommand)]
enum Command {
    /// Write a company's repository, or one more extension
    #[command(subcommand)]
    New(new::What),
    /// Run the distribution in front of a simulated provider, and build it again at every save
    Dev(dev::Options),
    /// Build the binary that gatewright.toml describes
    Build(chore::Build),
    /// Check manifest, versions and policy, and the configuration by the binary that reads it
    Check(examine::Check),
    /// Print the extensions by the manifest and by the binary, with what differs
    List(list::List),
    /// Add an extension to gatewright.toml
    Add(edit::Add),
    /// Take an extension out of gatewright.toml
    Remove(edit::Remove),
    /// Move an extension, the core, or everything in the lock to newer versions
    Update(edit::Update),
    /// Write a page for each extension, from what the binary says of itself
    Docs(describe::Docs),
    /// Print the JSON Schema of the configuration that the binary accepts
    Schema,
    /// Look at what could keep a distribution from building on this machine
    Doctor,
}

/// Reads the command line and does the chore.
pub(crate) fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(format_args!("error: {failure:#}"));
            ExitCode::FAILURE
        }
    }
}

fn run(chore: Chore) -> Result<()> {
    match chore {
        Chore::Demo(options) => demo::run(&workspace::clone()?, &options),
        Chore::Test { no_clients, full, filters } => {
            let root = workspace::root()?;
            if !workspace::is_clone(&root) {
                return examine::test(&filters);
            }
            let skips = test::run(&root, &test::Options { no_clients, full, filters })?;
            skip::close(&skips);
            Ok(())
        }
        Chore::Ci { full } => ci::run(&workspace::clone()?, full),
        Chore::Tidy { graph: true } => tidy::graph::run(&own()?, false),
        Chore::Tidy { graph: false } => tidy::run(&own()?),
        Chore::Clients => {
            let (clients, skips) = Clients::install(&workspace::clone()?, false)?;
            for (name, path) in clients.variables() {
                say(format_args!("export {name}={}", path.display()));
            }
            skip::close(&skips);
            Ok(())
        }
        Chore::Supply => supply::run(&workspace::clone()?),
        Chore::Graph { write } => tidy::graph::run(&own()?, write),
        Chore::Metrics => {
            metrics::run(&own()?);
            Ok(())
        }
        Chore::Bench(options) => {
            let root = workspace::root()?;
            if workspace::is_clone(&root) { bench::run(&root, &options) } else { examine::bench() }
        }
        Chore::Distribution(command) => run_on_distribution(command),
    }
}

/// Gatewright's own workspace.
fn own() -> Result<Workspace> {
    Workspace::load(&workspace::clone()?)
}

fn run_on_distribution(command: Command) -> Result<()> {
    match command {
        Command::New(what) => new::run(&what),
        Command::Dev(options) => dev::run(&options),
        Command::Build(build) => build.run(),
        Command::Check(check) => check.run(),
        Command::List(list) => list.run(),
        Command::Add(add) => add.run(),
        Command::Remove(remove) => remove.run(),
        Command::Update(update) => update.run(),
        Command::Docs(docs) => docs.run(),
        Command::Schema => describe::schema(),
        Command::Doctor => doctor::run(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_consistent() {
        Arguments::command().debug_assert();
    }
}
