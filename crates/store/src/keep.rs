//! What is kept for tenants from one exchange to a later one: objects with an end, in one SQLite file of their own.
//!
//! The file is another one than the ledger's, so that a large object keeps no record waiting. What a tenant has is counted
//! by the database itself, with every change. What is deleted is overwritten.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use gatewright::service::Clock;
use gatewright::service::keep::{ID_BYTES_MAX, Keep, KeepError, Kept, KeptKey, KeptKind, KeptPage};
use gatewright::{TenantId, async_trait};
use sqlx::sqlite::SqliteConnection;
use sqlx::{query, query_as, query_scalar};

use crate::Durability;
use crate::state::StatePlace;
use crate::state::file::{Schema, StateFile, begin, end};

/// After how many writes objects whose time is over are removed.
const WRITES_BETWEEN_REMOVALS: u32 = 64;
/// So many are removed in one transaction, so that nobody waits long for it.
const REMOVED_AT_ONCE: i64 = 256;

/// An object counts for its bytes and 256 more, so that many small ones are bounded too.
const SCHEMA: Schema = Schema {
    version: 1,
    text: "PRAGMA secure_delete = ON;
           CREATE TABLE IF NOT EXISTS kept (
               number INTEGER PRIMARY KEY,
               tenant TEXT NOT NULL,
               kind TEXT NOT NULL,
               id TEXT NOT NULL,
               value BLOB NOT NULL,
               expires INTEGER NOT NULL,
               UNIQUE (tenant, kind, id)
           ) STRICT;
           CREATE INDEX IF NOT EXISTS kept_expires ON kept (expires);
           CREATE TABLE IF NOT EXISTS kept_sum (
               tenant TEXT PRIMARY KEY,
               bytes INTEGER NOT NULL
           ) STRICT, WITHOUT ROWID;
           CREATE TRIGGER IF NOT EXISTS kept_added AFTER INSERT ON kept BEGIN
               INSERT INTO kept_sum (tenant, bytes) VALUES (NEW.tenant, length(NEW.value) + 256)
                   ON CONFLICT DO UPDATE SET bytes = bytes + excluded.bytes;
           END;
           CREATE TRIGGER IF NOT EXISTS kept_changed AFTER UPDATE OF value ON kept BEGIN
               UPDATE kept_sum SET bytes = bytes + length(NEW.value) - length(OLD.value)
                   WHERE tenant = NEW.tenant;
           END;
           CREATE TRIGGER IF NOT EXISTS kept_removed AFTER DELETE ON kept BEGIN
               UPDATE kept_sum SET bytes = bytes - length(OLD.value) - 256 WHERE tenant = OLD.tenant;
               DELETE FROM kept_sum WHERE tenant = OLD.tenant AND bytes <= 0;
           END;
           PRAGMA user_version = 1",
};

/// How much is kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeepSettings {
    /// What is kept of one object, in bytes.
    pub object_bytes_max: u64,
    /// What is kept of one tenant, in bytes.
    pub tenant_bytes_max: u64,
    /// How large the file may grow, in bytes.
    pub file_bytes_max: u64,
}

impl Default for KeepSettings {
    fn default() -> Self {
        Self { object_bytes_max: 16 << 20, tenant_bytes_max: 1 << 30, file_bytes_max: 64 << 30 }
    }
}

/// A [`Keep`] in a SQLite file.
pub struct FileKeep {
    file: StateFile,
    settings: KeepSettings,
    clock: Arc<dyn Clock>,
    writes: AtomicU32,
}

impl FileKeep {
    /// Objects in this place. Nothing is opened before the first use.
    #[must_use]
    pub fn new(
        place: StatePlace,
        durability: Durability,
        settings: KeepSettings,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let file = StateFile::new(place, durability, Some(SCHEMA)).up_to(settings.file_bytes_max);
        Self { file, settings, clock, writes: AtomicU32::new(0) }
    }

