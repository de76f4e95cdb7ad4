//! Turns a group of records into one statement and its arguments.
//!
//! The statements come in sizes of powers of two. The rows that a group does not fill have no
//! arguments, which SQLite reads as NULL, and the statement leaves out rows without an id.

use std::collections::HashSet;
use std::sync::Arc;

use gatewright::Money;
use gatewright::record::UsageRecord;
use sqlx::error::BoxDynError;
use sqlx::sqlite::SqliteArguments;
use sqlx::{Arguments, AssertSqlSafe};

/// The most records of one group.
pub(super) const GROUP_MAX: usize = 256;
/// Names that are kept because they come again in the next record.
const NAMES_MAX: usize = 4096;

/// The bound columns, in the order in which [`Encoder::row`] binds them.
const COLUMNS: &[&str] = &[
    "request_id",
    "attempt",
    "started_unix_ms",
    "tenant",
    "project",
    "user",
    "key_label",
    "route",
    "operation",
    "streamed",
    "model_asked",
    "model_served",
    "provider",
    "status",
    "outcome",
    "code",
    "usage_source",
    "input_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "cache_write_1h_tokens",
    "output_tokens",
    "reasoning_tokens",
    "input_audio_tokens",
    "output_audio_tokens",
    "cost_nanos",
    "first_token_us",
    "total_us",
    "overhead_us",
    "losses",
    "tags",
];

/// Builds statements and arguments, and keeps what the next group needs again.
#[derive(Debug, Default)]
pub(super) struct Encoder {
    /// One statement per power of two, made when first needed.
    statements: [Option<Arc<str>>; GROUP_MAX.ilog2() as usize + 1],
    names: HashSet<Arc<str>>,
}

impl Encoder {
    /// The statement for a group of `records` records.
    pub(super) fn statement(&mut self, records: usize) -> AssertSqlSafe<Arc<str>> {
        let rows = records.clamp(1, GROUP_MAX).next_power_of_two();
        let build = || -> Arc<str> { Arc::from(insert(rows)) };
        match self.statements.get_mut(rows.ilog2() as usize) {
            Some(statement) => AssertSqlSafe(Arc::clone(statement.get_or_insert_with(build))),
            None => AssertSqlSafe(build()),
        }
    }

    /// The arguments for a group.
    pub(super) fn arguments<'a>(
        &mut self,
        records: impl ExactSizeIterator<Item = &'a UsageRecord>,
    ) -> Result<SqliteArguments, BoxDynError> {
        let mut arguments = SqliteArguments::default();
        arguments.reserve(records.len() * COLUMNS.len(), 0);
        for record in records {
            self.row(record, &mut arguments)?;
        }
        Ok(arguments)
    }

    fn row(&mut self, record: &UsageRecord, row: &mut SqliteArguments) -> Result<(), BoxDynError> {
        let UsageRecord { principal, usage, .. } = record;
        row.add(Arc::<str>::from(record.request_id.as_str()))?;
        row.add(i64::from(record.attempt))?;
        row.add(integer(record.started_unix_ms))?;
        row.add(self.name(principal.tenant.as_str()))?;
        row.add(principal.project.clone())?;
        row.add(principal.user.clone())?;
        row.add(Arc::clone(&principal.key_label))?;
        row.add(self.name(record.route.as_str()))?;
        row.add(self.name(record.operation.as_str()))?;
        row.add(i64::from(record.streamed))?;
        row.add(self.name(record.model_asked.as_str()))?;
        row.add(record.model_served.clone())?;
        row.add(record.provider.as_ref().map(|provider| self.name(provider.as_str())))?;
        row.add(i64::from(record.status))?;
        row.add(self.name(record.outcome))?;
        row.add(record.code.as_deref().map(|code| self.name(code)))?;
        row.add(self.name(record.usage_source.as_str()))?;
        row.add(integer(usage.input))?;
        row.add(integer(usage.cache_read))?;
        row.add(integer(usage.cache_write))?;
        row.add(integer(usage.cache_write_1h))?;
        row.add(integer(usage.output))?;
        row.add(integer(usage.reasoning))?;
        row.add(integer(usage.input_audio))?;
        row.add(integer(usage.output_audio))?;
        row.add(record.cost.map(Money::nanos))?;
        row.add(record.time_to_first_token.map(|time| micros(time.as_micros())))?;
        row.add(micros(record.total.as_micros()))?;
        row.add(micros(record.overhead.as_micros()))?;
        row.add(object(record.losses.iter().map(|loss| (&*loss.field, loss.kind.as_str())))?)?;
        row.add(object(record.tags.iter())?)
    }

    /// A shared copy of a name that is likely to come again.
    fn name(&mut self, name: &str) -> Arc<str> {
        if let Some(known) = self.names.get(name) {
            return Arc::clone(known);
        }
        let new: Arc<str> = Arc::from(name);
        if self.names.len() < NAMES_MAX {
            self.names.insert(Arc::clone(&new));
        }
        new
    }
}

fn insert(rows: usize) -> String {
    let row = format!("({})", vec!["?"; COLUMNS.len()].join(","));
    format!(
        "INSERT INTO usage_record ({}, kind, step) \
         SELECT *, 'final', 0 FROM (VALUES {}) WHERE column1 IS NOT NULL \
         ON CONFLICT DO NOTHING",
        COLUMNS.join(", "),
        vec![row; rows].join(","),
    )
}

fn integer(amount: u64) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

fn micros(amount: u128) -> i64 {
    i64::try_from(amount).unwrap_or(i64::MAX)
}

/// A JSON object of texts; none where it would be empty.
fn object<'a>(
    members: impl Iterator<Item = (&'a str, &'a str)>,
) -> Result<Option<String>, serde_json::Error> {
    let map: serde_json::Map<_, _> = members.map(|(name, value)| (name.to_owned(), value.into())).collect();
    if map.is_empty() { Ok(None) } else { serde_json::to_string(&map).map(Some) }
}
