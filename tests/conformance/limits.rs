//! Section 7.1: limits.

use std::future::pending;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tests::net::Url;
use tests::probe::Step;
use tests::simulator::Launch;
use tests::wait::eventually;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, split};
use tokio_tungstenite::tungstenite::Message;

use crate::api::{Api, BARE, STANDARD, THROTTLED};
use crate::socket::{Socket, text_of};
use crate::suite::{Test, on, simulated};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        on!(STANDARD, r7_1_1_a_message_has_128_kb_at_most),
        on!(STANDARD, r7_1_1_a_posted_message_has_128_kb_at_most),
        on!(STANDARD, r7_1_1_a_reply_has_128_kb_at_most),
        on!(STANDARD, r7_1_2_a_frame_has_32_kb_at_most),
        on!(STANDARD, r7_1_3_a_long_post_is_one_message),
        simulated!(r7_1_4_ten_idle_minutes_end_a_connection),
        simulated!(r7_1_5_two_hours_end_a_connection_that_is_never_idle),
        simulated!(r7_1_6_an_integration_waits_50_ms_to_29_s),
        simulated!(r7_1_8_an_account_makes_5000_requests_at_once_at_most),
        on!(THROTTLED, r7_1_9_a_stage_has_limits_of_its_own),
        simulated!(r7_1_9_a_route_has_limits_of_its_own),
        simulated!(r7_1_9_a_routes_own_limits_take_the_place_of_the_stages),
        simulated!(r7_1_9_a_bucket_fills_up_again),
        simulated!(r7_1_10_an_api_has_300_routes_at_most),
        simulated!(r7_1_12_the_format_of_the_access_log_has_3_kb_at_most),
        on!(BARE, r7_1_13_hundreds_of_connections_are_open_at_once),
    ]
}

async fn r7_1_1_a_message_has_128_kb_at_most(api: &Api) {
    let mut socket = api.connect().await;
    // Its own report would not fit into an answer.
    let whole = json!({"do": [Step::Reply(json!({"statusCode": 200, "body": "whole"}))]});
    let whole = padded(&whole.to_string(), MESSAGE_BYTES_MAX);
    socket.send_fragmented(&whole, FRAME_BYTES_MAX).await;
    assert_eq!(socket.next().await, "whole");
    let more = text_of("one-way", MESSAGE_BYTES_MAX + 1);
    socket.send_fragmented(&more, FRAME_BYTES_MAX).await;
    assert_eq!(socket.closed().await.code, TOO_BIG);
}

async fn r7_1_1_a_posted_message_has_128_kb_at_most(api: &Api) {
    let (mut socket, id) = api.witness().await;
    let whole = "x".repeat(MESSAGE_BYTES_MAX);
    api.post(&id, &whole).await;
    assert!(socket.next().await == whole, "it differs");
    let more = "x".repeat(MESSAGE_BYTES_MAX + 1);
    let response = api.manage("POST", &id, more.as_bytes()).await;
    assert_eq!(response.status, 413);
}

async fn r7_1_1_a_reply_has_128_kb_at_most(api: &Api) {
    let mut socket = api.connect().await;
    // Each byte that is no text becomes a character of three, so that the order is shorter than the reply.
    let body = BASE64_STANDARD.encode([0xff; MESSAGE_BYTES_MAX / 3 + 1]);
    let reply = json!({"statusCode": 200, "body": body, "isBase64Encoded": true});
    let order = json!({"do": [Step::Reply(reply)]}).to_string();
    socket.send_fragmented(&order, FRAME_BYTES_MAX).await;
    let frame: Value = serde_json::from_str(&socket.next().await).unwrap();
    assert_eq!(frame["message"], "Internal server error", "{frame}");
    socket.ask(&[]).await;
}

async fn r7_1_2_a_frame_has_32_kb_at_most(api: &Api) {
    let mut socket = api.connect().await;
    let whole = text_of("two-way", FRAME_BYTES_MAX);
    socket.send(&whole).await;
    assert!(
        socket.report().await.event["body"] == whole.as_str(),
        "it differs"
    );
    socket.send(&text_of("two-way", FRAME_BYTES_MAX + 1)).await;
    assert_eq!(socket.closed().await.code, TOO_BIG);
}

async fn r7_1_3_a_long_post_is_one_message(api: &Api) {
    let (mut socket, id) = api.witness().await;
    let long = "ž".repeat(MESSAGE_BYTES_MAX / 2);
    api.post(&id, &long).await;
    assert!(socket.next().await == long, "it differs");
    api.post(&id, "next").await;
    assert_eq!(socket.next().await, "next");
}

