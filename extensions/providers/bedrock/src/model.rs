//! What is known of the models: how much they write, how they are told to reason, what they read beside text.

use std::collections::BTreeMap;

use gatewright::chat::{MediaKind, Param};
use gatewright::dialect::{Abilities, ReasoningForm};
use serde::Deserialize;

/// The facts, by the model's id without a region in front of it.
const FACTS: &str = include_str!("../data/models.json");

/// What an id may have in front of it: where its inference profile routes to.
const REGIONS: [&str; 9] = ["us.", "eu.", "apac.", "jp.", "au.", "ca.", "in.", "us-gov.", "global."];

/// All models that are known.
#[derive(Debug)]
pub(crate) struct Models(BTreeMap<String, Model>);

/// What is known of one.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Model {
    #[serde(default)]
    output_tokens_max: Option<u64>,
    reasoning: Reasoning,
    media: Vec<Medium>,
    holds_to_schema: bool,
    #[serde(default = "yes")]
    continues_answers: bool,
    /// Whether it takes temperature and its kin.
    #[serde(default = "yes")]
    takes_sampling: bool,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Reasoning {
    Never,
    Budget,
    Effort,
    Adaptive,
}

#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Medium {
    Image,
    Audio,
    Video,
    Document,
}

const fn yes() -> bool {
    true
}

impl Models {
    /// The facts that the crate brings along.
    pub(crate) fn bundled() -> Result<Self, serde_json::Error> {
        serde_json::from_str(FACTS).map(Self)
    }

    /// What a model can take. Of one that is not known, as behind the ARN of a profile of your own, everything is
    /// taken to be possible.
    pub(crate) fn abilities(&self, id: &str) -> Abilities {
        self.find(id).map(Model::abilities).unwrap_or_default()
    }

    fn find(&self, id: &str) -> Option<&Model> {
        // The id stands at the end of the ARN of a model or of a profile that the service made.
        let id = id.rsplit('/').next().unwrap_or(id);
        let id = REGIONS.iter().find_map(|region| id.strip_prefix(region)).unwrap_or(id);
        self.0.get(id)
    }
}

impl Model {
    fn abilities(&self) -> Abilities {
        let mut abilities = Abilities::default();
        abilities.output_tokens_max = self.output_tokens_max;
        abilities.reasoning = match self.reasoning {
            Reasoning::Never => ReasoningForm::Never,
            Reasoning::Budget => ReasoningForm::Budget,
            Reasoning::Effort => ReasoningForm::Effort,
            Reasoning::Adaptive => ReasoningForm::Adaptive,
        };
        abilities.media = self
            .media
            .iter()
            .map(|medium| match medium {
                Medium::Image => MediaKind::Image,
                Medium::Audio => MediaKind::Audio,
                Medium::Video => MediaKind::Video,
                Medium::Document => MediaKind::Document,
            })
            .collect();
        if !self.takes_sampling {
            abilities.refuses = vec![Param::Temperature, Param::TopP, Param::TopK];
        }
        abilities.holds_to_schema = self.holds_to_schema;
        abilities.continues_answers = self.continues_answers;
        abilities
    }
}

#[cfg(test)]
mod tests {
    use gatewright::chat::{MediaKind, Param};
    use gatewright::dialect::{Abilities, ReasoningForm};

    use super::Models;

    fn abilities(id: &str) -> Abilities {
        Models::bundled().expect("the facts are JSON").abilities(id)
    }

    #[test]
    fn a_model_is_found_under_each_of_its_names() {
        for id in [
            "anthropic.claude-opus-4-5-20251101-v1:0",
            "eu.anthropic.claude-opus-4-5-20251101-v1:0",
            "global.anthropic.claude-opus-4-5-20251101-v1:0",
            "arn:aws:bedrock:eu-west-1::foundation-model/anthropic.claude-opus-4-5-20251101-v1:0",
            "arn:aws:bedrock:eu-west-1:123456789012:inference-profile/eu.anthropic.claude-opus-4-5-20251101-v1:0",
        ] {
            let found = abilities(id);
            assert_eq!(
                (found.reasoning, found.output_tokens_max),
                (ReasoningForm::Budget, Some(64_000)),
                "{id}"
            );
        }
    }

    #[test]
    fn of_an_unknown_model_everything_is_possible() {
        let id = "arn:aws:bedrock:eu-west-1:123456789012:application-inference-profile/abc";
        assert_eq!(abilities(id), Abilities::default());
    }

    #[test]
    fn models_differ_in_how_they_reason_and_what_they_read() {
        assert_eq!(abilities("openai.gpt-oss-20b-1:0").reasoning, ReasoningForm::Effort);
        assert_eq!(abilities("meta.llama3-1-8b-instruct-v1:0").reasoning, ReasoningForm::Never);
        assert_eq!(abilities("amazon.nova-micro-v1:0").media, [MediaKind::Document]);
        let newest = abilities("us.anthropic.claude-opus-4-7");
        assert_eq!(newest.reasoning, ReasoningForm::Adaptive);
        assert!(newest.refuses.contains(&Param::Temperature) && !newest.continues_answers);
    }
}
