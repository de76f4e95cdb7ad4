//! The settings, and their checks.

use std::collections::BTreeSet;
use std::num::NonZeroU64;
use std::time::Duration;

use gatewright::prelude::*;
use gatewright::{InstanceId, Label};

use crate::rule::Rule;

/// Bounds requests per window and requests at the same time, per caller, tenant, model or label.
#[gatewright::config]
#[derive(Debug)]
pub struct Settings {
    /// The rules; a request needs room in all of them. Default: per key 600 requests a minute and 100 at
    /// the same time.
    #[serde(default = "default_rules")]
    pub rules: Vec<RuleSettings>,
}

/// One rule. It has `requests`, `concurrent`, or both.
#[gatewright::config]
#[derive(Debug)]
pub struct RuleSettings {
    /// What has an allowance of its own: any of `tenant`, `project`, `user`, `key`, `model`, `route`,
    /// `group`, `{tag: NAME}` or `{header: NAME}`. Several together make one allowance per combination. No allowance is ever shared
    /// between tenants; callers without the part in question share one.
    pub per: Vec<Label>,
    /// How many requests a window takes.
    #[serde(default)]
    pub requests: Option<NonZeroU64>,
    /// How long the window is. It slides: at no time do more requests lie within one window.
    #[serde(default)]
    pub window: Window,
    /// How many requests may run at the same time, streams until their end.
    #[serde(default)]
    pub concurrent: Option<NonZeroU64>,
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
}

fn default_rules() -> Vec<RuleSettings> {
    vec![RuleSettings {
        per: vec![Label::Key],
        requests: NonZeroU64::new(600),
        window: Window::Minute,
        concurrent: NonZeroU64::new(100),
        name: None,
    }]
}

impl Window {
    fn length(self) -> Duration {
        Duration::from_secs(match self {
            Self::Second => 1,
            Self::Minute => 60,
            Self::Hour => 60 * 60,
            Self::Day => 24 * 60 * 60,
        })
    }
}

impl Settings {
    pub(crate) fn rules(self, instance: &InstanceId) -> Result<Vec<Rule>, BuildError> {
        let mut names = BTreeSet::new();
        let rule = |(index, rule): (usize, RuleSettings)| {
            let at = |message: &'static str| BuildError::at(format!("rules[{index}]"), message);
            if rule.requests.is_none() && rule.concurrent.is_none() {
                return Err(at("give `requests`, `concurrent`, or both"));
            }
            if rule.per.is_empty() {
                return Err(at("say what the rule is `per`, such as [key]"));
            }
            let parts: Vec<&str> = rule.per.iter().map(Label::name).collect();
            let name = rule.name.clone().unwrap_or_else(|| parts.join("+"));
            if !names.insert(name.clone()) {
                return Err(at("another rule has this name; give one of them a `name` of its own"));
            }
            Ok(Rule {
                id: format!("{instance}/{name}").into(),
                per: rule.per,
                requests: rule.requests.map(|limit| (limit.get(), rule.window.length())),
                concurrent: rule.concurrent.map(NonZeroU64::get),
            })
        };
        self.rules.into_iter().enumerate().map(rule).collect()
    }
}
