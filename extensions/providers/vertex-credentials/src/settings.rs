//! The settings.

/// Finds access tokens for Vertex AI.
///
/// The origin that gives out tokens has to stand under `egress` of the instance: `https://oauth2.googleapis.com` for
/// service accounts, unless their key files name another. The metadata server of a machine stands under
/// `egress_metadata`.
#[gatewright::config]
#[derive(Debug)]
pub struct Settings {
    /// The name, under `secrets` of the instance, of the secret that holds the key file of a service account: its JSON
    /// text as a whole. Default: the account of the machine, which its metadata server tells.
    #[serde(default)]
    pub service_account: Option<String>,
    /// What tokens may be used for.
    #[serde(default = "default_scope")]
    pub scope: String,
    /// Where the metadata server gives out the tokens of the machine's account.
    #[serde(default = "default_metadata_url")]
    pub metadata_url: String,
}

fn default_scope() -> String {
    "https://www.googleapis.com/auth/cloud-platform".to_owned()
}

fn default_metadata_url() -> String {
    "http://metadata.google.internal/computeMetadata/v1/instance/service-accounts/default/token".to_owned()
}
