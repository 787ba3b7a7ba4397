//! Starts a function and handles its invocations: one at a time, or many at once on Managed
//! Instances.

use std::{
    collections::BTreeSet,
    error::Error,
    process::ExitCode,
    sync::Arc,
    time::{Instant, SystemTime},
};

use lambda_runtime::{Context, LambdaEvent, Runtime, service_fn};
use serde_json::value::RawValue;
use sluice_aws::{Format, Log, time_left};
use sluice_contract::Contract;

use crate::{
    config::Config,
    handler::{Handler, Invocation},
    kafka::Producer,
    reply::Response,
};

/// Runs the function of this name until Lambda ends the process.
///
/// An invalid configuration ends the process with one line on standard error. An unreachable broker
/// does not: events are answered with `unavailable`.
pub async fn run(function: &str) -> ExitCode {
    let log = Log::stderr(Format::from_env());
    // Boxed, since it is large, and each page of stack costs a page fault in a cold start.
    match Box::pin(serve(function, log.clone())).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            log.error(error.as_ref(), &[("function", function)]);
            ExitCode::FAILURE
        }
    }
}

async fn serve(function: &str, log: Log) -> Result<(), Box<dyn Error + Send + Sync>> {
    let config = Config::from_env()?;
    let contract = config.load_contract(function)?;

    let producer = Producer::new(config.kafka, config.client_id, log.clone());
    if let Err(error) = producer.warm_up(&topics(&contract, function)).await {
        log.error(&error, &[("function", function)]);
    }

    // With AWS_LAMBDA_MAX_CONCURRENCY, many events share this one producer.
    let handler = Arc::new(Handler::new(contract, producer, log));
    Runtime::new(service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let handler = Arc::clone(&handler);
        async move { Ok::<_, lambda_runtime::Error>(answer(&handler, event).await) }
    }))
    .run_concurrent()
    .await
}

async fn answer(handler: &Handler<Producer>, event: LambdaEvent<Box<RawValue>>) -> Response {
    let invocation = invocation(event.context);
    handler.handle(event.payload.get(), &invocation).await
}

/// The topics of a function's routes.
fn topics(contract: &Contract, function: &str) -> BTreeSet<String> {
    contract
        .routes
        .values()
        .filter(|route| route.function == function)
        .filter_map(|route| route.topic.clone())
        .collect()
}

fn invocation(context: Context) -> Invocation {
    Invocation {
        received: Instant::now(),
        time_left: time_left(context.deadline(), SystemTime::now()),
        request_id: context.request_id,
        trace: context.xray_trace_id,
    }
}
