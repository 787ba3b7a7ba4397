//! Stores the end of connections (`$disconnect`).

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    functions::lambda::run("disconnect").await
}
