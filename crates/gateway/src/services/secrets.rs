//! Named secrets that a reload replaces under a running instance.

use std::collections::BTreeMap;

use arc_swap::ArcSwap;
use gatewright::Secret;
use gatewright::service::secrets::Secrets;

/// The [`Secrets`] of one instance.
pub(crate) struct NamedSecrets(ArcSwap<BTreeMap<String, Secret>>);

impl NamedSecrets {
    pub(crate) fn new(secrets: BTreeMap<String, Secret>) -> Self {
        Self(ArcSwap::from_pointee(secrets))
    }

    /// The next read gives these.
    pub(crate) fn replace(&self, secrets: &BTreeMap<String, Secret>) {
        self.0.store(secrets.clone().into());
    }
}

impl Secrets for NamedSecrets {
    fn get(&self, name: &str) -> Option<Secret> {
        self.0.load().get(name).cloned()
    }
}
