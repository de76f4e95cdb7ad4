//! An extension that does no harm and counts everything that is done to it.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::time::Duration;

use gatewright::http::HeaderValue;
use gatewright::prelude::*;
use gatewright::record::UsageRecord;
use gatewright::serde_json::{Value, json};
use gatewright::service::meter::{Counter, Gauge};
use gatewright::{AuditRecord, AuditSink};

/// Tells instances apart, within a process.
static SERIAL: AtomicU64 = AtomicU64::new(1);

/// What the witness does beside watching.
#[gatewright::config]
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Says which settings an instance was made of.
    #[serde(default)]
    edition: u32,
    /// How long a delivery takes.
    #[serde(default)]
    slow_ms: u64,
    /// How long the answers to a settlement take.
    #[serde(default)]
    settle_ms: u64,
}

/// Watches.
pub(crate) struct Witness {
    settings: Settings,
    serial: u64,
    /// How many instances there were before it on its id.
    generation: u64,
    env: ExtEnv,
    tally: Arc<Tally>,
}

/// What is counted.
struct Tally {
    alive: Arc<dyn Gauge>,
    living: AtomicI64,
    stopped: Arc<dyn Counter>,
    beats: Arc<dyn Counter>,
    reserved: Arc<dyn Counter>,
    settled: Arc<dyn Counter>,
    dropped: Arc<dyn Counter>,
    opened: Arc<dyn Counter>,
    ended: Arc<dyn Counter>,
    file: PathBuf,
}

impl Tally {
    fn of(env: &ExtEnv) -> Self {
        let counter = |name| env.meter.counter(name, "What the witness saw");
        Self {
            alive: env.meter.gauge("alive", "What the witness saw"),
            living: AtomicI64::new(0),
            stopped: counter("stopped"),
            beats: counter("beats"),
            reserved: counter("reserved"),
            settled: counter("settled"),
            dropped: counter("dropped"),
            opened: counter("opened"),
            ended: counter("ended"),
            file: env.data_dir.join("seen.jsonl"),
        }
    }

    fn lives(&self, change: i64) {
        let before = self.living.fetch_add(change, Ordering::Relaxed);
        self.alive.set(before.saturating_add(change));
    }

    fn write(&self, seen: &Value) {
        let folder = self.file.parent().unwrap_or(Path::new("."));
        let written = std::fs::create_dir_all(folder)
            .and_then(|()| OpenOptions::new().create(true).append(true).open(&self.file))
            .and_then(|mut file| file.write_all(format!("{seen}\n").as_bytes()));
        if let Err(error) = written {
            tracing::error!(%error, "The witness cannot write");
        }
    }
}

impl Extension for Witness {
    const NAME: &'static str = "witness";
    type Config = Settings;

    async fn create(settings: Settings, env: ExtEnv) -> Result<Self, BuildError> {
        let previous = env.previous::<Self>();
        let tally = match &previous {
            Some(previous) => Arc::clone(&previous.tally),
            None => Arc::new(Tally::of(&env)),
        };
        tally.lives(1);
        let generation = previous.map_or(0, |previous| previous.generation + 1);
        Ok(Self { settings, serial: SERIAL.fetch_add(1, Ordering::Relaxed), generation, env, tally })
    }

    async fn start(self: &Arc<Self>, tasks: &mut TaskScope) -> Result<(), BuildError> {
        let witness = Arc::downgrade(self);
        tasks.spawn("beat", move || beat(Weak::clone(&witness)));
        Ok(())
    }

    async fn stop(&self, _: Duration) {
        self.tally.stopped.add(1);
        self.tally.write(&json!({"stopped": self.serial}));
    }
}

/// Beats as long as the instance lives.
async fn beat(witness: Weak<Witness>) -> Result<(), ExtError> {
    while let Some(witness) = witness.upgrade() {
        witness.tally.beats.add(1);
        let clock = Arc::clone(&witness.env.clock);
        drop(witness);
        clock.sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.tally.lives(-1);
    }
}

