//! Who may connect: asked once, before `$connect` runs.
//!
//! <https://docs.aws.amazon.com/apigateway/latest/developerguide/apigateway-websocket-api-lambda-auth.html>

mod answer;
mod iam;
mod identity_source;
mod policy;

use std::time::Instant;

use bytes::Bytes;
use sluice_contract::Authorizer;
use tokio::time::timeout;
use tracing::warn;

use self::{answer::Answer, policy::Decision};
use super::{
    Gateway,
    access_log::{Step, Steps},
    event::{self, Caller, Request, Upgrade},
    head::Head,
    integration::lambda_status,
    limits::AUTHORIZER_WAIT,
    principal::{Custom, Principal},
    refusal::Refusal,
    variables::Variables,
};
use crate::lambda::InvokeError;

/// Finds out who connects, as the contract's authorizer sees it, and whether they may.
///
/// # Errors
/// They may not, or nobody can tell.
pub(super) async fn authorize(
    gateway: &Gateway,
    caller: &Caller,
    request: &Request,
    head: &Head,
    upgrade: &Upgrade,
    steps: &mut Steps,
) -> Result<Option<Principal>, Refusal> {
    match &gateway.contract.authorizer {
        None => Ok(None),
        Some(Authorizer::AwsIam) => {
            let checked = iam::authenticate(head);
            steps.authenticate = match &checked {
                Ok(_) => Step::of(200, None),
                Err(error) => Step::of(403, Some(error.message.clone())),
            };
            match checked {
                Ok(user) => Ok(Some(Principal::Iam(user))),
                Err(error) => Err(Refusal::of_signature(&error)),
            }
        }
        Some(Authorizer::Lambda {
            function,
            identity_source,
        }) => {
            let variables = Variables {
                stage: &gateway.stage,
                caller,
                request,
                event_type: "CONNECT",
                route_key: Some("$connect"),
                message_id: None,
            };
            if let Some(missing) =
                identity_source::first_missing(identity_source, &variables, upgrade)
            {
                let why = format!(
                    "the identity source {missing} is missing or empty, so the authorizer was not asked"
                );
                steps.authorizer = Step::of(401, Some("Unauthorized".to_owned()));
                return Err(Refusal::new(401, "Unauthorized", why));
            }
            let event = event::authorizer(&gateway.stage, caller, request, upgrade);
            let custom = ask(gateway, function, event, steps).await?;
            Ok(Some(Principal::Custom(custom)))
        }
    }
}

/// Asks a Lambda authorizer.
async fn ask(
    gateway: &Gateway,
    function: &str,
    event: Bytes,
    steps: &mut Steps,
) -> Result<Custom, Refusal> {
    let started = Instant::now();
    let invoked = timeout(AUTHORIZER_WAIT, gateway.lambda.invoke(function, event)).await;
    let latency = u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX);
    let integration_status = match &invoked {
        Err(_) => None,
        Ok(Ok(_)) => Some(200),
        Ok(Err(error)) => Some(lambda_status(error)),
    };
    let read = match invoked {
        Err(_) => Err(Failure::Broken(format!(
            "no answer within {} s",
            AUTHORIZER_WAIT.as_secs()
        ))),
        Ok(Err(InvokeError::Function { message, .. })) if message == UNAUTHORIZED => {
            Err(Failure::Unauthorized)
        }
        Ok(Err(error)) => Err(Failure::Broken(error.to_string())),
        Ok(Ok(payload)) => Answer::parse(&payload, gateway.options.authorizer_context)
            .map_err(|error| Failure::Broken(format!("malformed answer: {error}; {EXPECTED}"))),
    };
    steps.authorizer = Step {
        status: Some(read.as_ref().map_or_else(Failure::status, |_| 200)),
        integration_status,
        latency: Some(latency),
        error: read.as_ref().err().map(Failure::to_string),
    };
    let answer = read.map_err(|failure| failure.refuse(function))?;
    let arn = gateway.stage.method_arn();
    let decision = answer.policy.decide(&arn);
    steps.authorize = match decision {
        Decision::Allow => Step::of(200, None),
        Decision::Deny | Decision::NoMatch => Step::of(403, Some(NOT_AUTHORIZED.to_owned())),
    };
    let why = match decision {
        Decision::Allow => {
            for name in &answer.unknown {
                warn!("{function}: the key {name:?} of the answer means nothing to API Gateway");
            }
            return Ok(Custom {
                principal_id: answer.principal_id,
                context: answer.context,
                latency,
            });
        }
        Decision::Deny => format!("{function}: the policy denies execute-api:Invoke on {arn}"),
        Decision::NoMatch => format!(
            "{function}: no statement of the policy allows execute-api:Invoke on {arn}; its resources: {}",
            answer.policy.resources()
        ),
    };
    Err(Refusal::new(403, "Forbidden", why))
}

/// Why an authorizer's word is missing.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("Unauthorized")]
    Unauthorized,
    #[error("{0}")]
    Broken(String),
}

impl Failure {
    fn status(&self) -> u16 {
        match self {
            Self::Unauthorized => 401,
            Self::Broken(_) => 500,
        }
    }

    fn refuse(self, function: &str) -> Refusal {
        match self {
            Self::Unauthorized => Refusal::new(
                401,
                "Unauthorized",
                format!("{function} failed with the message {UNAUTHORIZED:?}"),
            ),
            Self::Broken(why) => {
                Refusal::new(500, "Internal server error", format!("{function}: {why}"))
            }
        }
    }
}

/// With exactly this error message, an authorizer says that it does not know the client.
const UNAUTHORIZED: &str = "Unauthorized";
/// What an access log says of a policy that does not allow to connect.
const NOT_AUTHORIZED: &str = "The client is not authorized to perform this operation.";
const EXPECTED: &str = "expected {\"principalId\":…,\"policyDocument\":{\"Version\":\"2012-10-17\",\"Statement\":[…]},\
     \"context\":{…}}; a refusal is a policy that denies, or an error with the message \"Unauthorized\"";
