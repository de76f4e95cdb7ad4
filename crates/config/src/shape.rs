//! The shape of the configuration file. The doc comments are the manual: the schema and the
//! reference page are made from them.

pub(crate) mod extension;
pub(crate) mod listener;
pub(crate) mod model;
pub(crate) mod process;
pub(crate) mod provider;
pub(crate) mod route;

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::Deserialize;

use self::extension::Instance;
use self::listener::{Admin, Listener};
use self::model::Model;
use self::process::{Drain, Realtime, Store, Telemetry};
use self::provider::Provider;
use self::route::{Route, Tenant};

/// The configuration of a gateway.
///
/// Any text may hold references: `${env:NAME}` for an environment variable, `${file:PATH}` for the
/// content of a file, whose relative path starts at the configuration file, and `$${` for a
/// literal `${`.
/// Durations are a whole number and a unit (`250ms`, `5s`, `30m`, `24h`, `7d`).
/// Sizes are bytes, or a whole number and a unit (`64KiB`, `10MiB`).
/// Prices are numbers of US dollars with up to nine decimals.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "Gatewright configuration")]
pub(crate) struct Shape {
    /// Where clients connect.
    #[serde(default = "listener::default_listeners")]
    #[schemars(length(min = 1))]
    pub(crate) listeners: Vec<Listener>,

    /// The listener for operators: `/livez`, `/readyz` and `/metrics`.
    #[serde(default)]
    pub(crate) admin: Admin,

    /// The number of worker threads, at least 2. The default is the number of cores.
    ///
    /// Set it where the gateway shares a machine with other programs.
    #[schemars(range(min = 2, max = 1024))]
    pub(crate) workers: Option<u16>,

    /// How the process ends on SIGTERM.
    #[serde(default)]
    pub(crate) drain: Drain,

    /// Bounds of realtime sessions.
    #[serde(default)]
    pub(crate) realtime: Realtime,

    /// Where usage records are kept.
    #[serde(default)]
    pub(crate) store: Store,

    /// What the process says about itself: log lines, a line for each exchange.
    #[serde(default)]
    pub(crate) telemetry: Telemetry,

    /// The providers by the names that targets refer to.
    #[serde(default)]
    pub(crate) providers: BTreeMap<String, Provider>,

    /// The models by the public names that clients ask for.
    #[serde(default)]
    pub(crate) models: BTreeMap<String, Model>,

    /// The ids of the instances that may accept a caller, asked in order. The first that does not
    /// abstain decides; where all abstain, the caller gets a 401.
    #[serde(default)]
    pub(crate) authenticate: Vec<String>,

    /// The ids of the instances that receive audit records: refusals, cuts, failures of extensions, reloads.
    #[serde(default)]
    pub(crate) audit: Vec<String>,

    /// The extension instances.
    #[serde(default)]
    pub(crate) extensions: Vec<Instance>,

    /// The routes. The first that matches serves the request; where none does, the client gets a
    /// 404.
    #[serde(default)]
    pub(crate) routes: Vec<Route>,

    /// Settings of single tenants. Tenants that are not listed get the defaults.
    #[serde(default)]
    pub(crate) tenants: BTreeMap<String, Tenant>,
}
