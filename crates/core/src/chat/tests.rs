use std::borrow::Cow;

use super::{Chat, Effort, LossKind, Losses, MediaSource, Param, Part, Place, Speaker, Turn};

fn said(speaker: Speaker, text: &str) -> Turn<'_> {
    Turn { speaker, parts: vec![Part::text(text)] }
}

#[test]
fn rounds_take_neighbours_of_one_speaker_together() {
    let turns = vec![
        said(Speaker::User, "a"),
        said(Speaker::User, "b"),
        said(Speaker::Assistant, "c"),
        said(Speaker::User, "d"),
    ];
    let chat = Chat { turns, ..Chat::default() };
    let rounds: Vec<_> = chat
        .rounds()
        .map(|(speaker, parts)| (speaker, parts.iter().filter_map(|part| part.as_text()).collect::<String>()))
        .collect();
    let expected = [(Speaker::User, "ab"), (Speaker::Assistant, "c"), (Speaker::User, "d")];
    assert_eq!(rounds, expected.map(|(speaker, text)| (speaker, text.to_owned())));
}

#[test]
fn a_data_url_is_taken_apart_and_any_other_stays() {
    let cases = [
        ("data:image/png;base64,QUJD", Some("image/png"), MediaSource::Base64("QUJD".into())),
        ("data:image/png;charset=x;base64,QQ==", Some("image/png"), MediaSource::Base64("QQ==".into())),
        ("data:;base64,QQ==", None, MediaSource::Base64("QQ==".into())),
        ("data:text/plain,abc", None, MediaSource::Url("data:text/plain,abc".into())),
        ("https://example.test/a,b", None, MediaSource::Url("https://example.test/a,b".into())),
    ];
    for (url, mime, source) in cases {
        let expected = (mime.map(Cow::Borrowed), source);
        assert_eq!(MediaSource::of_url(Cow::Borrowed(url)), expected, "{url}");
        assert_eq!(MediaSource::of_url(Cow::Owned(url.to_owned())), expected, "{url}");
    }
}

#[test]
fn a_strict_report_refuses_the_first_loss_and_names_its_field() {
    let name = |_: &Place<'_>| "/seed".to_owned();
    let refused = Losses::new(true, &name).report(&Place::Param(Param::Seed), LossKind::Dropped).unwrap_err();
    assert_eq!(refused.param.as_deref(), Some("/seed"));
    let mut lenient = Losses::new(false, &name);
    for _ in 0..2 {
        lenient.report(&Place::Param(Param::Seed), LossKind::Dropped).unwrap();
    }
    assert_eq!(lenient.into_found().len(), 1, "one field is lost once");
}

#[test]
fn a_budget_and_the_effort_near_it_agree() {
    for effort in
        [Effort::None, Effort::Minimal, Effort::Low, Effort::Medium, Effort::High, Effort::Extra, Effort::Max]
    {
        assert_eq!(Effort::of_budget(effort.as_budget()), effort);
        assert_eq!(Effort::of_word(effort.as_str()), Some(effort));
    }
}
