//! Authenticates callers by keys that stand in the configuration, in plain text or as digests.
//!
//! A key comes in any of the ways that client libraries have: `authorization: Bearer …`, `x-api-key: …`, `api-key: …`,
//! `x-goog-api-key: …`, or as the query parameter `key`. The instance keeps SHA-256 digests
//! only, and compares them in constant time. It abstains from what it does not know, so that another
//! authenticator may stand behind it in the chain.

mod digest;
mod settings;

use std::collections::HashMap;
use std::sync::Arc;

use gatewright::prelude::*;

use crate::digest::Digest;
pub use crate::settings::{Key, Settings};

/// Authenticates by configured keys.
#[derive(Debug)]
pub struct StaticKeys {
    /// By the first bytes of the digest; those with equal first bytes are compared in constant time.
    keys: HashMap<u64, Vec<Known>>,
}

/// A key and who uses it.
#[derive(Debug)]
struct Known {
    digest: Digest,
    principal: Arc<Principal>,
}

impl StaticKeys {
    fn find(&self, key: &[u8]) -> Option<&Arc<Principal>> {
        let digest = Digest::of(key);
        let candidates = self.keys.get(&digest.head())?;
        candidates.iter().find(|known| known.digest.equals(&digest)).map(|known| &known.principal)
    }
}

impl Extension for StaticKeys {
    const NAME: &'static str = "static-keys";
    type Config = Settings;

    async fn create(config: Settings, _env: ExtEnv) -> Result<Self, BuildError> {
        let mut keys: HashMap<u64, Vec<Known>> = HashMap::new();
        for (index, key) in config.keys.iter().enumerate() {
            let at = |field: &str| format!("keys[{index}]{field}");
            let digest = key.digest().map_err(|(field, message)| BuildError::at(at(field), message))?;
            let bucket = keys.entry(digest.head()).or_default();
            if bucket.iter().any(|known| known.digest.equals(&digest)) {
                return Err(BuildError::at(at(""), "this key stands in the list already; take one out"));
            }
            let principal = Arc::new(key.principal(&digest));
            bucket.push(Known { digest, principal });
        }
        Ok(Self { keys })
    }
}

#[async_trait]
impl Authenticator for StaticKeys {
    async fn authenticate(&self, head: &RequestHead<'_>) -> HookResult<AuthVerdict> {
        let known = head.keys().find_map(|key| self.find(key));
        Ok(known.map_or(AuthVerdict::Abstain, |principal| AuthVerdict::Accept(Arc::clone(principal))))
    }
}

gatewright::register!(StaticKeys => Authenticator);

#[cfg(test)]
mod tests;
