//! Invokes a route's function and maps its errors.

use std::{
    borrow::Cow,
    time::{Duration, Instant},
};

use bytes::Bytes;
use local_sim_lambda::InvokeError;
use sluice_contract::Route;
use thiserror::Error;
use tokio::time::timeout;
use tracing::{debug, warn};

use crate::{
    api::Api,
    id::Id,
    log::entry::{Invocation, Step},
    routing::reply::{Reply, ReplyError},
};

/// An invocation that has ended. After a timeout, the function may still be running.
#[derive(Debug)]
pub(crate) struct Integration {
    pub(crate) result: Result<Reply, IntegrationError>,
    /// What the logs say of it.
    pub(crate) step: Step,
}

/// Invokes a route's function and parses its reply.
///
/// When the integration times out, the function keeps running and its reply is dropped.
pub(crate) async fn integrate(api: &Api, route: &Route, event: Bytes) -> Integration {
    let started = Instant::now();
    let invoked = timeout(route.timeout, api.lambda.invoke(&route.function, event)).await;
    let mut invocation = Invocation {
        function: route.function.clone(),
        request_id: None,
        duration: started.elapsed(),
        is_cold: false,
    };
    let result = match invoked {
        Err(_) => Err(IntegrationError::TimedOut(route.timeout)),
        Ok(invoked) => {
            invocation.request_id = invoked.request_id;
            invocation.is_cold = invoked.init.is_some();
            match invoked.outcome {
                Err(error) => Err(IntegrationError::Invoke(error)),
                Ok(payload) => Reply::parse(&payload).map_err(IntegrationError::Malformed),
            }
        }
    };
    if let Err(error) = &result {
        error.log(&route.function);
    }
    Integration {
        step: step(&result, invocation),
        result,
    }
}

fn step(result: &Result<Reply, IntegrationError>, invocation: Invocation) -> Step {
    let (integration_status, error) = match result {
        Ok(_) => (Some(200), None),
        Err(error) => (error.lambda_status(), Some(error.to_string())),
    };
    Step {
        status: result.as_ref().ok().map(|reply| reply.status_code),
        integration_status,
        latency: u64::try_from(invocation.duration.as_millis()).ok(),
        error,
        invocation: Some(invocation),
    }
}

/// Why there is no valid reply from a function.
#[derive(Debug, Error)]
pub(crate) enum IntegrationError {
    #[error("integration timed out after {} ms: the function keeps running, but its reply is dropped", .0.as_millis())]
    TimedOut(Duration),
    #[error("{0}")]
    Invoke(InvokeError),
    #[error("malformed proxy response: {0}")]
    Malformed(ReplyError),
}

impl IntegrationError {
    /// Logs the details, which the client does not receive.
    pub(crate) fn log(&self, function: &str) {
        match self {
            Self::TimedOut(_) => warn!("{function}: {self}"),
            // Lambda itself logs throttling, at a limited rate.
            Self::Invoke(InvokeError::Throttled) => debug!("{function}: {self}"),
            Self::Invoke(_) => warn!("{function}: {self}"),
            Self::Malformed(_) => warn!(
                "{function}: {self} (reply with an object that has statusCode and at most headers, \
                 multiValueHeaders, body (a string) and isBase64Encoded)"
            ),
        }
    }

    /// The error frame for the sender of the message.
    pub(crate) fn failure(&self) -> Failure {
        match self {
            Self::TimedOut(_) => Failure::ENDPOINT_REQUEST_TIMED_OUT,
            Self::Invoke(_) | Self::Malformed(_) => Failure::INTERNAL_SERVER_ERROR,
        }
    }

    /// The status of the handshake if `$connect` fails with this error.
    pub(crate) fn handshake_status(&self) -> u16 {
        match self {
            Self::TimedOut(_) => 504,
            Self::Invoke(InvokeError::Function { .. }) | Self::Malformed(_) => 502,
            Self::Invoke(
                InvokeError::Throttled | InvokeError::NotFound | InvokeError::TooLarge { .. },
            ) => 500,
        }
    }

    /// The status of Lambda's response; `None` after a timeout.
    fn lambda_status(&self) -> Option<u16> {
        match self {
            Self::TimedOut(_) => None,
            Self::Malformed(_) => Some(200),
            Self::Invoke(error) => Some(lambda_status(error)),
        }
    }
}

/// The status of Lambda's response for this error. For Lambda, an invocation whose function fails
/// is a success.
pub(crate) fn lambda_status(error: &InvokeError) -> u16 {
    match error {
        InvokeError::Function { .. } => 200,
        InvokeError::Throttled => 429,
        InvokeError::NotFound => 404,
        InvokeError::TooLarge { .. } => 413,
    }
}

/// An error that is sent to the sender of a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// The HTTP status, for the access log.
    pub(crate) status: u16,
    pub(crate) message: Cow<'static, str>,
}

impl Failure {
    /// The function failed, sent a malformed reply, or could not be invoked.
    pub(crate) const INTERNAL_SERVER_ERROR: Self = Self::new(500, "Internal server error");
    /// The integration timed out. The function keeps running.
    pub(crate) const ENDPOINT_REQUEST_TIMED_OUT: Self =
        Self::new(504, "Endpoint request timed out");
    /// No route matches the message.
    pub(crate) const FORBIDDEN: Self = Self::new(403, "Forbidden");

    const fn new(status: u16, message: &'static str) -> Self {
        Self {
            status,
            message: Cow::Borrowed(message),
        }
    }

    /// The message was throttled. API Gateway's text for this case is not known.
    pub(crate) fn throttled(message: &str) -> Self {
        Self {
            status: 429,
            message: Cow::Owned(message.to_owned()),
        }
    }

    /// The error frame, with the same bytes and spaces as API Gateway's.
    pub(crate) fn frame(&self, connection_id: &Id, request_id: &Id) -> String {
        let message = serde_json::Value::from(self.message.as_ref());
        format!(
            r#"{{"message": {message}, "connectionId":"{connection_id}", "requestId":"{request_id}"}}"#
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_frame_has_the_observed_bytes() {
        let id = Id::parse("Ab1cDeFgIAMCJ-g=").unwrap();
        let request = Id::parse("Ab1cEHijoAMFT2A=").unwrap();
        assert_eq!(
            Failure::INTERNAL_SERVER_ERROR.frame(&id, &request),
            r#"{"message": "Internal server error", "connectionId":"Ab1cDeFgIAMCJ-g=", "requestId":"Ab1cEHijoAMFT2A="}"#
        );
    }
}
