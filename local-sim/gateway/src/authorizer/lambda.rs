//! A Lambda authorizer of type REQUEST, which responds with a policy.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html>

use std::time::Instant;

use bytes::Bytes;
use local_sim_lambda::InvokeError;
use sluice_contract::IdentitySource;
use thiserror::Error;
use tokio::time::timeout;
use tracing::warn;

use crate::{
    api::Api,
    authorizer::{
        identity_source,
        policy::{Decision, Policy},
        response::{AuthorizerResponse, ResponseError},
    },
    event::{
        self,
        caller::{Caller, Request, Upgrade},
        principal::Custom,
    },
    http::refusal::HandshakeRefusal,
    limits::AUTHORIZER_WAIT,
    log::{
        entry::{Step, Steps},
        variables::Variables,
    },
    routing::integration::lambda_status,
};

/// Checks that a handshake contains all identity sources. If not, the authorizer is not invoked.
pub(crate) fn check_identity(
    api: &Api,
    caller: &Caller,
    request: &Request,
    upgrade: &Upgrade,
    sources: &[IdentitySource],
    steps: &mut Steps,
) -> Result<(), HandshakeRefusal> {
    let variables = Variables {
        stage: &api.stage,
        caller,
        request,
        event_type: "CONNECT",
        route_key: Some("$connect"),
        message_id: None,
    };
    let Some(missing) = identity_source::first_missing(sources, &variables, upgrade) else {
        return Ok(());
    };
    steps.authorizer = Step::instant(401, Some(UNAUTHORIZED.to_owned()));
    let why = format!(
        "the identity source {missing} is missing or empty, so the authorizer was not invoked"
    );
    Err(HandshakeRefusal::new(401, UNAUTHORIZED, why))
}

/// Invokes the authorizer and evaluates its policy.
pub(crate) async fn authorize(
    api: &Api,
    function: &str,
    caller: &Caller,
    request: &Request,
    upgrade: &Upgrade,
    steps: &mut Steps,
) -> Result<Custom, HandshakeRefusal> {
    let event = event::authorizer(&api.stage, caller, request, upgrade);
    let (response, step) = invoke(api, function, event).await;
    let latency = step.latency.unwrap_or_default();
    steps.authorizer = step;
    let response = response.map_err(|error| error.to_refusal(function))?;
    let decided = decide(&response.policy, &api.stage.method_arn());
    steps.authorize = match &decided {
        Ok(()) => Step::instant(200, None),
        Err(_) => Step::instant(403, Some(NOT_AUTHORIZED.to_owned())),
    };
    decided.map_err(|why| HandshakeRefusal::new(403, "Forbidden", format!("{function}: {why}")))?;
    for name in &response.unknown {
        warn!("{function}: the unknown key {name:?} in the authorizer's response is ignored");
    }
    Ok(Custom {
        principal_id: response.principal_id,
        context: response.context,
        latency,
    })
}

async fn invoke(
    api: &Api,
    function: &str,
    event: Bytes,
) -> (Result<AuthorizerResponse, AuthorizerError>, Step) {
    let started = Instant::now();
    let invoked = timeout(AUTHORIZER_WAIT, api.lambda.invoke(function, event)).await;
    let latency = u64::try_from(started.elapsed().as_millis()).ok();
    let (integration_status, response) = match invoked.map(|it| it.outcome) {
        Err(_) => (None, Err(AuthorizerError::TimedOut)),
        Ok(Err(error)) => (
            Some(lambda_status(&error)),
            Err(AuthorizerError::from_invoke(error)),
        ),
        Ok(Ok(payload)) => {
            let response = AuthorizerResponse::parse(&payload, api.options.authorizer_context);
            (Some(200), response.map_err(AuthorizerError::Malformed))
        }
    };
    let step = Step {
        status: Some(
            response
                .as_ref()
                .map_or_else(AuthorizerError::status, |_| 200),
        ),
        integration_status,
        latency,
        error: response.as_ref().err().map(AuthorizerError::to_string),
        invocation: None,
    };
    (response, step)
}

/// Checks whether a policy allows the client to connect. The error is for the log.
fn decide(policy: &Policy, arn: &str) -> Result<(), String> {
    match policy.decide(arn) {
        Decision::Allow => Ok(()),
        Decision::Deny => Err(format!("the policy denies execute-api:Invoke on {arn}")),
        Decision::NoMatch => Err(format!(
            "no statement of the policy allows execute-api:Invoke on {arn}; its resources: {}",
            policy.resources()
        )),
    }
}

/// Why there is no valid response from an authorizer.
#[derive(Debug, Error)]
enum AuthorizerError {
    #[error("failed with the message {UNAUTHORIZED:?}")]
    Unauthorized,
    #[error("timed out after {} s", AUTHORIZER_WAIT.as_secs())]
    TimedOut,
    #[error("{0}")]
    Invoke(InvokeError),
    #[error("malformed response: {0} ({EXPECTED})")]
    Malformed(ResponseError),
}

impl AuthorizerError {
    fn from_invoke(error: InvokeError) -> Self {
        match error {
            InvokeError::Function { message, .. } if message == UNAUTHORIZED => Self::Unauthorized,
            error => Self::Invoke(error),
        }
    }

    fn status(&self) -> u16 {
        match self {
            Self::Unauthorized => 401,
            Self::TimedOut | Self::Invoke(_) | Self::Malformed(_) => 500,
        }
    }

    fn to_refusal(&self, function: &str) -> HandshakeRefusal {
        HandshakeRefusal::of_status(self.status(), format!("{function}: {self}"))
    }
}

/// The error message with which an authorizer rejects a client.
const UNAUTHORIZED: &str = "Unauthorized";
/// The error in the access log if the policy does not allow the client to connect.
const NOT_AUTHORIZED: &str = "The client is not authorized to perform this operation";
const EXPECTED: &str = "expected {\"principalId\":…,\"policyDocument\":{\"Version\":\"2012-10-17\",\"Statement\":[…]},\
     \"context\":{…}}; to reject a client, return a policy that denies it, or fail with the message \"Unauthorized\"";
