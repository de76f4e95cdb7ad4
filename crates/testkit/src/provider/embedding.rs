//! Embeddings: a unit vector per input that depends on nothing but the input, as numbers or as base64; the same in the
//! words of each face.

use serde_json::{Value, json};

use super::refusal::Refused;
use super::tokens::count_tokens;

const DIMENSIONS: u64 = 1536;
const DIMENSIONS_MAX: u64 = 4096;
/// The most inputs that one request may have.
const INPUTS_MAX: usize = 2048;

/// The answer to an embeddings request and the prompt tokens that it costs.
pub(super) fn answer(request: &Value) -> Result<(Value, u64), Refused> {
    let inputs = inputs(&request["input"])?;
    let dimensions = dimensions_of(&request["dimensions"])?;
    let base64 = request["encoding_format"] == "base64";
    let data: Vec<Value> = inputs
        .iter()
        .enumerate()
        .map(|(index, input)| {
            let vector = vector(input, dimensions);
            let embedding = if base64 { json!(encode(&vector)) } else { json!(vector) };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let tokens = inputs.iter().map(|input| count_tokens(input)).sum();
    let usage = json!({"prompt_tokens": tokens, "total_tokens": tokens});
    Ok((json!({"object": "list", "data": data, "model": request["model"], "usage": usage}), tokens))
}

/// What a face whose paths name the model answers to a content, or to a batch of them.
pub(super) fn contents(body: &Value, is_batch: bool) -> Result<Value, Refused> {
    let values = |request: &Value| {
        let text = text_of(&request["content"]["parts"][0]["text"], "content")?;
        let dimensions = dimensions_of(&request["outputDimensionality"])?;
        Ok::<_, Refused>(json!({"values": vector(text, dimensions)}))
    };
    if !is_batch {
        return Ok(json!({"embedding": values(body)?}));
    }
    let requests = body["requests"].as_array().filter(|requests| (1..=100).contains(&requests.len()));
    let requests = requests.ok_or_else(|| Refused::parameter("requests", "give from 1 to 100 requests."))?;
    if requests
        .iter()
        .any(|request| !request["model"].as_str().is_some_and(|name| name.starts_with("models/")))
    {
        return Err(Refused::parameter("requests", "each request must name the model of the path."));
    }
    let embeddings = requests.iter().map(values).collect::<Result<Vec<_>, _>>()?;
    Ok(json!({"embeddings": embeddings}))
}

/// What the other face whose paths name the model answers to a body of one of two families.
pub(super) fn invoked(body: &Value) -> Result<Value, Refused> {
    if body.get("model").is_some() {
        return Err(Refused::parameter("model", "extraneous key [model] is not permitted."));
    }
    if body.get("inputText").is_some() {
        let text = text_of(&body["inputText"], "inputText")?;
        let vector = vector(text, dimensions_of(&body["dimensions"])?);
        return Ok(json!({
            "embedding": vector, "embeddingsByType": {"float": vector}, "inputTextTokenCount": count_tokens(text),
        }));
    }
    let texts = body["texts"].as_array().filter(|texts| (1..=96).contains(&texts.len()));
    let texts = texts.ok_or_else(|| Refused::parameter("texts", "give from 1 to 96 texts."))?;
    if !body["input_type"].is_string() {
        return Err(Refused::parameter("input_type", "input_type is required."));
    }
    let dimensions = dimensions_of(&body["output_dimension"])?;
    let vectors = texts.iter().map(|text| Ok(vector(text_of(text, "texts")?, dimensions)));
    let vectors = vectors.collect::<Result<Vec<_>, Refused>>()?;
    let by_type = body.get("embedding_types").is_some();
    let embeddings = if by_type { json!({"float": vectors}) } else { json!(vectors) };
    let kind = if by_type { "embeddings_by_type" } else { "embeddings_floats" };
    Ok(json!({"id": "emb-1", "response_type": kind, "embeddings": embeddings, "texts": texts}))
}

fn text_of<'v>(value: &'v Value, name: &'static str) -> Result<&'v str, Refused> {
    let text = value.as_str().filter(|text| !text.is_empty());
    text.ok_or_else(|| Refused::parameter(name, "give a text that is not empty."))
}

/// One text, several texts, the token ids of one, or the token ids of several.
fn inputs(input: &Value) -> Result<Vec<String>, Refused> {
    let inputs = match input {
        Value::String(text) => vec![text.clone()],
        Value::Array(items) if items.iter().all(Value::is_number) && !items.is_empty() => {
            vec![input.to_string()]
        }
        Value::Array(items) => {
            items.iter().map(|item| item.as_str().map_or_else(|| item.to_string(), str::to_owned)).collect()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => Vec::new(),
    };
    if inputs.is_empty() || inputs.len() > INPUTS_MAX || inputs.iter().any(String::is_empty) {
        return Err(Refused::parameter(
            "input",
            "'$.input' is invalid: give a text or a list of texts, none empty.",
        ));
    }
    Ok(inputs)
}

fn dimensions_of(asked: &Value) -> Result<usize, Refused> {
    let asked = match asked {
        Value::Null => Some(DIMENSIONS),
        given => given.as_u64().filter(|asked| (1..=DIMENSIONS_MAX).contains(asked)),
    };
    asked
        .and_then(|asked| usize::try_from(asked).ok())
        .ok_or_else(|| Refused::parameter("dimensions", "'dimensions' is out of range: give 1 to 4096."))
}

/// A pseudo-random direction, the same for the same text on every machine.
fn vector(input: &str, dimensions: usize) -> Vec<f32> {
    let mut state = input.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let raw: Vec<f32> = (0..dimensions)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            let [high, low, ..] = state.to_be_bytes();
            f32::from(i16::from_be_bytes([high, low])) + 0.5
        })
        .collect();
    let length = raw.iter().map(|x| x * x).sum::<f32>().sqrt();
    raw.into_iter().map(|x| x / length).collect()
}

/// The little-endian bytes of the numbers in base64, as the public API packs them.
fn encode(vector: &[f32]) -> String {
    const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    let digit = |bits: u32| char::from(ALPHABET[(bits & 63) as usize]);
    let mut text = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for group in bytes.chunks(3) {
        let byte = |at: usize| u32::from(group.get(at).copied().unwrap_or(0));
        let bits = byte(0) << 16 | byte(1) << 8 | byte(2);
        text.push(digit(bits >> 18));
        text.push(digit(bits >> 12));
        text.push(if group.len() > 1 { digit(bits >> 6) } else { '=' });
        text.push(if group.len() > 2 { digit(bits) } else { '=' });
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packs_numbers_as_base64_of_little_endian_floats() {
        assert_eq!(encode(&[1.0]), "AACAPw==");
        assert_eq!(encode(&[1.0, -2.0]), "AACAPwAAAMA=");
        assert_eq!(encode(&[1.0, -2.0, 0.5]), "AACAPwAAAMAAAAA/");
    }

    #[test]
    fn equal_texts_have_equal_unit_vectors() {
        let first = vector("hello", 64);
        assert_eq!(first, vector("hello", 64));
        assert_ne!(first, vector("hullo", 64));
        let length: f32 = first.iter().map(|x| x * x).sum();
        assert!((length - 1.0).abs() < 1e-4);
    }
}
