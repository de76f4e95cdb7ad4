//! One request from its head to the script that answers it.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::{Bytes, BytesMut};
use http::header::AUTHORIZATION;
use http::{HeaderName, HeaderValue, Request, Response, request};
use http_body_util::BodyExt;
use hyper::body::Incoming;
use parking_lot::Mutex;
use tokio::sync::watch;

use super::ProviderSettings;
use super::behaviour::Behaviour;
use super::body::ScriptBody;
use super::connection::Control;
use super::endpoint::{self, Endpoint, Facts, Route};
use super::prerender::Prerendered;
use super::record::{Exchange, Outcome, RecordedRequest};
use super::refusal::{self, Refused};
use super::script::{Answer, Script};
use super::{cohere, converse, google, messages, model, ollama, plan, realtime, wire};

/// The longest request body.
pub const REQUEST_BYTES_MAX: usize = 64 * 1024 * 1024;
/// The most requests that are remembered; the oldest go first.
pub const RECORDS_MAX: usize = 10_000;
/// The most model names whose `fail_first` is counted.
const COUNTED_MODELS_MAX: usize = 1_000;

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// What all connections of one provider share.
#[derive(Debug)]
pub(super) struct Provider {
    pub(super) settings: ProviderSettings,
    pub(super) queue: Mutex<VecDeque<Answer>>,
    pub(super) records: Mutex<VecDeque<Arc<RecordedRequest>>>,
    /// How many requests have been recorded, told to those who wait for the next.
    pub(super) recorded: watch::Sender<u64>,
    pub(super) connections: AtomicU64,
    refusals: Mutex<HashMap<String, u32>>,
    prerendered: Prerendered,
    answers: AtomicU64,
    heads: AtomicU64,
    /// When the provider started, in seconds since 1970.
    created: u64,
}

/// The connection is to be broken off or has been taken over: HTTP has no answer.
#[derive(Debug, thiserror::Error)]
#[error("the provider leaves the connection without an answer")]
pub(super) struct NoAnswer;

impl Provider {
    pub(super) fn new(settings: ProviderSettings) -> Self {
        let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
        Self {
            settings,
            queue: Mutex::default(),
            records: Mutex::default(),
            recorded: watch::Sender::new(0),
            connections: AtomicU64::new(0),
            refusals: Mutex::default(),
            prerendered: Prerendered::default(),
            answers: AtomicU64::new(0),
            heads: AtomicU64::new(0),
            created: now.map_or(0, |now| now.as_secs()),
        }
    }

    /// Answers one request.
    ///
    /// # Cancellation
    /// Dropped when the client goes away; the record says so.
    pub(super) async fn serve(
        &self,
        request: Request<Incoming>,
        connection: u64,
        control: Arc<Control>,
    ) -> Result<Response<ScriptBody>, NoAnswer> {
        let (head, mut body) = request.into_parts();
        if let Some(script) = self.prerendered(&head, &mut body).await {
            return self.play(script, Exchange::unrecorded(), control).await;
        }
        let body = read(&mut body).await;
        let exchange = self.record(&head, body.bytes(), connection);
        let queued = self.queue.lock().pop_front();
        let script = match queued {
            Some(Answer::Scripted(script)) => script,
            Some(Answer::Model(model)) => self.script(&head, &body, Some(&model), &exchange),
            Some(Answer::Wire(steps)) => {
                control.take_over(steps, exchange);
                return Err(NoAnswer);
            }
            None if head.uri.path() == realtime::PATH => match self.session(&head, &body, &exchange) {
                Ok(Ok(session)) => {
                    control.switch(session.recorded_in(exchange));
                    return Err(NoAnswer);
                }
                Ok(Err(script)) => script,
                Err(refused) => refused.script(),
            },
            None => self.script(&head, &body, None, &exchange),
        };
        self.play(script, exchange, control).await
    }

    async fn prerendered(&self, head: &request::Parts, body: &mut Incoming) -> Option<Script> {
        if !self.settings.prerender {
            return None;
        }
        match endpoint::route(&head.method, head.uri.path()) {
            Ok(Route::Post(endpoint)) => {
                self.prerendered.answer(endpoint, body, self.settings.events_per_second).await
            }
            Ok(Route::Models | Route::Model(_) | Route::Google(..) | Route::Converse(..)) | Err(_) => None,
        }
    }

