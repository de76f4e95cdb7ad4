//! Brings the schema of a file up to date, step by step, forward only.
//!
//! Each applied step is remembered with a digest of its text, so that a file that was changed in
//! another way is noticed. Steps run in one transaction under SQLite's write lock: of two
//! processes that start together, the second finds the work done.

use std::path::Path;

use sha2::{Digest, Sha256};
use sqlx::sqlite::SqliteConnection;
use sqlx::{Executor, Row, query};

use super::error::OpenError;

/// Marks the file as ours in its header: "GWLG".
const APPLICATION_ID: i64 = 0x4757_4c47;

/// All steps; the first has number 1.
const STEPS: &[&str] =
    &[include_str!("migrations/0001_usage_record.sql"), include_str!("migrations/0002_losses.sql")];

const CREATE_STEPS: &str = "CREATE TABLE schema_step (
    step INTEGER PRIMARY KEY,
    digest TEXT NOT NULL,
    applied_unix_ms INTEGER NOT NULL DEFAULT (unixepoch('subsec') * 1000)
) STRICT";

/// Brings the schema up to date.
pub(super) async fn migrate(connection: &mut SqliteConnection, path: &Path) -> Result<(), OpenError> {
    let failed = |source| OpenError::migrate(path, source);
    if missing(connection, path).await?.is_empty() {
        return Ok(());
    }
    connection.execute("BEGIN IMMEDIATE").await.map_err(failed)?;
    for (number, text) in missing(connection, path).await? {
        if number == 1 {
            connection.execute(CREATE_STEPS).await.map_err(failed)?;
            let mark = format!("PRAGMA application_id = {APPLICATION_ID}");
            connection.execute(sqlx::AssertSqlSafe(mark)).await.map_err(failed)?;
        }
        connection.execute(sqlx::raw_sql(text)).await.map_err(failed)?;
        let remember = query("INSERT INTO schema_step (step, digest) VALUES (?, ?)").bind(number);
        connection.execute(remember.bind(digest(text))).await.map_err(failed)?;
    }
    connection.execute("COMMIT").await.map_err(failed)?;
    Ok(())
}

/// The steps that the file does not have yet.
async fn missing(
    connection: &mut SqliteConnection,
    path: &Path,
) -> Result<Vec<(i64, &'static str)>, OpenError> {
    let failed = |source| OpenError::migrate(path, source);
    let steps = (1_i64..).zip(STEPS.iter().copied());
    let tables = query("SELECT name FROM sqlite_schema WHERE type = 'table'");
    let tables = connection.fetch_all(tables).await.map_err(failed)?;
    if tables.is_empty() {
        return Ok(steps.collect());
    }
    if !tables.iter().any(|row| row.try_get::<&str, _>(0).is_ok_and(|name| name == "schema_step")) {
        return Err(OpenError::NotALedger { path: path.to_owned() });
    }
    let applied = query("SELECT step, digest FROM schema_step ORDER BY step DESC");
    let applied = connection.fetch_all(applied).await.map_err(failed)?;
    let known = i64::try_from(STEPS.len()).unwrap_or(i64::MAX);
    let mut done = Vec::with_capacity(applied.len());
    for row in applied {
        let step: i64 = row.try_get(0).map_err(failed)?;
        if step > known {
            return Err(OpenError::NewerSchema { path: path.to_owned(), found: step, known });
        }
        let text = usize::try_from(step - 1).ok().and_then(|place| STEPS.get(place));
        if text.map(|text| digest(text)).as_deref() != row.try_get::<&str, _>(1).ok() {
            return Err(OpenError::ChangedStep { path: path.to_owned(), step });
        }
        done.push(step);
    }
    Ok(steps.filter(|(step, _)| !done.contains(step)).collect())
}

fn digest(text: &str) -> String {
    let nibbles = Sha256::digest(text.as_bytes()).into_iter().flat_map(|byte| [byte >> 4, byte & 0xf]);
    nibbles.filter_map(|nibble| char::from_digit(u32::from(nibble), 16)).collect()
}
