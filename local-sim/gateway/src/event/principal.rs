//! The identity of an authorized client.

use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap as _},
};
use serde_json::value::RawValue;

/// The identity that the API's authorizer determined.
#[derive(Debug)]
pub(crate) enum Principal {
    /// The response of a Lambda authorizer.
    Custom(Custom),
    /// The IAM user that signed the handshake.
    Iam(User),
}

impl Principal {
    /// The authorizer's `principalId`, or the ARN of the IAM user.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Custom(custom) => &custom.principal_id,
            Self::Iam(user) => user.user_arn,
        }
    }
}

/// The response of a Lambda authorizer.
#[derive(Debug)]
pub(crate) struct Custom {
    pub(crate) principal_id: String,
    /// The properties of its `context`, in the same order.
    pub(crate) context: Vec<(String, Scalar)>,
    /// How long the authorizer took, in milliseconds.
    pub(crate) latency: u64,
}

/// A property of an authorizer's context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scalar {
    Text(String),
    /// A number or a boolean, as JSON.
    Bare(String),
}

impl Scalar {
    /// The value as text, for the access log.
    pub(crate) fn as_str(&self) -> &str {
        match self {
            Self::Text(text) | Self::Bare(text) => text,
        }
    }
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bare(json) => RawValue::from_string(json.clone())
                .map_err(S::Error::custom)?
                .serialize(serializer),
        }
    }
}

impl Custom {
    /// `requestContext.authorizer`. Only the event for `$connect` has the latency.
    pub(crate) fn in_event(&self, with_latency: bool) -> InEvent<'_> {
        InEvent {
            custom: self,
            with_latency,
        }
    }
}

/// The response of a Lambda authorizer, as events show it.
pub(crate) struct InEvent<'a> {
    custom: &'a Custom,
    with_latency: bool,
}

impl Serialize for InEvent<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        for (name, value) in &self.custom.context {
            map.serialize_entry(name, value)?;
        }
        map.serialize_entry("principalId", &self.custom.principal_id)?;
        if self.with_latency {
            map.serialize_entry("integrationLatency", &self.custom.latency)?;
        }
        map.end()
    }
}

/// An IAM user, as `requestContext.identity` shows it.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) user_arn: &'static str,
    pub(crate) account_id: &'static str,
    /// The user's unique id, which is different from the access key id.
    pub(crate) id: &'static str,
    pub(crate) access_key: &'static str,
}
