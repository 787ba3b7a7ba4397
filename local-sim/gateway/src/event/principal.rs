//! Who a client is, once its `$connect` has been authorized.

use serde::{
    Serialize, Serializer,
    ser::{Error as _, SerializeMap as _},
};
use serde_json::value::RawValue;

/// The one who connected.
#[derive(Debug)]
pub(crate) enum Principal {
    /// A Lambda authorizer has let it in.
    Custom(Custom),
    /// It signed its handshake with AWS credentials.
    Iam(User),
}

impl Principal {
    /// What it is called: the authorizer's word for it, or the user's ARN.
    pub(crate) fn id(&self) -> &str {
        match self {
            Self::Custom(custom) => &custom.principal_id,
            Self::Iam(user) => user.user_arn,
        }
    }
}

/// What a Lambda authorizer said.
#[derive(Debug)]
pub(crate) struct Custom {
    pub(crate) principal_id: String,
    /// Properties of its own, in its order.
    pub(crate) context: Vec<(String, Scalar)>,
    /// How long it took, in milliseconds.
    pub(crate) latency: u64,
}

/// A property of an authorizer's context.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Scalar {
    Text(String),
    /// A number or a boolean, in JSON.
    Bare(String),
}

impl Scalar {
    /// The text of it, which a log shows.
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
    /// `requestContext.authorizer`, with the latency on `$connect` only.
    pub(crate) fn in_event(&self, with_latency: bool) -> InEvent<'_> {
        InEvent {
            custom: self,
            with_latency,
        }
    }
}

/// What a Lambda authorizer said, as events show it.
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

/// An IAM user, as `requestContext.identity` shows one.
#[derive(Debug)]
pub(crate) struct User {
    pub(crate) user_arn: &'static str,
    pub(crate) account_id: &'static str,
    /// The user's unique id, which is not its access key's.
    pub(crate) id: &'static str,
    pub(crate) access_key: &'static str,
}
