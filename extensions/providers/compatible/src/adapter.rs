//! The adapter of all vendors.

use std::marker::PhantomData;

use gatewright::bytes::Bytes;
use gatewright::dialect::{Abilities, Codec, Dialect};
use gatewright::http::header::{ACCEPT, CONTENT_TYPE};
use gatewright::http::{HeaderMap, HeaderName, HeaderValue, Method};
use gatewright::prelude::*;
use gatewright::{ProviderRequest, ProviderTarget, UpstreamCall};
use gatewright_wire::openai_realtime;

use crate::face::Face;
use crate::quirks::Quirks;
use crate::vendor::{Vendor, VendorFile, base_url};

/// Speaks to a vendor by the OpenAI API.
#[derive(Debug)]
pub struct Adapter<V> {
    face: Face,
    vendor: PhantomData<V>,
}

impl<V: Vendor> Extension for Adapter<V> {
    const NAME: &'static str = V::NAME;
    const BASE_URL: Option<&'static str> = base_url(V::FILE);
    type Config = Quirks;

    async fn create(config: Quirks, _: ExtEnv) -> Result<Self, BuildError> {
        let known = VendorFile::parse(V::FILE)?.quirks;
        Ok(Self { face: Face::of(known.under(config))?, vendor: PhantomData })
    }
}

impl<V: Vendor> ProviderAdapter for Adapter<V> {
    fn codec(&self, target: &ProviderTarget<'_>) -> Option<&'static dyn Codec> {
        self.face.dialect(target.operation, target.dialect).map(gatewright_wire::codec)
    }

    fn abilities(&self, target: &ProviderTarget<'_>) -> Abilities {
        self.face.abilities(target.model)
    }

    fn encode(&self, request: &ProviderRequest<'_>) -> Result<UpstreamCall, Failure> {
        let path = self.face.path(request.dialect);
        let path = path
            .ok_or_else(|| Failure::internal("a dialect without an endpoint was chosen for this provider"))?;
        if request.dialect == Dialect::OpenAiRealtime {
            let path = format!("{path}?{}", openai_realtime::query_of("model", request.model)).into();
            return Ok(UpstreamCall {
                method: Method::GET,
                path,
                headers: HeaderMap::new(),
                body: Bytes::new(),
            });
        }
        let accept = match request.operation {
            _ if request.streams => "text/event-stream",
            // The request names the format.
            Operation::Transcription | Operation::Translation => "*/*",
            _ => "application/json",
        };
        let mut headers = HeaderMap::with_capacity(6);
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        headers.insert(ACCEPT, HeaderValue::from_static(accept));
        Ok(UpstreamCall { method: Method::POST, path: path.clone(), headers, body: request.body.clone() })
    }

    fn credential(&self, secret: &Secret) -> Result<(HeaderName, HeaderValue), BuildError> {
        self.face.credential(secret)
    }
}
