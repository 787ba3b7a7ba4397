//! Strictly parses the response of a Lambda authorizer.

use std::fmt;

use serde::{
    Deserialize, Deserializer,
    de::{MapAccess, Visitor},
};
use serde_json::value::RawValue;
use thiserror::Error;

use crate::{
    authorizer::policy::Policy, event::principal::Scalar, limits::AUTHORIZER_RESPONSE_BYTES_MAX,
    options::AuthorizerContext,
};

/// A valid response of a Lambda authorizer.
#[derive(Debug)]
pub(crate) struct AuthorizerResponse {
    pub(crate) principal_id: String,
    pub(crate) policy: Policy,
    pub(crate) context: Vec<(String, Scalar)>,
    /// Keys that API Gateway does not know.
    pub(crate) unknown: Vec<String>,
}

impl AuthorizerResponse {
    /// Parses a response. `typing` determines whether numbers and booleans of the context become
    /// strings.
    ///
    /// # Errors
    /// The response is malformed or too long.
    pub(crate) fn parse(payload: &[u8], typing: AuthorizerContext) -> Result<Self, ResponseError> {
        if payload.len() > AUTHORIZER_RESPONSE_BYTES_MAX {
            return Err(ResponseError::TooLong(payload.len()));
        }
        if payload.trim_ascii_start().first() != Some(&b'{') {
            return Err(ResponseError::NoObject);
        }
        let Members(members) = serde_json::from_slice(payload)?;
        let (mut principal_id, mut policy) = (None, None);
        let (mut context, mut unknown) = (Vec::new(), Vec::new());
        for (name, value) in members {
            match name.as_str() {
                "principalId" => principal_id = Some(text(&name, &value)?),
                "policyDocument" => {
                    let read = serde_json::from_str(value.get());
                    policy = Some(read.map_err(ResponseError::Policy)?);
                }
                "context" => context = properties(&value, typing)?,
                "usageIdentifierKey" => drop(text(&name, &value)?),
                _ => unknown.push(name),
            }
        }
        Ok(Self {
            principal_id: principal_id.ok_or(ResponseError::Missing("principalId"))?,
            policy: policy.ok_or(ResponseError::Missing("policyDocument"))?,
            context,
            unknown,
        })
    }
}

fn text(name: &str, value: &RawValue) -> Result<String, ResponseError> {
    serde_json::from_str(value.get()).map_err(|_| ResponseError::property(name, value, "a string"))
}

/// The properties of the context, without the two names that the gateway sets itself.
fn properties(
    context: &RawValue,
    typing: AuthorizerContext,
) -> Result<Vec<(String, Scalar)>, ResponseError> {
    if context.get() == "null" {
        return Ok(Vec::new());
    }
    let Members(members) = serde_json::from_str(context.get())
        .map_err(|_| ResponseError::property("context", context, "an object"))?;
    members
        .into_iter()
        .filter(|(name, _)| !["principalId", "integrationLatency"].contains(&name.as_str()))
        .map(|(name, value)| {
            let scalar = scalar(&value, typing).ok_or_else(|| {
                ResponseError::property(
                    &format!("context.{name}"),
                    &value,
                    "a string, a number or a boolean",
                )
            })?;
            Ok((name, scalar))
        })
        .collect()
}

fn scalar(value: &RawValue, typing: AuthorizerContext) -> Option<Scalar> {
    let json = value.get();
    match (json.as_bytes().first()?, typing) {
        (b'"', _) => serde_json::from_str(json).ok().map(Scalar::Text),
        (b'-' | b'0'..=b'9' | b't' | b'f', AuthorizerContext::Strings) => {
            Some(Scalar::Text(json.to_owned()))
        }
        (b'-' | b'0'..=b'9' | b't' | b'f', AuthorizerContext::Typed) => {
            Some(Scalar::Bare(json.to_owned()))
        }
        _ => None,
    }
}

/// The members of an object in their order. The last value of a duplicate name is used, at the
/// first one's position.
struct Members(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Members {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Object;
        impl<'de> Visitor<'de> for Object {
            type Value = Members;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Members, A::Error> {
                let mut members: Vec<(String, Box<RawValue>)> = Vec::new();
                while let Some((name, value)) = map.next_entry::<String, Box<RawValue>>()? {
                    match members.iter_mut().find(|(known, _)| *known == name) {
                        Some((_, earlier)) => *earlier = value,
                        None => members.push((name, value)),
                    }
                }
                Ok(Members(members))
            }
        }
        deserializer.deserialize_map(Object)
    }
}