async fn r7_1_4_ten_idle_minutes_end_a_connection() {
    let api = STANDARD.simulate(&[]).await;
    let mut socket = api.connect().await;
    socket.ask(&[]).await;
    api.advance(Duration::from_mins(9)).await;
    socket.ask(&[]).await;
    api.advance(Duration::from_mins(9)).await;
    socket.ask(&[]).await;
    api.advance(Duration::from_mins(10)).await;
    assert_eq!(socket.closed().await.code, GOING_AWAY);
}

async fn r7_1_5_two_hours_end_a_connection_that_is_never_idle() {
    let api = STANDARD.simulate(&[]).await;
    let mut socket = api.connect().await;
    for _ in 0..13 {
        api.advance(Duration::from_mins(9)).await;
        socket.ask(&[]).await;
    }
    api.advance(Duration::from_mins(4)).await;
    assert_eq!(socket.closed().await.code, GOING_AWAY);
}

async fn r7_1_6_an_integration_waits_50_ms_to_29_s() {
    for (millis, is_legal) in [(49, false), (50, true), (29_000, true), (29_001, false)] {
        let contract = format!(
            "routeSelectionExpression: $request.body.action\nroutes:\n  \
             $default: {{ function: message, topic: a, timeoutInMillis: {millis} }}\n"
        );
        let launch = Launch::default().contract(&contract);
        if is_legal {
            launch.start(&[]).await.stop().await;
        } else {
            let refusal = launch.refusal(&[]).await;
            assert!(
                refusal.stderr.contains("timeoutInMillis"),
                "{}",
                refusal.stderr
            );
        }
    }
}

async fn r7_1_8_an_account_makes_5000_requests_at_once_at_most() {
    let flags = ["--account-quotas", "--connections-auth", "off"];
    let api = BARE.simulate(&flags).await;
    let (_socket, id) = api.witness().await;
    let url = Url::parse(&api.connection_url(&id));
    let request = format!("GET {} HTTP/1.1\r\nHost: {}\r\n\r\n", url.target, url.host);
    let requests = request.repeat(ACCOUNT_BURST * 4);
    let mut served = 0;
    // The bucket fills up while it is emptied: where that was too slow, there is another try.
    eventually("one request too many", async || {
        let (read, mut write) = split(url.connect().await);
        let asking = async {
            // Who has been refused does not read the rest.
            let _ = write.write_all(requests.as_bytes()).await;
            let _ = write.shutdown().await;
            pending().await
        };
        let mut lines = BufReader::new(read).lines();
        let reading = async {
            loop {
                match lines.next_line().await.ok()?? {
                    // A body has no line of its own.
                    line if line.ends_with("HTTP/1.1 200 OK") => served += 1,
                    line if line.contains("HTTP/1.1 429 ") => return Some(()),
                    _ => {}
                }
            }
        };
        tokio::select! {
            refused = reading => refused,
            never = asking => never,
        }
    })
    .await;
    // Two were a connection and its message.
    assert!(served >= ACCOUNT_BURST - 2, "{served}");
}

async fn r7_1_9_a_stage_has_limits_of_its_own(api: &Api) {
    // All at once, so that the bucket does not fill up meanwhile.
    let refusal = eventually("one connection too many", async || {
        let crowd = (0..CROWD).map(|_| api.handshake().send());
        join_all(crowd).await.into_iter().find_map(Result::err)
    });
    assert_eq!(refusal.await.status, 429);
}

async fn r7_1_9_a_route_has_limits_of_its_own() {
    let change = ("two-way: { function: probe,", TWO_WAY_TWICE);
    let api = STANDARD.simulate_with(&[change], &[]).await;
    let mut socket = api.connect().await;
    for _ in 0..2 {
        check_answered(&mut socket, "two-way").await;
    }
    check_throttled(&mut socket, "two-way").await;
    // Other routes have no such limit.
    for _ in 0..10 {
        check_answered(&mut socket, "5").await;
    }
}

