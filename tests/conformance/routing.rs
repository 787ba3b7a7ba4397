//! Section 4: which route takes a message.

use serde_json::json;
use tests::probe::Step;
use tests::simulator::Launch;

use crate::api::{Api, BARE, CONSTANT, STANDARD};
use crate::report::check_frame;
use crate::suite::{Test, on, simulated};

pub(crate) fn tests() -> Vec<Test> {
    vec![
        on!(STANDARD, r4_1_a_value_of_the_body_names_the_route),
        on!(BARE, r4_1_several_values_and_text_name_the_route),
        on!(CONSTANT, r4_1_an_escaped_dollar_is_text),
        on!(BARE, r4_2_a_missing_value_is_an_empty_text),
        on!(STANDARD, r4_2_other_values_become_text),
        on!(STANDARD, r4_3_route_keys_match_exactly),
        on!(STANDARD, r4_4_what_is_no_json_object_goes_to_default),
        on!(BARE, r4_5_without_a_route_the_client_is_forbidden),
        on!(STANDARD, r4_6_the_route_key_of_a_fallback_is_default),
        on!(STANDARD, r4_7_lifecycle_routes_are_not_selected),
        on!(STANDARD, r4_8_a_client_cannot_run_a_lifecycle_route),
        on!(STANDARD, r4_9_json_is_read_leniently),
        simulated!(r4_9_json_may_be_read_strictly),
        simulated!(r4_10_a_route_of_ones_own_does_not_begin_with_a_dollar),
    ]
}

/// Checks which route takes a text.
async fn check(api: &Api, text: &str, route_key: &str) {
    let mut socket = api.connect().await;
    socket.send(text).await;
    assert_eq!(
        socket.report().await.context("routeKey"),
        route_key,
        "{text}"
    );
}

async fn r4_1_a_value_of_the_body_names_the_route(api: &Api) {
    check(api, r#"{"action":"two-way"}"#, "two-way").await;
}

async fn r4_1_several_values_and_text_name_the_route(api: &Api) {
    check(api, r#"{"service":"chat","action":"join"}"#, "chat/join").await;
}

async fn r4_1_an_escaped_dollar_is_text(api: &Api) {
    check(api, r#"{"action":"join"}"#, "$default").await;
}

async fn r4_2_a_missing_value_is_an_empty_text(api: &Api) {
    let mut socket = api.connect().await;
    // The key is `/`, `chat/` and `/join`, and no route has it.
    for text in ["{}", r#"{"service":"chat"}"#, r#"{"action":"join"}"#] {
        socket.send(text).await;
        check_frame(&socket.next().await, "Forbidden");
    }
}

async fn r4_2_other_values_become_text(api: &Api) {
    check(api, r#"{"action":5}"#, "5").await;
    check(api, r#"{"action":true}"#, "true").await;
    check(api, r#"{"action":[1,2]}"#, "[1, 2]").await;
    check(api, r#"{"action":null}"#, "$default").await;
}

async fn r4_3_route_keys_match_exactly(api: &Api) {
    for action in ["Two-Way", "two-way ", "two", "two-way/x"] {
        check(api, &json!({"action": action}).to_string(), "$default").await;
    }
}

async fn r4_4_what_is_no_json_object_goes_to_default(api: &Api) {
    for text in [
        "hello",
        "",
        "5",
        r#""two-way""#,
        "[]",
        r#"["action"]"#,
        "null",
        "{",
    ] {
        check(api, text, "$default").await;
    }
}

async fn r4_5_without_a_route_the_client_is_forbidden(api: &Api) {
    let (mut socket, id) = api.witness().await;
    for text in ["hello", r#"{"service":"chat","action":"leave"}"#] {
        socket.send(text).await;
        let (connection, _) = check_frame(&socket.next().await, "Forbidden");
        assert_eq!(connection, id);
    }
    // The connection stays open.
    assert_eq!(socket.connection_id().await, id);
}

async fn r4_6_the_route_key_of_a_fallback_is_default(api: &Api) {
    check(api, r#"{"action":"unheard of"}"#, "$default").await;
}

async fn r4_7_lifecycle_routes_are_not_selected(api: &Api) {
    let (mut witness, id) = api.witness().await;
    let steps = json!([Step::Tell(id)]).to_string();
    let handshake = api.asking(&[("action", "two-way"), ("do", &steps)]);
    handshake.open().await;
    assert_eq!(witness.report().await.context("routeKey"), "$connect");
}

async fn r4_8_a_client_cannot_run_a_lifecycle_route(api: &Api) {
    for action in ["$connect", "$disconnect", "$default"] {
        check(api, &json!({"action": action}).to_string(), "$default").await;
    }
}

async fn r4_9_json_is_read_leniently(api: &Api) {
    check(api, r#"{"action":"two-way", body:"hello"}"#, "two-way").await;
}

async fn r4_9_json_may_be_read_strictly() {
    let api = STANDARD.simulate(&["--json", "strict"]).await;
    check(&api, r#"{"action":"two-way", body:"hello"}"#, "$default").await;
    check(&api, r#"{"action":"two-way", "body":"hello"}"#, "two-way").await;
}

async fn r4_10_a_route_of_ones_own_does_not_begin_with_a_dollar() {
    let contract = "routeSelectionExpression: $request.body.action\nroutes:\n  $mine: { function: message, topic: a }\n";
    let refusal = Launch::default().contract(contract).refusal(&[]).await;
    assert!(refusal.stderr.contains("$mine"), "{}", refusal.stderr);
}
