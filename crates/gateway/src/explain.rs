//! `explain`: what a route runs, and what becomes of a request, without a call to a provider.
//!
//! Everything is built as `serve` would build it, with services that leave no trace. A request goes through the phases
//! of the pipeline itself. What is told stands in `chain`, `model` and `trial`; how it looks in `text` and `json`.

mod chain;
mod difference;
mod json;
mod limits;
mod live;
mod model;
mod text;
mod trial;

use std::collections::HashSet;
use std::io::Read as _;
use std::path::PathBuf;
use std::sync::Arc;

use bytes::Bytes;
use gatewright::dialect::Direct;
use gatewright::registry::Registry;
use gatewright::service::Clock;
use gatewright::{InstanceId, KEY_HEADERS, ModelName, Principal, TenantId};
use gatewright_config::{Loaded, Settings};
use gatewright_policy::{Plan, RoutePlan};
use gatewright_store::StatePlace;
use gatewright_upstream::Egress;
use http::{HeaderMap, HeaderName, HeaderValue, header};

use self::chain::Subject;
use self::limits::RehearsedLimits;
use self::live::LiveGateway;
use self::trial::{Inquiry, Stage, Trial};
use crate::Exit;
use crate::cli::{answer, load_or_say, say};
use crate::embed::Unwrapped;
use crate::engine::path_settings;
use crate::instances::{Instances, STOP_WITHIN, Workshop};
use crate::keeping;
use crate::reload::{Built, build};
use crate::runtime::ExtensionRuntime;
use crate::services::{Foundation, Services};

/// The largest body that is read.
const BODY_BYTES_MAX: u64 = 256 * 1024 * 1024;
/// Stands for a caller that nobody named.
const ANYONE: &str = "anyone";

/// What is asked of `explain`.
#[derive(Debug, clap::Args)]
pub(crate) struct Arguments {
    /// The route; all of them where neither it nor a request is given
    route: Option<String>,
    /// The configuration, as for `serve`
    #[arg(long, short, value_name = "FILE")]
    pub(crate) config: Vec<PathBuf>,
    /// Take this request body along the path, step by step; `-` is standard input
    #[arg(long, value_name = "FILE")]
    body: Option<PathBuf>,
    /// The model: one of the route's, or in place of the one in the body
    #[arg(long, value_name = "NAME")]
    model: Option<String>,
    /// The caller's tenant
    #[arg(long, value_name = "NAME")]
    tenant: Option<String>,
    /// The label of the caller's key, not the key itself
    #[arg(long, value_name = "LABEL")]
    key: Option<String>,
    /// The path of the request
    #[arg(long, value_name = "PATH", default_value = "/v1/chat/completions")]
    path: String,
    /// A header of the request; with a credential, and without --tenant and --key, the authenticators say who calls
    #[arg(long, value_name = "NAME: VALUE")]
    header: Vec<String>,
    /// Call hooks that reach outside, too: those of instances with `egress`. Instances are then started as well
    #[arg(long)]
    run_external: bool,
    /// The admin listener of the running gateway, for what remains of limits. Default: the one in the configuration
    #[arg(long, value_name = "URL")]
    admin: Option<String>,
    /// Answer in JSON
    #[arg(long)]
    json: bool,
}

/// Why there is no explanation.
struct Fault(Exit, String);

impl Fault {
    fn usage(text: impl Into<String>) -> Self {
        Self(Exit::Usage, text.into())
    }

    fn config(text: impl Into<String>) -> Self {
        Self(Exit::Config, text.into())
    }
}

/// Explains.
pub(crate) fn explain(linked: &Registry, arguments: &Arguments, files: &[PathBuf]) -> Exit {
    let loaded = match load_or_say(linked, files) {
        Ok(loaded) => loaded,
        Err(exit) => return exit,
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => {
            say(&format!("error: the runtime cannot be started: {error}"));
            return Exit::Resource;
        }
    };
    match runtime.block_on(explained(linked, arguments, loaded)) {
        Ok(text) => answer(text.trim_end()),
        Err(Fault(exit, text)) => {
            say(&text);
            exit
        }
    }
}

