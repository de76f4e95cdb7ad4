//! What a text filter costs: megabytes per second on whole texts, nanoseconds per delta, bytes held.
//!
//! The filter runs in the machinery that the host runs it in, in this process and without a gateway, over
//! prose that [`prose`] makes. A bench of an extension calls [`figures`] with a filter of its own and
//! prints [`to_markdown`], or [`to_line`] for a budget.

use std::fmt::Write as _;
use std::hint::black_box;
use std::time::{Duration, Instant};

use gatewright::text::{Lane, TextStage, TextWindow};
use gatewright::{FilterPlan, RequestCx, ResponseFilter, StreamCx, Usage};

use super::load::count;
use super::measure;
use super::report::table::spread;
use crate::extension::{context, principal, response_head};

pub mod prose;

/// How much text one run goes over.
const TEXT_BYTES: usize = 1024 * 1024;
/// The pieces of a stream, in bytes.
const DELTA_BYTES: std::ops::RangeInclusive<usize> = 3..=20;
/// How much of a stream is one answer; with the next one the filter begins anew.
const ANSWER_BYTES: usize = 4 * 1024;

/// What the runs of one filter gave, each list sorted.
#[derive(Debug, Clone, Default)]
pub struct TextFigures {
    /// Megabytes per second over prose with a match in about 400 bytes.
    pub whole: Vec<f64>,
    /// Megabytes per second over prose without a match.
    pub whole_without_match: Vec<f64>,
    /// Megabytes per second over tables and code: digits, punctuation and capitals all over.
    pub whole_dense: Vec<f64>,
    /// Nanoseconds per delta of 3 to 20 bytes of the prose with matches.
    pub delta_nanos: Vec<f64>,
    /// Bytes held after a delta: half of the deltas, 99 in 100, all.
    pub held_bytes: [usize; 3],
}

/// Runs a filter with a text plan over each kind of text, `repeats` times for at least `window` each.
///
/// # Panics
/// If the filter has no text plan, fails, or holds more than its bound: there is nothing to measure then.
#[must_use]
pub fn figures(filter: &dyn ResponseFilter, repeats: u32, window: Duration) -> TextFigures {
    let prose = prose::with_matches(TEXT_BYTES, 1);
    let plain = prose::without_matches(TEXT_BYTES, 2);
    let dense = prose::dense(TEXT_BYTES, 3);
    let mut figures = TextFigures::default();
    for _ in 0..repeats {
        figures.whole.push(whole(filter, &prose, window));
        figures.whole_without_match.push(whole(filter, &plain, window));
        figures.whole_dense.push(whole(filter, &dense, window));
        figures.delta_nanos.push(per_delta(filter, &prose, window));
    }
    for runs in [
        &mut figures.whole,
        &mut figures.whole_without_match,
        &mut figures.whole_dense,
        &mut figures.delta_nanos,
    ] {
        runs.sort_by(f64::total_cmp);
    }
    figures.held_bytes = held(filter, &prose);
    figures
}

/// The lines of the table for a filter.
#[must_use]
pub fn to_markdown(figures: &TextFigures) -> String {
    let [half, most, all] = figures.held_bytes;
    let lines = [
        ("whole text, prose with a match in 400 bytes", spread(&figures.whole, "MB/s"), "at least 100 MB/s"),
        ("whole text, prose without a match", spread(&figures.whole_without_match, "MB/s"), ""),
        ("whole text, tables and code", spread(&figures.whole_dense, "MB/s"), ""),
        ("streamed delta of 3 to 20 bytes", spread(&figures.delta_nanos, "ns"), "at most 3000 ns"),
        ("held bytes after a delta, p99", format!("{most} (p50 {half}, highest {all})"), "at most 64"),
    ];
    let mut text = "| what | measured | to reach |\n| --- | --- | --- |\n".to_owned();
    for (what, measured, to_reach) in lines {
        // Writing to a text does not fail.
        writeln!(text, "| {what} | {measured} | {to_reach} |").ok();
    }
    text
}

/// The line that `cargo xtask bench` holds against the budget of an extension: nanoseconds per delta, the median of
/// the runs, and bytes held after 99 in 100 deltas.
#[must_use]
pub fn to_line(extension: &str, figures: &TextFigures) -> String {
    let nanos = figures.delta_nanos.get(figures.delta_nanos.len() / 2).copied().unwrap_or_default();
    let [_, held, _] = figures.held_bytes;
    format!("bench {extension} event_ns={nanos:.0} hold_bytes={held}")
}

