//! The settings.

/// Finds access tokens of Microsoft Entra ID.
///
/// The origin that gives out tokens has to stand under `egress` of the instance: `https://login.microsoftonline.com`
/// for service principals, unless `authority` names another. The metadata service of a machine stands under
/// `egress_metadata`.
#[gatewright::config]
#[derive(Debug)]
pub struct Settings {
    /// The directory that the service principal belongs to: its id or a domain of it. Default: there is no service
    /// principal, and the machine's managed identity is asked for.
    #[serde(default)]
    pub tenant: Option<String>,
    /// The id of the service principal's application, or of a user-assigned managed identity. Default: the machine's
    /// own identity.
    #[serde(default)]
    pub client_id: Option<String>,
    /// The name, under `secrets` of the instance, of the service principal's secret.
    #[serde(default)]
    pub client_secret: Option<String>,
    /// The name, under `secrets` of the instance, of a token that another issuer gave out and the service principal
    /// trusts (workload identity federation): `${file:…}` of the file that a cluster keeps fresh.
    #[serde(default)]
    pub client_assertion: Option<String>,
    /// What tokens may be used for.
    #[serde(default = "default_scope")]
    pub scope: String,
    /// Who gives out the tokens of service principals. Clouds of their own have others.
    #[serde(default = "default_authority")]
    pub authority: String,
    /// Where the machine gives out the tokens of its managed identity.
    #[serde(default = "default_metadata_url")]
    pub metadata_url: String,
    /// The name, under `secrets` of the instance, of what App Service and Functions put into `IDENTITY_HEADER`. Set
    /// `metadata_url` to their `IDENTITY_ENDPOINT` as well.
    #[serde(default)]
    pub identity_header: Option<String>,
}

fn default_scope() -> String {
    "https://cognitiveservices.azure.com/.default".to_owned()
}

fn default_authority() -> String {
    "https://login.microsoftonline.com".to_owned()
}

fn default_metadata_url() -> String {
    "http://169.254.169.254/metadata/identity/oauth2/token".to_owned()
}
