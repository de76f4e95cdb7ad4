//! A database of the instance's own: a SQLite file in its data directory, never the gateway's tables.

use async_trait::async_trait;
use bytes::Bytes;

use crate::ExtError;

/// The most rows that a query returns; ask for pages beyond it.
pub const ROWS_MAX: usize = 10_000;
/// The most that the values of a query's rows may take, in bytes.
pub const QUERY_BYTES_MAX: usize = 64 * 1024 * 1024;

/// A value of a statement or a row.
#[derive(Clone, Debug, PartialEq)]
pub enum SqlValue {
    /// No value.
    Null,
    /// An integer.
    Integer(i64),
    /// A floating-point number.
    Real(f64),
    /// Text.
    Text(String),
    /// Bytes.
    Blob(Bytes),
}

impl From<i64> for SqlValue {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<&str> for SqlValue {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for SqlValue {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

/// One row, its values in the order of the query's columns.
pub type SqlRow = Vec<SqlValue>;

/// A statement and the values of its parameters (`?1`, `?2`, …).
#[derive(Clone, Debug, PartialEq)]
pub struct Statement {
    /// One statement.
    pub text: String,
    /// Its parameters.
    pub values: Vec<SqlValue>,
}

impl Statement {
    /// A statement without parameters.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self { text: text.into(), values: Vec::new() }
    }

    /// The same statement with one more parameter.
    #[must_use]
    pub fn with(mut self, value: impl Into<SqlValue>) -> Self {
        self.values.push(value.into());
        self
    }
}

/// The database of one instance. It is made at its first use and holds at most 1 GiB.
///
/// Statements stay inside it: what reaches other files, such as `ATTACH`, or changes the connection, such as `PRAGMA`
/// and `BEGIN`, is refused. A write is as durable as the gateway's own records (`store.durability`).
///
/// # Example
///
/// ```
/// use gatewright::prelude::*;
/// use gatewright::service::sql::{SqlValue, Statement};
///
/// async fn count(env: &ExtEnv, user: &str) -> Result<Option<SqlValue>, ExtError> {
///     let make = Statement::new("CREATE TABLE IF NOT EXISTS seen (user TEXT NOT NULL)");
///     let insert = Statement::new("INSERT INTO seen VALUES (?1)").with(user);
///     env.sql.write(&[make, insert]).await?;
///     let rows = env.sql.query(&Statement::new("SELECT count(*) FROM seen WHERE user = ?1").with(user)).await?;
///     Ok(rows.into_iter().flatten().next())
/// }
/// ```
#[async_trait]
pub trait Sql: Send + Sync + 'static {
    /// Runs statements in one transaction. Returns how many rows the last one changed.
    ///
    /// # Errors
    ///
    /// When a statement fails; then none has an effect.
    ///
    /// # Cancellation
    ///
    /// All of them have an effect, or none.
    async fn write(&self, statements: &[Statement]) -> Result<u64, ExtError>;

    /// The rows of a query.
    ///
    /// # Errors
    ///
    /// When it fails, there are more than [`ROWS_MAX`] rows, or they take more than [`QUERY_BYTES_MAX`].
    ///
    /// # Cancellation
    ///
    /// Nothing changes.
    async fn query(&self, statement: &Statement) -> Result<Vec<SqlRow>, ExtError>;
}
