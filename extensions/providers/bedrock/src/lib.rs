//! Amazon Bedrock as a provider, by its Converse operations, and for vectors by InvokeModel.
//!
//! Endpoints, signatures and what is known of its models stand here; the dialect itself is in `gatewright-wire`.

mod credentials;
mod model;
mod sigv4;

use gatewright::bytes::Bytes;
use gatewright::dialect::{Abilities, Codec, Dialect};
use gatewright::http::header::{ACCEPT, AUTHORIZATION, CONTENT_TYPE};
use gatewright::http::{HeaderMap, HeaderName, HeaderValue, Method};
use gatewright::prelude::*;
use gatewright::{ProviderRequest, ProviderTarget, UnsignedCall, UpstreamCall};
use gatewright_wire::bedrock_converse::STREAM_TYPE;
use gatewright_wire::json::{ObjectEdit, Value};
use gatewright_wire::path;

pub use crate::credentials::{
    AssumedRole, BedrockCredentials, Container, CredentialConfig, Instance, Profile, Source, WebIdentity,
};
use crate::model::Models;
use crate::sigv4::{Keys, Scope};

/// The service's name in signatures.
const SERVICE: &str = "bedrock";

/// Hosts of the service begin with one of these labels, or have it after the name of an endpoint.
const HOST_LABELS: [&str; 2] = ["bedrock-runtime", "bedrock-runtime-fips"];

/// Speaks to models of Amazon Bedrock.
#[gatewright::config]
#[derive(Debug)]
pub struct Config {
    /// The region for which calls are signed, for example `eu-west-1`. By default it is read from the host of the
    /// provider's `base_url`; set it where that is a name of your own.
    #[serde(default)]
    pub region: Option<String>,
}

/// The adapter.
#[derive(Debug)]
pub struct Bedrock {
    region: Option<String>,
    models: Models,
}

impl Extension for Bedrock {
    const NAME: &'static str = "bedrock";
    type Config = Config;

    async fn create(config: Config, _: ExtEnv) -> Result<Self, BuildError> {
        Ok(Self { region: config.region, models: Models::bundled()? })
    }
}

impl ProviderAdapter for Bedrock {
    fn codec(&self, target: &ProviderTarget<'_>) -> Option<&'static dyn Codec> {
        let dialect = match target.operation {
            Operation::Chat => Some(Dialect::BedrockConverse),
            Operation::Embedding => model::vectors(target.model),
            _ => None,
        };
        dialect.map(gatewright_wire::codec)
    }

    fn abilities(&self, target: &ProviderTarget<'_>) -> Abilities {
        self.models.abilities(target.model)
    }

    fn encode(&self, request: &ProviderRequest<'_>) -> Result<UpstreamCall, Failure> {
        let (operation, accept) = match (request.operation, request.streams) {
            (Operation::Chat, false) => ("converse", "application/json"),
            (Operation::Chat, true) => ("converse-stream", STREAM_TYPE),
            (Operation::Embedding, _) => ("invoke", "application/json"),
            _ => {
                let text = "an operation without an endpoint was routed to this provider";
                return Err(Failure::internal(text));
            }
        };
        let mut headers = HeaderMap::with_capacity(8);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        Ok(UpstreamCall {
            method: Method::POST,
            // An id may be an ARN, with slashes and colons: it is one segment all the same.
            path: format!("/model/{}/{operation}", path::segment(request.model)).into(),
            headers,
            body: addressed(request)?,
        })
    }

    fn credential(&self, secret: &Secret) -> Result<(HeaderName, HeaderValue), BuildError> {
        let mut value = HeaderValue::try_from(format!("Bearer {}", secret.expose()))
            .map_err(|_| BuildError::new("the API key has characters that no header can carry"))?;
        value.set_sensitive(true);
        Ok((AUTHORIZATION, value))
    }

    /// An access key is a pair or a triple; an API key of the service is one word, which is shown.
    fn signs(&self, secret: &Secret) -> bool {
        secret.expose().contains(':')
    }

    fn sign(&self, secret: &Secret, call: &UnsignedCall<'_>) -> Result<HeaderMap, BuildError> {
        let keys = Keys::parse(secret.expose()).ok_or_else(|| {
            BuildError::new("the key must be ACCESS_KEY_ID:SECRET_ACCESS_KEY, with :SESSION_TOKEN behind it if there is one")
        })?;
        let region = self.region.as_deref().or_else(|| region(call.authority)).ok_or_else(|| {
            BuildError::at("region", "it cannot be read from the provider's `base_url`: set `region`")
        })?;
        sigv4::sign(&keys, &Scope { region, service: SERVICE }, call)
            .ok_or_else(|| BuildError::new("the key has characters that no header can carry"))
    }
}

/// The body as the service takes it, which reads the model in the path.
fn addressed(request: &ProviderRequest<'_>) -> Result<Bytes, Failure> {
    if request.operation != Operation::Embedding {
        return Ok(request.body.clone());
    }
    let edit = ObjectEdit::new().remove("model");
    let edited = Value::parse(request.body).ok().and_then(|body| edit.patches(&body).ok());
    let edited = edited.and_then(|patches| patches.apply(request.body).ok());
    edited.ok_or_else(|| Failure::internal("a request that is no object was routed to this provider"))
}

/// The region in a host of the service.
fn region(authority: &str) -> Option<&str> {
    let host = authority.split(':').next().unwrap_or_default();
    let mut labels = host.split('.').skip_while(|label| !HOST_LABELS.contains(label));
    labels.next()?;
    labels.next().filter(|region| region.contains('-'))
}

gatewright::register!(Bedrock => ProviderAdapter);

#[cfg(test)]
mod tests {
    use super::region;

    #[test]
    fn the_region_stands_behind_the_service_in_each_kind_of_host() {
        for (host, expected) in [
            ("bedrock-runtime.eu-west-1.amazonaws.com", Some("eu-west-1")),
            ("bedrock-runtime-fips.us-gov-west-1.amazonaws.com:443", Some("us-gov-west-1")),
            ("vpce-0a1b-x.bedrock-runtime.us-east-1.vpce.amazonaws.com", Some("us-east-1")),
            ("bedrock-runtime.cn-north-1.amazonaws.com.cn", Some("cn-north-1")),
            ("models.acme.example", None),
            ("bedrock-runtime.local", None),
            ("127.0.0.1:8080", None),
        ] {
            assert_eq!(region(host), expected, "{host}");
        }
    }
}
