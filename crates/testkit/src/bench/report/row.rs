//! The rows of the figures: what each is called, and how one sample of it is taken.

use std::time::{Duration, Instant};

use anyhow::{Context, ensure};
use tokio::time::sleep;

use super::bed::{Bed, BenchModel, Subject};
use crate::bench::load::{self, Load, LoadResult, count};
use crate::bench::measure::{self, SystemCalls};
use crate::bench::process::Running;
use crate::bench::shot::Gun;
use crate::bench::streams::Streams;

/// About 1,000 tokens.
const PROMPT_BYTES: usize = 4 * 1024;
const BIG_PROMPT_BYTES: usize = 1024 * 1024;

const EXCHANGES_PER_SECOND: f64 = 5_000.0;
const EXCHANGE_CONNECTIONS: u32 = 32;
const QUIET_PER_SECOND: f64 = 200.0;
const QUIET_CONNECTIONS: u32 = 4;
const BIG_PER_SECOND: f64 = 100.0;
const BIG_CONNECTIONS: u32 = 8;
const SATURATING_CONNECTIONS: u32 = 64;
const STREAMS: u32 = 1_000;
const STREAM_RAMP: Duration = Duration::from_secs(2);
const WARM_UP: Duration = Duration::from_millis(700);
/// How long a process is left alone before its idle memory is read.
const SETTLE: Duration = Duration::from_millis(500);
/// A run that falls further behind its rate says nothing.
const RATE_REACHED_MIN: f64 = 0.98;

/// A row of the figures; some fill several lines of the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Row {
    Exchange,
    ExchangeWithRecords,
    QuietLatency,
    SystemCalls,
    SlowStreams,
    CoalescedStreams,
    BigPrompt,
    TranslatedExchange,
    TranslatedSlowStreams,
    TranslatedCoalescedStreams,
    TranslatedBigPrompt,
    Start,
    Saturation,
}

/// What one run of a row gives: one value for each of its lines.
pub(super) type Sample = Vec<f64>;

impl Row {
    pub(super) const ALL: [Self; 13] = [
        Self::Exchange,
        Self::ExchangeWithRecords,
        Self::QuietLatency,
        Self::SystemCalls,
        Self::SlowStreams,
        Self::CoalescedStreams,
        Self::BigPrompt,
        Self::TranslatedExchange,
        Self::TranslatedSlowStreams,
        Self::TranslatedCoalescedStreams,
        Self::TranslatedBigPrompt,
        Self::Start,
        Self::Saturation,
    ];

    /// The short name on the command line.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Exchange => "exchange",
            Self::ExchangeWithRecords => "records",
            Self::QuietLatency => "latency",
            Self::SystemCalls => "syscalls",
            Self::SlowStreams => "slow-streams",
            Self::CoalescedStreams => "coalesced-streams",
            Self::BigPrompt => "big-prompt",
            Self::TranslatedExchange => "translated",
            Self::TranslatedSlowStreams => "translated-slow-streams",
            Self::TranslatedCoalescedStreams => "translated-coalesced-streams",
            Self::TranslatedBigPrompt => "translated-big-prompt",
            Self::Start => "start",
            Self::Saturation => "saturation",
        }
    }

    pub(super) fn subject(self) -> Subject {
        match self {
            Self::ExchangeWithRecords => Subject::GatewayWithRecords,
            Self::TranslatedExchange
            | Self::TranslatedSlowStreams
            | Self::TranslatedCoalescedStreams
            | Self::TranslatedBigPrompt => Subject::Translating,
            Self::Exchange
            | Self::QuietLatency
            | Self::SystemCalls
            | Self::SlowStreams
            | Self::CoalescedStreams
            | Self::BigPrompt
            | Self::Start
            | Self::Saturation => Subject::Gateway,
        }
    }

    /// What the row is compared with: the floor, or for a translation the gateway that makes none.
    pub(super) fn yardstick(self) -> Option<Subject> {
        match (self, self.subject()) {
            (Self::Start, _) => None,
            (_, Subject::Translating) => Some(Subject::Gateway),
            (_, Subject::Floor | Subject::Gateway | Subject::GatewayWithRecords) => Some(Subject::Floor),
        }
    }

    pub(super) async fn measure(self, bed: &Bed, subject: Subject) -> anyhow::Result<Sample> {
        match self {
            Self::Exchange | Self::ExchangeWithRecords | Self::TranslatedExchange => {
                let load = fixed(EXCHANGES_PER_SECOND, EXCHANGE_CONNECTIONS, bed.window);
                exchange_cpu(bed, &bed.start(subject)?, load, PROMPT_BYTES).await
            }
            Self::BigPrompt | Self::TranslatedBigPrompt => {
                let load = fixed(BIG_PER_SECOND, BIG_CONNECTIONS, bed.window);
                exchange_cpu(bed, &bed.start(subject)?, load, BIG_PROMPT_BYTES).await
            }
            Self::QuietLatency => quiet_latency(bed, &bed.start(subject)?).await,
            Self::SystemCalls => system_calls(bed, &bed.start(subject)?).await,
            Self::SlowStreams | Self::TranslatedSlowStreams => {
                streams(bed, &bed.start(subject)?, BenchModel::SlowStream).await
            }
            Self::CoalescedStreams | Self::TranslatedCoalescedStreams => {
                streams(bed, &bed.start(subject)?, BenchModel::CoalescedStream).await
            }
            Self::Start => start(bed, subject).await,
            Self::Saturation => saturation(bed, &bed.start(subject)?).await,
        }
    }
}

