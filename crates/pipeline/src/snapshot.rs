//! A plan with everything in it that lives: instances, destinations, credentials.
//!
//! Built off the data path, swapped in as one pointer. What did not change between two plans is
//! shared by both snapshots.

use std::collections::HashMap;
use std::sync::Arc;

use gatewright::dialect::{Abilities, Codec};
use gatewright::{InstanceId, ProviderAdapter, ProviderName, ProviderTarget, RouteName};
use gatewright_policy::Plan;
use gatewright_upstream::{Deadlines, Destination};

use crate::hook::Hook;
use crate::hooked::Hooked;
use crate::phase::credential::{Credentials, Proof};

/// A plan and its live parts.
#[derive(Debug, Default)]
pub struct Snapshot {
    /// The data.
    pub plan: Plan,
    /// Every instance that is not switched off, for what providers and models name.
    pub hooks: HashMap<InstanceId, Arc<Hooked>>,
    /// Who receives audit records.
    pub audit: Vec<Arc<Hooked>>,
    /// Who may accept callers, in order.
    pub authenticate: Vec<Arc<Hooked>>,
    /// The chains of each route.
    pub chains: HashMap<RouteName, Arc<Chains>>,
    /// The providers.
    pub providers: HashMap<ProviderName, Arc<Provider>>,
}

/// The instances that a route runs, each in the order written.
#[derive(Debug, Default)]
pub struct Chains {
    /// Limiters.
    pub limit: Vec<Arc<Hooked>>,
    /// Request transforms.
    pub request: Vec<Arc<Hooked>>,
    /// Response filters.
    pub response: Vec<Arc<Hooked>>,
    /// Usage sinks.
    pub sinks: Vec<Arc<Hooked>>,
}

/// A provider, ready to be called.
pub struct Provider {
    /// Its name in the configuration.
    pub name: ProviderName,
    /// How it is spoken to.
    pub adapter: Arc<dyn ProviderAdapter>,
    /// The adapter's instance, for the fence around it.
    pub hooked: Arc<Hooked>,
    /// What finds credentials, with those that were found.
    pub credentials: Option<Credentials>,
    /// Where it is.
    pub destination: Arc<Destination>,
    /// What it is shown.
    pub credential: Option<Proof>,
    /// How long each part of a call may take.
    pub deadlines: Deadlines,
    /// Whether requests may name what is stored there under its credential.
    pub allows_stored_files: bool,
    /// Headers that the operator adds to every call.
    pub headers: http::HeaderMap,
}

impl Provider {
    /// The codec in which the adapter is asked; one that panics at the question has none.
    pub(crate) fn codec(&self, target: &ProviderTarget<'_>) -> Option<&'static dyn Codec> {
        self.hooked.gate.fixed(Hook::Encode, None, || self.adapter.codec(target))
    }

    /// What the adapter knows of a target; of one that panics at the question nothing is known.
    pub(crate) fn abilities(&self, target: &ProviderTarget<'_>) -> Abilities {
        let known = self.hooked.gate.fixed(Hook::Encode, None, || Some(self.adapter.abilities(target)));
        known.unwrap_or_default()
    }

    /// The lists of a caller that the provider reads; of an adapter that panics at the question none.
    pub(crate) fn passes(&self) -> &[http::HeaderName] {
        self.hooked.gate.fixed(Hook::Encode, &[][..], || self.adapter.passes())
    }
}

impl std::fmt::Debug for Provider {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Provider").field("name", &self.name).finish_non_exhaustive()
    }
}
