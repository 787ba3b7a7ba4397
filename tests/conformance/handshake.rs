//! Section 2: the handshake, and `$connect`.

use std::pin::pin;

use serde_json::{Value, json};
use tests::probe::Step;
use tests::raw::{Raw, TEXT, frame, handshake};
use tests::wait::eventually;

use crate::api::{AUTHORIZER, Api, BARE, BRIEF, HASTY, REFUSED, STANDARD};
use crate::report::Report;
use crate::suite::{Test, on, simulated};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        on!(STANDARD, r2_1_the_upgrade_waits_for_connect),
        simulated!(r2_1_an_unknown_stage_costs_no_token),
        simulated!(r2_1_who_is_throttled_is_not_authorized),
        on!(BARE, r2_2_without_a_connect_route_everyone_is_accepted),
        on!(
            STANDARD,
            r2_3_the_status_of_connect_is_the_status_of_the_refusal
        ),
        on!(STANDARD, r2_3_any_status_of_success_opens_the_connection),
        on!(STANDARD, r2_4_a_connect_that_fails_is_a_bad_gateway),
        on!(
            STANDARD,
            r2_4_a_connect_that_replies_nonsense_is_a_bad_gateway
        ),
        on!(
            BRIEF,
            r2_4_a_connect_that_lambda_gives_up_on_is_a_bad_gateway
        ),
        on!(
            HASTY,
            r2_5_a_connect_that_the_integration_gives_up_on_is_a_gateway_timeout
        ),
        on!(
            REFUSED,
            r2_6_a_connect_that_lambda_refuses_is_an_internal_error
        ),
        on!(STANDARD, r2_7_only_the_sub_protocol_is_forwarded),
        on!(STANDARD, r2_7_a_refusal_forwards_nothing),
        on!(STANDARD, r2_8_a_function_does_not_say_101),
        on!(STANDARD, r2_9_an_offered_sub_protocol_is_not_echoed),
        on!(STANDARD, r2_9_a_function_chooses_the_sub_protocol),
        on!(STANDARD, r2_10_the_101_has_just_the_headers_of_an_upgrade),
        on!(STANDARD, r2_11_compression_is_declined),
        on!(STANDARD, r2_12_a_refusal_names_the_request_in_json),
        simulated!(r2_13_an_account_opens_500_connections_a_second),
        on!(STANDARD, r2_14_a_url_has_4096_characters_at_most),
        simulated!(r2_14_a_url_of_4096_characters_opens),
        on!(
            STANDARD,
            r2_16_a_connection_cannot_be_posted_to_before_it_is_open
        ),
        on!(STANDARD, r2_17_a_message_may_follow_the_101_at_once),
        simulated!(r2_17_a_message_may_come_with_the_handshake),
        on!(STANDARD, r2_18_a_refused_connection_is_not_disconnected),
    ]
}

fn replying(reply: Value) -> [Step; 1] {
    [Step::Reply(reply)]
}

async fn r2_1_the_upgrade_waits_for_connect(api: &Api) {
    let (mut witness, id) = api.witness().await;
    let (mut gate, gate_id) = api.witness().await;
    let steps = [Step::Tell(id), Step::Await(gate_id)];
    let mut opening = pin!(api.doing(&steps).send());
    let report = tokio::select! {
        report = witness.report() => report,
        opened = &mut opening => panic!("$connect still runs: {opened:?}"),
    };
    assert_eq!(report.context("routeKey"), "$connect");
    gate.close(1000, "").await;
    assert!(opening.await.is_ok());
}

/// Limits that let so few handshakes in, and no more for as long as a test runs.
const TWO_TOKENS: &str = "throttlingRateLimit: 0, throttlingBurstLimit: 2";

