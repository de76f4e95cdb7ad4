//! One request taken along the path by the phases of the pipeline, without a call to a provider.

use std::collections::HashSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::AtomicU64;

use arc_swap::ArcSwap;
use bytes::Bytes;
use gatewright::dialect::{Address, Codec};
use gatewright::service::keep::Keep;
use gatewright::service::{Clock, Random};
use gatewright::{Failure, FailureKind, InstanceId, LlmRequest, Principal, Side};
use gatewright_pipeline::state::{ReadBody, Received};
use gatewright_pipeline::{
    CutSwitch, Decision, Ending, Flow, NoLedger, PathSettings, Rehearsal, Script, Silent, Snapshot, Step,
    Worker, at_hand, exchange,
};
use gatewright_server::{CALLS, call_of};
use gatewright_store::MemoryCache;
use gatewright_upstream::Upstream;
use gatewright_wire::passthrough;
use http::request::Parts;
use http::{HeaderMap, Method, Request};

use super::difference::{Edit, difference};
use super::limits::Asked;

/// A request to be taken along the path.
pub(super) struct Inquiry {
    pub(super) path: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Asked for in place of the model in the body.
    pub(super) model: Option<String>,
    /// The caller; where none is given, the authenticators are asked.
    pub(super) principal: Option<Arc<Principal>>,
    /// The instances whose hooks are not called.
    pub(super) withheld: HashSet<InstanceId>,
}

/// What came of it.
pub(super) struct Trial {
    pub(super) path: String,
    /// The route that was asked about, if one was.
    pub(super) route_asked: Option<String>,
    /// Whether the caller was given and not found out.
    pub(super) is_given: bool,
    pub(super) rehearsal: Rehearsal,
    /// The edits of each step.
    pub(super) edits: Vec<Vec<Edit>>,
    /// What the gateway itself changes in the body on the way to the provider.
    pub(super) routing: Vec<Edit>,
    pub(super) asked: Vec<Asked>,
    /// Where the limits come from, or why they are not known.
    pub(super) limits_from: Result<String, String>,
    /// How the target is chosen where no instance does.
    pub(super) strategy: Option<&'static str>,
}

/// What the path needs beside the request.
pub(super) struct Stage {
    pub(super) clock: Arc<dyn Clock>,
    pub(super) random: Arc<dyn Random>,
    pub(super) keep: Option<Arc<dyn Keep>>,
    pub(super) isolation: tokio::runtime::Handle,
    pub(super) settings: PathSettings,
}

/// The codec of a path, which may have a query.
///
/// # Errors
///
/// The paths that there are.
pub(super) fn codec_of(path: &str) -> Result<(&'static dyn Codec, Address), String> {
    let (path, query) = path.split_once('?').map_or((path, None), |(path, query)| (path, Some(query)));
    if path.starts_with(passthrough::PREFIX) {
        let address = passthrough::address(&Method::POST, path, query);
        return address
            .map(|address| (passthrough::codec(), address))
            .map_err(|failure| failure.message.into());
    }
    let found = call_of(path).map(|(call, address)| (call.codec(query), address));
    found.ok_or_else(|| {
        let known: Vec<_> = CALLS.iter().map(|call| call.path).collect();
        format!("`{path}` takes no request for a model; --path is one of {}", known.join(", "))
    })
}

