//! How this tool calls cargo for a distribution: with the pinned toolchain, the shared target folder, and the flags
//! that lock and vendoring ask for.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::Distribution;
use super::manifest;
use crate::command::{self, variable};

/// How to call cargo.
#[derive(Debug, Clone)]
pub(crate) struct Cargo {
    program: OsString,
    /// Set where another toolchain than the running one is asked for.
    toolchain: Option<String>,
    root: PathBuf,
    locked: bool,
    /// A file of settings that replaces sources by vendored ones.
    vendored: Option<PathBuf>,
    /// The version of the compiler.
    pub(crate) rust: String,
    /// The system that the compiler itself runs on.
    pub(crate) host: String,
    /// Where the toolchain lies.
    pub(crate) sysroot: PathBuf,
}

impl Cargo {
    /// Finds the cargo of a distribution.
    ///
    /// # Errors
    /// There is no Rust, or another one than the manifest pins and no rustup to get it.
    pub(crate) fn find(dist: &Distribution) -> Result<Self> {
        let mut cargo = Self {
            program: variable("CARGO").unwrap_or_else(|| "cargo".into()),
            toolchain: None,
            root: dist.root.clone(),
            locked: false,
            vendored: None,
            rust: String::new(),
            host: String::new(),
            sysroot: PathBuf::new(),
        };
        cargo.ask_version()?;
        let Some(pinned) = dist.manifest.toolchain.as_ref().filter(|pinned| pinned.value != cargo.rust)
        else {
            return Ok(cargo);
        };
        if command::on_path("rustup").is_none() {
            bail!(
                "{}: Rust {} is asked for, this is {}; install that one, or rustup, which does so by itself",
                manifest::place(pinned.line, "toolchain.rust"),
                pinned.value,
                cargo.rust
            );
        }
        cargo.program = "cargo".into();
        cargo.toolchain = Some(pinned.value.clone());
        cargo.ask_version().with_context(|| {
            format!("{}: this toolchain cannot be used", manifest::place(pinned.line, "toolchain.rust"))
        })?;
        Ok(cargo)
    }

    /// With the lock as it is: what does not fit it is an error.
    #[must_use]
    pub(crate) fn locked(mut self, locked: bool) -> Self {
        self.locked = locked;
        self
    }

    /// With sources from a vendored folder, by the settings in `file`.
    #[must_use]
    pub(crate) fn vendored(mut self, file: Option<PathBuf>) -> Self {
        self.vendored = file;
        self
    }

    /// The same without the lock.
    pub(crate) fn relaxed(&self) -> Self {
        self.clone().locked(false)
    }

    /// `cargo NAME` for the crate in `folder`.
    pub(crate) fn command(&self, name: &str, folder: &Path) -> Command {
        let mut command = Command::new(&self.program);
        // Settings of the company's own folder (registries, linkers) apply: cargo looks for them from there upwards.
        command.current_dir(&self.root).arg(name).arg("--manifest-path").arg(folder.join("Cargo.toml"));
        if self.locked {
            command.arg("--locked");
        }
        if let Some(file) = &self.vendored {
            command.arg("--offline").arg("--config").arg(file);
        }
        self.adopt(&mut command);
        command
    }

    /// `cargo metadata` for the crate in `folder` and one system.
    pub(crate) fn metadata(&self, folder: &Path, target: &str) -> Command {
        let mut command = self.command("metadata", folder);
        command.args(["--format-version", "1", "--filter-platform", target]);
        command
    }

    /// The folder of vendored sources.
    pub(crate) fn vendor(&self) -> Option<&Path> {
        self.vendored.as_ref()?.parent()
    }

    /// Whether the lock may not change.
    pub(crate) fn is_locked(&self) -> bool {
        self.locked
    }

    /// Sets the toolchain of a command.
    fn adopt(&self, command: &mut Command) {
        if let Some(toolchain) = &self.toolchain {
            command.env("RUSTUP_TOOLCHAIN", toolchain).env_remove("CARGO").env_remove("RUSTC");
        }
    }

    fn ask_version(&mut self) -> Result<()> {
        let said = self.ask_rustc(&["-vV"])?;
        let field = |name: &str| {
            let line = said.lines().find_map(|line| line.strip_prefix(name));
            line.map(|rest| rest.trim().to_owned())
                .with_context(|| format!("`rustc -vV` does not say its {name}"))
        };
        self.rust = field("release:")?;
        self.host = field("host:")?;
        self.sysroot = self.ask_rustc(&["--print", "sysroot"])?.trim().into();
        Ok(())
    }

    fn ask_rustc(&self, arguments: &[&str]) -> Result<String> {
        let mut rustc = Command::new(variable("RUSTC").unwrap_or_else(|| "rustc".into()));
        rustc.current_dir(&self.root).args(arguments);
        self.adopt(&mut rustc);
        command::read(&mut rustc)
    }
}
