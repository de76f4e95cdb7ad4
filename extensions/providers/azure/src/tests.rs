//! Where calls go, what they are shown, and what the service adds to what it says.

use gatewright::dialect::{FrameKind, StreamSettings};
use gatewright::http::StatusCode;
use gatewright::{FailureKind, FinishReason};

use super::*;

fn adapter(change: impl FnOnce(&mut Config)) -> Azure {
    let mut config = Config::default();
    change(&mut config);
    Azure::of(config).unwrap()
}

fn classic() -> Azure {
    adapter(|config| config.api = Api::Deployments)
}

fn dialect(azure: &Azure, operation: Operation, dialect: Dialect) -> Option<Dialect> {
    let target = ProviderTarget { model: "m", operation, dialect };
    azure.codec(&target).map(Codec::dialect)
}

fn call(azure: &Azure, dialect: Dialect) -> UpstreamCall {
    let body = Bytes::from_static(b"{}");
    let operation = gatewright_wire::codec(dialect).operation();
    let request = ProviderRequest { model: "gpt 5/eu?x", operation, dialect, streams: true, body: &body };
    azure.encode(&request).unwrap()
}

#[test]
fn a_deployment_is_named_in_the_body_or_in_the_path() {
    let preview = adapter(|config| config.api_version = Some("preview".to_owned()));
    let cases = [
        (&adapter(|_| {}), Dialect::OpenAiChat, "/openai/v1/chat/completions"),
        (&adapter(|_| {}), Dialect::OpenAiResponses, "/openai/v1/responses"),
        (&adapter(|_| {}), Dialect::OpenAiEmbeddings, "/openai/v1/embeddings"),
        (&preview, Dialect::OpenAiResponses, "/openai/v1/responses?api-version=preview"),
        (
            &classic(),
            Dialect::OpenAiChat,
            "/openai/deployments/gpt%205%2Feu%3Fx/chat/completions?api-version=2024-10-21",
        ),
        (
            &classic(),
            Dialect::OpenAiCompletions,
            "/openai/deployments/gpt%205%2Feu%3Fx/completions?api-version=2024-10-21",
        ),
        (
            &classic(),
            Dialect::OpenAiEmbeddings,
            "/openai/deployments/gpt%205%2Feu%3Fx/embeddings?api-version=2024-10-21",
        ),
        (&adapter(|_| {}), Dialect::OpenAiRealtime, "/openai/v1/realtime?model=gpt+5%2Feu%3Fx"),
        (
            &classic(),
            Dialect::OpenAiRealtime,
            "/openai/realtime?api-version=2024-10-21&deployment=gpt+5%2Feu%3Fx",
        ),
    ];
    for (azure, dialect, path) in cases {
        assert_eq!(call(azure, dialect).path, path);
    }
}

#[test]
fn a_version_that_could_change_the_call_is_refused() {
    for version in ["", "2024-10-21&x=1", "a b", "#"] {
        let config = Config { api_version: Some(version.to_owned()), ..Config::default() };
        assert_eq!(Azure::of(config).unwrap_err().path, "api_version", "{version}");
    }
}

#[test]
fn callers_of_responses_are_answered_by_them_where_the_interface_has_them() {
    let whole = adapter(|_| {});
    let plain = adapter(|config| config.chats = Chats::Completions);
    for (azure, expected) in
        [(&whole, Dialect::OpenAiResponses), (&plain, Dialect::OpenAiChat), (&classic(), Dialect::OpenAiChat)]
    {
        assert_eq!(dialect(azure, Operation::Chat, Dialect::OpenAiResponses), Some(expected));
        assert_eq!(dialect(azure, Operation::Chat, Dialect::AnthropicMessages), Some(Dialect::OpenAiChat));
    }
    assert_eq!(dialect(&whole, Operation::CountTokens, Dialect::AnthropicMessages), None);
}