    fn record(&self, head: &request::Parts, body: &Bytes, connection: u64) -> Exchange {
        if !self.settings.record {
            return Exchange::unrecorded();
        }
        let request = Arc::new(RecordedRequest::new(head.clone(), body.clone(), connection));
        let mut records = self.records.lock();
        if records.len() == RECORDS_MAX {
            records.pop_front();
        }
        records.push_back(Arc::clone(&request));
        // Under the lock, so that the count and the list agree.
        self.recorded.send_modify(|count| *count += 1);
        Exchange::recorded(request)
    }

    /// What the request asks for, or `model` in place of its own model name.
    fn script(
        &self,
        head: &request::Parts,
        body: &Upload,
        model: Option<&str>,
        exchange: &Exchange,
    ) -> Script {
        self.try_script(head, body, model, exchange).unwrap_or_else(|refused| match head.uri.path() {
            path if google::is_path(path) => google::refused(&refused),
            path if messages::is_path(path) => messages::refused(&refused),
            path if converse::is_path(path) => converse::refused(&refused),
            cohere::PATH => cohere::refused(&refused),
            ollama::PATH => ollama::refused(&refused),
            _ => refused.script(),
        })
    }

    fn try_script(
        &self,
        head: &request::Parts,
        body: &Upload,
        model: Option<&str>,
        exchange: &Exchange,
    ) -> Result<Script, Refused> {
        self.check_key(head, body)?;
        let endpoint = match endpoint::route(&head.method, head.uri.path())? {
            Route::Post(endpoint) => endpoint,
            Route::Models => return Ok(Script::json(&model::list(self.created))),
            Route::Model(id) => return Ok(Script::json(&model::retrieve(id, self.created))),
            Route::Google(named, call) => {
                let asked = (call, head.uri.query());
                return self.google(asked, &google::model(named), body, model, exchange);
            }
            Route::Converse(named, call) => {
                return self.converse(call, &google::model(named), body, model, exchange);
            }
        };
        let Upload::Whole(body) = body else { return Err(Refused::too_large()) };
        let request = endpoint::parse(endpoint, &head.headers, body)?;
        let named = request["model"].as_str().unwrap_or_default();
        exchange.name_model(named);
        let model = model.unwrap_or(named);
        let behaviour = Behaviour::from_model(model)?;
        let is_messages = messages::is_path(head.uri.path());
        if is_messages {
            messages::check_head(&head.headers)?;
        }
        if let Some(script) = self.refuse(model, &behaviour) {
            return Ok(match &behaviour.refusal {
                Some(refusal) if is_messages => messages::asked_for(refusal, script),
                Some(refusal) if endpoint == Endpoint::Cohere => cohere::asked_for(refusal, script),
                Some(refusal) if endpoint == Endpoint::Ollama => ollama::asked_for(refusal, script),
                _ => script,
            });
        }
        let facts = self.facts(endpoint.id_prefix());
        endpoint::answer(endpoint, &request, &behaviour, &facts)
    }

    /// Opens a session, unless the model name asks for a refusal.
    fn session(
        &self,
        head: &request::Parts,
        body: &Upload,
        exchange: &Exchange,
    ) -> Result<Result<realtime::Session, Script>, Refused> {
        self.check_key(head, body)?;
        let (offer, model) = realtime::offer(head)?;
        exchange.name_model(&model);
        let behaviour = Behaviour::from_model(&model)?;
        if let Some(script) = self.refuse(&model, &behaviour) {
            return Ok(Err(script));
        }
        let Facts { id, rate, .. } = self.facts("sess");
        Ok(Ok(realtime::Session::new(offer, model, id, behaviour, rate)))
    }

    /// Answers a call of the face whose paths name the model.
    fn google(
        &self,
        asked: (google::Call, Option<&str>),
        named: &str,
        body: &Upload,
        model: Option<&str>,
        exchange: &Exchange,
    ) -> Result<Script, Refused> {
        let Upload::Whole(body) = body else { return Err(Refused::too_large()) };
        exchange.name_model(named);
        let model = model.unwrap_or(named);
        let behaviour = Behaviour::from_model(model)?;
        if let Some(script) = self.refuse(model, &behaviour) {
            return Ok(behaviour.refusal.as_ref().map_or(script.clone(), |refusal| Script {
                before: script.before.clone(),
                ..google::asked_for(refusal, script)
            }));
        }
        let facts = self.facts("resp");
        google::answer(asked, body, named, &behaviour, &facts)
    }

