//! `/api/environments`: what runs functions, and what becomes of it.

use hyper::StatusCode;
use local_sim_lambda::{Lambda, View};
use serde::Serialize;
use serde_json::Value;

use super::{
    answer::{self, Answer, Refusal},
    body::{Body, bad},
};

/// The environments that there are.
#[derive(Serialize)]
struct Environments {
    environments: Vec<Environment>,
}

/// An environment, as JSON.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Environment {
    id: String,
    function: String,
    state: &'static str,
    /// On demand.
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

/// Shows the environments that there are.
pub(super) fn show(lambda: &Lambda) -> Answer {
    let environments = lambda.environments().into_iter();
    answer::ok(&Environments {
        environments: environments.map(Environment::from).collect(),
    })
}

/// Does to an environment what the body says, and shows what is then to be seen of it.
///
/// # Errors
/// 400 where the body says something else, 404 where there is no such environment.
pub(super) fn act(lambda: &Lambda, id: &str, body: &[u8]) -> Result<Answer, Refusal> {
    let action = parse(body)?;
    let none = || Refusal::new(StatusCode::NOT_FOUND, format!("no environment {id:?}"));
    let view = match action {
        Action::End => lambda.end_environment(id),
        Action::Freeze => lambda.freeze_environment(id),
        Action::Thaw => lambda.thaw_environment(id),
    };
    Ok(answer::ok(&Environment::from(view.ok_or_else(none)?)))
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Action {
    /// What it does is lost.
    End,
    /// It gets no time, whatever it does.
    Freeze,
    /// It goes on.
    Thaw,
}

fn parse(body: &[u8]) -> Result<Action, Refusal> {
    let body = Body::read(body, r#"{"action": "end", "freeze" or "thaw"}"#)?;
    body.only(&["action"])?;
    match body.required("action", Value::as_str, ACTION)? {
        "end" => Ok(Action::End),
        "freeze" => Ok(Action::Freeze),
        "thaw" => Ok(Action::Thaw),
        other => Err(bad(format!("action: found {other:?}, expected {ACTION}"))),
    }
}

const ACTION: &str = r#""end", "freeze" or "thaw""#;

#[cfg(test)]
mod tests {
    use super::*;

    fn check(body: &str) -> Result<Action, Refusal> {
        parse(body.as_bytes())
    }

    #[test]
    fn an_environment_is_ended_frozen_or_thawed() {
        assert_eq!(check(r#"{"action":"end"}"#), Ok(Action::End));
        assert_eq!(check(r#"{"action":"freeze"}"#), Ok(Action::Freeze));
        assert_eq!(check(r#"{"action":"thaw"}"#), Ok(Action::Thaw));
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for (body, message) in [
            (
                "{}",
                r#"action: missing, expected "end", "freeze" or "thaw""#,
            ),
            (
                r#"{"action":"stop"}"#,
                r#"action: found "stop", expected "end", "freeze" or "thaw""#,
            ),
            (
                r#"{"action":"end","now":true}"#,
                "now: an unknown field, expected action",
            ),
        ] {
            assert_eq!(check(body), Err(bad(message.to_owned())), "{body}");
        }
    }
}
