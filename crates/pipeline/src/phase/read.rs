//! The body, read under the tenant's cap and decoded lazily.

use gatewright::{Failure, LlmRequest};

use crate::course::Course;
use crate::failure::Refusal;
use crate::state::{Authenticated, Decoded, ReadBody};

/// Reads and decodes the body.
pub(crate) async fn read<B: ReadBody>(
    course: &mut Course,
    authenticated: Authenticated<B>,
) -> Result<Decoded, Refusal> {
    let Authenticated { head, principal, body, address } = authenticated;
    let tenant = course.snapshot.plan.tenant(&principal.tenant);
    let cap = tenant.body_bytes_max.unwrap_or(course.worker.settings.body_bytes_max);
    let bytes = body.read(cap).await?;
    course.facts.read = Some(course.worker.clock.now());
    if bytes.is_empty() {
        return Err(Failure::invalid("body", "the request has no body; send a JSON object").into());
    }
    if let Some(codec) = course.codec.codec_of(&bytes, &address)? {
        course.codec = codec;
    }
    let request = LlmRequest::new(course.codec.decode_request_at(bytes, &address)?);
    course.facts.streamed = request.streams();
    Ok(Decoded { head, principal, request })
}
