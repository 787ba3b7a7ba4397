//! The record of an event: a CloudEvent in Kafka's binary mode.
//!
//! The binding: <https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/bindings/kafka-protocol-binding.md>

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Utc};
use sluice_contract::{Expression, Route};

use crate::{
    document::{self, rfc3339},
    event::{Event, Kind},
};

/// One record, ready to be stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    /// The topic.
    pub topic: String,
    /// The key. Records with the same key stay in order.
    pub key: String,
    /// The value. Without a value, the record is a tombstone for a compacted topic.
    pub value: Option<Vec<u8>>,
    /// The headers.
    pub headers: BTreeMap<&'static str, String>,
    /// When the gateway received the event.
    pub timestamp: DateTime<Utc>,
}

impl Record {
    /// The record of an event on its route.
    ///
    /// `credentials` are the query parameters that the authorizer reads,
    /// `traceparent` is the invocation's.
    pub fn new(
        event: Event,
        topic: String,
        route: &Route,
        credentials: &BTreeSet<&str>,
        traceparent: Option<String>,
    ) -> Self {
        let key = key(&event, route.key.as_ref());
        let mut headers = attributes(&event);
        headers.extend(traceparent.map(|parent| ("traceparent", parent)));
        let timestamp = event.at;
        let value = if route.tombstone {
            // In CloudEvents, an event without data has no content type.
            None
        } else {
            headers.insert("content-type", content_type(&event.kind).to_owned());
            Some(value(event, credentials))
        };
        Self {
            topic,
            key,
            value,
            headers,
            timestamp,
        }
    }
}

/// The value of the route's `key`, or the connection id.
fn key(event: &Event, expression: Option<&Expression>) -> String {
    expression
        .map(|expression| {
            let body = match &event.kind {
                Kind::Message { body, .. } => str::from_utf8(&body.bytes).unwrap_or_default(),
                Kind::Connect { .. } | Kind::Disconnect { .. } => "",
            };
            expression.evaluate(body, |name| event.variable(name))
        })
        .filter(|key| !key.is_empty())
        .unwrap_or_else(|| event.connection.id.clone())
}

/// The CloudEvents attributes as headers. Their names are the binding's prefix and lower-case
/// letters and digits, as CloudEvents requires.
fn attributes(event: &Event) -> BTreeMap<&'static str, String> {
    let connection = &event.connection;
    let (id, kind, client_message_id) = match &event.kind {
        Kind::Connect { .. } => (
            format!("{}:connect", connection.id),
            "sluice.ws.connect.v1",
            None,
        ),
        Kind::Message { id, body } => (
            id.clone(),
            "sluice.ws.message.v1",
            body.client_message_id.as_ref().map(|id| id.text.clone()),
        ),
        Kind::Disconnect { .. } => (
            format!("{}:disconnect", connection.id),
            "sluice.ws.disconnect.v1",
            None,
        ),
    };
    let mut headers = BTreeMap::from([
        ("ce_specversion", "1.0".to_owned()),
        ("ce_id", id),
        (
            "ce_source",
            format!("/{}/{}", connection.api_id, connection.stage),
        ),
        ("ce_type", kind.to_owned()),
        ("ce_time", rfc3339(event.at)),
        ("ce_subject", connection.id.clone()),
        ("ce_connectionid", connection.id.clone()),
        ("ce_routekey", event.route_key.clone()),
    ]);
    let principal = connection.principal_id().map(str::to_owned);
    headers.extend(principal.map(|principal| ("ce_principalid", principal)));
    headers.extend(client_message_id.map(|id| ("ce_clientmessageid", id)));
    headers
}

fn content_type(kind: &Kind) -> &'static str {
    match kind {
        Kind::Message { body, .. } if !body.is_json => "text/plain; charset=utf-8",
        Kind::Connect { .. } | Kind::Message { .. } | Kind::Disconnect { .. } => "application/json",
    }
}

/// The client's bytes, unchanged, or the JSON value of a connect or disconnect record.
fn value(event: Event, credentials: &BTreeSet<&str>) -> Vec<u8> {
    let Event {
        connection,
        at,
        kind,
        ..
    } = event;
    match kind {
        Kind::Connect { origin, query } => {
            document::connect(&connection, origin, query, credentials)
        }
        Kind::Message { body, .. } => body.bytes,
        Kind::Disconnect {
            status_code,
            reason,
        } => document::disconnect(&connection, at, status_code, reason),
    }
}