async fn r2_1_an_unknown_stage_costs_no_token() {
    let limited = format!("$connect: {{ function: probe, {TWO_TOKENS} }}");
    let change = ("$connect: { function: probe }", limited.as_str());
    let api = STANDARD.simulate_with(&[change], &[]).await;
    for _ in 0..5 {
        let refusal = api.handshake().target("/nowhere").refused().await;
        assert_eq!(refusal.status, 403);
    }
    for _ in 0..2 {
        api.connect().await;
    }
    assert_eq!(api.handshake().refused().await.status, 429);
}

async fn r2_1_who_is_throttled_is_not_authorized() {
    let limited = format!("$connect: {{ function: probe, {TWO_TOKENS} }}");
    let change = ("$connect: { function: probe }", limited.as_str());
    let api = AUTHORIZER.simulate_with(&[change], &[]).await;
    // Without an identity, which the authorizer is not asked without.
    for status in [401, 401, 429] {
        assert_eq!(api.handshake().refused().await.status, status);
    }
}

async fn r2_2_without_a_connect_route_everyone_is_accepted(api: &Api) {
    let mut socket = api.connect().await;
    socket.connection_id().await;
}

async fn r2_3_the_status_of_connect_is_the_status_of_the_refusal(api: &Api) {
    for status in [400, 401, 403, 404, 409, 429, 500, 503] {
        let steps = replying(json!({"statusCode": status}));
        let refusal = api.doing(&steps).refused().await;
        assert_eq!(refusal.status, status);
    }
}

async fn r2_3_any_status_of_success_opens_the_connection(api: &Api) {
    for status in [200, 201, 204, 299] {
        let steps = replying(json!({"statusCode": status}));
        api.doing(&steps).open().await;
    }
}

async fn r2_4_a_connect_that_fails_is_a_bad_gateway(api: &Api) {
    for step in [Step::Throw("told to".to_owned()), Step::Exit] {
        let refusal = api.doing(std::slice::from_ref(&step)).refused().await;
        assert_eq!(refusal.status, 502, "{step:?}");
    }
}

async fn r2_4_a_connect_that_replies_nonsense_is_a_bad_gateway(api: &Api) {
    for reply in [
        json!(null),
        json!("fine"),
        json!({}),
        json!({"statusCode": 200, "Data": 1}),
        json!({"statusCode": 200, "body": 1}),
    ] {
        let refusal = api.doing(&replying(reply.clone())).refused().await;
        assert_eq!(refusal.status, 502, "{reply}");
    }
    let refusal = api.doing(&[Step::Garbage]).refused().await;
    assert_eq!(refusal.status, 502);
}

async fn r2_4_a_connect_that_lambda_gives_up_on_is_a_bad_gateway(api: &Api) {
    let refusal = api.doing(&[Step::Sleep(LONG)]).refused().await;
    assert_eq!(refusal.status, 502);
}

async fn r2_5_a_connect_that_the_integration_gives_up_on_is_a_gateway_timeout(api: &Api) {
    let refusal = api.doing(&[Step::Sleep(LONG)]).refused().await;
    assert_eq!(refusal.status, 504);
}

async fn r2_6_a_connect_that_lambda_refuses_is_an_internal_error(api: &Api) {
    let refusal = api.handshake().refused().await;
    assert_eq!(refusal.status, 500);
}

/// A reply that would like to say more.
fn talkative(status: u16) -> [Step; 1] {
    replying(json!({
        "statusCode": status,
        "headers": {"X-Colour": "blue", "Set-Cookie": "a=b", "Content-Type": "text/x-mine"},
        "multiValueHeaders": {"X-Shape": ["round"]},
        "body": "the function's own words",
    }))
}

async fn r2_7_only_the_sub_protocol_is_forwarded(api: &Api) {
    let mut socket = api.doing(&talkative(200)).open().await;
    for name in ["x-colour", "set-cookie", "content-type", "x-shape"] {
        assert_eq!(socket.response.header(name), None, "{name}");
    }
    // The body is no message, either: the first one is the answer.
    assert_eq!(socket.ask(&[]).await.context("eventType"), "MESSAGE");
}

