//! Posts Kafka records to the WebSocket connections that they are addressed to.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    sluice_push::lambda::run().await
}
