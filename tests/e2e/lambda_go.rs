//! A function in Go, built on `aws-lambda-go` and run unchanged.

use tests::{binaries, client::Client, simulator::Launch};

use crate::routes::check_error_frame;

const CONTRACT: &str = "
routeSelectionExpression: $request.body.action
routes:
  $default: { function: go, routeResponse: true }
functions: { go: { reservedConcurrentExecutions: 1 } }
";

#[tokio::test]
async fn a_function_in_go_runs_unchanged() {
    let program = binaries::go_function();
    let launch = Launch::default().contract(CONTRACT);
    let launch = launch.option("--function", &format!("go={}", program.display()));
    let simulator = launch.start(&[]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    let first = client.ask("hi ž").await;
    assert_eq!(first["body"], "hi ž");
    assert_eq!(first["routeKey"], "$default");
    assert_eq!(first["hasDeadline"], true);
    assert_eq!(
        first["arn"],
        "arn:aws:lambda:us-east-1:123456789012:function:go"
    );
    let second = client.ask("again").await;
    assert_eq!(second["pid"], first["pid"]);
    assert_ne!(second["requestId"], first["requestId"]);
    // On a panic the library reports the error and exits.
    client.send("panic").await;
    check_error_frame(&client.next().await, "Internal server error");
    let third = client.ask("once more").await;
    assert_ne!(third["pid"], first["pid"]);
    simulator.stop().await;
}
