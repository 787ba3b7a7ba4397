//! Starts the function and handles its invocations.
//!
//! On Lambda Managed Instances, invocations run concurrently.

use std::{error::Error, process::ExitCode, sync::Arc, time::SystemTime};

use lambda_runtime::{Context, Diagnostic, LambdaEvent, Runtime, service_fn};
use serde_json::value::RawValue;
use sluice_aws::{Format, Log, time_left};

use crate::{
    config::Config,
    connections::Connections,
    event::{EventError, Response},
    handler::{Handler, Invocation},
    sdk::Stage,
};

/// Runs the function until Lambda ends the process.
///
/// An invalid configuration ends it at once, with one line on stderr.
pub async fn run() -> ExitCode {
    let log = Log::stderr(Format::from_env());
    match serve(log.clone()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.error(error.as_ref(), &[("function", "push")]);
            ExitCode::FAILURE
        }
    }
}

async fn serve(log: Log) -> Result<(), Box<dyn Error + Send + Sync>> {
    let stage = Stage::new(Config::from_env()?);
    let handler = Arc::new(Handler::new(stage, log));
    let service = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let handler = Arc::clone(&handler);
        async move { handle(&handler, event).await }
    });
    Runtime::new(service).run_concurrent().await
}

async fn handle(
    handler: &Handler<impl Connections>,
    event: LambdaEvent<Box<RawValue>>,
) -> Result<Response, Diagnostic> {
    let invocation = invocation(event.context);
    let handled = handler.handle(event.payload.get(), &invocation).await;
    handled.map_err(|error: EventError| Diagnostic {
        error_type: "EventError".to_owned(),
        error_message: error.to_string(),
    })
}

fn invocation(context: Context) -> Invocation {
    Invocation {
        time_left: time_left(context.deadline(), SystemTime::now()),
        request_id: context.request_id,
    }
}

#[cfg(test)]
#[path = "lambda/tests.rs"]
mod tests;
