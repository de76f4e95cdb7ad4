//! The settings, and their checks.

use std::collections::BTreeMap;

use gatewright::Tags;
use gatewright::http::{HeaderName, HeaderValue};
use gatewright::prelude::*;

use crate::rule::Rule;

/// Headers that belong to the connection, or that the gateway itself sets.
const RESERVED: &[&str] = &[
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-type",
    "date",
    "keep-alive",
    "retry-after",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-request-id",
];

/// Adds headers, labels and a disclaimer to answers, by rules.
#[gatewright::config]
#[derive(Debug)]
pub struct Settings {
    /// The rules. All that concern an answer add to it, in this order.
    pub rules: Vec<RuleSettings>,
}

/// A rule. It has `headers`, `tags`, a `disclaimer`, or several of them. In headers and tags `{model}` stands
/// for the model that the caller asked for, `{provider}` for who answers, and `{served}` for the model there.
#[gatewright::config]
#[derive(Debug)]
pub struct RuleSettings {
    /// Which answers the rule concerns. Default: all.
    #[serde(default)]
    pub when: Condition,
    /// Headers of the answer.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// Labels of the exchange, for usage records.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
    /// A text for the end of each choice that a person reads. It begins right behind the answer, so give it
    /// the line ends that it needs.
    #[serde(default)]
    pub disclaimer: Option<String>,
}

/// What an answer has to be; what is not given may be anything. `*` stands for any run of characters.
#[gatewright::config]
#[derive(Clone, Debug, Default)]
pub struct Condition {
    /// The model that the caller asked for is one of these.
    #[serde(default)]
    pub models: Vec<String>,
    /// Who answers is one of these.
    #[serde(default)]
    pub providers: Vec<String>,
    /// The exchange has all these labels, with a value of this form.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

impl Settings {
    pub(crate) fn rules(self) -> Result<Vec<Rule>, BuildError> {
        if self.rules.is_empty() {
            return Err(BuildError::at("rules", "give at least one rule"));
        }
        let rule = |(index, rule): (usize, RuleSettings)| {
            rule.checked().map_err(|error| error.under(format!("rules[{index}]")))
        };
        self.rules.into_iter().enumerate().map(rule).collect()
    }
}

impl RuleSettings {
    fn checked(self) -> Result<Rule, BuildError> {
        if self.headers.is_empty() && self.tags.is_empty() && self.disclaimer.is_none() {
            return Err(BuildError::new("give `headers`, `tags` or a `disclaimer`"));
        }
        let mut headers = Vec::new();
        for (name, value) in self.headers {
            let at = |message| BuildError::at(format!("headers.{name}"), message);
            let parsed: HeaderName = name.parse().map_err(|_| at("this is not the name of a header"))?;
            if RESERVED.contains(&parsed.as_str()) {
                return Err(at("the gateway sets this header itself; choose another name"));
            }
            HeaderValue::from_str(&value).map_err(|_| at("no header can hold this value"))?;
            headers.push((parsed, value));
        }
        if let Some(name) = self.tags.keys().find(|name| !Tags::default().set(name, "")) {
            let message = format!("a label's name has 1 to {} bytes", Tags::NAME_BYTES_MAX);
            return Err(BuildError::at(format!("tags.{name}"), message));
        }
        let tags = self.tags.into_iter().collect();
        Ok(Rule {
            when: self.when,
            headers,
            tags,
            disclaimer: self.disclaimer.filter(|text| !text.is_empty()),
        })
    }
}
