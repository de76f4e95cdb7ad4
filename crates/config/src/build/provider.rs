//! Providers: URL, credential, headers, roots.

use std::collections::BTreeMap;
use std::sync::Arc;

use gatewright::http::HeaderMap;
use gatewright::{InstanceId, ProviderName};
use gatewright_policy::{Http2, ProviderPlan, Timeouts};

use super::Builder;
use crate::check::header;
use crate::located::Value;
use crate::position::KeyPath;
use crate::shape::provider::{self, Provider};
use crate::unit::parse_base_url;

/// The largest file of certificate authorities.
const ROOTS_BYTES_MAX: usize = 4 << 20;

impl Builder<'_> {
    pub(super) fn provider(
        &mut self,
        name: &str,
        provider: Provider,
        path: &KeyPath,
    ) -> Option<ProviderPlan> {
        let default = self.extensions.base_url(&provider.adapter);
        let Some(base_url) = provider.base_url.as_deref().or(default) else {
            let message = format!("`{}` has no public service; say where it is", provider.adapter);
            self.error(&path.key("base_url"), message);
            return None;
        };
        let base_url = match parse_base_url(base_url) {
            Ok(url) => url,
            Err(message) => {
                self.error(&path.key("base_url"), message);
                return None;
            }
        };
        let http2 = match provider.http2 {
            Some(provider::Http2::Never) => Http2::Never,
            Some(provider::Http2::Negotiate) => Http2::Negotiate,
            Some(provider::Http2::PriorKnowledge) => Http2::PriorKnowledge,
            None if base_url.scheme_str() == Some("https") => Http2::Negotiate,
            None => Http2::Never,
        };
        Some(ProviderPlan {
            name: ProviderName::new(name),
            adapter: Arc::from(provider.adapter),
            settings: provider.with.unwrap_or_default(),
            base_url,
            api_key: provider.api_key,
            credential: provider.credential.as_deref().map(InstanceId::new),
            headers: self.headers(&provider.headers, &path.key("headers")),
            allow_private: provider.allow_private,
            allow_stored_files: provider.allow_stored_files,
            http2,
            connections_max: usize::try_from(provider.connections_max).unwrap_or(usize::MAX),
            timeouts: Timeouts {
                connect: provider.timeouts.connect.0,
                tls: provider.timeouts.tls.0,
                first_byte: provider.timeouts.first_byte.0,
                gap: provider.timeouts.gap.0,
                total: provider.timeouts.total.0,
            },
            extra_roots_pem: provider.ca_file.and_then(|file| self.roots(&file, &path.key("ca_file"))),
            source: Arc::from(self.source(path)),
        })
    }

    /// The headers were checked before, so that none is passed over here.
    fn headers(&self, headers: &BTreeMap<String, String>, path: &KeyPath) -> HeaderMap {
        let mut map = HeaderMap::with_capacity(headers.len());
        for (name, value) in headers {
            let referenced =
                matches!(&self.root.deepest(&path.key(name)).value, Value::Text(text) if text.referenced);
            if let Ok((name, mut value)) = header(name, value) {
                value.set_sensitive(referenced);
                map.insert(name, value);
            }
        }
        map
    }

    fn roots(&mut self, file: &std::path::Path, path: &KeyPath) -> Option<Arc<str>> {
        let file = self.beside(path, file);
        let text = match std::fs::read_to_string(&file) {
            Ok(text) => text,
            Err(error) => {
                self.error(path, format!("cannot read the file {}: {error}", file.display()));
                return None;
            }
        };
        if text.len() > ROOTS_BYTES_MAX || !text.contains("-----BEGIN CERTIFICATE-----") {
            self.error(path, format!("{} holds no PEM certificate, or is larger than 4 MiB", file.display()));
            return None;
        }
        self.files.push(file);
        Some(Arc::from(text))
    }
}
