//! The environment of an instance in a test, and what the test does to it.

use std::any::Any;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use gatewright::service::Random;
use gatewright::{ExtEnv, InstanceId};
use gatewright_policy::InstancePlan;
use gatewright_store::{Durability, FileKeyValue, FileSql, MemoryCache, StatePlace};
use tempfile::TempDir;

use super::MemoryLimits;
use crate::service::{Failing, FakeHttp, Faults, RecordingMeter, SecretMap, VirtualClock};

/// Builds a [`TestEnv`].
#[derive(Clone, Debug)]
pub struct EnvBuilder {
    instance: InstanceId,
    limits: Arc<MemoryLimits>,
    secrets: SecretMap,
    cache_bytes: u64,
}

impl Default for EnvBuilder {
    fn default() -> Self {
        Self {
            instance: InstanceId::new("test"),
            limits: Arc::default(),
            secrets: SecretMap::default(),
            cache_bytes: InstancePlan::CACHE_BYTES,
        }
    }
}

impl EnvBuilder {
    /// The instance's id. Default `test`.
    #[must_use]
    pub fn instance(mut self, id: &str) -> Self {
        self.instance = InstanceId::new(id);
        self
    }

    /// The limits. Default empty ones.
    #[must_use]
    pub fn limits(mut self, limits: Arc<MemoryLimits>) -> Self {
        self.limits = limits;
        self
    }

    /// One more named secret.
    #[must_use]
    pub fn secret(self, name: &str, value: &str) -> Self {
        self.secrets.set(name, value);
        self
    }

    /// The bound of the cache, in bytes. Default as in the gateway.
    #[must_use]
    pub fn cache_bytes(mut self, bytes: u64) -> Self {
        self.cache_bytes = bytes;
        self
    }

    /// Makes the environment.
    ///
    /// # Panics
    /// If there is no place for temporary files.
    #[must_use]
    pub fn build(self) -> TestEnv {
        let clock = VirtualClock::default();
        let (faults, http) = (Faults::default(), FakeHttp::default());
        let meter = RecordingMeter::default();
        let directory = tempfile::tempdir().expect("there is a place for temporary files");
        let kv = FileKeyValue::new(StatePlace::Memory, Durability::None, Arc::new(clock.clone()));
        let sql = FileSql::new(StatePlace::Memory, Durability::None);
        let cache = MemoryCache::new(self.cache_bytes, Arc::new(clock.clone()));
        let env = ExtEnv {
            instance: self.instance,
            clock: Arc::new(clock.clone()),
            limits: Failing::new("limits", &faults, Arc::clone(&self.limits)),
            http: Failing::new("http", &faults, Arc::new(http.clone())),
            cache: Failing::new("cache", &faults, Arc::new(cache)),
            kv: Failing::new("kv", &faults, Arc::new(kv)),
            sql: Failing::new("sql", &faults, Arc::new(sql)),
            secrets: Failing::new("secrets", &faults, Arc::new(self.secrets.clone())),
            meter: Arc::new(meter.clone()),
            data_dir: directory.path().to_owned(),
            predecessor: None,
            random: Arc::new(Count { next: AtomicU64::new(1), _directory: directory }),
        };
        TestEnv { clock, http, meter, secrets: self.secrets, limits: self.limits, env, faults }
    }
}

/// The environment of an instance, with the handles by which a test moves the time, scripts answers, reads metrics,
/// and lets services fail.
///
/// ```
/// use gatewright_testkit::extension::EnvBuilder;
///
/// # async fn example() {
/// let bed = EnvBuilder::default().secret("token", "t-1").build();
/// bed.http.answer("https://hooks.acme.example/seen", 204, "");
/// bed.fail_service("kv");
/// let env = bed.env();
/// assert!(env.kv.get(&"acme".into(), "seen").await.is_err());
/// # }
/// ```
#[derive(Clone, Debug)]
pub struct TestEnv {
    /// The time.
    pub clock: VirtualClock,
    /// Calls outside.
    pub http: FakeHttp,
    /// Metrics.
    pub meter: RecordingMeter,
    /// Named secrets.
    pub secrets: SecretMap,
    /// Limits.
    pub limits: Arc<MemoryLimits>,
    env: ExtEnv,
    faults: Faults,
}

impl Default for TestEnv {
    fn default() -> Self {
        EnvBuilder::default().build()
    }
}

