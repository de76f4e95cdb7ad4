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

/// The services that can be made to fail.
const SERVICES: [&str; 6] = ["http", "limits", "cache", "kv", "sql", "secrets"];

/// Which services fail. Cloning shares it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Faults(Arc<Mutex<BTreeSet<&'static str>>>);

impl Faults {
    /// # Panics
    /// If there is no such service.
    pub(crate) fn fail(&self, name: &str) {
        self.0.lock().insert(known(name));
    }

    /// # Panics
    /// If there is no such service.
    pub(crate) fn restore(&self, name: &str) {
        self.0.lock().remove(known(name));
    }

    fn hit(&self, name: &str) -> bool {
        self.0.lock().contains(name)
    }
}

fn known(name: &str) -> &'static str {
    let found = SERVICES.into_iter().find(|service| *service == name);
    found.unwrap_or_else(|| unreachable!("no service `{name}`; there are {}", SERVICES.join(", ")))
}

/// A service that fails while its name is among the faults.
#[derive(Clone, Debug)]
pub(crate) struct Failing<S> {
    name: &'static str,
    faults: Faults,
    service: S,
}

impl<S> Failing<S> {
    pub(crate) fn new(name: &str, faults: &Faults, service: S) -> Arc<Self> {
        Arc::new(Self { name: known(name), faults: faults.clone(), service })
    }

    fn hit(&self) -> bool {
        self.faults.hit(self.name)
    }

    fn check(&self) -> Result<(), ExtError> {
        if self.hit() { Err(ExtError::new(format!("the test lets `{}` fail", self.name))) } else { Ok(()) }
    }
}

#[async_trait]
impl<S: Http> Http for Failing<S> {
    async fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        if self.hit() {
            let origin = request.uri().host().unwrap_or_default().to_owned();
            return Err(HttpError::Unreachable { origin, cause: "the test lets `http` fail".to_owned() });
        }
        self.service.send(request).await
    }
}

#[async_trait]
impl<S: Limits> Limits for Failing<Arc<S>> {
    async fn claim(&self, claims: &[Claim]) -> Result<Claimed, ExtError> {
        self.check()?;
        self.service.claim(claims).await
    }
}

/// A cache that fails has forgotten everything.
impl<S: Cache> Cache for Failing<S> {
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
impl<S: KeyValue> KeyValue for Failing<S> {
    async fn get(&self, tenant: &TenantId, key: &str) -> Result<Option<Bytes>, ExtError> {
        self.check()?;
        self.service.get(tenant, key).await
    }

    async fn put(
        &self,
        tenant: &TenantId,
        key: &str,
        value: Bytes,
        keep: Option<Duration>,
    ) -> Result<(), ExtError> {
        self.check()?;
        self.service.put(tenant, key, value, keep).await
    }

    async fn add(&self, tenant: &TenantId, key: &str, amount: i64) -> Result<i64, ExtError> {
        self.check()?;
        self.service.add(tenant, key, amount).await
    }

    async fn remove(&self, tenant: &TenantId, key: &str) -> Result<(), ExtError> {
        self.check()?;
        self.service.remove(tenant, key).await
    }

    async fn keys(&self, tenant: &TenantId, prefix: &str, count_max: usize) -> Result<Vec<String>, ExtError> {
        self.check()?;
        self.service.keys(tenant, prefix, count_max).await
    }
}

#[async_trait]
impl<S: Sql> Sql for Failing<S> {
    async fn write(&self, statements: &[Statement]) -> Result<u64, ExtError> {
        self.check()?;
        self.service.write(statements).await
    }

    async fn query(&self, statement: &Statement) -> Result<Vec<SqlRow>, ExtError> {
        self.check()?;
        self.service.query(statement).await
    }
}

/// Secrets that fail are not there.
impl<S: Secrets> Secrets for Failing<S> {
    fn get(&self, name: &str) -> Option<Secret> {
        if self.hit() { None } else { self.service.get(name) }
    }
}
