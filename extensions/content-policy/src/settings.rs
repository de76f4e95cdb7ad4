//! The settings, and the rules that they make.

use std::collections::BTreeSet;

use gatewright::prelude::*;
use gatewright::service::meter::{METRICS_MAX, Meter};
use gatewright::text::{LaneName, Pattern};

use crate::keyword;
use crate::rule::Rule;

/// Holds prompts and answers against keywords and patterns: denies, masks, labels or watches.
#[gatewright::config]
#[derive(Debug)]
pub struct Settings {
    /// The rules, at most 64.
    pub rules: Vec<RuleSettings>,
    /// Whose texts of a request are looked at. Default: all. Texts of the operator, such as a prompt
    /// template, are `system` too.
    #[serde(default = "all_roles")]
    pub roles: Vec<RoleName>,
    /// Which texts of an answer are looked at. Default: all.
    #[serde(default = "LaneName::all")]
    pub lanes: Vec<LaneName>,
}

/// A rule. It has `keywords`, `patterns`, or both.
#[gatewright::config]
#[derive(Debug)]
pub struct RuleSettings {
    /// What the rule is called, in metrics as well: lower-case letters, digits and `-`.
    pub name: String,
    /// What the exchange is labelled with when the rule matches. Several rules may share one. Default: the
    /// name.
    #[serde(default)]
    pub category: Option<String>,
    /// Words and phrases. They match as whole words, with any white space between them.
    #[serde(default)]
    pub keywords: Vec<String>,
    /// Whether capital letters of keywords matter.
    #[serde(default)]
    pub case_sensitive: bool,
    /// Regular expressions without look-around and back-references, such as `\bTK-[0-9]{4,8}\b`. Write
    /// `(?i)` first where capital letters do not matter. Repetitions have to be bounded, or `max_bytes` given.
    #[serde(default)]
    pub patterns: Vec<String>,
    /// The longest match of a pattern that counts, in bytes; at most 4096.
    #[serde(default)]
    pub max_bytes: Option<usize>,
    /// What becomes of a match.
    pub action: Action,
    /// Whether the rule is for prompts, answers, or both. Default: both.
    #[serde(default = "both_sides")]
    pub on: Vec<Side>,
    /// What a caller reads who is denied. Default: a sentence with the category.
    #[serde(default)]
    pub message: Option<String>,
    /// What takes the place of a match that is masked. Default: the name in brackets.
    #[serde(default)]
    pub replace: Option<String>,
}

/// What becomes of a match.
#[gatewright::config]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// The request is refused; an answer ends with an error.
    Deny,
    /// The match is replaced.
    Mask,
    /// The exchange is labelled, for usage records and for the instances that follow.
    Tag,
    /// The match is counted and labelled apart, for a rule that is tried out.
    Monitor,
}

/// What a rule looks at.
#[gatewright::config]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Side {
    /// Requests.
    Prompts,
    /// Answers.
    Answers,
}

/// Whose text it is.
#[gatewright::config]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum RoleName {
    /// Instructions.
    System,
    /// The end user.
    User,
    /// The model, in earlier turns.
    Assistant,
    /// Results of tool calls.
    Tool,
}

fn all_roles() -> Vec<RoleName> {
    vec![RoleName::System, RoleName::User, RoleName::Assistant, RoleName::Tool]
}

fn both_sides() -> Vec<Side> {
    vec![Side::Prompts, Side::Answers]
}

impl Action {
    /// All, in the order in which their matches are looked at.
    pub(crate) const ALL: &[Self] = &[Self::Deny, Self::Mask, Self::Tag, Self::Monitor];
}

impl RoleName {
    pub(crate) fn is(self, role: Role) -> bool {
        role == match self {
            Self::System => Role::System,
            Self::User => Role::User,
            Self::Assistant => Role::Assistant,
            Self::Tool => Role::Tool,
        }
    }
}

impl Settings {
    pub(crate) fn rules(&self, meter: &dyn Meter) -> Result<Vec<Rule>, BuildError> {
        if self.rules.is_empty() || self.rules.len() > METRICS_MAX {
            return Err(BuildError::at("rules", format!("give from 1 to {METRICS_MAX} rules")));
        }
        let mut names = BTreeSet::new();
        let mut rules = Vec::new();
        for (index, settings) in self.rules.iter().enumerate() {
            if !names.insert(&settings.name) {
                return Err(BuildError::at(format!("rules[{index}].name"), "another rule has this name"));
            }
            let rule = settings.rule(meter);
            rules.push(rule.map_err(|error| error.under(format!("rules[{index}]")))?);
        }
        Ok(rules)
    }
}

impl RuleSettings {
    fn rule(&self, meter: &dyn Meter) -> Result<Rule, BuildError> {
        let is_plain = |sign: char| sign.is_ascii_lowercase() || sign.is_ascii_digit() || sign == '-';
        if self.name.is_empty() || !self.name.chars().all(is_plain) {
            return Err(BuildError::at("name", "use lower-case letters, digits and `-`"));
        }
        let metric = format!("matches_{}", self.name.replace('-', "_"));
        Ok(Rule {
            name: self.name.clone(),
            category: self.category.clone().unwrap_or_else(|| self.name.clone()),
            action: self.action,
            message: self.message.clone(),
            on: self.on.clone(),
            patterns: self.compiled()?,
            matches: meter.counter(&metric, "Matches of a rule of the content policy"),
        })
    }

    /// The patterns of keywords and expressions. Each is compiled alone, so that a mistake has its place.
    fn compiled(&self) -> Result<Vec<Pattern>, BuildError> {
        let pattern = |regex: String| {
            let pattern = Pattern::new(self.name.clone(), regex);
            self.replace.iter().cloned().fold(pattern, Pattern::replace_with)
        };
        let keywords = self.keywords.iter().map(|keyword| keyword.trim()).enumerate();
        let keywords = keywords.map(|(index, keyword)| {
            (format!("keywords[{index}]"), pattern(keyword::pattern(keyword, self.case_sensitive)))
        });
        let patterns = self.patterns.iter().enumerate().map(|(index, regex)| {
            let pattern = pattern(regex.clone());
            let pattern = self.max_bytes.into_iter().fold(pattern, Pattern::max_bytes);
            (format!("patterns[{index}]"), pattern)
        });
        let all: Vec<(String, Pattern)> = keywords.chain(patterns).collect();
        if all.is_empty() {
            return Err(BuildError::new("give `keywords`, `patterns`, or both"));
        }
        for (path, pattern) in &all {
            TextPatterns::compile([pattern.clone()]).map_err(|error| {
                let cause = std::error::Error::source(&error).map(|cause| format!(": {cause}"));
                BuildError::at(path.clone(), format!("{error}{}", cause.unwrap_or_default()))
            })?;
        }
        Ok(all.into_iter().map(|(_, pattern)| pattern).collect())
    }
}
