//! The records that wait, in a database of the instance's own.
//!
//! A row is a record. Its batch is given once, when the batch is first posted, and stays until the batch is
//! accepted; a batch that the receiver will never accept is parked, so that it holds up no other.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use gatewright::prelude::*;
use gatewright::service::Random;
use gatewright::service::meter::{Gauge, Meter};
use gatewright::service::sql::{Sql, SqlValue, Statement};

use crate::settings::Settings;

const MAKE: &str = "CREATE TABLE IF NOT EXISTS spool (id INTEGER PRIMARY KEY, line TEXT NOT NULL, batch TEXT, \
     parked INTEGER NOT NULL DEFAULT 0)";
const MAKE_INDEX: &str = "CREATE INDEX IF NOT EXISTS spool_batch ON spool (batch)";
/// A new start, or new settings, may have mended what was refused.
const UNPARK: &str = "UPDATE spool SET parked = 0 WHERE parked = 1";
const COUNT: &str = "SELECT count(*) FROM spool";
const ADD: &str = "INSERT INTO spool (line) VALUES (?1)";
const OLDEST_BATCH: &str =
    "SELECT batch FROM spool WHERE batch IS NOT NULL AND parked = 0 ORDER BY id LIMIT 1";
const CLAIM: &str = "UPDATE spool SET batch = ?1 WHERE id IN \
     (SELECT id FROM spool WHERE batch IS NULL ORDER BY id LIMIT ?2)";
const LINES: &str = "SELECT line FROM spool WHERE batch = ?1 ORDER BY id";
const REMOVE: &str = "DELETE FROM spool WHERE batch = ?1";
const PARK: &str = "UPDATE spool SET parked = 1 WHERE batch = ?1";

/// The spool.
pub(crate) struct Spool {
    sql: Arc<dyn Sql>,
    random: Arc<dyn Random>,
    waiting: AtomicUsize,
    waiting_max: usize,
    gauge: Arc<dyn Gauge>,
}

/// Records that are posted together, under one key.
#[derive(Debug)]
pub(crate) struct Batch {
    pub(crate) key: String,
    pub(crate) lines: Vec<String>,
}

impl Spool {
    pub(crate) fn new(settings: &Settings, env: &ExtEnv) -> Self {
        let meter: &dyn Meter = &*env.meter;
        Self {
            sql: Arc::clone(&env.sql),
            random: Arc::clone(&env.random),
            waiting: AtomicUsize::new(0),
            waiting_max: settings.spool_records,
            gauge: meter.gauge("spool_records", "Records that wait to be exported"),
        }
    }

    /// Opens what an earlier run left.
    pub(crate) async fn open(&self) -> Result<(), ExtError> {
        self.sql.write(&[MAKE, MAKE_INDEX, UNPARK].map(Statement::new)).await?;
        self.recount().await
    }

    /// Takes records over; they are durable when this returns.
    pub(crate) async fn add(&self, lines: &[String]) -> Result<(), ExtError> {
        let waiting = self.waiting.load(Ordering::Relaxed);
        if waiting.saturating_add(lines.len()) > self.waiting_max {
            return Err(ExtError::new(format!("the spool is full: {waiting} records wait for the webhook")));
        }
        let adds: Vec<Statement> = lines.iter().map(|line| Statement::new(ADD).with(line.as_str())).collect();
        self.sql.write(&adds).await?;
        self.show(self.waiting.fetch_add(lines.len(), Ordering::Relaxed).saturating_add(lines.len()));
        Ok(())
    }

    /// The batch to post next: the oldest that was tried before, or a new one.
    pub(crate) async fn next(&self, records_max: usize) -> Result<Option<Batch>, ExtError> {
        let tried = texts(self.sql.query(&Statement::new(OLDEST_BATCH)).await?).pop();
        let key = match tried {
            Some(key) => key,
            None => {
                let key = format!("{:016x}{:016x}", self.random.next_u64(), self.random.next_u64());
                let limit = i64::try_from(records_max)?;
                let claim = Statement::new(CLAIM).with(key.as_str()).with(limit);
                if self.sql.write(&[claim]).await? == 0 {
                    // Nothing is left but what is parked; an instance that this one replaced may have had a part.
                    self.recount().await?;
                    return Ok(None);
                }
                key
            }
        };
        let lines = texts(self.sql.query(&Statement::new(LINES).with(key.as_str())).await?);
        Ok(Some(Batch { key, lines }))
    }

    /// Forgets a batch that was accepted.
    pub(crate) async fn remove(&self, batch: &Batch) -> Result<(), ExtError> {
        self.sql.write(&[Statement::new(REMOVE).with(batch.key.as_str())]).await?;
        let count = batch.lines.len();
        let fewer = |waiting: usize| Some(waiting.saturating_sub(count));
        if let Ok(before) = self.waiting.fetch_update(Ordering::Relaxed, Ordering::Relaxed, fewer) {
            self.show(before.saturating_sub(count));
        }
        Ok(())
    }

    /// Puts a batch aside until the next start.
    pub(crate) async fn park(&self, batch: &Batch) -> Result<(), ExtError> {
        self.sql.write(&[Statement::new(PARK).with(batch.key.as_str())]).await?;
        Ok(())
    }

    async fn recount(&self) -> Result<(), ExtError> {
        let rows = self.sql.query(&Statement::new(COUNT)).await?;
        if let Some(SqlValue::Integer(count)) = rows.into_iter().flatten().next() {
            let count = usize::try_from(count)?;
            self.waiting.store(count, Ordering::Relaxed);
            self.show(count);
        }
        Ok(())
    }

    fn show(&self, waiting: usize) {
        self.gauge.set(i64::try_from(waiting).unwrap_or(i64::MAX));
    }
}

fn texts(rows: Vec<Vec<SqlValue>>) -> Vec<String> {
    let text = |value| match value {
        SqlValue::Text(text) => Some(text),
        SqlValue::Null | SqlValue::Integer(_) | SqlValue::Real(_) | SqlValue::Blob(_) => None,
    };
    rows.into_iter().flatten().filter_map(text).collect()
}
