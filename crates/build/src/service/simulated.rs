//! Starts the simulated provider and learns where it listens.

use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use super::Service;

/// Starts it on a free port; `rate` is content events per second and stream. Returns its base URL as well.
///
/// # Errors
/// It does not start, or does not say where it listens.
pub(crate) fn start(binary: &Path, rate: f64) -> Result<(Service, String)> {
    let mut command = Command::new(binary);
    command.args(["--listen", "127.0.0.1:0", "--rate", &rate.to_string()]).stdout(Stdio::piped());
    let mut service = Service::start("the simulated provider", &mut command)?;
    let line = service.first_line()?;
    let url = line.split_whitespace().find(|word| word.starts_with("http://"));
    let url =
        url.with_context(|| format!("the simulated provider did not say where it listens, but: {line}"))?;
    let url = url.trim_end_matches('/');
    let base = if url.ends_with("/v1") { url.to_owned() } else { format!("{url}/v1") };
    Ok((service, base))
}
