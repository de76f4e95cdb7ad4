//! `generationConfig`, read.

use std::borrow::Cow;

use gatewright::chat::{Chat, Effort, OutputFormat, Param, Reasoning, Setting};

use super::super::text::name;
use super::part::{member, source, string};
use super::read::pointer;
use super::schema;
use crate::json::{Kind, Value};

/// What the form of the answer is put together from.
#[derive(Default)]
struct Format<'a> {
    mime: Option<Cow<'a, str>>,
    schema: Option<Cow<'a, str>>,
}

/// Reads the members of `generationConfig`.
pub(super) fn read<'a>(config: &Value<'a>, chat: &mut Chat<'a>) {
    let mut format = Format::default();
    for member in config.members().filter(|member| !member.value.is_null()) {
        let value = member.value;
        let number = || (value.kind() == Kind::Number).then(|| source(&value));
        match name(&member.key).as_ref() {
            "temperature" => chat.sampling.temperature = number(),
            "topP" => chat.sampling.top_p = number(),
            "topK" => chat.sampling.top_k = number(),
            "seed" => chat.sampling.seed = number(),
            "frequencyPenalty" => chat.sampling.frequency_penalty = number(),
            "presencePenalty" => chat.sampling.presence_penalty = number(),
            "maxOutputTokens" => chat.output_cap = value.as_u64(),
            "candidateCount" => {
                let count = value.as_u64().unwrap_or(1);
                chat.choices = u32::try_from(count).unwrap_or(u32::MAX);
            }
            "stopSequences" => chat.stop = value.elements().filter_map(|text| text.as_str()).collect(),
            "thinkingConfig" => chat.reasoning = Some(reasoning(&value)),
            "responseMimeType" => format.mime = value.as_str(),
            "responseJsonSchema" | "responseSchema" if value.is_null() => (),
            "responseJsonSchema" if value.kind() == Kind::Object => format.schema = Some(source(&value)),
            "responseSchema" if value.kind() == Kind::Object => {
                let schema = || Cow::Owned(schema::of_open_api(&value));
                format.schema = format.schema.take().or_else(|| Some(schema()));
            }
            "responseLogprobs" => set(chat, Param::Logprobs, source(&value)),
            "logprobs" => set(chat, Param::TopLogprobs, source(&value)),
            "responseModalities" => {
                let words = String::from_utf8_lossy(value.raw()).to_ascii_lowercase();
                set(chat, Param::Modalities, Cow::Owned(words));
            }
            _ => chat.unknown.push(pointer(&["", "generationConfig", &member.key.decode()])),
        }
    }
    format.read(chat);
}

fn set<'a>(chat: &mut Chat<'a>, param: Param, value: Cow<'a, str>) {
    chat.settings.push(Setting { param, value });
}

impl<'a> Format<'a> {
    fn read(self, chat: &mut Chat<'a>) {
        chat.format = match (self.schema, self.mime.as_deref()) {
            (Some(schema), _) => {
                Some(OutputFormat::Schema { name: None, description: None, schema, strict: None })
            }
            (None, Some("application/json")) => Some(OutputFormat::Json),
            (None, Some("text/plain")) => Some(OutputFormat::Text),
            (None, Some(_)) => {
                return chat.unknown.push(pointer(&["", "generationConfig", "responseMimeType"]));
            }
            (None, None) => None,
        };
    }
}

/// A budget of -1 leaves it to the model.
fn reasoning(config: &Value<'_>) -> Reasoning {
    let budget = member(config, "thinkingBudget");
    let level = string(config, "thinkingLevel").map(|level| level.to_ascii_lowercase());
    Reasoning {
        effort: level.as_deref().and_then(Effort::of_word),
        budget: budget.and_then(|budget| budget.as_u64()),
        is_adaptive: budget.is_some_and(|budget| budget.raw() == b"-1"),
        is_shown: member(config, "includeThoughts").and_then(|shown| shown.as_bool()),
    }
}
