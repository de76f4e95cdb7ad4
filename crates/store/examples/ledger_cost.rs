//! Measures what the ledger costs: CPU per record, of all threads, at rates of arrival.
//!
//! `cargo run --release -p gatewright-store --example ledger_cost [RATE]...`; a rate of 0 is as fast
//! as it goes. A worker of the gateway is played by one single-threaded runtime with a task per
//! record. The same play without a ledger is measured first and subtracted.
#![expect(clippy::print_stdout, reason = "it prints what it measured")]

use std::error::Error;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright::dialect::Operation;
use gatewright::record::UsageRecord;
use gatewright::{Money, Principal, RequestId, Tags, Usage, UsageSource};
use gatewright_store::{Courier, Durability, Ledger, LedgerPlace, LedgerSettings};
use tokio::sync::Semaphore;
use tokio::sync::mpsc;

const SPAN: Duration = Duration::from_secs(6);
/// Exchanges that are under way at once when records come as fast as they go.
const UNDER_WAY: usize = 512;

fn main() -> Result<(), Box<dyn Error>> {
    let mut rates = std::env::args().skip(1).map(|rate| rate.parse()).collect::<Result<Vec<u64>, _>>()?;
    if rates.is_empty() {
        rates = vec![200, 300, 1000, 3000, 6000, 0];
    }
    println!(
        "| records/s | records per commit | CPU us/record, direct | with courier | wait p50 us | p99 us |"
    );
    println!("| ---: | ---: | ---: | ---: | ---: | ---: |");
    for rate in rates {
        let bare = play(rate, None, false)?;
        let mut measured = Vec::new();
        for courier in [false, true] {
            let directory = tempfile::tempdir()?;
            let ledger = open(directory.path())?;
            let mut run = play(rate, Some(&ledger), courier)?;
            let stats = ledger.stats();
            run.waits.sort_unstable();
            measured.push((run.cpu_per_record() - bare.cpu_per_record(), run, stats));
        }
        let (direct, _, _) = &measured[0];
        let (with_courier, run, stats) = &measured[1];
        println!(
            "| {:.0} | {:.1} | {direct:.1} | {with_courier:.1} | {} | {} |",
            run.count as f64 / run.span.as_secs_f64(),
            stats.written as f64 / stats.groups as f64,
            run.percentile(50).as_micros(),
            run.percentile(99).as_micros(),
        );
    }
    Ok(())
}

fn open(directory: &Path) -> Result<Arc<Ledger>, Box<dyn Error>> {
    let place = LedgerPlace::File(directory.join("ledger.db"));
    Ok(Arc::new(Ledger::open(place, Durability::Crash, &LedgerSettings::default())?))
}

struct Run {
    count: usize,
    span: Duration,
    cpu: Duration,
    waits: Vec<Duration>,
}

impl Run {
    fn cpu_per_record(&self) -> f64 {
        self.cpu.as_secs_f64() * 1e6 / self.count as f64
    }

    fn percentile(&self, percent: usize) -> Duration {
        let place = self.waits.len() * percent / 100;
        self.waits.get(place).copied().unwrap_or_default()
    }
}

/// Plays a worker for a while.
fn play(rate: u64, ledger: Option<&Arc<Ledger>>, courier: bool) -> Result<Run, Box<dyn Error>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (arrive, arrivals) = mpsc::channel(UNDER_WAY);
    // The kernel forgets what a thread ran when it ends, so this one waits until that was read.
    let (measured, wait) = std::sync::mpsc::sync_channel::<()>(0);
    let arriving = std::thread::spawn(move || {
        arrive_evenly(rate, arrive);
        wait.recv().is_err()
    });
    let before = cpu()?;
    let start = Instant::now();
    let waits = runtime.block_on(async {
        let courier = courier.then(|| tokio::spawn(Courier::new()));
        let waits = serve(arrivals, ledger).await;
        drop(courier);
        waits
    })?;
    let (span, cpu) = (start.elapsed(), cpu()? - before);
    drop(measured);
    arriving.join().map_err(|_| "the arrivals panicked")?;
    Ok(Run { count: waits.len(), span, cpu, waits })
}

#[expect(clippy::needless_pass_by_value, reason = "its end is that of the arrivals")]
fn arrive_evenly(rate: u64, arrive: mpsc::Sender<u64>) {
    let start = Instant::now();
    let gap = Duration::from_nanos(1_000_000_000_u64.checked_div(rate).unwrap_or(0));
    let mut due = start;
    for n in 0.. {
        if start.elapsed() > SPAN || arrive.blocking_send(n).is_err() {
            return;
        }
        due += gap;
        while let Some(left) = due.checked_duration_since(Instant::now()).filter(|left| !left.is_zero()) {
            std::thread::park_timeout(left);
        }
    }
}

/// A task per arrival, which waits for its record and is done.
async fn serve(
    mut arrivals: mpsc::Receiver<u64>,
    ledger: Option<&Arc<Ledger>>,
) -> Result<Vec<Duration>, Box<dyn Error>> {
    let principal = Arc::new(Principal::new("acme".into(), "key-1"));
    let places = Arc::new(Semaphore::new(UNDER_WAY));
    let mut tasks = tokio::task::JoinSet::new();
    let mut waits = Vec::new();
    while let Some(n) = arrivals.recv().await {
        let place = Arc::clone(&places).acquire_owned().await?;
        let record = record(n, &principal);
        let ledger = ledger.map(Arc::clone);
        tasks.spawn(async move {
            let _place = place;
            let start = Instant::now();
            if let Some(ledger) = ledger {
                ledger.append(record).await?;
            }
            Ok::<_, gatewright_store::LedgerError>(start.elapsed())
        });
        while let Some(done) = tasks.try_join_next() {
            waits.push(done??);
        }
    }
    while let Some(done) = tasks.join_next().await {
        waits.push(done??);
    }
    Ok(waits)
}

fn record(n: u64, principal: &Arc<Principal>) -> UsageRecord {
    let started_unix_ms = 1_733_000_000_000 + n / 3;
    UsageRecord {
        request_id: RequestId::new(started_unix_ms, u128::from(n) << 40 | 0x1234_5678),
        attempt: 1,
        principal: Arc::clone(principal),
        route: "default".into(),
        operation: Operation::Chat,
        streamed: n.is_multiple_of(2),
        model_asked: "gpt-4o-mini".into(),
        model_served: Some("gpt-4o-mini-2024-07-18".into()),
        provider: Some("openai".into()),
        status: 200,
        outcome: "completed",
        code: None,
        usage: Usage { input: 1000 + n % 77, output: n % 500, ..Usage::default() },
        usage_source: UsageSource::Provider,
        cost: Some(Money::from_nanos(150_000)),
        started_unix_ms,
        time_to_first_token: Some(Duration::from_micros(200_000 + n)),
        total: Duration::from_micros(900_000 + n),
        overhead: Duration::from_micros(70),
        losses: Vec::new(),
        tags: Tags::default(),
    }
}

/// What all threads of this process ran so far, by the kernel's count in nanoseconds.
fn cpu() -> Result<Duration, Box<dyn Error>> {
    let mut sum = 0;
    for task in std::fs::read_dir("/proc/self/task")? {
        let stat = std::fs::read_to_string(task?.path().join("schedstat"))?;
        sum += stat.split(' ').next().unwrap_or("0").parse::<u64>()?;
    }
    Ok(Duration::from_nanos(sum))
}
