//! What one more extension in a chain costs that does nothing: the fence, the clock and the call around its hooks.
//!
//! The gateway runs in this process without sockets towards clients, and each figure is the difference between chains
//! that differ in one instance, by CPU time of the worker's own thread and by allocations of the process. The
//! simulated provider is another process.

mod idle;

use std::fmt::Write as _;
use std::future::poll_fn;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, SystemTime};

use anyhow::{Context as _, ensure};
use gatewright::BoxFuture;
use gatewright::http::Request;
use gatewright::registry::Registry;
use gatewright::service::{Clock, Random};
use gatewright_gateway::Build;
use gatewright_gateway::embed::{Application, Gateway, Parts, Source, Unwrapped};
use http_body::Body;
use http_body_util::Full;
use serde_json::{Value, json};

use super::extension::{Cost, Tally, median};

/// Events of one stream.
const EVENTS: u64 = 4_000;
/// The model that streams so many, many in one write, so that reading them costs little.
const MODEL: &str = "sim?tokens=4000&rate=0&coalesce=100";
/// A stream of so many events has more bytes than this.
const STREAM_BYTES_MIN: usize = 400_000;
/// Exchanges of one stretch.
const STRETCH: u64 = 200;

/// What to measure, and how long.
#[derive(Clone, Debug)]
pub struct ChainOptions {
    /// Where the simulated provider listens, as `http://127.0.0.1:1234/v1`.
    pub provider: String,
    /// Runs of each figure, of which the middle one counts.
    pub runs: usize,
    /// How long one run takes.
    pub window: Duration,
}

/// A figure: what it is, the samples of the longer chain without the shorter one, and what it may be.
struct Figure {
    what: &'static str,
    samples: Vec<Cost>,
    nanos_max: f64,
    allocations_max: f64,
}

/// Measures, and returns the lines of a table.
///
/// # Errors
/// A gateway does not start, or the provider does not answer.
///
/// # Cancellation
/// Nothing is left behind.
pub async fn run(options: &ChainOptions) -> anyhow::Result<String> {
    let exchange = Figure {
        what: "an empty RequestTransform, per exchange",
        samples: differences(options, [&["answer"], &["idle", "answer"]], &[], false).await?,
        nanos_max: 300.0,
        allocations_max: 1.0,
    };
    let first = Figure {
        what: "an Events filter that does nothing, per event, the only one of its chain",
        samples: differences(options, [&[], &[]], &[&[], &["quiet"]], true).await?,
        nanos_max: 50.0,
        allocations_max: 0.0,
    };
    let second = Figure {
        what: "the same, per event, behind another one",
        samples: differences(options, [&[], &[]], &[&["quiet"], &["quiet", "quiet"]], true).await?,
        nanos_max: 50.0,
        allocations_max: 0.0,
    };
    Ok(table(&[exchange, first, second]))
}

/// Sends streams through a chain of so many filters that do nothing, and measures nothing: work for a profiler that
/// counts instructions. Returns how many events went through.
///
/// # Errors
/// As [`run`].
///
/// # Cancellation
/// Nothing is left behind.
pub async fn pass(provider: String, filters: usize, streams: u64) -> anyhow::Result<u64> {
    let options = ChainOptions { provider, runs: 0, window: Duration::ZERO };
    let subject = Subject::start(&options, (&[], &vec!["quiet"; filters]), true).await?;
    for _ in 0..streams {
        subject.exchange().await?;
    }
    Ok(streams * EVENTS)
}

/// What the second of two chains costs more than the first, run by turns.
async fn differences(
    options: &ChainOptions,
    request: [&[&str]; 2],
    response: &[&[&str]],
    streams: bool,
) -> anyhow::Result<Vec<Cost>> {
    let chains = |at: usize| (request[at], response.get(at).copied().unwrap_or_default());
    let without = Subject::start(options, chains(0), streams).await?;
    let with = Subject::start(options, chains(1), streams).await?;
    let mut samples = Vec::new();
    // The first run warms connections and caches, and does not count.
    for run in 0..=options.runs {
        let sample = difference(&without, &with, options.window).await?;
        if run > 0 {
            samples.push(sample);
        }
    }
    Ok(samples)
}

/// One run: both by short turns, so that what else happens on the machine hits both, and the middle turn of each.
async fn difference(without: &Subject, with: &Subject, window: Duration) -> anyhow::Result<Cost> {
    let began = Instant::now();
    let (mut less, mut more) = (Vec::new(), Vec::new());
    while less.is_empty() || began.elapsed() < window {
        less.push(without.turn().await?);
        more.push(with.turn().await?);
    }
    Ok(median(&more).without(median(&less)))
}

/// A gateway with chains, and the request that goes through them.
struct Subject {
    application: Application,
    body: String,
    streams: bool,
    _gateway: Gateway,
}