async fn r2_7_a_refusal_forwards_nothing(api: &Api) {
    let refusal = api.doing(&talkative(403)).refused().await;
    for name in ["x-colour", "set-cookie", "x-shape"] {
        assert_eq!(refusal.header(name), None, "{name}");
    }
    assert_ne!(refusal.header("content-type"), Some("text/x-mine"));
    assert!(!refusal.body.contains("own words"), "{}", refusal.body);
}

async fn r2_8_a_function_does_not_say_101(api: &Api) {
    let refusal = api
        .doing(&replying(json!({"statusCode": 101})))
        .refused()
        .await;
    assert!(refusal.status >= 400, "{refusal:?}");
}

async fn r2_9_an_offered_sub_protocol_is_not_echoed(api: &Api) {
    let (mut witness, id) = api.witness().await;
    let handshake = api.doing(&[Step::Tell(id)]);
    let socket = handshake.header(PROTOCOL, "chat, news").open().await;
    assert_eq!(socket.response.header(PROTOCOL), None);
    let report = witness.report().await;
    assert_eq!(report.event["headers"][PROTOCOL], "chat, news");
}

async fn r2_9_a_function_chooses_the_sub_protocol(api: &Api) {
    for name in [PROTOCOL, "sec-websocket-protocol", "SEC-WEBSOCKET-PROTOCOL"] {
        for reply in [
            json!({"statusCode": 200, "headers": {name: "news"}}),
            json!({"statusCode": 200, "multiValueHeaders": {name: ["news"]}}),
        ] {
            let handshake = api.doing(&replying(reply.clone()));
            let socket = handshake.header(PROTOCOL, "chat, news").open().await;
            assert_eq!(socket.response.header(PROTOCOL), Some("news"), "{reply}");
        }
    }
}

async fn r2_10_the_101_has_just_the_headers_of_an_upgrade(api: &Api) {
    let response = api.connect().await.response;
    let mut names: Vec<String> = response
        .head
        .lines()
        .filter_map(|line| Some(line.split_once(':')?.0.to_ascii_lowercase()))
        .collect();
    names.sort_unstable();
    assert_eq!(
        names,
        ["connection", "date", "sec-websocket-accept", "upgrade"]
    );
    assert_eq!(response.header("connection"), Some("upgrade"));
    assert_eq!(response.header("upgrade"), Some("websocket"));
    let date = response.header("date").unwrap();
    assert!(chrono::DateTime::parse_from_rfc2822(date).is_ok(), "{date}");
}

async fn r2_11_compression_is_declined(api: &Api) {
    for offer in [
        "permessage-deflate; client_max_window_bits",
        "permessage-deflate; server_max_window_bits=12",
    ] {
        let handshake = api.handshake().header("Sec-WebSocket-Extensions", offer);
        let socket = handshake.open().await;
        assert_eq!(socket.response.header("sec-websocket-extensions"), None);
    }
}

async fn r2_12_a_refusal_names_the_request_in_json(api: &Api) {
    let (mut witness, id) = api.witness().await;
    let steps = [Step::Tell(id), Step::Reply(json!({"statusCode": 403}))];
    let refusal = api.doing(&steps).refused().await;
    let report = witness.report().await;
    let body: Value = serde_json::from_str(&refusal.body).unwrap();
    let expected = json!({
        "message": "Forbidden",
        "connectionId": report.context("connectionId"),
        "requestId": report.context("requestId"),
    });
    assert_eq!(body, expected);
    assert_eq!(refusal.header("content-type"), Some("application/json"));
    assert_eq!(
        refusal.header("x-amzn-errortype"),
        Some("ForbiddenException")
    );
}

