//! What the admin listener tells of limits and extensions, as JSON.

use std::time::Duration;

use serde_json::{Value, json};

/// Some limit buckets.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct LimitsReport {
    /// The buckets, sorted.
    pub buckets: Vec<BucketReport>,
    /// What to ask for as `after` to see more; `None` at the end.
    pub next: Option<String>,
}

/// One limit bucket at this moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BucketReport {
    /// Whose it is.
    pub tenant: String,
    /// The rule that it belongs to.
    pub rule: String,
    /// What the rule is applied to.
    pub label: String,
    /// What it counts.
    pub dimension: &'static str,
    /// The window; `None` for what is held and given back.
    pub window: Option<Duration>,
    /// What was used inside the window.
    pub used: u64,
    /// What is claimed by exchanges under way.
    pub held: u64,
    /// The time until all that was used has left the window.
    pub clears: Duration,
}

/// An extension instance in use.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstanceReport {
    /// Its id in the configuration.
    pub instance: String,
    /// The extension.
    pub extension: String,
    /// The package that registered it.
    pub package: &'static str,
    /// That package's version.
    pub version: &'static str,
    /// The points that the extension implements.
    pub points: Vec<&'static str>,
    /// Whether it acts, watches or does not run.
    pub mode: &'static str,
    /// Why it does not serve at this moment; `None` where it does.
    pub out_of_service: Option<String>,
    /// Where its sources come from, if the build said so.
    pub source: Option<String>,
    /// What tells one content of its sources from another, if the build said so.
    pub digest: Option<String>,
}

impl LimitsReport {
    pub(super) fn to_json(&self) -> Value {
        let buckets: Vec<Value> = self.buckets.iter().map(BucketReport::to_json).collect();
        json!({"buckets": buckets, "next": self.next})
    }
}

impl BucketReport {
    fn to_json(&self) -> Value {
        json!({
            "tenant": self.tenant,
            "rule": self.rule,
            "label": self.label,
            "dimension": self.dimension,
            "window_seconds": self.window.map(|window| window.as_secs_f64()),
            "used": self.used,
            "held": self.held,
            "clears_in_seconds": self.clears.as_secs_f64(),
        })
    }
}

impl InstanceReport {
    pub(super) fn to_json(&self) -> Value {
        json!({
            "instance": self.instance,
            "extension": self.extension,
            "package": self.package,
            "version": self.version,
            "points": self.points,
            "mode": self.mode,
            "in_service": self.mode != "off" && self.out_of_service.is_none(),
            "out_of_service": self.out_of_service,
            "source": self.source,
            "digest": self.digest,
        })
    }
}
