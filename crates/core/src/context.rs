//! What a hook knows of its exchange, and where it keeps what it wants to remember.
//!
//! Data between hooks has three homes: [`RequestCx::local`] (this instance only),
//! [`RequestCx::put`] and [`RequestCx::get`] (agreed types of a shared crate), and
//! [`RequestCx::tags`] (bounded labels that flow into usage records; no content).

use std::any::Any;
use std::ops::{Deref, DerefMut};
use std::sync::Arc;
use std::time::Instant;

use http::HeaderMap;

use crate::ask::{AskExchange, AskHost, Bill};
use crate::dialect::{Dialect, Operation};
use crate::{
    BoxFuture, Failure, FailureKind, LlmRequest, LlmResponse, ModelName, Principal, ProviderName, RequestId,
    RouteName, Side, Usage,
};

/// The context of one exchange. Owned, so that a hook can move it to another task.
pub struct RequestCx {
    id: RequestId,
    principal: Arc<Principal>,
    route: RouteName,
    model: ModelName,
    dialect: Dialect,
    operation: Operation,
    streams: bool,
    received: Instant,
    attempt: Option<AttemptInfo>,
    client_headers: Arc<HeaderMap>,
    instance: u32,
    /// Whether the instance whose hook runs only watches, so that nothing that it leaves may be found.
    is_watched: bool,
    slots: Slots,
    model_access: Option<ModelAccess>,
    bill: Arc<Bill>,
    /// Labels that flow into usage records.
    pub tags: Tags,
    /// Headers to add to the call that goes to the provider.
    pub upstream_headers: HeaderMap,
    /// Headers to add to the answer that goes to the client.
    pub response_headers: HeaderMap,
}

/// What identifies an exchange; the host builds a context from it.
#[derive(Debug)]
pub struct RequestFacts {
    /// The exchange.
    pub id: RequestId,
    /// The caller.
    pub principal: Arc<Principal>,
    /// The route that was matched.
    pub route: RouteName,
    /// The public model name that the caller asked for.
    pub model: ModelName,
    /// The caller's dialect.
    pub dialect: Dialect,
    /// What is asked for.
    pub operation: Operation,
    /// Whether the answer is wanted as a stream.
    pub streams: bool,
    /// When the head of the request was complete.
    pub received: Instant,
    /// The caller's headers, without credentials.
    pub client_headers: Arc<HeaderMap>,
}

/// The parts of a context that leave the instance which changes them.
#[doc(hidden)]
pub struct SideEffects {
    tags: Tags,
    upstream_headers: HeaderMap,
    response_headers: HeaderMap,
    model_access: Option<ModelAccess>,
}

/// How further questions reach a model.
#[derive(Clone)]
struct ModelAccess {
    host: Arc<dyn AskHost>,
    snapshot: Arc<dyn Any + Send + Sync>,
}

/// One try at one target.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AttemptInfo {
    /// Counted from 1.
    pub number: u32,
    /// Who is called.
    pub provider: ProviderName,
    /// The model name that the provider is asked for.
    pub model: Arc<str>,
}

impl RequestCx {
    /// A fresh context.
    #[must_use]
    pub fn new(facts: RequestFacts) -> Self {
        Self {
            id: facts.id,
            principal: facts.principal,
            route: facts.route,
            model: facts.model,
            dialect: facts.dialect,
            operation: facts.operation,
            streams: facts.streams,
            received: facts.received,
            client_headers: facts.client_headers,
            attempt: None,
            instance: 0,
            is_watched: false,
            slots: Slots::default(),
            model_access: None,
            bill: Arc::default(),
            tags: Tags::default(),
            upstream_headers: HeaderMap::new(),
            response_headers: HeaderMap::new(),
        }
    }

    /// The identity of the exchange.
    #[must_use]
    pub fn id(&self) -> RequestId {
        self.id
    }

    /// The caller.
    #[must_use]
    pub fn principal(&self) -> &Arc<Principal> {
        &self.principal
    }

