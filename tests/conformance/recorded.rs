//! Events of the real gateway, made again from the same inputs: their keys, and the order of these.
//!
//! Where each comes from is told beside it, in `local-sim/gateway/tests/events`.

use serde_json::json;
use tests::probe::Step;

use crate::api::{AUTHORIZER, Api, STANDARD};
use crate::report::{Report, paths};
use crate::suite::{Test, on};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        on!(STANDARD, r6_3_3_a_recorded_disconnect_of_a_closed_tab),
        on!(STANDARD, r6_3_3_a_recorded_message),
        on!(STANDARD, r6_3_3_a_recorded_disconnect_without_a_code),
        on!(STANDARD, r6_3_3_a_recorded_connect_with_an_api_key),
        on!(AUTHORIZER, r6_3_3_a_recorded_and_edited_authorizers_event),
        on!(STANDARD, r6_3_3_a_recorded_connect),
        on!(STANDARD, r6_3_3_a_documented_connect),
        on!(AUTHORIZER, r6_3_3_a_documented_authorizers_event),
    ]
}

macro_rules! recorded {
    ($name:literal) => {
        include_str!(concat!(
            "../../local-sim/gateway/tests/events/",
            $name,
            ".json"
        ))
    };
}

/// Checks that an event has the keys of a recorded one, in their order.
fn check(report: &Report, recorded: &str) {
    assert_eq!(paths(&report.text), paths(recorded), "{}", report.text);
}

const BROWSER: &str = "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 \
     (KHTML, like Gecko) Chrome/118.0.0.0 Safari/537.36";
const EXTENSIONS: &str = "permessage-deflate; client_max_window_bits";

async fn r6_3_3_a_recorded_disconnect_of_a_closed_tab(api: &Api) {
    let (mut witness, id) = api.witness().await;
    let mut socket = api.handshake().told(&[Step::Tell(id)]).open().await;
    witness.report().await;
    socket.close(1001, "").await;
    let recorded = recorded!("01-disconnect-browser-tab-1001.aws-lambda-go");
    check(&witness.report().await, recorded);
}

async fn r6_3_3_a_recorded_message(api: &Api) {
    let mut socket = api.handshake().header("User-Agent", BROWSER).open().await;
    socket.send("{\r\n\t\"a\": 1\r\n}").await;
    check(
        &socket.report().await,
        recorded!("02-message.aws-lambda-go"),
    );
}

async fn r6_3_3_a_recorded_disconnect_without_a_code(api: &Api) {
    let (mut witness, id) = api.witness().await;
    // This client has no name, so that its last words must say whom to tell.
    let mut socket = api.handshake().open().await;
    let last_words = format!("do={}", json!([Step::Tell(id)]));
    socket.close(1000, &last_words).await;
    let recorded = recorded!("03-disconnect-1005.aws-docs.rust-runtime");
    check(&witness.report().await, recorded);
}

/// The event of `$connect` with these headers.
async fn connect(api: &Api, headers: &[(&str, &str)]) -> Report {
    let (mut witness, id) = api.witness().await;
    let handshake = headers.iter().fold(
        api.handshake().told(&[Step::Tell(id)]),
        |handshake, (name, value)| handshake.header(name, value),
    );
    handshake.open().await;
    witness.report().await
}

/// Checks a CONNECT event but for the client's name, by which the probe was told whom to tell.
fn check_connect(report: &Report, recorded: &str) {
    let names = [
        "/headers/User-Agent",
        "/multiValueHeaders/User-Agent",
        USER_AGENT,
    ];
    let mut found = paths(&report.text);
    found.retain(|path| !names.contains(&path.as_str()));
    assert_eq!(found, paths(recorded), "{}", report.text);
}

const USER_AGENT: &str = "/requestContext/identity/userAgent";

