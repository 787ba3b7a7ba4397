//! Sections 6.1 to 6.3 and 6.5: the events of functions.

use serde_json::{Value, json};
use tests::probe::Step;

use crate::api::{AUTHORIZER, Api, STANDARD};
use crate::report::{Report, keys};
use crate::socket::Handshake;
use crate::suite::{Test, on, simulated};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        on!(
            STANDARD,
            r6_1_1_headers_of_connect_are_in_order_and_in_their_own_case
        ),
        on!(STANDARD, r6_1_1_headers_of_connect_show_the_last_value),
        on!(STANDARD, r6_1_1_headers_of_connect_lack_those_of_the_hop),
        on!(STANDARD, r6_1_2_headers_of_disconnect_are_four),
        on!(STANDARD, r6_1_3_multi_value_headers_show_all_values),
        on!(STANDARD, r6_1_4_query_parameters_are_decoded),
        on!(
            STANDARD,
            r6_1_4_there_are_no_query_parameters_without_a_query
        ),
        on!(
            STANDARD,
            r6_1_5_multi_value_query_parameters_show_all_values
        ),
        on!(AUTHORIZER, r6_1_6_stage_variables_are_in_every_event),
        on!(STANDARD, r6_1_6_without_stage_variables_the_key_is_absent),
        on!(STANDARD, r6_1_7_every_event_has_a_request_context),
        on!(STANDARD, r6_1_8_the_body_is_the_text_as_it_was_sent),
        on!(STANDARD, r6_1_9_nothing_is_base64),
        on!(STANDARD, r6_1_10_there_is_no_path_resource_or_method),
        on!(STANDARD, r6_1_11_the_gateway_adds_four_headers),
        on!(STANDARD, r6_1_11_a_clients_own_forwarded_for_comes_first),
        on!(STANDARD, r6_2_1_the_route_key_is_that_of_the_route),
        on!(STANDARD, r6_2_2_without_an_authorizer_the_key_is_absent),
        on!(AUTHORIZER, r6_2_2_the_authorizer_comes_after_the_route_key),
        on!(STANDARD, r6_2_3_the_status_code_of_a_close_is_a_number),
        on!(STANDARD, r6_2_4_only_messages_have_a_message_id),
        on!(STANDARD, r6_2_5_the_event_type_says_what_happened),
        on!(STANDARD, r6_2_6_the_extended_request_id_is_the_request_id),
        on!(
            STANDARD,
            r6_2_7_the_request_time_is_in_the_common_log_format
        ),
        on!(STANDARD, r6_2_8_messages_come_in),
        on!(STANDARD, r6_2_9_only_a_disconnect_has_a_reason),
        on!(STANDARD, r6_2_10_the_stage_is_named),
        on!(STANDARD, r6_2_11_connected_at_stays_and_comes_first),
        on!(
            STANDARD,
            r6_2_12_the_request_time_epoch_is_that_of_the_event
        ),
        on!(
            STANDARD,
            r6_2_13_the_identity_is_the_address_and_the_user_agent
        ),
        on!(STANDARD, r6_2_13_without_a_user_agent_there_is_none),
        on!(STANDARD, r6_2_14_every_event_has_a_request_id_of_its_own),
        on!(STANDARD, r6_2_15_the_domain_name_is_the_host),
        on!(STANDARD, r6_2_16_the_connection_id_stays),
        on!(STANDARD, r6_2_17_the_api_id_stays),
        on!(STANDARD, r6_2_18_the_keys_have_their_order),
        on!(STANDARD, r6_2_19_no_other_keys_are_there),
        on!(AUTHORIZER, r6_5_1_the_authorizers_event_has_its_keys),
        on!(
            AUTHORIZER,
            r6_5_2_the_authorizer_sees_the_headers_of_the_hop
        ),
        simulated!(r6_5_3_what_is_empty_is_there_all_the_same),
        on!(AUTHORIZER, r6_5_4_the_request_context_is_that_of_connect),
        on!(AUTHORIZER, r6_5_5_there_is_no_path_or_method),
    ]
}

/// The three events of one connection.
struct Life {
    connect: Report,
    message: Report,
    disconnect: Report,
}

