//! The events that functions get, with API Gateway's keys in API Gateway's order.
//!
//! Shapes: <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-integration-requests.html>
//! and recorded events, among them `awslabs/swift-aws-lambda-events` and `aws/aws-lambda-go`.

use std::collections::BTreeMap;

use bytes::Bytes;
use serde::{Serialize, Serializer};

use super::{close::Closed, id::Id, time::request_time};

/// Names with all their values, in the order in which an event shows them.
pub(super) type MultiMap = Vec<(String, Vec<String>)>;

/// What the gateway knows of a connection for as long as it lives; every event repeats it.
#[derive(Debug)]
pub(super) struct Caller {
    pub(super) connection_id: Id,
    /// Milliseconds since the epoch.
    pub(super) connected_at: i64,
    /// The `Host` that the client asked for.
    pub(super) domain_name: String,
    pub(super) source_ip: String,
    /// `None` where the client sent none; an event then has no such key.
    pub(super) user_agent: Option<String>,
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

/// The event of `$connect`: `headers` and `query` are the handshake's.
pub(super) fn connect(
    stage: &Stage,
    caller: &Caller,
    request: &Request,
    headers: &MultiMap,
    query: &MultiMap,
) -> Bytes {
    let query = (!query.is_empty()).then_some(query);
    Event {
        headers: Some(Last(headers)),
        multi_value_headers: Some(All(headers)),
        query_string_parameters: query.map(Last),
        multi_value_query_string_parameters: query.map(All),
        ..Event::new(
            stage,
            Context::new(stage, caller, "$connect", "CONNECT", request),
        )
    }
    .to_bytes()
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
    let context = Context {
        message_id: Some(message_id),
        ..Context::new(stage, caller, route_key, "MESSAGE", request)
    };
    Event {
        body: Some(body),
        ..Event::new(stage, context)
    }
    .to_bytes()
}

/// The event of `$disconnect`.
pub(super) fn disconnect(
    stage: &Stage,
    caller: &Caller,
    request: &Request,
    closed: &Closed,
) -> Bytes {
    let headers = disconnect_headers(&caller.domain_name);
    let context = Context {
        disconnect_status_code: Some(closed.code),
        disconnect_reason: Some(&closed.reason),
        ..Context::new(stage, caller, "$disconnect", "DISCONNECT", request)
    };
    Event {
        headers: Some(Last(&headers)),
        multi_value_headers: Some(All(&headers)),
        ..Event::new(stage, context)
    }
    .to_bytes()
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

    fn to_bytes(&self) -> Bytes {
        let room = EVENT_BYTES + self.body.map_or(0, str::len) * 5 / 4;
        let mut json = Vec::with_capacity(room);
        serde_json::to_writer(&mut json, self).expect("strings and numbers are always JSON");
        json.into()
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Context<'a> {
    route_key: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnect_status_code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<&'a Id>,
    event_type: &'static str,
    extended_request_id: &'a Id,
    request_time: String,
    message_direction: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnect_reason: Option<&'a str>,
    stage: &'a str,
    connected_at: i64,
    request_time_epoch: i64,
    identity: Identity<'a>,
    request_id: &'a Id,
    domain_name: &'a str,
    connection_id: &'a Id,
    api_id: &'a str,
}

impl<'a> Context<'a> {
    fn new(
        stage: &'a Stage,
        caller: &'a Caller,
        route_key: &'a str,
        event_type: &'static str,
        request: &'a Request,
    ) -> Self {
        Self {
            route_key,
            disconnect_status_code: None,
            message_id: None,
            event_type,
            extended_request_id: &request.id,
            request_time: request_time(request.at),
            message_direction: "IN",
            disconnect_reason: None,
            stage: &stage.name,
            connected_at: caller.connected_at,
            request_time_epoch: request.at,
            identity: Identity {
                user_agent: caller.user_agent.as_deref(),
                source_ip: &caller.source_ip,
            },
            request_id: &request.id,
            domain_name: &caller.domain_name,
            connection_id: &caller.connection_id,
            api_id: &stage.api_id,
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a str>,
    source_ip: &'a str,
}

/// `{name: last value}`.
struct Last<'a>(&'a MultiMap);

impl Serialize for Last<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, values)| (name, values.last())))
    }
}

/// `{name: [value, …]}`.
struct All<'a>(&'a MultiMap);

