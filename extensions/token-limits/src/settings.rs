//! The settings, and their checks.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::sync::Arc;
use std::time::Duration;

use gatewright::prelude::*;
use gatewright::serde_json::Number;
use gatewright::service::limits::Dimension;
use gatewright::{InstanceId, Label};

use crate::rule::Rule;

/// Bounds tokens, cost and requests per window, for any label.
#[gatewright::config]
#[derive(Debug)]
pub struct Settings {
    /// The rules; a request needs room in all of them.
    pub rules: Vec<RuleSettings>,
    /// The most output tokens that are reserved when an exchange begins; a stream reserves more as it grows.
    /// Default: all that the request may produce.
    #[serde(default)]
    pub reserve_output: Option<NonZeroU64>,
    /// What becomes of a stream that is longer than there is room for.
    #[serde(default)]
    pub overrun: Overrun,
    /// What becomes of a request under a limit on cost where the price of the model is not known.
    #[serde(default)]
    pub unknown_price: UnknownPrice,
}

/// One rule. It has at least one limit.
#[gatewright::config]
#[derive(Debug)]
pub struct RuleSettings {
    /// What has an allowance of its own: any of `tenant`, `project`, `user`, `key`, `model`, `route`,
    /// `group`, `{tag: NAME}` or `{header: NAME}`. Several together make one allowance per combination. No
    /// allowance is ever shared between tenants; callers without the part in question share one.
    pub per: Vec<Label>,
    /// How long the window is. It slides: at no time does more lie within one window.
    #[serde(default)]
    pub window: Window,
    /// How many requests a window takes.
    #[serde(default)]
    pub requests: Option<NonZeroU64>,
    /// How many prompt tokens, those from a prompt cache included.
    #[serde(default)]
    pub input_tokens: Option<NonZeroU64>,
    /// How many output tokens.
    #[serde(default)]
    pub output_tokens: Option<NonZeroU64>,
    /// How many tokens of both kinds together.
    #[serde(default)]
    pub total_tokens: Option<NonZeroU64>,
    /// How many dollars, such as `12.50`.
    #[serde(default)]
    pub cost: Option<Number>,
    /// What the rule is called in the limits service. A rule that keeps its name keeps its counts over a
    /// reload. Default: its parts, as in `key+model`.
    #[serde(default)]
    pub name: Option<String>,
}

/// The length of a window.
#[gatewright::config]
#[derive(Clone, Copy, Debug, Default)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    /// One second.
    Second,
    /// One minute.
    #[default]
    Minute,
    /// One hour.
    Hour,
    /// 24 hours.
    Day,
    /// 7 days.
    Week,
    /// 30 days.
    Month,
}

/// What becomes of a stream that is longer than there is room for.
#[gatewright::config]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Overrun {
    /// It goes on; what it used beyond counts, and later requests wait for it.
    #[default]
    Debt,
    /// It ends with an error.
    Cut,
}

/// What becomes of a request whose price is not known.
#[gatewright::config]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum UnknownPrice {
    /// It is refused, because a budget could not hold.
    #[default]
    Deny,
    /// It goes on and does not count as cost.
    Ignore,
}

impl Window {
    fn length(self) -> Duration {
        const DAY: u64 = 24 * 60 * 60;
        Duration::from_secs(match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 60 * 60,
            Self::Day => DAY,
            Self::Week => 7 * DAY,
            Self::Month => 30 * DAY,
        })
    }
}

/// Checks the rules.
pub(crate) fn checked(rules: Vec<RuleSettings>, instance: &InstanceId) -> Result<Vec<Rule>, BuildError> {
    if rules.is_empty() {
        return Err(BuildError::at("rules", "give at least one rule"));
    }
    let mut names = BTreeSet::new();
    let rule = |(index, settings): (usize, RuleSettings)| {
        let under = |error: BuildError| error.under(format!("rules[{index}]"));
        let rule = settings.rule(instance).map_err(under)?;
        if !names.insert(Arc::clone(&rule.id)) {
            let message = "another rule has this name; give one of them a `name` of its own";
            return Err(under(BuildError::new(message)));
        }
        Ok(rule)
    };
    rules.into_iter().enumerate().map(rule).collect()
}

impl RuleSettings {
    fn rule(self, instance: &InstanceId) -> Result<Rule, BuildError> {
        if self.per.is_empty() {
            return Err(BuildError::new("say what the rule is `per`, such as [key]"));
        }
        let counts = [
            (Dimension::Requests, self.requests),
            (Dimension::InputTokens, self.input_tokens),
            (Dimension::OutputTokens, self.output_tokens),
            (Dimension::TotalTokens, self.total_tokens),
        ];
        let counts = counts.into_iter().filter_map(|(dimension, limit)| Some((dimension, limit?.get())));
        let mut limits: Vec<(Dimension, u64)> = counts.collect();
        if let Some(cost) = &self.cost {
            let cost: Result<Money, _> = cost.to_string().parse();
            let nanos =
                cost.ok().and_then(|cost| u64::try_from(cost.nanos()).ok()).filter(|nanos| *nanos > 0);
            let nanos = nanos.ok_or_else(|| BuildError::at("cost", "give dollars, as in 12.50"))?;
            limits.push((Dimension::Cost, nanos));
        }
        if limits.is_empty() {
            let message = "give `requests`, `input_tokens`, `output_tokens`, `total_tokens` or `cost`";
            return Err(BuildError::new(message));
        }
        let parts: Vec<&str> = self.per.iter().map(Label::name).collect();
        let name = self.name.unwrap_or_else(|| parts.join("+"));
        Ok(Rule {
            id: format!("{instance}/{name}").into(),
            per: self.per,
            window: self.window.length(),
            limits,
        })
    }
}
