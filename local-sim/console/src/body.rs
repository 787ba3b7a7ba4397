//! The bodies of requests: JSON objects with known fields.

use hyper::StatusCode;
use serde_json::{Map, Value};

use super::answer::Refusal;

/// An object, and what it should look like.
#[derive(Debug)]
pub(super) struct Body {
    fields: Map<String, Value>,
}

impl Body {
    /// Reads one; `shape` says what was expected where it is none.
    ///
    /// # Errors
    /// 400 where it is something else.
    pub(super) fn read(body: &[u8], shape: &str) -> Result<Self, Refusal> {
        let body: Value = serde_json::from_slice(body)
            .map_err(|error| bad(format!("the body is no JSON ({error}), expected {shape}")))?;
        let Value::Object(fields) = body else {
            return Err(bad(format!("the body is no object, expected {shape}")));
        };
        Ok(Self { fields })
    }

    /// Checks that it has no other fields than these.
    ///
    /// # Errors
    /// 400 with the name of one that is unknown.
    pub(super) fn only(&self, known: &[&str]) -> Result<(), Refusal> {
        let expected = match known {
            [] => "none".to_owned(),
            known => known.join(", "),
        };
        let unknown = |name: &&String| !known.contains(&name.as_str());
        match self.fields.keys().find(unknown) {
            Some(name) => Err(bad(format!(
                "{name}: an unknown field, expected {expected}"
            ))),
            None => Ok(()),
        }
    }

    /// A field that may be left out.
    ///
    /// # Errors
    /// 400 where `read` makes nothing of it.
    pub(super) fn optional<'a, T>(
        &'a self,
        name: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
        expected: &str,
    ) -> Result<Option<T>, Refusal> {
        let Some(value) = self.fields.get(name) else {
            return Ok(None);
        };
        let found = || bad(format!("{name}: found {value}, expected {expected}"));
        read(value).map(Some).ok_or_else(found)
    }

    /// A field that must be there.
    ///
    /// # Errors
    /// 400 where it is not, or `read` makes nothing of it.
    pub(super) fn required<'a, T>(
        &'a self,
        name: &str,
        read: impl FnOnce(&'a Value) -> Option<T>,
        expected: &str,
    ) -> Result<T, Refusal> {
        self.optional(name, read, expected)?
            .ok_or_else(|| bad(format!("{name}: missing, expected {expected}")))
    }
}

/// 400, for this reason.
pub(super) fn bad(message: String) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, message)
}
