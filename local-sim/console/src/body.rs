//! Request bodies: JSON objects with known fields.

use hyper::StatusCode;
use serde_json::{Map, Value};

use super::response::ApiError;

/// The JSON object in a request body.
#[derive(Debug)]
pub(super) struct Body {
    fields: Map<String, Value>,
}

impl Body {
    /// Parses a body; `shape` describes the expected object in errors.
    ///
    /// # Errors
    /// 400 if the body is not a JSON object.
    pub(super) fn read(body: &[u8], shape: &str) -> Result<Self, ApiError> {
        let body: Value = serde_json::from_slice(body).map_err(|error| {
            bad(format!(
                "the body is not valid JSON: {error} (expected {shape})"
            ))
        })?;
        let Value::Object(fields) = body else {
            return Err(bad(format!(
                "the body is not a JSON object (expected {shape})"
            )));
        };
        Ok(Self { fields })
    }

    /// Checks that the object has no other fields than these.
    ///
    /// # Errors
    /// 400 with the name of an unknown field.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), ApiError> {
        let expected = match known {
            [] => "an empty object".to_owned(),
            known => known.join(", "),
        };
        let unknown = |name: &&String| !known.contains(&name.as_str());
        match self.fields.keys().find(unknown) {
            Some(name) => Err(bad(format!("{name}: unknown field (expected {expected})"))),
            None => Ok(()),
        }
    }

    /// Reads an optional field.
    ///
    /// # Errors
    /// 400 if `read` returns `None` for its value.
    pub(super) fn optional<'a, T>(
        &'a self,
        name: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
        expected: &str,
    ) -> Result<Option<T>, ApiError> {
        let Some(value) = self.fields.get(name) else {
            return Ok(None);
        };
        let invalid = || {
            bad(format!(
                "{name}: invalid value {value} (expected {expected})"
            ))
        };
        read(value).map(Some).ok_or_else(invalid)
    }

    /// Reads a required field.
    ///
    /// # Errors
    /// 400 if the field is missing, or `read` returns `None` for its value.
    pub(super) fn required<'a, T>(
        &'a self,
        name: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
        expected: &str,
    ) -> Result<T, ApiError> {
        self.optional(name, read, expected)?
            .ok_or_else(|| bad(format!("{name}: missing (expected {expected})")))
    }
}

/// A 400 error with this message.
pub(super) fn bad(message: String) -> ApiError {
    ApiError::new(StatusCode::BAD_REQUEST, message)
}
