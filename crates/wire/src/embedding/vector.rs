//! Vectors, read and written.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use gatewright::embedding::{Encoding, Vector};
use gatewright::{Failure, FailureKind, Side};

use crate::json::{Kind, Value, quote_into};

/// Reads a vector: an array of numbers, or a string of packed ones.
///
/// # Errors
/// A failure of the upstream side if it is neither.
pub(crate) fn read<'a>(value: &Value<'a>) -> Result<Vector<'a>, Failure> {
    match value.kind() {
        Kind::Array if value.elements().all(|number| number.kind() == Kind::Number) => {
            Ok(Vector::Numbers(value.source()))
        }
        Kind::String => value.as_str().map(Vector::Packed).ok_or_else(malformed),
        _ => Err(malformed()),
    }
}

/// An answer without the vectors that were asked for.
pub(crate) fn malformed() -> Failure {
    let message = "the provider answered with something that is not an answer of its protocol";
    Failure::new(Side::Upstream, FailureKind::Malformed, message)
        .with_detail("a vector is missing, or is none".to_owned())
}

/// Appends a vector in a form that can be made of its numbers; in any other it is written as numbers.
pub(crate) fn write(vector: &Vector<'_>, encoding: Encoding, out: &mut Vec<u8>) {
    match (vector, encoding) {
        (Vector::Packed(packed), Encoding::Base64) => quote_into(out, packed),
        (Vector::Numbers(numbers), Encoding::Base64) => quote_into(out, &pack(numbers)),
        (Vector::Numbers(numbers), _) => out.extend_from_slice(numbers.as_bytes()),
        (Vector::Packed(packed), _) => unpack(packed, out),
    }
}

fn pack(numbers: &str) -> String {
    let numbers = Value::of_checked(numbers.as_bytes());
    let floats = numbers.elements().map(|number| number.source().parse::<f32>().unwrap_or_default());
    let bytes: Vec<u8> = floats.flat_map(f32::to_le_bytes).collect();
    STANDARD.encode(bytes)
}

/// Writes packed numbers with as many digits as tell each float from its neighbours.
fn unpack(packed: &str, out: &mut Vec<u8>) {
    let bytes = STANDARD.decode(packed).unwrap_or_default();
    out.push(b'[');
    for (index, float) in bytes.as_chunks::<4>().0.iter().enumerate() {
        if index > 0 {
            out.push(b',');
        }
        let float = f32::from_le_bytes(*float);
        // JSON has no word for what is no number.
        let float = if float.is_finite() { float } else { 0.0 };
        out.extend_from_slice(format!("{float:?}").as_bytes());
    }
    out.push(b']');
}

#[cfg(test)]
mod tests {
    use gatewright::embedding::{Encoding, Vector};

    use super::{read, write};
    use crate::json::Value;

    fn written(vector: &Vector<'_>, encoding: Encoding) -> String {
        let mut out = Vec::new();
        write(vector, encoding, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn digits_stay_as_they_came() {
        let text = "[0.10000000000000000555, -1e-7, 3]";
        let vector = read(&Value::parse(text.as_bytes()).unwrap()).unwrap();
        assert_eq!(written(&vector, Encoding::Float), text);
    }

    #[test]
    fn numbers_are_packed_and_packed_ones_unpacked() {
        let numbers = Vector::Numbers("[1.0, -2, 0.5]".into());
        assert_eq!(written(&numbers, Encoding::Base64), r#""AACAPwAAAMAAAAA/""#);
        let packed = Vector::Packed("AACAPwAAAMAAAAA/".into());
        assert_eq!(written(&packed, Encoding::Float), "[1.0,-2.0,0.5]");
        assert_eq!(written(&packed, Encoding::Base64), r#""AACAPwAAAMAAAAA/""#);
    }

    #[test]
    fn what_is_no_vector_is_malformed() {
        for text in ["{}", "[1,\"a\"]", "[[1]]", "null", "7"] {
            assert!(read(&Value::parse(text.as_bytes()).unwrap()).is_err(), "{text}");
        }
    }
}
