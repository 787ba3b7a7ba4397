//! Section 5: what comes of a function's reply, and of its failure.

use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use serde_json::{Value, json};
use tests::probe::Step;
use tests::wait::eventually;

use crate::api::{Api, BARE, STANDARD, THROTTLED};
use crate::report::{Report, check_frame};
use crate::suite::{Test, on, simulated};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        on!(STANDARD, r5_1_a_route_without_a_route_response_says_nothing),
        on!(STANDARD, r5_2_the_body_is_the_message),
        on!(STANDARD, r5_3_the_body_counts_whatever_the_status),
        on!(STANDARD, r5_4_without_a_body_the_message_is_empty),
        on!(STANDARD, r5_5_a_body_in_base64_is_decoded),
        on!(STANDARD, r5_6_function_error_sends_internal_server_error),
        on!(STANDARD, r5_6_function_error_on_a_one_way_route_does_too),
        on!(STANDARD, r5_6_lambda_timeout_sends_internal_server_error),
        on!(STANDARD, r5_7_a_malformed_reply_sends_internal_server_error),
        on!(
            STANDARD,
            r5_8_a_refused_invocation_sends_internal_server_error
        ),
        on!(
            STANDARD,
            r5_9_integration_timeout_sends_endpoint_request_timed_out
        ),
        on!(BARE, r5_10_no_route_sends_forbidden),
        on!(THROTTLED, r5_11_a_throttled_message_sends_too_many_requests),
        on!(STANDARD, r5_13_an_error_frame_names_the_event_byte_for_byte),
        on!(
            STANDARD,
            r5_14_a_failed_invocation_is_not_retried_and_closes_nothing
        ),
        simulated!(r5_15_an_error_frame_keeps_a_connection),
    ]
}

const INTERNAL: &str = "Internal server error";

fn throw() -> Step {
    Step::Throw("told to".to_owned())
}

/// The text that a reply on the two-way route becomes.
async fn text(api: &Api, reply: Value) -> String {
    let mut socket = api.connect().await;
    socket.order_on("two-way", &[Step::Reply(reply)]).await;
    socket.next().await
}

async fn r5_1_a_route_without_a_route_response_says_nothing(api: &Api) {
    let (mut witness, id) = api.witness().await;
    let mut socket = api.connect().await;
    for status in [200, 404, 500] {
        let reply = Step::Reply(json!({"statusCode": status, "body": "unheard"}));
        let steps = [Step::Tell(id.clone()), reply];
        socket.order_on("one-way", &steps).await;
        witness.report().await;
        // The first thing that the client hears is the answer to another message.
        assert_eq!(socket.ask(&[]).await.context("routeKey"), "$default");
    }
}

async fn r5_2_the_body_is_the_message(api: &Api) {
    let body = "{\"any\": \"text\"}\r\n ž 馬 🐎";
    let reply = json!({"statusCode": 200, "headers": {"X-Colour": "blue"}, "body": body});
    assert_eq!(text(api, reply).await, body);
}

async fn r5_3_the_body_counts_whatever_the_status(api: &Api) {
    for status in [201, 302, 400, 500] {
        let reply = json!({"statusCode": status, "body": "still"});
        assert_eq!(text(api, reply).await, "still", "{status}");
    }
}

async fn r5_4_without_a_body_the_message_is_empty(api: &Api) {
    assert_eq!(text(api, json!({"statusCode": 200})).await, "");
}

async fn r5_5_a_body_in_base64_is_decoded(api: &Api) {
    let body = BASE64_STANDARD.encode("plain 馬");
    let reply = json!({"statusCode": 200, "body": body, "isBase64Encoded": true});
    assert_eq!(text(api, reply).await, "plain 馬");
}

async fn r5_6_function_error_sends_internal_server_error(api: &Api) {
    let mut socket = api.connect().await;
    for step in [throw(), Step::Exit] {
        socket.order_on("two-way", &[step]).await;
        check_frame(&socket.next().await, INTERNAL);
    }
}

async fn r5_6_function_error_on_a_one_way_route_does_too(api: &Api) {
    let mut socket = api.connect().await;
    for step in [throw(), Step::Exit] {
        socket.order_on("one-way", &[step]).await;
        check_frame(&socket.next().await, INTERNAL);
    }
}

async fn r5_6_lambda_timeout_sends_internal_server_error(api: &Api) {
    let mut socket = api.connect().await;
    socket.order_on("brief", &[Step::Sleep(LONG)]).await;
    check_frame(&socket.next().await, INTERNAL);
}