impl Subject {
    async fn start(
        options: &ChainOptions,
        (request, response): (&[&str], &[&str]),
        streams: bool,
    ) -> anyhow::Result<Self> {
        let configuration = configuration(&options.provider, request, response);
        let registry = Registry::of(idle::REGISTRATIONS)
            .map_err(|errors| anyhow::anyhow!("{errors:?}"))
            .context("the extensions of the bench")?;
        let parts = Parts {
            build: Build {
                name: "gatewright-bench",
                version: env!("CARGO_PKG_VERSION"),
                expected: &[],
                allow_unlisted: true,
                info: None,
            },
            registry,
            sources: vec![Source { path: PathBuf::from("bench.yaml"), text: configuration.to_string() }],
            clock: Arc::new(RealTime),
            random: Arc::new(Counted(AtomicU64::new(1))),
            wrap: Arc::new(Unwrapped),
        };
        let gateway = Gateway::start(parts).await.map_err(anyhow::Error::msg)?;
        let body = json!({
            "model": MODEL,
            "messages": [{"role": "user", "content": "hello"}],
            "stream": streams,
            "stream_options": if streams { json!({"include_usage": true}) } else { Value::Null },
        });
        let application = gateway.application().clone();
        Ok(Self { application, body: body.to_string(), streams, _gateway: gateway })
    }

    /// What one exchange costs, over a few hundred, or one event, over one stream.
    async fn turn(&self) -> anyhow::Result<Cost> {
        let mut tally = Tally::new(Duration::ZERO);
        if self.streams {
            let bytes = tally.add(EVENTS, self.exchange()).await?;
            ensure!(bytes > STREAM_BYTES_MIN, "the stream has {bytes} bytes, so not all its events");
            return Ok(tally.cost());
        }
        tally
            .add(STRETCH, async {
                for _ in 0..STRETCH {
                    self.exchange().await?;
                }
                anyhow::Ok(())
            })
            .await?;
        Ok(tally.cost())
    }

    /// Makes an exchange and returns how many bytes its answer has.
    async fn exchange(&self) -> anyhow::Result<usize> {
        let request = Request::post("/v1/chat/completions")
            .header("authorization", "Bearer bench")
            .header("content-type", "application/json")
            .body(Full::from(self.body.clone()))?;
        let mut answer = self.application.answer(request).await;
        ensure!(answer.status().is_success(), "the gateway answers with {}", answer.status());
        let mut bytes = 0;
        while let Some(frame) = poll_fn(|cx| Pin::new(answer.body_mut()).poll_frame(cx)).await {
            bytes +=
                frame.map_err(|error| anyhow::anyhow!("{error}"))?.into_data().map_or(0, |data| data.len());
        }
        Ok(bytes)
    }
}

fn configuration(provider: &str, request: &[&str], response: &[&str]) -> Value {
    let mut instances = vec![json!({"id": "everybody", "use": "bench.everybody"})];
    let mut place = |chain: &[&str]| -> Vec<String> {
        chain
            .iter()
            .map(|name| {
                let id = format!("{name}-{}", instances.len());
                instances.push(json!({"id": id, "use": format!("bench.{name}")}));
                id
            })
            .collect()
    };
    let (request, response) = (place(request), place(response));
    json!({
        "listeners": [{"name": "unused", "address": "127.0.0.1:0"}],
        "telemetry": {"access_log": false},
        "store": {"records": false},
        "providers": {"provider": {
            "use": "bench.adapter", "base_url": provider, "api_key": "bench", "allow_private": true,
        }},
        "models": {MODEL: {"targets": [{"provider": "provider"}]}},
        "authenticate": ["everybody"],
        "extensions": instances,
        "routes": [{"name": "route", "match": {"path": "/v1/*"}, "request": request, "response": response}],
    })
}

fn table(figures: &[Figure]) -> String {
    let mut text = "| what one more instance adds | CPU time | at most | allocations | at most |\n\
                    | --- | --- | --- | --- | --- |\n"
        .to_owned();
    for Figure { what, samples, nanos_max, allocations_max } in figures {
        let nanos = spread(samples.iter().map(|cost| cost.nanos), 0);
        let allocations = spread(samples.iter().map(|cost| cost.allocations), 2);
        // Writing to a text does not fail.
        writeln!(text, "| {what} | {nanos} ns | {nanos_max} ns | {allocations} | {allocations_max} |").ok();
    }
    text
}

/// The middle one, with the lowest and the highest behind it.
fn spread(figures: impl Iterator<Item = f64>, digits: usize) -> String {
    let mut figures: Vec<f64> = figures.collect();
    figures.sort_by(f64::total_cmp);
    let at = |place: usize| figures.get(place).copied().unwrap_or_default();
    let (low, middle, high) = (at(0), at(figures.len() / 2), at(figures.len().saturating_sub(1)));
    format!("{middle:.digits$} ({low:.digits$} to {high:.digits$})")
}

/// The time of the operating system.
struct RealTime;

impl Clock for RealTime {
    fn now(&self) -> Instant {
        Instant::now()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }

    fn sleep(&self, after: Duration) -> BoxFuture<'static, ()> {
        Box::pin(tokio::time::sleep(after))
    }
}

/// Randomness that is a count.
struct Counted(AtomicU64);

impl Random for Counted {
    fn next_u64(&self) -> u64 {
        self.0.fetch_add(1, Ordering::Relaxed)
    }
}