impl TestEnv {
    /// The names of all services that can be made to fail.
    pub const SERVICES: [&'static str; 6] = Faults::SERVICES;

    /// The environment, for `create`. Instances that are made of it share everything.
    #[must_use]
    pub fn env(&self) -> ExtEnv {
        self.env.clone()
    }

    /// The environment of the instance that follows `previous` on a reload.
    #[must_use]
    pub fn env_after<E: Any + Send + Sync>(&self, previous: &Arc<E>) -> ExtEnv {
        let previous: Arc<dyn Any + Send + Sync> = Arc::<E>::clone(previous);
        ExtEnv { predecessor: Some(Arc::downgrade(&previous)), ..self.env.clone() }
    }

    /// Lets a service fail from now on: `http`, `limits`, `kv` and `sql` with errors, `cache` and `secrets` by having
    /// nothing.
    ///
    /// # Panics
    /// If there is no such service.
    pub fn fail_service(&self, name: &str) {
        self.faults.fail(name);
    }

    /// Lets every asynchronous call of a service wait once before and once after its work, so that a test can drop a
    /// hook at each of its awaits.
    pub fn hesitate(&self) {
        self.faults.hesitate();
    }

    /// The services that were called so far, by name.
    #[must_use]
    pub fn called_services(&self) -> Vec<&'static str> {
        self.faults.called()
    }

    /// Lets a service work again.
    ///
    /// # Panics
    /// If there is no such service.
    pub fn restore_service(&self, name: &str) {
        self.faults.restore(name);
    }
}

/// Randomness that is a count.
#[derive(Debug)]
struct Count {
    next: AtomicU64,
    /// It is there as long as the environment.
    _directory: TempDir,
}

impl Random for Count {
    fn next_u64(&self) -> u64 {
        self.next.fetch_add(1, Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use gatewright::bytes::Bytes;
    use gatewright::http::Request;
    use gatewright::service::limits::{BucketKey, Claim, Dimension};
    use gatewright::service::sql::Statement;
    use gatewright::{ExtEnv, TenantId};

    use super::{EnvBuilder, TestEnv};

    const URL: &str = "https://hooks.example/seen";

    /// The services that work, by name.
    async fn working(env: &ExtEnv) -> Vec<&'static str> {
        let a = TenantId::new("a");
        let key = BucketKey {
            tenant: a.clone(),
            rule: "rule".into(),
            label: "label".into(),
            dimension: Dimension::Requests,
            window: None,
        };
        let claims = [Claim { key, limit: 100, need: 1 }];
        env.cache.put(&a, "k", "1".into(), Duration::from_secs(60));
        let call = Request::get(URL).body(Bytes::new()).unwrap();
        let works = [
            ("http", env.http.send(call).await.is_ok()),
            ("limits", env.limits.claim(&claims).await.is_ok()),
            ("cache", env.cache.get(&a, "k").is_some()),
            ("kv", env.kv.add(&a, "k", 1).await.is_ok() && env.kv.get(&a, "k").await.is_ok()),
            ("sql", env.sql.query(&Statement::new("SELECT 1")).await.is_ok()),
            ("secrets", env.secrets.get("token").is_some()),
        ];
        works.into_iter().filter_map(|(name, works)| works.then_some(name)).collect()
    }

    #[tokio::test]
    async fn each_service_fails_by_name_and_works_again() {
        let bed = EnvBuilder::default().secret("token", "t").build();
        bed.http.answer(URL, 204, "");
        let env = bed.env();
        let all = ["http", "limits", "cache", "kv", "sql", "secrets"];
        assert_eq!(working(&env).await, all);
        for name in all {
            bed.fail_service(name);
            let others: Vec<_> = all.into_iter().filter(|other| *other != name).collect();
            assert_eq!(working(&env).await, others);
            bed.restore_service(name);
        }
        assert_eq!(working(&env).await, all);
    }

    #[tokio::test]
    async fn time_is_one_for_all_services() {
        let bed = TestEnv::default();
        let (env, a, minute) = (bed.env(), TenantId::new("a"), Duration::from_secs(60));
        env.cache.put(&a, "k", "1".into(), minute);
        env.kv.put(&a, "k", "1".into(), Some(minute)).await.unwrap();
        bed.clock.advance(minute - Duration::from_millis(1));
        assert!(env.cache.get(&a, "k").is_some() && env.kv.get(&a, "k").await.unwrap().is_some());
        bed.clock.advance(Duration::from_millis(1));
        assert!(env.cache.get(&a, "k").is_none() && env.kv.get(&a, "k").await.unwrap().is_none());
    }

    #[test]
    fn the_directory_is_there_as_long_as_the_environment() {
        let env = TestEnv::default().env();
        let directory = env.data_dir.clone();
        assert!(directory.is_dir());
        drop(env);
        assert!(!directory.exists());
    }

    #[test]
    fn metrics_are_read_by_the_name_that_the_extension_gave() {
        let bed = TestEnv::default();
        let meter = bed.env().meter;
        meter.counter("n", "").add(2);
        meter.counter("n", "").add(3);
        meter.gauge("g", "").set(-1);
        meter.histogram("h", "", &[1.0]).observe(0.5);
        assert_eq!((bed.meter.counter_value("n"), bed.meter.gauge_value("g")), (5, Some(-1)));
        assert_eq!((bed.meter.observations("h"), bed.meter.gauge_value("n")), (vec![0.5], None));
    }
}