async fn explained(linked: &Registry, arguments: &Arguments, loaded: Loaded) -> Result<String, Fault> {
    let headers = headers_of(&arguments.header).map_err(Fault::usage)?;
    let body = arguments.body.as_ref().map(read_body).transpose().map_err(Fault::usage)?;
    let runtime =
        ExtensionRuntime::start().map_err(|error| Fault(Exit::Resource, format!("error: {error:#}")))?;
    let egress = Egress::new(runtime.handle().clone());
    let found = match &body {
        Some(_) => find_gateway(&egress, arguments, &loaded.settings).await,
        None => Err("nobody was asked".to_owned()),
    };
    let limits_from = found.as_ref().map(|gateway| gateway.url().to_owned()).map_err(Clone::clone);
    let clock: Arc<dyn Clock> = Arc::new(crate::clock::SystemClock);
    let limits = Arc::new(RehearsedLimits::new(Arc::clone(&clock), found.ok()));
    let workshop =
        workshop(linked, runtime, (clock, Arc::clone(&limits)), arguments.run_external.then_some(egress));
    let built = build(loaded, &workshop, &Instances::new(), None).await.map_err(Fault::config)?;
    workshop.put_to_use(&built.plans, &built.instances, &Instances::new());
    let asker = Asker { linked, arguments, headers };
    let text = match body {
        None => {
            let text = asker.routes(&built);
            drop(built);
            text
        }
        Some(body) => asker.request(&workshop, built, body, (&limits, limits_from)).await,
    };
    // Whatever was started is stopped, and directories are gone, before the process is.
    workshop.endings.all(STOP_WITHIN).await;
    text
}

/// What instances are made with: nothing is kept, and nothing is sent unless there is an `egress`.
fn workshop(
    linked: &Registry,
    runtime: ExtensionRuntime,
    (clock, limits): (Arc<dyn Clock>, Arc<RehearsedLimits>),
    egress: Option<Egress>,
) -> Workshop {
    let random = Arc::new(crate::random::ThreadRandom);
    let base = Foundation { clock, random, limits, meters: Arc::default() };
    Workshop {
        registry: linked.clone(),
        rehearses: egress.is_none(),
        services: Services::passing(base, egress),
        metrics: crate::metrics::InstanceFamilies::default(),
        runtime,
        endings: crate::ending::Endings::default(),
        wrap: Arc::new(Unwrapped),
    }
}

async fn find_gateway(
    egress: &Egress,
    arguments: &Arguments,
    settings: &Settings,
) -> Result<LiveGateway, String> {
    let configured = || live::url_of(settings.admin.address);
    match arguments.admin.clone().or_else(configured) {
        Some(url) => LiveGateway::find(egress, &url).await,
        None => Err("the system chooses the port of the admin listener; name it with --admin".to_owned()),
    }
}

/// Who asks, and for what.
struct Asker<'a> {
    linked: &'a Registry,
    arguments: &'a Arguments,
    headers: HeaderMap,
}

