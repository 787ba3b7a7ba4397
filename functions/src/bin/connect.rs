//! Stores the opening of connections (`$connect`).

use std::process::ExitCode;

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    functions::lambda::run("connect").await
}