    /// The route that was matched.
    #[must_use]
    pub fn route(&self) -> &RouteName {
        &self.route
    }

    /// The public model name that the caller asked for.
    #[must_use]
    pub fn model(&self) -> &ModelName {
        &self.model
    }

    /// The caller's dialect.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// What is asked for.
    #[must_use]
    pub fn operation(&self) -> Operation {
        self.operation
    }

    /// Whether the answer is wanted as a stream.
    #[must_use]
    pub fn streams(&self) -> bool {
        self.streams
    }

    /// When the head of the request was complete.
    #[must_use]
    pub fn received(&self) -> Instant {
        self.received
    }

    /// The try that is being made; `None` before the first one.
    #[must_use]
    pub fn attempt(&self) -> Option<&AttemptInfo> {
        self.attempt.as_ref()
    }

    /// The caller's headers, without credentials.
    #[must_use]
    pub fn client_headers(&self) -> &HeaderMap {
        &self.client_headers
    }

    /// State of this instance for this exchange; starts as `T::default()`.
    ///
    /// Two instances of one extension have a value each.
    pub fn local<T: Default + Send + Sync + 'static>(&mut self) -> &mut T {
        self.slots.slot_mut(self.instance)
    }

    /// State of this instance for this exchange, if [`RequestCx::local`] was ever asked for it: for hooks
    /// that may only look, such as [`ResponseFilter::plan`](crate::ResponseFilter::plan).
    #[must_use]
    pub fn local_ref<T: Send + Sync + 'static>(&self) -> Option<&T> {
        self.slots.get(|owner| owner == (self.instance, Reach::Local))
    }

    /// Stores a value for other instances. The type belongs in a crate that both sides share.
    pub fn put<T: Send + Sync + 'static>(&mut self, value: T) {
        let reach = if self.is_watched { Reach::Watched } else { Reach::Public };
        self.slots.set((self.instance, reach), value);
    }

    /// A value that another instance stored.
    #[must_use]
    pub fn get<T: Send + Sync + 'static>(&self) -> Option<&T> {
        let own = self.slots.get(|owner| owner == (self.instance, Reach::Watched));
        own.filter(|_| self.is_watched).or_else(|| self.slots.get(|(_, reach)| reach == Reach::Public))
    }

    /// Asks the model a further question on behalf of this exchange and its caller: the repair of an answer, a
    /// judgement on it. The answer is whole, whatever `request` says, and comes from one of the model's targets
    /// by the same rules as the exchange's own.
    ///
    /// It is recorded as an attempt of its own under the exchange's id, its tokens count into every reservation
    /// of the exchange, and no transform and no filter sees it. An exchange has at most
    /// [`ASKS_MAX`](crate::ASKS_MAX) such questions. The instance's deadline bounds the hook that waits for it.
    /// An instance that only watches cannot ask, because somebody would pay for it.
    ///
    /// # Errors
    ///
    /// What the provider or the way to it says, as for any exchange, and that no question is left.
    ///
    /// # Cancellation
    ///
    /// The call is aborted and recorded as such.
    pub fn ask(&mut self, request: LlmRequest) -> BoxFuture<'static, Result<LlmResponse, Failure>> {
        let bill = Arc::clone(&self.bill);
        match (self.model_access.clone(), bill.take()) {
            (Some(ModelAccess { host, snapshot }), Some(number)) => {
                let exchange = AskExchange {
                    number,
                    id: self.id,
                    principal: Arc::clone(&self.principal),
                    route: self.route.clone(),
                    model: self.model.clone(),
                    snapshot,
                    bill,
                };
                host.ask(exchange, request)
            }
            (Some(_), None) => Box::pin(std::future::ready(Err(no_question("no further question is left")))),
            (None, _) => Box::pin(std::future::ready(Err(no_question("no model can be asked here")))),
        }
    }

    /// Lets hooks ask further questions. The host calls it.
    #[doc(hidden)]
    pub fn give_model_access(&mut self, host: Arc<dyn AskHost>, snapshot: Arc<dyn Any + Send + Sync>) {
        self.model_access = Some(ModelAccess { host, snapshot });
    }

    /// What further questions consumed. The host reads it.
    #[doc(hidden)]
    #[must_use]
    pub fn asked_usage(&self) -> Usage {
        self.bill.usage()
    }

    /// From here until [`RequestCx::unwatch`] nothing that a hook does reaches anybody else: it is the hook of an
    /// instance that only watches. It cannot ask further questions, which somebody would have to pay for.
    #[doc(hidden)]
    #[must_use]
    pub fn watch(&mut self) -> SideEffects {
        self.is_watched = true;
        SideEffects {
            tags: self.tags.clone(),
            upstream_headers: self.upstream_headers.clone(),
            response_headers: self.response_headers.clone(),
            model_access: self.model_access.take(),
        }
    }

    /// Takes back what a hook changed since [`RequestCx::watch`].
    #[doc(hidden)]
    pub fn unwatch(&mut self, effects: SideEffects) {
        self.is_watched = false;
        self.tags = effects.tags;
        self.upstream_headers = effects.upstream_headers;
        self.response_headers = effects.response_headers;
        self.model_access = effects.model_access;
    }

    /// A context of the same exchange with nothing in it that instances stored, and without access to a model: for
    /// an instance that watches elsewhere, and in the place of a context that is lent.
    #[doc(hidden)]
    #[must_use]
    pub fn alike(&self) -> Self {
        Self {
            id: self.id,
            principal: Arc::clone(&self.principal),
            route: self.route.clone(),
            model: self.model.clone(),
            dialect: self.dialect,
            operation: self.operation,
            streams: self.streams,
            received: self.received,
            attempt: self.attempt.clone(),
            client_headers: Arc::clone(&self.client_headers),
            instance: self.instance,
            is_watched: false,
            slots: Slots::default(),
            model_access: None,
            bill: Arc::clone(&self.bill),
            tags: self.tags.clone(),
            upstream_headers: self.upstream_headers.clone(),
            response_headers: self.response_headers.clone(),
        }
    }

    /// Everything that instances stored, each value with the place of its instance. The host drops it.
    #[doc(hidden)]
    pub fn take_stored(&mut self) -> Vec<(u32, Box<dyn Any + Send + Sync>)> {
        let stored = std::mem::take(&mut self.slots).0.into_iter();
        stored.map(|((instance, _), value)| (instance, value)).collect()
    }

    /// Names the instance whose hook runs next. The host calls it; an extension has no use for it.
    #[doc(hidden)]
    pub fn enter(&mut self, instance: u32) {
        self.instance = instance;
    }

    /// Names the try that is being made. The host calls it.
    #[doc(hidden)]
    pub fn begin_attempt(&mut self, attempt: AttemptInfo) {
        self.attempt = Some(attempt);
    }
}