impl Serialize for All<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(self.0.iter().map(|(name, values)| (name, values)))
    }
}

/// About what an event takes beside its body.
const EVENT_BYTES: usize = 1024;

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::{super::id::Ids, *};

    fn stage() -> Stage {
        Stage {
            api_id: "dl7ptocha9".into(),
            name: "prod".into(),
            variables: BTreeMap::new(),
        }
    }

    fn request() -> Request {
        Request {
            id: Ids::new().request(0),
            at: 1_705_751_708_326,
        }
    }

    fn caller(user_agent: Option<&str>) -> Caller {
        Caller {
            connection_id: Ids::new().connection(1_705_751_697_419),
            connected_at: 1_705_751_697_419,
            domain_name: "dl7ptocha9.execute-api.ap-northeast-1.amazonaws.com".into(),
            source_ip: "49.105.91.154".into(),
            user_agent: user_agent.map(Into::into),
        }
    }

    /// The keys of a JSON text in the order in which they stand, nested ones behind their parent's.
    fn keys(json: &str) -> Vec<String> {
        let mut keys = Vec::new();
        let mut rest = json;
        while let Some(start) = rest.find('"') {
            let end = start + 1 + rest[start + 1..].find('"').unwrap();
            if rest[end + 1..].trim_start().starts_with(':') {
                keys.push(rest[start + 1..end].to_owned());
            }
            rest = &rest[end + 1..];
        }
        keys
    }

    fn check(event: &Bytes, recorded: &str) {
        assert_eq!(keys(std::str::from_utf8(event).unwrap()), keys(recorded));
    }

    #[test]
    fn a_message_has_the_recorded_keys_in_the_recorded_order() {
        let request = request();
        let event = message(
            &stage(),
            &caller(Some("Chrome")),
            &request,
            &request.id,
            "$default",
            "a",
        );
        check(
            &event,
            include_str!("../../tests/events/02-message.aws-lambda-go.json"),
        );
    }

    #[test]
    fn a_disconnect_has_the_recorded_keys_in_the_recorded_order() {
        let request = request();
        let closed = Closed {
            code: 1001,
            reason: String::new(),
        };
        let event = disconnect(&stage(), &caller(Some("Chrome")), &request, &closed);
        check(
            &event,
            include_str!("../../tests/events/01-disconnect-browser-tab-1001.aws-lambda-go.json"),
        );
        let event = disconnect(&stage(), &caller(None), &request, &closed);
        check(
            &event,
            include_str!("../../tests/events/03-disconnect-1005.aws-docs.rust-runtime.json"),
        );
    }

    #[test]
    fn a_connect_has_the_recorded_keys_in_the_recorded_order() {
        let names = [
            "Host",
            "Origin",
            "Sec-WebSocket-Extensions",
            "Sec-WebSocket-Key",
            "Sec-WebSocket-Version",
            "X-Amzn-Trace-Id",
            "X-Forwarded-For",
            "X-Forwarded-Port",
            "X-Forwarded-Proto",
        ];
        let headers = names
            .map(|name| (name.to_owned(), vec!["v".to_owned()]))
            .into();
        let event = connect(&stage(), &caller(None), &request(), &headers, &Vec::new());
        check(
            &event,
            include_str!("../../tests/events/06-connect-2023.swift-aws-lambda-events.json"),
        );
    }

    #[test]
    fn a_repeated_query_value_shows_its_last_and_all() {
        let query = vec![("a".to_owned(), vec!["1".to_owned(), "2".to_owned()])];
        let event = connect(&stage(), &caller(None), &request(), &Vec::new(), &query);
        let event: Value = serde_json::from_slice(&event).unwrap();
        assert_eq!(event["queryStringParameters"]["a"], "2");
        assert_eq!(
            event["multiValueQueryStringParameters"]["a"],
            serde_json::json!(["1", "2"])
        );
    }

    #[test]
    fn a_request_id_is_its_extended_request_id() {
        let request = request();
        let event = message(
            &stage(),
            &caller(None),
            &request,
            &request.id,
            "chat",
            "\u{1f600}\"",
        );
        let event: Value = serde_json::from_slice(&event).unwrap();
        assert_eq!(event["requestContext"]["requestId"], request.id.as_str());
        assert_eq!(
            event["requestContext"]["extendedRequestId"],
            request.id.as_str()
        );
        assert_eq!(event["body"], "\u{1f600}\"");
    }
}
