//! One rule: which answers it concerns, and what it adds.

use gatewright::http::{HeaderName, HeaderValue};
use gatewright::matches_pattern;
use gatewright::prelude::*;

use crate::settings::Condition;

/// A rule that was checked.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) when: Condition,
    pub(crate) headers: Vec<(HeaderName, String)>,
    pub(crate) tags: Vec<(String, String)>,
    pub(crate) disclaimer: Option<String>,
}

impl Rule {
    pub(crate) fn concerns(&self, head: &ResponseHead, cx: &RequestCx) -> bool {
        let one_of = |patterns: &[String], text: &str| {
            patterns.is_empty() || patterns.iter().any(|pattern| matches_pattern(pattern, text))
        };
        let has_tag = |(name, pattern): (&String, &String)| {
            let value = cx.tags.get(name).or_else(|| cx.principal().tag(name));
            value.is_some_and(|value| matches_pattern(pattern, value))
        };
        one_of(&self.when.models, cx.model().as_str())
            && one_of(&self.when.providers, head.provider.as_str())
            && self.when.tags.iter().all(has_tag)
    }

    /// Adds headers and labels.
    pub(crate) fn apply(&self, head: &ResponseHead, cx: &mut RequestCx) -> HookResult<()> {
        for (name, template) in &self.headers {
            let value = HeaderValue::from_str(&render(template, head, cx))?;
            cx.response_headers.insert(name.clone(), value);
        }
        for (name, template) in &self.tags {
            let value = render(template, head, cx);
            if !cx.tags.set(name, &value) {
                return Err(ExtError::new(format!("the value for the label `{name}` cannot be one")));
            }
        }
        Ok(())
    }
}

/// The text with what is known of the answer in the place of its placeholders.
fn render(template: &str, head: &ResponseHead, cx: &RequestCx) -> String {
    template
        .replace("{model}", cx.model().as_str())
        .replace("{provider}", head.provider.as_str())
        .replace("{served}", &head.model)
}
