//! The limits of a gateway that runs, asked over its admin listener. Where none answers, nothing is known.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use gatewright::service::http::Http;
use gatewright::service::limits::BucketKey;
use gatewright_upstream::{Egress, EgressHttp, EgressSettings};
use http::{Request, StatusCode};
use serde_json::Value;

/// How long an answer is waited for.
const ANSWER_WITHIN: Duration = Duration::from_millis(500);
/// Windows of one rule and label; no rule has more.
const WINDOWS_MAX: usize = 1_000;

/// A gateway that answers.
pub(super) struct LiveGateway {
    url: String,
    http: EgressHttp,
}

/// What a bucket of a gateway that runs holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct LiveBucket {
    /// What was used inside the window.
    pub(super) used: u64,
    /// What exchanges under way claim.
    pub(super) held: u64,
    /// The time until all that was used has left the window.
    pub(super) clears: Duration,
}

/// The URL of an admin listener at this address; `None` where the system chose the port.
pub(super) fn url_of(address: SocketAddr) -> Option<String> {
    let ip = match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    (address.port() > 0).then(|| format!("http://{}", SocketAddr::new(ip, address.port())))
}

impl LiveGateway {
    /// The gateway whose admin listener is at this URL, if it answers.
    ///
    /// # Errors
    ///
    /// Why it cannot be asked, for the operator to read.
    ///
    /// # Cancellation
    ///
    /// Nothing was changed by asking.
    pub(super) async fn find(egress: &Egress, url: &str) -> Result<Self, String> {
        let url = url.trim_end_matches('/').to_owned();
        let origins = vec![Arc::from(url.as_str())];
        let settings =
            EgressSettings { origins, allow_private: true, metadata: Vec::new(), deadline: ANSWER_WITHIN };
        let http = egress.http(&settings).map_err(|error| gatewright_pipeline::with_causes(&error))?;
        let gateway = Self { url, http };
        gateway.get("/limits?count=1").await?;
        Ok(gateway)
    }

    /// Where it is.
    pub(super) fn url(&self) -> &str {
        &self.url
    }

    /// What a bucket holds; an absent one holds nothing.
    ///
    /// # Errors
    ///
    /// Why it does not answer.
    ///
    /// # Cancellation
    ///
    /// Nothing was changed by asking.
    pub(super) async fn bucket(&self, key: &BucketKey) -> Result<LiveBucket, String> {
        let query = form_urlencoded::Serializer::new(String::new())
            .append_pair("tenant", key.tenant.as_str())
            .append_pair("rule", &key.rule)
            .append_pair("label", &key.label)
            .append_pair("dimension", key.dimension.as_str())
            .append_pair("count", &WINDOWS_MAX.to_string())
            .finish();
        let answer = self.get(&format!("/limits?{query}")).await?;
        let buckets = answer["buckets"].as_array().ok_or("its answer has no buckets")?;
        let window = key.window.map(|window| window.as_secs_f64());
        let found = buckets.iter().find(|bucket| bucket["window_seconds"].as_f64() == window);
        Ok(found.map(read).unwrap_or_default())
    }

    async fn get(&self, path: &str) -> Result<Value, String> {
        let request = Request::get(format!("{}{path}", self.url)).body(Bytes::new());
        let request = request.map_err(|error| error.to_string())?;
        let answer = self.http.send(request).await.map_err(|error| error.to_string())?;
        if answer.status() != StatusCode::OK {
            return Err(format!("{} answered {} where limits were asked for", self.url, answer.status()));
        }
        serde_json::from_slice(answer.body()).map_err(|_| format!("{} is no admin listener", self.url))
    }
}

fn read(bucket: &Value) -> LiveBucket {
    let clears = bucket["clears_in_seconds"].as_f64().and_then(|time| Duration::try_from_secs_f64(time).ok());
    LiveBucket {
        used: bucket["used"].as_u64().unwrap_or_default(),
        held: bucket["held"].as_u64().unwrap_or_default(),
        clears: clears.unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::url_of;

    #[test]
    fn an_admin_listener_is_found_where_it_listens() {
        let url = |address: &str| url_of(address.parse().unwrap());
        assert_eq!(url("127.0.0.1:9464").as_deref(), Some("http://127.0.0.1:9464"));
        assert_eq!(url("0.0.0.0:9464").as_deref(), Some("http://127.0.0.1:9464"));
        assert_eq!(url("[::]:9464").as_deref(), Some("http://[::1]:9464"));
        assert_eq!(url("127.0.0.1:0"), None);
    }
}