/// Takes the request along the path.
///
/// # Errors
///
/// The path of the request takes none, or is no path.
///
/// # Cancellation
///
/// What was claimed is given back.
pub(super) async fn run(
    snapshot: Arc<Snapshot>,
    stage: Stage,
    inquiry: Inquiry,
) -> Result<(Rehearsal, Bytes), String> {
    let (codec, address) = codec_of(&inquiry.path)?;
    let head = head_of(&inquiry)?;
    let body = with_model((codec, &address), (&head.headers, inquiry.body), inquiry.model.as_deref());
    let worker = Arc::new(Worker {
        snapshots: Arc::new(ArcSwap::new(snapshot)),
        upstream: Upstream::new(),
        clock: Arc::clone(&stage.clock),
        random: stage.random,
        turns: AtomicU64::new(0),
        observer: Arc::new(Silent),
        ledger: Arc::new(NoLedger),
        cut: CutSwitch::default(),
        vault: Arc::new(MemoryCache::new(0, stage.clock)),
        keep: stage.keep,
        isolation: stage.isolation,
        home: (std::thread::current().id(), tokio::runtime::Handle::current()),
        settings: PathSettings { access_log: false, trace_header: false, ..stage.settings },
    });
    let peer = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    let received = Received { head, peer, tls: false, address, body: Given(body.clone()) };
    let script = Script { principal: inquiry.principal, withheld: inquiry.withheld };
    Ok((exchange::rehearse(&worker, codec, received, script).await, body))
}

fn head_of(inquiry: &Inquiry) -> Result<Parts, String> {
    let request = Request::builder().method(Method::POST).uri(&inquiry.path).body(());
    let (mut head, ()) = request.map_err(|error| format!("--path: {error}"))?.into_parts();
    head.headers = inquiry.headers.clone();
    Ok(head)
}

/// The body under another model's name. One that cannot be read stays as it is: the path says what is wrong.
fn with_model(
    (codec, address): (&dyn Codec, &Address),
    (headers, body): (&HeaderMap, Bytes),
    model: Option<&str>,
) -> Bytes {
    let Some(model) = model else { return body };
    let decoded = match codec.lead_reader(headers, address) {
        Ok(None) => codec.decode_request_at(body.clone(), address),
        Ok(Some(mut reader)) => {
            let read = reader.push(body.clone());
            read.and_then(|()| reader.decode(true)).map(|led| led.document)
        }
        Err(failure) => Err(failure),
    };
    match decoded {
        Ok(document) => {
            let mut request = LlmRequest::new(document);
            request.set_model(model);
            request.to_body()
        }
        Err(_) => body,
    }
}

/// A body that is there already.
struct Given(Bytes);

impl ReadBody for Given {
    async fn read(self, bytes_max: u64) -> Result<Bytes, Failure> {
        too_long(&self.0, bytes_max).map_or(Ok(self.0), Err)
    }

    fn flow(self, bytes_max: u64) -> Result<Flow, Failure> {
        too_long(&self.0, bytes_max).map_or_else(|| Ok(at_hand(self.0)), Err)
    }
}

/// A body over the cap is refused, as a listener refuses it.
fn too_long(body: &Bytes, bytes_max: u64) -> Option<Failure> {
    let is_over = u64::try_from(body.len()).unwrap_or(u64::MAX) > bytes_max;
    let text = format!("the request body is larger than {bytes_max} bytes; send a shorter request");
    is_over.then(|| Failure::new(Side::Client, FailureKind::TooLarge, text))
}

/// The edits of each step, in the order of the steps.
pub(super) fn edits_of(steps: &[Step]) -> Vec<Vec<Edit>> {
    let edits = |step: &Step| step.edit.as_ref().map(|(old, new)| difference(old, new)).unwrap_or_default();
    steps.iter().map(edits).collect()
}

/// The instances that were not called.
pub(super) fn withheld_of(steps: &[Step]) -> Vec<&InstanceId> {
    let mut withheld: Vec<_> = steps
        .iter()
        .filter(|step| matches!(step.decision, Decision::Withheld))
        .map(|step| &step.instance)
        .collect();
    withheld.sort();
    withheld.dedup();
    withheld
}

/// What the gateway itself changed in a body after the last step that did.
pub(super) fn routing_of(rehearsal: &Rehearsal, body: &Bytes) -> Vec<Edit> {
    let Ending::Ready(call) = &rehearsal.ending else { return Vec::new() };
    let acting = rehearsal.steps.iter().filter(|step| !step.is_shadow);
    let last = acting.filter_map(|step| step.edit.as_ref()).next_back();
    difference(last.map_or(body, |(_, after)| after), &call.body)
}
