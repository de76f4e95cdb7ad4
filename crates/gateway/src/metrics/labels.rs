//! The label sets of the metrics, built from facts without copying names.

use std::fmt::Write as _;

use gatewright::record::UsageRecord;
use gatewright::{InstanceId, ModelName, ProviderName, RouteName};
use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue, LabelValueEncoder};

/// A name of the configuration as a label's value.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Name<T>(pub(super) T);

impl<T: std::fmt::Display> EncodeLabelValue for Name<T> {
    fn encode(&self, encoder: &mut LabelValueEncoder<'_>) -> Result<(), std::fmt::Error> {
        write!(encoder, "{}", self.0)
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ExchangeLabels {
    route: Name<RouteName>,
    operation: &'static str,
    status: u16,
    outcome: &'static str,
}

impl ExchangeLabels {
    pub(super) fn new(record: &UsageRecord) -> Self {
        Self {
            route: Name(record.route.clone()),
            operation: record.operation.as_str(),
            status: record.status,
            outcome: record.outcome,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct RouteLabels {
    route: Name<RouteName>,
}

impl RouteLabels {
    pub(super) fn new(record: &UsageRecord) -> Self {
        Self { route: Name(record.route.clone()) }
    }
}

/// Only attempts have tokens, and an attempt has a model of the configuration, so the model's name
/// is bounded here.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct TokenLabels {
    model: Name<ModelName>,
    kind: &'static str,
    source: &'static str,
}

impl TokenLabels {
    pub(super) fn new(record: &UsageRecord, kind: &'static str) -> Self {
        Self { model: Name(record.model_asked.clone()), kind, source: record.usage_source.as_str() }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct AttemptLabels {
    provider: Option<Name<ProviderName>>,
}

impl AttemptLabels {
    pub(super) fn new(record: &UsageRecord) -> Self {
        Self { provider: record.provider.clone().map(Name) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct SinkLabels {
    instance: Name<InstanceId>,
}

impl SinkLabels {
    pub(super) fn new(instance: &InstanceId) -> Self {
        Self { instance: Name(instance.clone()) }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct ReloadLabels {
    pub(super) result: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(super) struct BuildLabels {
    pub(super) name: &'static str,
    pub(super) version: &'static str,
}
