//! Route selection: which route handles a message, and the error if none does.

use serde_json::json;
use tests::{anatomy::check_id, client::Client, consumer::Consumer, simulator::Launch};

/// A contract without `$default` and `$connect`, and with a route that does not answer.
const CONTRACT: &str = "
routeSelectionExpression: $request.body.action
routes:
  chat: { function: message, topic: chat, routeResponse: true }
  '[1, 2]': { function: message, topic: chat, routeResponse: true }
  silent: { function: message, topic: silent }
";

#[tokio::test]
async fn a_message_without_a_route_is_forbidden_and_the_connection_stays_open() {
    let simulator = Launch::default().contract(CONTRACT).start(&[]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    for text in [
        "hello",
        r#"{"action":"other"}"#,
        r#"{"action":"$connect"}"#,
        "[]",
    ] {
        client.send(text).await;
        check_error_frame(&client.next().await, "Forbidden");
    }
    assert_eq!(
        client.ask(r#"{"action":"chat","id":1}"#).await,
        json!({"type": "ack", "id": 1})
    );
    assert_eq!(
        client.ask(r#"{"action":[1,2],"id":2}"#).await,
        json!({"type": "ack", "id": 2})
    );
    simulator.stop().await;
}

#[tokio::test]
async fn a_route_without_a_route_response_is_silent() {
    let simulator = Launch::default().contract(CONTRACT).start(&[]).await;
    let mut client = Client::connect(&simulator.websocket).await;
    client.send(r#"{"action":"silent"}"#).await;
    let consumer = Consumer::connect(&simulator.kafka).await;
    consumer.records("silent", 1).await;
    // The client's first answer is to its next message, so the silent route sent none.
    assert_eq!(client.ask(r#"{"action":"chat","id":"x"}"#).await["id"], "x");
    simulator.stop().await;
}

/// Checks an error frame byte for byte, except for the two ids, whose form is checked.
pub(crate) fn check_error_frame(frame: &str, message: &str) {
    let json: serde_json::Value = serde_json::from_str(frame).unwrap();
    let id = |name: &str| {
        json[name]
            .as_str()
            .unwrap_or_else(|| panic!("no {name}: {frame}"))
    };
    let (connection, request) = (id("connectionId"), id("requestId"));
    check_id(connection);
    check_id(request);
    assert_eq!(
        frame,
        format!(
            r#"{{"message": "{message}", "connectionId":"{connection}", "requestId":"{request}"}}"#
        )
    );
}
