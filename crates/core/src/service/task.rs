//! Work in the background that the host supervises: started with the instance, restarted when it fails, ended
//! when the instance stops.

use crate::{BoxFuture, ExtError};

/// The most tasks of one instance.
pub const TASKS_MAX: usize = 16;

/// Makes one run of a task.
pub type TaskBody = Box<dyn FnMut() -> BoxFuture<'static, Result<(), ExtError>> + Send>;

/// A task that an instance wants to have run.
pub struct Task {
    /// Its name in logs and metrics.
    pub name: &'static str,
    /// Makes a run.
    pub body: TaskBody,
}

impl std::fmt::Debug for Task {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Task({})", self.name)
    }
}

/// Collects the tasks of an instance; [`Extension::start`](crate::Extension::start) fills it.
///
/// The host runs each task on the runtime of extensions. A run that returns `Ok` ends the task; one that returns
/// an error or panics is counted, logged, and started again after a pause that grows from 100 ms to 30 s. When
/// the instance stops, runs are dropped at their next await.
///
/// # Example
///
/// ```
/// use gatewright::prelude::*;
/// use gatewright::service::task::TaskScope;
/// use std::sync::Arc;
/// use std::sync::atomic::{AtomicU64, Ordering};
///
/// struct Refresh { runs: AtomicU64 }
///
/// fn start(refresh: &Arc<Refresh>, tasks: &mut TaskScope) {
///     let refresh = Arc::clone(refresh);
///     tasks.spawn("refresh", move || {
///         let refresh = Arc::clone(&refresh);
///         async move {
///             refresh.runs.fetch_add(1, Ordering::Relaxed);
///             Ok(())
///         }
///     });
/// }
/// ```
#[derive(Debug, Default)]
pub struct TaskScope(Vec<Task>);

impl TaskScope {
    /// Adds a task. Beyond [`TASKS_MAX`] nothing is added, and the answer is `false`.
    pub fn spawn<F, R>(&mut self, name: &'static str, mut run: F) -> bool
    where
        F: FnMut() -> R + Send + 'static,
        R: Future<Output = Result<(), ExtError>> + Send + 'static,
    {
        if self.0.len() >= TASKS_MAX {
            return false;
        }
        self.0.push(Task { name, body: Box::new(move || Box::pin(run())) });
        true
    }

    /// The tasks, for the host.
    #[must_use]
    pub fn into_tasks(self) -> Vec<Task> {
        self.0
    }
}
