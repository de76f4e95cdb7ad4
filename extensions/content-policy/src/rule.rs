//! The rules of one side, compiled, and what they say of a text.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use gatewright::Tags;
use gatewright::prelude::*;
use gatewright::service::meter::Counter;
use gatewright::text::{MatchEdit, Pattern, PatternMatch};

use crate::settings::{Action, Side};

/// The label of categories that were denied, masked or tagged.
const TAG: &str = "content_policy";
/// The label of categories that are only watched.
const TAG_MONITORED: &str = "content_policy_monitored";

/// A rule that was checked.
#[derive(Clone)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) category: String,
    pub(crate) action: Action,
    pub(crate) message: Option<String>,
    pub(crate) on: Vec<Side>,
    pub(crate) patterns: Vec<Pattern>,
    pub(crate) matches: Arc<dyn Counter>,
}

impl fmt::Debug for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Rule({}: {:?})", self.name, self.action)
    }
}

/// The rules of one side. Rules of one action are one set, so that none of another action hides a match.
#[derive(Debug)]
pub(crate) struct Rules {
    rules: Vec<Rule>,
    sets: Vec<TextPatterns>,
}

/// What the rules said of the texts that they saw: the places of those that matched, in order.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    seen: Vec<usize>,
}

impl Rules {
    pub(crate) fn compile(rules: &[Rule], side: Side) -> Result<Self, BuildError> {
        let rules: Vec<Rule> = rules.iter().filter(|rule| rule.on.contains(&side)).cloned().collect();
        let mut sets = Vec::new();
        for action in Action::ALL {
            let of_action = rules.iter().filter(|rule| rule.action == *action);
            let mut patterns = of_action.flat_map(|rule| rule.patterns.iter().cloned()).peekable();
            if patterns.peek().is_some() {
                let set = TextPatterns::compile(patterns);
                // Text counts as it reads: full-width letters and hidden characters get past no rule.
                sets.push(set.map_err(|error| BuildError::at("rules", error.to_string()))?.folding());
            }
        }
        Ok(Self { rules, sets })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.sets.is_empty()
    }

    pub(crate) fn hold_back(&self) -> HoldBack {
        TextPatterns::hold_back_of(&self.sets)
    }

    /// Judges a text of a request and returns it masked.
    pub(crate) fn judge<'t>(&self, part: &TextPart<'t>, verdict: &mut Verdict) -> Cow<'t, str> {
        let take = &mut |_: usize, found: &PatternMatch<'_>, _: &str| self.take(found.name, verdict);
        match part.kind {
            TextKind::ToolArguments => TextPatterns::replace_sets_json_by(&self.sets, part.text, take),
            TextKind::Content | TextKind::ToolDescription | TextKind::Input => {
                TextPatterns::replace_sets_by(&self.sets, part.text, take)
            }
        }
    }

    /// Judges a piece of an answer and masks it; returns whether a rule matched for the first time.
    pub(crate) fn watch(&self, window: &mut TextWindow<'_>, verdict: &mut Verdict) -> bool {
        let known = verdict.seen.len();
        window.mask_sets_by(&self.sets, &mut |_, found, _| self.take(found.name, verdict));
        verdict.seen.len() > known
    }

    fn take(&self, name: &str, verdict: &mut Verdict) -> MatchEdit {
        let Some((place, rule)) = self.rules.iter().enumerate().find(|(_, rule)| rule.name == name) else {
            return MatchEdit::Keep;
        };
        rule.matches.add(1);
        if !verdict.seen.contains(&place) {
            verdict.seen.push(place);
        }
        if rule.action == Action::Mask { MatchEdit::Mask } else { MatchEdit::Keep }
    }

    /// Labels the exchange with the categories that matched.
    pub(crate) fn note(&self, verdict: &Verdict, tags: &mut Tags) {
        for place in &verdict.seen {
            let Some(rule) = self.rules.get(*place) else { continue };
            let tag = if rule.action == Action::Monitor { TAG_MONITORED } else { TAG };
            let known = tags.get(tag).unwrap_or_default();
            // In order, so that the label does not depend on what matched first.
            let mut all: BTreeSet<&str> = known.split(',').filter(|category| !category.is_empty()).collect();
            if !all.insert(&rule.category) {
                continue;
            }
            let all = all.into_iter().collect::<Vec<_>>().join(",");
            // A label that is full keeps the categories that came first.
            let _is_taken = tags.set(tag, &all);
        }
    }

    /// The refusal by the first rule that denies; `what` is what is refused.
    pub(crate) fn denial(&self, verdict: &Verdict, what: &str) -> Option<Denial> {
        let rules = verdict.seen.iter().filter_map(|place| self.rules.get(*place));
        let rule = rules.into_iter().find(|rule| rule.action == Action::Deny)?;
        let message = rule.message.clone();
        let message =
            message.unwrap_or_else(|| format!("{what} is against the content policy: {}", rule.category));
        Some(Denial::new(gatewright::http::StatusCode::BAD_REQUEST, "content_policy", message))
    }
}