async fn r6_3_3_a_recorded_connect_with_an_api_key(api: &Api) {
    let report = connect(api, &[("x-api-key", "asdfasdf")]).await;
    let recorded = recorded!("04-connect-with-api-key.rust-runtime");
    // What is known of an API key is out of scope, with the keys themselves.
    let recorded = recorded.replacen(r#""apiKey": "asdfasdf","#, "", 1);
    let recorded = recorded.replacen(r#""apiKeyId": "asdf","#, "", 1);
    check_connect(&report, &recorded);
}

async fn r6_3_3_a_recorded_connect(api: &Api) {
    let origin = format!("wss://{}", api.endpoint.split('/').nth(2).unwrap());
    let report = connect(
        api,
        &[
            ("Origin", &origin),
            ("Sec-WebSocket-Extensions", EXTENSIONS),
        ],
    )
    .await;
    check_connect(
        &report,
        recorded!("06-connect-2023.swift-aws-lambda-events"),
    );
}

async fn r6_3_3_a_documented_connect(api: &Api) {
    let report = connect(api, &[("Sec-WebSocket-Extensions", EXTENSIONS)]).await;
    check_connect(&report, recorded!("08-connect.aws-docs-2024"));
}

/// The authorizer's event of a handshake with this query and these headers.
async fn asked(api: &Api, query: &[(&str, &str)], headers: &[(&str, &str)]) -> Report {
    let identity = ("identity", "me");
    let open = async |more: &[(&str, &str)]| {
        let parameters = [&[identity], more].concat();
        let handshake = api.asking(&parameters).header("X-Identity", "me");
        let handshake = headers.iter().fold(handshake, |handshake, (name, value)| {
            handshake.header(name, value)
        });
        handshake.open().await
    };
    let mut witness = open(&[]).await;
    let steps = json!([Step::Tell(witness.connection_id().await)]).to_string();
    open(&[query, &[("authorize", steps.as_str())]].concat()).await;
    witness.report().await
}

/// The keys without those of what this API's authorizer looks at, and by which the probe is told what to do.
fn without_own(json: &str) -> Vec<String> {
    let mut paths = paths(json);
    paths.retain(|path| {
        let name = path.rsplit('/').next().unwrap_or_default();
        !["X-Identity", "identity", "authorize", "colour", "shape"].contains(&name)
            || path == "/requestContext/identity"
    });
    paths
}

async fn r6_3_3_a_recorded_and_edited_authorizers_event(api: &Api) {
    let query = [("parameter1", "value1,value2"), ("parameter2", "value")];
    let headers = [
        ("Header1", "value1"),
        ("Header2", "value2"),
        ("User-Agent", "user-agent"),
    ];
    let report = asked(api, &query, &headers).await;
    let recorded = recorded!("05-authorizer-request-query.rust-runtime");
    // Its author has sorted it, and mixed in what Lambda knows: the key set counts, as far as it is the gateway's.
    let is_lambdas = |path: &str| {
        let name = path.split('/').nth(1).unwrap_or_default();
        LAMBDAS_OWN.contains(&name)
    };
    let found = without_own(&report.text);
    for path in paths(recorded) {
        assert!(
            is_lambdas(&path) || found.contains(&path),
            "{path}: {}",
            report.text
        );
    }
    let context = |paths: &[String]| {
        let mut paths = paths.to_vec();
        paths.retain(|path| path.starts_with("/requestContext"));
        paths.sort_unstable();
        paths
    };
    assert_eq!(context(&found), context(&paths(recorded)));
}

/// Keys at the top of that event that are not of the gateway.
const LAMBDAS_OWN: &[&str] = &[
    "version",
    "context",
    "deadline",
    "invoked_function_arn",
    "xray_trace_id",
    "client_context",
    "identity",
    "env_config",
    "memory",
    "log_stream",
    "log_group",
];

async fn r6_3_3_a_documented_authorizers_event(api: &Api) {
    let headers = [
        ("HeaderAuth1", "headerValue1"),
        ("Sec-WebSocket-Extensions", EXTENSIONS),
    ];
    let report = asked(api, &[("QueryString1", "queryValue1")], &headers).await;
    let recorded = recorded!("11-authorizer-request.aws-docs-2023");
    assert_eq!(
        without_own(&report.text),
        paths(recorded),
        "{}",
        report.text
    );
}
