//! The JSON value of a connect or disconnect record.
//!
//! Unknown fields are omitted.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, SecondsFormat, TimeDelta, Utc};
use serde::Serialize;

use crate::{credentials::is_credential, event::Connection};

/// API Gateway ends every connection after this time
/// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-execution-service-websocket-limits-table.html>).
const CONNECTION_AGE_MAX: TimeDelta = TimeDelta::hours(2);

/// The value of a connect record.
pub(crate) fn connect(
    connection: &Connection,
    origin: Option<String>,
    mut query: BTreeMap<String, Vec<String>>,
    credentials: &BTreeSet<&str>,
) -> Vec<u8> {
    query.retain(|name, _| !is_credential(name, credentials));
    json(&Connect {
        connection_id: &connection.id,
        connected_at: rfc3339(connection.connected_at),
        expires_at: rfc3339(connection.connected_at + CONNECTION_AGE_MAX),
        source_ip: connection.identity.get("sourceIp"),
        user_agent: connection.identity.get("userAgent"),
        origin,
        query,
        principal_id: connection.principal_id(),
    })
}

/// The value of a disconnect record.
pub(crate) fn disconnect(
    connection: &Connection,
    at: DateTime<Utc>,
    status_code: Option<i64>,
    reason: Option<String>,
) -> Vec<u8> {
    json(&Disconnect {
        connection_id: &connection.id,
        connected_at: rfc3339(connection.connected_at),
        disconnected_at: rfc3339(at),
        disconnect_status_code: status_code,
        disconnect_reason: reason,
        principal_id: connection.principal_id(),
    })
}

/// A time in RFC 3339 with milliseconds, as CloudEvents and these values write it.
pub(crate) fn rfc3339(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Millis, true)
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Connect<'a> {
    connection_id: &'a str,
    connected_at: String,
    expires_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    source_ip: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<&'a String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    origin: Option<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    query: BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_id: Option<&'a str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Disconnect<'a> {
    connection_id: &'a str,
    connected_at: String,
    disconnected_at: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnect_status_code: Option<i64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    disconnect_reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_id: Option<&'a str>,
}

fn json(document: &impl Serialize) -> Vec<u8> {
    serde_json::to_vec(document).expect("text and numbers are always JSON")
}