#[async_trait]
impl RequestTransform for Witness {
    async fn on_request(&self, _: &mut LlmRequest, cx: &mut RequestCx) -> HookResult {
        let Self { serial, generation, settings, .. } = self;
        let said = format!("{serial}:{generation}:{}", settings.edition);
        cx.upstream_headers.insert("x-witness", HeaderValue::try_from(said)?);
        if let Some(secret) = self.env.secrets.get("token") {
            cx.upstream_headers.insert("x-witness-token", HeaderValue::try_from(secret.expose())?);
        }
        Ok(Flow::Continue)
    }
}

#[async_trait]
impl Limiter for Witness {
    async fn reserve(
        &self,
        estimate: &Estimate,
        _: &LlmRequest,
        _: Option<u64>,
        _: &mut RequestCx,
    ) -> HookResult<Admission> {
        self.tally.reserved.add(1);
        let tally = Arc::clone(&self.tally);
        let estimated = estimate.usage.input;
        let claim = Claim {
            tally,
            estimated,
            settle_ms: self.settings.settle_ms,
            clock: Arc::clone(&self.env.clock),
            is_settled: false,
        };
        Ok(Admission::Admit(Box::new(claim), None))
    }
}

struct Claim {
    tally: Arc<Tally>,
    estimated: u64,
    settle_ms: u64,
    clock: Arc<dyn gatewright::service::Clock>,
    is_settled: bool,
}

impl Reservation for Claim {
    fn settle(mut self: Box<Self>, outcome: &Outcome) -> Option<BoxFuture<'static, Result<(), ExtError>>> {
        self.is_settled = true;
        let usage = outcome.usage();
        let seen = json!({
            "settled": outcome.as_str(),
            "estimated": self.estimated,
            "input": usage.prompt_tokens(),
            "output": usage.output,
        });
        if self.settle_ms == 0 {
            self.tally.settled.add(1);
            self.tally.write(&seen);
            return None;
        }
        Some(Box::pin(async move {
            self.clock.sleep(Duration::from_millis(self.settle_ms)).await;
            self.tally.settled.add(1);
            self.tally.write(&seen);
            Ok(())
        }))
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        if !self.is_settled {
            self.tally.dropped.add(1);
        }
    }
}

impl ResponseFilter for Witness {
    fn plan(&self, _: &ResponseHead, _: &RequestCx) -> FilterPlan {
        FilterPlan::Events
    }

    fn open(&self, _: &ResponseHead, _: &mut RequestCx) -> HookResult<Box<dyn StreamFilter>> {
        self.tally.opened.add(1);
        Ok(Box::new(Watch(Arc::clone(&self.tally))))
    }
}

struct Watch(Arc<Tally>);

impl StreamFilter for Watch {
    fn on_end(&mut self, outcome: &Outcome, _: &mut StreamCx<'_>) {
        self.0.ended.add(1);
        self.0.write(&json!({"ended": outcome.as_str()}));
    }
}

#[async_trait]
impl UsageSink for Witness {
    async fn deliver(&self, records: &[Arc<UsageRecord>]) -> Result<(), ExtError> {
        self.env.clock.sleep(Duration::from_millis(self.settings.slow_ms)).await;
        for record in records {
            let tags: Vec<_> = record.tags.iter().map(|(name, value)| format!("{name}={value}")).collect();
            self.tally.write(&json!({
                "record": record.request_id.as_str(),
                "attempt": record.attempt,
                "outcome": record.outcome,
                "input": record.usage.prompt_tokens(),
                "output": record.usage.output,
                "tags": tags,
            }));
        }
        Ok(())
    }
}

#[async_trait]
impl AuditSink for Witness {
    async fn deliver(&self, records: &[Arc<AuditRecord>]) -> Result<(), ExtError> {
        self.env.clock.sleep(Duration::from_millis(self.settings.slow_ms)).await;
        for record in records {
            self.tally.write(&json!({
                "audit": record.action.as_str(),
                "tenant": record.tenant.as_ref().map(TenantId::as_str),
                "instance": record.instance.as_ref().map(gatewright::InstanceId::as_str),
                "code": record.code.as_deref(),
                "request": record.request_id.map(|id| id.as_str().to_owned()),
                "all": format!("{record:?}"),
            }));
        }
        Ok(())
    }
}

gatewright::register!(Witness => RequestTransform, Limiter, ResponseFilter, UsageSink, AuditSink);