/// What the load and the provider reach without anything between them, as lines of text; each must be twice what the
/// rows use.
pub(super) async fn validity(bed: &Bed) -> anyhow::Result<Vec<String>> {
    let mut checks = Vec::new();
    for (what, prompt_bytes, used) in [
        ("exchanges", PROMPT_BYTES, EXCHANGES_PER_SECOND),
        ("1 MiB prompts", BIG_PROMPT_BYTES, BIG_PER_SECOND),
    ] {
        let load = Load { connections: EXCHANGE_CONNECTIONS, per_second: None, duration: bed.window };
        let reached = load::run(&bed.shot(None, BenchModel::Answer, prompt_bytes), load).await?.per_second();
        checks.push(check(what, reached, used));
    }
    let shot = bed.shot(None, BenchModel::SlowStreamTwiceAsFast, PROMPT_BYTES);
    let streams = Streams::open(&shot, STREAMS, STREAM_RAMP).await?;
    let (events, elapsed) = count_events(&streams, bed.window).await?;
    let used = BenchModel::SlowStream.events_per_second() * f64::from(STREAMS);
    // Paced streams cannot be faster than their pace, which is just twice the rate used.
    checks.push(check("events", count(events) / elapsed.as_secs_f64() / RATE_REACHED_MIN, used));
    Ok(checks)
}

fn check(what: &str, reached: f64, used: f64) -> String {
    let verdict = if reached >= 2.0 * used { "valid" } else { "NOT VALID" };
    format!("{what}: {reached:.0}/s without a proxy, {used:.0}/s used: {verdict}")
}

fn fixed(per_second: f64, connections: u32, duration: Duration) -> Load {
    Load { connections, per_second: Some(per_second), duration }
}

/// CPU microseconds per exchange.
async fn exchange_cpu(
    bed: &Bed,
    running: &Running,
    load: Load,
    prompt_bytes: usize,
) -> anyhow::Result<Sample> {
    let shot = bed.shot(Some(running), BenchModel::Answer, prompt_bytes);
    load::run(&shot, Load { duration: WARM_UP, ..load }).await?;
    let before = measure::cpu_time(running.pid())?;
    let result = checked(load::run(&shot, load).await?, load)?;
    let used = measure::cpu_time(running.pid())?.saturating_sub(before);
    Ok(vec![micros(used) / count(result.answered)])
}

/// Latency at a low rate in microseconds: p50, p99.
async fn quiet_latency(bed: &Bed, running: &Running) -> anyhow::Result<Sample> {
    let load = fixed(QUIET_PER_SECOND, QUIET_CONNECTIONS, bed.window);
    let shot = bed.shot(Some(running), BenchModel::Answer, PROMPT_BYTES);
    load::run(&shot, Load { duration: WARM_UP, ..load }).await?;
    let result = checked(load::run(&shot, load).await?, load)?;
    Ok(vec![micros(result.latency(0.5)), micros(result.latency(0.99))])
}

