//! Requests for vectors between all dialects that have them, and vectors on the way back.

#![expect(clippy::unwrap_used, reason = "a test ends where it fails, helpers included")]

use bytes::Bytes;
use gatewright::chat::{LossKind, Losses, Place};
use gatewright::dialect::{Abilities, Address, Codec, Dialect, EmbeddingCodec, Envelope, Operation};
use gatewright::embedding::{Embed, Encoding, Input, Task, Truncation, Vector, Vectors};
use gatewright::{Failure, RequestId, Usage};
use gatewright_wire::codec_of;
use proptest::option;
use proptest::prelude::*;
use serde_json::{Value, json};

#[path = "../../../tests/fuzz/src/embedding.rs"]
#[expect(unreachable_pub, reason = "the fuzz package offers it to its targets")]
mod embedding;

const DIALECTS: [Dialect; 6] = [
    Dialect::OpenAiEmbeddings,
    Dialect::GoogleGenerate,
    Dialect::GooglePredict,
    Dialect::TitanEmbed,
    Dialect::CohereEmbed,
    Dialect::OllamaEmbed,
];

fn codec(dialect: Dialect) -> &'static dyn Codec {
    codec_of(dialect, Operation::Embedding)
}

fn translation(dialect: Dialect) -> &'static dyn EmbeddingCodec {
    codec(dialect).embedding().unwrap()
}

fn envelope() -> Envelope {
    Envelope { id: RequestId::new(1, 2), created: 7, model: "m".to_owned() }
}

/// What a request becomes in another dialect, and what that loses, named as the caller names it.
fn sent(from: Dialect, body: &str, to: Dialect) -> Result<(Value, Vec<String>), Failure> {
    sent_to(from, body, to, &Abilities::default(), false)
}

fn sent_to(
    from: Dialect,
    body: &str,
    to: Dialect,
    abilities: &Abilities,
    is_strict: bool,
) -> Result<(Value, Vec<String>), Failure> {
    let from = translation(from);
    let embed = from.read_request(body.as_bytes())?;
    let name = |place: &Place<'_>| from.pointer(place);
    let mut losses = Losses::new(is_strict, &name);
    let written = translation(to).write_request(&embed, abilities, &mut losses)?;
    let lost = losses.into_found().into_iter().map(|loss| format!("{};{}", loss.field, loss.kind.as_str()));
    Ok((serde_json::from_slice(&written).unwrap(), lost.collect()))
}

/// What a whole answer becomes for a caller who asked so.
fn answered(from: Dialect, answer: &str, to: Dialect, asked: &str) -> String {
    let asked = translation(to).read_request(asked.as_bytes()).unwrap();
    let mut vectors = translation(from).read_answer(answer.as_bytes()).unwrap();
    vectors.usage = Some(Usage { input: 5, ..Usage::default() });
    String::from_utf8(translation(to).write_answer(&asked, &vectors, &envelope()).to_vec()).unwrap()
}

// === Requests ===

#[test]
fn a_request_has_its_words_in_every_dialect() {
    let google = r#"{"requests":[
        {"model":"models/m","content":{"parts":[{"text":"a"}]},"taskType":"RETRIEVAL_QUERY","output_dimensionality":8},
        {"model":"models/m","content":{"parts":[{"text":"b"}]},"taskType":"RETRIEVAL_QUERY","outputDimensionality":8}]}"#;
    let cases = [
        (
            Dialect::OpenAiEmbeddings,
            json!({"model": "", "input": ["a", "b"], "encoding_format": "float", "dimensions": 8}),
            vec!["/taskType;dropped"],
        ),
        (
            Dialect::GooglePredict,
            json!({
                "instances": [
                    {"content": "a", "task_type": "RETRIEVAL_QUERY"}, {"content": "b", "task_type": "RETRIEVAL_QUERY"},
                ],
                "parameters": {"outputDimensionality": 8},
            }),
            vec![],
        ),
        (
            Dialect::CohereEmbed,
            json!({
                "model": "", "texts": ["a", "b"], "input_type": "search_query", "embedding_types": ["float"],
                "output_dimension": 8,
            }),
            vec![],
        ),
    ];
    for (to, expected, lost) in cases {
        assert_eq!(sent(Dialect::GoogleGenerate, google, to).unwrap(), (expected, lost_of(&lost)));
    }
    let openai = r#"{"model":"m","input":"a","dimensions":8,"user":"u","x":1}"#;
    let expected = json!({"content": {"parts": [{"text": "a"}]}, "outputDimensionality": 8});
    let lost = lost_of(&["/user;dropped", "/x;dropped"]);
    assert_eq!(sent(Dialect::OpenAiEmbeddings, openai, Dialect::GoogleGenerate).unwrap(), (expected, lost));
    let expected = json!({"inputText": "a", "dimensions": 8});
    let lost = lost_of(&["/user;dropped", "/x;dropped"]);
    assert_eq!(sent(Dialect::OpenAiEmbeddings, openai, Dialect::TitanEmbed).unwrap(), (expected, lost));
}