impl Asker<'_> {
    /// What the routes run.
    fn routes(&self, built: &Built) -> Result<String, Fault> {
        let plan = &built.snapshot.plan;
        let subject = Subject {
            registry: self.linked,
            snapshot: &built.snapshot,
            plans: &built.plans,
            instances: &built.instances,
            principal: Arc::new(self.principal()),
            model: self.arguments.model.as_deref(),
        };
        if let Some(model) = self.arguments.model.as_deref().filter(|model| plan.model(model).is_none()) {
            return Err(Fault::usage(format!("error: there is no model `{model}`")));
        }
        let views: Vec<_> = self.wanted(plan)?.into_iter().map(|route| subject.route(route)).collect();
        Ok(if self.arguments.json { json::routes(&views).to_string() } else { text::routes(&views) })
    }

    /// The routes that are asked about: the one that is named, the one that an exchange would take, or all.
    fn wanted<'p>(&self, plan: &'p Plan) -> Result<Vec<&'p Arc<RoutePlan>>, Fault> {
        let Arguments { route, tenant, model, path, .. } = self.arguments;
        if let Some(name) = route {
            let found = plan.routes.iter().find(|route| route.name.as_str() == name);
            return found.map(|route| vec![route]).ok_or_else(|| {
                let names: Vec<_> = plan.routes.iter().map(|route| route.name.as_str()).collect();
                Fault::usage(format!("error: there is no route `{name}`; routes: {}", names.join(", ")))
            });
        }
        if tenant.is_none() && model.is_none() {
            return Ok(plan.routes.iter().collect());
        }
        let caller = self.principal();
        let found = plan.route(path, &caller.tenant, model.as_deref());
        found.map(|route| vec![route]).ok_or_else(|| {
            let model = model.as_deref().map(|model| format!(" and the model `{model}`")).unwrap_or_default();
            Fault::config(format!("no route takes {path} for the tenant `{}`{model}", caller.tenant))
        })
    }

    /// What becomes of a request.
    async fn request(
        &self,
        workshop: &Workshop,
        built: Built,
        body: Bytes,
        (limits, limits_from): (&RehearsedLimits, Result<String, String>),
    ) -> Result<String, Fault> {
        let stage = Stage {
            clock: Arc::clone(&workshop.services.clock),
            random: Arc::clone(&workshop.services.random),
            // What the process that serves has kept is not looked at.
            keep: keeping::open(&built.settings, StatePlace::Memory, &workshop.services.clock)
                .map(|keep| keep as _),
            isolation: workshop.runtime.handle().clone(),
            settings: path_settings(&built.settings),
        };
        let principal = (!self.asks_authenticators()).then(|| Arc::new(self.principal()));
        let is_given = principal.is_some();
        let inquiry = Inquiry {
            path: self.arguments.path.clone(),
            headers: self.headers.clone(),
            body,
            model: self.arguments.model.clone(),
            principal,
            withheld: self.withheld(&built),
        };
        let snapshot = Arc::new(built.snapshot);
        let (rehearsal, body) = trial::run(Arc::clone(&snapshot), stage, inquiry)
            .await
            .map_err(|text| Fault::usage(format!("error: {text}")))?;
        let model =
            rehearsal.model.as_ref().map(ModelName::as_str).and_then(|name| snapshot.plan.model(name));
        let trial = Trial {
            path: self.arguments.path.clone(),
            is_given,
            edits: trial::edits_of(&rehearsal.steps),
            routing: trial::routing_of(&rehearsal, &body),
            asked: limits.asked(),
            limits_from,
            strategy: model.map(|model| model::strategy(model.strategy)),
            route_asked: self.arguments.route.clone(),
            rehearsal,
        };
        Ok(if self.arguments.json { json::trial(&trial).to_string() } else { text::trial(&trial) })
    }

    /// The instances that reach outside, unless they may.
    fn withheld(&self, built: &Built) -> HashSet<InstanceId> {
        let reaching =
            built.plans.iter().filter(|plan| !self.arguments.run_external && !plan.egress.is_empty());
        reaching.map(|plan| plan.id.clone()).collect()
    }

    /// Whether a credential is to be looked at in place of a name.
    fn asks_authenticators(&self) -> bool {
        let has_credential = std::iter::once(&header::AUTHORIZATION.as_str())
            .chain(&KEY_HEADERS)
            .any(|name| self.headers.contains_key(*name));
        has_credential && self.arguments.tenant.is_none() && self.arguments.key.is_none()
    }

    fn principal(&self) -> Principal {
        let named = |name: &Option<String>| name.clone().unwrap_or_else(|| ANYONE.to_owned());
        let caller =
            Principal::new(TenantId::new(&named(&self.arguments.tenant)), &named(&self.arguments.key));
        // Nobody asks whether the key may do what is explained, and what passes through must be named.
        let models = ["*".to_owned(), Direct::model("*")];
        Principal { models: models.iter().map(|name| Arc::from(&**name)).collect(), ..caller }
    }
}

fn headers_of(lines: &[String]) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for line in lines {
        let wrong = || format!("error: `{line}` is no header; write it as `name: value`");
        let (name, value) = line.split_once(':').ok_or_else(wrong)?;
        let name = HeaderName::try_from(name.trim()).map_err(|_| wrong())?;
        headers.append(name, HeaderValue::try_from(value.trim()).map_err(|_| wrong())?);
    }
    Ok(headers)
}

fn read_body(path: &PathBuf) -> Result<Bytes, String> {
    let failed = |error: std::io::Error| format!("error: cannot read {}: {error}", path.display());
    let mut bytes = Vec::new();
    if path.as_os_str() == "-" {
        std::io::stdin().take(BODY_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    } else {
        let file = std::fs::File::open(path).map_err(failed)?;
        file.take(BODY_BYTES_MAX).read_to_end(&mut bytes).map_err(failed)?;
    }
    Ok(bytes.into())
}