/// System calls per exchange at a low rate, one exchange at a time.
async fn system_calls(bed: &Bed, running: &Running) -> anyhow::Result<Sample> {
    ensure!(SystemCalls::can_be_counted(), "skipped: strace is not on this machine");
    let load = fixed(QUIET_PER_SECOND, 1, bed.window);
    let shot = bed.shot(Some(running), BenchModel::Answer, PROMPT_BYTES);
    load::run(&shot, Load { duration: WARM_UP, ..load }).await?;
    let calls = SystemCalls::of(running.pid()).await?;
    let result = load::run(&shot, load).await?;
    let calls = calls.stop().await?;
    ensure!(result.failed == 0, "{} exchanges failed: {:?}", result.failed, result.first_failure);
    Ok(vec![count(calls) / count(result.answered)])
}

/// CPU microseconds per event, and KiB of memory per open stream.
async fn streams(bed: &Bed, running: &Running, model: BenchModel) -> anyhow::Result<Sample> {
    let warm_up = fixed(QUIET_PER_SECOND, 1, WARM_UP);
    load::run(&bed.shot(Some(running), BenchModel::Answer, PROMPT_BYTES), warm_up).await?;
    let resident_before = measure::resident_bytes(running.pid())?;
    let streams = Streams::open(&bed.shot(Some(running), model, PROMPT_BYTES), STREAMS, STREAM_RAMP).await?;
    sleep(WARM_UP).await;
    let before = measure::cpu_time(running.pid())?;
    let (events, elapsed) = count_events(&streams, bed.window).await?;
    let used = measure::cpu_time(running.pid())?.saturating_sub(before);
    let resident = measure::resident_bytes(running.pid())?.saturating_sub(resident_before);
    let expected = model.events_per_second() * f64::from(STREAMS) * elapsed.as_secs_f64();
    ensure!(count(events) >= expected * RATE_REACHED_MIN, "{events} events came, {expected:.0} were due");
    Ok(vec![micros(used) / count(events), count(resident) / 1024.0 / f64::from(STREAMS)])
}

async fn count_events(streams: &Streams, window: Duration) -> anyhow::Result<(u64, Duration)> {
    let (before, since) = (streams.so_far(), Instant::now());
    sleep(window).await;
    let (after, elapsed) = (streams.so_far(), since.elapsed());
    ensure!(after.ended == 0, "{} streams ended early", after.ended);
    Ok((after.events - before.events, elapsed))
}

/// Milliseconds from the start of the process to its first answer, MiB of memory after it, MB of the binary.
async fn start(bed: &Bed, subject: Subject) -> anyhow::Result<Sample> {
    let binary = bed.gateway_binary().context("there is no gateway")?;
    let since = Instant::now();
    let running = bed.start(subject)?;
    let shot = bed.shot(Some(&running), BenchModel::Answer, PROMPT_BYTES);
    Gun::aim(&shot).await?.fire_whole(&shot).await?;
    let started = since.elapsed();
    sleep(SETTLE).await;
    let resident = count(measure::resident_bytes(running.pid())?) / f64::from(1024 * 1024);
    Ok(vec![micros(started) / 1e3, resident, count(measure::file_bytes(binary)) / 1e6])
}

/// Exchanges per second as fast as they are answered, and the share of its core that the subject used.
async fn saturation(bed: &Bed, running: &Running) -> anyhow::Result<Sample> {
    let load = Load { connections: SATURATING_CONNECTIONS, per_second: None, duration: bed.window };
    let shot = bed.shot(Some(running), BenchModel::Answer, PROMPT_BYTES);
    load::run(&shot, Load { duration: WARM_UP, ..load }).await?;
    let before = measure::cpu_time(running.pid())?;
    let result = load::run(&shot, load).await?;
    let used = measure::cpu_time(running.pid())?.saturating_sub(before);
    ensure!(result.failed == 0, "{} exchanges failed: {:?}", result.failed, result.first_failure);
    Ok(vec![result.per_second(), used.as_secs_f64() / result.elapsed.as_secs_f64() * 100.0])
}

fn checked(result: LoadResult, load: Load) -> anyhow::Result<LoadResult> {
    ensure!(result.failed == 0, "{} exchanges failed: {:?}", result.failed, result.first_failure);
    let due = load.per_second.unwrap_or_default() * load.duration.as_secs_f64();
    let reached = count(result.answered);
    ensure!(reached >= due * RATE_REACHED_MIN, "{reached} exchanges were answered, {due:.0} were due");
    Ok(result)
}

fn micros(time: Duration) -> f64 {
    time.as_secs_f64() * 1e6
}
