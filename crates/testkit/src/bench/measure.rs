//! What the kernel says about a process: CPU time, memory, system calls; and about the machine.

use std::fs;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// Why a process could not be measured.
#[derive(Debug, thiserror::Error)]
pub enum MeasureError {
    /// A file of the kernel could not be read; the process may have ended.
    #[error("cannot read {path}")]
    Read {
        /// The file.
        path: String,
        /// Why.
        #[source]
        cause: std::io::Error,
    },
    /// A file of the kernel has not the known form.
    #[error("{path} has an unknown form")]
    Form {
        /// The file.
        path: String,
    },
    /// The tracer could not be run.
    #[error("cannot run strace")]
    Trace(#[source] std::io::Error),
    /// The tracer did not attach or its summary has no total.
    #[error("strace gave no count: {said}")]
    NoCount {
        /// What it said.
        said: String,
    },
}

/// CPU time of all threads of a process so far, user and system.
///
/// Threads that have ended are not in the sum, so a measured process keeps its threads.
///
/// # Errors
/// The process has ended.
pub fn cpu_time(pid: u32) -> Result<Duration, MeasureError> {
    let tasks = format!("/proc/{pid}/task");
    let entries = fs::read_dir(&tasks).map_err(|cause| MeasureError::Read { path: tasks.clone(), cause })?;
    let mut total = Duration::ZERO;
    for entry in entries.flatten() {
        let path = entry.path().join("schedstat");
        // A thread that ends in this moment has no say.
        let Ok(text) = fs::read_to_string(&path) else { continue };
        let nanos = text.split_whitespace().next().and_then(|first| first.parse().ok());
        let nanos = nanos.ok_or_else(|| MeasureError::Form { path: path.display().to_string() })?;
        total += Duration::from_nanos(nanos);
    }
    Ok(total)
}

/// Resident memory of a process in bytes.
///
/// # Errors
/// The process has ended.
pub fn resident_bytes(pid: u32) -> Result<u64, MeasureError> {
    let rollup = format!("/proc/{pid}/smaps_rollup");
    field_kib(&rollup, "Rss:")
        .or_else(|_| field_kib(&format!("/proc/{pid}/status"), "VmRSS:"))
        .map(|kib| kib * 1024)
}

fn field_kib(path: &str, name: &str) -> Result<u64, MeasureError> {
    let text =
        fs::read_to_string(path).map_err(|cause| MeasureError::Read { path: path.to_owned(), cause })?;
    text.lines()
        .find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
        .ok_or_else(|| MeasureError::Form { path: path.to_owned() })
}

/// Counts the system calls of a process while something happens.
#[derive(Debug)]
pub struct SystemCalls {
    tracer: Child,
}

impl SystemCalls {
    /// Whether this machine has the tracer.
    pub fn can_be_counted() -> bool {
        std::process::Command::new("strace")
            .arg("-V")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }

    /// Attaches to all threads of a process.
    ///
    /// # Errors
    /// The tracer is missing or may not attach.
    ///
    /// # Cancellation
    /// The tracer is killed.
    pub async fn of(pid: u32) -> Result<Self, MeasureError> {
        let mut tracer = Command::new("strace")
            .args(["-c", "-f", "-p", &pid.to_string()])
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .map_err(MeasureError::Trace)?;
        let mut said = String::new();
        if let Some(stderr) = tracer.stderr.as_mut() {
            BufReader::with_capacity(1, stderr).read_line(&mut said).await.map_err(MeasureError::Trace)?;
        }
        if said.contains("attached") { Ok(Self { tracer }) } else { Err(MeasureError::NoCount { said }) }
    }

    /// Detaches and returns the number of calls, those of waiting for events included.
    ///
    /// # Errors
    /// The tracer gave no summary.
    ///
    /// # Cancellation
    /// The tracer is killed.
    pub async fn stop(self) -> Result<u64, MeasureError> {
        let pid = self.tracer.id().unwrap_or_default().to_string();
        let interrupted = Command::new("kill").args(["-INT", &pid]).status().await;
        interrupted.map_err(MeasureError::Trace)?;
        let output = self.tracer.wait_with_output().await.map_err(MeasureError::Trace)?;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        let total = said.lines().find(|line| line.trim_end().ends_with(" total"));
        total
            .and_then(|line| line.split_whitespace().nth(3)?.parse().ok())
            .ok_or(MeasureError::NoCount { said })
    }
}

/// The machine in one line: processor, cores, kernel.
pub fn machine() -> String {
    let cpuinfo = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |line: &str| line.split_once(':').map(|(_, value)| value.trim().to_owned());
    let model = cpuinfo.lines().find(|line| line.starts_with("model name")).and_then(field);
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    format!("{}, {} cores, Linux {}", model.as_deref().unwrap_or("unknown processor"), cores(), kernel.trim())
}

/// The cores that this process may use.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, std::num::NonZero::get)
}

/// The length of a file in bytes; 0 where there is none.
pub fn file_bytes(path: &Path) -> u64 {
    fs::metadata(path).map_or(0, |metadata| metadata.len())
}
