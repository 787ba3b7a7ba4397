//! `/api/connections`: lists, closes and unplugs connections.

use hyper::StatusCode;
use local_sim_gateway::{ConnectionChange, Gateway, View};
use serde::Serialize;
use serde_json::Value;

use super::{
    body::{Body, bad},
    response::{self, ApiError, ApiResponse},
};

/// The response with the open connections.
#[derive(Serialize)]
struct Connections {
    connections: Vec<Connection>,
}

/// A connection as JSON; on the stream also with its change of state.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Connection {
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
    connection_id: String,
    connected_at: String,
    last_active_at: String,
    identity: Identity,
    #[serde(skip_serializing_if = "Option::is_none")]
    principal_id: Option<String>,
    unplugged: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    code: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    reason: Option<String>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Identity {
    source_ip: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<String>,
}

impl From<View> for Connection {
    fn from(view: View) -> Self {
        Self {
            state: None,
            connection_id: view.id,
            connected_at: view.connected_at,
            last_active_at: view.last_active_at,
            identity: Identity {
                source_ip: view.source_ip,
                user_agent: view.user_agent,
            },
            principal_id: view.principal_id,
            unplugged: view.is_unplugged,
            code: None,
            reason: None,
        }
    }
}

impl From<ConnectionChange> for Connection {
    fn from(change: ConnectionChange) -> Self {
        let changed = |state, view| Self {
            state: Some(state),
            ..Self::from(view)
        };
        match change {
            ConnectionChange::Opened(view) => changed("opened", view),
            ConnectionChange::Unplugged(view) => changed("unplugged", view),
            ConnectionChange::Closed { view, code, reason } => Self {
                code: Some(code),
                reason: Some(reason),
                ..changed("closed", view)
            },
        }
    }
}

/// Lists the open connections.
pub(super) fn show(gateway: &Gateway) -> ApiResponse {
    let connections = gateway.connections().into_iter();
    response::ok(&Connections {
        connections: connections.map(Connection::from).collect(),
    })
}

/// Closes or unplugs a connection, and returns its state at that moment.
///
/// # Errors
/// 400 if the body is invalid, 404 if no open connection has this id, 409 if too many are
/// unplugged.
pub(super) async fn act(gateway: &Gateway, id: &str, body: &[u8]) -> Result<ApiResponse, ApiError> {
    let view = match parse(body)? {
        Action::Close { code, reason } => gateway.close(id, code, reason),
        Action::Unplug => gateway.unplug(id).await.transpose().map_err(|error| {
            let message = format!("unplug: {error} (POST /api/reset closes them)");
            ApiError::new(StatusCode::CONFLICT, message)
        })?,
    };
    let not_found = || {
        ApiError::new(
            StatusCode::NOT_FOUND,
            format!("no open connection has the id {id:?}"),
        )
    };
    let view = view.ok_or_else(not_found)?;
    Ok(response::ok(&Connection::from(view)))
}

#[derive(Debug, PartialEq, Eq)]
enum Action {
    /// Sends a close frame.
    Close { code: u16, reason: String },
    /// Stops all traffic without a close frame or FIN.
    Unplug,
}

fn parse(body: &[u8]) -> Result<Action, ApiError> {
    let body = Body::read(body, r#"{"action": "close" or "unplug", …}"#)?;
    match body.required("action", Value::as_str, ACTION)? {
        "close" => {
            body.only(&["action", "code", "reason"])?;
            let reason = body.optional("reason", reason, REASON)?;
            Ok(Action::Close {
                code: body.required("code", code, CODE)?,
                reason: reason.unwrap_or_default().to_owned(),
            })
        }
        "unplug" => {
            body.only(&["action"])?;
            Ok(Action::Unplug)
        }
        other => Err(bad(format!(
            "action: invalid value {other:?} (expected {ACTION})"
        ))),
    }
}

/// A code that is valid in a close frame (RFC 6455, section 7.4, and IANA's registry).
fn code(value: &Value) -> Option<u16> {
    let code = u16::try_from(value.as_u64()?).ok()?;
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999).then_some(code)
}

fn reason(value: &Value) -> Option<&str> {
    value.as_str().filter(|it| it.len() <= REASON_BYTES_MAX)
}

const ACTION: &str = r#""close" or "unplug""#;
const CODE: &str = "a close code: 1000 to 1003, 1007 to 1014, or 3000 to 4999";
const REASON: &str = "a string of at most 123 bytes";
/// A control frame carries 125 bytes, of which the code takes two.
const REASON_BYTES_MAX: usize = 123;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str) -> Result<Action, ApiError> {
        parse(body.as_bytes())
    }

    #[test]
    fn close_and_unplug_are_parsed() {
        assert_eq!(check(r#"{"action":"unplug"}"#), Ok(Action::Unplug));
        let close = |code, reason: &str| Action::Close {
            code,
            reason: reason.to_owned(),
        };
        assert_eq!(
            check(r#"{"action":"close","code":1001,"reason":"Going away"}"#),
            Ok(close(1001, "Going away"))
        );
        for code in [1000, 1003, 1007, 1014, 3000, 4999] {
            let body = format!(r#"{{"action":"close","code":{code}}}"#);
            assert_eq!(check(&body), Ok(close(code, "")));
        }
    }

    #[test]
    fn an_invalid_body_is_refused_with_the_name_of_the_field() {
        for code in [
            "0",
            "999",
            "1004",
            "1005",
            "1006",
            "1015",
            "2999",
            "5000",
            "66537",
            "-1",
            r#""1000""#,
        ] {
            let body = format!(r#"{{"action":"close","code":{code}}}"#);
            let message = format!("code: invalid value {code} (expected {CODE})");
            assert_eq!(check(&body), Err(bad(message)));
        }
        let long = format!(
            r#"{{"action":"close","code":1000,"reason":"{}é"}}"#,
            "x".repeat(122)
        );
        let error = format!("{:?}", check(&long).unwrap_err());
        assert!(error.contains("a string of at most 123 bytes"), "{error}");
        for (body, message) in [
            ("{}", r#"action: missing (expected "close" or "unplug")"#),
            (
                r#"{"action":"end"}"#,
                r#"action: invalid value "end" (expected "close" or "unplug")"#,
            ),
            (
                r#"{"action":1}"#,
                r#"action: invalid value 1 (expected "close" or "unplug")"#,
            ),
            (
                r#"{"action":"unplug","code":1000}"#,
                "code: unknown field (expected action)",
            ),
            (
                r#"{"action":"close","why":1}"#,
                "why: unknown field (expected action, code, reason)",
            ),
            (
                "[]",
                r#"the body is not a JSON object (expected {"action": "close" or "unplug", …})"#,
            ),
        ] {
            assert_eq!(check(body), Err(bad(message.to_owned())), "{body}");
        }
    }
}
