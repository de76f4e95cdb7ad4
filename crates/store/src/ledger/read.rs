//! Reads records back, for people, tests and the admin API; never on the data path.
//!
//! Each question opens a connection of its own, so that reading neither waits for the writer nor
//! keeps a file that was replaced.

use std::time::Duration;

use gatewright::RequestId;
use sqlx::query::Query;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{Connection, Executor, Row, Sqlite, query};

use super::connect::open_reader;
use super::error::ReadError;
use super::settings::Settled;

/// The most records of one answer.
const ROWS_MAX: u32 = 10_000;
/// How much earlier than its start an exchange can have got its id.
const ID_AGE_MAX_MS: u64 = 60 * 60 * 1000;

/// One record as it is stored. The fields mean what they mean in
/// [`UsageRecord`](gatewright::record::UsageRecord).
#[derive(Clone, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "each field is described at the field of the record that it stores")]
pub struct UsageRow {
    pub request_id: String,
    pub attempt: u32,
    /// What kind of record it is: `final` for the one that settles an attempt.
    pub kind: String,
    /// The number of a record among those of its kind; 0 for a final one.
    pub step: u32,
    pub started_unix_ms: u64,
    pub tenant: String,
    pub project: Option<String>,
    pub user: Option<String>,
    pub key_label: String,
    pub route: String,
    pub operation: String,
    pub streamed: bool,
    pub model_asked: String,
    pub model_served: Option<String>,
    pub provider: Option<String>,
    pub status: u16,
    pub outcome: String,
    pub code: Option<String>,
    pub usage_source: String,
    pub input_tokens: u64,
    pub cache_read_tokens: u64,
    pub cache_write_tokens: u64,
    pub cache_write_1h_tokens: u64,
    pub output_tokens: u64,
    pub reasoning_tokens: u64,
    pub input_audio_tokens: u64,
    pub output_audio_tokens: u64,
    /// Nano-dollars; `None` where the price is not known.
    pub cost_nanos: Option<i64>,
    pub first_token_us: Option<u64>,
    pub total_us: u64,
    pub overhead_us: u64,
    /// A JSON object from fields to what became of them, or `None` where nothing was lost.
    pub losses: Option<String>,
    /// A JSON object of texts, or `None` where there are no tags.
    pub tags: Option<String>,
}

/// What one tenant used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TenantTotal {
    /// The tenant.
    pub tenant: String,
    /// Records, one per attempt.
    pub records: u64,
    /// Prompt tokens of all price classes.
    pub prompt_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Nano-dollars, of the records whose price is known.
    pub cost_nanos: i64,
    /// Records whose price is not known.
    pub records_without_price: u64,
}

#[derive(Debug)]
pub(super) struct Reader {
    place: Settled,
    busy_timeout: Duration,
}

impl Reader {
    pub(super) fn new(place: Settled, busy_timeout: Duration) -> Self {
        Self { place, busy_timeout }
    }

    pub(super) async fn recent(&self, limit: u32) -> Result<Vec<UsageRow>, ReadError> {
        const SQL: &str = "SELECT * FROM usage_record \
            ORDER BY request_id DESC, attempt DESC, kind DESC, step DESC LIMIT ?";
        self.rows(query(SQL).bind(limit.min(ROWS_MAX)), usage_row).await
    }

    pub(super) async fn by_request(&self, request_id: &str) -> Result<Vec<UsageRow>, ReadError> {
        const SQL: &str = "SELECT * FROM usage_record WHERE request_id = ? \
            ORDER BY attempt, kind, step LIMIT ?";
        self.rows(query(SQL).bind(request_id.to_owned()).bind(ROWS_MAX), usage_row).await
    }

    pub(super) async fn totals_by_tenant(&self, since_unix_ms: u64) -> Result<Vec<TenantTotal>, ReadError> {
        const SQL: &str = "SELECT tenant, count(*) AS records, \
            sum(input_tokens + cache_read_tokens + cache_write_tokens + cache_write_1h_tokens) \
                AS prompt_tokens, \
            sum(output_tokens) AS output_tokens, coalesce(sum(cost_nanos), 0) AS cost_nanos, \
            count(*) - count(cost_nanos) AS records_without_price \
            FROM usage_record WHERE request_id >= ? AND started_unix_ms >= ? \
            GROUP BY tenant ORDER BY tenant";
        // Ids begin with their time. They are made a little before or after the start.
        let first_id = RequestId::new(since_unix_ms.saturating_sub(ID_AGE_MAX_MS), 0);
        let since = i64::try_from(since_unix_ms).unwrap_or(i64::MAX);
        self.rows(query(SQL).bind(first_id.as_str().to_owned()).bind(since), tenant_total).await
    }

    async fn rows<T>(
        &self,
        query: Query<'_, Sqlite, SqliteArguments>,
        read: fn(&SqliteRow) -> Result<T, sqlx::Error>,
    ) -> Result<Vec<T>, ReadError> {
        let mut connection = open_reader(&self.place, self.busy_timeout).await.map_err(ReadError::Connect)?;
        let rows = connection.fetch_all(query).await.map_err(ReadError::Query)?;
        connection.close().await.map_err(ReadError::Query)?;
        rows.iter().map(read).collect::<Result<_, _>>().map_err(ReadError::Query)
    }
}

fn usage_row(row: &SqliteRow) -> Result<UsageRow, sqlx::Error> {
    Ok(UsageRow {
        request_id: row.try_get("request_id")?,
        attempt: row.try_get("attempt")?,
        kind: row.try_get("kind")?,
        step: row.try_get("step")?,
        started_unix_ms: row.try_get("started_unix_ms")?,
        tenant: row.try_get("tenant")?,
        project: row.try_get("project")?,
        user: row.try_get("user")?,
        key_label: row.try_get("key_label")?,
        route: row.try_get("route")?,
        operation: row.try_get("operation")?,
        streamed: row.try_get("streamed")?,
        model_asked: row.try_get("model_asked")?,
        model_served: row.try_get("model_served")?,
        provider: row.try_get("provider")?,
        status: row.try_get("status")?,
        outcome: row.try_get("outcome")?,
        code: row.try_get("code")?,
        usage_source: row.try_get("usage_source")?,
        input_tokens: row.try_get("input_tokens")?,
        cache_read_tokens: row.try_get("cache_read_tokens")?,
        cache_write_tokens: row.try_get("cache_write_tokens")?,
        cache_write_1h_tokens: row.try_get("cache_write_1h_tokens")?,
        output_tokens: row.try_get("output_tokens")?,
        reasoning_tokens: row.try_get("reasoning_tokens")?,
        input_audio_tokens: row.try_get("input_audio_tokens")?,
        output_audio_tokens: row.try_get("output_audio_tokens")?,
        cost_nanos: row.try_get("cost_nanos")?,
        first_token_us: row.try_get("first_token_us")?,
        total_us: row.try_get("total_us")?,
        overhead_us: row.try_get("overhead_us")?,
        losses: row.try_get("losses")?,
        tags: row.try_get("tags")?,
    })
}

fn tenant_total(row: &SqliteRow) -> Result<TenantTotal, sqlx::Error> {
    Ok(TenantTotal {
        tenant: row.try_get("tenant")?,
        records: row.try_get("records")?,
        prompt_tokens: row.try_get("prompt_tokens")?,
        output_tokens: row.try_get("output_tokens")?,
        cost_nanos: row.try_get("cost_nanos")?,
        records_without_price: row.try_get("records_without_price")?,
    })
}
