//! What one JSON text has that another has not, field by field. Numbers, repeated keys and their order are compared as
//! they are written, so that an edit of any of them shows.

use gatewright_wire::json::{Kind, Member, Value};

/// Lists with more pairs than this are compared place by place.
const PAIRS_MAX: usize = 40_000;
/// How much around a change in a long text is shown.
const CONTEXT_CHARS: usize = 24;
/// Of what is no JSON, so much is shown whole, and of a change in what is longer.
const SHOWN_BYTES_MAX: usize = 1_024;
/// A text up to this length is shown whole.
const SHOWN_CHARS_MAX: usize = 120;

/// One place that changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Edit {
    /// The RFC 6901 pointer: into the new text, and into the old one for what was taken away.
    pub(crate) pointer: String,
    /// The JSON source text before; `None` for what is new.
    pub(crate) old: Option<String>,
    /// The JSON source text after; `None` for what was taken away.
    pub(crate) new: Option<String>,
}

/// What changed from one text to the other. One that is no JSON differs as a whole; of a long one, that is shown which
/// stands between the common ends.
pub(crate) fn difference(old: &[u8], new: &[u8]) -> Vec<Edit> {
    let mut edits = Vec::new();
    match (Value::parse(old), Value::parse(new)) {
        (Ok(old), Ok(new)) => compare("", &old, &new, &mut edits),
        _ if old == new => {}
        _ if old.len().max(new.len()) <= SHOWN_BYTES_MAX => {
            edits.push(edit(String::new(), Some(old), Some(new)));
        }
        _ => edits.push(between_ends(old, new)),
    }
    edits
}

/// The part of two bodies that differs, up to a bound: they may be files.
fn between_ends(old: &[u8], new: &[u8]) -> Edit {
    let start = old.iter().zip(new).take_while(|(old, new)| old == new).count();
    let (old, new) = (old.get(start..).unwrap_or_default(), new.get(start..).unwrap_or_default());
    let end = old.iter().rev().zip(new.iter().rev()).take_while(|(old, new)| old == new).count();
    let part = |body: &[u8]| {
        let part = body.get(..body.len() - end).unwrap_or_default();
        let text = String::from_utf8_lossy(part.get(..SHOWN_BYTES_MAX).unwrap_or(part)).into_owned();
        if part.len() > SHOWN_BYTES_MAX { text + "…" } else { text }
    };
    Edit { pointer: String::new(), old: Some(part(old)), new: Some(part(new)) }
}

fn edit(pointer: String, old: Option<&[u8]>, new: Option<&[u8]>) -> Edit {
    let text = |raw: &[u8]| String::from_utf8_lossy(raw).into_owned();
    Edit { pointer, old: old.map(text), new: new.map(text) }
}

fn compare(pointer: &str, old: &Value<'_>, new: &Value<'_>, edits: &mut Vec<Edit>) {
    if old.raw() == new.raw() {
        return;
    }
    match (old.kind(), new.kind()) {
        (Kind::Object, Kind::Object) => compare_members(pointer, old, new, edits),
        (Kind::Array, Kind::Array) => compare_elements(pointer, old, new, edits),
        _ => edits.push(edit(pointer.to_owned(), Some(old.raw()), Some(new.raw()))),
    }
}

/// Members belong together by name; of a name that is repeated, the first to the first and so on.
fn compare_members(pointer: &str, old: &Value<'_>, new: &Value<'_>, edits: &mut Vec<Edit>) {
    let mut left: Vec<Option<Member<'_>>> = old.members().map(Some).collect();
    for member in new.members() {
        let name = member.key.decode();
        let place = format!("{pointer}/{}", escape(&name));
        let known = left.iter_mut().find(|known| known.as_ref().is_some_and(|known| known.key.is(&name)));
        match known.and_then(Option::take) {
            Some(known) => compare(&place, &known.value, &member.value, edits),
            None => edits.push(edit(place, None, Some(member.value.raw()))),
        }
    }
    for gone in left.into_iter().flatten() {
        let place = format!("{pointer}/{}", escape(&gone.key.decode()));
        edits.push(edit(place, Some(gone.value.raw()), None));
    }
}

