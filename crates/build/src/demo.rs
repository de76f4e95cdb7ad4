//! `cargo xtask demo`: from a clone to a gateway that answers, in one command.
//!
//! Builds the gateway and the simulated provider in the development profile: it compiles in a fraction of the time
//! that the release profile needs, and its speed is far above what a person at a terminal can notice.
//! Writes a configuration into the target folder, starts both on loopback, says what to try, and ends both when it is
//! told to end.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use clap::Args;

use crate::console::{print, say};
use crate::service::{self, Service, Wait, probe, simulated};
use crate::{command, test, workspace};

/// The configuration as it is written, but for addresses.
const TEMPLATE: &str = include_str!("demo/gateway.yaml");
/// What to try, as it is printed, but for addresses.
const WELCOME: &str = include_str!("demo/welcome.txt");
/// What the template says where the demo puts its own addresses.
const LISTENER: &str = "127.0.0.1:8080";
const ADMIN: &str = "127.0.0.1:9090";
const PROVIDER: &str = "http://127.0.0.1:9100/v1";
/// The caller's key, and the file that the configuration reads it from.
const KEY: &str = "gw-demo-key";
const KEY_FILE: &str = "demo-key.txt";
/// How long a started process may take until it answers.
const START_DEADLINE: Duration = Duration::from_secs(30);
/// How long the gateway may take to end; above its own drain deadline.
const END_DEADLINE: Duration = Duration::from_secs(10);

/// How the demo is started.
#[derive(Debug, Args)]
pub(crate) struct Options {
    /// The port to listen on; a free one is taken where this one is not
    #[arg(long, default_value_t = 8080)]
    port: u16,
    /// Content events per second and stream of the simulated provider
    #[arg(long, default_value_t = 30.0)]
    rate: f64,
}

/// Builds, starts, says what to try, and returns when it is told to end.
///
/// # Errors
/// Something does not build, does not start, or ends by itself.
pub(crate) fn run(root: &Path, options: &Options) -> Result<()> {
    say("building the gateway and the simulated provider (development profile)");
    let packages = ["build", "--package", "gatewright", "--package", "gatewright-testkit"];
    let binaries = ["--bin", "gatewright", "--bin", "gatewright-simulator"];
    command::run(command::cargo().current_dir(root).args(packages).args(binaries))?;

    let mut signals = service::take_over_signals()?;
    let (mut provider, provider_url) =
        simulated::start(&test::binary(root, "gatewright-simulator"), options.rate)?;
    let place = Place::prepare(root, options.port, &provider_url)?;
    let mut gateway = start_gateway(root, &place)?;
    probe::ready(place.admin, &mut gateway, START_DEADLINE)?;
    print(&welcome(&place, &provider_url));

    let ended = loop {
        if signals.wait_up_to(Duration::from_millis(100)) {
            break Ok(());
        }
        if let Some(ended) = gateway.ended()?.or(provider.ended()?) {
            break Err(ended);
        }
    };
    say("\nending: answers under way are finished first");
    gateway.end(END_DEADLINE)?;
    provider.end(END_DEADLINE)?;
    match ended {
        Ok(()) => Ok(()),
        Err(ended) => bail!("{ended}"),
    }
}

/// The addresses of one demo and its configuration on disk.
#[derive(Debug)]
struct Place {
    listener: SocketAddr,
    admin: SocketAddr,
    folder: PathBuf,
    config: PathBuf,
}

impl Place {
    fn prepare(root: &Path, port: u16, provider_url: &str) -> Result<Self> {
        let folder = workspace::target(root).join("demo");
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let config = folder.join("gateway.yaml");
        let listener = service::free_address(port)
            .or_else(|_| service::free_address(0))
            .context("no port is free on loopback")?;
        let admin = service::free_address(0).context("no port is free on loopback")?;
        let text = configuration(listener, admin, provider_url);
        for (path, text) in [(&config, text.as_str()), (&folder.join(KEY_FILE), KEY)] {
            fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))?;
        }
        Ok(Self { listener, admin, folder, config })
    }
}

fn configuration(listener: SocketAddr, admin: SocketAddr, provider_url: &str) -> String {
    TEMPLATE
        .replace(LISTENER, &listener.to_string())
        .replace(ADMIN, &admin.to_string())
        .replace(PROVIDER, provider_url)
}

fn welcome(place: &Place, provider_url: &str) -> String {
    WELCOME
        .replace(LISTENER, &place.listener.to_string())
        .replace(ADMIN, &place.admin.to_string())
        .replace(PROVIDER, provider_url)
        .replace("CONFIG", &place.config.display().to_string())
        .replace("KEY", KEY)
}

fn start_gateway(root: &Path, place: &Place) -> Result<Service> {
    let mut command = Command::new(test::binary(root, "gatewright"));
    command.args(["serve", "--config"]).arg(&place.config).current_dir(&place.folder);
    Service::start("the gateway", &mut command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_configuration_holds_the_addresses_of_this_demo_and_no_others() {
        let listener = SocketAddr::from(([127, 0, 0, 1], 1111));
        let admin = SocketAddr::from(([127, 0, 0, 1], 2222));
        let text = configuration(listener, admin, "http://127.0.0.1:3333/v1");
        for expected in ["127.0.0.1:1111", "127.0.0.1:2222", "http://127.0.0.1:3333/v1", KEY_FILE] {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
        for replaced in [LISTENER, ADMIN, PROVIDER] {
            assert!(!text.contains(replaced), "{replaced} is still in\n{text}");
        }
    }

    #[test]
    fn the_welcome_names_the_address_the_key_and_the_file_to_edit() {
        let address = |port| SocketAddr::from(([127, 0, 0, 1], port));
        let folder = PathBuf::from("/x/demo");
        let config = folder.join("gateway.yaml");
        let text =
            welcome(&Place { listener: address(1111), admin: address(2222), folder, config }, PROVIDER);
        for expected in
            ["http://127.0.0.1:1111/v1", KEY, "/x/demo/gateway.yaml", "127.0.0.1:2222/metrics", "curl -N"]
        {
            assert!(text.contains(expected), "{expected} is not in\n{text}");
        }
    }
}
