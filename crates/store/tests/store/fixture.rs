//! Records, ledgers and a second look at their files.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use gatewright::dialect::Operation;
use gatewright::record::UsageRecord;
use gatewright::{Money, Principal, RequestId, TenantId, Usage, UsageSource};
use gatewright_store::{Durability, Ledger, LedgerPlace, LedgerSettings};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Executor, Row};
use tempfile::TempDir;

/// Longer than anything that works takes.
const DEADLINE: Duration = Duration::from_secs(30);

/// A directory of its own with a ledger's file in it.
pub(crate) struct Place {
    pub(crate) directory: TempDir,
    pub(crate) path: PathBuf,
}

impl Place {
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("ledger.db");
        Self { directory, path }
    }

    pub(crate) fn open(&self) -> Ledger {
        self.open_with(&LedgerSettings::default())
    }

    pub(crate) fn open_with(&self, settings: &LedgerSettings) -> Ledger {
        Ledger::open(LedgerPlace::File(self.path.clone()), Durability::Crash, settings).unwrap()
    }

    /// A connection that has nothing to do with the ledger's own.
    pub(crate) async fn outside(&self) -> SqliteConnection {
        outside(&self.path).await
    }
}

pub(crate) async fn outside(path: &Path) -> SqliteConnection {
    SqliteConnectOptions::new().filename(path).create_if_missing(true).connect().await.unwrap()
}

pub(crate) async fn number(connection: &mut SqliteConnection, sql: &str) -> i64 {
    connection.fetch_one(AssertSqlSafe(sql)).await.unwrap().get(0)
}

/// The `n`th record of a test.
pub(crate) fn record(n: u64) -> UsageRecord {
    record_of("acme", n, Some(Money::from_nanos(150_000)))
}

pub(crate) fn record_of(tenant: &str, n: u64, cost: Option<Money>) -> UsageRecord {
    let started_unix_ms = 1_733_000_000_000 + n;
    UsageRecord {
        request_id: RequestId::new(started_unix_ms, u128::from(n)),
        attempt: 1,
        principal: Arc::new(Principal::new(TenantId::new(tenant), "key-1")),
        route: "default".into(),
        operation: Operation::Chat,
        streamed: false,
        model_asked: "small".into(),
        model_served: None,
        provider: Some("sim".into()),
        status: 200,
        outcome: "completed",
        code: None,
        usage: Usage { input: 1000, output: 50, ..Usage::default() },
        usage_source: UsageSource::Provider,
        cost,
        started_unix_ms,
        time_to_first_token: None,
        total: Duration::from_millis(900),
        overhead: Duration::from_micros(70),
        losses: Vec::new(),
        tags: gatewright::Tags::default(),
    }
}

/// Waits for what has to happen, but not for ever.
pub(crate) async fn soon<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(DEADLINE, future).await.expect("it happens within the deadline")
}