impl Life {
    fn all(&self) -> [&Report; 3] {
        [&self.connect, &self.message, &self.disconnect]
    }
}

/// Connects as this handshake asks, says something, and leaves.
async fn life_of(api: &Api, handshake: impl FnOnce(&str) -> Handshake) -> Life {
    let (mut witness, id) = api.witness().await;
    let mut socket = handshake(&id).open().await;
    let connect = witness.report().await;
    let message = socket.ask(&[]).await;
    // Where the client has no name, its last words say whom to tell.
    let last_words = format!("do={}", json!([Step::Tell(id)]));
    socket.close(4000, &last_words).await;
    let disconnect = witness.report().await;
    Life {
        connect,
        message,
        disconnect,
    }
}

async fn life(api: &Api) -> Life {
    life_of(api, |id| api.handshake().told(&[Step::Tell(id.to_owned())])).await
}

/// The CONNECT event of a handshake that is told whom to tell.
async fn connect_event(api: &Api, handshake: impl FnOnce(Handshake) -> Handshake) -> Report {
    let (mut witness, id) = api.witness().await;
    handshake(api.handshake().told(&[Step::Tell(id)]))
        .open()
        .await;
    witness.report().await
}

async fn r6_1_1_headers_of_connect_are_in_order_and_in_their_own_case(api: &Api) {
    let report = connect_event(api, |handshake| {
        handshake
            .header("x-lower", "1")
            .header("A-First", "2")
            .header("MIXED-Case", "3")
    });
    let report = report.await;
    let names = keys(&report, "/headers");
    let mut sorted = names.clone();
    sorted.sort_by_key(|name| name.to_ascii_lowercase());
    assert_eq!(names, sorted);
    for name in [
        "x-lower",
        "A-First",
        "MIXED-Case",
        "Sec-WebSocket-Key",
        "Host",
    ] {
        assert!(names.iter().any(|given| given == name), "{name}: {names:?}");
    }
}

async fn r6_1_1_headers_of_connect_show_the_last_value(api: &Api) {
    let report = connect_event(api, |handshake| {
        handshake
            .header("X-Colour", "blue")
            .header("X-Colour", "red")
    });
    assert_eq!(report.await.event["headers"]["X-Colour"], "red");
}

async fn r6_1_1_headers_of_connect_lack_those_of_the_hop(api: &Api) {
    let names = keys(&life(api).await.connect, "/headers");
    for name in &names {
        let is_hops = ["connection", "upgrade", "content-length"]
            .iter()
            .any(|hop| name.eq_ignore_ascii_case(hop));
        assert!(!is_hops, "{names:?}");
    }
}

async fn r6_1_2_headers_of_disconnect_are_four(api: &Api) {
    let life = life(api).await;
    let report = &life.disconnect;
    let expected = ["Host", "x-api-key", "X-Forwarded-For", "x-restapi"];
    assert_eq!(keys(report, "/headers"), expected);
    assert_eq!(
        report.event["headers"]["Host"],
        report.context("domainName")
    );
    for name in &expected[1..] {
        assert_eq!(report.event["headers"][name], "", "{name}");
    }
    assert!(!life.message.has("headers"), "{}", life.message.text);
}

async fn r6_1_3_multi_value_headers_show_all_values(api: &Api) {
    let life = life_of(api, |id| {
        let handshake = api.handshake().told(&[Step::Tell(id.to_owned())]);
        handshake
            .header("X-Colour", "blue")
            .header("X-Colour", "red")
    })
    .await;
    let values = &life.connect.event["multiValueHeaders"];
    assert_eq!(values["X-Colour"], json!(["blue", "red"]));
    for report in [&life.connect, &life.disconnect] {
        let names = keys(report, "/headers");
        assert_eq!(keys(report, "/multiValueHeaders"), names);
    }
    assert_eq!(
        life.disconnect.event["multiValueHeaders"]["x-restapi"],
        json!([""])
    );
    assert!(!life.message.has("multiValueHeaders"));
}

/// A connection with a query.
async fn with_query(api: &Api, query: &str) -> Life {
    let target = format!("/{}?{query}", api.stage());
    life_of(api, |id| {
        let handshake = api.handshake().told(&[Step::Tell(id.to_owned())]);
        handshake.target(&target)
    })
    .await
}

