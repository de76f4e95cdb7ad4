//! From configuration files to validated settings and a plan.
//!
//! This crate is the only one that reads YAML and the process environment and that watches files.
//! It reports everything that is wrong at once, each problem at its file, line and column; it
//! knows the JSON Schema of the configuration and writes its reference page; it keeps the last
//! good configuration for the next start.
#![warn(missing_docs)]

mod build;
mod catalogue;
mod check;
mod decode;
mod extensions;
mod last_good;
mod load;
mod located;
mod manual;
mod nearest;
mod place;
mod position;
mod problem;
mod reference;
mod schema;
mod settings;
mod shape;
mod unit;
mod walk;
mod watch;

pub use catalogue::price;
pub use extensions::ExtensionCatalogue;
pub use last_good::{LastGood, LastGoodError, store_path};
pub use load::{Inputs, Loaded, load, load_sources};
pub use manual::reference_page;
pub use position::Source;
pub use problem::{ConfigErrors, Problem, Severity};
pub use reference::{Environment, ProcessEnvironment};
pub use schema::schema;
pub use settings::{
    AdminSettings, DrainSettings, Durability, ListenerLimits, ListenerSettings, LogFormat, OnLimitsLoss,
    RealtimeSettings, ResponsesSettings, Settings, SharedLimitsSettings, StoreSettings, TelemetrySettings,
    TlsSettings,
};
pub use watch::Watch;
