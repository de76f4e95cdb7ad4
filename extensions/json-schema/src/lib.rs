//! Checks answers against a JSON Schema, whole and streamed, with one attempt at repair.
//!
//! The schema is that of the settings or of the request. An answer that does not fit goes back to the model
//! once, with what is wrong; what does not fit in the end is refused or labelled.

mod schema;
mod settings;

use std::sync::Arc;

use gatewright::http::StatusCode;
use gatewright::prelude::*;
use gatewright::text::LaneKind;

use crate::schema::{Schema, Violation};
pub use crate::settings::{OnViolation, Settings};

/// The label with what came of the check: `ok`, `repaired`, or `violated`.
const TAG: &str = "json_schema";
/// Where a request says what the answer is to be.
const FORMAT: &str = "/response_format/type";
const SCHEMA: &str = "/response_format/json_schema/schema";

/// Checks answers.
#[derive(Debug)]
pub struct JsonSchema {
    schema: Option<Arc<Schema>>,
    any: Arc<Schema>,
    settings: Settings,
}

/// What the instance keeps of a request whose answer it checks.
#[derive(Debug)]
struct Asked {
    schema: Arc<Schema>,
    request: LlmRequest,
}

/// The texts of an answer that do not fit, by choice.
type Failed = Vec<(Lane, String, Vec<Violation>)>;

impl Extension for JsonSchema {
    const NAME: &'static str = "json-schema";
    type Config = Settings;

    async fn create(settings: Settings, _env: ExtEnv) -> Result<Self, BuildError> {
        let schema = settings.schema()?.map(Arc::new);
        let any = Schema::compile(&true.into()).map_err(BuildError::new)?;
        Ok(Self { schema, any: Arc::new(any), settings })
    }
}

#[async_trait]
impl RequestTransform for JsonSchema {
    async fn on_request(&self, request: &mut LlmRequest, cx: &mut RequestCx) -> HookResult {
        let schema = match self.own_schema(request) {
            Ok(own) => own.or_else(|| self.schema.clone()),
            Err(message) => {
                let message = format!("the schema cannot be checked: {message}");
                let param = "response_format.json_schema.schema";
                return Ok(Flow::deny(Denial::invalid(param, "invalid_json_schema", message)));
            }
        };
        if let Some(schema) = schema
            && matches!(request.operation(), Operation::Chat | Operation::Completion)
        {
            *cx.local() = Some(Asked { schema, request: request.clone() });
        }
        Ok(Flow::Continue)
    }
}

#[async_trait]
impl ResponseFilter for JsonSchema {
    fn plan(&self, _head: &ResponseHead, cx: &RequestCx) -> FilterPlan {
        match cx.local_ref::<Option<Asked>>() {
            Some(Some(_)) => FilterPlan::Whole { max_bytes: self.settings.max_bytes },
            _ => FilterPlan::Skip,
        }
    }

    async fn on_response(&self, response: &mut LlmResponse, cx: &mut RequestCx) -> HookResult {
        let Some(asked) = cx.local::<Option<Asked>>().take() else { return Ok(Flow::Continue) };
        let mut failed = Failed::new();
        response.edit_texts(&mut |lane, text| {
            // A choice that calls tools has no content to check, or says something beside.
            if lane.kind != LaneKind::Content || text.is_empty() {
                return None;
            }
            let bare = without_fence(text);
            let violations = asked.schema.check(bare);
            if violations.is_empty() {
                return (bare != text).then(|| bare.to_owned());
            }
            failed.push((lane, text.to_owned(), violations));
            None
        })?;
        let repaired = match &failed[..] {
            [] => return self.passed(cx, "ok"),
            [(lane, text, violations)] if self.settings.repair => {
                self.repair(&asked, text, violations, cx).await.map(|text| (*lane, text))
            }
            _ => None,
        };
        if let Some((lane, new)) = repaired {
            response.edit_texts(&mut |place, _| (place == lane).then(|| new.clone()))?;
            return self.passed(cx, "repaired");
        }
        let _is_taken = cx.tags.set(TAG, "violated");
        Ok(match self.settings.on_violation {
            OnViolation::Tag => Flow::Continue,
            OnViolation::Deny => Flow::deny(violated(&failed)),
        })
    }
}

impl JsonSchema {
    /// The schema that the request itself asks for.
    fn own_schema(&self, request: &LlmRequest) -> Result<Option<Arc<Schema>>, String> {
        if !self.settings.from_request {
            return Ok(None);
        }
        Ok(match request.field(FORMAT).as_deref() {
            Some(r#""json_object""#) => Some(Arc::clone(&self.any)),
            Some(r#""json_schema""#) => match request.field(SCHEMA) {
                Some(source) => Some(Arc::new(Schema::compile_foreign(&source)?)),
                None => Some(Arc::clone(&self.any)),
            },
            _ => None,
        })
    }

    fn passed(&self, cx: &mut RequestCx, how: &str) -> HookResult {
        let _is_taken = cx.tags.set(TAG, how);
        Ok(Flow::Continue)
    }

    /// Asks the model once more; gives the new text if it fits.
    async fn repair(
        &self,
        asked: &Asked,
        text: &str,
        violations: &[Violation],
        cx: &mut RequestCx,
    ) -> Option<String> {
        let errors: Vec<String> =
            violations.iter().map(|violation| format!("- {}", violation.detail)).collect();
        let instruction =
            self.settings.instruction.replace("{{errors}}", &errors.join("\n")).replace("{{answer}}", text);
        let mut request = asked.request.clone();
        request.insert_text(Role::User, Placement::Last, &instruction).ok()?;
        if request.choices() > 1 {
            request.set_field("/n", "1").ok()?;
        }
        let answer = match cx.ask(request).await {
            Ok(answer) => answer,
            Err(failure) => {
                tracing::debug!(id = %cx.id(), %failure, "Repair failed");
                return None;
            }
        };
        let mut new = String::new();
        answer.for_each_text(&mut |lane, text| {
            if lane == Lane::content(0) {
                new.push_str(text);
            }
        });
        let bare = without_fence(&new);
        asked.schema.check(bare).is_empty().then(|| bare.to_owned())
    }
}

fn violated(failed: &Failed) -> Denial {
    let places: Vec<&str> = failed
        .iter()
        .flat_map(|(_, _, violations)| violations.iter().map(|violation| violation.place.as_str()))
        .take(3)
        .collect();
    let message = format!("the model's answer does not fit the JSON Schema: {}", places.join("; "));
    Denial::new(StatusCode::BAD_GATEWAY, "answer_violates_schema", message)
}

/// The text inside a fence of three backticks, which models like to put around JSON; else the text itself.
fn without_fence(text: &str) -> &str {
    let inside = || {
        let (_language, body) = text.trim().strip_prefix("```")?.split_once('\n')?;
        body.trim_end().strip_suffix("```")
    };
    inside().map_or(text, str::trim)
}

gatewright::register!(JsonSchema => RequestTransform, ResponseFilter);

#[cfg(test)]
mod tests;
