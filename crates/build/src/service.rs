//! A child process that does not outlive its owner.
//!
//! It gets a process group of its own, so that Ctrl-C at the terminal reaches this tool alone, which ends its children
//! in order. Dropping a service kills what still runs.
//! `probe.rs` asks the gateway whether it is ready, `simulated.rs` starts the simulated provider.

pub(crate) mod probe;
pub(crate) mod simulated;

use std::io::{self, BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdout, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::command;
use crate::console::say;

/// A running child.
#[derive(Debug)]
pub(crate) struct Service {
    name: &'static str,
    child: Child,
    /// Held open: a child whose reader goes away would fail at its next line.
    output: Option<BufReader<ChildStdout>>,
}

impl Service {
    /// Starts the child. Its output goes to the terminal unless the command says otherwise.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start(name: &'static str, command: &mut Command) -> Result<Self> {
        Self::start_with(name, command, Stdio::null())
    }

    /// The same with something to read from.
    ///
    /// # Errors
    /// It cannot be started.
    pub(crate) fn start_with(name: &'static str, command: &mut Command, input: Stdio) -> Result<Self> {
        let child = command.stdin(input).process_group(0).spawn();
        let mut child = child.with_context(|| format!("cannot start {name}"))?;
        let output = child.stdout.take().map(BufReader::new);
        Ok(Self { name, child, output })
    }

    pub(crate) fn name(&self) -> &'static str {
        self.name
    }

    /// The first line of its output, which must have been piped.
    ///
    /// # Errors
    /// The child ends before it prints one.
    pub(crate) fn first_line(&mut self) -> Result<String> {
        let output =
            self.output.as_mut().with_context(|| format!("the output of {} is not read", self.name))?;
        let mut line = String::new();
        output.read_line(&mut line).with_context(|| format!("cannot read what {} says", self.name))?;
        if line.is_empty() {
            bail!("{} ended before it said anything", self.name);
        }
        Ok(line)
    }

    /// What to say about its end; none while it runs.
    ///
    /// # Errors
    /// The system cannot tell.
    pub(crate) fn ended(&mut self) -> Result<Option<String>> {
        Ok(self.status()?.map(|status| format!("{} ended with {status}", self.name)))
    }

    /// Asks the child to end, and kills it at the deadline.
    ///
    /// # Errors
    /// The system cannot tell whether it ended.
    pub(crate) fn end(&mut self, deadline: Duration) -> Result<()> {
        self.ask_to_end()?;
        let start = Instant::now();
        while self.status()?.is_none() {
            if start.elapsed() > deadline {
                say(format_args!("{} did not end in {} s and is killed", self.name, deadline.as_secs()));
                self.kill();
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(())
    }

    /// Asks the child to end, and does not wait for it.
    ///
    /// # Errors
    /// It cannot be asked.
    pub(crate) fn ask_to_end(&mut self) -> Result<()> {
        if self.status()?.is_some() {
            return Ok(());
        }
        // The child is not reaped before its status is read, so its id cannot belong to another process.
        command::run(Command::new("kill").args(["-TERM", &self.child.id().to_string()]))
    }

    fn status(&mut self) -> Result<Option<ExitStatus>> {
        self.child.try_wait().with_context(|| format!("cannot ask how {} is", self.name))
    }

    /// Errors say that it is gone already, which is what was wanted.
    fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Waiting for a signal without blocking for ever.
pub(crate) trait Wait {
    /// Whether a signal came, which is waited for no longer than `time`.
    fn wait_up_to(&mut self, time: Duration) -> bool;
}

impl Wait for Signals {
    fn wait_up_to(&mut self, time: Duration) -> bool {
        if self.pending().next().is_some() {
            return true;
        }
        std::thread::sleep(time);
        self.pending().next().is_some()
    }
}

/// A loopback address that nobody listens on at this moment.
///
/// # Errors
/// The port is taken, or no port is free.
pub(crate) fn free_address(port: u16) -> io::Result<SocketAddr> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.local_addr()
}

/// Takes over the signals that ask this tool to end. To be called before the first child is started, so that none is
/// left behind whenever they come.
///
/// # Errors
/// The system does not allow it.
pub(crate) fn take_over_signals() -> Result<Signals> {
    Signals::new([SIGINT, SIGTERM, SIGHUP]).context("cannot listen for signals")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Service {
        Service::start("the child", Command::new("sh").args(["-c", script]).stdout(Stdio::piped())).unwrap()
    }

    fn is_running(id: &str) -> bool {
        Command::new("kill").args(["-0", id]).stderr(Stdio::null()).status().unwrap().success()
    }

    #[test]
    fn ends_a_child_that_listens() {
        let mut child = shell("trap 'exit 0' TERM; echo $$; while :; do sleep 0.01; done");
        let id = child.first_line().unwrap();
        assert_eq!(child.ended().unwrap(), None);
        child.end(Duration::from_secs(10)).unwrap();
        assert!(!is_running(id.trim()));
        assert!(child.ended().unwrap().unwrap().contains("the child ended with exit status: 0"));
    }

    #[test]
    fn kills_a_child_that_does_not() {
        let mut child = shell("trap '' TERM; echo $$; while :; do sleep 0.01; done");
        let id = child.first_line().unwrap();
        child.end(Duration::from_millis(100)).unwrap();
        assert!(!is_running(id.trim()));
    }

    #[test]
    fn leaves_no_child_behind() {
        let mut child = shell("echo $$; exec sleep 600");
        let id = child.first_line().unwrap();
        assert!(is_running(id.trim()));
        drop(child);
        assert!(!is_running(id.trim()));
    }

    #[test]
    fn says_when_a_child_ends_before_it_speaks() {
        let failure = shell("exit 3").first_line().unwrap_err().to_string();
        assert_eq!(failure, "the child ended before it said anything");
    }
}
