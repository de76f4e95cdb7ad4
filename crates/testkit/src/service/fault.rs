//! Services that fail because a test wants it.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use gatewright::bytes::Bytes;
use gatewright::http::{Request, Response};
use gatewright::service::cache::Cache;
use gatewright::service::http::{Http, HttpError};
use gatewright::service::key_value::KeyValue;
use gatewright::service::limits::{Claim, Claimed, Limits};
use gatewright::service::secrets::Secrets;
use gatewright::service::sql::{Sql, SqlRow, Statement};
use gatewright::{ExtError, Secret, TenantId, async_trait};
use parking_lot::Mutex;

/// What a test does to services. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    failing: BTreeSet<&'static str>,
    called: BTreeSet<&'static str>,
    hesitates: bool,
}

impl Faults {
    /// The services that can be made to fail.
    pub(crate) const SERVICES: [&str; 6] = ["http", "limits", "cache", "kv", "sql", "secrets"];

    /// # Panics
    /// If there is no such service.
    pub(crate) fn fail(&self, name: &str) {
        self.0.lock().failing.insert(known(name));
    }

    /// # Panics
    /// If there is no such service.
    pub(crate) fn restore(&self, name: &str) {
        self.0.lock().failing.remove(known(name));
    }

    /// Lets every asynchronous call wait once before and once after its work.
    pub(crate) fn hesitate(&self) {
        self.0.lock().hesitates = true;
    }

    /// Which services were called so far.
    pub(crate) fn called(&self) -> Vec<&'static str> {
        self.0.lock().called.iter().copied().collect()
    }

    /// Notes a call; says whether it is to fail.
    fn hit(&self, name: &'static str) -> bool {
        let mut state = self.0.lock();
        state.called.insert(name);
        state.failing.contains(name)
    }

    async fn pause(&self) {
        let hesitates = self.0.lock().hesitates;
        if hesitates {
            tokio::task::yield_now().await;
        }
    }
}

fn known(name: &str) -> &'static str {
    let found = Faults::SERVICES.into_iter().find(|service| *service == name);
    found.unwrap_or_else(|| unreachable!("no service `{name}`; there are {}", Faults::SERVICES.join(", ")))
}

/// A service that fails while its name is among the faults.
#[derive(Debug)]
pub(crate) struct Failing<S: ?Sized> {
    name: &'static str,
    faults: Faults,
    service: Arc<S>,
}

impl<S: ?Sized> Failing<S> {
    pub(crate) fn new(name: &str, faults: &Faults, service: Arc<S>) -> Arc<Self> {
        Arc::new(Self { name: known(name), faults: faults.clone(), service })
    }

    fn hit(&self) -> bool {
        self.faults.hit(self.name)
    }

    async fn begin(&self) -> Result<(), ExtError> {
        self.faults.pause().await;
        if self.hit() { Err(ExtError::new(format!("the test lets `{}` fail", self.name))) } else { Ok(()) }
    }

    async fn ended<T>(&self, result: T) -> T {
        self.faults.pause().await;
        result
    }
}

#[async_trait]
impl<S: Http + ?Sized> Http for Failing<S> {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        if self.begin().await.is_err() {
            let origin = request.uri().host().unwrap_or_default().to_owned();
            return Err(HttpError::Unreachable { origin, cause: "the test lets `http` fail".to_owned() });
        }
        self.ended(self.service.send(request).await).await
    }
}

#[async_trait]
impl<S: Limits + ?Sized> Limits for Failing<S> {
    async fn claim(&self, claims: &[Claim]) -> Result<Claimed, ExtError> {
        self.begin().await?;
        self.ended(self.service.claim(claims).await).await
    }
}

/// A cache that fails has forgotten everything.
impl<S: Cache + ?Sized> Cache for Failing<S> {
    fn get(&self, tenant: &TenantId, key: &str) -> Option<Bytes> {
        if self.hit() { None } else { self.service.get(tenant, key) }
    }

    fn put(&self, tenant: &TenantId, key: &str, value: Bytes, keep: Duration) {
        if !self.hit() {
            self.service.put(tenant, key, value, keep);
        }
    }

    fn remove(&self, tenant: &TenantId, key: &str) {
        self.service.remove(tenant, key);
    }
}

#[async_trait]
impl<S: KeyValue + ?Sized> KeyValue for Failing<S> {
    async fn get(&self, tenant: &TenantId, key: &str) -> Result<Option<Bytes>, ExtError> {
        self.begin().await?;
        self.ended(self.service.get(tenant, key).await).await
    }

    async fn put(
        &self,
        tenant: &TenantId,
        key: &str,
        value: Bytes,
        keep: Option<Duration>,
    ) -> Result<(), ExtError> {
        self.begin().await?;
        self.ended(self.service.put(tenant, key, value, keep).await).await
    }

    async fn add(&self, tenant: &TenantId, key: &str, amount: i64) -> Result<i64, ExtError> {
        self.begin().await?;
        self.ended(self.service.add(tenant, key, amount).await).await
    }

    async fn remove(&self, tenant: &TenantId, key: &str) -> Result<(), ExtError> {
        self.begin().await?;
        self.ended(self.service.remove(tenant, key).await).await
    }

    async fn keys(&self, tenant: &TenantId, prefix: &str, count_max: usize) -> Result<Vec<String>, ExtError> {
        self.begin().await?;
        self.ended(self.service.keys(tenant, prefix, count_max).await).await
    }
}

#[async_trait]
impl<S: Sql + ?Sized> Sql for Failing<S> {
    async fn write(&self, statements: &[Statement]) -> Result<u64, ExtError> {
        self.begin().await?;
        self.ended(self.service.write(statements).await).await
    }

    async fn query(&self, statement: &Statement) -> Result<Vec<SqlRow>, ExtError> {
        self.begin().await?;
        self.ended(self.service.query(statement).await).await
    }
}

/// Secrets that fail are not there.
impl<S: Secrets + ?Sized> Secrets for Failing<S> {
    fn get(&self, name: &str) -> Option<Secret> {
        if self.hit() { None } else { self.service.get(name) }
    }
}
