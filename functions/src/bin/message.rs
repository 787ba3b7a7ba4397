//! Stores the messages that clients send.

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    functions::lambda::run("message").await
}
