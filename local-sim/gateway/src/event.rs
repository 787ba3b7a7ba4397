//! The events that functions get, with API Gateway's keys in API Gateway's order.
//!
//! Shapes: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-integration-requests.html>,
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html>
//! and recorded events, among them `awslabs/swift-aws-lambda-events` and `aws/aws-lambda-go`.

mod context;
mod multi_map;

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::Serialize;

use self::{
    context::Context,
    multi_map::{All, Last},
};
use super::{
    close::Closed,
    id::Id,
    principal::{Principal, User},
};
use local_sim_lambda::{ACCOUNT_ID, REGION};

pub(super) use self::multi_map::{MultiMap, group};

/// What the gateway knows of a connection for as long as it lives; every event repeats it.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) connection_id: Id,
    /// Milliseconds since the epoch.
    pub(super) connected_at: i64,
    /// The `Host` that the client asked for, or the custom domain.
    pub(super) domain_name: String,
    pub(super) source_ip: String,
    /// `None` where the client sent none; an event then has no such key.
    pub(super) user_agent: Option<String>,
    /// `None` where nobody asks who it is.
    pub(super) principal: Option<Box<Principal>>,
}

impl Caller {
    /// The IAM user, where the handshake was signed.
    pub(super) fn user(&self) -> Option<&User> {
        match self.principal.as_deref() {
            Some(Principal::Iam(user)) => Some(user),
            Some(Principal::Custom(_)) | None => None,
        }
    }
}

/// One thing that a client did, and when.
#[derive(Debug)]
pub(super) struct Request {
    pub(super) id: Id,
    /// Milliseconds since the epoch.
    pub(super) at: i64,
}

/// What is the same in every event of an API's stage.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) api_id: String,
    pub(super) name: String,
    pub(super) variables: BTreeMap<String, String>,
}

impl Stage {
    /// What a policy must allow for somebody to connect.
    pub(super) fn method_arn(&self) -> String {
        let Self { api_id, name, .. } = self;
        format!("arn:aws:execute-api:{REGION}:{ACCOUNT_ID}:{api_id}/{name}/$connect")
    }
}

/// What functions see of a handshake.
#[derive(Debug)]
pub(super) struct Upgrade {
    pub(super) headers: MultiMap,
    pub(super) query: MultiMap,
}

/// The event of an authorizer. It sees three headers more than `$connect`.
pub(super) fn authorizer(
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

/// The event of `$connect`.
pub(super) fn connect(
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

/// The event of a message: `body` is the text that the client sent, as it was sent.
pub(super) fn message(
    stage: &Stage,
    caller: &Caller,
    request: &Request,
    message_id: &Id,
    route_key: &str,
    body: &str,
) -> Bytes {
    let context = Context::new(stage, caller, route_key, "MESSAGE", request).of_message(message_id);
    let event = Event {
        body: Some(body),
        ..Event::new(stage, context)
    };
    to_bytes(&event, body.len())
}

/// The event of `$disconnect`.
pub(super) fn disconnect(
    stage: &Stage,
    caller: &Caller,
    request: &Request,
    closed: &Closed,
) -> Bytes {
    let headers = disconnect_headers(&caller.domain_name);
    let context = Context::new(stage, caller, "$disconnect", "DISCONNECT", request).of_end(closed);
    let event = Event {
        headers: Some(Last(&headers)),
        multi_value_headers: Some(All(&headers)),
        ..Event::new(stage, context)
    };
    to_bytes(&event, 0)
}

/// The four headers of a `$disconnect`, of which only `Host` says something.
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

/// Puts headers in the order in which events show them: that of their names, whatever their case.
pub(super) fn sort(headers: &mut MultiMap) {
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
    serde_json::to_writer(&mut json, event).expect("texts and numbers are always JSON");
    json.into()
}

/// About what an event takes beside its body.
const EVENT_BYTES: usize = 1024;

#[cfg(test)]
mod tests;
