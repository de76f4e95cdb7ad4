//! Facts of an exchange that tell allowances apart: whose they are, and for what.

use std::sync::Arc;

use crate::RequestCx;

/// Stands behind each part of a combination, and in none of them.
const BETWEEN: char = '\u{1f}';
/// The most groups of one caller that count.
const GROUPS_MAX: usize = 8;
/// The longest value of a header that counts, in bytes: a caller chooses it freely.
const HEADER_BYTES_MAX: usize = 64;

/// A fact of an exchange, as settings name it: `tenant`, `project`, `user`, `key`, `model`, `route`, `group`,
/// `{tag: NAME}`, or `{header: NAME}`.
#[crate::config]
#[derive(Clone, Debug, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// The tenant as a whole.
    Tenant,
    /// The project within the tenant.
    Project,
    /// The person or service.
    User,
    /// The credential.
    Key,
    /// The model that is asked for, by its public name.
    Model,
    /// The route.
    Route,
    /// A group of the user; a caller in several groups counts in each, up to eight.
    Group,
    /// A tag of the exchange or the caller.
    Tag(String),
    /// A header of the caller, of which the first 64 bytes count. The caller chooses it freely.
    Header(String),
}

impl Label {
    /// What the fact is called: its own name, or that of the tag or header.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Tenant => "tenant",
            Self::Project => "project",
            Self::User => "user",
            Self::Key => "key",
            Self::Model => "model",
            Self::Route => "route",
            Self::Group => "group",
            Self::Tag(name) | Self::Header(name) => name,
        }
    }

    /// Gives each combination of the facts in `labels` that the exchange has, as one text that no other
    /// combination has: one, or one per group of the caller.
    ///
    /// The tenant adds nothing: whatever is kept by this text belongs to a tenant already. What the
    /// exchange does not have is the empty text.
    pub fn for_each_combination(labels: &[Self], cx: &RequestCx, give: &mut dyn FnMut(Arc<str>)) {
        // The usual case, without making a text.
        if let [Self::Key] = labels {
            return give(Arc::clone(&cx.principal().key_label));
        }
        let groups = &cx.principal().groups;
        if groups.len() > 1 && labels.contains(&Self::Group) {
            groups.iter().take(GROUPS_MAX).for_each(|group| give(combined(labels, cx, group)));
        } else {
            give(combined(labels, cx, groups.first().map(|group| &**group).unwrap_or_default()));
        }
    }
}

fn combined(labels: &[Label], cx: &RequestCx, group: &str) -> Arc<str> {
    let mut text = String::new();
    for label in labels {
        text.push_str(value(label, cx, group));
        text.push(BETWEEN);
    }
    text.into()
}

fn value<'c>(label: &Label, cx: &'c RequestCx, group: &'c str) -> &'c str {
    let principal = cx.principal();
    let value = match label {
        Label::Tenant => None,
        Label::Project => principal.project.as_deref(),
        Label::User => principal.user.as_deref(),
        Label::Key => Some(&*principal.key_label),
        Label::Model => Some(cx.model().as_str()),
        Label::Route => Some(cx.route().as_str()),
        Label::Group => Some(group),
        Label::Tag(name) => cx.tags.get(name).or_else(|| principal.tag(name)),
        Label::Header(name) => {
            let value = cx.client_headers().get(name.as_str()).and_then(|value| value.to_str().ok());
            // Readable header text is ASCII, so any place is between characters.
            value.map(|value| value.get(..HEADER_BYTES_MAX).unwrap_or(value))
        }
    };
    value.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Instant;

    use http::{HeaderMap, HeaderName, HeaderValue};

    use super::Label;
    use crate::dialect::{Dialect, Operation};
    use crate::{Principal, RequestCx, RequestFacts, RequestId};

    fn combinations(labels: &[Label], principal: Principal) -> Vec<String> {
        let app = (HeaderName::from_static("x-app"), HeaderValue::from_str(&"a".repeat(99)).unwrap());
        let mut cx = RequestCx::new(RequestFacts {
            id: RequestId::new(1, 1),
            principal: Arc::new(principal),
            route: "route".into(),
            model: "model".into(),
            dialect: Dialect::OpenAiChat,
            operation: Operation::Chat,
            streams: false,
            received: Instant::now(),
            client_headers: Arc::new(HeaderMap::from_iter([app])),
        });
        cx.tags.set("team", "core");
        let mut all = Vec::new();
        Label::for_each_combination(labels, &cx, &mut |text| all.push(text.replace('\u{1f}', "|")));
        all
    }

    #[test]
    fn each_combination_has_a_text_of_its_own() {
        let tag = |name: &str| Label::Tag(name.to_owned());
        let caller = Principal::new("t".into(), "k");
        let groups = ["a", "b"].map(Arc::from).to_vec();
        let cases = [
            (vec![Label::Key], caller.clone(), vec!["k".to_owned()]),
            (vec![Label::Tenant], caller.clone(), vec!["|".to_owned()]),
            (vec![Label::Model, Label::Route, Label::User], caller.clone(), vec!["model|route||".to_owned()]),
            (vec![tag("team"), tag("none")], caller.clone(), vec!["core||".to_owned()]),
            (vec![Label::Header("X-App".to_owned())], caller.clone(), vec![format!("{}|", "a".repeat(64))]),
            (vec![Label::Group, Label::Key], caller.clone(), vec!["|k|".to_owned()]),
            (
                vec![Label::Key, Label::Group],
                Principal { groups, ..caller },
                vec!["k|a|".to_owned(), "k|b|".to_owned()],
            ),
        ];
        for (labels, principal, expected) in cases {
            assert_eq!(combinations(&labels, principal), expected, "{labels:?}");
        }
    }

    #[test]
    fn settings_name_facts_by_word_or_by_name() {
        let labels: Vec<Label> =
            serde_json::from_str(r#"["key", "group", {"tag": "team"}, {"header": "x-app"}]"#).unwrap();
        let names: Vec<&str> = labels.iter().map(Label::name).collect();
        assert_eq!(names, ["key", "group", "team", "x-app"]);
    }
}
