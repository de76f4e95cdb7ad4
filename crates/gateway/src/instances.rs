//! The live instances of a plan. One whose extension and settings did not change is kept, so that
//! a reload costs it nothing; the others are created and started before anything is swapped, and the old ones
//! stop after their last exchange.

use std::any::Any;
use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use gatewright::point::Point;
use gatewright::registry::{Instance, Registry};
use gatewright::{BuildError, InstanceId, Settings};
use gatewright_pipeline::{Gate, Hook, aside, panic_text};
use gatewright_policy::InstancePlan;
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

use crate::embed::Wrap;
use crate::ending::{Ending, Endings};
use crate::metrics::InstanceFamilies;
use crate::runtime::ExtensionRuntime;
use crate::services::Services;
use crate::supervise::supervise;

/// How long an old instance may take to stop.
pub(crate) const STOP_WITHIN: Duration = Duration::from_secs(10);
/// How long the tasks of an old instance may take to end.
const TASKS_END_WITHIN: Duration = Duration::from_secs(1);
/// How long an instance may take to be created, and then to start.
const CREATE_WITHIN: Duration = Duration::from_secs(30);

/// What an operator does about an extension that breaks off.
const REMEDY: &str = "; correct the extension, or take the instance out";

/// What instances are made with.
pub(crate) struct Workshop {
    pub(crate) registry: Registry,
    pub(crate) services: Services,
    pub(crate) metrics: InstanceFamilies,
    pub(crate) runtime: ExtensionRuntime,
    pub(crate) endings: Endings,
    /// Whether instances are only created, to see whether they can be.
    pub(crate) rehearses: bool,
    /// What is put around instances and what they are given.
    pub(crate) wrap: Arc<dyn Wrap>,
}

/// A live instance and the plan that it was made from. Dropped when the last snapshot that names
/// it is gone; then its tasks end and it is stopped.
pub(crate) struct Living {
    pub(crate) plan: InstancePlan,
    /// Taken away at the end.
    instance: Option<Instance>,
    pub(crate) gate: Arc<Gate>,
    tasks: Vec<JoinHandle<()>>,
    is_started: bool,
    runtime: Handle,
    ending: Option<Ending>,
}

impl Living {
    /// The instance.
    ///
    /// # Panics
    ///
    /// Never: only its end takes it away.
    pub(crate) fn instance(&self) -> &Instance {
        self.instance.as_ref().expect("an instance is taken away when nobody can ask for it any more")
    }

    /// The instance for its successor, which must not keep it alive.
    fn as_predecessor(&self) -> Weak<dyn Any + Send + Sync> {
        Arc::downgrade(&Arc::clone(&self.instance().life).as_any())
    }
}

impl Drop for Living {
    fn drop(&mut self) {
        // The last hold on the instance goes to its own end, so that its drop happens there and nowhere else.
        let Some(instance) = self.instance.take() else { return };
        let (gate, is_started) = (Arc::clone(&self.gate), self.is_started);
        let (tasks, ending) = (std::mem::take(&mut self.tasks), self.ending.take());
        tasks.iter().for_each(JoinHandle::abort);
        self.runtime.spawn(aside(async move {
            if is_started {
                let ended = async {
                    for task in tasks {
                        // How a task ended was said when it did.
                        let _ended = task.await;
                    }
                };
                // One that keeps its thread is not waited for.
                let _in_time = tokio::time::timeout(TASKS_END_WITHIN, ended).await;
                stop(&instance, &gate).await;
            }
            gate.discard(instance);
            drop(ending);
        }));
    }
}

async fn stop(instance: &Instance, gate: &Gate) {
    let stopping = gate.watch(Hook::Stop, || {
        let stopping = instance.life.shut_down(STOP_WITHIN);
        Box::pin(async {
            stopping.await;
            Ok(())
        })
    });
    match tokio::time::timeout(STOP_WITHIN, stopping).await {
        Ok(Ok(())) => {}
        Ok(Err(fault)) => gate.note(Hook::Stop, &fault),
        Err(_) => {
            tracing::warn!(instance = %gate.id(), hook = "stop", within = ?STOP_WITHIN, "Extension instance did not stop in time");
        }
    }
}

impl std::fmt::Debug for Living {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Living").field("plan", &self.plan).finish_non_exhaustive()
    }
}

/// Why an instance could not be created or started.
#[derive(Debug)]
pub(crate) struct CreateError {
    pub(crate) instance: InstanceId,
    pub(crate) error: BuildError,
}

/// The instances of a generation, by id.
pub(crate) type Instances = HashMap<InstanceId, Arc<Living>>;

impl Workshop {
    /// Creates what changed and keeps what did not.
    ///
    /// # Errors
    ///
    /// Every instance that could not be created. Those that could are dropped again.
    ///
    /// # Cancellation
    ///
    /// What was created is dropped.
    pub(crate) async fn create_all(
        &self,
        plans: &[InstancePlan],
        old: &Instances,
    ) -> Result<Instances, Vec<CreateError>> {
        let mut built = Instances::new();
        let mut errors = Vec::new();
        for plan in plans {
            let known = old.get(&plan.id);
            if let Some(living) = known.filter(|living| living.plan.same_instance(plan)) {
                built.insert(plan.id.clone(), Arc::clone(living));
                continue;
            }
            let predecessor = known.map(|living| living.as_predecessor());
            match self.create(plan, predecessor).await {
                Ok(living) => {
                    built.insert(plan.id.clone(), Arc::new(living));
                }
                Err(error) => errors.push(CreateError { instance: plan.id.clone(), error }),
            }
        }
        if errors.is_empty() { Ok(built) } else { Err(errors) }
    }