impl std::fmt::Debug for SideEffects {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SideEffects").field("tags", &self.tags).finish_non_exhaustive()
    }
}

fn no_question(text: &'static str) -> Failure {
    Failure::new(Side::Gateway, FailureKind::Extension, text)
}

impl std::fmt::Debug for RequestCx {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("RequestCx")
            .field("id", &self.id)
            .field("route", &self.route)
            .field("model", &self.model)
            .field("attempt", &self.attempt)
            .field("tags", &self.tags)
            .finish_non_exhaustive()
    }
}

/// The context of a hook that runs per event of a stream.
#[derive(Debug)]
pub struct StreamCx<'a> {
    request: &'a mut RequestCx,
    usage: Usage,
}

impl<'a> StreamCx<'a> {
    /// The context of one call.
    #[must_use]
    pub fn new(request: &'a mut RequestCx, usage: Usage) -> Self {
        Self { request, usage }
    }

    /// What has flowed so far, estimated until the provider reports.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.usage
    }
}

impl Deref for StreamCx<'_> {
    type Target = RequestCx;

    fn deref(&self) -> &RequestCx {
        self.request
    }
}

impl DerefMut for StreamCx<'_> {
    fn deref_mut(&mut self) -> &mut RequestCx {
        self.request
    }
}

/// Typed values, per instance or public. A handful per exchange, so a list beats a map.
#[derive(Default)]
pub struct Slots(Vec<Slot>);