#[test]
fn a_key_and_a_token_have_headers_of_their_own() {
    let secret = Secret::new("s".to_owned());
    let entra = adapter(|config| config.credential = Credential::Entra);
    for (azure, name, text) in [(&adapter(|_| {}), "api-key", "s"), (&entra, "authorization", "Bearer s")] {
        let (header, value) = azure.credential(&secret).unwrap();
        assert_eq!((header.as_str(), value.as_bytes(), value.is_sensitive()), (name, text.as_bytes(), true));
    }
}

#[test]
fn a_prompt_that_the_content_filter_refused_is_an_error_of_that_class() {
    let body = br#"{"error":{"message":"The response was filtered due to the prompt triggering the content management policy.","type":null,"param":"prompt","code":"content_filter","status":400,"innererror":{"code":"ResponsibleAIPolicyViolation","content_filter_result":{"hate":{"filtered":true,"severity":"high"}}}}}"#;
    let target = ProviderTarget { model: "m", operation: Operation::Chat, dialect: Dialect::OpenAiChat };
    let classify = |status: u16, body: &[u8]| {
        let status = StatusCode::from_u16(status).unwrap();
        classic().classify(&target, status, &HeaderMap::new(), body)
    };
    let failure = classify(400, body);
    assert_eq!(
        (failure.kind, failure.code.as_deref()),
        (FailureKind::ContentFiltered, Some("content_filter"))
    );
    let missing = br#"{"error":{"code":"DeploymentNotFound","message":"The API deployment for this resource does not exist."}}"#;
    assert_eq!(classify(404, missing).kind, FailureKind::ModelNotFound);
    let busy = br#"{"error":{"code":"429","message":"Requests have exceeded the token rate limit."}}"#;
    assert_eq!(classify(429, busy).kind, FailureKind::RateLimited);
    let stranger =
        br#"{"statusCode":401,"message":"Unauthorized. Access token is missing, invalid or expired."}"#;
    assert_eq!(classify(401, stranger).kind, FailureKind::UpstreamAuth);
}

#[test]
fn results_of_the_content_filter_pass_as_they_came() {
    const CHUNKS: [&str; 4] = [
        r#"{"choices":[],"created":0,"id":"","model":"","object":"","prompt_filter_results":[{"prompt_index":0,"content_filter_results":{"hate":{"filtered":false,"severity":"safe"}}}]}"#,
        r#"{"choices":[{"content_filter_results":{},"delta":{"content":"","role":"assistant"},"finish_reason":null,"index":0}],"id":"c","object":"chat.completion.chunk"}"#,
        r#"{"choices":[{"content_filter_offsets":{"check_offset":1},"content_filter_results":{"hate":{"filtered":false}},"delta":{"content":"hi"},"finish_reason":null,"index":0}],"id":"c","object":"chat.completion.chunk"}"#,
        r#"{"choices":[{"content_filter_results":{},"delta":{},"finish_reason":"content_filter","index":0}],"id":"c","object":"chat.completion.chunk"}"#,
    ];
    let target = ProviderTarget { model: "m", operation: Operation::Chat, dialect: Dialect::OpenAiChat };
    let codec = classic().codec(&target).unwrap();
    let sent: String = CHUNKS.iter().map(|chunk| format!("data: {chunk}\n\n")).collect();
    let (mut decoder, mut encoder) =
        (codec.stream_decoder(), codec.stream_encoder(StreamSettings::default()));
    decoder.push(Bytes::from(sent.clone()));
    let (mut out, mut events) = (Vec::new(), Vec::new());
    while let Some(frame) = decoder.next_frame().unwrap() {
        assert_eq!(frame.kind, FrameKind::Data);
        decoder.events(&frame, &mut events).unwrap();
        encoder.pass(&frame, &mut out);
    }
    assert_eq!(String::from_utf8(out).unwrap(), sent);
    let finish = events.iter().find_map(|event| match event.kind() {
        EventKind::Finish { reason, .. } => Some(reason.clone()),
        _ => None,
    });
    assert_eq!(finish, Some(FinishReason::ContentFilter));
}
