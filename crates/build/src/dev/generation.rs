//! One gateway between two builds: how it is started, and what it was built from.

use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result};

use super::Setting;
use crate::command;
use crate::service::{self, Service, probe};

/// How long a gateway may take until it is ready.
const READY_DEADLINE: Duration = Duration::from_secs(30);

/// What all gateways of one run have in common.
#[derive(Debug)]
pub(super) struct Stage {
    /// The port of the run.
    pub(super) socket: TcpListener,
    /// The files of the configuration, in order.
    pub(super) files: Vec<PathBuf>,
    pub(super) setting: Setting,
    /// What the run keeps, below the target folder.
    pub(super) folder: PathBuf,
}

/// A running gateway.
#[derive(Debug)]
pub(super) struct Generation {
    pub(super) service: Service,
    /// The binary as it was when the gateway started.
    pub(super) binary: PathBuf,
    version: Version,
    admin: SocketAddr,
}

/// What tells one binary from the next at the same place.
type Version = (u64, Option<SystemTime>);

/// How the files begin that a run lays over the configuration, one for each gateway.
const OWN: &str = "generation-";

impl Stage {
    /// Makes the folder, without what an earlier run left of its configuration.
    ///
    /// # Errors
    /// It cannot be made or read.
    pub(super) fn prepare(&self) -> Result<()> {
        let folder = &self.folder;
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
        for entry in entries.flatten().filter(|entry| entry.file_name().to_string_lossy().starts_with(OWN)) {
            fs::remove_file(entry.path()).ok();
        }
        Ok(())
    }

    /// Starts a gateway and waits until it is ready. It takes requests beside the one of before.
    ///
    /// # Errors
    /// It does not get ready; then it is killed.
    pub(super) fn start(&self, binary: &Path) -> Result<Generation> {
        let version = version(binary)?;
        let admin = service::free_address(0).context("no port is free on loopback")?;
        // Two gateways run for a moment, and each reads its own file for as long as it runs.
        let own = self.folder.join(format!("{OWN}{}.yaml", admin.port()));
        fs::write(&own, overlay(admin)).with_context(|| format!("cannot write {}", own.display()))?;
        let mut command = Command::new(binary);
        command.args(["serve", "--socket-on-stdin"]);
        for file in self.files.iter().chain([&own]) {
            command.arg("--config").arg(file);
        }
        command.envs(self.setting.variables()).current_dir(&self.folder);
        let socket = self.socket.try_clone().context("cannot hand on the listening socket")?;
        let mut service =
            Service::start_with("the gateway", &mut command, Stdio::from(OwnedFd::from(socket)))?;
        probe::ready(admin, &mut service, READY_DEADLINE)?;
        Ok(Generation { service, binary: binary.to_owned(), version, admin })
    }

    /// Which routes run which instances, as the binary itself says; empty where the configuration is not good.
    pub(super) fn routes(&self, binary: &Path) -> String {
        let mut check = Command::new(binary);
        check.arg("check").envs(self.setting.variables()).current_dir(&self.folder);
        for file in &self.files {
            check.arg("--config").arg(file);
        }
        let said = command::read(&mut check).unwrap_or_default();
        said.lines().filter(|line| line.starts_with("  ")).map(|line| format!("{line}\n")).collect()
    }

    /// What to try, with the addresses of this run.
    pub(super) fn welcome(&self, template: &str, serving: &Generation, routes: &str) -> String {
        let address = self.socket.local_addr().map(|address| address.to_string()).unwrap_or_default();
        let files: Vec<String> = self.files.iter().map(|file| file.display().to_string()).collect();
        template
            .replace("@ADDRESS@", &address)
            .replace("@ROUTES@\n", routes)
            .replace("@METRICS@", &serving.metrics())
            .replace("@PROVIDER@", &self.setting.provider)
            .replace("@KEY@", &self.setting.key)
            .replace("@FILES@", &files.join(", "))
    }
}

impl Generation {
    /// Whether it runs this very binary.
    pub(super) fn is_of(&self, binary: &Path) -> bool {
        self.binary == binary && version(binary).is_ok_and(|version| version == self.version)
    }

    pub(super) fn metrics(&self) -> String {
        format!("http://{}/metrics", self.admin)
    }
}

fn version(binary: &Path) -> Result<Version> {
    let found = fs::metadata(binary).with_context(|| format!("cannot find {}", binary.display()))?;
    Ok((found.len(), found.modified().ok()))
}

/// What a run changes in the configuration: where operators ask, where records go, how lines look, and that answers say which hooks ran.
fn overlay(admin: SocketAddr) -> String {
    format!(
        "admin: {{ address: \"{admin}\" }}\n\
         drain: {{ min: 0s, deadline: 5s }}\n\
         store: {{ path: gatewright.db }}\n\
         telemetry: {{ log: {{ format: human }}, trace_header: true }}\n"
    )
}
