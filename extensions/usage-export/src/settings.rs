//! The settings.

/// Settings of `usage-export`. The origin of `url` has to stand under `egress` of the instance.
#[gatewright::config]
#[derive(Debug)]
pub struct Settings {
    /// Where the webhook is: an absolute `http` or `https` URL.
    pub url: String,
    /// The name, under `secrets` of the instance, of the secret that calls are signed with. Default: they
    /// are not signed.
    #[serde(default)]
    pub signing_secret: Option<String>,
    /// The name, under `secrets`, of a token for the header `authorization: Bearer …`. Default: none.
    #[serde(default)]
    pub token_secret: Option<String>,
    /// The most records of one call, from 1 to 5000.
    #[serde(default = "default_batch_records")]
    pub batch_records: usize,
    /// How long records are collected for one call, in milliseconds.
    #[serde(default = "default_batch_ms")]
    pub batch_ms: u64,
    /// The longest pause between two tries, in seconds; the first is one second, and each doubles.
    #[serde(default = "default_pause_max_s")]
    pub pause_max_s: u64,
    /// The most records that wait in the spool. Beyond, records are refused, counted, and lost in the end.
    #[serde(default = "default_spool_records")]
    pub spool_records: usize,
}

fn default_batch_records() -> usize {
    500
}

fn default_batch_ms() -> u64 {
    1_000
}

fn default_pause_max_s() -> u64 {
    60
}

fn default_spool_records() -> usize {
    1_000_000
}
