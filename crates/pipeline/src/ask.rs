//! Further questions that hooks ask on behalf of their exchange: the same pick, encode and send as any attempt,
//! without transforms and filters, with a record of their own.

use std::sync::Arc;

use gatewright::{
    AskExchange, AskHost, BoxFuture, Failure, FailureKind, LlmRequest, LlmResponse, Outcome, RequestCx,
    RequestFacts, Side, UsageSource,
};
use http::HeaderMap;

use crate::answer::opening::Content;
use crate::answer::translate;
use crate::answer::whole::count;
use crate::attempt;
use crate::course::Course;
use crate::failure::Refusal;
use crate::hooked::AbortOnDrop;
use crate::snapshot::{Chains, Snapshot};
use crate::state::{Answering, Load, Reserved};
use crate::worker::Worker;

impl AskHost for Worker {
    fn ask(
        self: Arc<Self>,
        exchange: AskExchange,
        request: LlmRequest,
    ) -> BoxFuture<'static, Result<LlmResponse, Failure>> {
        let (thread, home) = self.home.clone();
        let asking = async move { ask(&self, exchange, request).await };
        if std::thread::current().id() == thread {
            return Box::pin(asking);
        }
        // A hook that runs elsewhere asks from there; the connections are the worker's.
        Box::pin(async move {
            let mut running = AbortOnDrop(home.spawn(asking));
            let asked = (&mut running.0).await;
            asked.unwrap_or_else(|_| Err(Failure::internal("a further question was dropped")))
        })
    }
}

async fn ask(
    worker: &Arc<Worker>,
    exchange: AskExchange,
    mut request: LlmRequest,
) -> Result<LlmResponse, Failure> {
    let snapshot = Arc::clone(&exchange.snapshot)
        .downcast::<Snapshot>()
        .map_err(|_| Failure::internal("an exchange carries something else than its snapshot"))?;
    let model = snapshot.plan.model(exchange.model.as_str()).cloned();
    let model = model.ok_or_else(|| Failure::internal("the model of an exchange is not in its snapshot"))?;
    if !request.document().is_whole() {
        return Err(Failure::new(
            Side::Gateway,
            FailureKind::Unsupported,
            "an upload cannot be asked a second time",
        ));
    }
    request.document_mut().set_whole();
    let mut course = begin(worker, snapshot, &exchange, &request)?;
    let reserved = Reserved(Load { request, model, chains: Arc::new(Chains::default()), is_strict: false });
    let result = answer(&mut course, reserved).await;
    let outcome = match &result {
        Ok(_) => {
            let (usage, source) = course.usage();
            Outcome::Completed { usage, reported: source == UsageSource::Provider }
        }
        Err(failure) if failure.side == Side::Upstream => course.failed(failure),
        Err(_) => Outcome::NotSent,
    };
    // The exchange's own end waits for its record; this one is written behind it.
    drop(course.settle(&outcome));
    result
}

fn begin(
    worker: &Arc<Worker>,
    snapshot: Arc<Snapshot>,
    exchange: &AskExchange,
    request: &LlmRequest,
) -> Result<Box<Course>, Failure> {
    let codec = gatewright_wire::codec(request.dialect());
    let cx = RequestCx::new(RequestFacts {
        id: exchange.id,
        principal: Arc::clone(&exchange.principal),
        route: exchange.route.clone(),
        model: exchange.model.clone(),
        dialect: request.dialect(),
        operation: request.operation(),
        streams: false,
        received: worker.clock.now(),
        client_headers: Arc::new(HeaderMap::new()),
    });
    Ok(Course::further(worker, snapshot, codec, (exchange.number, Arc::clone(&exchange.bill)), cx))
}

async fn answer(course: &mut Course, reserved: Reserved) -> Result<LlmResponse, Failure> {
    let answering = attempt::answer(course, reserved).await.map_err(|refusal| match refusal {
        Refusal::Failed(failure) => *failure,
        Refusal::Denied(_) | Refusal::Answered(_) => Failure::internal("a further question was refused"),
    })?;
    let Answering { opened, load, picked } = answering;
    course.facts.status = opened.status.as_u16();
    let Content::Whole(body) = opened.content else {
        let text = "the provider streams an answer that was asked for in one piece";
        return Err(Failure::new(Side::Upstream, FailureKind::Malformed, text));
    };
    let codec = opened.codec;
    let mut response = LlmResponse::new(codec.decode_answer(body)?);
    count(course, &mut response);
    if codec.dialect() == course.codec.dialect() {
        return Ok(response);
    }
    let envelope = translate::envelope(course, &load, &picked);
    let retold = translate::answer(course, codec, &response.to_body(), (envelope, &load))?;
    Ok(LlmResponse::new(course.codec.decode_answer(retold.body)?))
}
