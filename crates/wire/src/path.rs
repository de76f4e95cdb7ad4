//! Names inside the path of a call.

/// `name` as one segment of a path: whatever could end the segment, or begin a query, is percent-encoded.
///
/// ```
/// assert_eq!(gatewright_wire::path::segment("sim?a=1/b%2F"), "sim%3Fa%3D1%2Fb%252F");
/// ```
#[must_use]
pub fn segment(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    for byte in name.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'@' => {
                out.push(byte.into());
            }
            _ => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