/// Why a response is malformed.
#[derive(Debug, Error)]
pub(crate) enum ResponseError {
    #[error("{0} bytes exceed the limit of {AUTHORIZER_RESPONSE_BYTES_MAX} bytes")]
    TooLong(usize),
    #[error("not a JSON object")]
    NoObject,
    #[error("invalid JSON: {0}")]
    Json(#[from] serde_json::Error),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("policyDocument: {0}")]
    Policy(serde_json::Error),
    #[error("{name} must be {expected}, not {found}")]
    Property {
        name: String,
        found: &'static str,
        expected: &'static str,
    },
}

impl ResponseError {
    /// Names only the type of the value, because the value may be a credential.
    fn property(name: &str, value: &RawValue, expected: &'static str) -> Self {
        Self::Property {
            name: name.to_owned(),
            found: match value.get().as_bytes().first() {
                Some(b'{') => "an object",
                Some(b'[') => "an array",
                Some(b'"') => "a string",
                Some(b'n') => "null",
                Some(b't' | b'f') => "a boolean",
                _ => "a number",
            },
            expected,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#""policyDocument":{"Version":"2012-10-17","Statement":[]}"#;

    fn parse(
        context: &str,
        typing: AuthorizerContext,
    ) -> Result<AuthorizerResponse, ResponseError> {
        let json = format!(r#"{{"principalId":"me",{POLICY},"context":{context}}}"#);
        AuthorizerResponse::parse(json.as_bytes(), typing)
    }

    /// The properties as events show them, in their order.
    fn check(context: &str, typing: AuthorizerContext) -> String {
        let context = parse(context, typing).unwrap().context;
        let fields: Vec<String> = context
            .iter()
            .map(|(name, value)| format!("{name}={}", serde_json::to_string(value).unwrap()))
            .collect();
        fields.join(" ")
    }

    fn error(json: &str) -> String {
        AuthorizerResponse::parse(json.as_bytes(), AuthorizerContext::Strings)
            .unwrap_err()
            .to_string()
    }

    #[test]
    fn properties_become_strings_and_keep_their_order() {
        let context = r#"{"z":"ž","number":1.50,"flag":true,"a":"5"}"#;
        assert_eq!(
            check(context, AuthorizerContext::Strings),
            r#"z="ž" number="1.50" flag="true" a="5""#
        );
        assert_eq!(
            check(context, AuthorizerContext::Typed),
            r#"z="ž" number=1.50 flag=true a="5""#
        );
        assert_eq!(check("{}", AuthorizerContext::Strings), "");
        assert_eq!(check("null", AuthorizerContext::Strings), "");
    }

    #[test]
    fn the_context_cannot_override_names_that_the_gateway_sets() {
        let context = r#"{"principalId":"other","integrationLatency":1,"a":"1","a":"2"}"#;
        assert_eq!(check(context, AuthorizerContext::Strings), r#"a="2""#);
    }

    #[test]
    fn the_error_names_what_is_malformed() {
        for json in ["", "null", "[]", r#""Allow""#] {
            assert_eq!(error(json), "not a JSON object", "{json}");
        }
        assert_eq!(error(r#"{"statusCode":401}"#), "principalId is missing");
        assert_eq!(
            error(r#"{"principalId":"me"}"#),
            "policyDocument is missing"
        );
        assert_eq!(
            error(&format!(r#"{{"principalId":5,{POLICY}}}"#)),
            "principalId must be a string, not a number"
        );
        assert!(error(r#"{"principalId":"me","policyDocument":{}}"#).contains("Statement"));
        assert!(error("{").starts_with("invalid JSON: "));
        for (context, told) in [
            (
                r#"{"a":{}}"#,
                "context.a must be a string, a number or a boolean, not an object",
            ),
            (
                r#"{"a":[1]}"#,
                "context.a must be a string, a number or a boolean, not an array",
            ),
            (
                r#"{"a":null}"#,
                "context.a must be a string, a number or a boolean, not null",
            ),
            ("5", "context must be an object, not a number"),
        ] {
            let error = parse(context, AuthorizerContext::Strings).unwrap_err();
            assert_eq!(error.to_string(), told);
        }
    }

    #[test]
    fn a_response_has_at_most_eight_kilobytes() {
        let response = |bytes: usize| {
            let json = format!(r#"{{"principalId":"",{POLICY},"context":{{"a":""}}}}"#);
            let filler = "x".repeat(bytes - json.len());
            let json = json.replace(r#""a":"""#, &format!(r#""a":"{filler}""#));
            AuthorizerResponse::parse(json.as_bytes(), AuthorizerContext::Strings)
        };
        assert!(response(8192).is_ok());
        assert_eq!(
            response(8193).unwrap_err().to_string(),
            "8193 bytes exceed the limit of 8192 bytes"
        );
    }

    #[test]
    fn unknown_keys_are_collected() {
        let json = format!(
            r#"{{"principalId":"me",{POLICY},"isAuthorized":true,"usageIdentifierKey":"k"}}"#
        );
        let response =
            AuthorizerResponse::parse(json.as_bytes(), AuthorizerContext::Strings).unwrap();
        assert_eq!(response.unknown, ["isAuthorized"]);
    }
}
