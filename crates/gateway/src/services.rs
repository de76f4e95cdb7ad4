//! What instances are given, and what of it outlives them.
//!
//! Caches, durable values, databases and metrics belong to an instance's id: a reload that makes a new instance hands
//! them on, and only an id that is gone for good loses them. Named secrets and the deadline of calls reach a running
//! instance when its configuration is put to use, and not before.

mod place;
mod secrets;

use std::any::Any;
use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::sync::{Arc, Weak};

use gatewright::service::limits::Limits;
use gatewright::service::{Clock, Random};
use gatewright::{BuildError, ExtEnv, InstanceId};
use gatewright_pipeline::with_causes;
use gatewright_policy::InstancePlan;
use gatewright_store::{Durability, FileKeyValue, FileSql, MemoryCache, StatePlace};
use gatewright_upstream::{Egress, EgressHttp, EgressSettings};
use parking_lot::Mutex;

use self::place::Place;
use self::secrets::NamedSecrets;
use crate::meters::Meters;

/// Makes the environment of every instance. One per process.
pub(crate) struct Services {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) limits: Arc<dyn Limits>,
    meters: Arc<Meters>,
    /// None while the configuration is only rehearsed.
    egress: Option<Egress>,
    place: Place,
    durability: Durability,
    kept: Mutex<Kept>,
}

/// What services are made of.
pub(crate) struct Foundation {
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) random: Arc<dyn Random>,
    pub(crate) limits: Arc<dyn Limits>,
    pub(crate) meters: Arc<Meters>,
}

/// What instances were given, by id.
#[derive(Default)]
struct Kept {
    /// Those of the configuration in use.
    current: HashMap<InstanceId, Given>,
    /// Those that were made for a configuration that is not in use yet.
    staged: HashMap<InstanceId, Given>,
}

#[derive(Clone)]
struct Given {
    extension: Arc<str>,
    // What the next instance of the id gets as well.
    cache: Arc<MemoryCache>,
    kv: Arc<FileKeyValue>,
    sql: Arc<FileSql>,
    // What a reload changes under a running instance.
    secrets: Arc<NamedSecrets>,
    http: Arc<EgressHttp>,
}

impl Services {
    /// Services for a process that serves: state below `data_dir`, calls outside on `egress`.
    pub(crate) fn live(base: Foundation, egress: Egress, data_dir: &Path, durability: Durability) -> Self {
        Self::new(base, Some(egress), Place::Kept(data_dir.to_owned()), durability)
    }

    /// Services that leave no trace: nothing is sent, state is in memory, and directories are gone in the end.
    pub(crate) fn rehearsal(base: Foundation) -> Self {
        Self::passing(base, None)
    }

    /// The same, with calls outside where there is an `egress`.
    pub(crate) fn passing(base: Foundation, egress: Option<Egress>) -> Self {
        let place = Place::passing(&*base.random);
        Self::new(base, egress, place, Durability::None)
    }

    fn new(base: Foundation, egress: Option<Egress>, place: Place, durability: Durability) -> Self {
        let Foundation { clock, random, limits, meters } = base;
        Self { clock, random, limits, meters, egress, place, durability, kept: Mutex::default() }
    }

    /// The environment of a new instance, which follows `predecessor` on its id.
    ///
    /// # Errors
    ///
    /// An entry under `egress` that cannot be called.
    pub(crate) fn env(
        &self,
        plan: &InstancePlan,
        predecessor: Option<Weak<dyn Any + Send + Sync>>,
    ) -> Result<ExtEnv, BuildError> {
        let http = self.http(plan)?;
        let mut kept = self.kept.lock();
        let given = self.give(plan, http, kept.current.get(&plan.id));
        kept.staged.insert(plan.id.clone(), given.clone());
        Ok(ExtEnv {
            instance: plan.id.clone(),
            clock: Arc::clone(&self.clock),
            random: Arc::clone(&self.random),
            limits: Arc::clone(&self.limits),
            http: given.http,
            cache: given.cache,
            kv: given.kv,
            sql: given.sql,
            secrets: given.secrets,
            meter: Arc::new(self.meters.meter(&plan.extension, &plan.id)),
            data_dir: self.place.directory(&plan.id),
            predecessor,
        })
    }

    /// The instances of these plans are the ones in use from now on: they see their plans' secrets and deadlines, and
    /// what belongs to other ids is forgotten.
    pub(crate) fn in_use(&self, plans: &[InstancePlan]) {
        let Kept { current, staged } = &mut *self.kept.lock();
        current.extend(staged.drain());
        for plan in plans {
            if let Some(given) = current.get(&plan.id) {
                given.secrets.replace(&plan.secrets);
                given.http.within(plan.deadline);
            }
        }
        let used: HashSet<&InstanceId> = plans.iter().map(|plan| &plan.id).collect();
        for (id, _) in current.extract_if(|id, _| !used.contains(id)) {
            self.meters.forget(&id);
        }
    }

    /// The configuration that instances were made for is not put to use.
    pub(crate) fn refused(&self) {
        let Kept { current, staged } = &mut *self.kept.lock();
        for (id, _) in staged.drain().filter(|(id, _)| !current.contains_key(id)) {
            self.meters.forget(&id);
        }
    }

    fn http(&self, plan: &InstancePlan) -> Result<EgressHttp, BuildError> {
        let settings = EgressSettings {
            origins: plan.egress.clone(),
            allow_private: plan.egress_private,
            metadata: plan.egress_metadata.clone(),
            deadline: plan.deadline,
        };
        let http = match &self.egress {
            Some(egress) => egress.http(&settings),
            None => EgressHttp::rehearsal(&settings),
        };
        http.map_err(|error| BuildError::new(with_causes(&error)))
    }

    /// Hands on what the id had before, if anything. A cache is not for another extension.
    fn give(&self, plan: &InstancePlan, http: EgressHttp, before: Option<&Given>) -> Given {
        let cache = match before.filter(|before| before.extension == plan.extension) {
            Some(before) if before.cache.bytes_max() == plan.cache_bytes => Arc::clone(&before.cache),
            Some(before) => Arc::new(before.cache.resized(plan.cache_bytes)),
            None => Arc::new(MemoryCache::new(plan.cache_bytes, Arc::clone(&self.clock))),
        };
        let (kv, sql) = match before {
            Some(before) => (Arc::clone(&before.kv), Arc::clone(&before.sql)),
            None => self.open_state(&plan.id),
        };
        Given {
            extension: Arc::clone(&plan.extension),
            cache,
            kv,
            sql,
            secrets: Arc::new(NamedSecrets::new(plan.secrets.clone())),
            http: Arc::new(http),
        }
    }

    fn open_state(&self, id: &InstanceId) -> (Arc<FileKeyValue>, Arc<FileSql>) {
        let place = |file: &str| match &self.place {
            Place::Kept(_) => StatePlace::File(self.place.directory(id).join(file)),
            Place::Passing(_) => StatePlace::Memory,
        };
        let kv = FileKeyValue::new(place("state.db"), self.durability, Arc::clone(&self.clock));
        (Arc::new(kv), Arc::new(FileSql::new(place("data.db"), self.durability)))
    }
}

#[cfg(test)]
mod tests;
