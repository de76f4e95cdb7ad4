//! The body under the tenant's cap, decoded lazily: read whole, or only as far as routing needs, where the dialect's
//! bodies flow.

use std::future::poll_fn;

use gatewright::dialect::{LeadReader, Led, RequestDocument};
use gatewright::{Failure, LlmRequest};

use crate::course::Course;
use crate::failure::Refusal;
use crate::state::{Authenticated, Decoded, ReadBody};
use crate::upload::{Flow, Upload};

/// Reads and decodes the body.
pub(crate) async fn read<B: ReadBody>(
    course: &mut Course,
    authenticated: Authenticated<B>,
) -> Result<Decoded, Refusal> {
    let Authenticated { head, principal, body, address } = authenticated;
    let tenant = course.snapshot.plan.tenant(&principal.tenant);
    let cap = tenant.body_bytes_max.unwrap_or(course.worker.settings.body_bytes_max);
    let document = match course.codec.lead_reader(&head.headers, &address)? {
        Some(reader) => lead(course, reader, body.flow(cap)?).await?,
        None => {
            let bytes = body.read(cap).await?;
            if bytes.is_empty() {
                return Err(Failure::invalid("body", "the request has no body; send a JSON object").into());
            }
            if let Some(codec) = course.codec.codec_of(&bytes, &address)? {
                course.codec = codec;
            }
            course.codec.decode_request_at(bytes, &address)?
        }
    };
    course.facts.read = Some(course.worker.clock.now());
    let request = LlmRequest::new(document);
    course.facts.streamed = request.streams();
    Ok(Decoded { head, principal, request })
}

/// Holds the leading bytes of a body up to the bound. A body that ends within it is whole, and like any other from then
/// on; of another, the course keeps the rest.
async fn lead(
    course: &mut Course,
    mut reader: Box<dyn LeadReader>,
    mut flow: Flow,
) -> Result<Box<dyn RequestDocument>, Failure> {
    let bytes_max = course.worker.settings.upload_lead_bytes_max;
    let mut held = 0_usize;
    let mut is_whole = false;
    while !is_whole && held < bytes_max && reader.wants_more() {
        match poll_fn(|cx| flow.as_mut().poll_frame(cx)).await {
            None => is_whole = true,
            Some(frame) => {
                let Ok(data) = frame?.into_data() else { continue };
                held = held.saturating_add(data.len());
                reader.push(data)?;
            }
        }
    }
    let Led { document, watch } = reader.decode(is_whole || flow.is_end_stream())?;
    course.upload = (!document.is_whole()).then(|| Upload::new(flow, watch));
    Ok(document)
}
