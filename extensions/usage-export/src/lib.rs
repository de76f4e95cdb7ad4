//! Posts usage records to a webhook as JSON lines, at least once each.
//!
//! A record is taken over as soon as it is in the spool, a database in the instance's own folder, so a
//! webhook that is away holds nothing up. A task posts the spool in batches, the oldest first; a batch keeps
//! its records and its idempotency key until it is accepted, over retries and restarts.

mod line;
mod post;
mod settings;
mod spool;

use std::sync::Arc;

use gatewright::prelude::*;
use gatewright::record::UsageRecord;

use crate::post::Poster;
pub use crate::settings::Settings;
use crate::spool::Spool;

/// Exports usage records.
pub struct UsageExport {
    spool: Arc<Spool>,
    poster: Arc<Poster>,
}

impl std::fmt::Debug for UsageExport {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("UsageExport").field("poster", &self.poster).finish_non_exhaustive()
    }
}

impl Extension for UsageExport {
    const NAME: &'static str = "usage-export";
    type Config = Settings;

    async fn create(config: Settings, env: ExtEnv) -> Result<Self, BuildError> {
        let spool = Arc::new(Spool::new(&config, &env));
        let poster = Arc::new(Poster::new(config, env, Arc::clone(&spool))?);
        Ok(Self { spool, poster })
    }

    async fn start(self: &Arc<Self>, tasks: &mut TaskScope) -> Result<(), BuildError> {
        let opened = self.spool.open().await;
        opened.map_err(|error| BuildError::new(format!("the spool cannot be opened: {error}")))?;
        let poster = Arc::clone(&self.poster);
        tasks.spawn("post", move || Arc::clone(&poster).run());
        Ok(())
    }
}

#[async_trait]
impl UsageSink for UsageExport {
    async fn deliver(&self, records: &[Arc<UsageRecord>]) -> Result<(), ExtError> {
        let lines: Vec<String> = records.iter().map(|record| line::of(record)).collect();
        self.spool.add(&lines).await
    }
}

gatewright::register!(UsageExport => UsageSink);

#[cfg(test)]
mod tests;
