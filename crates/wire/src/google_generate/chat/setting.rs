//! `generationConfig`, read.

use std::borrow::Cow;

use gatewright::Failure;
use gatewright::chat::{Chat, Effort, OutputFormat, Param, Reasoning, Setting};

use super::super::text::name;
use super::part::{member, source, string};
use super::read::pointer;
use super::schema;
use crate::document::typed;
use crate::json::{JsonStr, Kind, Value};

/// The member that all of these stand in.
const GENERATION_CONFIG: &str = "generationConfig";

/// The members that a loss can name, as the dialect spells them.
const PARAMS: [(&str, Param); 13] = [
    ("temperature", Param::Temperature),
    ("topP", Param::TopP),
    ("topK", Param::TopK),
    ("seed", Param::Seed),
    ("frequencyPenalty", Param::FrequencyPenalty),
    ("presencePenalty", Param::PresencePenalty),
    ("maxOutputTokens", Param::OutputCap),
    ("candidateCount", Param::Choices),
    ("stopSequences", Param::Stop),
    ("thinkingConfig", Param::Reasoning),
    ("responseLogprobs", Param::Logprobs),
    ("logprobs", Param::TopLogprobs),
    ("responseModalities", Param::Modalities),
];

/// What the form of the answer is put together from.
#[derive(Default)]
struct Format<'a> {
    mime: Option<Cow<'a, str>>,
    schema: Option<Cow<'a, str>>,
}

/// Reads the members of `generationConfig`, which the caller calls `key`.
pub(super) fn read<'a>(key: &JsonStr<'a>, config: &Value<'a>, chat: &mut Chat<'a>) -> Result<(), Failure> {
    let mut format = Format::default();
    let key = key.decode();
    for member in config.members().filter(|member| !member.value.is_null()) {
        let value = member.value;
        let (own, spelled) = (name(&member.key), member.key.decode());
        let pointer = || pointer(&["", &key, &spelled]);
        if own != spelled || key != GENERATION_CONFIG {
            spell(&own, pointer(), chat);
        }
        let number = || typed::number(&value, &pointer()).map(Some);
        match own.as_ref() {
            "temperature" => chat.sampling.temperature = number()?,
            "topP" => chat.sampling.top_p = number()?,
            "topK" => chat.sampling.top_k = number()?,
            "seed" => chat.sampling.seed = number()?,
            "frequencyPenalty" => chat.sampling.frequency_penalty = number()?,
            "presencePenalty" => chat.sampling.presence_penalty = number()?,
            "maxOutputTokens" => chat.output_cap = Some(typed::whole(&value, &pointer())?),
            "candidateCount" => {
                let count = typed::whole(&value, &pointer())?;
                chat.choices = u32::try_from(count).unwrap_or(u32::MAX);
            }
            "stopSequences" => chat.stop = typed::texts(&value, &pointer())?,
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
            _ => chat.unknown.push(pointer()),
        }
    }
    format.read(chat);
    Ok(())
}

/// Notes how the caller spells a member that losses would name otherwise.
fn spell(own: &str, pointer: Cow<'_, str>, chat: &mut Chat<'_>) {
    if let Some((_, param)) = PARAMS.iter().find(|(name, _)| *name == own) {
        chat.spell(*param, pointer.into_owned());
    }
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
