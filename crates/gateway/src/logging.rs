//! The log: JSON lines for machines, or text for people, on standard error.

use std::io::IsTerminal as _;

use anyhow::Context as _;
use gatewright_config::{LogFormat, TelemetrySettings};
use tracing_subscriber::EnvFilter;

/// Installs the log of the process.
///
/// # Errors
///
/// When the level is not one, or a log was installed already.
pub(crate) fn install(settings: &TelemetrySettings) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(&settings.log_level).context("telemetry.log.level is not a log filter")?;
    let builder = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(std::io::stderr);
    let installed = match settings.log_format {
        LogFormat::Json => {
            builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
        }
        LogFormat::Human => builder.compact().try_init(),
    };
    installed.map_err(|error| anyhow::anyhow!("the log cannot be installed: {error}"))
}