async fn r6_1_4_query_parameters_are_decoded(api: &Api) {
    let life = with_query(api, "a=%C3%A9&b=x%3Dy%202&empty=").await;
    let expected = json!({"a": "é", "b": "x=y 2", "empty": ""});
    assert_eq!(life.connect.event["queryStringParameters"], expected);
    for later in [&life.message, &life.disconnect] {
        assert!(!later.has("queryStringParameters"), "{}", later.text);
    }
}

async fn r6_1_4_there_are_no_query_parameters_without_a_query(api: &Api) {
    let report = life(api).await.connect;
    assert!(!report.has("queryStringParameters"), "{}", report.text);
    assert!(
        !report.has("multiValueQueryStringParameters"),
        "{}",
        report.text
    );
}

async fn r6_1_5_multi_value_query_parameters_show_all_values(api: &Api) {
    let life = with_query(api, "a=1&b=2&a=3").await;
    let expected = json!({"a": ["1", "3"], "b": ["2"]});
    assert_eq!(
        life.connect.event["multiValueQueryStringParameters"],
        expected
    );
    for later in [&life.message, &life.disconnect] {
        assert!(
            !later.has("multiValueQueryStringParameters"),
            "{}",
            later.text
        );
    }
}

async fn r6_1_6_stage_variables_are_in_every_event(api: &Api) {
    for report in authorized(api).await.all() {
        let expected = json!({"colour": "blue", "shape": "round"});
        assert_eq!(report.event["stageVariables"], expected);
    }
}

async fn r6_1_6_without_stage_variables_the_key_is_absent(api: &Api) {
    for report in life(api).await.all() {
        assert!(!report.has("stageVariables"), "{}", report.text);
    }
}

async fn r6_1_7_every_event_has_a_request_context(api: &Api) {
    for report in life(api).await.all() {
        assert!(
            report.event["requestContext"].is_object(),
            "{}",
            report.text
        );
    }
}

async fn r6_1_8_the_body_is_the_text_as_it_was_sent(api: &Api) {
    let mut socket = api.connect().await;
    for text in [
        "hello",
        "",
        "{\r\n\t\"a\": 1.0e0\r\n}",
        "ž \u{0} 馬 👩‍👩‍👧 \u{2028}\"\\/",
    ] {
        socket.send(text).await;
        assert_eq!(socket.report().await.event["body"], text);
    }
    let whole = crate::socket::text_of("x", 40_000);
    socket.send_fragmented(&whole, 1000).await;
    assert_eq!(socket.report().await.event["body"], whole.as_str());
    let life = life(api).await;
    for other in [&life.connect, &life.disconnect] {
        assert!(!other.has("body"), "{}", other.text);
    }
}

async fn r6_1_9_nothing_is_base64(api: &Api) {
    for report in life(api).await.all() {
        assert_eq!(report.event["isBase64Encoded"], false);
        assert_eq!(keys(report, "").last().unwrap(), "isBase64Encoded");
    }
}

async fn r6_1_10_there_is_no_path_resource_or_method(api: &Api) {
    for report in life(api).await.all() {
        for key in [
            "path",
            "resource",
            "httpMethod",
            "pathParameters",
            "version",
        ] {
            assert!(!report.has(key), "{key}: {}", report.text);
        }
    }
}

async fn r6_1_11_the_gateway_adds_four_headers(api: &Api) {
    let report = life(api).await.connect;
    let headers = &report.event["headers"];
    assert_eq!(headers["X-Forwarded-Port"], "443");
    assert_eq!(headers["X-Forwarded-Proto"], "https");
    let source = &report.event["requestContext"]["identity"]["sourceIp"];
    assert_eq!(&headers["X-Forwarded-For"], source);
    let trace = headers["X-Amzn-Trace-Id"].as_str().unwrap();
    let parts: Vec<&str> = trace.split('-').collect();
    let ["Root=1", second, random] = parts[..] else {
        panic!("{trace}");
    };
    assert_eq!((second.len(), random.len()), (8, 24), "{trace}");
    assert!(
        [second, random]
            .iter()
            .all(|part| part.bytes().all(is_lower_hex)),
        "{trace}"
    );
}

