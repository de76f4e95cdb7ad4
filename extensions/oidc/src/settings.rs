//! The settings.

use std::collections::BTreeMap;

use gatewright::prelude::*;

/// Authenticates callers by JSON web tokens of OpenID Connect issuers.
#[gatewright::config]
#[derive(Debug)]
pub struct Settings {
    /// The issuers whose tokens are taken.
    pub issuers: Vec<IssuerSettings>,
}

/// One issuer.
#[gatewright::config]
#[derive(Debug)]
pub struct IssuerSettings {
    /// What the claim `iss` of its tokens says, to the letter.
    pub issuer: String,
    /// Where it publishes its keys. Default: what `{issuer}/.well-known/openid-configuration` says. The origin of what is
    /// called has to stand under `egress` of the instance.
    #[serde(default)]
    pub jwks_url: Option<String>,
    /// What the claim `aud` has to contain, one of these: the name of this gateway at the issuer.
    pub audience: Vec<String>,
    /// Signature algorithms that are taken. Those with a shared secret are not among those that can be listed.
    #[serde(default = "algorithms")]
    pub algorithms: Vec<Algorithm>,
    /// Claims that have to be there beside `iss`, `aud` and `exp`; each with the value that it has to have, or `null` for
    /// any.
    #[serde(default)]
    pub required: BTreeMap<String, Option<String>>,
    /// The longest life that a token may have, from `iat` to `exp`, in seconds. Without it no bound.
    #[serde(default)]
    pub life_max_secs: Option<u64>,
    /// How far the issuer's clock may be from ours, in seconds.
    #[serde(default = "leeway")]
    pub leeway_secs: u64,
    /// What becomes of the claims.
    pub claims: Claims,
}

/// A signature algorithm of RFC 7518 and RFC 8037.
#[gatewright::config]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Algorithm {
    /// RSA PKCS #1 v1.5 with SHA-256.
    #[serde(rename = "RS256")]
    Rs256,
    /// RSA PKCS #1 v1.5 with SHA-384.
    #[serde(rename = "RS384")]
    Rs384,
    /// RSA PKCS #1 v1.5 with SHA-512.
    #[serde(rename = "RS512")]
    Rs512,
    /// RSA PSS with SHA-256.
    #[serde(rename = "PS256")]
    Ps256,
    /// RSA PSS with SHA-384.
    #[serde(rename = "PS384")]
    Ps384,
    /// RSA PSS with SHA-512.
    #[serde(rename = "PS512")]
    Ps512,
    /// ECDSA on P-256 with SHA-256.
    #[serde(rename = "ES256")]
    Es256,
    /// ECDSA on P-384 with SHA-384.
    #[serde(rename = "ES384")]
    Es384,
    /// Ed25519.
    #[serde(rename = "EdDSA")]
    EdDsa,
}

/// What the claims of a token say of its caller.
#[gatewright::config]
#[derive(Debug)]
pub struct Claims {
    /// The tenant.
    pub tenant: Source,
    /// The tenants that this issuer may name; `*` stands for any run of characters. Needed where several issuers are
    /// listed and this one names tenants by a claim, since each could name those of the others.
    #[serde(default)]
    pub tenants: Option<Vec<String>>,
    /// The project within the tenant.
    #[serde(default)]
    pub project: Option<Source>,
    /// The person or service. Default: the claim `sub`.
    #[serde(default = "subject")]
    pub user: Source,
    /// The claim with the groups of the user: a list of texts, or one text with spaces.
    #[serde(default = "groups")]
    pub groups: String,
    /// Names of the models that the callers may use; `*` stands for any run of characters. Default: all.
    #[serde(default = "any_model")]
    pub models: Vec<String>,
    /// The claim with the names of models, in place of `models`.
    #[serde(default)]
    pub models_claim: Option<String>,
    /// Labels that flow into usage records, limits and templates, such as `cost_center`, each from a claim.
    #[serde(default)]
    pub tags: BTreeMap<String, Source>,
}

/// Where a value comes from. Give `claim` or `value`.
#[gatewright::config]
#[derive(Clone, Debug, Default)]
pub struct Source {
    /// The claim; a dot leads into an object, as in `resource.project`. A claim whose own name has dots is found first.
    #[serde(default)]
    pub claim: Option<String>,
    /// A fixed value; where the claim is given too, what holds for tokens without it.
    #[serde(default)]
    pub value: Option<String>,
    /// What values of the claim are called here. One that is not listed is refused, unless the map is empty.
    #[serde(default)]
    pub map: BTreeMap<String, String>,
}

fn algorithms() -> Vec<Algorithm> {
    vec![Algorithm::Rs256, Algorithm::Ps256, Algorithm::Es256, Algorithm::EdDsa]
}

const fn leeway() -> u64 {
    60
}

fn subject() -> Source {
    Source { claim: Some("sub".to_owned()), ..Source::default() }
}

fn groups() -> String {
    "groups".to_owned()
}

fn any_model() -> Vec<String> {
    vec!["*".to_owned()]
}

/// Clocks do not differ by more than this, in seconds; what is beyond it is a mistake.
const LEEWAY_MAX: u64 = 300;

impl Settings {
    /// Finds what the types allow and sense does not.
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        if self.issuers.is_empty() {
            return Err(BuildError::at("issuers", "list at least one issuer"));
        }
        for (place, issuer) in self.issuers.iter().enumerate() {
            let at = |field: &str| format!("issuers[{place}].{field}");
            if self.issuers.iter().take(place).any(|other| other.issuer == issuer.issuer) {
                return Err(BuildError::at(at("issuer"), "this issuer stands in the list already"));
            }
            issuer.check(self.issuers.len() > 1).map_err(|(field, why)| BuildError::at(at(field), why))?;
        }
        Ok(())
    }
}

impl IssuerSettings {
    fn check(&self, has_others: bool) -> Result<(), (&'static str, &'static str)> {
        if self.audience.is_empty() || self.audience.iter().any(String::is_empty) {
            return Err(("audience", "name this gateway at the issuer: tokens for others must not be taken"));
        }
        if self.algorithms.is_empty() {
            return Err(("algorithms", "list at least one"));
        }
        if self.leeway_secs > LEEWAY_MAX {
            return Err(("leeway_secs", "at most 300; set the clocks instead"));
        }
        let Claims { tenant, tenants, .. } = &self.claims;
        if has_others && tenant.claim.is_some() && tenant.map.is_empty() && tenants.is_none() {
            return Err((
                "claims.tenants",
                "list the tenants that this issuer may name, since there are others",
            ));
        }
        let tags = self.claims.tags.values();
        let sources = [Some(tenant), self.claims.project.as_ref(), Some(&self.claims.user)];
        if sources.into_iter().flatten().chain(tags).any(Source::is_empty) {
            return Err(("claims", "each source has a `claim` or a `value`"));
        }
        Ok(())
    }
}

impl Source {
    fn is_empty(&self) -> bool {
        self.claim.is_none() && self.value.is_none()
    }
}

impl Algorithm {
    /// The algorithm of the name in a token's header. There is none for `none` and for shared secrets.
    pub(crate) fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "RS256" => Self::Rs256,
            "RS384" => Self::Rs384,
            "RS512" => Self::Rs512,
            "PS256" => Self::Ps256,
            "PS384" => Self::Ps384,
            "PS512" => Self::Ps512,
            "ES256" => Self::Es256,
            "ES384" => Self::Es384,
            "EdDSA" | "Ed25519" => Self::EdDsa,
            _ => return None,
        })
    }
}