    /// Removes what nobody can read any more. Returns how many objects that were.
    ///
    /// # Errors
    ///
    /// Failures of the store.
    ///
    /// # Cancellation
    ///
    /// What was removed before stays removed.
    pub async fn sweep(&self) -> Result<u64, KeepError> {
        let mut removed = 0;
        loop {
            let mut session = self.file.session().await.map_err(failed)?;
            let some = remove_expired(&mut session, self.now()).await;
            let some = session.done(some).map_err(failed)?;
            removed += some;
            if some < REMOVED_AT_ONCE.unsigned_abs() {
                return Ok(removed);
            }
        }
    }

    /// Wall time in milliseconds.
    fn now(&self) -> i64 {
        millis(self.clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default())
    }

    fn check(&self, objects: &[Kept]) -> Result<(), KeepError> {
        for object in objects {
            let (bytes, bytes_max) = (object.value.len(), self.settings.object_bytes_max);
            if wide(bytes) > bytes_max {
                return Err(KeepError::TooLarge { bytes, bytes_max });
            }
            if object.id.len() > ID_BYTES_MAX {
                return Err(KeepError::IdTooLong);
            }
        }
        Ok(())
    }
}

impl std::fmt::Debug for FileKeep {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileKeep").field("settings", &self.settings).finish_non_exhaustive()
    }
}

#[async_trait]
impl Keep for FileKeep {
    fn unguessable(&self) -> Result<u128, KeepError> {
        let mut bits = [0; 16];
        getrandom::fill(&mut bits).map_err(failed)?;
        Ok(u128::from_ne_bytes(bits))
    }

    async fn put(&self, tenant: &TenantId, objects: Vec<Kept>, keep_for: Duration) -> Result<(), KeepError> {
        self.check(&objects)?;
        let now = self.now();
        let expires = now.saturating_add(millis(keep_for));
        let mut session = self.file.session().await.map_err(failed)?;
        let is_due = self.writes.fetch_add(1, Ordering::Relaxed).is_multiple_of(WRITES_BETWEEN_REMOVALS);
        let put = async {
            if is_due {
                remove_expired(&mut session, now).await?;
            }
            begin(&mut session).await?;
            let put =
                put_all(&mut session, (tenant, &objects), expires, self.settings.tenant_bytes_max).await;
            end(&mut session, put).await
        };
        match put.await {
            Err(PutError::Full) => {
                session.done(Ok(())).map_err(failed)?;
                Err(KeepError::Full { bytes_max: self.settings.tenant_bytes_max })
            }
            Err(PutError::Sql(error)) => session.done(Err(error)).map_err(failed),
            Ok(()) => session.done(Ok(())).map_err(failed),
        }
    }

    async fn get(&self, key: &KeptKey) -> Result<Option<Bytes>, KeepError> {
        const SQL: &str =
            "SELECT value FROM kept WHERE tenant = ?1 AND kind = ?2 AND id = ?3 AND expires > ?4";
        if key.id.len() > ID_BYTES_MAX {
            return Ok(None);
        }
        let mut session = self.file.session().await.map_err(failed)?;
        let found = query_scalar(SQL).bind(key.tenant.as_str()).bind(key.kind.as_str()).bind(&*key.id);
        let found = found.bind(self.now()).fetch_optional(&mut *session).await;
        let value: Option<Vec<u8>> = session.done(found).map_err(failed)?;
        Ok(value.map(Bytes::from))
    }

    async fn delete(&self, keys: &[KeptKey]) -> Result<usize, KeepError> {
        let now = self.now();
        let mut session = self.file.session().await.map_err(failed)?;
        let delete = async {
            begin(&mut session).await?;
            let deleted = delete_all(&mut session, keys, now).await;
            end(&mut session, deleted).await
        };
        let deleted = delete.await;
        session.done(deleted).map_err(failed)
    }

