//! The JSON Schema of the configuration.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use crate::shape::Shape;

/// The schema of the file's own shape; settings of extensions may be anything.
pub(crate) fn of_shape() -> Value {
    SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<Shape>().to_value()
}
