//! Who gives out tokens, and how it is asked.

use gatewright::BuildError;
use gatewright::bytes::Bytes;
use gatewright::http::header::CONTENT_TYPE;
use gatewright::http::{Request, Uri};
use gatewright::prelude::*;
use gatewright::service::http::Repeatable;

use crate::settings::Settings;

/// What a token of another issuer is shown as, see RFC 7523.
const ASSERTION_TYPE: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// The version of the metadata service of virtual machines.
const MACHINE_VERSION: &str = "2018-02-01";

/// The version of the identity endpoint of App Service.
const APP_VERSION: &str = "2019-08-01";

/// Whose tokens are found.
#[derive(Debug)]
pub(crate) enum Source {
    /// A service principal's, by the flow for client credentials.
    Principal { url: String, client: String, proof: Proof, scope: String },
    /// The machine's managed identity's.
    Machine { url: String, identity_header: Option<String> },
}

/// By what a service principal proves that it is itself: the name of a secret.
#[derive(Debug)]
pub(crate) enum Proof {
    Secret(String),
    Assertion(String),
}

impl Source {
    /// Reads the settings.
    ///
    /// # Errors
    /// What does not fit together, or is not there.
    pub(crate) fn of(settings: Settings, env: &ExtEnv) -> Result<Self, BuildError> {
        let secrets = [
            ("client_secret", &settings.client_secret),
            ("client_assertion", &settings.client_assertion),
            ("identity_header", &settings.identity_header),
        ];
        for (setting, name) in secrets {
            if let Some(name) = name
                && env.secrets.get(name).is_none()
            {
                let text = format!("there is no `{name}` under `secrets` of the instance");
                return Err(BuildError::at(setting, text));
            }
        }
        match settings.tenant {
            Some(_) => Self::principal(settings),
            None => Self::machine(settings),
        }
    }

    fn principal(settings: Settings) -> Result<Self, BuildError> {
        let tenant = settings.tenant.unwrap_or_default();
        let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.');
        if tenant.is_empty() || !tenant.bytes().all(is_name) {
            return Err(BuildError::at("tenant", "it is an id or a domain"));
        }
        let client = settings.client_id.ok_or_else(|| {
            BuildError::at("client_id", "a service principal is named by the id of its application")
        })?;
        let proof = match (settings.client_secret, settings.client_assertion) {
            (Some(name), None) => Proof::Secret(name),
            (None, Some(name)) => Proof::Assertion(name),
            (None, None) => {
                let text = "a service principal has a `client_secret` or a `client_assertion`";
                return Err(BuildError::at("client_secret", text));
            }
            (Some(_), Some(_)) => {
                let text = "there is a `client_secret` as well: leave one of the two out";
                return Err(BuildError::at("client_assertion", text));
            }
        };
        let url = format!("{}/{tenant}/oauth2/v2.0/token", settings.authority.trim_end_matches('/'));
        checked("authority", &url)?;
        Ok(Self::Principal { url, client, proof, scope: settings.scope })
    }

    fn machine(settings: Settings) -> Result<Self, BuildError> {
        if settings.client_secret.is_some() || settings.client_assertion.is_some() {
            let text = "a service principal needs the directory that it belongs to";
            return Err(BuildError::at("tenant", text));
        }
        checked("metadata_url", &settings.metadata_url)?;
        let version = if settings.identity_header.is_some() { APP_VERSION } else { MACHINE_VERSION };
        // Managed identities are asked for a resource, which is a scope without its permissions.
        let resource = settings.scope.strip_suffix("/.default").unwrap_or(&settings.scope);
        let mut query = form_urlencoded::Serializer::new(String::new());
        query.append_pair("api-version", version).append_pair("resource", resource);
        if let Some(client) = &settings.client_id {
            query.append_pair("client_id", client);
        }
        let url = format!("{}?{}", settings.metadata_url, query.finish());
        Ok(Self::Machine { url, identity_header: settings.identity_header })
    }

    /// The call that asks for a token. Secrets are read anew each time, because they can change.
    ///
    /// # Errors
    /// A secret is gone, or cannot be sent.
    pub(crate) fn request(&self, env: &ExtEnv) -> Result<Request<Bytes>, ExtError> {
        let secret = |name: &str| {
            env.secrets.get(name).ok_or_else(|| ExtError::new(format!("the secret `{name}` is gone")))
        };
        match self {
            Self::Principal { url, client, proof, scope } => {
                let mut form = form_urlencoded::Serializer::new(String::new());
                form.append_pair("grant_type", "client_credentials").append_pair("client_id", client);
                form.append_pair("scope", scope);
                match proof {
                    Proof::Secret(name) => {
                        form.append_pair("client_secret", secret(name)?.expose());
                    }
                    Proof::Assertion(name) => {
                        form.append_pair("client_assertion_type", ASSERTION_TYPE);
                        form.append_pair("client_assertion", secret(name)?.expose().trim());
                    }
                }
                let request = Request::post(url)
                    .extension(Repeatable)
                    .header(CONTENT_TYPE, "application/x-www-form-urlencoded");
                Ok(request.body(form.finish().into())?)
            }
            Self::Machine { url, identity_header } => {
                let request = Request::get(url);
                let request = match identity_header {
                    Some(name) => request.header("x-identity-header", secret(name)?.expose()),
                    None => request.header("metadata", "true"),
                };
                Ok(request.body(Bytes::new())?)
            }
        }
    }
}

fn checked(setting: &str, url: &str) -> Result<(), BuildError> {
    let is_url = Uri::try_from(url).is_ok_and(|url| url.host().is_some() && url.query().is_none());
    is_url
        .then_some(())
        .ok_or_else(|| BuildError::at(setting, "it is no URL with a host and without a query"))
}
