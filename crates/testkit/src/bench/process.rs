//! Processes under measurement: started on a core of their own, ended when dropped.

use std::fs::File;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// How long a process may take until it listens.
const START_DEADLINE: Duration = Duration::from_secs(20);
const START_POLL: Duration = Duration::from_micros(200);

/// What to start.
#[derive(Debug, Clone)]
pub struct Program<'a> {
    /// The binary.
    pub path: &'a Path,
    /// Its arguments.
    pub arguments: Vec<String>,
    /// Variables beside those of this process.
    pub variables: Vec<(&'static str, String)>,
    /// Where it will listen.
    pub address: SocketAddr,
    /// The core that it may use; none is all of them.
    pub core: Option<usize>,
    /// Where its output goes.
    pub output: &'a Path,
}

/// Why a process does not run.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It could not be started.
    #[error("cannot start {program}")]
    Spawn {
        /// The binary.
        program: String,
        /// Why.
        #[source]
        cause: io::Error,
    },
    /// It ended or did not listen in time.
    #[error("{program} does not listen on {address}; its output is in {output}")]
    Silent {
        /// The binary.
        program: String,
        /// Where it should listen.
        address: SocketAddr,
        /// Where its output is.
        output: String,
    },
}

/// A process that listens.
#[derive(Debug)]
pub struct Running {
    child: Child,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Running {
    /// Starts a process and blocks until it accepts connections.
    ///
    /// # Errors
    /// It cannot be started, ends, or does not listen within 20 seconds.
    pub fn start(program: &Program<'_>) -> Result<Self, StartError> {
        let spawn = |cause| StartError::Spawn { program: program.path.display().to_string(), cause };
        let output = File::create(program.output).map_err(spawn)?;
        let errors = output.try_clone().map_err(spawn)?;
        let child = command(program.core, program.path)
            .args(&program.arguments)
            .envs(program.variables.iter().map(|(name, value)| (name, value)))
            .stdin(Stdio::null())
            .stdout(output)
            .stderr(errors)
            .spawn()
            .map_err(spawn)?;
        let mut running = Self { child, address: program.address };
        if running.listens_in_time() { Ok(running) } else { Err(program.silent()) }
    }

    /// The process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    fn listens_in_time(&mut self) -> bool {
        let deadline = Instant::now() + START_DEADLINE;
        while Instant::now() < deadline && matches!(self.child.try_wait(), Ok(None)) {
            if TcpStream::connect(self.address).is_ok() {
                return true;
            }
            std::thread::sleep(START_POLL);
        }
        false
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // A process that has ended already is what is wanted.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Program<'_> {
    fn silent(&self) -> StartError {
        StartError::Silent {
            program: self.path.display().to_string(),
            address: self.address,
            output: self.output.display().to_string(),
        }
    }
}

/// Whether processes can be tied to cores here.
pub fn can_pin() -> bool {
    Command::new("taskset")
        .arg("--version")
        .stdout(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Ties all threads of this process to one core.
///
/// # Errors
/// The tool that does it fails.
pub fn pin_self(core: usize) -> io::Result<()> {
    let pid = std::process::id().to_string();
    let status = Command::new("taskset")
        .args(["-a", "-c", "-p", &core.to_string(), &pid])
        .stdout(Stdio::null())
        .status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("taskset ended with {status}"))) }
}

/// A loopback address that is free at this moment.
///
/// # Errors
/// The machine has no free port.
pub fn free_address() -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()
}

/// The tool that sets the core replaces itself by the program, so the child is the program.
fn command(core: Option<usize>, program: &Path) -> Command {
    match core {
        Some(core) => {
            let mut command = Command::new("taskset");
            command.args(["-c", &core.to_string()]).arg(program);
            command
        }
        None => Command::new(program),
    }
}
