use std::collections::BTreeMap;
use std::time::Duration;

use gatewright::bytes::Bytes;
use gatewright::http::Request;
use gatewright::service::http::HttpError;
use gatewright::service::sql::Statement;
use gatewright::{Secret, TenantId};
use gatewright_store::MemoryLimits;
use tokio::net::TcpListener;
use tokio::runtime::Handle;

use super::*;
use crate::clock::SystemClock;
use crate::random::ThreadRandom;

const MINUTE: Duration = Duration::from_secs(60);

fn foundation() -> Foundation {
    let clock: Arc<dyn Clock> = Arc::new(SystemClock);
    let limits = Arc::new(MemoryLimits::new(Arc::clone(&clock)));
    Foundation { limits, clock, random: Arc::new(ThreadRandom), meters: Arc::default() }
}

fn live(data_dir: &Path) -> Services {
    Services::live(foundation(), Egress::new(Handle::current()), data_dir, Durability::Crash)
}

fn plan(id: &str, extension: &str) -> InstancePlan {
    InstancePlan::new(InstanceId::new(id), extension, serde_json::Value::Null)
}

fn with_secret(id: &str, value: &str) -> InstancePlan {
    let secrets = BTreeMap::from([("token".to_owned(), Secret::new(value.to_owned()))]);
    InstancePlan { secrets, ..plan(id, "x") }
}

fn tenant() -> TenantId {
    TenantId::new("acme")
}

fn token(env: &ExtEnv) -> String {
    env.secrets.get("token").map(|secret| secret.expose().to_owned()).unwrap_or_default()
}

#[tokio::test]
async fn the_next_instance_of_an_id_finds_what_the_one_before_left() {
    let directory = tempfile::tempdir().unwrap();
    let services = live(directory.path());
    let old = services.env(&plan("a", "x"), None).unwrap();
    services.in_use(&[plan("a", "x")]);
    old.cache.put(&tenant(), "k", "cached".into(), MINUTE);
    old.kv.put(&tenant(), "k", "kept".into(), None).await.unwrap();
    old.sql.write(&[Statement::new("CREATE TABLE t (a)")]).await.unwrap();

    let larger = InstancePlan { cache_bytes: 32 << 20, ..plan("a", "x") };
    let before: Arc<dyn Any + Send + Sync> = Arc::new(7_u32);
    let new = services.env(&larger, Some(Arc::downgrade(&before))).unwrap();
    services.in_use(&[larger]);
    assert_eq!(new.cache.get(&tenant(), "k").unwrap(), "cached");
    assert_eq!(new.kv.get(&tenant(), "k").await.unwrap().unwrap(), "kept");
    assert!(new.sql.query(&Statement::new("SELECT * FROM t")).await.unwrap().is_empty());
    assert!(Arc::ptr_eq(&new.predecessor.unwrap().upgrade().unwrap(), &before));

    let other = services.env(&plan("b", "x"), None).unwrap();
    assert_eq!(other.cache.get(&tenant(), "k"), None);
    assert_eq!(other.kv.get(&tenant(), "k").await.unwrap(), None);
    assert_eq!(other.data_dir, directory.path().join("b"));
}

#[tokio::test]
async fn a_cache_is_not_for_another_extension_nor_for_an_id_that_was_gone() {
    let directory = tempfile::tempdir().unwrap();
    let services = live(directory.path());
    let put = |plan: &InstancePlan| {
        let env = services.env(plan, None).unwrap();
        services.in_use(std::slice::from_ref(plan));
        let found = env.cache.get(&tenant(), "k");
        env.cache.put(&tenant(), "k", "cached".into(), MINUTE);
        found
    };
    assert_eq!(put(&plan("a", "x")), None);
    assert_eq!(put(&plan("a", "x")).unwrap(), "cached");
    assert_eq!(put(&plan("a", "y")), None);
    services.in_use(&[]);
    assert_eq!(put(&plan("a", "y")), None);
}

#[tokio::test]
async fn durable_values_outlive_an_id_that_was_gone_for_a_while() {
    let directory = tempfile::tempdir().unwrap();
    let services = live(directory.path());
    let env = services.env(&plan("a", "x"), None).unwrap();
    services.in_use(&[plan("a", "x")]);
    env.kv.put(&tenant(), "k", "kept".into(), None).await.unwrap();
    drop(env);
    services.in_use(&[]);
    let env = services.env(&plan("a", "x"), None).unwrap();
    assert_eq!(env.kv.get(&tenant(), "k").await.unwrap().unwrap(), "kept");
}

