//! The live instances of a plan. One whose extension and settings did not change is kept, so that
//! a reload costs it nothing; the others are created before anything is swapped, and the old ones
//! stop after their last exchange.

use std::any::Any;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use gatewright::registry::{Instance, Registry};
use gatewright::{BuildError, InstanceId, Settings};
use gatewright_policy::InstancePlan;

use crate::services::Services;

/// How long an old instance may take to stop.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// How long an instance may take to be created.
const CREATE_WITHIN: Duration = Duration::from_secs(30);

/// A live instance and the plan that it was made from. Dropped when the last snapshot that names
/// it is gone; then it is stopped.
#[derive(Debug)]
pub(crate) struct Living {
    pub(crate) plan: InstancePlan,
    pub(crate) instance: Instance,
}

impl Drop for Living {
    fn drop(&mut self) {
        let life = Arc::clone(&self.instance.life);
        let id = self.plan.id.clone();
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        runtime.spawn(async move {
            if tokio::time::timeout(STOP_WITHIN, life.shut_down(STOP_WITHIN)).await.is_err() {
                tracing::warn!(instance = %id, within = ?STOP_WITHIN, "Extension instance did not stop in time");
            }
        });
    }
}

/// Why an instance could not be created.
#[derive(Debug)]
pub(crate) struct CreateError {
    pub(crate) instance: InstanceId,
    pub(crate) error: BuildError,
}

/// The instances of a generation, by id.
pub(crate) type Instances = HashMap<InstanceId, Arc<Living>>;

/// Creates what changed and keeps what did not.
///
/// # Errors
///
/// Every instance that could not be created. Those that could are dropped again.
///
/// # Cancellation
///
/// What was created is dropped.
pub(crate) async fn build(
    plans: &[InstancePlan],
    old: &Instances,
    registry: &Registry,
    services: &Services,
) -> Result<Instances, Vec<CreateError>> {
    let mut built = Instances::new();
    let mut errors = Vec::new();
    for plan in plans {
        if let Some(living) = old.get(&plan.id).filter(|living| living.plan.same_instance(plan)) {
            built.insert(plan.id.clone(), Arc::clone(living));
            continue;
        }
        let before = old.get(&plan.id).map(|living| Arc::clone(&living.instance.life).as_any());
        match create(plan, registry, services, before).await {
            Ok(instance) => {
                let living = Living { plan: plan.clone(), instance };
                built.insert(plan.id.clone(), Arc::new(living));
            }
            Err(error) => errors.push(CreateError { instance: plan.id.clone(), error }),
        }
    }
    if errors.is_empty() { Ok(built) } else { Err(errors) }
}

/// Creates one instance. A panic in its code, or one that never ends, is an error like any other.
async fn create(
    plan: &InstancePlan,
    registry: &Registry,
    services: &Services,
    predecessor: Option<Arc<dyn Any + Send + Sync>>,
) -> Result<Instance, BuildError> {
    let Some(registration) = registry.get(&plan.extension) else {
        return Err(BuildError::new(format!("no extension `{}` is linked into this binary", plan.extension)));
    };
    let env = services.env(plan, predecessor)?;
    let settings = Settings::new(plan.settings.clone());
    let creating = tokio::spawn(async move { (registration.create)(settings, env).await });
    match tokio::time::timeout(CREATE_WITHIN, creating).await {
        Ok(Ok(created)) => created,
        Ok(Err(_)) => {
            Err(BuildError::new("the extension panicked while it was created; its message is above"))
        }
        Err(_) => Err(BuildError::new(format!("the extension was not created within {CREATE_WITHIN:?}"))),
    }
}
