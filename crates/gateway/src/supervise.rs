//! Background tasks of instances: started again when they fail, counted, ended with their instance.

use std::sync::Arc;
use std::time::{Duration, Instant};

use gatewright::service::task::Task;
use gatewright_pipeline::{Fault, Gate, Hook, HookResult, aside};
use tokio::runtime::Handle;
use tokio::task::JoinHandle;

/// The first pause before a task is started again; it doubles with each failure.
const PAUSE_MIN: Duration = Duration::from_millis(100);
/// The longest pause.
const PAUSE_MAX: Duration = Duration::from_secs(30);
/// A run of this length was a good one: the pause is short again.
const GOOD_RUN: Duration = Duration::from_secs(60);

/// Runs a task until it ends well or is aborted.
pub(crate) fn supervise(task: Task, gate: &Arc<Gate>, runtime: &Handle) -> JoinHandle<()> {
    let gate = Arc::clone(gate);
    runtime.spawn(aside(run(task, gate)))
}

async fn run(mut task: Task, gate: Arc<Gate>) {
    let mut pause = PAUSE_MIN;
    loop {
        let began = Instant::now();
        let result = gate.watch(Hook::Task, || (task.body)()).await;
        let took = began.elapsed();
        let came_of_it = result.as_ref().map_or_else(Fault::result, |()| HookResult::Passed);
        gate.observer().called(Hook::Task, came_of_it, 1, took);
        let Err(fault) = result else {
            tracing::debug!(instance = %gate.id(), task = task.name, "Extension task is done");
            return;
        };
        gate.observer().failed(Hook::Task, came_of_it, None);
        pause = if took >= GOOD_RUN { PAUSE_MIN } else { pause };
        let cause = fault.to_string();
        tracing::warn!(instance = %gate.id(), hook = "task", task = task.name, cause, ?pause, "Extension task failed");
        tokio::time::sleep(pause).await;
        pause = (pause * 2).min(PAUSE_MAX);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicU32, Ordering};

    use gatewright::service::task::TaskScope;
    use gatewright::{ExtError, InstanceId};
    use gatewright_pipeline::{Silent, Watchdog};
    use gatewright_policy::InstancePlan;
    use tokio::sync::mpsc;

    use super::*;

    /// A task that fails, panics, and then says how often it ran.
    fn troubled(said: mpsc::Sender<u32>) -> Task {
        let runs = Arc::new(AtomicU32::new(0));
        let mut scope = TaskScope::default();
        scope.spawn("troubled", move || {
            let (run, said) = (runs.fetch_add(1, Ordering::Relaxed) + 1, said.clone());
            async move {
                match run {
                    1 => Err(ExtError::new("not yet")),
                    2 => panic!("not yet either"),
                    _ => Ok(said.send(run).await?),
                }
            }
        });
        scope.into_tasks().remove(0)
    }

    #[tokio::test(start_paused = true)]
    async fn a_task_that_fails_or_panics_is_started_again_until_it_ends_well() {
        let plan = InstancePlan::new(InstanceId::new("one"), "test.one", serde_json::Value::Null);
        let gate = Gate::new(&plan, Arc::new(Silent), &Watchdog::default());
        let (sender, mut said) = mpsc::channel(1);
        supervise(troubled(sender), &gate, &Handle::current());
        assert_eq!(said.recv().await, Some(3));
        assert_eq!(said.recv().await, None, "a task that ended well is not started again");
    }
}
