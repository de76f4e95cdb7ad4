//! Requests that stay in the dialect and go to a target that differs from its reference.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use gatewright::chat::{LossKind, Losses, Param, Place};
use gatewright::dialect::{Abilities, Dialect, ReasoningForm};
use gatewright::{Failure, FailureKind};
use gatewright_wire::codec;

fn able(change: impl FnOnce(&mut Abilities)) -> Abilities {
    let mut abilities = Abilities::default();
    change(&mut abilities);
    abilities
}

type Conformed = (String, Vec<(String, LossKind)>);

fn conformed(body: &str, abilities: &Abilities, is_strict: bool) -> Result<Conformed, Failure> {
    let codec = codec(Dialect::OpenAiChat);
    let chat = codec.chat().unwrap();
    let mut request = codec.decode_request(body.to_owned().into()).unwrap();
    let name = |place: &Place<'_>| chat.pointer(place);
    let mut losses = Losses::new(is_strict, &name);
    chat.conform(&mut *request, abilities, &mut losses)?;
    let losses = losses.into_found().into_iter().map(|loss| (loss.field.into_owned(), loss.kind));
    Ok((String::from_utf8(request.to_body().into()).unwrap(), losses.collect()))
}

/// A request with these members behind its messages.
fn with(members: &str) -> String {
    let comma = if members.is_empty() { "" } else { "," };
    format!(r#"{{"model":"m","messages":[{{"role":"user","content":"hi"}}]{comma}{members}}}"#)
}

#[track_caller]
fn check(members: &str, abilities: &Abilities, expected: &str, lost: &[(&str, LossKind)]) {
    let (body, losses) = conformed(&with(members), abilities, false).unwrap();
    assert_eq!(body, with(expected), "{members}");
    let losses: Vec<_> = losses.iter().map(|(field, kind)| (field.as_str(), *kind)).collect();
    assert_eq!(losses, lost, "{members}");
}

#[test]
fn a_target_that_is_not_known_to_differ_gets_the_bytes_that_came() {
    let members =
        r#""max_completion_tokens": 5, "x":1e400,"stream_options":{"include_usage":true},"stream":true"#;
    check(members, &Abilities::default(), members, &[]);
}

#[test]
fn what_the_target_refuses_is_taken_out_under_each_of_its_names_and_reported() {
    let refuses = vec![Param::Logprobs, Param::EndUser, Param::OutputCap, Param::Seed];
    check(
        r#""logprobs":true,"user":"u","safety_identifier":"s","max_tokens":5,"max_completion_tokens":6,"top_p":1"#,
        &able(|abilities| abilities.refuses = refuses),
        r#""top_p":1"#,
        &[
            ("/logprobs", LossKind::Dropped),
            ("/max_completion_tokens", LossKind::Dropped),
            ("/max_tokens", LossKind::Dropped),
            ("/safety_identifier", LossKind::Dropped),
            ("/user", LossKind::Dropped),
        ],
    );
}

#[test]
fn nothing_is_lost_with_a_value_that_holds_by_default() {
    let refuses =
        vec![Param::Logprobs, Param::Choices, Param::PresencePenalty, Param::LogitBias, Param::Stop];
    let abilities = able(|abilities| {
        abilities.refuses = refuses;
        abilities.reasoning = ReasoningForm::Never;
    });
    let members = r#""logprobs":false,"n":1,"presence_penalty":0,"logit_bias":{},"stop":null,"reasoning_effort":"none""#;
    check(members, &abilities, "", &[]);
    check(r#""n":2"#, &abilities, "", &[("/n", LossKind::Dropped)]);
    check(r#""reasoning_effort":"low""#, &abilities, "", &[("/reasoning_effort", LossKind::Dropped)]);
}

#[test]
fn strict_callers_are_told_what_would_be_lost() {
    let abilities = able(|abilities| abilities.refuses = vec![Param::Seed]);
    let failure = conformed(&with(r#""seed":7"#), &abilities, true).unwrap_err();
    assert_eq!((failure.kind, failure.param.as_deref()), (FailureKind::Unsupported, Some("/seed")));
    assert!(conformed(&with(r#""n":1"#), &abilities, true).is_ok());
}

#[test]
fn the_cap_goes_to_legacy_servers_under_its_oldest_name() {
    let legacy = able(|abilities| abilities.has_legacy_cap = true);
    check(r#""max_completion_tokens":5,"n":1"#, &legacy, r#""n":1,"max_tokens":5"#, &[]);
    check(r#""max_tokens":9"#, &legacy, r#""max_tokens":9"#, &[]);
    // Of two, the one that the dialect's reference reads holds.
    check(r#""max_tokens":9,"max_completion_tokens":5"#, &legacy, r#""max_tokens":5"#, &[]);
    check(r#""max_tokens":9,"max_completion_tokens":null"#, &legacy, r#""max_tokens":9"#, &[]);
    check("", &legacy, "", &[]);
}

#[test]
fn parameters_go_under_the_names_that_the_target_has_for_them() {
    let names = vec![(Param::Seed, "random_seed".into()), (Param::OutputCap, "max_new_tokens".into())];
    let named = able(|abilities| {
        abilities.names = names;
        abilities.has_legacy_cap = true;
    });
    check(
        r#""seed":12345678901234567890,"max_tokens":9,"max_completion_tokens":5"#,
        &named,
        r#""random_seed":12345678901234567890,"max_new_tokens":5"#,
        &[],
    );
}

#[test]
fn a_schema_becomes_any_json_where_the_target_holds_to_none() {
    let loose = able(|abilities| abilities.holds_to_schema = false);
    check(
        r#""response_format":{"type":"json_schema","json_schema":{"name":"n","schema":{}}},"n":1"#,
        &loose,
        r#""response_format":{"type":"json_object"},"n":1"#,
        &[("/response_format", LossKind::Approximated)],
    );
    let text = r#""response_format":{"type":"text"}"#;
    check(text, &loose, text, &[]);
}

#[test]
fn stream_options_are_left_out_where_the_target_takes_none() {
    let plain = able(|abilities| abilities.has_stream_options = false);
    check(r#""stream":true,"stream_options":{"include_usage":true}"#, &plain, r#""stream":true"#, &[]);
    check(r#""stream_options":null"#, &plain, "", &[]);
}

#[test]
fn developers_speak_as_the_system_where_the_target_knows_no_other() {
    let old = able(|abilities| abilities.has_developer_role = false);
    let body = r#"{"messages":[{"role":"developer","content":"a"}, {"content":"developer","role":"user"},{"role": "developer","content":[]}],"model":"m"}"#;
    let (sent, losses) = conformed(body, &old, false).unwrap();
    let expected = r#"{"messages":[{"role":"system","content":"a"}, {"content":"developer","role":"user"},{"role": "system","content":[]}],"model":"m"}"#;
    assert_eq!((sent.as_str(), losses), (expected, Vec::new()));
    check("", &old, "", &[]);
}

#[test]
fn what_another_dialect_wrote_heeds_the_targets_words_too() {
    let body =
        r#"{"model":"m","max_tokens":9,"top_k":4,"stream":true,"messages":[{"role":"user","content":"hi"}]}"#;
    let from = codec(Dialect::AnthropicMessages).chat().unwrap();
    let to = codec(Dialect::OpenAiChat).chat().unwrap();
    let chat = from.read_request(body.as_bytes()).unwrap();
    let written = |abilities: &Abilities| {
        let name = |place: &Place<'_>| from.pointer(place);
        let mut losses = Losses::new(false, &name);
        let body = to.write_request(&chat, abilities, &mut losses).unwrap();
        (String::from_utf8(body.into()).unwrap(), losses.into_found().len())
    };
    let (plain, lost) = written(&Abilities::default());
    assert!(
        plain.contains(r#""stream_options":{"include_usage":true},"max_completion_tokens":9"#),
        "{plain}"
    );
    assert_eq!(lost, 1, "the dialect's reference has no `top_k`");
    let (theirs, lost) = written(&able(|abilities| {
        abilities.has_stream_options = false;
        abilities.has_legacy_cap = true;
        abilities.names = vec![(Param::TopK, "top_k".into())];
    }));
    assert!(theirs.contains(r#""stream":true,"max_tokens":9,"top_k":4}"#), "{theirs}");
    assert_eq!(lost, 0);
}
