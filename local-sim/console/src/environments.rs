//! `/api/environments`: lists, ends, freezes and thaws execution environments.

use hyper::StatusCode;
use local_sim_lambda::{Lambda, View};
use serde::Serialize;
use serde_json::Value;

use super::{
    body::{Body, bad},
    response::{self, ApiError, ApiResponse},
};

/// The response with all environments.
#[derive(Serialize)]
struct Environments {
    environments: Vec<Environment>,
}

/// An environment as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Environment {
    id: String,
    function: String,
    state: &'static str,
    /// Stopped by `freeze`.
    stopped: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    process_id: Option<i32>,
    request_ids: Vec<String>,
}

impl From<View> for Environment {
    fn from(view: View) -> Self {
        Self {
            id: view.name(),
            state: view.state(),
            stopped: view.is_held,
            process_id: view.process,
            request_ids: view.requests.iter().map(ToString::to_string).collect(),
            function: view.function,
        }
    }
}

/// Lists all environments.
pub(super) fn show(lambda: &Lambda) -> ApiResponse {
    let environments = lambda.environments().into_iter();
    response::ok(&Environments {
        environments: environments.map(Environment::from).collect(),
    })
}

/// Ends, freezes or thaws an environment, and returns its new state.
///
/// # Errors
/// 400 if the body is invalid, 404 if no environment has this name.
pub(super) fn act(lambda: &Lambda, id: &str, body: &[u8]) -> Result<ApiResponse, ApiError> {
    let action = parse(body)?;
    let not_found = || {
        ApiError::new(
            StatusCode::NOT_FOUND,
            format!("no environment is named {id:?}"),
        )
    };
    let view = match action {
        Action::End => lambda.end_environment(id),
        Action::Freeze => lambda.freeze_environment(id),
        Action::Thaw => lambda.thaw_environment(id),
    };
    Ok(response::ok(&Environment::from(
        view.ok_or_else(not_found)?,
    )))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// Kills its processes; its invocations fail.
    End,
    /// Stops its processes, even during an invocation.
    Freeze,
    /// Undoes `Freeze`.
    Thaw,
}

fn parse(body: &[u8]) -> Result<Action, ApiError> {
    let body = Body::read(body, r#"{"action": "end", "freeze" or "thaw"}"#)?;
    body.only(&["action"])?;
    match body.required("action", Value::as_str, ACTION)? {
        "end" => Ok(Action::End),
        "freeze" => Ok(Action::Freeze),
        "thaw" => Ok(Action::Thaw),
        other => Err(bad(format!(
            "action: invalid value {other:?} (expected {ACTION})"
        ))),
    }
}

const ACTION: &str = r#""end", "freeze" or "thaw""#;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str) -> Result<Action, ApiError> {
        parse(body.as_bytes())
    }

    #[test]
    fn end_freeze_and_thaw_are_parsed() {
        assert_eq!(check(r#"{"action":"end"}"#), Ok(Action::End));
        assert_eq!(check(r#"{"action":"freeze"}"#), Ok(Action::Freeze));
        assert_eq!(check(r#"{"action":"thaw"}"#), Ok(Action::Thaw));
    }

    #[test]
    fn an_invalid_body_is_refused_with_the_name_of_the_field() {
        for (body, message) in [
            (
                "{}",
                r#"action: missing (expected "end", "freeze" or "thaw")"#,
            ),
            (
                r#"{"action":"stop"}"#,
                r#"action: invalid value "stop" (expected "end", "freeze" or "thaw")"#,
            ),
            (
                r#"{"action":"end","now":true}"#,
                "now: unknown field (expected action)",
            ),
        ] {
            assert_eq!(check(body), Err(bad(message.to_owned())), "{body}");
        }
    }
}
