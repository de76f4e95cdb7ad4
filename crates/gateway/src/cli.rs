//! The command line.

use std::io::Write as _;
use std::path::{Path, PathBuf};

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use gatewright_config::{Inputs, Loaded, ProcessEnvironment, load, schema};

use gatewright::registry::{Registry, RegistryError};

use crate::listeners::Sockets;
use crate::{Build, Exit, explain, inventory, serve};

/// An AI gateway that a platform team compiles to measure.
#[derive(Debug, Parser)]
#[command(after_help = EXIT_CODES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

const EXIT_CODES: &str = "Exit codes: 0 done, 1 failed while running, 2 wrong command line, 3 wrong or missing \
configuration, 4 the binary does not contain what its build lists, 5 an address, a file or the database cannot be \
used, 6 the drain deadline passed and answers were cut off";

#[derive(Debug, Subcommand)]
enum Command {
    /// Serve until SIGTERM or Ctrl-C, then drain.
    Serve {
        #[command(flatten)]
        files: Files,
        /// Serve the first listener on the listening socket that is standard input, and open no other: for a
        /// supervisor that keeps the socket over restarts
        #[arg(long)]
        socket_on_stdin: bool,
    },
    /// Check a configuration as `serve` would, building every instance, without serving.
    Check(Files),
    /// Print the JSON Schema of this binary's configuration.
    Schema,
    /// Print what a route runs, or what becomes of a request, without calling a provider.
    Explain(explain::Arguments),
    /// Print the extensions inside: what they are, where they come from, what they do.
    Extensions {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print the version and the extensions inside.
    Version {
        /// As JSON.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Debug, clap::Args)]
struct Files {
    /// The configuration; given several times, later files add to and override earlier ones.
    /// Default: ./gateway.yaml
    #[arg(long, short, value_name = "FILE")]
    config: Vec<PathBuf>,
}

/// Reads the command line and does what it says.
pub(crate) fn run(build: &Build) -> Exit {
    let command = Arguments::command().name(build.name).bin_name(build.name).version(build.version);
    let arguments = match command.try_get_matches().and_then(|matches| Arguments::from_arg_matches(&matches))
    {
        Ok(arguments) => arguments,
        Err(error) => {
            let is_answer = !error.use_stderr();
            // Nothing is left to do when even the terminal is gone.
            let _printed = error.print();
            return if is_answer { Exit::Done } else { Exit::Usage };
        }
    };
    let linked = match find_linked(build) {
        Ok(linked) => linked,
        Err(errors) => {
            for error in errors {
                say(&format!("error: {error}"));
            }
            return Exit::Build;
        }
    };
    match arguments.command {
        Command::Serve { files, socket_on_stdin } => {
            let sockets = if socket_on_stdin { Sockets::StandardInput } else { Sockets::Configured };
            with_files(&files.config, |files| serve::serve(build, linked, files, sockets))
        }
        Command::Check(files) => with_files(&files.config, |files| check(&linked, &files)),
        Command::Schema => answer(&serde_json::to_string_pretty(&schema(&linked)).unwrap_or_default()),
        Command::Explain(arguments) => {
            with_files(&arguments.config, |files| explain::explain(&linked, &arguments, &files))
        }
        Command::Extensions { json: true } => answer(&inventory::extensions_json(build, &linked)),
        Command::Extensions { json: false } => answer(&inventory::extensions_text(build, &linked)),
        Command::Version { json: true } => answer(&inventory::version_json(build, &linked)),
        Command::Version { json: false } => answer(&inventory::version_text(build, &linked)),
    }
}

/// Finds the extensions that registered and compares them with what the build lists.
fn find_linked(build: &Build) -> Result<Registry, Vec<RegistryError>> {
    Registry::verified(build.expected, build.allow_unlisted)
}

/// Finds the configuration, or says what to do.
fn with_files(given: &[PathBuf], command: impl FnOnce(Vec<PathBuf>) -> Exit) -> Exit {
    if !given.is_empty() {
        return command(given.to_vec());
    }
    let default = Path::new("gateway.yaml");
    if default.exists() {
        return command(vec![default.to_owned()]);
    }
    say("error: no configuration: there is no ./gateway.yaml here\n  \
         name one with `--config FILE`, or write one; `schema` prints what may stand in it, and an editor that \
         knows JSON Schema completes it");
    Exit::Config
}

/// Loads a configuration and prints what is wrong with it.
pub(crate) fn load_or_say(linked: &Registry, files: &[PathBuf]) -> Result<Loaded, Exit> {
    let inputs = Inputs { environment: &ProcessEnvironment, extensions: linked, generation: 1 };
    let loaded = load(files, &inputs).map_err(|errors| {
        say(&errors.to_string());
        Exit::Config
    })?;
    for warning in &loaded.warnings {
        say(&warning.to_string());
    }
    Ok(loaded)
}

fn check(linked: &Registry, files: &[PathBuf]) -> Exit {
    let loaded = match load_or_say(linked, files) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    match serve::rehearse(linked, loaded) {
        Ok(summary) => answer(&summary),
        Err(problem) => {
            say(&problem);
            Exit::Config
        }
    }
}

/// Prints a command's answer.
pub(crate) fn answer(text: &str) -> Exit {
    match writeln!(std::io::stdout(), "{text}") {
        Ok(()) => Exit::Done,
        Err(_) => Exit::Failed,
    }
}

/// Tells the operator something, before there is a log.
pub(crate) fn say(text: &str) {
    // Nothing is left to do when even the terminal is gone.
    let _printed = writeln!(std::io::stderr(), "{text}");
}
