//! What is kept for tenants from one exchange to a later one: where, how much, and who removes what is over.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::Duration;

use gatewright::service::Clock;
use gatewright_config::{ResponsesSettings, Settings};
use gatewright_pipeline::with_causes;
use gatewright_store::{FileKeep, KeepSettings, StatePlace};
use tokio::runtime::Handle;

/// Time between two removals of what is over.
const SWEEP_EVERY: Duration = Duration::from_secs(60);

/// The file of a process that serves, beside that of its records.
pub(crate) fn file(settings: &Settings) -> StatePlace {
    let path: &Path = &settings.store.path;
    StatePlace::File(path.with_extension("kept.db"))
}

/// What is kept there, where anything is.
pub(crate) fn open(settings: &Settings, place: StatePlace, clock: &Arc<dyn Clock>) -> Option<Arc<FileKeep>> {
    let ResponsesSettings { answer_bytes_max, tenant_bytes_max, .. } = settings.store.responses?;
    let bounds =
        KeepSettings { object_bytes_max: answer_bytes_max, tenant_bytes_max, ..KeepSettings::default() };
    let durability = crate::serve::durability(settings);
    Some(Arc::new(FileKeep::new(place, durability, bounds, Arc::clone(clock))))
}

/// Removes what is over, for as long as somebody keeps anything.
pub(crate) fn sweep(keep: &Arc<FileKeep>, clock: &Arc<dyn Clock>, on: &Handle) {
    on.spawn(sweeping(Arc::downgrade(keep), Arc::clone(clock)));
}

async fn sweeping(keep: Weak<FileKeep>, clock: Arc<dyn Clock>) {
    loop {
        clock.sleep(SWEEP_EVERY).await;
        let Some(keep) = keep.upgrade() else { return };
        match keep.sweep().await {
            Ok(0) => {}
            Ok(removed) => tracing::debug!(removed, "Kept objects whose time was over are removed"),
            Err(error) => tracing::warn!(error = with_causes(&error), "Kept objects cannot be removed"),
        }
    }
}