async fn r6_1_11_a_clients_own_forwarded_for_comes_first(api: &Api) {
    let report = connect_event(api, |handshake| {
        handshake.header("X-Forwarded-For", "192.0.2.7")
    });
    let report = report.await;
    let source = report.event["requestContext"]["identity"]["sourceIp"]
        .as_str()
        .unwrap();
    let expected = format!("192.0.2.7, {source}");
    assert_eq!(report.event["headers"]["X-Forwarded-For"], expected);
}

fn is_lower_hex(byte: u8) -> bool {
    byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte)
}

async fn r6_2_1_the_route_key_is_that_of_the_route(api: &Api) {
    let found = life(api)
        .await
        .all()
        .map(|report| report.context("routeKey"));
    assert_eq!(found, ["$connect", "$default", "$disconnect"]);
}

async fn r6_2_2_without_an_authorizer_the_key_is_absent(api: &Api) {
    for report in life(api).await.all() {
        assert!(!report.context_has("authorizer"), "{}", report.text);
    }
}

async fn r6_2_2_the_authorizer_comes_after_the_route_key(api: &Api) {
    for report in authorized(api).await.all() {
        assert_eq!(
            keys(report, "/requestContext")[..2],
            ["routeKey", "authorizer"]
        );
    }
}

async fn r6_2_3_the_status_code_of_a_close_is_a_number(api: &Api) {
    let life = life(api).await;
    assert_eq!(life.disconnect.number("disconnectStatusCode"), 4000);
    for other in [&life.connect, &life.message] {
        assert!(!other.context_has("disconnectStatusCode"), "{}", other.text);
    }
}

async fn r6_2_4_only_messages_have_a_message_id(api: &Api) {
    let life = life(api).await;
    tests::anatomy::check_id(&life.message.context("messageId"));
    for other in [&life.connect, &life.disconnect] {
        assert!(!other.context_has("messageId"), "{}", other.text);
    }
}

async fn r6_2_5_the_event_type_says_what_happened(api: &Api) {
    let found = life(api)
        .await
        .all()
        .map(|report| report.context("eventType"));
    assert_eq!(found, ["CONNECT", "MESSAGE", "DISCONNECT"]);
}

async fn r6_2_6_the_extended_request_id_is_the_request_id(api: &Api) {
    for report in life(api).await.all() {
        assert_eq!(
            report.context("extendedRequestId"),
            report.context("requestId")
        );
    }
}

async fn r6_2_7_the_request_time_is_in_the_common_log_format(api: &Api) {
    for report in life(api).await.all() {
        let at = chrono::DateTime::from_timestamp_millis(report.number("requestTimeEpoch"));
        let expected = at.unwrap().format("%d/%b/%Y:%H:%M:%S +0000").to_string();
        assert_eq!(report.context("requestTime"), expected);
    }
}

async fn r6_2_8_messages_come_in(api: &Api) {
    for report in life(api).await.all() {
        assert_eq!(report.context("messageDirection"), "IN");
    }
}

async fn r6_2_9_only_a_disconnect_has_a_reason(api: &Api) {
    let life = life(api).await;
    assert!(
        life.disconnect
            .context("disconnectReason")
            .starts_with("do=")
    );
    for other in [&life.connect, &life.message] {
        assert!(!other.context_has("disconnectReason"), "{}", other.text);
    }
}

async fn r6_2_10_the_stage_is_named(api: &Api) {
    for report in life(api).await.all() {
        assert_eq!(report.context("stage"), api.stage());
    }
}

async fn r6_2_11_connected_at_stays_and_comes_first(api: &Api) {
    let life = life(api).await;
    let at = life.connect.number("connectedAt");
    let wait = life.connect.number("requestTimeEpoch") - at;
    assert!((0..MOMENT).contains(&wait), "{wait} ms");
    for later in [&life.message, &life.disconnect] {
        assert_eq!(later.number("connectedAt"), at);
    }
}

async fn r6_2_12_the_request_time_epoch_is_that_of_the_event(api: &Api) {
    let life = life(api).await;
    let times = life.all().map(|report| report.number("requestTimeEpoch"));
    assert!(times.is_sorted(), "{times:?}");
    let now = chrono::Utc::now().timestamp_millis();
    assert!((now - times[0]).abs() < CLOCKS_APART, "{times:?}");
}

