//! Response filters: what comes out does not depend on how an answer comes in, and what is not theirs passes.

use gatewright::text::{Lane, LaneKind};
use gatewright::{Extension, FilterPlan, ResponseFilter};
use serde_json::{Value, json};

use super::session::Session;
use super::suite::{Suite, run};
use crate::extension::{context, response_head};
use crate::gateway::script::{stream_of, whole};
use crate::gateway::{Reply, TestGateway};
use crate::provider::Answer;
use crate::split::{every_split, random_splits};

/// How many random splits of a text are tried beside the exhaustive ones.
const RANDOM_SPLITS: usize = 200;
/// The length of texts that try the bound on held text.
const LONG_BYTES: usize = 40 * 1024;

/// What answers bring in every suite.
const TEXTS: [&str; 4] = [
    "",
    "Hello, world. How are you?",
    "naïve café 日本語 🙂\u{200d}e\u{301}\u{0}\n",
    "mail bob@example.com, 123-45-6789",
];

/// Under a text plan, a text comes out the same, or is cut by the same code, for every split and for random ones, in
/// the content and in the arguments of a tool call; under any plan nothing panics where a client leaves, and never
/// more is held than the plan says.
///
/// # Panics
/// If that does not hold.
pub fn response_filter<E: Extension + ResponseFilter>(suite: &Suite<E>) {
    run(async {
        let bed = suite.bed();
        let filter = suite.instance(&bed).await;
        let texts: Vec<&str> = TEXTS.into_iter().chain(suite.texts.iter().map(String::as_str)).collect();
        let open = || Session::open(&*filter, context(suite.caller()));
        let is_text = open().is_text();
        for text in &texts {
            let source = Value::from(*text).to_string();
            for (lane, text) in [(Lane::content(0), *text), (Lane::tool_arguments(0, 0), &source)] {
                if is_text {
                    every_split_is_the_same(E::NAME, &open, (lane, text)).await;
                }
                leaves_anywhere(&open, (lane, text)).await;
            }
        }
        for text in ["a", "é", " ", "1", "@", "{\"", "🙂", "ab c. "] {
            let text = text.repeat(LONG_BYTES / text.len());
            let mut session = open();
            for piece in pieces_of(&text, 17) {
                session.push(Lane::content(0), piece, false).await;
            }
            session.push(Lane::content(0), "", true).await;
            session.end();
        }
    });
}

async fn every_split_is_the_same(name: &str, open: &impl Fn() -> Session, (lane, text): (Lane, &str)) {
    let expected = through(open(), lane, &[text]).await;
    for pieces in every_split(text).chain(random_splits(text, RANDOM_SPLITS, 7)) {
        let streamed = through(open(), lane, &pieces).await;
        assert_eq!(
            streamed, expected,
            "`{name}` makes of a text in {lane:?} what is on the right, and of its pieces {pieces:?} what is on the \
             left; its plan holds back less than it looks at"
        );
    }
}

/// What comes out of pieces, or the code of the cut.
async fn through(mut session: Session, lane: Lane, pieces: &[&str]) -> Result<String, String> {
    let mut out = String::new();
    for piece in pieces {
        out.push_str(&session.push(lane, piece, false).await);
    }
    out.push_str(&session.push(lane, "", true).await);
    match session.cut.take() {
        Some(code) => {
            session.leave();
            Err(code)
        }
        None => {
            session.end();
            Ok(out)
        }
    }
}

/// Lets the client leave before each piece, and after the last.
async fn leaves_anywhere(open: &impl Fn() -> Session, (lane, text): (Lane, &str)) {
    let pieces = pieces_of(text, 5);
    for count in 0..=pieces.len() {
        let mut session = open();
        for piece in pieces.iter().take(count) {
            session.push(lane, piece, false).await;
        }
        session.leave();
    }
}

/// A text in pieces of about so many bytes.
fn pieces_of(text: &str, bytes: usize) -> Vec<&str> {
    let mut pieces = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (piece, tail) = rest.split_at(rest.ceil_char_boundary(bytes.min(rest.len())));
        pieces.push(piece);
        rest = tail;
    }
    pieces
}

