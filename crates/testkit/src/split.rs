//! Text cut in pieces, as a stream brings it, and the property that every text filter must have: what
//! comes out does not depend on where the text was cut.
//!
//! [`assert_streamed_equals_whole`] is the one line that an extension's test needs. The ways to cut are
//! public, for tests that need something else of the same text.

use gatewright::text::{Lane, TextSession};
use gatewright::{FilterPlan, RequestCx, ResponseFilter, ResponseHead, StreamCx, StreamFlow, Usage};

#[cfg(test)]
mod tests;

/// The most cuts of one random split.
const RANDOM_CUTS_MAX: usize = 12;
/// How many random splits [`assert_streamed_equals_whole`] adds to the exhaustive ones.
const RANDOM_SPLITS: usize = 200;
/// Up to how many places to cut all sets of cuts are tried, which are two to their power.
const EXHAUSTIVE_PLACES_MAX: usize = 10;

/// Every way to cut a text: all sets of cuts for a text of a few characters; for a longer one all ways to
/// cut it in one, two or three pieces, and one piece per character.
///
/// Cuts lie between characters. The pieces of each split make up the text.
///
/// ```
/// use gatewright_testkit::split::every_split;
///
/// let splits: Vec<_> = every_split("añb").collect();
/// assert_eq!(splits, [vec!["añb"], vec!["a", "ñb"], vec!["añ", "b"], vec!["a", "ñ", "b"]]);
/// ```
pub fn every_split(text: &str) -> impl Iterator<Item = Vec<&str>> {
    let places: Vec<usize> = text.char_indices().map(|(place, _)| place).skip(1).collect();
    let sets = if places.len() <= EXHAUSTIVE_PLACES_MAX { all_sets(&places) } else { small_sets(&places) };
    sets.into_iter().map(|cuts| pieces(text, &cuts))
}

/// `n` splits of a text at random places, some of them empty, the same for the same seed.
pub fn random_splits(text: &str, n: usize, seed: u64) -> impl Iterator<Item = Vec<&str>> {
    let mut chance = Chance(seed);
    (0..n).map(move |_| {
        let count = chance.below(RANDOM_CUTS_MAX + 1);
        let mut cuts: Vec<usize> =
            (0..count).map(|_| text.floor_char_boundary(chance.below(text.len() + 1))).collect();
        cuts.sort_unstable();
        pieces(text, &cuts)
    })
}

/// Asserts that a text comes out the same in one piece and in every other way to cut it, in the content
/// of a choice and, as a JSON string, in the arguments of a tool call.
///
/// # Panics
/// If it does not, with the split at fault, and if a stage holds more than its bound.
pub fn assert_streamed_equals_whole(make_session: impl Fn() -> TextSession, text: &str) {
    let source = json_string(text);
    for (lane, text) in [(Lane::content(0), text), (Lane::tool_arguments(0, 0), &source)] {
        let whole = run(make_session(), lane, &[text]);
        for pieces in every_split(text).chain(random_splits(text, RANDOM_SPLITS, 1)) {
            let streamed = run(make_session(), lane, &pieces);
            assert_eq!(streamed, whole, "in {lane:?}, cut as {pieces:?}");
        }
    }
}

/// Sends pieces of one lane through a session and returns what comes out.
///
/// # Panics
/// If a stage holds more than its bound.
#[must_use]
pub fn run(mut session: TextSession, lane: Lane, pieces: &[&str]) -> String {
    let mut push = |piece: &str, is_last| match session.push(lane, piece, is_last) {
        Ok(released) => released,
        Err(error) => fail(&format!("{error}, in {lane:?}, cut as {pieces:?}")),
    };
    let mut out: String = pieces.iter().map(|piece| push(piece, false)).collect();
    out.push_str(&push("", true));
    out
}

/// A session that runs a response filter with a text plan, for one answer.
///
/// # Panics
/// If the filter has no text plan for this answer, or cannot be opened. The session panics if the filter
/// fails, or does anything to a stream but let it go on.
#[must_use]
pub fn filter_session(filter: &dyn ResponseFilter, head: &ResponseHead, mut cx: RequestCx) -> TextSession {
    let hold = match filter.plan(head, &cx) {
        FilterPlan::Patterns(patterns) => return TextSession::new().with_patterns(&patterns),
        FilterPlan::Text(hold) => hold,
        other => fail(&format!("the filter has no text plan, but {other:?}")),
    };
    let mut filter = match filter.open(head, &mut cx) {
        Ok(filter) => filter,
        Err(error) => fail(&format!("the filter does not open: {error}")),
    };
    TextSession::new().with_stage(hold, move |window| {
        match filter.on_text(window, &mut StreamCx::new(&mut cx, Usage::default())) {
            Ok(StreamFlow::Continue) => {}
            other => fail(&format!("the filter does not let the text go on: {other:?}")),
        }
    })
}

#[expect(clippy::panic, reason = "a failed assertion of a test")]
fn fail(message: &str) -> ! {
    panic!("{message}")
}

fn all_sets(places: &[usize]) -> Vec<Vec<usize>> {
    (0..1_usize << places.len())
        .map(|set| {
            places.iter().enumerate().filter(|(i, _)| set >> i & 1 == 1).map(|(_, place)| *place).collect()
        })
        .collect()
}

fn small_sets(places: &[usize]) -> Vec<Vec<usize>> {
    let mut sets = vec![Vec::new(), places.to_vec()];
    for (i, &first) in places.iter().enumerate() {
        sets.push(vec![first]);
        sets.extend(places.iter().skip(i + 1).map(|&second| vec![first, second]));
    }
    sets
}

/// The pieces between the cuts, which stand in order and between characters.
fn pieces<'t>(text: &'t str, cuts: &[usize]) -> Vec<&'t str> {
    let starts = std::iter::once(0).chain(cuts.iter().copied());
    let ends = cuts.iter().copied().chain(std::iter::once(text.len()));
    starts.zip(ends).map(|(start, end)| text.get(start..end).expect("cuts lie between characters")).collect()
}

fn json_string(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A small generator of repeatable chance (SplitMix64).
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        usize::try_from((mixed ^ (mixed >> 31)) % bound.max(1) as u64).unwrap_or(0)
    }
}
