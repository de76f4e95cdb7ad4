//! The dialect's own schemas, a subset of OpenAPI, as JSON schemas.
//!
//! Type names are written small, `nullable` becomes one of the types, whole numbers that are written as strings become
//! numbers, and what only orders or shows members is left out.

use crate::json::{JsonError, Kind, ObjectWriter, Reader, Value, quote_into};

use super::super::text::name;

/// The JSON schema that a schema of the dialect means.
pub(super) fn of_open_api(schema: &Value<'_>) -> String {
    let mut out = Vec::with_capacity(schema.raw().len());
    // The value has been checked, so that reading it does not fail.
    if write(&mut Reader::of(schema), &mut out).is_err() {
        return "{}".to_owned();
    }
    String::from_utf8(out).unwrap_or_else(|_| "{}".to_owned())
}

fn write(reader: &mut Reader<'_>, out: &mut Vec<u8>) -> Result<(), JsonError> {
    if reader.kind() != Some(Kind::Object) {
        out.extend_from_slice(reader.value()?.raw());
        return Ok(());
    }
    let mut object = ObjectWriter::open(out);
    let mut kind = None;
    let mut is_nullable = false;
    reader.object(|reader, key| {
        let key = name(&key);
        match key.as_ref() {
            "type" if reader.kind() == Some(Kind::String) => {
                kind = reader.string()?.map(|kind| kind.decode().to_ascii_lowercase());
            }
            "nullable" => is_nullable = reader.value()?.as_bool() == Some(true),
            "propertyOrdering" | "example" => {}
            "format" if reader.clone().string()?.is_some_and(|format| format.is("enum")) => {}
            "items" => write(reader, object.key("items"))?,
            "properties" | "defs" => {
                let key = if key == "defs" { "$defs" } else { "properties" };
                let mut members = object.object(key);
                reader.object(|reader, key| write(reader, members.key(&key.decode())))?;
                members.close();
            }
            "anyOf" => {
                let mut list = object.list("anyOf");
                reader.array(|reader, _| write(reader, list.item()))?;
                list.close();
            }
            "ref" => object.key("$ref").extend_from_slice(reader.value()?.raw()),
            "minItems" | "maxItems" | "minLength" | "maxLength" | "minProperties" | "maxProperties" => {
                let value = reader.value()?;
                match value.as_str().and_then(|text| text.parse::<u64>().ok()) {
                    Some(count) => object.number(&key, count),
                    None => object.key(&key).extend_from_slice(value.raw()),
                }
            }
            _ => object.key(&key).extend_from_slice(reader.value()?.raw()),
        }
        Ok::<_, JsonError>(())
    })?;
    if let Some(kind) = kind.filter(|kind| kind != "type_unspecified") {
        let out = object.key("type");
        if is_nullable {
            out.push(b'[');
        }
        quote_into(out, &kind);
        if is_nullable {
            out.extend_from_slice(b",\"null\"]");
        }
    }
    object.close();
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::of_open_api;
    use crate::json::Value;

    #[test]
    fn types_nullable_and_counts_are_those_of_a_json_schema() {
        let schema = concat!(
            r#"{"type":"OBJECT","propertyOrdering":["a"],"required":["a"],"properties":{"type":{"type":"STRING","#,
            r#""format":"enum","enum":["x"],"nullable":true},"a":{"any_of":[{"type":"INTEGER","format":"int32"},"#,
            r#"{"type":"ARRAY","min_items":"2","items":{"type":"TYPE_UNSPECIFIED"}}]}}}"#,
        );
        let expected = concat!(
            r#"{"required":["a"],"properties":{"type":{"enum":["x"],"type":["string","null"]},"#,
            r#""a":{"anyOf":[{"format":"int32","type":"integer"},{"minItems":2,"items":{},"type":"array"}]}},"#,
            r#""type":"object"}"#,
        );
        assert_eq!(of_open_api(&Value::parse(schema.as_bytes()).unwrap()), expected);
        assert_eq!(of_open_api(&Value::parse(expected.as_bytes()).unwrap()).len(), expected.len());
    }
}
