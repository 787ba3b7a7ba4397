//! The gateway explains every refusal and every close on standard error.

use std::path::Path;

use serde_json::json;
use sluice_sigv4::percent_encode;
use tests::{
    client::Client,
    http::{connection_url, request},
    probe::Step,
    raw::{Raw, TEXT, frame, handshake},
    simulator::{Launch, Simulator},
};

const CONTRACT: &str = "
routeSelectionExpression: $request.body.action
routes:
  $connect: { function: probe }
  chat: { function: probe, routeResponse: true }
  limited: { function: probe, throttlingRateLimit: 0, throttlingBurstLimit: 1 }
  one-way: { function: probe }
";
/// The first byte of an unfragmented binary frame.
const BINARY: u8 = 0x82;
/// The first byte of the first fragment of a text.
const FIRST_FRAGMENT: u8 = 0x01;
/// The first byte of a continuation fragment, except the last.
const CONTINUATION: u8 = 0x00;
/// A few more messages than a client may send after it is throttled.
const FLOOD: usize = 120;
/// Posts of the largest size: more than the socket's buffers and the gateway's queue hold.
const POSTS_MAX: usize = 500;
const MINUTE: u64 = 60;

async fn start() -> Simulator {
    let probe = Path::new(env!("CARGO_BIN_EXE_probe"));
    let launch = Launch::default().contract(CONTRACT);
    let launch = launch.executable("probe", probe);
    launch.start(&["--connections-auth", "off"]).await
}

/// Opens a connection with `request`, sends `frames` and waits for `expected` in the log.
async fn check(simulator: &Simulator, request: &str, frames: &[u8], expected: &str) {
    let mut raw = Raw::connect(&simulator.websocket).await;
    raw.send(request.as_bytes()).await;
    raw.opened().await;
    raw.send(frames).await;
    simulator.says(expected).await;
}

#[tokio::test]
async fn a_message_without_effect_is_explained() {
    let simulator = start().await;
    let plain = handshake(&simulator.websocket);
    let message_on = |route: &str, reply: serde_json::Value| {
        let text = json!({"action": route, "do": [Step::Reply(reply)]}).to_string();
        frame(TEXT, text.as_bytes())
    };
    for (frames, expected) in [
        (
            frame(TEXT, br#"{"action":"nowhere"}"#),
            "$request.body.action selected \"nowhere\", but there is neither such a route nor $default \
             (routes: chat, limited, one-way)",
        ),
        (
            message_on("chat", json!({"statusCode": 200, "Data": 1})),
            "probe: malformed proxy response: unknown field `Data`, expected one of `statusCode`",
        ),
        (
            message_on("one-way", json!({"statusCode": 200, "body": "lost"})),
            "probe: the body of the reply is discarded because route one-way has no `routeResponse: true`",
        ),
        (
            frame(TEXT, br#"{"action":"limited"}"#).repeat(2),
            "message throttled: route limited allows 0 per second with a burst of 1",
        ),
    ] {
        check(&simulator, &plain, &frames, expected).await;
    }
    simulator.stop().await;
}

#[tokio::test]
async fn a_close_for_an_invalid_or_throttled_message_is_explained() {
    let simulator = start().await;
    let plain = handshake(&simulator.websocket);
    let long = [b'x'; 32 * 1024];
    for (frames, expected) in [
        (
            b"\x81\x02hi".to_vec(),
            "closed with 1002: invalid WebSocket frame: Received an unmasked frame from client",
        ),
        (
            frame(BINARY, b"\x00"),
            "closed with 1003: WebSocket APIs do not support binary messages (send text)",
        ),
        (
            frame(TEXT, b"\xc3\x28"),
            "closed with 1007: the message is not valid UTF-8",
        ),
        (
            frame(TEXT, br#"{"action":"limited"}"#).repeat(FLOOD),
            "closed with 1008: 100 more messages were throttled than accepted",
        ),
        (
            frame(TEXT, &[b'x'; 40_000]),
            "closed with 1009: frame of 40000 bytes exceeds 32768 bytes (fragment the message)",
        ),
        (
            [
                frame(FIRST_FRAGMENT, &long),
                frame(CONTINUATION, &long).repeat(3),
                frame(CONTINUATION, b"x"),
            ]
            .concat(),
            "closed with 1009: message of at least 131073 bytes exceeds 131072 bytes",
        ),
    ] {
        check(&simulator, &plain, &frames, expected).await;
    }
    simulator.stop().await;
}

#[tokio::test]
async fn a_close_for_idleness_or_age_is_explained() {
    let simulator = start().await;
    let _idle = Raw::open(&simulator.websocket).await;
    let mut busy = Client::connect(&simulator.websocket).await;
    // The gateway has noted the activity of a ping once it has answered it.
    for _ in 0..13 {
        busy.ping().await;
        simulator.advance(9 * MINUTE).await;
    }
    simulator
        .says("closed with 1001: no traffic for 10 minutes")
        .await;
    busy.ping().await;
    simulator.advance(9 * MINUTE).await;
    simulator
        .says("closed with 1001: reached the maximum connection duration of 2 hours")
        .await;
    simulator.stop().await;
}

#[tokio::test]
async fn a_surprising_handshake_is_explained() {
    let simulator = start().await;
    let handshake_with = |step: Step| {
        let steps = percent_encode(json!([step]).to_string());
        handshake(&format!("{}?do={steps}", simulator.websocket))
    };
    let chosen = json!({"statusCode": 200, "headers": {"Sec-WebSocket-Protocol": "news"}});
    let early = Step::Post {
        to: None,
        text: "early".to_owned(),
    };
    let offer = "\r\nSec-WebSocket-Protocol: chat\r\n\r\n";
    for (request, expected) in [
        (
            handshake(&simulator.websocket).replace("\r\n\r\n", offer),
            "the client offers the subprotocols \"chat\", but probe selected none",
        ),
        (
            handshake_with(Step::Reply(chosen)),
            "probe selected the subprotocol \"news\", which the client does not offer",
        ),
        (
            handshake_with(early),
            "is not open yet: its $connect has not replied",
        ),
    ] {
        check(&simulator, &request, b"", expected).await;
    }
    simulator.stop().await;
}

#[tokio::test]
async fn a_post_to_a_client_that_does_not_read_is_explained() {
    let simulator = start().await;
    let mut raw = Raw::open(&simulator.websocket).await;
    raw.send(&frame(TEXT, br#"{"action":"chat"}"#)).await;
    let report: serde_json::Value = serde_json::from_str(&raw.text().await).unwrap();
    let id = report["event"]["requestContext"]["connectionId"]
        .as_str()
        .unwrap();
    let url = connection_url(&simulator.connections, id);
    let text = "x".repeat(128 * 1024);
    for _ in 0..POSTS_MAX {
        if request("POST", &url, &text).await.status == 429 {
            break;
        }
    }
    let expected = format!("refused with 429: {id} reads too slowly");
    simulator.says(&expected).await;
    drop(raw);
    simulator.stop().await;
}
