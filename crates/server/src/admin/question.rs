//! What an operator asks of `/limits`, in the query of the URL.

/// Buckets on a page where nothing is said.
const COUNT: usize = 100;
/// The most buckets on a page.
const COUNT_MAX: usize = 1_000;

/// Which buckets are wanted, and where the page begins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitsQuestion {
    /// Only those of this tenant.
    pub tenant: Option<String>,
    /// Only those of this rule.
    pub rule: Option<String>,
    /// Only those of this label.
    pub label: Option<String>,
    /// Only those that count this.
    pub dimension: Option<String>,
    /// What an earlier page gave as `next`.
    pub after: Option<String>,
    /// The most on the page.
    pub count: usize,
}

impl Default for LimitsQuestion {
    fn default() -> Self {
        Self { tenant: None, rule: None, label: None, dimension: None, after: None, count: COUNT }
    }
}

impl LimitsQuestion {
    /// Reads the query of a URL.
    ///
    /// # Errors
    /// What is wrong with it, for the operator to read.
    pub(super) fn parse(query: &str) -> Result<Self, String> {
        let mut question = Self::default();
        for (name, value) in form_urlencoded::parse(query.as_bytes()) {
            let value = value.into_owned();
            match &*name {
                "tenant" => question.tenant = Some(value),
                "rule" => question.rule = Some(value),
                "label" => question.label = Some(value),
                "dimension" => question.dimension = Some(value),
                "after" => question.after = Some(value),
                "count" => question.count = count(&value)?,
                _ => {
                    return Err(format!(
                        "there is no `{name}` to ask by; known are tenant, rule, label, dimension, after, count"
                    ));
                }
            }
        }
        Ok(question)
    }
}

fn count(value: &str) -> Result<usize, String> {
    let count = value.parse().ok().filter(|count| (1..=COUNT_MAX).contains(count));
    count.ok_or_else(|| format!("`count` is a number from 1 to {COUNT_MAX}"))
}

#[cfg(test)]
mod tests {
    use super::LimitsQuestion;

    #[test]
    fn a_query_is_read_and_a_wrong_one_is_told_what_is_known() {
        let question = LimitsQuestion::parse("tenant=a+b%2Fc&dimension=requests&count=7").unwrap();
        let expected = LimitsQuestion {
            tenant: Some("a b/c".to_owned()),
            dimension: Some("requests".to_owned()),
            count: 7,
            ..LimitsQuestion::default()
        };
        assert_eq!(question, expected);
        assert_eq!(LimitsQuestion::parse(""), Ok(LimitsQuestion::default()));
        for (wrong, told) in [("tennant=a", "tenant"), ("count=0", "1 to 1000"), ("count=x", "1 to 1000")] {
            assert!(LimitsQuestion::parse(wrong).unwrap_err().contains(told), "{wrong}");
        }
    }
}
