//! Provider adapters: pure codecs, that take whatever callers ask and whatever providers say.

use gatewright::bytes::Bytes;
use gatewright::dialect::{Codec, Dialect, Operation};
use gatewright::http::{HeaderMap, HeaderValue, StatusCode};
use gatewright::{Extension, ProviderAdapter, ProviderRequest, ProviderTarget, Secret};

use super::body::samples;
use super::suite::{Suite, run, trying};

/// Each operation as the callers of one dialect ask for it.
const TARGETS: [ProviderTarget<'static>; 20] = [
    target(Operation::Chat, Dialect::OpenAiChat),
    target(Operation::Chat, Dialect::OpenAiResponses),
    target(Operation::Chat, Dialect::AnthropicMessages),
    target(Operation::Chat, Dialect::GoogleGenerate),
    target(Operation::Chat, Dialect::BedrockConverse),
    target(Operation::Chat, Dialect::CohereChat),
    target(Operation::Chat, Dialect::OllamaChat),
    target(Operation::Completion, Dialect::OpenAiCompletions),
    target(Operation::Embedding, Dialect::OpenAiEmbeddings),
    target(Operation::Embedding, Dialect::GoogleGenerate),
    target(Operation::CountTokens, Dialect::AnthropicMessages),
    target(Operation::CountTokens, Dialect::GoogleGenerate),
    target(Operation::Moderation, Dialect::OpenAiModerations),
    target(Operation::Image, Dialect::OpenAiImages),
    target(Operation::Speech, Dialect::OpenAiSpeech),
    target(Operation::ImageEdit, Dialect::OpenAiImageEdits),
    target(Operation::ImageVariation, Dialect::OpenAiImageVariations),
    target(Operation::Transcription, Dialect::OpenAiTranscriptions),
    target(Operation::Translation, Dialect::OpenAiTranslations),
    target(Operation::Rerank, Dialect::Rerank),
];

const fn target(operation: Operation, dialect: Dialect) -> ProviderTarget<'static> {
    ProviderTarget { model: "model/with \"quotes\" ü", operation, dialect }
}

/// A call or a failure for every request, without a credential in it; a failure for every error answer, whatever its
/// bytes; and answers of any bytes, in any pieces, are decoded or refused, all without a panic.
///
/// # Panics
/// If that does not hold.
pub fn provider_adapter<E: Extension + ProviderAdapter>(suite: &Suite<E>) {
    run(async {
        let bed = suite.bed();
        let adapter = suite.instance(&bed).await;
        let codecs: Vec<_> = TARGETS.iter().filter_map(|target| adapter.codec(target)).collect();
        assert!(!codecs.is_empty(), "`{}` offers no operation at all", E::NAME);
        encode(&*adapter);
        classify(&*adapter);
        for codec in codecs {
            decode(codec);
        }
        let (_, value) = adapter
            .credential(&Secret::new("sk-test".to_owned()))
            .unwrap_or_else(|error| panic!("`{}` cannot show a key: {error}", E::NAME));
        assert!(value.is_sensitive(), "`{}` marks the value of its credential as sensitive", E::NAME);
        // A key that no header can carry is refused.
        let _refused = adapter.credential(&Secret::new("a\nb".to_owned()));
    });
}

fn encode<E: Extension + ProviderAdapter>(adapter: &E) {
    for sample in samples() {
        let body = sample.request.to_body();
        for target in &TARGETS {
            let Some(codec) = adapter.codec(target) else { continue };
            let request = ProviderRequest {
                model: target.model,
                operation: target.operation,
                dialect: codec.dialect(),
                streams: sample.request.streams(),
                body: &body,
            };
            let encoded =
                trying(&format!("`{}` encodes {}", E::NAME, sample.what), || adapter.encode(&request));
            let Ok(call) = encoded else { continue };
            assert!(
                call.path.starts_with('/'),
                "`{}` calls the path {:?}, without a slash",
                E::NAME,
                call.path
            );
            let credential = call.headers.keys().find(|name| name.as_str().contains("auth"));
            assert!(
                credential.is_none(),
                "`{}` puts {credential:?} into its call; the host adds it",
                E::NAME
            );
        }
    }
}

fn classify<E: Extension + ProviderAdapter>(adapter: &E) {
    let mut hostile = HeaderMap::new();
    hostile.insert("retry-after", HeaderValue::from_static("99999999999999999999"));
    hostile.insert("content-type", HeaderValue::from_static("text/html"));
    for status in [400, 401, 403, 404, 408, 413, 418, 422, 429, 499, 500, 502, 503, 529, 599] {
        let Ok(status) = StatusCode::from_u16(status) else { continue };
        for body in answers() {
            for headers in [&HeaderMap::new(), &hostile] {
                for target in &TARGETS {
                    trying(&format!("`{}` classes {status} with {body:?}", E::NAME), || {
                        drop(adapter.classify(target, status, headers, &body));
                    });
                }
            }
        }
    }
}

/// Decodes answers that are none, whole, byte by byte and all at once.
fn decode(codec: &dyn Codec) {
    for body in answers() {
        trying(&format!("{codec:?} decodes {body:?}"), || {
            drop(codec.decode_answer(body.clone()));
            drop(codec.decode_request(body.clone()));
            for size in [1, 7, body.len().max(1)] {
                let mut decoder = codec.stream_decoder();
                let mut events = Vec::new();
                for piece in body.chunks(size) {
                    decoder.push(Bytes::copy_from_slice(piece));
                    while let Ok(Some(frame)) = decoder.next_frame() {
                        drop(decoder.events(&frame, &mut events));
                    }
                }
                drop(decoder.finish());
            }
        });
    }
}

fn answers() -> Vec<Bytes> {
    let texts: [&[u8]; 12] = [
        b"",
        b" ",
        b"null",
        b"{}",
        b"[]",
        b"<html>busy</html>",
        b"{\"error\":null}",
        b"{\"error\":{\"message\":7,\"type\":[],\"code\":{}}}",
        b"{\"error\":\"no\"}",
        b"data: {\"choices\":[{\"delta\":{\"content\":\"\xc3\x28\"}}]}\n\ndata: [DONE]\n\n",
        b"data: {\"choices\":[{\"index\":-1,\"delta\":null}]}\r\n\r\n: ping\n\nevent: x\ndata\n\n",
        b"\xff\xfe\x00\x01{\"a\":",
    ];
    let mut answers: Vec<Bytes> = texts.into_iter().map(Bytes::from_static).collect();
    answers.push(Bytes::from("[".repeat(10_000)));
    answers.push((0..=u8::MAX).cycle().take(4_096).collect());
    answers
}
