//! Named secrets that a test sets, also while an instance runs.

use std::collections::HashMap;
use std::sync::Arc;

use gatewright::Secret;
use gatewright::service::secrets::Secrets;
use parking_lot::Mutex;

/// A [`Secrets`] in memory. Cloning shares it.
#[derive(Clone, Default)]
pub struct SecretMap(Arc<Mutex<HashMap<String, String>>>);

impl SecretMap {
    /// Sets a secret; the next read gives it.
    pub fn set(&self, name: &str, value: &str) {
        self.0.lock().insert(name.to_owned(), value.to_owned());
    }
}

/// Values are left out, as everywhere.
impl std::fmt::Debug for SecretMap {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.lock().keys()).finish()
    }
}

impl Secrets for SecretMap {
    fn get(&self, name: &str) -> Option<Secret> {
        self.0.lock().get(name).map(|value| Secret::new(value.clone()))
    }
}