#[tokio::test]
async fn a_running_instance_sees_new_secrets_when_they_are_in_use_and_not_before() {
    let directory = tempfile::tempdir().unwrap();
    let services = live(directory.path());
    let running = services.env(&with_secret("a", "one"), None).unwrap();
    services.in_use(&[with_secret("a", "one")]);
    assert_eq!(token(&running), "one");

    // A reload that makes a new instance and is refused.
    let refused = services.env(&with_secret("a", "two"), None).unwrap();
    assert_eq!((token(&running).as_str(), token(&refused).as_str()), ("one", "two"));
    services.refused();
    services.in_use(&[with_secret("a", "three")]);
    assert_eq!((token(&running).as_str(), token(&refused).as_str()), ("three", "two"));

    services.in_use(&[plan("a", "x")]);
    assert_eq!(running.secrets.get("token").map(|secret| secret.expose().to_owned()), None);
}

#[tokio::test]
async fn an_instance_that_was_replaced_keeps_the_secrets_that_it_had() {
    let directory = tempfile::tempdir().unwrap();
    let services = live(directory.path());
    let old = services.env(&with_secret("a", "one"), None).unwrap();
    services.in_use(&[with_secret("a", "one")]);
    let new = services.env(&with_secret("a", "two"), None).unwrap();
    services.in_use(&[with_secret("a", "two")]);
    assert_eq!((token(&old).as_str(), token(&new).as_str()), ("one", "two"));
}

#[tokio::test]
async fn a_running_instance_calls_within_its_new_deadline() {
    let directory = tempfile::tempdir().unwrap();
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", silent.local_addr().unwrap());
    let plan = |deadline| InstancePlan {
        egress: vec![Arc::from(origin.as_str())],
        egress_private: true,
        deadline,
        ..plan("a", "x")
    };
    let services = live(directory.path());
    let env = services.env(&plan(MINUTE), None).unwrap();
    let short = Duration::from_millis(50);
    services.in_use(&[plan(short)]);
    let call = Request::get(&origin).body(Bytes::new()).unwrap();
    let error = env.http.send(call).await.unwrap_err();
    assert_eq!(error, HttpError::Timeout { origin, waited: short });
}

#[tokio::test]
async fn metrics_go_with_their_id() {
    let directory = tempfile::tempdir().unwrap();
    let base = foundation();
    let meters = Arc::clone(&base.meters);
    let services = Services::live(base, Egress::new(Handle::current()), directory.path(), Durability::Crash);
    let text = || {
        let mut registry = prometheus_client::registry::Registry::default();
        registry.register_collector(Box::new(Arc::clone(&meters)));
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
        text
    };
    for _ in 0..2 {
        services.env(&plan("a", "x"), None).unwrap().meter.counter("n", "").add(1);
        services.in_use(&[plan("a", "x")]);
    }
    services.env(&plan("b", "x"), None).unwrap().meter.counter("n", "").add(1);
    assert!(text().contains("{instance=\"a\"} 2\n") && text().contains("{instance=\"b\"} 1\n"), "{}", text());
    services.refused();
    assert!(text().contains("{instance=\"a\"} 2\n") && !text().contains("instance=\"b\""), "{}", text());
    services.in_use(&[]);
    assert_eq!(text(), "# EOF\n");
}

#[tokio::test]
async fn an_entry_under_egress_that_is_no_origin_is_an_error_of_the_instance() {
    let directory = tempfile::tempdir().unwrap();
    let plan = InstancePlan { egress: vec![Arc::from("hooks.example")], ..plan("a", "x") };
    let error = live(directory.path()).env(&plan, None).unwrap_err();
    assert!(error.message.starts_with("`hooks.example` is not an origin: "), "{error}");
}

#[tokio::test]
async fn a_rehearsal_sends_nothing_and_leaves_nothing() {
    let plan = InstancePlan { egress: vec![Arc::from("https://hooks.example")], ..plan("a", "x") };
    let services = Services::rehearsal(foundation());
    let env = services.env(&plan, None).unwrap();
    env.kv.put(&tenant(), "k", "1".into(), None).await.unwrap();
    env.sql.write(&[Statement::new("CREATE TABLE t (a)")]).await.unwrap();
    assert!(!env.data_dir.exists());
    std::fs::create_dir_all(&env.data_dir).unwrap();
    std::fs::write(env.data_dir.join("own"), "1").unwrap();
    let call = Request::get("https://hooks.example/").body(Bytes::new()).unwrap();
    let rehearsal = HttpError::Rehearsal { origin: "https://hooks.example".to_owned() };
    assert_eq!(env.http.send(call).await.unwrap_err(), rehearsal);
    let directory = env.data_dir.parent().unwrap().to_owned();
    assert!(directory.starts_with(std::env::temp_dir()));
    drop(services);
    assert!(!directory.exists());
}