/// A filter at work on one answer after the other.
struct Running<'f> {
    filter: &'f dyn ResponseFilter,
    cx: RequestCx,
    out: String,
}

impl<'f> Running<'f> {
    fn new(filter: &'f dyn ResponseFilter) -> Self {
        Self { filter, cx: context(principal()), out: String::new() }
    }

    /// Runs one answer that comes in these pieces; `after` sees the stage after each of them.
    fn answer<'t>(&mut self, pieces: impl Iterator<Item = &'t str>, mut after: impl FnMut(&TextStage)) {
        let head = response_head(true);
        let lane = Lane::content(0);
        let (mut stage, mut edit): (TextStage, Box<Edit>) = match self.filter.plan(&head, &self.cx) {
            FilterPlan::Patterns(patterns) => (
                TextStage::new(patterns.hold_back()),
                Box::new(move |window, _| {
                    window.mask(&patterns);
                }),
            ),
            FilterPlan::Text(hold) => {
                let mut opened = self.filter.open(&head, &mut self.cx).expect("the filter opens");
                (
                    TextStage::new(hold),
                    Box::new(move |window, cx| {
                        let flow = opened.on_text(window, &mut StreamCx::new(cx, Usage::default()));
                        flow.map(drop).expect("the filter does not fail");
                    }),
                )
            }
            _ => return,
        };
        self.out.clear();
        let cx = &mut self.cx;
        for piece in pieces {
            let step = stage.step(lane, piece, false, &mut self.out, |window| edit(window, cx));
            step.map(drop).expect("the filter holds no more than its bound");
            after(&stage);
        }
        let step = stage.step(lane, "", true, &mut self.out, |window| edit(window, cx));
        step.map(drop).expect("the filter holds no more than its bound");
        black_box(&self.out);
    }
}

/// What a filter does with a window.
type Edit = dyn FnMut(&mut TextWindow<'_>, &mut RequestCx);

/// Megabytes per second.
fn whole(filter: &dyn ResponseFilter, text: &str, window: Duration) -> f64 {
    let mut running = Running::new(filter);
    let seconds = timed(window, || running.answer(std::iter::once(text), |_| ()));
    count(text.len() as u64) / 1e6 / seconds
}

fn per_delta(filter: &dyn ResponseFilter, text: &str, window: Duration) -> f64 {
    let answers = answers(text);
    let deltas: usize = answers.iter().map(Vec::len).sum();
    let mut running = Running::new(filter);
    let seconds = timed(window, || {
        for pieces in &answers {
            running.answer(pieces.iter().copied(), |_| ());
        }
    });
    seconds * 1e9 / count(deltas as u64)
}

/// Bytes held after a delta: half of them, 99 in 100, all.
fn held(filter: &dyn ResponseFilter, text: &str) -> [usize; 3] {
    let mut running = Running::new(filter);
    let mut held = Vec::new();
    for pieces in answers(text) {
        running.answer(pieces.into_iter(), |stage| held.push(stage.stats().held_bytes));
    }
    held.sort_unstable();
    let at = |share: usize| held.get((held.len().saturating_sub(1)) * share / 100).copied().unwrap_or(0);
    [at(50), at(99), at(100)]
}

/// A text as answers, each in the deltas of a stream.
pub(super) fn answers(text: &str) -> Vec<Vec<&str>> {
    let mut chance = prose::Chance::new(4);
    let mut answers = Vec::new();
    let mut rest = text;
    while !rest.is_empty() {
        let (mut answer, tail) = rest.split_at(rest.floor_char_boundary(ANSWER_BYTES));
        rest = tail;
        let mut pieces = Vec::new();
        while !answer.is_empty() {
            let bytes = DELTA_BYTES.start() + chance.below(DELTA_BYTES.end() - DELTA_BYTES.start() + 1);
            let (piece, tail) = answer.split_at(answer.ceil_char_boundary(bytes));
            pieces.push(piece);
            answer = tail;
        }
        answers.push(pieces);
    }
    answers
}

/// Seconds of CPU time of one call, over as many calls as fit into the window; one call goes before.
///
/// What else runs on the machine has no part in it, unless it takes the caches too.
fn timed(window: Duration, mut call: impl FnMut()) -> f64 {
    let pid = std::process::id();
    let cpu = || measure::cpu_time(pid).expect("the kernel knows this process");
    call();
    let (began, before) = (Instant::now(), cpu());
    let mut calls = 0;
    while began.elapsed() < window || cpu().saturating_sub(before) < window / 4 {
        call();
        calls += 1;
    }
    cpu().saturating_sub(before).as_secs_f64() / f64::from(calls.max(1))
}