async fn r6_2_13_the_identity_is_the_address_and_the_user_agent(api: &Api) {
    for report in life(api).await.all() {
        assert_eq!(
            keys(report, "/requestContext/identity"),
            ["userAgent", "sourceIp"]
        );
        let source = report.event["requestContext"]["identity"]["sourceIp"].as_str();
        assert!(
            source.is_some_and(|ip| ip.parse::<std::net::IpAddr>().is_ok()),
            "{source:?}"
        );
    }
}

async fn r6_2_13_without_a_user_agent_there_is_none(api: &Api) {
    let life = life_of(api, |id| api.doing(&[Step::Tell(id.to_owned())])).await;
    for report in life.all() {
        assert_eq!(keys(report, "/requestContext/identity"), ["sourceIp"]);
    }
}

async fn r6_2_14_every_event_has_a_request_id_of_its_own(api: &Api) {
    let mut ids = life(api)
        .await
        .all()
        .map(|report| report.context("requestId"));
    ids.iter().for_each(|id| tests::anatomy::check_id(id));
    ids.sort_unstable();
    assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{ids:?}");
}

async fn r6_2_15_the_domain_name_is_the_host(api: &Api) {
    let life = life(api).await;
    let host = life.connect.event["headers"]["Host"].clone();
    for report in life.all() {
        assert_eq!(report.event["requestContext"]["domainName"], host);
    }
}

async fn r6_2_16_the_connection_id_stays(api: &Api) {
    let life = life(api).await;
    let id = life.connect.context("connectionId");
    tests::anatomy::check_id(&id);
    for later in [&life.message, &life.disconnect] {
        assert_eq!(later.context("connectionId"), id);
    }
}

async fn r6_2_17_the_api_id_stays(api: &Api) {
    let [first, second, third] = life(api).await.all().map(|report| report.context("apiId"));
    assert!(
        first.len() == 10 && first.bytes().all(|byte| byte.is_ascii_alphanumeric()),
        "{first}"
    );
    assert_eq!([&second, &third], [&first, &first]);
}

async fn r6_2_18_the_keys_have_their_order(api: &Api) {
    let life = life(api).await;
    for (report, own) in [
        (&life.connect, &[][..]),
        (&life.message, &["messageId"][..]),
        (
            &life.disconnect,
            &["disconnectStatusCode", "disconnectReason"][..],
        ),
    ] {
        let expected: Vec<&str> = KEYS
            .iter()
            .filter(|(key, is_everywhere)| *is_everywhere || own.contains(key))
            .map(|(key, _)| *key)
            .collect();
        assert_eq!(keys(report, "/requestContext"), expected);
    }
    let top = |report| keys(report, "");
    let ends = [
        "headers",
        "multiValueHeaders",
        "requestContext",
        "isBase64Encoded",
    ];
    assert_eq!(top(&life.connect), ends);
    assert_eq!(
        top(&life.message),
        ["requestContext", "body", "isBase64Encoded"]
    );
    assert_eq!(top(&life.disconnect), ends);
}

async fn r6_2_19_no_other_keys_are_there(api: &Api) {
    for report in life(api).await.all() {
        for key in [
            "accountId",
            "resourceId",
            "resourcePath",
            "path",
            "protocol",
            "error",
            "status",
            "integrationLatency",
        ] {
            assert!(!report.context_has(key), "{key}: {}", report.text);
        }
    }
}

/// The keys of the request context in their order, and whether all events have them.
const KEYS: &[(&str, bool)] = &[
    ("routeKey", true),
    ("disconnectStatusCode", false),
    ("messageId", false),
    ("eventType", true),
    ("extendedRequestId", true),
    ("requestTime", true),
    ("messageDirection", true),
    ("disconnectReason", false),
    ("stage", true),
    ("connectedAt", true),
    ("requestTimeEpoch", true),
    ("identity", true),
    ("requestId", true),
    ("domainName", true),
    ("connectionId", true),
    ("apiId", true),
];

/// A handshake that the API with an authorizer takes.
fn identified(api: &Api) -> Handshake {
    api.asking(&[("identity", "me")]).header("X-Identity", "me")
}