/// Elements belong together as they resemble each other, in order: one that is inserted does not make all behind it
/// count as changed.
fn compare_elements(pointer: &str, old: &Value<'_>, new: &Value<'_>, edits: &mut Vec<Edit>) {
    let (old, new): (Vec<_>, Vec<_>) = (old.elements().collect(), new.elements().collect());
    for (one, two) in pair(&old, &new) {
        let place = format!("{pointer}/{}", two.or(one).unwrap_or_default());
        match (one.and_then(|at| old.get(at)), two.and_then(|at| new.get(at))) {
            (Some(one), Some(two)) => compare(&place, one, two, edits),
            (one, two) => edits.push(edit(place, one.map(Value::raw), two.map(Value::raw))),
        }
    }
}

type Pair = (Option<usize>, Option<usize>);

/// The places that belong together, and those that are alone, in order.
fn pair(old: &[Value<'_>], new: &[Value<'_>]) -> Vec<Pair> {
    let same = |(one, two): &(&Value<'_>, &Value<'_>)| one.raw() == two.raw();
    let head = old.iter().zip(new).take_while(same).count();
    let rest = old.len().min(new.len()) - head;
    let tail = old.iter().rev().zip(new.iter().rev()).take(rest).take_while(same).count();
    let (olds, news) = (head..old.len() - tail, head..new.len() - tail);
    let mut pairs: Vec<Pair> = (0..head).map(|at| (Some(at), Some(at))).collect();
    if olds.len() * news.len() <= PAIRS_MAX {
        let middle = align(&old[olds.clone()], &new[news.clone()]);
        let moved = |at: Option<usize>| at.map(|at| at + head);
        pairs.extend(middle.into_iter().map(|(one, two)| (moved(one), moved(two))));
    } else {
        let longest = olds.len().max(news.len());
        let inside = |range: &std::ops::Range<usize>, at: usize| range.clone().nth(at);
        pairs.extend((0..longest).map(|at| (inside(&olds, at), inside(&news, at))));
    }
    pairs.extend((0..tail).rev().map(|back| (Some(old.len() - 1 - back), Some(new.len() - 1 - back))));
    pairs
}

/// The pairing with the greatest likeness over all, by dynamic programming.
fn align(old: &[Value<'_>], new: &[Value<'_>]) -> Vec<Pair> {
    let likeness: Vec<Vec<u32>> =
        old.iter().map(|one| new.iter().map(|two| alike(one, two)).collect()).collect();
    let width = new.len() + 1;
    // best[i][j] is the likeness of the rests that begin at old i and new j.
    let mut best = vec![0_u32; (old.len() + 1) * width];
    for (i, row) in likeness.iter().enumerate().rev() {
        for (j, like) in row.iter().enumerate().rev() {
            let apart = best[(i + 1) * width + j].max(best[i * width + j + 1]);
            let together = if *like > 0 { best[(i + 1) * width + j + 1] + like } else { 0 };
            best[i * width + j] = apart.max(together);
        }
    }
    let mut pairs = Vec::new();
    let (mut i, mut j) = (0, 0);
    while i < old.len() && j < new.len() {
        let (like, here) = (likeness[i][j], best[i * width + j]);
        if like > 0 && here == best[(i + 1) * width + j + 1] + like {
            pairs.push((Some(i), Some(j)));
            (i, j) = (i + 1, j + 1);
        } else if here == best[(i + 1) * width + j] {
            pairs.push((Some(i), None));
            i += 1;
        } else {
            pairs.push((None, Some(j)));
            j += 1;
        }
    }
    pairs.extend((i..old.len()).map(|at| (Some(at), None)));
    pairs.extend((j..new.len()).map(|at| (None, Some(at))));
    pairs
}

