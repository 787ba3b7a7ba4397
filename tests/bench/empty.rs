//! A function that does nothing.

use lambda_runtime::{Error, LambdaEvent, Runtime, service_fn};
use serde_json::value::RawValue;
use serde_json::{Value, json};

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Error> {
    let empty = async |_event: LambdaEvent<Box<RawValue>>| -> Result<Value, Error> {
        Ok(json!({"statusCode": 200, "body": "ok"}))
    };
    Runtime::new(service_fn(empty)).run().await
}
