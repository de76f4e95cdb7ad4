//! The settings, and what a key stands for.

use std::collections::BTreeMap;
use std::sync::Arc;

use gatewright::prelude::*;

use crate::digest::Digest;

/// The shortest key that is accepted, in bytes: shorter ones can be guessed, or are a forgotten value.
const KEY_BYTES_MIN: usize = 8;

/// Authenticates callers by keys that stand in the configuration, in plain text or as digests.
#[gatewright::config]
#[derive(Debug)]
pub struct Settings {
    /// The keys, each with the caller that it stands for.
    pub keys: Vec<Key>,
}

/// One key and its caller. Give either `key` or `sha256`.
#[gatewright::config]
#[derive(Debug)]
pub struct Key {
    /// The key itself, as a reference such as `${env:ACME_KEY}`. At least 8 bytes.
    #[serde(default)]
    pub key: Option<Secret>,
    /// The SHA-256 digest of the key, as 64 hexadecimal digits, so that the key itself stands nowhere.
    #[serde(default)]
    pub sha256: Option<String>,
    /// What records and limits call the key. Default: `key-` and the first 8 digits of its digest.
    #[serde(default)]
    pub label: Option<String>,
    /// The tenant that the caller belongs to.
    pub tenant: String,
    /// The project within the tenant.
    #[serde(default)]
    pub project: Option<String>,
    /// The person or service that uses the key.
    #[serde(default)]
    pub user: Option<String>,
    /// Groups of the user.
    #[serde(default)]
    pub groups: Vec<String>,
    /// Names of the models that the caller may use; `*` stands for any run of characters. Default: all.
    #[serde(default = "any_model")]
    pub models: Vec<String>,
    /// Labels that flow into usage records, limits and templates, such as `department: search`.
    #[serde(default)]
    pub tags: BTreeMap<String, String>,
}

fn any_model() -> Vec<String> {
    vec!["*".to_owned()]
}

impl Key {
    /// The digest of the key, or the field at fault and what is wrong with it.
    pub(crate) fn digest(&self) -> Result<Digest, (&'static str, &'static str)> {
        match (&self.key, &self.sha256) {
            (Some(key), None) if key.expose().len() < KEY_BYTES_MIN => {
                Err((".key", "a key has at least 8 bytes; is the reference empty?"))
            }
            (Some(key), None) => Ok(Digest::of(key.expose().as_bytes())),
            (None, Some(hex)) => Digest::parse(hex).ok_or((".sha256", "a digest is 64 hexadecimal digits")),
            _ => Err(("", "give either `key` or `sha256`")),
        }
    }

    /// The caller that the key stands for.
    pub(crate) fn principal(&self, digest: &Digest) -> Principal {
        let label = self.label.clone().unwrap_or_else(|| format!("key-{:08x}", digest.head() >> 32));
        Principal {
            project: self.project.as_deref().map(Arc::from),
            user: self.user.as_deref().map(Arc::from),
            groups: self.groups.iter().map(|group| Arc::from(group.as_str())).collect(),
            models: self.models.iter().map(|model| Arc::from(model.as_str())).collect(),
            tags: self
                .tags
                .iter()
                .map(|(name, value)| (Arc::from(name.as_str()), Arc::from(value.as_str())))
                .collect(),
            ..Principal::new(TenantId::new(&self.tenant), &label)
        }
    }
}