/// In a gateway, an answer in one piece and the same answer as a stream of small pieces come to the same text or the
/// same refusal; what the dialect does not know passes; and so do the lanes that the filter does not want.
///
/// # Panics
/// If that does not hold.
pub fn response_filter_streams<E: Extension + ResponseFilter>(suite: &Suite<E>) {
    run(async {
        let gateway = suite.started().await;
        let ready = asked(suite, &gateway, Answer::json(200, &whole(&["ready"])), false).await;
        assert!(
            !gateway.provider.requests().is_empty(),
            "the suite's request is refused before a provider is asked, so that no answer can be tried; give one that \
             passes, by `request`: {:?}",
            ready.body
        );
        let bed = suite.bed();
        let filter = suite.instance(&bed).await;
        let plan = filter.plan(&response_head(true), &context(suite.caller()));
        for text in TEXTS.into_iter().chain(suite.texts.iter().map(String::as_str)) {
            let in_one = asked(suite, &gateway, Answer::json(200, &whole(&[text])), false).await;
            let pieces: Vec<_> =
                pieces_of(text, 1).into_iter().map(|piece| (Lane::content(0), piece)).collect();
            let events = stream_of(&pieces);
            let streamed =
                asked(suite, &gateway, Answer::events(events.iter().map(String::as_str)), true).await;
            if matches!(plan, FilterPlan::Text(_) | FilterPlan::Patterns(_) | FilterPlan::Whole { .. }) {
                let come = |reply: &Reply| reply.code().map_or_else(|| Ok(reply.text()), Err);
                assert_eq!(
                    come(&streamed),
                    come(&in_one),
                    "`{}` makes of the stream of {text:?} what is on the left, and of the whole what is on the right",
                    E::NAME
                );
            }
        }
        strangers_pass(suite, &gateway).await;
        other_lanes_pass(suite, &gateway, &plan).await;
        let panicked = gateway.panicked();
        assert!(panicked.is_empty(), "`{}` panics in {panicked:?}", E::NAME);
    });
}

async fn asked<E: Extension>(
    suite: &Suite<E>,
    gateway: &TestGateway,
    answer: Answer,
    streams: bool,
) -> Reply {
    gateway.provider.push(answer);
    gateway.request(&suite.body(streams)).caller(suite.key()).send().await
}

/// An event that no dialect knows stands in the middle of a stream, and passes.
async fn strangers_pass<E: Extension>(suite: &Suite<E>, gateway: &TestGateway) {
    let mut events = stream_of(&[(Lane::content(0), "Hello, "), (Lane::content(0), "world.")]);
    let stranger = json!({"nobody": {"knows": ["this", 1e3, null]}}).to_string();
    events.insert(2, stranger.clone());
    let reply = asked(suite, gateway, Answer::events(events.iter().map(String::as_str)), true).await;
    if reply.code().is_none() {
        assert!(
            reply.events.contains(&stranger),
            "`{}` lets an unknown event pass as it came; the client got {:?}",
            E::NAME,
            reply.events
        );
    }
}

/// Lanes that a text plan leaves out come through as they are, in order.
async fn other_lanes_pass<E: Extension>(suite: &Suite<E>, gateway: &TestGateway, plan: &FilterPlan) {
    let FilterPlan::Text(hold) = plan else { return };
    let lanes = [
        (Lane::reasoning(0), ["think bob@example", ".com ", "more"]),
        (Lane::refusal(0), ["I will ", "not 123-45", "-6789"]),
        (Lane::tool_arguments(0, 0), ["{\"to\":\"bob@", "example.com", "\"}"]),
        (Lane::content(0), ["write to bob", "@example.com", " now"]),
    ];
    let pieces: Vec<(Lane, &str)> =
        (0..3).flat_map(|turn| lanes.iter().map(move |(lane, pieces)| (*lane, pieces[turn]))).collect();
    let events = stream_of(&pieces);
    let reply = asked(suite, gateway, Answer::events(events.iter().map(String::as_str)), true).await;
    if reply.code().is_some() {
        return;
    }
    for (lane, pieces) in lanes {
        if !hold.lanes.contains(lane.kind) {
            let what = match lane.kind {
                LaneKind::Content => "content",
                LaneKind::Reasoning => "reasoning",
                LaneKind::Refusal => "refusal",
                LaneKind::ToolArguments { .. } => "tool arguments",
            };
            assert_eq!(reply.lane(lane), pieces.concat(), "`{}` does not want the {what}", E::NAME);
        }
    }
}
