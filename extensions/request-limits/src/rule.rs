//! One rule: what it claims for a request.

use std::sync::Arc;
use std::time::Duration;

use gatewright::prelude::*;
use gatewright::service::limits::{BucketKey, Claim, Dimension};

use crate::settings::Part;

/// Stands between the parts of a label, and in none of them.
const BETWEEN: char = '\u{1f}';

/// A rule that was checked.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Instance and name: what the limits service knows the rule by.
    pub(crate) id: Arc<str>,
    pub(crate) per: Vec<Part>,
    /// How many requests, and in what time.
    pub(crate) requests: Option<(u64, Duration)>,
    pub(crate) concurrent: Option<u64>,
}

impl Rule {
    /// Adds what the rule claims for a request.
    pub(crate) fn claim(&self, cx: &RequestCx, claims: &mut Vec<Claim>) {
        let label = self.label(cx);
        let mut claim = |dimension, window, limit| {
            let key = BucketKey {
                tenant: cx.principal().tenant.clone(),
                rule: Arc::clone(&self.id),
                label: Arc::clone(&label),
                dimension,
                window,
            };
            claims.push(Claim { key, limit, need: 1 });
        };
        if let Some((limit, window)) = self.requests {
            claim(Dimension::Requests, Some(window), limit);
        }
        if let Some(limit) = self.concurrent {
            claim(Dimension::Concurrent, None, limit);
        }
    }

    /// What tells the allowances of the rule apart within a tenant.
    fn label(&self, cx: &RequestCx) -> Arc<str> {
        match self.per.as_slice() {
            // The usual case, without making a text.
            [Part::Key] => Arc::clone(&cx.principal().key_label),
            parts => {
                let mut label = String::new();
                for part in parts {
                    label.push_str(value(part, cx));
                    label.push(BETWEEN);
                }
                label.into()
            }
        }
    }
}

fn value<'c>(part: &Part, cx: &'c RequestCx) -> &'c str {
    let principal = cx.principal();
    let value = match part {
        // A bucket belongs to its tenant by its key.
        Part::Tenant => None,
        Part::Project => principal.project.as_deref(),
        Part::User => principal.user.as_deref(),
        Part::Key => Some(&*principal.key_label),
        Part::Model => Some(cx.model().as_str()),
        Part::Tag(name) => cx.tags.get(name).or_else(|| principal.tag(name)),
    };
    value.unwrap_or_default()
}
