//! An entry of the access log.

use std::time::Duration;

use uuid::Uuid;

use crate::log::variables::Variables;

/// One connect, message or disconnect, and its outcome.
#[derive(Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) variables: Variables<'a>,
    /// The outcome as an HTTP status.
    pub(crate) status: u16,
    /// The error message that the client received.
    pub(crate) error: Option<&'a str>,
    pub(crate) steps: &'a Steps,
}

/// The steps that were taken for an event.
#[derive(Debug, Default)]
pub(crate) struct Steps {
    /// Verifying the signature.
    pub(crate) authenticate: Step,
    /// Evaluating the policy.
    pub(crate) authorize: Step,
    /// Invoking the Lambda authorizer.
    pub(crate) authorizer: Step,
    /// Invoking the route's function.
    pub(crate) integration: Step,
}

/// The outcome of a step; empty if the step was not taken.
#[derive(Debug, Default)]
pub(crate) struct Step {
    pub(crate) status: Option<u16>,
    /// The status of Lambda's response, as opposed to the function's.
    pub(crate) integration_status: Option<u16>,
    /// In milliseconds.
    pub(crate) latency: Option<u64>,
    pub(crate) error: Option<String>,
    /// The invocation of a route's function.
    pub(crate) invocation: Option<Invocation>,
}

/// The invocation of a function, as the gateway sees it.
#[derive(Debug, Clone)]
pub struct Invocation {
    /// The function's name.
    pub function: String,
    /// Lambda's request id; `None` if the function did not run, or has not replied in time.
    pub request_id: Option<Uuid>,
    /// From the gateway's request until the reply.
    pub duration: Duration,
    /// Whether an environment was started for it.
    pub is_cold: bool,
}

impl Step {
    /// A step with a latency of zero.
    pub(crate) fn instant(status: u16, error: Option<String>) -> Self {
        Self {
            status: Some(status),
            error,
            latency: Some(0),
            integration_status: None,
            invocation: None,
        }
    }

    fn find(&self, name: &str) -> Option<String> {
        match name {
            "status" => self.status.map(|status| status.to_string()),
            "integrationStatus" => self.integration_status.map(|status| status.to_string()),
            "latency" => self.latency.map(|latency| latency.to_string()),
            "error" => self.error.clone(),
            _ => None,
        }
    }
}

impl Entry<'_> {
    /// The value of the variable `$context.{name}`; `None` if it has no value.
    pub(crate) fn find(&self, name: &str) -> Option<String> {
        let step = |step: &Step, name: &str| step.find(name);
        match name.split_once('.') {
            Some(("authenticate", name)) => step(&self.steps.authenticate, name),
            Some(("authorize", name)) => step(&self.steps.authorize, name),
            Some(("authorizer", property)) => {
                step(&self.steps.authorizer, property).or_else(|| self.variables.find(name))
            }
            Some(("integration", name)) => step(&self.steps.integration, name),
            Some(("error", "message")) => self.error.map(str::to_owned),
            Some(("error", "messageString")) => self
                .error
                .map(|error| serde_json::Value::from(error).to_string()),
            Some(("error", "responseType")) => self.error.map(|_| self.response_type().to_owned()),
            _ => match name {
                "integrationLatency" => step(&self.steps.integration, "latency"),
                "status" => Some(self.status.to_string()),
                name => self.variables.find(name),
            },
        }
    }

    /// See
    /// <https://docs.aws.amazon.com/apigateway/latest/developerguide/supported-gateway-response-types.html>.
    fn response_type(&self) -> &'static str {
        match self.status {
            401 => "UNAUTHORIZED",
            403 => "ACCESS_DENIED",
            429 => "THROTTLED",
            504 => "INTEGRATION_TIMEOUT",
            400..500 => "DEFAULT_4XX",
            _ if self.steps.authorizer.error.is_some() => "AUTHORIZER_CONFIGURATION_ERROR",
            _ => "INTEGRATION_FAILURE",
        }
    }
}