fn lost_of(lost: &[&str]) -> Vec<String> {
    lost.iter().map(|lost| (*lost).to_owned()).collect()
}

#[test]
fn what_vectors_are_for_is_near_or_usual_where_the_dialect_wants_to_know() {
    let cases = [
        (r#"{"content":{"parts":[{"text":"a"}]}}"#, "search_document", vec![]),
        (
            r#"{"content":{"parts":[{"text":"a"}]},"taskType":"CODE_RETRIEVAL_QUERY"}"#,
            "search_query",
            vec!["/taskType;approximated"],
        ),
        (r#"{"content":{"parts":[{"text":"a"}]},"taskType":"CLUSTERING"}"#, "clustering", vec![]),
    ];
    for (body, word, lost) in cases {
        let (written, found) = sent(Dialect::GoogleGenerate, body, Dialect::CohereEmbed).unwrap();
        assert_eq!((written["input_type"].as_str(), found), (Some(word), lost_of(&lost)), "{body}");
    }
    let (written, _) = sent(
        Dialect::OpenAiEmbeddings,
        r#"{"model":"m","input":"a","input_type":"passage"}"#,
        Dialect::GoogleGenerate,
    )
    .unwrap();
    assert_eq!(written["taskType"], "RETRIEVAL_DOCUMENT");
}

#[test]
fn a_title_stays_with_its_text_or_is_reported() {
    let body = r#"{"content":{"parts":[{"text":"a"}]},"title":"T","taskType":"RETRIEVAL_DOCUMENT"}"#;
    let (written, lost) = sent(Dialect::GoogleGenerate, body, Dialect::GooglePredict).unwrap();
    assert_eq!((&written["instances"][0]["title"], lost), (&json!("T"), vec![]));
    let (_, lost) = sent(Dialect::GoogleGenerate, body, Dialect::CohereEmbed).unwrap();
    assert_eq!(lost, ["/title;dropped"]);
}

#[test]
fn cutting_goes_where_it_can_be_said() {
    for (word, auto, lost) in [
        ("END", json!(true), vec![]),
        ("none", json!(false), vec![]),
        ("START", Value::Null, vec!["/truncate;dropped"]),
    ] {
        let body = json!({"texts": ["a"], "input_type": "clustering", "truncate": word}).to_string();
        let (written, found) = sent(Dialect::CohereEmbed, &body, Dialect::GooglePredict).unwrap();
        assert_eq!((&written["parameters"]["autoTruncate"], found), (&auto, lost_of(&lost)), "{word}");
    }
}

#[test]
fn more_inputs_than_are_taken_at_once_are_refused_with_the_bound() {
    let inputs = |count: usize| json!({"model": "m", "input": vec!["a"; count]}).to_string();
    for (to, most) in [
        (Dialect::TitanEmbed, 1),
        (Dialect::CohereEmbed, 96),
        (Dialect::GoogleGenerate, 100),
        (Dialect::GooglePredict, 250),
    ] {
        assert!(sent(Dialect::OpenAiEmbeddings, &inputs(most), to).is_ok(), "{to:?}");
        let refused = sent(Dialect::OpenAiEmbeddings, &inputs(most + 1), to).unwrap_err();
        assert_eq!(refused.param.as_deref(), Some(format!("/input/{most}").as_str()));
        assert!(refused.message.contains(&format!("takes {most} input")), "{}", refused.message);
    }
    let mut one = Abilities::default();
    one.inputs_max = Some(1);
    let refused = |count| {
        sent_to(Dialect::OpenAiEmbeddings, &inputs(count), Dialect::GooglePredict, &one, false).is_err()
    };
    assert_eq!((refused(1), refused(2)), (false, true));
}

#[test]
fn what_no_other_dialect_can_mean_is_refused_with_its_place() {
    let cases = [
        (Dialect::OpenAiEmbeddings, r#"{"model":"m","input":[[1,2],[3]]}"#, Dialect::CohereEmbed, "/input/0"),
        (Dialect::OpenAiEmbeddings, r#"{"model":"m","input":["a",{}]}"#, Dialect::CohereEmbed, "/input/1"),
        (
            Dialect::OpenAiEmbeddings,
            r#"{"model":"m","input":"a","dimensions":0}"#,
            Dialect::CohereEmbed,
            "/dimensions",
        ),
        (
            Dialect::CohereEmbed,
            r#"{"texts":["a"],"embedding_types":["float","int8"]}"#,
            Dialect::OpenAiEmbeddings,
            "/embedding_types",
        ),
        (Dialect::CohereEmbed, r#"{"images":["data:"],"model":"m"}"#, Dialect::OpenAiEmbeddings, "/texts"),
        (
            Dialect::GoogleGenerate,
            r#"{"content":{"parts":[{"text":"a"},{"text":"b"}]}}"#,
            Dialect::OpenAiEmbeddings,
            "/content/parts",
        ),
        (
            Dialect::GoogleGenerate,
            r#"{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]},"taskType":"CLUSTERING"}]}"#,
            Dialect::OpenAiEmbeddings,
            "/requests/1",
        ),
    ];
    for (from, body, to, field) in cases {
        let refused = sent(from, body, to).unwrap_err();
        assert_eq!(refused.param.as_deref(), Some(field), "{body}");
    }
}

#[test]
fn a_strict_caller_is_refused_the_first_loss() {
    let body = r#"{"model":"m","input":"a","user":"u"}"#;
    let abilities = Abilities::default();
    let refused =
        sent_to(Dialect::OpenAiEmbeddings, body, Dialect::TitanEmbed, &abilities, true).unwrap_err();
    assert_eq!(refused.param.as_deref(), Some("/user"));
}

// === Answers ===

#[test]
fn vectors_keep_their_digits_and_their_order() {
    let body = r#"{"object":"list","data":[{"index":1,"embedding":[3]},{"index":0,"embedding":[1e-7, 0.10000000000000000555]}]}"#;
    let asked = r#"{"requests":[{"content":{"parts":[{"text":"a"}]}},{"content":{"parts":[{"text":"b"}]}}]}"#;
    assert_eq!(
        answered(Dialect::OpenAiEmbeddings, body, Dialect::GoogleGenerate, asked),
        r#"{"embeddings":[{"values":[1e-7, 0.10000000000000000555]},{"values":[3]}],"usageMetadata":{"promptTokenCount":5}}"#
    );
}

#[test]
fn an_answer_has_the_form_that_was_asked_for() {
    let google = r#"{"embedding":{"values":[1.0,-2]}}"#;
    let cases = [
        (
            Dialect::OpenAiEmbeddings,
            r#"{"model":"m","input":"a","encoding_format":"base64"}"#,
            r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":"AACAPwAAAMA="}],"model":"m","usage":{"prompt_tokens":5,"total_tokens":5}}"#,
        ),
        (
            Dialect::OpenAiEmbeddings,
            r#"{"model":"m","input":"a"}"#,
            r#"{"object":"list","data":[{"object":"embedding","index":0,"embedding":[1.0,-2]}],"model":"m","usage":{"prompt_tokens":5,"total_tokens":5}}"#,
        ),
        (Dialect::TitanEmbed, r#"{"inputText":"a"}"#, r#"{"embedding":[1.0,-2],"inputTextTokenCount":5}"#),
        (
            Dialect::TitanEmbed,
            r#"{"inputText":"a","embeddingTypes":["float"]}"#,
            r#"{"embedding":[1.0,-2],"embeddingsByType":{"float":[1.0,-2]},"inputTextTokenCount":5}"#,
        ),
        (
            Dialect::GooglePredict,
            r#"{"instances":[{"content":"a"}]}"#,
            r#"{"predictions":[{"embeddings":{"values":[1.0,-2]}}]}"#,
        ),
    ];
    for (to, asked, expected) in cases {
        assert_eq!(answered(Dialect::GoogleGenerate, google, to, asked), expected);
    }
    let asked = r#"{"texts":["a"],"input_type":"clustering","embedding_types":["float","base64"]}"#;
    let by_type = answered(Dialect::GoogleGenerate, google, Dialect::CohereEmbed, asked);
    let by_type: Value = serde_json::from_str(&by_type).unwrap();
    assert_eq!(by_type["embeddings"], json!({"float": [[1.0, -2]], "base64": ["AACAPwAAAMA="]}));
    assert_eq!(by_type["response_type"], "embeddings_by_type");
    let asked = r#"{"model":"m","input":["a"]}"#;
    assert_eq!(
        answered(Dialect::GoogleGenerate, google, Dialect::OllamaEmbed, asked),
        r#"{"model":"m","embeddings":[[1.0,-2]],"prompt_eval_count":5}"#
    );
    let asked = r#"{"texts":["a"],"input_type":"clustering"}"#;
    let named = answered(Dialect::GoogleGenerate, google, Dialect::CohereEmbed, asked);
    assert!(named.contains(r#""embeddings":{"float":[[1.0,-2]]}"#), "{named}");
}

#[test]
fn figures_are_read_wherever_a_provider_tells_them() {
    let cases = [
        (Dialect::TitanEmbed, r#"{"embedding":[1],"inputTextTokenCount":7}"#, Some(7)),
        (
            Dialect::CohereEmbed,
            r#"{"embeddings":{"float":[[1]]},"meta":{"billed_units":{"input_tokens":7}}}"#,
            Some(7),
        ),
        (Dialect::CohereEmbed, r#"{"embeddings":[[1]]}"#, None),
        (
            Dialect::GooglePredict,
            r#"{"predictions":[{"embeddings":{"values":[1],"statistics":{"token_count":3.0}}},{"embeddings":{"values":[1],"statistics":{"token_count":4}}}]}"#,
            Some(7),
        ),
        (
            Dialect::GooglePredict,
            r#"{"predictions":[{"embeddings":{"values":[1],"statistics":{"token_count":3}}},{"embeddings":{"values":[1]}}]}"#,
            None,
        ),
        (
            Dialect::GoogleGenerate,
            r#"{"embedding":{"values":[1]},"usageMetadata":{"promptTokenCount":7}}"#,
            Some(7),
        ),
        (Dialect::OllamaEmbed, r#"{"embeddings":[[1]],"prompt_eval_count":7}"#, Some(7)),
        (Dialect::OpenAiEmbeddings, r#"{"data":[],"usage":{"prompt_tokens":7,"total_tokens":7}}"#, Some(7)),
    ];
    for (dialect, body, expected) in cases {
        let answer = codec(dialect).decode_answer(Bytes::from_static(body.as_bytes())).unwrap();
        assert_eq!(answer.usage().map(|usage| usage.input), expected, "{body}");
    }
}

#[test]
fn an_answer_without_vectors_is_malformed() {
    for (dialect, body) in [
        (Dialect::OpenAiEmbeddings, r#"{"data":[{"index":0}]}"#),
        (Dialect::OpenAiEmbeddings, r#"{"data":[{"embedding":[1,null]}]}"#),
        (Dialect::GoogleGenerate, r#"{"embedding":{}}"#),
        (Dialect::GooglePredict, r#"{"predictions":[{}]}"#),
        (Dialect::OllamaEmbed, r#"{"embeddings":[1]}"#),
        (Dialect::TitanEmbed, "{}"),
        (Dialect::CohereEmbed, r#"{"embeddings":{"int8":[[1]]}}"#),
    ] {
        assert!(translation(dialect).read_answer(body.as_bytes()).is_err(), "{body}");
    }
}

#[test]
fn filters_see_every_text_that_becomes_a_vector() {
    let address = Address { model: Some("m".into()), ..Address::default() };
    for (dialect, body, expected) in [
        (Dialect::TitanEmbed, r#"{"inputText":"a"}"#, vec!["a"]),
        (
            Dialect::CohereEmbed,
            r#"{"model":"m","texts":["a","b"],"inputs":[{"content":[{"type":"text","text":"c"}]}]}"#,
            vec!["a", "b", "c"],
        ),
        (Dialect::GooglePredict, r#"{"instances":[{"content":"a","title":"t"}]}"#, vec!["a", "t"]),
    ] {
        let mut request =
            codec(dialect).decode_request_at(Bytes::from_static(body.as_bytes()), &address).unwrap();
        let mut seen = Vec::new();
        request.for_each_text(&mut |part| seen.push(part.text.to_owned())).unwrap();
        assert_eq!(seen, expected);
        request.edit_texts(&mut |_| Some("x".to_owned())).unwrap();
        assert!(!String::from_utf8_lossy(&request.to_body()).contains("\"a\""));
    }
}

// === Properties ===

fn embed() -> impl Strategy<Value = Embed<'static>> {
    let texts = prop::collection::vec("\\PC{1,12}", 1..5);
    let tasks = prop_oneof![
        Just(Task::Query),
        Just(Task::Document),
        Just(Task::Classification),
        Just(Task::Clustering)
    ];
    let cuts = prop_oneof![Just(Truncation::Refuse), Just(Truncation::End)];
    (texts, option::of(1_u64..5_000), option::of(tasks), option::of(cuts)).prop_map(
        |(texts, dimensions, task, truncation)| Embed {
            model: "m".into(),
            inputs: texts.into_iter().map(Input::text).collect(),
            is_list: true,
            dimensions,
            task,
            truncation,
            ..Embed::default()
        },
    )
}

proptest! {
    /// What is written reads as it was, less what was reported as lost.
    #[test]
    fn a_request_that_is_written_reads_as_it_was(embed in embed()) {
        for dialect in DIALECTS {
            let mut embed = embed.clone();
            if dialect == Dialect::TitanEmbed {
                embed.inputs.truncate(1);
            }
            let name = |place: &Place<'_>| format!("{place:?}");
            let mut losses = Losses::new(false, &name);
            let written = translation(dialect).write_request(&embed, &Abilities::default(), &mut losses).unwrap();
            let lost = losses.into_found();
            let has_lost = |what: &str| lost.iter().any(|loss| loss.field.contains(what) && loss.kind == LossKind::Dropped);
            let address = Address { model: Some("m".into()), ..Address::default() };
            prop_assert!(codec(dialect).decode_request_at(written.clone(), &address).is_ok());
            let read = translation(dialect).read_request(&written).unwrap();
            prop_assert_eq!(&read.inputs, &embed.inputs);
            prop_assert_eq!(read.dimensions, embed.dimensions);
            prop_assert!(read.task == embed.task || has_lost("Task") || embed.task.is_none(), "{:?}", dialect);
            prop_assert!(read.truncation == embed.truncation || has_lost("Truncation"), "{:?}", dialect);
            prop_assert!(read.unknown.is_empty());
        }
    }

    /// Vectors that are written read as they were.
    #[test]
    fn vectors_that_are_written_read_as_they_were(numbers in prop::collection::vec(prop::collection::vec(any::<f32>().prop_filter("finite", |x| x.is_finite()), 0..4), 1..4)) {
        let source = |vector: &Vec<f32>| serde_json::to_string(vector).unwrap();
        for dialect in DIALECTS {
            let mut vectors: Vec<_> = numbers.iter().map(|vector| Vector::Numbers(source(vector).into())).collect();
            if dialect == Dialect::TitanEmbed {
                vectors.truncate(1);
            }
            let inputs = vectors.iter().map(|_| Input::text("a")).collect();
            let asked = Embed { inputs, is_list: true, ..Embed::default() };
            let answer = Vectors { vectors, ..Vectors::default() };
            let written = translation(dialect).write_answer(&asked, &answer, &envelope());
            prop_assert!(codec(dialect).decode_answer(written.clone()).is_ok());
            prop_assert_eq!(&translation(dialect).read_answer(&written).unwrap().vectors, &answer.vectors);
        }
    }

    /// Numbers that are packed and unpacked are the floats that they were.
    #[test]
    fn packing_loses_no_float(numbers in prop::collection::vec(any::<f32>().prop_filter("finite", |x| x.is_finite()), 1..8)) {
        let text = serde_json::to_string(&numbers).unwrap();
        let ask = |encoding| Embed { inputs: vec![Input::text("a")], encodings: vec![encoding], ..Embed::default() };
        let openai = translation(Dialect::OpenAiEmbeddings);
        let plain = Vectors { vectors: vec![Vector::Numbers(text.into())], ..Vectors::default() };
        let packed = openai.write_answer(&ask(Encoding::Base64), &plain, &envelope());
        let packed = openai.read_answer(&packed).unwrap();
        let unpacked = openai.write_answer(&ask(Encoding::Float), &packed, &envelope());
        let unpacked: Value = serde_json::from_slice(&unpacked).unwrap();
        let floats: Vec<f32> = serde_json::from_value(unpacked["data"][0]["embedding"].clone()).unwrap();
        prop_assert_eq!(floats, numbers);
    }

    /// Any object is read or refused, and what is written from it is a request and an answer again.
    #[test]
    fn any_object_is_read_or_refused(body in "\\{(\"(input|texts|inputText|instances|requests|content|embedding|embeddings|data|parts|model)\":(\\[|\\{|\"a\"|1|null|\\]|\\}|,)*,?){0,3}\\}") {
        embedding::check(body.as_bytes());
    }

    /// The same of requests that are near to being some.
    #[test]
    fn any_request_is_read_or_refused(
        text in "(\"a\"|\\[\"a\"(,\"b\"|,1|,null)?\\]|\\[1,2\\]|\\{\"parts\":\\[\\{\"text\":\"a\"\\}\\]\\})",
        key in "(input|texts|inputText|instances|requests|content)",
        more in "(,\"(dimensions|outputDimensionality|taskType|truncate|input_type|title|encoding_format)\":(1|\"CLUSTERING\"|\"END\"|null|\\{\\}))?",
    ) {
        embedding::check(format!("{{\"model\":\"m\",\"{key}\":{text}{more}}}").as_bytes());
    }
}