    /// Starts those that are not among the old ones, and gives the others the policies of the new plans.
    ///
    /// # Errors
    ///
    /// Every instance that could not be started.
    ///
    /// # Cancellation
    ///
    /// What was started is stopped when it is dropped.
    pub(crate) async fn start_all(
        &self,
        plans: &[InstancePlan],
        instances: &mut Instances,
    ) -> Result<(), Vec<CreateError>> {
        let mut errors = Vec::new();
        for plan in plans.iter().filter(|_| !self.rehearses) {
            let Some(living) = instances.get_mut(&plan.id) else { continue };
            // One that is shared already belongs to the generation in use, and runs.
            let Some(fresh) = Arc::get_mut(living) else { continue };
            if let Err(error) = self.start(fresh).await {
                errors.push(CreateError { instance: plan.id.clone(), error });
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// The instances of these plans are the ones in use from now on, under the policies of these plans, and the old
    /// ones, but for those that were kept, serve what they began.
    pub(crate) fn put_to_use(&self, plans: &[InstancePlan], instances: &Instances, old: &Instances) {
        self.services.in_use(plans);
        for (id, living) in old {
            if instances.get(id).is_some_and(|new| Arc::ptr_eq(new, living)) {
                continue;
            }
            living.gate.retire();
            if let Some(known) = self.registry.get(&living.plan.extension) {
                self.metrics.forget(id, known.name, known.version);
            }
        }
        for plan in plans {
            let Some(living) = instances.get(&plan.id) else { continue };
            if let Some(known) = self.registry.get(&plan.extension) {
                self.metrics.know(&plan.id, known.name, known.version);
            }
            living.gate.follow(plan);
        }
    }

    /// Creates one instance. A panic in its code, or one that never ends, is an error like any other.
    async fn create(
        &self,
        plan: &InstancePlan,
        predecessor: Option<Weak<dyn Any + Send + Sync>>,
    ) -> Result<Living, BuildError> {
        let Some(registration) = self.registry.get(&plan.extension) else {
            return Err(BuildError::new(format!(
                "no extension `{}` is linked into this binary; add it to the build, or take the instance out",
                plan.extension
            )));
        };
        if !plan.egress_metadata.is_empty() && !registration.points.contains(&Point::CredentialProvider) {
            let why = "`egress_metadata` is for extensions that find credentials, and this one finds none";
            return Err(BuildError::new(why));
        }
        let env = self.wrap.env(self.services.env(plan, predecessor)?);
        let settings = Settings::new(plan.settings.clone());
        let metrics = self.metrics.of(&plan.id);
        let observer = self.wrap.instance_observer(&plan.id, metrics);
        let gate = Gate::new(plan, observer, self.runtime.watchdog());
        let (watching, wrap) = (Arc::clone(&gate), Arc::clone(&self.wrap));
        let creating = self.runtime.handle().spawn(aside(async move {
            let creation = async {
                let created = (registration.create)(settings, env).await;
                Ok(created.map(|instance| wrap.instance(watching.id(), instance)))
            };
            watching.watch(Hook::Create, || Box::pin(creation)).await
        }));
        let instance = self.within("created", creating).await??;
        Ok(Living {
            plan: plan.clone(),
            instance: Some(instance),
            gate,
            tasks: Vec::new(),
            is_started: false,
            runtime: self.runtime.handle().clone(),
            ending: Some(self.endings.begin()),
        })
    }

    async fn start(&self, living: &mut Living) -> Result<(), BuildError> {
        let (life, gate) = (Arc::clone(&living.instance().life), Arc::clone(&living.gate));
        let starting = self.runtime.handle().spawn(aside(async move {
            let start = async { Ok(life.begin().await) };
            gate.watch(Hook::Start, || Box::pin(start)).await
        }));
        let tasks = self.within("started", starting).await??;
        living.is_started = true;
        living.tasks =
            tasks.into_iter().map(|task| supervise(task, &living.gate, self.runtime.handle())).collect();
        Ok(())
    }

    /// Waits for a step in the life of an instance, with patience.
    async fn within<T>(
        &self,
        step: &str,
        mut running: JoinHandle<Result<T, gatewright_pipeline::Fault>>,
    ) -> Result<T, BuildError> {
        match tokio::time::timeout(CREATE_WITHIN, &mut running).await {
            Ok(Ok(Ok(done))) => Ok(done),
            Ok(Ok(Err(fault))) => Err(BuildError::new(format!("it {fault}, while it was {step}{REMEDY}"))),
            Ok(Err(error)) => {
                let text = error.try_into_panic().map(|payload| panic_text(&*payload));
                let text = text.unwrap_or_else(|_| "it was ended".into());
                Err(BuildError::new(format!("it was not {step}: {text}{REMEDY}")))
            }
            Err(_) => {
                running.abort();
                Err(BuildError::new(format!("it was not {step} within {CREATE_WITHIN:?}{REMEDY}")))
            }
        }
    }
}
