//! The values read from valid contracts.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use proptest::prelude::*;

use crate::{
    Authorizer, Contract, Function, IdentitySource, Push, StartingPosition, Throttling,
    tests::{read, with, with_route},
};

const FULL: &str = "
routeSelectionExpression: $request.body.action
routes:
  $connect: { function: connect, topic: ws.connections }
  $disconnect: { function: disconnect, topic: ws.connections, tombstone: true }
  $default: { function: other }
  chat:
    function: message
    topic: chat.messages
    key: ${request.body.room}/${context.connectionId}
    routeResponse: true
    timeoutInMillis: 50
    throttlingRateLimit: 0.5
    throttlingBurstLimit: 50
authorizer:
  function: authorizer
  identitySource:
    - route.request.querystring.token
    - route.request.header.Authorization
    - stageVariables.colour
    - context.identity.sourceIp
stage:
  throttlingRateLimit: 10000
  throttlingBurstLimit: 5000
  variables: { colour: blue, level: \"5\" }
functions:
  message:
    timeout: 900
    memorySize: 128
    reservedConcurrentExecutions: 0
    maxConcurrency: 16
    environment: { LOG: debug, EMPTY: '' }
push:
  function: push
  topics: [ws.outbound, ws.system]
  batchSize: 10
  maximumBatchingWindowInSeconds: 1
  startingPosition: TRIM_HORIZON
  maximumRetryAttempts: 3
  maximumRecordAgeInSeconds: 60
  bisectBatchOnFunctionError: true
  deadLetter: ws.outbound.dead
";

fn strings<const N: usize>(pairs: [(&str, &str); N]) -> BTreeMap<String, String> {
    pairs
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .into()
}

#[test]
fn the_shipped_contract_is_valid() {
    let text = include_str!("../../../../gateway.yaml");
    let contract = Contract::parse("gateway.yaml", text).unwrap();
    for function in ["connect", "message", "disconnect"] {
        contract.require_topics(function).unwrap();
    }
    let push = contract.push.unwrap();
    assert_eq!(
        (push.function, push.topics),
        ("push".to_owned(), vec!["ws.outbound".to_owned()])
    );
}

#[test]
fn every_field_of_a_route_is_read() {
    let contract = read(FULL);
    assert_eq!(
        contract.route_selection_expression.to_string(),
        "$request.body.action"
    );
    let chat = &contract.routes["chat"];
    assert_eq!(chat.function, "message");
    assert_eq!(chat.topic.as_deref(), Some("chat.messages"));
    let key = chat.key.as_ref().unwrap().to_string();
    assert_eq!(key, "${request.body.room}/${context.connectionId}");
    assert!(chat.route_response);
    assert!(!chat.tombstone);
    assert_eq!(chat.timeout, Duration::from_millis(50));
    assert_eq!(
        chat.throttling,
        Throttling {
            rate_limit: Some(0.5),
            burst_limit: Some(50)
        }
    );
    assert!(contract.routes["$disconnect"].tombstone);
}

#[test]
fn a_route_has_defaults_for_its_optional_fields() {
    let contract = read(FULL);
    let other = &contract.routes["$default"];
    assert_eq!((&other.topic, &other.key), (&None, &None));
    assert!(!other.route_response);
    assert_eq!(other.timeout, Duration::from_secs(29));
    assert_eq!(other.throttling, Throttling::default());
}

#[test]
fn every_field_of_the_stage_is_read() {
    let stage = read(FULL).stage;
    assert_eq!(
        stage.variables,
        strings([("colour", "blue"), ("level", "5")])
    );
    assert_eq!(
        stage.throttling,
        Throttling {
            rate_limit: Some(10_000.0),
            burst_limit: Some(5000)
        }
    );
}

#[test]
fn every_field_of_a_function_is_read_and_has_a_default() {
    let contract = read(FULL);
    let message = Function {
        timeout: Duration::from_secs(900),
        memory_size: 128,
        reserved_concurrent_executions: Some(0),
        max_concurrency: Some(16),
        environment: strings([("EMPTY", ""), ("LOG", "debug")]),
    };
    assert_eq!(contract.function("message"), message);
    let default = contract.function("connect");
    assert_eq!(
        (default.timeout, default.memory_size),
        (Duration::from_secs(10), 256)
    );
    assert_eq!(default, Function::default());
}

#[test]
fn an_authorizer_is_a_function_or_iam() {
    let name = str::to_owned;
    let expected = Authorizer::Lambda {
        function: name("authorizer"),
        identity_source: vec![
            IdentitySource::QueryString(name("token")),
            IdentitySource::Header(name("Authorization")),
            IdentitySource::StageVariable(name("colour")),
            IdentitySource::Context(name("identity.sourceIp")),
        ],
    };
    let contract = read(FULL);
    assert_eq!(contract.authorizer, Some(expected));
    assert_eq!(contract.credential_query_names(), BTreeSet::from(["token"]));

    let contract = read(&with(
        "  $connect: { function: c }\nauthorizer: { type: AWS_IAM }",
    ));
    assert_eq!(contract.authorizer, Some(Authorizer::AwsIam));
    assert_eq!(contract.credential_query_names(), BTreeSet::new());
}

#[test]
fn every_field_of_push_is_read_and_has_a_default() {
    let name = str::to_owned;
    let push = Push {
        function: name("push"),
        topics: vec![name("ws.outbound"), name("ws.system")],
        batch_size: 10,
        maximum_batching_window: Duration::from_secs(1),
        starting_position: StartingPosition::TrimHorizon,
        maximum_retry_attempts: Some(3),
        maximum_record_age: Some(Duration::from_secs(60)),
        bisect_batch_on_function_error: true,
        dead_letter: Some(name("ws.outbound.dead")),
    };
    assert_eq!(read(FULL).push, Some(push));

    let push = Push {
        function: name("push"),
        topics: vec![name("out")],
        batch_size: 100,
        maximum_batching_window: Duration::ZERO,
        starting_position: StartingPosition::Latest,
        maximum_retry_attempts: None,
        maximum_record_age: None,
        bisect_batch_on_function_error: false,
        dead_letter: None,
    };
    let text = with("push: { function: push, topics: [out] }");
    assert_eq!(read(&text).push, Some(push.clone()));
    let text = with(
        "push: { function: push, topics: [out], startingPosition: LATEST, \
         maximumRetryAttempts: -1, maximumRecordAgeInSeconds: -1 }",
    );
    assert_eq!(read(&text).push, Some(push));
}

#[test]
fn functions_and_topics_are_collected_from_all_sections() {
    let contract = read(FULL);
    assert_eq!(
        Vec::from_iter(contract.function_names()),
        [
            "authorizer",
            "connect",
            "disconnect",
            "message",
            "other",
            "push"
        ]
    );
    assert_eq!(
        Vec::from_iter(contract.topics()),
        [
            "chat.messages",
            "ws.connections",
            "ws.outbound",
            "ws.outbound.dead",
            "ws.system"
        ]
    );
}

#[test]
fn any_text_can_be_a_route_key() {
    #[track_caller]
    fn check(yaml: &str, key: &str) {
        let contract = read(&with_route(&format!("{yaml}: {{ function: f }}")));
        assert_eq!(Vec::from_iter(contract.routes.keys()), [key]);
    }
    check("chat/join", "chat/join");
    check("\"[1, 2]\"", "[1, 2]");
    check("'5'", "5");
    check("\"yes\"", "yes");
    check("\"~\"", "~");
    check("'<<'", "<<");
    check("two words", "two words");
    check("a$b", "a$b");
    check("größe", "größe");
    check("$connect", "$connect");
}

#[test]
fn flow_style_json_crlf_and_a_byte_order_mark_are_accepted() {
    let flow = "{routeSelectionExpression: $request.body.action, routes: {chat: {function: message, topic: chat}}}";
    let json = "{\"routeSelectionExpression\": \"$request.body.action\",\n \"routes\": {\"chat\": {\"function\": \"message\", \"topic\": \"chat\"}}}";
    let routes = read(&with("")).routes;
    assert_eq!(read(flow).routes, routes);
    assert_eq!(read(json).routes, routes);
    assert_eq!(
        read(&format!("# a comment\n---\n{}...\n# another", with(""))).routes,
        routes
    );
    assert_eq!(read(&with("").replace('\n', "\r\n")).routes, routes);
    assert_eq!(read(&format!("\u{feff}{}", with(""))).routes, routes);
}

proptest! {
    #[test]
    fn any_text_parses_or_gives_an_error_on_one_line(text in "\\PC{0,80}|[ a\\-:\\[\\]{},&*!|>'\"%@`?#\n\t]{0,60}") {
        check_any(&text)?;
    }

    /// Almost valid contracts reach further into the parser.
    #[test]
    fn any_edited_contract_parses_or_gives_an_error_on_one_line(
        at in 0..FULL.len(),
        length in 0..20_usize,
        insert in "[ a5$.\\-:\\[\\]{},&*!|>'\"~\n\t]{0,6}",
    ) {
        let end = FULL.len().min(at + length);
        check_any(&format!("{}{insert}{}", &FULL[..at], &FULL[end..]))?;
    }
}

fn check_any(text: &str) -> Result<(), TestCaseError> {
    if let Err(err) = Contract::parse("gateway.yaml", text) {
        let err = err.to_string();
        prop_assert!(err.starts_with("gateway.yaml:"), "{}", err);
        prop_assert_eq!(err.lines().count(), 1, "{}", err);
    }
    Ok(())
}
