//! The small endpoints that make no text: moderations, images, rerank and speech. What they answer depends on nothing
//! but the request.

use bytes::Bytes;
use http::{HeaderValue, StatusCode, header::CONTENT_TYPE};
use serde_json::{Value, json};

use super::endpoint::Facts;
use super::refusal::Refused;
use super::script::{Script, Step};
use super::tokens::{count_tokens, pieces};

/// A text with this word is harmful.
const HARMFUL: &str = "harm";
/// A picture of one pixel, as base64.
const PICTURE: &str = "iVBORw0KGgo=";
/// The tokens that a picture costs.
const TOKENS_PER_IMAGE: u64 = 16;
const IMAGES_MAX: u64 = 10;

/// Which inputs are harmful. It costs nothing.
pub(super) fn moderate(request: &Value, facts: &Facts) -> Result<Value, Refused> {
    let inputs = texts(&request["input"]);
    if inputs.is_empty() {
        return Err(Refused::parameter("input", "Missing required parameter: 'input'."));
    }
    let results: Vec<Value> = inputs
        .iter()
        .map(|text| {
            let is_harmful = text.contains(HARMFUL);
            let score = if is_harmful { 0.99 } else { 0.01 };
            json!({"flagged": is_harmful, "categories": {"violence": is_harmful},
                "category_scores": {"violence": score}})
        })
        .collect();
    Ok(json!({"id": facts.id, "model": request["model"], "results": results}))
}

/// Pictures, and the prompt tokens that they cost.
pub(super) fn draw(request: &Value, facts: &Facts) -> Result<(Value, u64), Refused> {
    let Some(prompt) = request["prompt"].as_str() else {
        return Err(Refused::parameter("prompt", "Missing required parameter: 'prompt'."));
    };
    let count = request["n"].as_u64().unwrap_or(1);
    if !(1..=IMAGES_MAX).contains(&count) {
        return Err(Refused::parameter("n", "'n' is out of range: give 1 to 10."));
    }
    let data: Vec<Value> = (0..count).map(|_| json!({"b64_json": PICTURE})).collect();
    let (input, output) = (count_tokens(prompt), count * TOKENS_PER_IMAGE);
    let details = json!({"text_tokens": input, "image_tokens": 0});
    let usage = json!({"input_tokens": input, "output_tokens": output, "total_tokens": input + output,
        "input_tokens_details": details});
    Ok((json!({"created": facts.created, "data": data, "usage": usage}), input))
}

/// The documents by the number of words that they share with the query, and the tokens that they cost.
pub(super) fn rerank(request: &Value) -> Result<(Value, u64), Refused> {
    let documents = texts(&request["documents"]);
    let Some(query) = request["query"].as_str().filter(|_| !documents.is_empty()) else {
        return Err(Refused::parameter("query", "'query' and 'documents' must be given."));
    };
    let words: Vec<&str> = query.split_whitespace().collect();
    let shared = |text: &str| words.iter().filter(|word| text.contains(**word)).count();
    let mut order: Vec<(usize, usize)> = documents.iter().map(|text| shared(text)).enumerate().collect();
    order.sort_by_key(|(index, shared)| (std::cmp::Reverse(*shared), *index));
    let top = request["top_n"].as_u64().and_then(|top| usize::try_from(top).ok()).unwrap_or(usize::MAX);
    let score = |shared: usize| f64::from(u32::try_from(shared).unwrap_or(u32::MAX)) / 100.0;
    let results: Vec<Value> = order
        .iter()
        .take(top)
        .map(|(index, shared)| json!({"index": index, "relevance_score": score(*shared)}))
        .collect();
    let tokens = count_tokens(query) + documents.iter().map(|text| count_tokens(text)).sum::<u64>();
    Ok((json!({"model": request["model"], "results": results, "usage": {"total_tokens": tokens}}), tokens))
}

/// The text itself as the sound of it, a token at a time.
pub(super) fn speak(request: &Value) -> Result<Script, Refused> {
    let Some(text) = request["input"].as_str() else {
        return Err(Refused::parameter("input", "Missing required parameter: 'input'."));
    };
    let sound = |piece: &str| Step::send(Bytes::copy_from_slice(piece.as_bytes()));
    let steps: Vec<Step> = pieces(text).flat_map(|piece| [sound(piece), Step::Flush]).collect();
    let mut script =
        Script::new(StatusCode::OK, steps).with_header(CONTENT_TYPE, HeaderValue::from_static("audio/mpeg"));
    script.prompt_tokens = count_tokens(text);
    Ok(script)
}

/// One text or several, each bare or an object that has it.
fn texts(value: &Value) -> Vec<String> {
    let text = |value: &Value| value.as_str().or(value["text"].as_str()).unwrap_or_default().to_owned();
    match value {
        Value::String(_) => vec![text(value)],
        Value::Array(items) => items.iter().map(text).collect(),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Facts {
        Facts { id: "id".to_owned(), created: 7, rate: 0.0, prompt_tokens: None }
    }

    #[test]
    fn finds_harm_by_its_word() {
        let request =
            json!({"model": "m", "input": ["a harmful text", {"type": "text", "text": "a kind one"}]});
        let answer = moderate(&request, &facts()).unwrap();
        let flags: Vec<_> = (0..2).map(|n| answer["results"][n]["flagged"].as_bool()).collect();
        assert_eq!(flags, [Some(true), Some(false)]);
        assert!(moderate(&json!({"model": "m"}), &facts()).is_err());
    }

    #[test]
    fn draws_as_many_pictures_as_are_wanted_and_bills_each() {
        let (answer, prompt) = draw(&json!({"prompt": "a cat", "n": 2}), &facts()).unwrap();
        assert_eq!(answer["data"].as_array().map(Vec::len), Some(2));
        assert_eq!(answer["usage"]["output_tokens"], 2 * TOKENS_PER_IMAGE);
        assert_eq!(answer["usage"]["input_tokens"], prompt);
        assert!(draw(&json!({"prompt": "a cat", "n": 11}), &facts()).is_err());
    }

    #[test]
    fn puts_the_document_first_that_shares_most_words_with_the_query() {
        let request = json!({"model": "m", "query": "red cat", "top_n": 2,
            "documents": ["a dog", {"text": "a red cat"}, "a red dog"]});
        let (answer, tokens) = rerank(&request).unwrap();
        let order: Vec<_> = (0..3).map(|n| answer["results"][n]["index"].as_u64()).collect();
        assert_eq!(order, [Some(1), Some(2), None]);
        assert_eq!(answer["usage"]["total_tokens"], tokens);
        assert!(rerank(&json!({"query": "q"})).is_err());
    }
}
