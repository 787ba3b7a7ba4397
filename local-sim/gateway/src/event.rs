//! Builds the events that functions receive, with API Gateway's keys in their order.
//!
//! Shapes:
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-integration-requests.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html>
//! and recorded events, among them `awslabs/swift-aws-lambda-events` and `aws/aws-lambda-go`.

pub(crate) mod caller;
mod context;
pub(crate) mod multi_map;
pub(crate) mod principal;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use self::{
    caller::{Caller, Request, Stage, Upgrade},
    context::Context,
    multi_map::{All, Last, MultiMap},
};
use crate::{close::Closed, id::Id};

/// The event for an authorizer. It has three more headers than the event for `$connect`.
pub(crate) fn authorizer(
    stage: &Stage,
    caller: &Caller,
    request: &Request,
    upgrade: &Upgrade,
) -> Bytes {
    let hop = [
        ("Connection", "upgrade"),
        ("content-length", "0"),
        ("Upgrade", "websocket"),
    ];
    let hop = hop.map(|(name, value)| (name.to_owned(), vec![value.to_owned()]));
    let mut headers: MultiMap = upgrade.headers.iter().cloned().chain(hop).collect();
    sort(&mut headers);
    to_bytes(
        &AuthorizerEvent {
            kind: "REQUEST",
            method_arn: stage.method_arn(),
            headers: Last(&headers),
            multi_value_headers: All(&headers),
            query_string_parameters: Last(&upgrade.query),
            multi_value_query_string_parameters: All(&upgrade.query),
            stage_variables: &stage.variables,
            request_context: Context::new(stage, caller, "$connect", "CONNECT", request),
        },
        0,
    )
}

/// The event for `$connect`.
pub(crate) fn connect(
    stage: &Stage,
    caller: &Caller,
    request: &Request,
    upgrade: &Upgrade,
) -> Bytes {
    let query = (!upgrade.query.is_empty()).then_some(&upgrade.query);
    let context = Context::new(stage, caller, "$connect", "CONNECT", request);
    let event = Event {
        headers: Some(Last(&upgrade.headers)),
        multi_value_headers: Some(All(&upgrade.headers)),
        query_string_parameters: query.map(Last),
        multi_value_query_string_parameters: query.map(All),
        ..Event::new(stage, context)
    };
    to_bytes(&event, 0)
}

/// The event for a message. `body` is the text exactly as the client sent it.
pub(crate) fn message(
    stage: &Stage,
    caller: &Caller,
    request: &Request,
    message_id: &Id,
    route_key: &str,
    body: &str,
) -> Bytes {
    let context =
        Context::new(stage, caller, route_key, "MESSAGE", request).with_message(message_id);
    let event = Event {
        body: Some(body),
        ..Event::new(stage, context)
    };
    to_bytes(&event, body.len())
}

/// The event for `$disconnect`.
pub(crate) fn disconnect(
    stage: &Stage,
    caller: &Caller,
    request: &Request,
    closed: &Closed,
) -> Bytes {
    let headers = disconnect_headers(&caller.domain_name);
    let context =
        Context::new(stage, caller, "$disconnect", "DISCONNECT", request).with_close(closed);
    let event = Event {
        headers: Some(Last(&headers)),
        multi_value_headers: Some(All(&headers)),
        ..Event::new(stage, context)
    };
    to_bytes(&event, 0)
}

/// The four headers of a `$disconnect` event. All but `Host` are empty.
fn disconnect_headers(host: &str) -> MultiMap {
    [
        ("Host", host),
        ("x-api-key", ""),
        ("X-Forwarded-For", ""),
        ("x-restapi", ""),
    ]
    .map(|(name, value)| (name.to_owned(), vec![value.to_owned()]))
    .into()
}

/// Sorts headers by name regardless of case, as events show them.
pub(crate) fn sort(headers: &mut MultiMap) {
    headers.sort_by_cached_key(|(name, _)| name.to_ascii_lowercase());
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct AuthorizerEvent<'a> {
    #[serde(rename = "type")]
    kind: &'static str,
    method_arn: String,
    headers: Last<'a>,
    multi_value_headers: All<'a>,
    query_string_parameters: Last<'a>,
    multi_value_query_string_parameters: All<'a>,
    stage_variables: &'a BTreeMap<String, String>,
    request_context: Context<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Event<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<Last<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_headers: Option<All<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    query_string_parameters: Option<Last<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_query_string_parameters: Option<All<'a>>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    stage_variables: &'a BTreeMap<String, String>,
    request_context: Context<'a>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body: Option<&'a str>,
    is_base64_encoded: bool,
}

impl<'a> Event<'a> {
    fn new(stage: &'a Stage, request_context: Context<'a>) -> Self {
        Self {
            headers: None,
            multi_value_headers: None,
            query_string_parameters: None,
            multi_value_query_string_parameters: None,
            stage_variables: &stage.variables,
            request_context,
            body: None,
            is_base64_encoded: false,
        }
    }
}

fn to_bytes(event: &impl Serialize, body_bytes: usize) -> Bytes {
    let mut json = Vec::with_capacity(EVENT_BYTES + body_bytes * 5 / 4);
    serde_json::to_writer(&mut json, event).expect("strings and numbers always serialize");
    json.into()
}

/// The approximate size of an event without its body.
const EVENT_BYTES: usize = 1024;

#[cfg(test)]
mod tests;
