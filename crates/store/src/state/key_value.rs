//! Durable values by tenant and key, in one table of one file.
//!
//! A counter is a value that is the decimal text of a number, so it can be read and set like any other.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, UNIX_EPOCH};

use bytes::Bytes;
use gatewright::service::Clock;
use gatewright::service::key_value::{KEY_BYTES_MAX, KeyValue, VALUE_BYTES_MAX};
use gatewright::{ExtError, TenantId, async_trait};
use sqlx::sqlite::SqliteConnection;
use sqlx::{query, query_as, query_scalar};

use super::StatePlace;
use super::file::{Schema, StateError, StateFile, begin, end};
use crate::Durability;

const SCHEMA: Schema = Schema {
    version: 1,
    text: "CREATE TABLE IF NOT EXISTS value (
               tenant TEXT NOT NULL,
               key TEXT NOT NULL,
               value BLOB NOT NULL,
               expires INTEGER,
               PRIMARY KEY (tenant, key)
           ) STRICT;
           CREATE INDEX IF NOT EXISTS value_expires ON value (expires) WHERE expires IS NOT NULL;
           PRAGMA user_version = 1",
};
/// After how many writes values whose time is over are removed.
const WRITES_BETWEEN_REMOVALS: u32 = 64;

/// Why a value could not be read or written.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeyValueError {
    /// The key is too long.
    #[error("the key is longer than {KEY_BYTES_MAX} bytes")]
    KeyTooLong,
    /// The value is too large.
    #[error("the value of `{key}` is larger than {VALUE_BYTES_MAX} bytes")]
    ValueTooLarge {
        /// Whose value.
        key: String,
    },
    /// Something was to be added to a value that is no number.
    #[error("the value of `{key}` is no counter")]
    NoCounter {
        /// Whose value.
        key: String,
    },
    /// The sum does not fit.
    #[error("the counter `{key}` does not fit into 64 bits")]
    Overflow {
        /// Whose value.
        key: String,
    },
    /// The file could not be used.
    #[error("the values of the instance cannot be reached")]
    State(#[from] StateError),
}

impl From<sqlx::Error> for KeyValueError {
    fn from(error: sqlx::Error) -> Self {
        Self::State(error.into())
    }
}

/// A [`KeyValue`] in a SQLite file of the instance's own.
pub struct FileKeyValue {
    file: StateFile,
    clock: Arc<dyn Clock>,
    writes: AtomicU32,
}

impl FileKeyValue {
    /// Values in this place. Nothing is opened before the first use.
    #[must_use]
    pub fn new(place: StatePlace, durability: Durability, clock: Arc<dyn Clock>) -> Self {
        Self { file: StateFile::new(place, durability, Some(SCHEMA)), clock, writes: AtomicU32::new(0) }
    }

    /// Wall time in milliseconds.
    fn now(&self) -> i64 {
        let since = self.clock.wall().duration_since(UNIX_EPOCH).unwrap_or_default();
        i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
    }

    fn expires(&self, keep: Option<Duration>) -> Option<i64> {
        keep.map(|keep| self.now().saturating_add(i64::try_from(keep.as_millis()).unwrap_or(i64::MAX)))
    }

    /// Now and then removes what nobody can read any more.
    async fn remove_expired(&self, connection: &mut SqliteConnection) -> Result<(), sqlx::Error> {
        const SQL: &str = "DELETE FROM value WHERE rowid IN
            (SELECT rowid FROM value WHERE expires IS NOT NULL AND expires <= ?1 LIMIT 1000)";
        if self.writes.fetch_add(1, Ordering::Relaxed).is_multiple_of(WRITES_BETWEEN_REMOVALS) {
            query(SQL).bind(self.now()).execute(connection).await?;
        }
        Ok(())
    }
}

impl std::fmt::Debug for FileKeyValue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("FileKeyValue").field("file", &self.file).finish_non_exhaustive()
    }
}

#[async_trait]
impl KeyValue for FileKeyValue {
    async fn get(&self, tenant: &TenantId, key: &str) -> Result<Option<Bytes>, ExtError> {
        const SQL: &str =
            "SELECT value FROM value WHERE tenant = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?3)";
        let mut session = self.file.session().await?;
        let found = query_scalar(SQL).bind(tenant.as_str()).bind(key).bind(self.now());
        let found = found.fetch_optional(&mut *session).await;
        let value: Option<Vec<u8>> = session.done(found).map_err(KeyValueError::from)?;
        Ok(value.map(Bytes::from))
    }

    async fn put(
        &self,
        tenant: &TenantId,
        key: &str,
        value: Bytes,
        keep: Option<Duration>,
    ) -> Result<(), ExtError> {
        check_key(key)?;
        if value.len() > VALUE_BYTES_MAX {
            return Err(KeyValueError::ValueTooLarge { key: key.to_owned() }.into());
        }
        let mut session = self.file.session().await?;
        let expires = self.expires(keep);
        let put = async {
            self.remove_expired(&mut session).await?;
            set(&mut session, tenant, key, &value, expires).await
        };
        let put = put.await;
        Ok(session.done(put).map_err(KeyValueError::from)?)
    }

