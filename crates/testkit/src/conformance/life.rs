//! The life of an instance: created twice, replaced twice, stopped, and gone.

use std::sync::Arc;

use gatewright::Extension;
use gatewright::point::Point;
use gatewright::service::task::TaskScope;
use serde_json::{Value, json};

use super::suite::{ID, Suite, run};
use crate::extension::{TestEnv, create_in};
use crate::gateway::TestGateway;

/// Two instances can be made of one configuration; a gateway replaces an instance twice while it serves; it stops in
/// time; and of the instances and their tasks nothing is left.
///
/// # Panics
/// If that does not hold.
pub fn life<E: Extension>(suite: &Suite<E>) {
    run(async {
        let bed = suite.bed();
        let (one, other) = (suite.instance(&bed).await, suite.instance(&bed).await);
        drop((one, other));
        let gateway = suite.started().await;
        let is_adapter = suite.points == [Point::ProviderAdapter];
        for turn in 1..=2_u32 {
            exchange(suite, &gateway).await;
            let replaced =
                gateway.reconfigure(|configuration| replace(configuration, is_adapter, turn)).await;
            if let Err(problems) = replaced {
                panic!("`{}` cannot be replaced while it serves:\n{problems}", E::NAME);
            }
            let living = if is_adapter { 0 } else { 1 };
            gateway.until_living(suite.id(), living).await;
        }
        exchange(suite, &gateway).await;
        let panicked = gateway.panicked();
        assert!(panicked.is_empty(), "`{}` panicked in {panicked:?}", E::NAME);
        let left = gateway.objects(suite.id());
        assert!(gateway.stop().await, "`{}` does not stop in time", E::NAME);
        let left = left.iter().filter(|object| object.strong_count() > 0).count();
        assert_eq!(left, 0, "instances of `{}` that somebody keeps after they were stopped", E::NAME);
    });
}

/// Makes a new instance necessary, by what only a new one can have.
fn replace(configuration: &mut Value, is_adapter: bool, turn: u32) {
    if is_adapter {
        let providers = std::mem::take(&mut configuration["providers"]);
        let provider = providers.as_object().and_then(|all| all.values().next()).cloned().unwrap_or_default();
        let name = format!("provider-{turn}");
        configuration["models"]["model"]["targets"] = json!([{"provider": name}]);
        configuration["providers"] = json!({name: provider});
        return;
    }
    let entries = configuration["extensions"].as_array_mut().into_iter().flatten();
    for entry in entries.filter(|entry| entry["id"] == ID) {
        entry["cache_bytes"] = json!(format!("{turn}MiB"));
    }
}

/// With any service failing, and with all of them, an instance can be created, started and used without a panic.
///
/// # Panics
/// If it panics.
pub fn failing_services<E: Extension>(suite: &Suite<E>) {
    run(async {
        let bed = suite.bed();
        TestEnv::SERVICES.iter().for_each(|service| bed.fail_service(service));
        let (env, settings) = (bed.env(), suite.settings.clone());
        let beginning = tokio::spawn(async move {
            if let Ok(created) = create_in::<E>(env, settings).await {
                let _refused = Arc::new(created).start(&mut TaskScope::default()).await;
            }
        });
        assert!(
            beginning.await.is_ok(),
            "`{}` panics in `create` or `start` when all services fail",
            E::NAME
        );
        for service in TestEnv::SERVICES {
            let gateway = suite.started().await;
            if !gateway.has(suite.id()) {
                return;
            }
            gateway.fail_service(suite.id(), service);
            exchange(suite, &gateway).await;
            let panicked = gateway.panicked();
            assert!(panicked.is_empty(), "`{}` panics in {panicked:?} when `{service}` fails", E::NAME);
        }
    });
}

/// One exchange in one piece and one streamed, whatever comes of them.
pub(super) async fn exchange<E: Extension>(suite: &Suite<E>, gateway: &TestGateway) {
    for streams in [false, true] {
        let _whatever = gateway.request(&suite.body(streams)).caller(suite.key()).send().await;
    }
}