async fn r5_7_a_malformed_reply_sends_internal_server_error(api: &Api) {
    let mut socket = api.connect().await;
    for reply in [
        json!(null),
        json!("text"),
        json!([]),
        json!({}),
        json!({"body": "no status"}),
        json!({"statusCode": 200, "Data": 1}),
        json!({"statusCode": 200, "ConnectionId": "x"}),
        json!({"statusCode": 200, "body": {"not": "a string"}}),
        json!({"statusCode": 200, "body": 1}),
    ] {
        for route in ["two-way", "one-way"] {
            socket.order_on(route, &[Step::Reply(reply.clone())]).await;
            check_frame(&socket.next().await, INTERNAL);
        }
    }
    for route in ["two-way", "one-way"] {
        socket.order_on(route, &[Step::Garbage]).await;
        check_frame(&socket.next().await, INTERNAL);
    }
}

async fn r5_8_a_refused_invocation_sends_internal_server_error(api: &Api) {
    let mut socket = api.connect().await;
    socket.order_on("refused", &[]).await;
    check_frame(&socket.next().await, INTERNAL);
}

async fn r5_9_integration_timeout_sends_endpoint_request_timed_out(api: &Api) {
    let (mut witness, id) = api.witness().await;
    let (mut gate, gate_id) = api.witness().await;
    let mut socket = api.connect().await;
    let steps = [Step::Await(gate_id), Step::Tell(id), Step::Report];
    socket.order_on("hasty", &steps).await;
    let (_, request) = check_frame(&socket.next().await, "Endpoint request timed out");
    // The function runs on, and its reply is lost.
    gate.close(1000, "").await;
    assert_eq!(witness.report().await.context("requestId"), request);
    assert_eq!(socket.ask(&[]).await.context("routeKey"), "$default");
}

async fn r5_10_no_route_sends_forbidden(api: &Api) {
    let mut socket = api.connect().await;
    socket.send(r#"{"service":"none"}"#).await;
    check_frame(&socket.next().await, "Forbidden");
}

async fn r5_11_a_throttled_message_sends_too_many_requests(api: &Api) {
    // Others may have used the bucket up.
    let mut socket = eventually("a connection", async || api.handshake().send().await.ok()).await;
    let frame = eventually("one message too many", async || {
        socket.order(&[]).await;
        Some(socket.next().await).filter(|text| !text.starts_with(r#"{"event""#))
    });
    check_frame(&frame.await, "Too Many Requests");
    // The connection stays open.
    let report = eventually("a message in time", async || {
        socket.order(&[]).await;
        Some(socket.next().await).filter(|text| text.starts_with(r#"{"event""#))
    });
    assert_eq!(Report::parse(&report.await).context("routeKey"), "$default");
}

async fn r5_13_an_error_frame_names_the_event_byte_for_byte(api: &Api) {
    let (mut witness, id) = api.witness().await;
    let mut socket = api.connect().await;
    socket.order(&[Step::Tell(id), throw()]).await;
    let report = witness.report().await;
    let (connection, request) = check_frame(&socket.next().await, INTERNAL);
    assert_eq!(connection, report.context("connectionId"));
    assert_eq!(request, report.context("requestId"));
}

async fn r5_14_a_failed_invocation_is_not_retried_and_closes_nothing(api: &Api) {
    let (mut witness, id) = api.witness().await;
    let mut socket = api.connect().await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        socket.order(&[Step::Tell(id.clone()), throw()]).await;
        check_frame(&socket.next().await, INTERNAL);
        seen.push(witness.report().await.context("messageId"));
    }
    seen.dedup();
    assert_eq!(seen.len(), 3, "{seen:?}");
}

async fn r5_15_an_error_frame_keeps_a_connection() {
    let api = STANDARD.simulate(&[]).await;
    let (mut gate, gate_id) = api.witness().await;
    let mut socket = api.connect().await;
    socket.order(&[Step::Await(gate_id), throw()]).await;
    // Nine minutes after the message comes the frame, and as many pass after it.
    gate.ask(&[]).await;
    api.advance(NINE_MINUTES).await;
    gate.close(1000, "").await;
    check_frame(&socket.next().await, INTERNAL);
    api.advance(NINE_MINUTES).await;
    socket.ask(&[]).await;
}

const NINE_MINUTES: Duration = Duration::from_mins(9);
/// Milliseconds that exceed the timeouts that a contract sets for it.
const LONG: u64 = 10_000;