    async fn add(&self, tenant: &TenantId, key: &str, amount: i64) -> Result<i64, ExtError> {
        check_key(key)?;
        let mut session = self.file.session().await?;
        let added = match add(&mut session, (tenant, key), amount, self.now()).await {
            Ok(added) => session.done(Ok(added)),
            Err(AddError::Sql(error)) => session.done(Err(error)),
            Err(AddError::Value(error)) => {
                let done: Result<(), _> = session.done(Ok(()));
                done.map_err(KeyValueError::from)?;
                return Err(error.into());
            }
        };
        Ok(added.map_err(KeyValueError::from)?)
    }

    async fn remove(&self, tenant: &TenantId, key: &str) -> Result<(), ExtError> {
        const SQL: &str = "DELETE FROM value WHERE tenant = ?1 AND key = ?2";
        let mut session = self.file.session().await?;
        let removed = query(SQL).bind(tenant.as_str()).bind(key).execute(&mut *session).await;
        session.done(removed).map_err(KeyValueError::from)?;
        Ok(())
    }

    async fn keys(&self, tenant: &TenantId, prefix: &str, count_max: usize) -> Result<Vec<String>, ExtError> {
        const SQL: &str = "SELECT key FROM value
            WHERE tenant = ?1 AND key >= ?2 AND (?3 IS NULL OR key < ?3) AND (expires IS NULL OR expires > ?4)
            ORDER BY key LIMIT ?5";
        let mut session = self.file.session().await?;
        let keys = query_scalar(SQL)
            .bind(tenant.as_str())
            .bind(prefix)
            .bind(successor(prefix))
            .bind(self.now())
            .bind(i64::try_from(count_max).unwrap_or(i64::MAX))
            .fetch_all(&mut *session)
            .await;
        Ok(session.done(keys).map_err(KeyValueError::from)?)
    }
}

/// Why nothing was added.
enum AddError {
    Sql(sqlx::Error),
    Value(KeyValueError),
}

impl From<sqlx::Error> for AddError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// Adds in one transaction, so that no addition is lost. A time that the value has stays as it is.
async fn add(
    connection: &mut SqliteConnection,
    (tenant, key): (&TenantId, &str),
    amount: i64,
    now: i64,
) -> Result<i64, AddError> {
    begin(connection).await?;
    let sum = add_to(connection, (tenant, key), amount, now).await;
    end(connection, sum).await
}

async fn add_to(
    connection: &mut SqliteConnection,
    (tenant, key): (&TenantId, &str),
    amount: i64,
    now: i64,
) -> Result<i64, AddError> {
    const SQL: &str = "SELECT value, expires FROM value
        WHERE tenant = ?1 AND key = ?2 AND (expires IS NULL OR expires > ?3)";
    let found = query_as(SQL).bind(tenant.as_str()).bind(key).bind(now);
    let found: Option<(Vec<u8>, Option<i64>)> = found.fetch_optional(&mut *connection).await?;
    let (count, expires) = match found {
        Some((value, expires)) => {
            let count = std::str::from_utf8(&value).ok().and_then(|text| text.parse::<i64>().ok());
            let no_counter = || AddError::Value(KeyValueError::NoCounter { key: key.to_owned() });
            (count.ok_or_else(no_counter)?, expires)
        }
        None => (0, None),
    };
    let sum = count.checked_add(amount);
    let sum = sum.ok_or_else(|| AddError::Value(KeyValueError::Overflow { key: key.to_owned() }))?;
    set(connection, tenant, key, sum.to_string().as_bytes(), expires).await?;
    Ok(sum)
}

async fn set(
    connection: &mut SqliteConnection,
    tenant: &TenantId,
    key: &str,
    value: &[u8],
    expires: Option<i64>,
) -> Result<(), sqlx::Error> {
    const SQL: &str = "INSERT INTO value (tenant, key, value, expires) VALUES (?1, ?2, ?3, ?4)
        ON CONFLICT DO UPDATE SET value = excluded.value, expires = excluded.expires";
    query(SQL).bind(tenant.as_str()).bind(key).bind(value).bind(expires).execute(connection).await?;
    Ok(())
}

fn check_key(key: &str) -> Result<(), KeyValueError> {
    if key.len() > KEY_BYTES_MAX { Err(KeyValueError::KeyTooLong) } else { Ok(()) }
}

/// The first text that is greater than all that begin with `prefix`; none when there is no such text.
fn successor(prefix: &str) -> Option<String> {
    let mut text = prefix.to_owned();
    while let Some(last) = text.pop() {
        // The range leaves out the surrogates, as texts do.
        if let Some(next) = (last..=char::MAX).nth(1) {
            text.push(next);
            return Some(text);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::successor;

    #[test]
    fn the_successor_of_a_prefix_is_above_all_that_begin_with_it() {
        assert_eq!(successor("ab").as_deref(), Some("ac"));
        assert_eq!(successor("a\u{10ffff}").as_deref(), Some("b"));
        assert_eq!(successor("\u{d7ff}").as_deref(), Some("\u{e000}"));
        assert_eq!(successor(""), None);
        assert_eq!(successor("\u{10ffff}"), None);
    }
}
