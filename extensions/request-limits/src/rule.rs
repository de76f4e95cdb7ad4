//! One rule: what it claims for a request.

use std::sync::Arc;
use std::time::Duration;

use gatewright::Label;
use gatewright::prelude::*;
use gatewright::service::limits::{BucketKey, Claim, Dimension};

/// A rule that was checked.
#[derive(Debug)]
pub(crate) struct Rule {
    /// Instance and name: what the limits service knows the rule by.
    pub(crate) id: Arc<str>,
    pub(crate) per: Vec<Label>,
    /// How many requests, and in what time.
    pub(crate) requests: Option<(u64, Duration)>,
    pub(crate) concurrent: Option<u64>,
}

impl Rule {
    /// Adds what the rule claims for a request.
    pub(crate) fn claim(&self, cx: &RequestCx, claims: &mut Vec<Claim>) {
        Label::for_each_combination(&self.per, cx, &mut |label| {
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
        });
    }
}
