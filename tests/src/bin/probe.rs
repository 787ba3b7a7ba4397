//! The Lambda function of the conformance suite, which does what the client tells it.

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), lambda_runtime::Error> {
    tests::probe::serve().await
}