    /// Answers a call of the other face whose paths name the model.
    fn converse(
        &self,
        call: converse::Call,
        named: &str,
        body: &Upload,
        model: Option<&str>,
        exchange: &Exchange,
    ) -> Result<Script, Refused> {
        let Upload::Whole(body) = body else { return Err(Refused::too_large()) };
        exchange.name_model(named);
        let model = model.unwrap_or(named);
        let behaviour = Behaviour::from_model(model)?;
        if let Some(script) = self.refuse(model, &behaviour) {
            return Ok(behaviour.refusal.as_ref().map_or(script.clone(), |refusal| Script {
                before: script.before.clone(),
                ..converse::asked_for(refusal, script)
            }));
        }
        converse::answer(call, body, &behaviour, &self.facts("msg"))
    }

    fn facts(&self, id_prefix: &str) -> Facts {
        Facts {
            id: format!("{id_prefix}-sim{:08}", self.answers.fetch_add(1, Ordering::Relaxed)),
            created: self.created,
            rate: self.settings.events_per_second,
            prompt_tokens: None,
        }
    }

    fn check_key(&self, head: &request::Parts, body: &Upload) -> Result<(), Refused> {
        let Some(key) = &self.settings.key else { return Ok(()) };
        if key.contains(':') && converse::is_path(head.uri.path()) {
            let is_signed = converse::is_signed(head, body.bytes(), key);
            return if is_signed { Ok(()) } else { Err(Refused::wrong_signature()) };
        }
        let given = head.headers.get(AUTHORIZATION).and_then(|value| value.to_str().ok());
        let bearer = given.and_then(|value| value.strip_prefix("Bearer "));
        let own =
            ["x-goog-api-key", "x-api-key"].iter().find_map(|name| head.headers.get(*name)?.to_str().ok());
        match bearer.or(own) {
            Some(given) if given == key => Ok(()),
            _ => Err(Refused::wrong_key()),
        }
    }

    fn refuse(&self, model: &str, behaviour: &Behaviour) -> Option<Script> {
        let refusal = behaviour.refusal.as_ref()?;
        if let Some(first) = refusal.first {
            let mut refusals = self.refusals.lock();
            if refusals.len() >= COUNTED_MODELS_MAX && !refusals.contains_key(model) {
                refusals.clear();
            }
            let refused = refusals.entry(model.to_owned()).or_default();
            if *refused >= first {
                return None;
            }
            *refused += 1;
        }
        let mut script = refusal::asked_for(refusal);
        script.before = plan::delay(behaviour.pace.delay);
        Some(script)
    }

    async fn play(
        &self,
        script: Script,
        mut exchange: Exchange,
        control: Arc<Control>,
    ) -> Result<Response<ScriptBody>, NoAnswer> {
        if !script.before.is_empty() && wire::play_before_head(&script.before, &control).await.is_break() {
            exchange.end(Outcome::Broken);
            return Err(NoAnswer);
        }
        exchange.charge_prompt(script.prompt_tokens);
        let serial = self.heads.fetch_add(1, Ordering::Relaxed);
        let first_wait = script.stagger.map(|interval| interval.mul_f64(share(serial)));
        let mut response = Response::new(ScriptBody::new(script.body, first_wait, exchange, control));
        *response.status_mut() = script.status;
        *response.headers_mut() = script.headers;
        if let http::header::Entry::Vacant(entry) = response.headers_mut().entry(REQUEST_ID) {
            entry.insert(HeaderValue::from(serial));
        }
        Ok(response)
    }
}

/// Spreads streams evenly over their first interval, however many there will be (the golden ratio).
fn share(serial: u64) -> f64 {
    let [.., a, b, c, d] = serial.to_be_bytes();
    (f64::from(u32::from_be_bytes([a, b, c, d])) * 0.618_033_988_749_895).fract()
}

/// What came of a request body.
enum Upload {
    Whole(Bytes),
    /// The client left or its body is too long.
    Part(Bytes),
}

impl Upload {
    fn bytes(&self) -> &Bytes {
        match self {
            Self::Whole(bytes) | Self::Part(bytes) => bytes,
        }
    }
}

async fn read(body: &mut Incoming) -> Upload {
    let mut whole = BytesMut::new();
    while let Some(frame) = body.frame().await {
        let Ok(frame) = frame else { return Upload::Part(whole.freeze()) };
        let Some(part) = frame.data_ref() else { continue };
        if whole.len() + part.len() > REQUEST_BYTES_MAX {
            return Upload::Part(whole.freeze());
        }
        whole.extend_from_slice(part);
    }
    Upload::Whole(whole.freeze())
}