/// The three events of an authorized connection.
async fn authorized(api: &Api) -> Life {
    let mut witness = identified(api).open().await;
    let id = witness.connection_id().await;
    let mut socket = identified(api).told(&[Step::Tell(id)]).open().await;
    // The authorizer's own event comes before.
    witness.report().await;
    let connect = witness.report().await;
    let message = socket.ask(&[]).await;
    socket.close(4000, "").await;
    let disconnect = witness.report().await;
    Life {
        connect,
        message,
        disconnect,
    }
}

/// The authorizer's event, and the CONNECT event of the same connection.
async fn asked(api: &Api) -> (Report, Report) {
    let mut witness = identified(api).open().await;
    let id = witness.connection_id().await;
    identified(api).told(&[Step::Tell(id)]).open().await;
    (witness.report().await, witness.report().await)
}

async fn r6_5_1_the_authorizers_event_has_its_keys(api: &Api) {
    let (event, _) = asked(api).await;
    let expected = [
        "type",
        "methodArn",
        "headers",
        "multiValueHeaders",
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "stageVariables",
        "requestContext",
    ];
    assert_eq!(keys(&event, ""), expected);
    assert_eq!(event.event["type"], "REQUEST");
}

async fn r6_5_2_the_authorizer_sees_the_headers_of_the_hop(api: &Api) {
    let (event, connect) = asked(api).await;
    let headers = &event.event["headers"];
    assert_eq!(headers["Connection"], "upgrade");
    assert_eq!(headers["content-length"], "0");
    assert_eq!(headers["Upgrade"], "websocket");
    let hop = ["Connection", "content-length", "Upgrade"];
    let mut names = keys(&event, "/headers");
    names.retain(|name| !hop.contains(&name.as_str()));
    assert_eq!(names, keys(&connect, "/headers"));
    assert_eq!(keys(&event, "/multiValueHeaders"), keys(&event, "/headers"));
}

async fn r6_5_3_what_is_empty_is_there_all_the_same() {
    let changes = [
        ("    - route.request.header.X-Identity\n", ""),
        ("    - route.request.querystring.identity\n", ""),
        ("    - stageVariables.colour\n", ""),
        ("    - context.stage\n", ""),
        ("  identitySource:\n", ""),
        ("stage:\n  variables: { colour: blue, shape: round }\n", ""),
    ];
    let api = AUTHORIZER.simulate_with(&changes, &[]).await;
    let (mut witness, id) = api.witness().await;
    api.handshake().told(&[Step::Tell(id)]).open().await;
    let event = witness.report().await.event;
    for name in [
        "queryStringParameters",
        "multiValueQueryStringParameters",
        "stageVariables",
    ] {
        assert_eq!(event.get(name), Some(&json!({})), "{name}: {event}");
    }
}

async fn r6_5_4_the_request_context_is_that_of_connect(api: &Api) {
    let (event, connect) = asked(api).await;
    let mut expected = connect.event["requestContext"].clone();
    expected.as_object_mut().unwrap().remove("authorizer");
    assert_eq!(without_times(&event), without_times_of(expected));
    let mut keys_of_connect = keys(&connect, "/requestContext");
    keys_of_connect.retain(|key| key != "authorizer");
    assert_eq!(keys(&event, "/requestContext"), keys_of_connect);
}

/// The request context, but for when it was made.
fn without_times(report: &Report) -> Value {
    without_times_of(report.event["requestContext"].clone())
}

fn without_times_of(mut context: Value) -> Value {
    for name in ["requestTime", "requestTimeEpoch"] {
        context.as_object_mut().unwrap().remove(name);
    }
    context
}

async fn r6_5_5_there_is_no_path_or_method(api: &Api) {
    let (event, _) = asked(api).await;
    for key in [
        "path",
        "httpMethod",
        "pathParameters",
        "version",
        "resource",
    ] {
        assert!(!event.has(key), "{key}: {}", event.text);
    }
}

/// Milliseconds between a connection's own time and its CONNECT event: 17 were seen, a busy machine takes longer.
const MOMENT: i64 = 5_000;
/// Milliseconds by which the gateway's clock may differ from this machine's.
const CLOCKS_APART: i64 = 60_000;
