use super::{close, rebase};
use serde_json::json;

#[test]
fn references_are_moved_with_the_schema() {
    let mut schema =
        json!({"$ref": "#/$defs/A", "items": [{"$ref": "#"}], "properties": {"$ref": {"type": "string"}}});
    rebase(&mut schema, "#/$defs/x");
    assert_eq!(
        schema,
        json!({"$ref": "#/$defs/x/$defs/A", "items": [{"$ref": "#/$defs/x"}], "properties": {"$ref": {"type": "string"}}})
    );
}

#[test]
fn objects_with_named_properties_are_closed() {
    let mut schema = json!({
        "properties": {
            "plain": {"properties": {"a": {}}},
            "open": {"properties": {"a": {}}, "additionalProperties": true},
            "any": {"type": "object"},
            "tagged": {"oneOf": [{"properties": {"kind": {"const": "x"}}}, {"properties": {"kind": {"const": "y"}}}]},
        },
    });
    close(&mut schema);
    assert_eq!(schema["additionalProperties"], json!(false));
    let of = |name: &str| &schema["properties"][name];
    assert_eq!(of("plain")["additionalProperties"], json!(false));
    assert_eq!(of("open")["additionalProperties"], json!(true));
    assert_eq!(*of("any"), json!({"type": "object"}));
    assert_eq!(of("tagged")["unevaluatedProperties"], json!(false));
    assert_eq!(of("tagged")["oneOf"][0]["additionalProperties"], json!(null));
}
