//! The gateway's process: started, signalled, asked how it ended, and never left behind.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};

use serde_json::Value;
use tokio::process::{Child, Command};

use super::wait::{eventually, within};

/// What a command of the binary came to.
#[derive(Debug, Clone)]
pub struct Ran {
    /// The exit code.
    pub code: i32,
    /// Standard output.
    pub output: String,
    /// Standard error.
    pub errors: String,
}

/// The path of a binary of this workspace: where the variable says, else beside the running test.
///
/// # Panics
/// If it is not there: the binaries have to be built with the tests.
pub fn binary(name: &str, variable: &str) -> PathBuf {
    #[expect(
        clippy::disallowed_methods,
        reason = "the ban keeps the gateway's settings in one place; a test is told where the binaries are"
    )]
    let told = std::env::var_os(variable).filter(|path| !path.is_empty()).map(PathBuf::from);
    let path = told.unwrap_or_else(|| beside_the_test(name));
    assert!(path.exists(), "there is no {}: build it with `cargo build --workspace --bins`", path.display());
    path
}

/// Test programs lie in `debug/deps`, binaries in `debug`.
fn beside_the_test(name: &str) -> PathBuf {
    let test = std::env::current_exe().expect("the system knows which program runs");
    let folder = test.ancestors().nth(2).expect("a test program lies two folders deep");
    folder.join(format!("{name}{}", std::env::consts::EXE_SUFFIX))
}

/// Runs the gateway's binary to its end, in this folder.
///
/// # Panics
/// If it does not start or does not end.
///
/// # Cancellation
/// The process is killed.
pub async fn run(arguments: &[&str], folder: &Path) -> Ran {
    let mut command = Command::new(binary("gatewright", "GATEWRIGHT_BIN"));
    command.args(arguments).current_dir(folder).stdin(Stdio::null()).kill_on_drop(true);
    let output = within("the end of a command", command.output()).await.expect("the binary starts");
    Ran {
        code: output.status.code().expect("a command ends by itself"),
        output: String::from_utf8_lossy(&output.stdout).into_owned(),
        errors: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}

/// A running gateway. It is killed when it is dropped.
#[derive(Debug)]
pub(super) struct Process {
    child: Child,
    log: PathBuf,
    /// Where in the log file this run begins.
    begin: usize,
}

impl Process {
    /// Starts the command in the folder. What it logs is added to the file `gateway.log` there.
    pub(super) fn start(mut command: Command, folder: &Path) -> Self {
        let log = folder.join("gateway.log");
        let begin = fs::read(&log).map_or(0, |old| old.len());
        let file = File::options().create(true).append(true).open(&log).expect("the log can be written");
        let child = command.current_dir(folder).stdout(Stdio::null()).stderr(file).kill_on_drop(true).spawn();
        Self { child: child.expect("the binary starts"), log, begin }
    }

    /// Everything that this run logged so far.
    pub(super) fn log(&self) -> String {
        let bytes = fs::read(&self.log).unwrap_or_default();
        String::from_utf8_lossy(bytes.get(self.begin..).unwrap_or_default()).into_owned()
    }

    /// The log lines that are JSON objects; the last may be cut while it is being written.
    pub(super) fn log_lines(&self) -> Vec<Value> {
        self.log().lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    pub(super) fn has_ended(&mut self) -> bool {
        self.child.try_wait().expect("the system knows its children").is_some()
    }

    /// Sends a signal by name, such as `TERM`.
    pub(super) async fn signal(&self, name: &str) {
        // The child is not reaped before its status is read, so its id cannot belong to another process.
        let id = self.child.id().expect("the gateway runs").to_string();
        let mut kill = Command::new("kill");
        let status = kill.args([&format!("-{name}"), &id]).status().await.expect("there is a `kill`");
        assert!(status.success(), "the signal {name} reaches the gateway");
    }

    pub(super) async fn ended(&mut self) -> ExitStatus {
        eventually("the end of the gateway", async || {
            self.child.try_wait().expect("the system knows its children")
        })
        .await
    }

    pub(super) fn id(&self) -> Option<u32> {
        self.child.id()
    }
}