/// How alike two elements are; 0 for those that do not belong together.
fn alike(one: &Value<'_>, two: &Value<'_>) -> u32 {
    const SAME: u32 = 100;
    const SAME_MEMBER: u32 = 10;
    if one.raw() == two.raw() {
        return SAME;
    }
    match (one.kind(), two.kind()) {
        (Kind::Object, Kind::Object) => {
            let shared = one.members().filter(|member| {
                let name = member.key.decode();
                two.get(&name).is_some_and(|value| value.raw() == member.value.raw())
            });
            u32::try_from(shared.count()).unwrap_or(u32::MAX).min(SAME / SAME_MEMBER - 1) * SAME_MEMBER
        }
        (one, two) => u32::from(one == two),
    }
}

fn escape(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

impl Edit {
    /// The change for people: long texts are cut down to what differs in them.
    pub(crate) fn shortened(&self) -> (Option<String>, Option<String>) {
        let (Some(old), Some(new)) = (&self.old, &self.new) else {
            return (self.old.as_deref().map(clip), self.new.as_deref().map(clip));
        };
        let (old, new): (Vec<char>, Vec<char>) = (old.chars().collect(), new.chars().collect());
        let longest = old.len().max(new.len());
        if longest <= SHOWN_CHARS_MAX {
            return (Some(old.iter().collect()), Some(new.iter().collect()));
        }
        let head = old.iter().zip(&new).take_while(|(one, two)| one == two).count();
        let rest = old.len().min(new.len()) - head;
        let tail =
            old.iter().rev().zip(new.iter().rev()).take(rest).take_while(|(one, two)| one == two).count();
        (Some(window(&old, head, tail)), Some(window(&new, head, tail)))
    }
}

/// The characters between an equal head and an equal tail, with some of both.
fn window(text: &[char], head: usize, tail: usize) -> String {
    let from = head.saturating_sub(CONTEXT_CHARS);
    let to = (text.len() - tail + CONTEXT_CHARS).min(text.len());
    let middle: String = text[from..to].iter().collect();
    let before = if from > 0 { "…" } else { "" };
    let after = if to < text.len() { "…" } else { "" };
    format!("{before}{}{after}", clip(&middle))
}

/// A text of which the middle may be left out.
fn clip(text: &str) -> String {
    let chars: Vec<char> = text.chars().collect();
    if chars.len() <= SHOWN_CHARS_MAX {
        return text.to_owned();
    }
    let half = SHOWN_CHARS_MAX / 2;
    let (head, tail) = (&chars[..half], &chars[chars.len() - half..]);
    format!("{}…{}", head.iter().collect::<String>(), tail.iter().collect::<String>())
}

#[cfg(test)]
mod tests {
    use super::{Edit, difference};

    type Told<'a> = (&'a str, Option<&'a str>, Option<&'a str>);

    #[track_caller]
    fn check(old: &str, new: &str, expected: &[Told<'_>]) {
        let found = difference(old.as_bytes(), new.as_bytes());
        let found: Vec<Told<'_>> =
            found.iter().map(|edit| (&*edit.pointer, edit.old.as_deref(), edit.new.as_deref())).collect();
        assert_eq!(found, expected, "{old} to {new}");
    }

    #[test]
    fn each_changed_field_is_told_by_its_pointer() {
        check(r#"{"a":1,"b":[1,2]}"#, r#"{"a":1,"b":[1,2]}"#, &[]);
        check(r#"{"a":1}"#, r#"{"a":2}"#, &[("/a", Some("1"), Some("2"))]);
        check(r#"{"a":1}"#, r#"{"a":1,"b":true}"#, &[("/b", None, Some("true"))]);
        check(r#"{"a":1,"b":true}"#, r#"{"a":1}"#, &[("/b", Some("true"), None)]);
        check(
            r#"{"a":{"b/c":{"~":"x"}}}"#,
            r#"{"a":{"b/c":{"~":"y"}}}"#,
            &[("/a/b~1c/~0", Some(r#""x""#), Some(r#""y""#))],
        );
        check(r#"{"a":[]}"#, r#"{"a":{}}"#, &[("/a", Some("[]"), Some("{}"))]);
    }

    #[test]
    fn numbers_and_repeated_keys_count_as_they_are_written() {
        check(r#"{"n":1e400}"#, r#"{"n":1e401}"#, &[("/n", Some("1e400"), Some("1e401"))]);
        check(r#"{"n":1.0}"#, r#"{"n":1.00}"#, &[("/n", Some("1.0"), Some("1.00"))]);
        check(r#"{"k":1,"k":2}"#, r#"{"k":3,"k":2}"#, &[("/k", Some("1"), Some("3"))]);
        check(r#"{"k":1,"k":2}"#, r#"{"k":1}"#, &[("/k", Some("2"), None)]);
    }

    #[test]
    fn an_element_that_is_inserted_or_taken_away_changes_no_other() {
        let (user, ann) = (r#"{"role":"user","content":"hi"}"#, r#"{"role":"user","content":"I am Ann"}"#);
        let system = r#"{"role":"system","content":"be brief"}"#;
        let list = |items: &[&str]| format!(r#"{{"m":[{}]}}"#, items.join(","));
        check(&list(&[user, ann]), &list(&[system, user, ann]), &[("/m/0", None, Some(system))]);
        check(&list(&[system, user, ann]), &list(&[user, ann]), &[("/m/0", Some(system), None)]);
        // And one that is edited at the same time is still known by what it kept.
        let masked = r#"{"role":"user","content":"I am [NAME]"}"#;
        check(
            &list(&[user, ann]),
            &list(&[system, user, masked]),
            &[
                ("/m/0", None, Some(system)),
                ("/m/2/content", Some(r#""I am Ann""#), Some(r#""I am [NAME]""#)),
            ],
        );
        check("[1,2,3]", "[1,3]", &[("/1", Some("2"), None)]);
        check(r#"["a"]"#, r#"["b"]"#, &[("/0", Some(r#""a""#), Some(r#""b""#))]);
    }

    #[test]
    fn very_long_lists_are_compared_place_by_place() {
        let numbers = |from: usize| {
            let items: Vec<_> = (from..from + 300).map(|number| number.to_string()).collect();
            format!("[{}]", items.join(","))
        };
        let edits = difference(numbers(0).as_bytes(), numbers(1_000).as_bytes());
        assert_eq!(edits.len(), 300);
        assert_eq!(edits[7].pointer, "/7");
    }

    #[test]
    fn what_is_no_json_differs_as_a_whole() {
        check("{", "{}", &[("", Some("{"), Some("{}"))]);
        check("{", "{", &[]);
    }

    #[test]
    fn of_long_texts_people_see_what_differs() {
        let text =
            |name: &str| format!("\"{} my name is {name} {}\"", "before ".repeat(40), "after ".repeat(40));
        let edit = Edit { pointer: "/a".to_owned(), old: Some(text("Ann")), new: Some(text("[NAME]")) };
        let (old, new) = edit.shortened();
        assert_eq!(old.as_deref(), Some("…fore before  my name is Ann after after after after…"));
        assert_eq!(new.as_deref(), Some("…fore before  my name is [NAME] after after after after…"));

        let added = Edit { pointer: "/a".to_owned(), old: None, new: Some("ä".repeat(500)) };
        let (_, new) = added.shortened();
        assert_eq!(new.unwrap(), format!("{}…{}", "ä".repeat(60), "ä".repeat(60)));
        let short = Edit { pointer: "/a".to_owned(), old: Some("1".to_owned()), new: Some("2".to_owned()) };
        assert_eq!(short.shortened(), (Some("1".to_owned()), Some("2".to_owned())));
    }
}
