//! Posts batches, the oldest first, until each is accepted.

use std::sync::Arc;
use std::time::Duration;

use gatewright::bytes::Bytes;
use gatewright::http::{HeaderMap, Request, StatusCode, Uri, header};
use gatewright::prelude::*;
use gatewright::service::http::Http;
use gatewright::service::meter::Counter;
use gatewright::service::secrets::Secrets;
use gatewright::service::{Clock, Random};
use gatewright::signature;

use crate::settings::Settings;
use crate::spool::{Batch, Spool};

/// The pause after the first failure.
const PAUSE_MIN: Duration = Duration::from_secs(1);
/// The most records of one call: as many as one query of the spool gives.
const BATCH_RECORDS_MAX: usize = 5_000;

/// Posts what is in the spool.
pub(crate) struct Poster {
    url: Uri,
    settings: Settings,
    instance: String,
    spool: Arc<Spool>,
    http: Arc<dyn Http>,
    secrets: Arc<dyn Secrets>,
    clock: Arc<dyn Clock>,
    random: Arc<dyn Random>,
    exported: Arc<dyn Counter>,
    failures: Arc<dyn Counter>,
    parked: Arc<dyn Counter>,
}

/// What came of one turn.
enum Turn {
    /// There was nothing to post.
    Idle,
    /// A batch is done with, and there are more records.
    More,
    /// A batch is done with, and it was not full.
    Done,
    /// A batch is to be tried again, at the earliest after this time.
    Failed(Duration),
}

impl std::fmt::Debug for Poster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Poster").field("url", &self.url).finish_non_exhaustive()
    }
}

impl Poster {
    pub(crate) fn new(settings: Settings, env: ExtEnv, spool: Arc<Spool>) -> Result<Self, BuildError> {
        let url: Uri = settings.url.parse().map_err(|_| BuildError::at("url", "this is no URL"))?;
        if !matches!(url.scheme_str(), Some("http" | "https")) || url.host().is_none() {
            return Err(BuildError::at("url", "give an absolute http or https URL"));
        }
        for (field, name) in
            [("signing_secret", &settings.signing_secret), ("token_secret", &settings.token_secret)]
        {
            if let Some(name) = name
                && env.secrets.get(name).is_none()
            {
                let message = format!("there is no `{name}` under `secrets` of the instance");
                return Err(BuildError::at(field, message));
            }
        }
        if !(1..=BATCH_RECORDS_MAX).contains(&settings.batch_records) {
            return Err(BuildError::at("batch_records", format!("give from 1 to {BATCH_RECORDS_MAX}")));
        }
        Ok(Self {
            url,
            instance: env.instance.to_string(),
            spool,
            http: env.http,
            secrets: env.secrets,
            clock: env.clock,
            random: env.random,
            exported: env.meter.counter("exported_records", "Records that the webhook accepted"),
            failures: env.meter.counter("failed_posts", "Calls of the webhook that were not accepted"),
            parked: env.meter.counter("parked_records", "Records that the webhook will not accept"),
            settings,
        })
    }

    /// Posts for ever. A spool that fails ends the run, and the host starts another.
    pub(crate) async fn run(self: Arc<Self>) -> Result<(), ExtError> {
        let mut failures = 0;
        loop {
            let pause = match self.turn().await? {
                Turn::More => {
                    failures = 0;
                    continue;
                }
                Turn::Idle | Turn::Done => {
                    failures = 0;
                    Duration::from_millis(self.settings.batch_ms.max(10))
                }
                Turn::Failed(at_least) => {
                    failures += 1;
                    self.pause(failures).max(at_least)
                }
            };
            self.clock.sleep(pause).await;
        }
    }

    /// The pause after so many failures in a row, with a tenth of chance, so that gateways do not come back together.
    fn pause(&self, failures: u32) -> Duration {
        let max = Duration::from_secs(self.settings.pause_max_s.max(1));
        let pause =
            PAUSE_MIN.saturating_mul(2_u32.saturating_pow(failures.saturating_sub(1).min(16))).min(max);
        pause + pause / 10 * u32::try_from(self.random.next_u64() % 100).unwrap_or(0) / 100
    }

    async fn turn(&self) -> Result<Turn, ExtError> {
        let Some(batch) = self.spool.next(self.settings.batch_records).await? else { return Ok(Turn::Idle) };
        let count = batch.lines.len();
        let done = if count < self.settings.batch_records { Turn::Done } else { Turn::More };
        let failed = match self.post(&batch).await {
            Ok((status, _)) if status.is_success() => {
                self.spool.remove(&batch).await?;
                self.exported.add(count.try_into()?);
                return Ok(done);
            }
            Ok((status, _)) if is_final(status) => {
                tracing::error!(instance = self.instance, batch = batch.key, records = count, %status, "Batch parked");
                self.spool.park(&batch).await?;
                self.parked.add(count.try_into()?);
                return Ok(done);
            }
            Ok((status, headers)) => {
                tracing::warn!(instance = self.instance, batch = batch.key, records = count, %status, "Batch refused");
                retry_after(&headers)
            }
            Err(error) => {
                tracing::warn!(instance = self.instance, batch = batch.key, records = count, %error, "Batch not sent");
                Duration::ZERO
            }
        };
        self.failures.add(1);
        Ok(Turn::Failed(failed))
    }

    async fn post(&self, batch: &Batch) -> Result<(StatusCode, HeaderMap), ExtError> {
        let mut body = batch.lines.join("\n");
        body.push('\n');
        let mut call = Request::post(&self.url)
            .header(header::CONTENT_TYPE, "application/x-ndjson")
            .header("idempotency-key", &batch.key);
        if let Some(name) = &self.settings.token_secret {
            call = call.header(header::AUTHORIZATION, format!("Bearer {}", self.secret(name)?.expose()));
        }
        if let Some(name) = &self.settings.signing_secret {
            let signed = signature::sign(&self.secret(name)?, self.clock.wall(), body.as_bytes());
            call = call.header(signature::HEADER, signed);
        }
        let answer = self.http.send(call.body(Bytes::from(body))?).await?;
        let (head, _) = answer.into_parts();
        Ok((head.status, head.headers))
    }

    fn secret(&self, name: &str) -> Result<Secret, ExtError> {
        self.secrets.get(name).ok_or_else(|| ExtError::new(format!("the secret `{name}` is gone")))
    }
}

/// Whether the receiver will say the same of these records again: they are malformed or too large for it. A wrong
/// address or credential can be mended while the records wait.
fn is_final(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::BAD_REQUEST | StatusCode::PAYLOAD_TOO_LARGE | StatusCode::UNPROCESSABLE_ENTITY
    )
}

/// How long the receiver asks to wait, at most five minutes.
fn retry_after(headers: &HeaderMap) -> Duration {
    let seconds = headers.get(header::RETRY_AFTER).and_then(|value| value.to_str().ok()?.parse().ok());
    Duration::from_secs(seconds.unwrap_or(0).min(300))
}
