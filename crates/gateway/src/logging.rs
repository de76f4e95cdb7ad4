//! The log: JSON lines for machines, or text for people, on standard error. A line that an extension writes names its
//! instance and hook, and so does a panic.

use std::fmt;
use std::io::IsTerminal as _;

use anyhow::Context as _;
use gatewright_config::{LogFormat, TelemetrySettings};
use gatewright_pipeline::watchdog;
use tracing::{Event, Subscriber};
use tracing_subscriber::EnvFilter;
use tracing_subscriber::fmt::format::{Format, Writer};
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::registry::LookupSpan;

/// Installs the log of the process.
///
/// # Errors
///
/// When the level is not one, or a log was installed already.
pub(crate) fn install(settings: &TelemetrySettings) -> anyhow::Result<()> {
    let filter =
        EnvFilter::try_new(&settings.log_level).context("telemetry.log.level is not a log filter")?;
    let is_terminal = std::io::stderr().is_terminal();
    let builder =
        tracing_subscriber::fmt().with_env_filter(filter).with_ansi(is_terminal).with_writer(std::io::stderr);
    let installed = match settings.log_format {
        LogFormat::Json => {
            let format = Format::default().json().flatten_event(true);
            let format = format.with_current_span(false).with_span_list(false);
            builder.json().event_format(Attributed { format, end: JSON_END }).try_init()
        }
        LogFormat::Human => {
            let format = Format::default().with_ansi(is_terminal).compact();
            builder.event_format(Attributed { format, end: TEXT_END }).try_init()
        }
    };
    installed.map_err(|error| anyhow::anyhow!("the log cannot be installed: {error}"))?;
    say_where_panics_come_from();
    Ok(())
}

/// A panic is one line of the log like any other; the fence says what becomes of it.
fn say_where_panics_come_from() {
    std::panic::set_hook(Box::new(|panic| {
        let text = gatewright_pipeline::panic_text(panic.payload());
        let place = panic.location().map(|place| format!("{}:{}", place.file(), place.line()));
        let thread = std::thread::current();
        tracing::error!(thread = thread.name(), place, text, "Panicked");
    }));
}

/// How a line ends, and how the names of instance and hook are written before that.
type End = (&'static str, fn(&str, &str) -> String);

const JSON_END: End = ("}\n", |instance, hook| format!(",\"instance\":\"{instance}\",\"hook\":\"{hook}\""));
const TEXT_END: End = ("\n", |instance, hook| format!(" instance={instance} hook={hook}"));

/// Adds to a line which instance and hook it comes from, unless it says so itself.
struct Attributed<F> {
    format: F,
    end: End,
}

impl<S, N, F> FormatEvent<S, N> for Attributed<F>
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
    F: FormatEvent<S, N>,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let speaks_for_itself = event.metadata().fields().field("instance").is_some();
        let speaker = if speaks_for_itself { None } else { watchdog::current() };
        let Some((instance, hook)) = speaker else {
            return self.format.format_event(context, writer, event);
        };
        let mut line = String::new();
        self.format.format_event(context, Writer::new(&mut line), event)?;
        let (end, names) = self.end;
        let open = line.strip_suffix(end).unwrap_or(&line);
        write!(writer, "{open}{}{end}", names(&json_safe(instance.as_str()), hook.as_str()))
    }
}

/// An id as it may stand between quotes.
fn json_safe(id: &str) -> String {
    id.chars().filter(|sign| !matches!(sign, '"' | '\\') && !sign.is_control()).collect()
}
