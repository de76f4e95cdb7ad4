//! The official client libraries, installed for the tests into folders of their own below the target folder.
//!
//! Versions are pinned in `tests/clients`. A stamp beside each folder says from what it was installed, so a second
//! run costs nothing and a changed pin installs anew. Nothing outside the target folder is touched.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use crate::command;
use crate::console::say;
use crate::skip::Skip;
use crate::workspace;

const PYTHON_PINS: &str = "tests/clients/python/requirements.txt";
const NODE_PINS: &str = "tests/clients/node";
/// Coding agents, which are large: hundreds of megabytes for each system.
const AGENT_PINS: &str = "tests/clients/agents";

/// Where the client libraries of each language are; none where they cannot be had.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    /// The interpreter of the virtual environment.
    pub(crate) python: Option<PathBuf>,
    /// The folder `node_modules`.
    pub(crate) node_modules: Option<PathBuf>,
    /// The folder `node_modules` of the agents.
    pub(crate) agents: Option<PathBuf>,
}

impl Clients {
    /// Installs what is missing, agents only if `full` is asked for. What cannot be had comes back as a skip.
    ///
    /// # Errors
    /// A file of this repository cannot be read, or something is missing in continuous integration.
    pub(crate) fn install(root: &Path, full: bool) -> Result<(Self, Vec<Skip>)> {
        let folder = workspace::target(root).join("clients");
        let (python, no_python) = settle("python client suite", python(root, &folder.join("python")))?;
        let node_suite = node(root, NODE_PINS, &folder.join("node"));
        let (node_modules, no_node) = settle("node client suite", node_suite)?;
        let (agents, no_agents) = if full {
            settle("coding agents", node(root, AGENT_PINS, &folder.join("agents")))?
        } else {
            (None, Some(Skip::by_choice("coding agents", "`--full` installs and runs them")))
        };
        let skips = [no_python, no_node, no_agents].into_iter().flatten().collect();
        Ok((Self { python, node_modules, agents }, skips))
    }

    /// The variables by which the tests find the clients.
    pub(crate) fn variables(&self) -> Vec<(&'static str, &Path)> {
        let python = self.python.as_deref().map(|python| ("GATEWRIGHT_PYTHON", python));
        // NODE_PATH serves `require`; a suite of modules asks for the folder by name.
        let node = self.node_modules.as_deref().into_iter();
        let agents = self.agents.as_deref().map(|path| ("GATEWRIGHT_AGENTS", path));
        python
            .into_iter()
            .chain(node.flat_map(|path| [("GATEWRIGHT_NODE_MODULES", path), ("NODE_PATH", path)]))
            .chain(agents)
            .collect()
    }
}

fn settle(name: &str, installed: Result<PathBuf>) -> Result<(Option<PathBuf>, Option<Skip>)> {
    match installed {
        Ok(path) => Ok((Some(path), None)),
        Err(cause) => Ok((None, Some(Skip::unless_ci(name, one_line(&cause))?))),
    }
}

/// The chain of causes on one line, without the empty ones and at a length that a closing line can bear.
fn one_line(cause: &anyhow::Error) -> String {
    let text = format!("{cause:#}");
    let lines: Vec<&str> = text.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    lines.join("; ").chars().take(300).collect()
}

fn python(root: &Path, folder: &Path) -> Result<PathBuf> {
    let interpreter = command::on_path("python3").context("there is no python3 on the path")?;
    let version = command::read(Command::new(&interpreter).arg("--version"))?;
    let pins = root.join(PYTHON_PINS);
    let python = folder.join("bin").join("python");
    installed(folder, &format!("{version}{}", read(&pins)?), &python, || {
        command::read(Command::new(&interpreter).args(["-m", "venv"]).arg(folder))
            .context("python3 makes no virtual environment")?;
        // The pins are the whole closure, so what they do not name is not wanted.
        let install =
            ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--requirement"];
        command::read(Command::new(&python).args(install).arg(&pins)).map(drop)
    })?;
    Ok(python)
}

/// Installs what the files of a package in this repository pin.
fn node(root: &Path, package: &str, folder: &Path) -> Result<PathBuf> {
    let pin_files = ["package.json", "package-lock.json"].map(|name| root.join(package).join(name));
    let node = command::on_path("node").context("there is no node on the path")?;
    let npm = command::on_path("npm").context("there is no npm on the path")?;
    let mut stamp = command::read(Command::new(node).arg("--version"))?;
    for pins in &pin_files {
        stamp.push_str(&read(pins)?);
    }
    let modules = folder.join("node_modules");
    installed(folder, &stamp, &modules, || {
        for pins in &pin_files {
            let name = pins.file_name().context("a pin file has a name")?;
            fs::copy(pins, folder.join(name)).with_context(|| format!("cannot copy {}", pins.display()))?;
        }
        let install = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"];
        command::read(Command::new(npm).args(install).current_dir(folder)).map(drop)
    })?;
    Ok(modules)
}

/// Runs `install` in an empty folder unless the stamp of the last time is the same and its result is there.
fn installed(folder: &Path, stamp: &str, result: &Path, install: impl FnOnce() -> Result<()>) -> Result<()> {
    let stamp_file = folder.join("installed-from.txt");
    if result.exists() && fs::read_to_string(&stamp_file).is_ok_and(|last| last == stamp) {
        return Ok(());
    }
    say(format_args!("installing client libraries into {}", folder.display()));
    if folder.exists() {
        fs::remove_dir_all(folder).with_context(|| format!("cannot empty {}", folder.display()))?;
    }
    fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    install()?;
    fs::write(&stamp_file, stamp).with_context(|| format!("cannot write {}", stamp_file.display()))
}

fn read(path: &Path) -> Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn installs_once_per_stamp_and_again_after_a_failure() {
        let temporary = tempfile::tempdir().unwrap();
        let folder = temporary.path().join("clients");
        let result = folder.join("result");
        let runs = Cell::new(0);
        let install = |stamp: &str, works: bool| {
            installed(&folder, stamp, &result, || {
                runs.set(runs.get() + 1);
                anyhow::ensure!(works, "no registry");
                fs::write(&result, "").context("write")
            })
        };
        assert!(install("1", false).is_err());
        install("1", true).unwrap();
        install("1", true).unwrap();
        assert_eq!(runs.get(), 2, "what is there is not installed again");
        install("2", true).unwrap();
        assert_eq!(runs.get(), 3, "another pin installs anew");
    }

    #[test]
    fn a_reason_fits_one_line() {
        let cause = anyhow::anyhow!("first\n\n  second\n").context("third");
        assert_eq!(one_line(&cause), "third: first; second");
    }
}
