//! Parses API Gateway's event JSON into our own [`Event`].
//!
//! `aws_lambda_events` is stricter than Lambda. It rejects, for example, an event without
//! `connectedAt`, a `null` identity, a query value or body that is not a string, and a control
//! character in a header. API Gateway sends none of these today (until 2019 it sent
//! `"authorizer":""`). Emulators may, and get an error that says what is wrong.

use std::collections::BTreeMap;

use aws_lambda_events::{
    apigw::{ApiGatewayWebsocketProxyRequest, ApiGatewayWebsocketProxyRequestContext},
    http::HeaderMap,
    query_map::QueryMap,
};
use base64::{Engine, prelude::BASE64_STANDARD};
use chrono::{DateTime, Utc};
use serde_json::Value;
use serde_path_to_error::Segment;

use crate::{
    body::Body,
    event::{Connection, Event, Kind},
    failure::{Code, Failure},
    reply::ReplyId,
};

/// An event that cannot be used, with the parts of it that are known.
#[derive(Debug)]
pub struct Refused {
    /// The error.
    pub failure: Failure,
    /// The key of the route that the gateway selected.
    pub route_key: Option<String>,
    /// The id of the answer.
    pub reply_id: ReplyId,
}

/// Parses an event.
///
/// # Errors
/// The event lacks what every event of its kind has, or is no event.
pub fn parse(json: &str) -> Result<Event, Refused> {
    serde_path_to_error::deserialize(&mut serde_json::Deserializer::from_str(json))
        .map_err(|err| bad_event(problem(&err, json)))
        .and_then(event)
        .map_err(|failure| refused(failure, json))
}

fn event(request: ApiGatewayWebsocketProxyRequest) -> Result<Event, Failure> {
    let context = request.request_context;
    let at = time("requestTimeEpoch", context.request_time_epoch)?;
    let route_key = required("routeKey", context.route_key.clone())?;
    let request_id = present(context.request_id.clone());
    let kind = match context.event_type.as_deref() {
        Some("CONNECT") => Kind::Connect {
            origin: header(&request.headers, "origin"),
            query: query(
                &request.multi_value_query_string_parameters,
                &request.query_string_parameters,
            ),
        },
        Some("MESSAGE") => Kind::Message {
            id: required("messageId", context.message_id.clone())?,
            body: body(request.body.unwrap_or_default(), request.is_base64_encoded)?,
        },
        Some("DISCONNECT") => Kind::Disconnect {
            status_code: context.disconnect_status_code,
            reason: present(context.disconnect_reason.clone()),
        },
        other => {
            return Err(bad_event(format!(
                "requestContext.eventType is {}, expected CONNECT, MESSAGE or DISCONNECT",
                other.map_or_else(|| "missing".to_owned(), |found| format!("{found:?}"))
            )));
        }
    };
    Ok(Event {
        connection: connection(context)?,
        route_key,
        request_id,
        at,
        kind,
    })
}

fn connection(context: ApiGatewayWebsocketProxyRequestContext) -> Result<Connection, Failure> {
    let identity = context.identity;
    let authorizer = context.authorizer.fields;
    Ok(Connection {
        id: required("connectionId", context.connection_id)?,
        api_id: required("apiId", context.apiid)?,
        stage: required("stage", context.stage)?,
        domain_name: present(context.domain_name),
        connected_at: time("connectedAt", context.connected_at)?,
        // All fields except `apiKey`.
        identity: [
            ("accessKey", identity.access_key),
            ("accountId", identity.account_id),
            ("caller", identity.caller),
            (
                "cognitoAuthenticationProvider",
                identity.cognito_authentication_provider,
            ),
            (
                "cognitoAuthenticationType",
                identity.cognito_authentication_type,
            ),
            ("cognitoIdentityId", identity.cognito_identity_id),
            ("cognitoIdentityPoolId", identity.cognito_identity_pool_id),
            ("sourceIp", identity.source_ip),
            ("user", identity.user),
            ("userAgent", identity.user_agent),
            ("userArn", identity.user_arn),
        ]
        .into_iter()
        .filter_map(|(name, value)| Some((name, present(value)?)))
        .collect(),
        authorizer: authorizer
            .into_iter()
            .filter_map(|(name, value)| Some((name, scalar(value)?)))
            .collect(),
    })
}

/// The text of a message, decoded if the event says that it is encoded.
fn body(body: String, is_base64_encoded: bool) -> Result<Body, Failure> {
    if !is_base64_encoded {
        return Ok(Body::new(body.into_bytes()));
    }
    BASE64_STANDARD
        .decode(body)
        .map(Body::new)
        .map_err(|err| bad_event(format!("body is marked as base64 and is not: {err}")))
}

/// The query parameters by name, with all values in order.
///
/// Older emulators send only one value for each name.
fn query(multi: &QueryMap, single: &QueryMap) -> BTreeMap<String, Vec<String>> {
    let map = if multi.is_empty() { single } else { multi };
    // `QueryMap::iter` panics at a name without values.
    serde_json::to_value(map)
        .and_then(serde_json::from_value)
        .unwrap_or_default()
}

fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = String::from_utf8_lossy(headers.get(name)?.as_bytes());
    present(Some(value.into_owned()))
}

/// API Gateway converts everything that an authorizer returns to strings; emulators may not.
fn scalar(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Number(number) => Some(number.to_string()),
        Value::Bool(bool) => Some(bool.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// API Gateway omits unknown values, or sends them empty.
fn present(value: Option<String>) -> Option<String> {
    value.filter(|value| !value.is_empty())
}

fn required(field: &str, value: Option<String>) -> Result<String, Failure> {
    present(value).ok_or_else(|| {
        bad_event(format!(
            "requestContext.{field} is missing or empty, expected a text"
        ))
    })
}

/// Checks that Kafka can store the time and RFC 3339 can express it.
fn time(field: &str, millis: i64) -> Result<DateTime<Utc>, Failure> {
    /// The last millisecond of the year 9999.
    const LAST: i64 = 253_402_300_799_999;
    (0..=LAST)
        .contains(&millis)
        .then(|| DateTime::from_timestamp_millis(millis))
        .flatten()
        .ok_or_else(|| {
            bad_event(format!(
                "requestContext.{field} is {millis}, expected milliseconds since 1970, before the year 10000"
            ))
        })
}

fn bad_event(problem: impl std::fmt::Display) -> Failure {
    Failure::new(
        Code::BadRequest,
        format!("the event cannot be used: {problem}"),
    )
}

/// What is wrong with an event. Leaves out the invalid value: it may be a credential, and this text
/// goes into an answer and the log.
fn problem(error: &serde_path_to_error::Error<serde_json::Error>, json: &str) -> String {
    let path = match error.path().to_string() {
        path if path == "." => "the event".to_owned(),
        path => path,
    };
    let cause = error.inner().to_string();
    if let Some(missing) = cause.strip_prefix("missing field ") {
        let field = missing.split(" at line").next().unwrap_or_default();
        return format!("{path} has no {field}");
    }
    let event: Value = serde_json::from_str(json).unwrap_or_default();
    let found = error
        .path()
        .iter()
        .try_fold(&event, |value, step| match step {
            Segment::Map { key } => value.get(key),
            Segment::Seq { index } => value.get(index),
            Segment::Enum { .. } | Segment::Unknown => None,
        });
    let kind = match found {
        None | Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "a boolean",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "a text",
        Some(Value::Array(_)) => "a list",
        Some(Value::Object(_)) => "an object",
    };
    format!("{path} is {kind} unlike any that API Gateway sends")
}

/// Finds what an answer needs in an invalid event.
fn refused(failure: Failure, json: &str) -> Refused {
    let event: Value = serde_json::from_str(json).unwrap_or_default();
    let text = |pointer| event.pointer(pointer).and_then(Value::as_str);
    let is_base64_encoded = event["isBase64Encoded"].as_bool().unwrap_or_default();
    let body = text("/body").and_then(|text| body(text.to_owned(), is_base64_encoded).ok());
    let message_id = text("/requestContext/messageId").filter(|id| !id.is_empty());
    Refused {
        failure,
        route_key: text("/requestContext/routeKey").map(str::to_owned),
        reply_id: ReplyId::new(body.as_ref(), message_id),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: &str = include_str!("../tests/events/02-message.aws-lambda-go.json");

    fn check(event: &Event, variable: &str) -> Option<String> {
        event.variable(variable)
    }

    #[test]
    fn whatever_an_event_tells_about_itself_is_a_variable() {
        let event = parse(MESSAGE).expect("an event");
        let json: Value = serde_json::from_str(MESSAGE).expect("JSON");
        let context = json["requestContext"].as_object().expect("an object");
        let identity = context["identity"].as_object().expect("an object");
        let nested = identity
            .iter()
            .map(|(name, value)| (format!("identity.{name}"), value));
        let flat = context
            .iter()
            .filter(|(name, _)| *name != "identity")
            .map(|(name, value)| (name.clone(), value));
        for (name, value) in flat.chain(nested) {
            assert_eq!(check(&event, &name), scalar(value.clone()), "{name}");
        }
    }

    #[test]
    fn what_the_authorizer_answered_is_a_variable_as_text() {
        let context = "\"requestContext\": {\n    \"authorizer\": {\"plan\": 3, \"paid\": true, \"list\": []},";
        let json = MESSAGE.replacen("\"requestContext\": {", context, 1);
        let event = parse(&json).expect("an event");
        assert_eq!(check(&event, "authorizer.plan").as_deref(), Some("3"));
        assert_eq!(check(&event, "authorizer.paid").as_deref(), Some("true"));
        assert_eq!(check(&event, "authorizer.list"), None);
    }

    #[test]
    fn the_api_key_is_no_variable() {
        let identity = "\"identity\": {\n    \"apiKey\": \"s3cret\",";
        let json = MESSAGE.replacen("\"identity\": {", identity, 1);
        let event = parse(&json).expect("an event");
        assert_eq!(check(&event, "identity.apiKey"), None);
        assert!(!format!("{event:?}").contains("s3cret"));
    }
}
