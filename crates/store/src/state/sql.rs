//! A database of an instance's own: one file, one transaction per write, bounded answers.

use bytes::Bytes;
use futures_util::TryStreamExt as _;
use gatewright::service::sql::{QUERY_BYTES_MAX, ROWS_MAX, Sql, SqlRow, SqlValue, Statement};
use gatewright::{ExtError, async_trait};
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteConnection, SqliteRow};
use sqlx::{AssertSqlSafe, Decode, Row, Sqlite, TypeInfo, ValueRef, query};

use super::StatePlace;
use super::file::{StateError, StateFile, begin, end};
use super::inspect::{self, Kind, Refused};
use crate::Durability;

/// Why statements did not run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SqlError {
    /// A statement is not for extensions.
    #[error("a statement is refused")]
    Refused(#[from] Refused),
    /// There are more rows than are collected.
    #[error("the query has more than {ROWS_MAX} rows; ask for a page of them")]
    TooManyRows,
    /// The rows are larger than what is collected.
    #[error("the rows of the query are larger than {QUERY_BYTES_MAX} bytes; ask for a page of them")]
    TooLarge,
    /// The file could not be used, or a statement failed.
    #[error("the database of the instance did not do it")]
    State(#[from] StateError),
}

impl From<sqlx::Error> for SqlError {
    fn from(error: sqlx::Error) -> Self {
        Self::State(error.into())
    }
}

/// A [`Sql`] in a SQLite file of the instance's own.
#[derive(Debug)]
pub struct FileSql(StateFile);

impl FileSql {
    /// A database in this place. Nothing is opened before the first use.
    #[must_use]
    pub fn new(place: StatePlace, durability: Durability) -> Self {
        Self(StateFile::new(place, durability, None))
    }
}

#[async_trait]
impl Sql for FileSql {
    async fn write(&self, statements: &[Statement]) -> Result<u64, ExtError> {
        let mut kinds = Vec::with_capacity(statements.len());
        for statement in statements {
            kinds.push(inspect::change(&statement.text).map_err(SqlError::from)?);
        }
        let mut session = self.0.session().await?;
        let written = write(&mut session, statements, &kinds).await;
        Ok(session.done(written).map_err(SqlError::from)?)
    }

    async fn query(&self, statement: &Statement) -> Result<Vec<SqlRow>, ExtError> {
        inspect::query(&statement.text).map_err(SqlError::from)?;
        let mut session = self.0.session().await?;
        let read = read(&mut session, statement).await;
        match session.done(read).map_err(SqlError::from)? {
            Read::Rows(rows) => Ok(rows),
            Read::TooManyRows => Err(SqlError::TooManyRows.into()),
            Read::TooLarge => Err(SqlError::TooLarge.into()),
        }
    }
}

async fn write(
    connection: &mut SqliteConnection,
    statements: &[Statement],
    kinds: &[Kind],
) -> Result<u64, sqlx::Error> {
    begin(connection).await?;
    let changed = run(connection, statements, kinds).await;
    end(connection, changed).await
}

async fn run(
    connection: &mut SqliteConnection,
    statements: &[Statement],
    kinds: &[Kind],
) -> Result<u64, sqlx::Error> {
    let mut changed = 0;
    for (statement, kind) in statements.iter().zip(kinds) {
        let done = prepare(statement).execute(&mut *connection).await?;
        // For other statements SQLite repeats the figure of the one before.
        changed = if *kind == Kind::Change { done.rows_affected() } else { 0 };
    }
    Ok(changed)
}

/// What came of a query.
enum Read {
    Rows(Vec<SqlRow>),
    TooManyRows,
    TooLarge,
}

async fn read(connection: &mut SqliteConnection, statement: &Statement) -> Result<Read, sqlx::Error> {
    let mut rows = Vec::new();
    let mut bytes = 0_usize;
    let mut stream = prepare(statement).fetch(connection);
    while let Some(row) = stream.try_next().await? {
        if rows.len() == ROWS_MAX {
            return Ok(Read::TooManyRows);
        }
        let row = (0..row.len()).map(|column| value(&row, column)).collect::<Result<SqlRow, _>>()?;
        bytes = row.iter().map(size).fold(bytes, usize::saturating_add);
        if bytes > QUERY_BYTES_MAX {
            return Ok(Read::TooLarge);
        }
        rows.push(row);
    }
    Ok(Read::Rows(rows))
}

fn prepare(statement: &Statement) -> Query<'_, Sqlite, SqliteArguments> {
    // The text is the extension's own; what it may be was inspected.
    let mut prepared = query(AssertSqlSafe(statement.text.clone()));
    for value in &statement.values {
        prepared = match value {
            SqlValue::Null => prepared.bind(None::<i64>),
            SqlValue::Integer(number) => prepared.bind(*number),
            SqlValue::Real(number) => prepared.bind(*number),
            SqlValue::Text(text) => prepared.bind(text.clone()),
            SqlValue::Blob(bytes) => prepared.bind(bytes.to_vec()),
        };
    }
    prepared
}

fn value(row: &SqliteRow, column: usize) -> Result<SqlValue, sqlx::Error> {
    let raw = row.try_get_raw(column)?;
    if raw.is_null() {
        return Ok(SqlValue::Null);
    }
    let decode = |source| sqlx::Error::ColumnDecode { index: column.to_string(), source };
    match raw.type_info().name() {
        "INTEGER" | "BOOLEAN" => i64::decode(raw).map(SqlValue::Integer).map_err(decode),
        "REAL" => f64::decode(raw).map(SqlValue::Real).map_err(decode),
        "BLOB" => Vec::<u8>::decode(raw).map(|bytes| SqlValue::Blob(Bytes::from(bytes))).map_err(decode),
        _ => String::decode(raw).map(SqlValue::Text).map_err(decode),
    }
}

/// About what a value takes.
fn size(value: &SqlValue) -> usize {
    let own = size_of::<SqlValue>();
    match value {
        SqlValue::Null | SqlValue::Integer(_) | SqlValue::Real(_) => own,
        SqlValue::Text(text) => own + text.len(),
        SqlValue::Blob(bytes) => own + bytes.len(),
    }
}
