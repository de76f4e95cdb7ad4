//! What is known of the models: how much they write, how they are told to reason, what they read beside text.

use gatewright::BuildError;
use gatewright::dialect::{Abilities, AbilityTable, Dialect};

/// The facts, by the model's id without a region in front of it.
const FACTS: &str = include_str!("../data/models.json");

/// What an id may have in front of it: where its inference profile routes to.
const REGIONS: [&str; 9] = ["us.", "eu.", "apac.", "jp.", "au.", "ca.", "in.", "us-gov.", "global."];

/// All models that are known.
#[derive(Debug)]
pub(crate) struct Models(AbilityTable);

impl Models {
    /// The facts that the crate brings along.
    pub(crate) fn bundled() -> Result<Self, BuildError> {
        AbilityTable::parse(FACTS).map(Self)
    }

    /// What a model can take. Of one that is not known, as behind the ARN of a profile of your own, everything is
    /// taken to be possible.
    pub(crate) fn abilities(&self, id: &str) -> Abilities {
        self.0.of(name(id))
    }
}

/// The dialect in which a model is asked for vectors; none if it is known to make none that anybody can ask for.
pub(crate) fn vectors(id: &str) -> Option<Dialect> {
    let families = [("amazon.titan-embed-text", Dialect::TitanEmbed), ("cohere.embed", Dialect::CohereEmbed)];
    families.into_iter().find(|(family, _)| name(id).starts_with(family)).map(|(_, dialect)| dialect)
}

/// An id without what says where it is served.
fn name(id: &str) -> &str {
    // It stands at the end of the ARN of a model or of a profile that the service made.
    let id = id.rsplit('/').next().unwrap_or(id);
    REGIONS.iter().find_map(|region| id.strip_prefix(region)).unwrap_or(id)
}

#[cfg(test)]
mod tests {
    use gatewright::chat::{MediaKind, Param};
    use gatewright::dialect::{Abilities, Dialect, ReasoningForm};

    use super::{Models, vectors};

    fn abilities(id: &str) -> Abilities {
        Models::bundled().expect("the facts are a table").abilities(id)
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
    fn models_that_make_vectors_are_asked_in_the_dialect_of_their_family() {
        for (id, expected) in [
            ("amazon.titan-embed-text-v2:0", Some(Dialect::TitanEmbed)),
            ("eu.cohere.embed-v4:0", Some(Dialect::CohereEmbed)),
            (
                "arn:aws:bedrock:us-east-1::foundation-model/cohere.embed-english-v3",
                Some(Dialect::CohereEmbed),
            ),
            ("amazon.titan-embed-image-v1", None),
            ("anthropic.claude-opus-4-5", None),
        ] {
            assert_eq!(vectors(id), expected, "{id}");
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
