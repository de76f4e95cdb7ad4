//! How tokens are drawn, what ends an answer, and members that only some dialects have.

use gatewright::chat::{LossKind, Param, Place, Setting};

use super::thinking::Thinking;
use super::{Result, Writing};
use crate::json::{Kind, Value, quote_into};

/// With reasoning on, nucleus sampling takes from here.
const TOP_P_MIN: f64 = 0.95;

impl Writing<'_, '_, '_> {
    pub(super) fn sampling(&mut self, thinking: &Thinking) -> Result {
        let sampling = &self.chat.sampling;
        let number = |json: &Option<gatewright::chat::Json<'_>>| {
            json.as_deref().and_then(|json| json.parse::<f64>().ok())
        };
        let temperature = number(&sampling.temperature);
        if let Some(temperature) = temperature {
            let is_default = (temperature - 1.0).abs() < f64::EPSILON;
            if self.refuses(Param::Temperature) || (thinking.is_on() && !is_default) {
                self.drop(Param::Temperature)?;
            } else if temperature > 1.0 {
                self.approximate(Param::Temperature)?;
                self.member("temperature", "1");
            } else if let Some(json) = &sampling.temperature {
                self.member("temperature", json);
            }
        }
        if let (Some(top_p), Some(json)) = (number(&sampling.top_p), &sampling.top_p) {
            // Models take the one or the other.
            let is_second = temperature.is_some() && !self.refuses(Param::Temperature);
            let is_low = thinking.is_on() && top_p < TOP_P_MIN;
            if self.refuses(Param::TopP) || is_second || is_low {
                self.drop(Param::TopP)?;
            } else {
                self.member("top_p", json);
            }
        }
        if let Some(json) = &sampling.top_k {
            if self.refuses(Param::TopK) || thinking.is_on() {
                self.drop(Param::TopK)?;
            } else {
                self.member("top_k", json);
            }
        }
        let others = [
            (Param::Seed, &sampling.seed),
            (Param::FrequencyPenalty, &sampling.frequency_penalty),
            (Param::PresencePenalty, &sampling.presence_penalty),
        ];
        for (param, json) in others {
            if json.as_deref().is_some_and(|json| param == Param::Seed || json.parse::<f64>() != Ok(0.0)) {
                self.drop(param)?;
            }
        }
        Ok(())
    }

    fn refuses(&self, param: Param) -> bool {
        self.abilities.refuses.contains(&param)
    }

    /// The API refuses stop strings of white space alone.
    pub(super) fn stop(&mut self) -> Result {
        let stop = &self.chat.stop;
        let mut separator: &[u8] = br#","stop_sequences":["#;
        for text in stop.iter().filter(|text| !text.trim().is_empty()) {
            self.out.extend_from_slice(std::mem::replace(&mut separator, b","));
            quote_into(&mut self.out, text);
        }
        if separator == b"," {
            self.out.push(b']');
        }
        if stop.iter().any(|text| text.trim().is_empty()) {
            self.drop(Param::Stop)?;
        }
        Ok(())
    }

    pub(super) fn settings(&mut self) -> Result {
        for setting in &self.chat.settings {
            match setting.param {
                Param::EndUser => self.member("metadata", &format!(r#"{{"user_id":{}}}"#, setting.value)),
                Param::ServiceTier => self.service_tier(setting)?,
                _ if is_idle(setting) => {}
                param => self.drop(param)?,
            }
        }
        Ok(())
    }

    /// Which capacity serves changes the price, so that a class that the API does not have is told.
    fn service_tier(&mut self, setting: &Setting<'_>) -> Result {
        let value = Value::parse(setting.value.as_bytes()).ok();
        match value.and_then(|value| value.as_str()).as_deref() {
            Some("auto") => self.member("service_tier", r#""auto""#),
            Some("default" | "standard" | "standard_only") => {
                self.member("service_tier", r#""standard_only""#);
            }
            _ => self.losses.report(&Place::Param(Param::ServiceTier), LossKind::Dropped)?,
        }
        Ok(())
    }
}

/// Whether a setting asks for what happens anyway.
fn is_idle(setting: &Setting<'_>) -> bool {
    let Ok(value) = Value::parse(setting.value.as_bytes()) else { return false };
    let text = value.as_str();
    match (setting.param, value.kind()) {
        (_, Kind::Null) => true,
        (_, Kind::Bool) => value.as_bool() == Some(false),
        (Param::Truncation, Kind::String) => text.as_deref() == Some("disabled"),
        (Param::Modalities, Kind::Array) => {
            value.elements().all(|element| element.json_str().is_some_and(|kind| kind.is("text")))
        }
        // Without options it is a search all the same.
        (Param::WebSearch, Kind::Object) => false,
        (_, Kind::Array | Kind::Object) => !value.has_children(),
        _ => false,
    }
}