async fn r2_13_an_account_opens_500_connections_a_second() {
    let api = BARE.simulate(&["--account-quotas"]).await;
    // The bucket fills up while it is emptied: what one crowd leaves in it, the next one takes.
    let mut opened = 0;
    let refusal = eventually("one too many", async || {
        let mut begun = Vec::new();
        for _ in 0..CROWD {
            begun.push(api.handshake().begin().await);
        }
        let mut refusal = None;
        for handshake in begun {
            match handshake.answer().await {
                Ok(_) => opened += 1,
                Err(refused) => refusal = Some(refused),
            }
        }
        refusal
    });
    assert_eq!(refusal.await.status, 429);
    assert!(opened >= 500, "{opened}");
}

/// A path and query of so many characters.
fn target(api: &Api, length: usize) -> String {
    let start = format!("/{}?x=", api.stage());
    format!("{start}{}", "x".repeat(length - start.len()))
}

async fn r2_14_a_url_has_4096_characters_at_most(api: &Api) {
    // Whether the host counts is not known: the longest is left room for one.
    api.handshake().target(&target(api, 4000)).open().await;
    let refusal = api.handshake().target(&target(api, 4097)).refused().await;
    assert_eq!(refusal.status, 414);
}

async fn r2_14_a_url_of_4096_characters_opens() {
    let api = BARE.simulate(&[]).await;
    api.handshake().target(&target(&api, 4096)).open().await;
}

async fn r2_16_a_connection_cannot_be_posted_to_before_it_is_open(api: &Api) {
    let (mut witness, id) = api.witness().await;
    let early = Step::Post {
        to: None,
        text: "early".to_owned(),
    };
    let mut socket = api.doing(&[early, Step::Tell(id)]).open().await;
    let report = witness.report().await;
    let post = &report.posts[0];
    assert_eq!((post.status, post.body.as_str()), (410, ""));
    assert_eq!(post.error_type.as_deref(), Some("GoneException"));
    // From here on it can.
    api.post(&report.context("connectionId"), "now").await;
    assert_eq!(socket.next().await, "now");
}

async fn r2_17_a_message_may_follow_the_101_at_once(api: &Api) {
    let mut socket = api.connect().await;
    let report = socket.ask(&[]).await;
    assert!(report.number("requestTimeEpoch") >= report.number("connectedAt"));
}

async fn r2_17_a_message_may_come_with_the_handshake() {
    let api = STANDARD.simulate(&[]).await;
    let text = json!({"do": [Step::Report]}).to_string();
    let request = [
        handshake(&api.websocket).into_bytes(),
        frame(TEXT, text.as_bytes()),
        frame(PING, b"early"),
    ];
    // All in one piece, before the 101 has been read, or is there at all.
    let mut raw = Raw::connect(&api.websocket).await;
    raw.send(&request.concat()).await;
    raw.opened().await;
    let answers = [raw.next().await, raw.next().await];
    assert!(answers.contains(&(PONG, "early".to_owned())), "{answers:?}");
    let report = answers.iter().find(|(first, _)| *first == TEXT);
    let report = Report::parse(&report.unwrap().1);
    assert_eq!(report.event["body"], text.as_str());
}

async fn r2_18_a_refused_connection_is_not_disconnected(api: &Api) {
    let (mut witness, id) = api.witness().await;
    let told = [
        Step::Tell(id.clone()),
        Step::Reply(json!({"statusCode": 403})),
    ];
    api.handshake().told(&told).refused().await;
    let refused = witness.report().await;
    // One that is accepted is heard of until its end; nothing else comes in between.
    let mut socket = api.handshake().told(&[Step::Tell(id)]).open().await;
    socket.close(1000, "").await;
    for event_type in ["CONNECT", "DISCONNECT"] {
        let report = witness.report().await;
        assert_eq!(report.context("eventType"), event_type);
        assert_ne!(
            report.context("connectionId"),
            refused.context("connectionId")
        );
    }
}

/// The first bytes of a ping and of its answer.
const PING: u8 = 0x89;
const PONG: u8 = 0x8a;
const PROTOCOL: &str = "Sec-WebSocket-Protocol";
/// More than an account may open at once.
const CROWD: usize = 800;
/// Milliseconds that exceed the timeouts that a contract sets for it.
const LONG: u64 = 10_000;
