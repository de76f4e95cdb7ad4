//! The bounds of one parameter, and what becomes of a value that is over them.

use gatewright::prelude::*;
use gatewright::serde_json::{self, Number, Value};

/// Bounds of a parameter.
#[gatewright::config]
#[derive(Clone, Debug, Default)]
pub struct ParameterSettings {
    /// The least value.
    #[serde(default)]
    pub min: Option<Number>,
    /// The greatest value.
    #[serde(default)]
    pub max: Option<Number>,
    /// The only values that are allowed. Default: any.
    #[serde(default)]
    pub one_of: Vec<Value>,
    /// What becomes of a number that is too small or too great.
    #[serde(default)]
    pub on_excess: Excess,
    /// What is sent where the caller sends nothing. Default: nothing.
    #[serde(default)]
    pub default: Option<Value>,
}

/// What becomes of a number over its bounds.
#[gatewright::config]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
pub enum Excess {
    /// The request is refused.
    #[default]
    Deny,
    /// The bound is sent in its place.
    Clamp,
}

/// A parameter with its bounds.
#[derive(Debug)]
pub(crate) struct Parameter {
    /// As the caller knows it: `temperature`, or `reasoning.effort` for a member of an object.
    pub(crate) name: String,
    pub(crate) bounds: ParameterSettings,
}

/// The RFC 6901 pointer of a field that is named with dots.
pub(crate) fn pointer(name: &str) -> String {
    format!("/{}", name.replace('~', "~0").replace('/', "~1").replace('.', "/"))
}

impl Parameter {
    /// Checks the bounds themselves; the error names the field below the parameter.
    pub(crate) fn check(&self) -> Result<(), BuildError> {
        let ParameterSettings { min, max, one_of, default, .. } = &self.bounds;
        if let (Some(min), Some(max)) = (min, max)
            && min.as_f64() > max.as_f64()
        {
            return Err(BuildError::at("min", "it is greater than `max`"));
        }
        if min.is_none() && max.is_none() && one_of.is_empty() && default.is_none() {
            return Err(BuildError::new("give `min`, `max`, `one_of` or `default`"));
        }
        let Some(default) = default else { return Ok(()) };
        if self.name.contains('.') {
            return Err(BuildError::at("default", "a member of an object cannot have a default"));
        }
        match self.judge(default) {
            Ok(None) => Ok(()),
            Ok(Some(_)) => Err(BuildError::at("default", "it is not within the bounds")),
            Err((_, message)) => Err(BuildError::at("default", message)),
        }
    }

    /// Bounds the parameter of a request; returns whether it was set to a bound.
    pub(crate) fn bound(&self, request: &mut LlmRequest) -> Result<bool, Box<Denial>> {
        let pointer = pointer(&self.name);
        let mut is_given = false;
        let mut bound = None;
        // A key that is repeated is judged at each place: which one a provider reads is not known.
        for text in request.fields(&pointer) {
            let value = serde_json::from_str(&text).unwrap_or(Value::Null);
            is_given |= !value.is_null();
            let judged = self.judge(&value).map_err(|(code, message)| self.denial(code, &message))?;
            bound = bound.or(judged);
        }
        let set = match (bound, &self.bounds.default) {
            (Some(bound), _) => bound.to_string(),
            (None, Some(default)) if !is_given => default.to_string(),
            (None, _) => return Ok(false),
        };
        let refused = |_| self.denial("invalid_value", "cannot be bounded in this request");
        request.set_field(&pointer, &set).map_err(refused)?;
        Ok(is_given)
    }

    /// The bound to send in place of a value, none if the value may stand, or why it may not.
    fn judge(&self, value: &Value) -> Result<Option<&Number>, (&'static str, String)> {
        let ParameterSettings { min, max, one_of, on_excess, .. } = &self.bounds;
        if value.is_null() {
            return Ok(None);
        }
        if !one_of.is_empty() && !one_of.contains(value) {
            let allowed: Vec<String> = one_of.iter().map(Value::to_string).collect();
            return Err(("invalid_value", format!("must be one of {}", allowed.join(", "))));
        }
        if min.is_none() && max.is_none() {
            return Ok(None);
        }
        let Some(number) = value.as_f64() else {
            return Err(("invalid_type", "must be a number".to_owned()));
        };
        let below = min.as_ref().filter(|min| min.as_f64().is_some_and(|min| number < min));
        let above = max.as_ref().filter(|max| max.as_f64().is_some_and(|max| number > max));
        match (below.or(above), on_excess, below.is_some()) {
            (None, ..) => Ok(None),
            (Some(bound), Excess::Clamp, _) => Ok(Some(bound)),
            (Some(bound), Excess::Deny, true) => {
                Err(("invalid_value", format!("must be at least {bound} for this model")))
            }
            (Some(bound), Excess::Deny, false) => {
                Err(("invalid_value", format!("must be at most {bound} for this model")))
            }
        }
    }

    fn denial(&self, code: &'static str, message: &str) -> Box<Denial> {
        let message = format!("`{}` {message}", self.name);
        Box::new(Denial::invalid(self.name.clone(), code, message))
    }
}
