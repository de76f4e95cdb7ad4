//! Calls to the token service, version 2011-06-15.

use std::time::SystemTime;

use gatewright::UnsignedCall;
use gatewright::bytes::Bytes;
use gatewright::http::header::{ACCEPT, CONTENT_TYPE};
use gatewright::http::{Error, HeaderMap, HeaderValue, Method, Request};
use gatewright::service::http::Repeatable;
use gatewright_wire::path;

use super::lent::Lent;
use super::{AssumedRole, WebIdentity};
use crate::sigv4::{self, Scope};

const FORM: HeaderValue = HeaderValue::from_static("application/x-www-form-urlencoded");

/// Exchanges the token of a web identity; the token is proof enough, so that nothing is signed.
pub(super) fn assume_role_with_web_identity(
    region: &str,
    identity: &WebIdentity,
    token: &str,
) -> Result<Request<Bytes>, Error> {
    let body = form(&[
        ("Action", "AssumeRoleWithWebIdentity"),
        ("Version", "2011-06-15"),
        ("RoleArn", &identity.role_arn),
        ("RoleSessionName", &identity.session_name),
        ("WebIdentityToken", token),
    ]);
    let call = Request::post(format!("https://{}/", host(region))).extension(Repeatable);
    call.header(CONTENT_TYPE, FORM).header(ACCEPT, "application/xml").body(body)
}

/// Exchanges a key for a role; none if the key cannot sign.
pub(super) fn assume_role(
    region: &str,
    role: &AssumedRole,
    lent: &Lent,
    time: SystemTime,
) -> Option<Result<Request<Bytes>, Error>> {
    let mut fields = vec![
        ("Action", "AssumeRole"),
        ("Version", "2011-06-15"),
        ("RoleArn", role.arn.as_str()),
        ("RoleSessionName", role.session_name.as_str()),
    ];
    fields.extend(role.external_id.as_deref().map(|id| ("ExternalId", id)));
    let (authority, body) = (host(region), form(&fields));
    let headers = HeaderMap::from_iter([(CONTENT_TYPE, FORM)]);
    let unsigned = UnsignedCall {
        method: &Method::POST,
        authority: &authority,
        path: "/",
        headers: &headers,
        body: &body,
        time,
    };
    let signed = sigv4::sign(&lent.keys(), &Scope { region, service: "sts" }, &unsigned)?;
    let mut call = Request::post(format!("https://{authority}/")).extension(Repeatable);
    for (name, value) in headers.iter().chain(&signed) {
        call = call.header(name, value);
    }
    Some(call.header(ACCEPT, "application/xml").body(body))
}

fn host(region: &str) -> String {
    let ending = if region.starts_with("cn-") { ".cn" } else { "" };
    format!("sts.{region}.amazonaws.com{ending}")
}

fn form(fields: &[(&str, &str)]) -> Bytes {
    let fields: Vec<String> =
        fields.iter().map(|(key, value)| format!("{key}={}", path::segment(value))).collect();
    fields.join("&").into()
}