async fn r7_1_9_a_routes_own_limits_take_the_place_of_the_stages() {
    let stage = "functions:\n  probe: { timeout: 20 }";
    let limited = format!("stage: {{ throttlingRateLimit: 0, throttlingBurstLimit: 2 }}\n{stage}");
    let changes = [
        ("two-way: { function: probe,", TWO_WAY_TWICE),
        (stage, limited.as_str()),
    ];
    let api = STANDARD.simulate_with(&changes, &[]).await;
    // One of the stage's tokens is left, which the route does not take …
    let mut socket = api.connect().await;
    for _ in 0..2 {
        check_answered(&mut socket, "two-way").await;
    }
    check_throttled(&mut socket, "two-way").await;
    // … and which the other routes share.
    check_answered(&mut socket, "5").await;
    check_throttled(&mut socket, "true").await;
}

/// A route of two tokens, and no more for as long as a test runs.
const TWO_WAY_TWICE: &str =
    "two-way: { throttlingRateLimit: 0, throttlingBurstLimit: 2, function: probe,";

async fn check_answered(socket: &mut Socket, route: &str) {
    socket.order_on(route, &[Step::Report]).await;
    assert_eq!(socket.report().await.context("routeKey"), route);
}

async fn check_throttled(socket: &mut Socket, route: &str) {
    socket.order_on(route, &[Step::Report]).await;
    let text = socket.next().await;
    let expected = r#"{"message": "Too Many Requests""#;
    assert!(text.starts_with(expected), "{text}");
}

async fn r7_1_9_a_bucket_fills_up_again() {
    let api = THROTTLED.simulate_with(
        &[("throttlingRateLimit: 2", "throttlingRateLimit: 0.01")],
        &[],
    );
    let api = api.await;
    // Three tokens are left for messages, then none for minutes …
    let (_, _) = (api.connect().await, api.connect().await);
    for _ in 0..3 {
        api.connect().await;
    }
    assert_eq!(api.handshake().refused().await.status, 429);
    // … which pass: a hundredth of a token a second.
    api.advance(Duration::from_secs(101)).await;
    api.connect().await;
    assert_eq!(api.handshake().refused().await.status, 429);
}

async fn r7_1_10_an_api_has_300_routes_at_most() {
    let launch = |routes: usize| {
        let mut contract = "routeSelectionExpression: $request.body.action\nroutes:\n".to_owned();
        for route in 0..routes {
            contract.push_str(&format!("  r{route}: {{ function: message, topic: a }}\n"));
        }
        Launch::default().contract(&contract)
    };
    launch(300).start(&[]).await.stop().await;
    let refusal = launch(301).refusal(&[]).await;
    let expected = "routes: 301 routes are defined (expected 1 to 300)";
    assert!(refusal.stderr.contains(expected), "{}", refusal.stderr);
}

async fn r7_1_12_the_format_of_the_access_log_has_3_kb_at_most() {
    let contract = "routeSelectionExpression: $request.body.action\nroutes:\n  \
                    $default: { function: message, topic: a }\n";
    let launch = || Launch::default().contract(contract);
    let flags = |format| ["--access-log", "-", "--access-log-format", format];
    let [whole, more] = [3072, 3073].map(|bytes| "x".repeat(bytes));
    launch().start(&flags(&whole)).await.stop().await;
    let refusal = launch().refusal(&flags(&more)).await;
    let expected = "--access-log-format: the format has 3073 bytes, but must have 1 to 3072";
    assert!(refusal.stderr.contains(expected), "{}", refusal.stderr);
}

async fn r7_1_13_hundreds_of_connections_are_open_at_once(api: &Api) {
    let mut sockets = Vec::new();
    for _ in 0..CONNECTIONS {
        sockets.push(api.connect().await);
    }
    // Each is still there.
    for socket in &mut sockets {
        socket.send_message(Message::Ping("here".into())).await;
        let answer = socket.next_message().await;
        assert!(matches!(answer, Some(Message::Pong(_))), "{answer:?}");
    }
}

/// A JSON object with so many bytes in all.
fn padded(object: &str, bytes: usize) -> String {
    let open = format!(r#"{},"more":""#, object.strip_suffix('}').unwrap());
    let padding = "x".repeat(bytes - open.len() - 2);
    format!(r#"{open}{padding}"}}"#)
}

const FRAME_BYTES_MAX: usize = 32 * 1024;
const MESSAGE_BYTES_MAX: usize = 128 * 1024;
const CONNECTIONS: usize = 300;
/// What an account may ask at once.
const ACCOUNT_BURST: usize = 5000;
/// Handshakes at once, twice the burst of the stage.
const CROWD: usize = 10;
/// WebSocket close codes (RFC 6455, section 7.4.1).
const GOING_AWAY: u16 = 1001;
const TOO_BIG: u16 = 1009;
