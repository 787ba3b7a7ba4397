//! The Lambda function of the conformance suite, which executes steps given by the client.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    tests::probe::serve().await
}