    async fn list(&self, tenant: &TenantId, kind: KeptKind, page: &KeptPage) -> Result<Vec<Kept>, KeepError> {
        const UP: &str = "SELECT id, value FROM kept WHERE tenant = ?1 AND kind = ?2 AND expires > ?3
            AND number > coalesce((SELECT number FROM kept WHERE tenant = ?1 AND kind = ?2 AND id = ?4), -1)
            ORDER BY number LIMIT ?5";
        const DOWN: &str = "SELECT id, value FROM kept WHERE tenant = ?1 AND kind = ?2 AND expires > ?3
            AND number < coalesce((SELECT number FROM kept WHERE tenant = ?1 AND kind = ?2 AND id = ?4),
                9223372036854775807)
            ORDER BY number DESC LIMIT ?5";
        let mut session = self.file.session().await.map_err(failed)?;
        let rows = query_as(if page.is_descending { DOWN } else { UP })
            .bind(tenant.as_str())
            .bind(kind.as_str())
            .bind(self.now())
            .bind(page.after.as_deref())
            .bind(i64::try_from(page.count_max).unwrap_or(i64::MAX))
            .fetch_all(&mut *session)
            .await;
        let rows: Vec<(String, Vec<u8>)> = session.done(rows).map_err(failed)?;
        let kept = |(id, value): (String, Vec<u8>)| Kept { kind, id: id.into(), value: value.into() };
        Ok(rows.into_iter().map(kept).collect())
    }
}

/// Why nothing was put.
enum PutError {
    Full,
    Sql(sqlx::Error),
}

impl From<sqlx::Error> for PutError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

async fn put_all(
    connection: &mut SqliteConnection,
    (tenant, objects): (&TenantId, &[Kept]),
    expires: i64,
    tenant_bytes_max: u64,
) -> Result<(), PutError> {
    const PUT: &str = "INSERT INTO kept (tenant, kind, id, value, expires) VALUES (?1, ?2, ?3, ?4, ?5)
        ON CONFLICT (tenant, kind, id) DO UPDATE SET value = excluded.value, expires = excluded.expires";
    const SUM: &str = "SELECT bytes FROM kept_sum WHERE tenant = ?1";
    for object in objects {
        let put = query(PUT).bind(tenant.as_str()).bind(object.kind.as_str()).bind(&*object.id);
        put.bind(&object.value[..]).bind(expires).execute(&mut *connection).await?;
    }
    let sum: Option<i64> = query_scalar(SUM).bind(tenant.as_str()).fetch_optional(&mut *connection).await?;
    let is_full = sum.is_some_and(|sum| u64::try_from(sum).unwrap_or(0) > tenant_bytes_max);
    if is_full { Err(PutError::Full) } else { Ok(()) }
}

async fn delete_all(
    connection: &mut SqliteConnection,
    keys: &[KeptKey],
    now: i64,
) -> Result<usize, sqlx::Error> {
    const SQL: &str = "DELETE FROM kept WHERE tenant = ?1 AND kind = ?2 AND id = ?3 RETURNING expires > ?4";
    let mut deleted = 0;
    for key in keys {
        let gone = query_scalar(SQL).bind(key.tenant.as_str()).bind(key.kind.as_str()).bind(&*key.id);
        let was_alive: Option<bool> = gone.bind(now).fetch_optional(&mut *connection).await?;
        deleted += usize::from(was_alive == Some(true));
    }
    Ok(deleted)
}

async fn remove_expired(connection: &mut SqliteConnection, now: i64) -> Result<u64, sqlx::Error> {
    const SQL: &str =
        "DELETE FROM kept WHERE number IN (SELECT number FROM kept WHERE expires <= ?1 LIMIT ?2)";
    let removed = query(SQL).bind(now).bind(REMOVED_AT_ONCE).execute(connection).await?;
    Ok(removed.rows_affected())
}

fn failed(error: impl std::error::Error + Send + Sync + 'static) -> KeepError {
    KeepError::Store(Box::new(error))
}

fn millis(duration: Duration) -> i64 {
    i64::try_from(duration.as_millis()).unwrap_or(i64::MAX)
}

fn wide(bytes: usize) -> u64 {
    u64::try_from(bytes).unwrap_or(u64::MAX)
}