/// Who stored a value, and for whom.
type Owner = (u32, Reach);

/// A value with its owner.
type Slot = (Owner, Box<dyn Any + Send + Sync>);

/// For whom a value is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Reach {
    /// The instance's own state.
    Local,
    /// Everybody.
    Public,
    /// Everybody, said by an instance that only watches: nobody else finds it.
    Watched,
}

impl Slots {
    fn get<T: Send + Sync + 'static>(&self, is_meant: impl Fn(Owner) -> bool) -> Option<&T> {
        self.0.iter().filter(|(owner, _)| is_meant(*owner)).find_map(|(_, value)| value.downcast_ref())
    }

    fn slot_mut<T: Default + Send + Sync + 'static>(&mut self, instance: u32) -> &mut T {
        let owner = (instance, Reach::Local);
        let known = self.0.iter().position(|(other, value)| *other == owner && value.is::<T>());
        let index = known.unwrap_or_else(|| {
            self.0.push((owner, Box::new(T::default())));
            self.0.len() - 1
        });
        self.0[index].1.downcast_mut().expect("the position was found by this very type")
    }

    /// Stores a value; one of its type that was stored for the same readers is replaced.
    fn set<T: Send + Sync + 'static>(&mut self, owner: Owner, value: T) {
        let is_same = |other: Owner| match owner.1 {
            Reach::Public => other.1 == Reach::Public,
            Reach::Local | Reach::Watched => other == owner,
        };
        self.0.retain(|(other, old)| !is_same(*other) || !old.is::<T>());
        self.0.push((owner, Box::new(value)));
    }
}

impl std::fmt::Debug for Slots {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Slots({})", self.0.len())
    }
}

/// Labels that flow into usage records, log lines and limiter keys. They carry no content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tags(Vec<(Arc<str>, Arc<str>)>);

impl Tags {
    /// The most labels of one exchange.
    pub const COUNT_MAX: usize = 32;
    /// The longest name, in bytes.
    pub const NAME_BYTES_MAX: usize = 64;
    /// The longest value, in bytes.
    pub const VALUE_BYTES_MAX: usize = 256;

    /// Sets a label. Returns whether it was taken: over a bound, or with a control character, it
    /// is not.
    pub fn set(&mut self, name: &str, value: &str) -> bool {
        let fits = !name.is_empty()
            && name.len() <= Self::NAME_BYTES_MAX
            && value.len() <= Self::VALUE_BYTES_MAX
            && !name.chars().chain(value.chars()).any(char::is_control);
        if !fits {
            return false;
        }
        if let Some(entry) = self.0.iter_mut().find(|(known, _)| &**known == name) {
            entry.1 = Arc::from(value);
            return true;
        }
        if self.0.len() >= Self::COUNT_MAX {
            return false;
        }
        self.0.push((Arc::from(name), Arc::from(value)));
        true
    }

    /// The value of a label.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(known, _)| &**known == name).map(|(_, value)| &**value)
    }

    /// All labels, in the order in which they were set first.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (&**name, &**value))
    }

    /// Takes over the labels of a principal.
    pub fn extend_from(&mut self, labels: &[(Arc<str>, Arc<str>)]) {
        for (name, value) in labels.iter().take(Self::COUNT_MAX.saturating_sub(self.0.len())) {
            if self.get(name).is_none() {
                self.0.push((Arc::clone(name), Arc::clone(value)));
            }
        }
    }
}
