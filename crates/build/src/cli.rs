//! The commands of `cargo xtask`, and which function each one is.

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::client::Clients;
use crate::console::say;
use crate::distribution::{chore, doctor, edit, list};
use crate::workspace::{self, Workspace};
use crate::{bench, ci, demo, dev, metrics, new, skip, supply, test, tidy};

#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    about = "Every chore of this repository, behind one door",
    disable_help_subcommand = true
)]
struct Arguments {
    #[command(subcommand)]
    command: Chore,
}

#[derive(Debug, Subcommand)]
enum Chore {
    /// Build and start a gateway with a simulated provider, and say what to try
    Demo(demo::Options),
    /// Run every test; installs what the tests need below the target folder
    Test {
        /// Leave out the suites that use client libraries in other languages
        #[arg(long)]
        no_clients: bool,
        /// Run the long forms of property tests and scenarios
        #[arg(long)]
        full: bool,
        /// Run only tests whose names contain one of these
        filters: Vec<String>,
    },
    /// Run what every change has to pass, fastest first
    Ci {
        /// Add what takes too long for every change
        #[arg(long)]
        full: bool,
    },
    /// Check the house rules that no compiler checks
    Tidy {
        /// Print the layers instead
        #[arg(long)]
        graph: bool,
    },
    /// Install the client libraries that the tests use, and print the variables by which tests find them
    Clients,
    /// Check licences, bans and sources of what comes from outside, by deny.toml
    Supply,
    /// Print the layers, as a table and a picture
    Graph {
        /// Write them into ARCHITECTURE.md
        #[arg(long)]
        write: bool,
    },
    /// Print the size and the habits of the code beside the values aimed at
    Metrics,
    /// Build the binary that gatewright.toml describes
    Build(chore::Build),
    /// Print the extensions by the manifest and by the binary, with what differs
    List(list::List),
    /// Add an extension to gatewright.toml
    Add(edit::Add),
    /// Take an extension out of gatewright.toml
    Remove(edit::Remove),
    /// Move an extension, the core, or everything in the lock to newer versions
    Update(edit::Update),
    /// Look at what could keep a distribution from building on this machine
    Doctor,
    /// Run the distribution in front of a simulated provider, and build it again at every save
    Dev(dev::Options),
    /// Write a company's repository, or one more extension
    #[command(subcommand)]
    New(new::What),
    /// Measure against a bare proxy and write the table into docs/benchmarks.md
    Bench(bench::Options),
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
        Chore::Demo(options) => demo::run(&workspace::root()?, &options),
        Chore::Test { no_clients, full, filters } => {
            let skips = test::run(&workspace::root()?, &test::Options { no_clients, full, filters })?;
            skip::close(&skips);
            Ok(())
        }
        Chore::Ci { full } => ci::run(&workspace::root()?, full),
        Chore::Tidy { graph: true } => tidy::graph::run(&Workspace::find()?, false),
        Chore::Tidy { graph: false } => tidy::run(&Workspace::find()?),
        Chore::Clients => {
            let (clients, skips) = Clients::install(&workspace::root()?)?;
            for (name, path) in clients.variables() {
                say(format_args!("export {name}={}", path.display()));
            }
            skip::close(&skips);
            Ok(())
        }
        Chore::Supply => supply::run(&workspace::root()?),
        Chore::Graph { write } => tidy::graph::run(&Workspace::find()?, write),
        Chore::Metrics => {
            metrics::run(&Workspace::find()?);
            Ok(())
        }
        Chore::Build(build) => build.run(),
        Chore::List(list) => list.run(),
        Chore::Add(add) => add.run(),
        Chore::Remove(remove) => remove.run(),
        Chore::Update(update) => update.run(),
        Chore::Doctor => doctor::run(),
        Chore::Dev(options) => dev::run(&options),
        Chore::New(what) => new::run(&what),
        Chore::Bench(options) => bench::run(&workspace::root()?, &options),
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
